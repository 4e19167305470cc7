"""``ase-les born``: Born effective charges of a structure."""

from __future__ import annotations

from typing import Annotated

import numpy as np
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


def born(
    structure: Structure = None,
    model: Model = None,
    charge: Charge = None,
    method: Annotated[str, typer.Option(help="analytic, displacement or field.")] = "analytic",
    chosen: Annotated[
        str | None,
        typer.Option(
            "--atoms",
            help="Selected atoms: 0:4,7  Ti,O  top:2  bottom  within:5 (Å of either face)  "
            "near:Ti:3  tag:0; a comma means or, & means and, as in 'O&near:H:1.2'.",
            show_default="all",
        ),
    ] = None,
    components: Annotated[
        str, typer.Option(help="all, or normal: only the normal component of a slab.")
    ] = "all",
    source: Annotated[
        str,
        typer.Option(
            help="Source of the moment for displacements: auto, dipole, polarization, current or "
            "charges."
        ),
    ] = "auto",
    reach: Annotated[
        float | None,
        typer.Option(
            help="Range of charge changes around an atom in Å, for source charges.",
            show_default="that of the calculator, or 10",
        ),
    ] = None,
    axis: Annotated[
        str | None,
        typer.Option(
            help="Cell vector (a, b or c) across the layers of an interface in a periodic box, "
            "for results by layer.",
            show_default="open direction of a slab",
        ),
    ] = None,
    layer_gap: Annotated[
        float, typer.Option(help="Distance along the normal that separates layers, in Å.")
    ] = 0.5,
    bulk: Annotated[
        str | None,
        typer.Option(
            help="Born charges of the bulk for comparison with the layers: Na=1.08,Cl=-1.08 or the "
            "-summary.yml of an earlier run.",
        ),
    ] = None,
    symmetrize: Annotated[
        bool | None,
        typer.Option(
            help="Average over the symmetry of the crystal or slab.",
            show_default="for crystals and slabs",
        ),
    ] = None,
    symmetry_tolerance: Annotated[float, typer.Option(help="Symmetry tolerance in Å.")] = 1e-3,
    sum_rule: Annotated[
        bool, typer.Option("--sum-rule", help="Subtract the excess of the sum from all atoms.")
    ] = False,
    dielectric: Annotated[
        str | None,
        typer.Option(
            *DIELECTRIC,
            help="ε∞ of the bulk, whose square root scales the charges; `model`: as predicted by "
            "a model with a polarizability.",
            show_default="from the model card, or 1",
        ),
    ] = None,
    displacement: Annotated[
        float | None,
        typer.Option(
            help="Displacement in Å for method displacement.",
            show_default="0.01, in double precision 2e-4",
        ),
    ] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="Stem of the files.")] = "born",
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
    """Compute Born effective charges, with a BORN file for crystals, and by layer for slabs."""
    from ase_les.cli._calculator import differentiable_structure, note_latent_charges
    from ase_les.properties.born_charges import born_charges
    from ase_les.reports import born_charges as report
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
    result = born_charges(
        atoms,
        method,
        chosen=chosen,
        components=components,
        source=source,
        reach_A=reach,
        axis=axis,
        layer_gap_A=layer_gap,
        bulk=_bulk(bulk),
        symmetrize=symmetrize,
        symmetry_tolerance_A=symmetry_tolerance,
        sum_rule=sum_rule,
        displacement_A=displacement,
        beyond_limits=beyond_limits,
        output=output,
        resume=resume,
        overwrite=overwrite,
        jobs=shared,
        progress=TerminalProgress(quiet),
    )
    report.write(result, output)
    report.show(result, quiet)
    unscaled = (result.dielectric == np.eye(3)).all()
    if dielectric is None and atoms.pbc.any() and unscaled:
        note_latent_charges(quiet)
    if json:
        print(summary_as_json(result.summary()))


def _bulk(given: str | None) -> dict[str, float] | str | None:
    """Return values by element, or the name of a file with values."""
    if given is None or "=" not in given:
        return given
    try:
        pairs = [pair.split("=") for pair in given.split(",")]
        return {symbol.strip(): float(value) for symbol, value in pairs}
    except ValueError as error:
        raise ValueError(
            f"`bulk` must be of the form Na=1.08,Cl=-1.08 or the name of a file, got {given!r}"
        ) from error
