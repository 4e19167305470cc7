"""``ase-les raman``: harmonic Raman spectrum of a structure, or spectrum of a recorded run."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ase_les.cli._groups import ByDisplacements, with_groups
from ase_les.cli._options import Charge, Model, refuse_options, stem_option
from ase_les.cli._spectrum_options import (
    ONLY_HARMONIC,
    ONLY_RUN,
    HarmonicOptions,
    RunSpectrumOptions,
    VibratingStructure,
)


@with_groups
def raman(
    context: typer.Context,
    harmonic: HarmonicOptions,
    of_run: RunSpectrumOptions,
    common: ByDisplacements,
    structure: VibratingStructure = None,
    from_run: Annotated[
        str | None,
        typer.Option(
            help="Compute the spectrum from the polarizability of this run.", metavar="STEM"
        ),
    ] = None,
    model: Model = None,
    charge: Charge = None,
    temperature: Annotated[
        float | None,
        typer.Option(help="Temperature in K.", show_default="298.15, or mean of the run"),
    ] = None,
    laser: Annotated[float, typer.Option(help="Wave length of the light in nm.")] = 532.0,
    output: Annotated[str | None, stem_option("raman, or STEM-raman")] = None,
) -> None:
    """Compute a Raman spectrum from normal modes, or from the polarizability of a run.

    The model must have a polarizability (`ase-les models`). Crystals: modes at Γ.
    """
    from ase_les.reports import raman as report

    result: Any
    output = output or ("raman" if from_run is None else f"{from_run}-raman")
    if from_run is not None:
        refuse_options(context, ONLY_HARMONIC, "--from-run reads a run; omit")
        from ase_les.properties.raman_dynamics import raman_from_run

        result = raman_from_run(
            from_run,
            temperature_K=temperature,
            laser_nm=laser,
            output=output,
            overwrite=common.overwrite,
            **of_run.settings(),
        )
    else:
        refuse_options(context, ONLY_RUN, "a harmonic spectrum (no --from-run) does not use")
        from ase_les.properties.raman_harmonic import harmonic_raman

        atoms, shared = common.prepare(structure, model, charge)
        result = harmonic_raman(
            atoms,
            laser_nm=laser,
            temperature_K=298.15 if temperature is None else temperature,
            output=output,
            **harmonic.settings(),
            **shared,
        )
    common.finish(report, result, output)
