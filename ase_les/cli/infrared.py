"""``ase-les infrared``: harmonic spectrum of a structure, or spectrum of a recorded run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ase_les.cli._groups import ByDisplacements, with_groups
from ase_les.cli._options import (
    DIELECTRIC,
    Charge,
    Model,
    RecordedCharges,
    refuse_options,
    stem_option,
)
from ase_les.cli._spectrum_options import (
    ONLY_HARMONIC,
    ONLY_RUN,
    RUN,
    HarmonicOptions,
    RunSpectrumOptions,
    VibratingStructure,
)

LAYERS = "Layers of a film or interface"
_ONLY_RUN = (
    *ONLY_RUN,
    *("epsilon_infinity", "recorded", "temperature", "reference", "layers", "surface", "center"),
)
_UNUSED_BY_LAYERS = tuple(name for name in ONLY_HARMONIC if name not in ("model", "threads"))
_NOT_OF_LAYERS = ("molecules", "reference")
_OF_LAYERS = ("surface", "center")


@with_groups
def infrared(
    context: typer.Context,
    harmonic: HarmonicOptions,
    of_run: RunSpectrumOptions,
    common: ByDisplacements,
    structure: VibratingStructure = None,
    from_run: Annotated[
        str | None,
        typer.Option(help="Compute the spectrum from the current of this run.", metavar="STEM"),
    ] = None,
    model: Model = None,
    charge: Charge = None,
    epsilon_infinity: Annotated[
        float | None,
        typer.Option(
            *DIELECTRIC,
            help="Electronic dielectric constant ε∞ of the bulk; 1.78 for water.",
            show_default="that of the calculator, or 1",
            rich_help_panel=RUN,
        ),
    ] = None,
    recorded: RecordedCharges = None,
    temperature: Annotated[
        float | None,
        typer.Option(help="Temperature in K.", show_default="mean of the run", rich_help_panel=RUN),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(help="Spectrum for comparison in the figure.", rich_help_panel=RUN),
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option(
            help="Edges in Å such as 3,6, for the trajectory of the run with --model; or recorded: "
            "the layers that the run observed.",
            rich_help_panel=LAYERS,
        ),
    ] = None,
    surface: Annotated[
        str,
        typer.Option(
            help="planes: distance from the middle of --center; instantaneous: depth below the "
            "interface of water.",
            rich_help_panel=LAYERS,
        ),
    ] = "planes",
    center: Annotated[
        str, typer.Option(help="film, or elements such as Ti.", rich_help_panel=LAYERS)
    ] = "film",
    output: Annotated[str | None, stem_option("infrared, or STEM-infrared")] = None,
) -> None:
    """Compute an infrared spectrum from normal modes, or from the current of a run."""
    report: Any
    result: Any
    output = output or ("infrared" if from_run is None else f"{from_run}-infrared")
    run_settings = {
        "epsilon_infinity": epsilon_infinity,
        "recorded": recorded,
        "temperature_K": temperature,
        "output": output,
        "overwrite": common.overwrite,
        **of_run.settings(),
    }
    if from_run is None:
        refuse_options(context, _ONLY_RUN, "a harmonic spectrum (no --from-run) does not use")
        from ase_les.properties.infrared_harmonic import harmonic_infrared
        from ase_les.reports import infrared as report

        atoms, shared = common.prepare(structure, model, charge)
        result = harmonic_infrared(atoms, output=output, **harmonic.settings(), **shared)
    elif layers is None:
        refuse_options(context, ONLY_HARMONIC, "--from-run reads a run; omit")
        refuse_options(context, _OF_LAYERS, "give --layers, or omit")
        from ase_les.properties.infrared_dynamics import infrared_from_run
        from ase_les.reports import infrared_dynamics as report

        result = infrared_from_run(from_run, reference=reference, **run_settings)
    else:
        unused = ONLY_HARMONIC if layers == "recorded" else _UNUSED_BY_LAYERS
        refuse_options(context, unused, "--from-run reads a run; omit")
        refuse_options(context, _NOT_OF_LAYERS, "layers do not use")
        if layers == "recorded":
            refuse_options(context, _OF_LAYERS, "the run has recorded its layers; omit")
        from ase_les.cli._layers import layered_infrared
        from ase_les.reports import infrared_layers as report

        del run_settings["molecules"]
        result = layered_infrared(
            from_run, layers, surface, center, model, common.threads, common.quiet, **run_settings
        )
    common.finish(report, result, output)
    if from_run is not None and layers is None:
        from ase_les.cli._calculator import note_screening

        note_screening([result.run], epsilon_infinity, common.quiet)
