"""``ase-les phonons``: bands, density of states, thermal properties and LO–TO splitting."""

from __future__ import annotations

from typing import Annotated

import typer

from ase_les.cli._options import (
    DIELECTRIC,
    BeyondLimits,
    Charge,
    Config,
    Device,
    Json,
    Model,
    NumberOfJobs,
    Overwrite,
    Precision,
    Quiet,
    Resume,
    Scheduler,
    Structure,
    Threads,
)


def phonons(
    structure: Structure = None,
    model: Model = None,
    charge: Charge = None,
    supercell: Annotated[
        tuple[int, int, int] | None,
        typer.Option(help="Multiples of the cell vectors.", show_default="by --min-length"),
    ] = None,
    min_length: Annotated[float, typer.Option(help="Minimum width of the supercell in Å.")] = 12.0,
    displacement: Annotated[float, typer.Option(help="Displacement of an atom in Å.")] = 0.01,
    symmetry_tolerance: Annotated[float, typer.Option(help="Symmetry tolerance in Å.")] = 1e-4,
    nac: Annotated[
        bool | None,
        typer.Option(
            help="Include the non-analytic term (LO–TO splitting).",
            show_default="if there are charges",
        ),
    ] = None,
    dielectric: Annotated[
        str | None,
        typer.Option(
            *DIELECTRIC,
            help="ε∞ of the recorded charges, or `model`; the phonons do not depend on it.",
            show_default="from the model card, or 1",
        ),
    ] = None,
    mesh_length: Annotated[
        float, typer.Option(help="Length in Å that sets the mesh of the density of states.")
    ] = 60.0,
    max_temperature: Annotated[float, typer.Option(help="Maximum temperature in K.")] = 1000.0,
    output: Annotated[str, typer.Option("--output", "-o", help="Stem of the files.")] = "phonons",
    resume: Resume = False,
    jobs: NumberOfJobs = 1,
    scheduler: Scheduler = None,
    beyond_limits: BeyondLimits = False,
    device: Device = None,
    dtype: Precision = "float64",
    threads: Threads = 1,
    overwrite: Overwrite = False,
    config: Config = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compute phonons of a relaxed crystal or slab, with LO–TO splitting from Born charges."""
    from ase_les.cli._calculator import differentiable_structure
    from ase_les.properties.phonons import phonons as calculate_phonons
    from ase_les.reports import phonons as report
    from ase_les.reports.terminal import TerminalProgress
    from ase_les.runs.output import summary_as_json

    atoms, shared = differentiable_structure(
        structure,
        model,
        device,
        dtype,
        processes=jobs,
        scheduler=scheduler,
        threads=threads,
        charge=charge,
        dielectric=dielectric,
    )
    result = calculate_phonons(
        atoms,
        supercell=supercell,
        min_length_A=min_length,
        displacement_A=displacement,
        symmetry_tolerance_A=symmetry_tolerance,
        non_analytic=nac,
        mesh_length_A=mesh_length,
        max_temperature_K=max_temperature,
        beyond_limits=beyond_limits,
        output=output,
        resume=resume,
        overwrite=overwrite,
        jobs=shared,
        progress=TerminalProgress(quiet),
    )
    report.write(result, output)
    report.show(result, quiet)
    if json:
        print(summary_as_json(result.summary()))
