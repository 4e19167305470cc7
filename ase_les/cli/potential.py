"""``ase-les potential``: potentials and work functions relative to vacuum, with a calibration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ase_les.cli._groups import OnModel, with_groups
from ase_les.cli._options import Model, Output, Structure


@with_groups
def potential(
    common: OnModel,
    structure: Structure = None,
    model: Model = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            help="Calibrate with this file: slabs with REF_potential, or the clean slab of "
            "--work-function."
        ),
    ] = None,
    work_function: Annotated[
        float | None, typer.Option(help="Work function of the clean metal slab in eV.")
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="Calibration of an earlier call, STEM-calibration.yml.")
    ] = None,
    window: Annotated[
        float | None, typer.Option(help="Period of the layers in Å, for REF_potential.")
    ] = None,
    edge: Annotated[
        float | None,
        typer.Option(
            help="Band edge in eV relative to the mean potential energy of an electron in the bulk."
        ),
    ] = None,
    smearing: Annotated[
        float,
        typer.Option(help="Smearing of the charges in Å, the σ of the model, for REF_potential."),
    ] = 0.0,
    output: Output = "potential",
) -> None:
    """Compute potential, band edges and work functions of a slab relative to vacuum."""
    from ase_les.cli._calculator import calculated_structure, read_frames, set_threads
    from ase_les.properties.vacuum_levels import calibrated, vacuum_levels
    from ase_les.reports import absolute_potential as report
    from ase_les.runs.output import prepared_output

    set_threads(common.threads)
    atoms, _ = calculated_structure(structure, model, common.device, common.dtype or "float64")
    references = [] if reference is None else [each for _, each in read_frames(reference, True)]
    for each in references:
        each.calc = atoms.calc
    prepared_output(output, common.overwrite)
    found = calibrated(
        references,
        stored=report.read_calibration(calibration),
        window_A=window,
        work_function_eV=work_function,
        smearing_A=smearing,
    )
    result = vacuum_levels(atoms, found, edge_eV=edge)
    report.write(result, found, output)
    report.show(result, found, common.quiet)
    common.print_json(result)
