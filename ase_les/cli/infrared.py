"""``ase-les infrared``: harmonic spectrum of a structure, or spectrum of a recorded run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

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
    Threads,
    refuse_options,
)
from ase_les.cli._spectrum_options import (
    HARMONIC,
    ONLY_HARMONIC,
    ONLY_RUN,
    RUN,
    Blocks,
    Chosen,
    Displacement,
    Molecules,
    QuantumCorrection,
    Resolution,
    Skip,
    Width,
    Window,
)

LAYERS = "Layers of a film or interface"
_ONLY_RUN = (
    *ONLY_RUN,
    *("epsilon_infinity", "recorded", "temperature", "reference", "layers", "surface", "center"),
)
_UNUSED_BY_LAYERS = tuple(name for name in ONLY_HARMONIC if name not in ("model", "threads"))
_NOT_OF_LAYERS = ("molecules", "reference")
_OF_LAYERS = ("surface", "center")


def infrared(
    context: typer.Context,
    structure: Annotated[
        Path | None,
        typer.Argument(
            help="Any structure file ASE reads; its last frame. Fixed atoms stay fixed."
        ),
    ] = None,
    from_run: Annotated[
        str | None,
        typer.Option(help="Compute the spectrum from the current of this run.", metavar="STEM"),
    ] = None,
    model: Model = None,
    charge: Charge = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="analytic or displacement: source of the dipole derivatives.",
            show_default="first available",
            rich_help_panel=HARMONIC,
        ),
    ] = None,
    chosen: Chosen = None,
    displacement: Displacement = 0.005,
    width: Width = 10.0,
    resume: Resume = False,
    jobs: NumberOfJobs = 1,
    scheduler: Scheduler = None,
    epsilon_infinity: Annotated[
        float | None,
        typer.Option(
            *DIELECTRIC,
            help="Electronic dielectric constant ε∞ of the bulk; 1.78 for water.",
            show_default="that of the calculator, or 1",
            rich_help_panel=RUN,
        ),
    ] = None,
    recorded: Annotated[
        str | None,
        typer.Option(
            help="latent, or physical if the calculator had a dielectric constant.",
            show_default="as recorded by the run, or latent",
            rich_help_panel=RUN,
        ),
    ] = None,
    skip: Skip = 0.0,
    temperature: Annotated[
        float | None,
        typer.Option(help="Temperature in K.", show_default="mean of the run", rich_help_panel=RUN),
    ] = None,
    resolution: Resolution = 20.0,
    window: Window = "gaussian",
    quantum_correction: QuantumCorrection = "harmonic",
    blocks: Blocks = 10,
    molecules: Molecules = 1,
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
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", help="Stem of the files.", show_default="infrared, or STEM-infrared"
        ),
    ] = None,
    beyond_limits: BeyondLimits = False,
    device: Device = None,
    dtype: Precision = "float64",
    threads: Threads = 1,
    overwrite: Overwrite = False,
    config: Config = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compute an infrared spectrum from normal modes, or from the current of a run."""
    from ase_les.runs.output import summary_as_json

    result: Any
    output = output or ("infrared" if from_run is None else f"{from_run}-infrared")
    if from_run is not None and layers is not None:
        unused = ONLY_HARMONIC if layers == "recorded" else _UNUSED_BY_LAYERS
        refuse_options(context, unused, "--from-run reads a run; omit")
        refuse_options(context, _NOT_OF_LAYERS, "layers do not use")
        if layers == "recorded":
            refuse_options(context, _OF_LAYERS, "the run has recorded its layers; omit")
        from ase_les.cli._layers import layered_infrared
        from ase_les.reports import infrared_layers as layer_report

        result = layered_infrared(
            from_run,
            layers,
            surface,
            center,
            model,
            threads,
            quiet,
            epsilon_infinity=epsilon_infinity,
            recorded=recorded,
            skip_ps=skip,
            temperature_K=temperature,
            resolution_per_cm=resolution,
            window=window,
            quantum_correction=quantum_correction,
            blocks=blocks,
            output=output,
            overwrite=overwrite,
        )
        layer_report.write(result, output)
        layer_report.show(result, quiet)
    elif from_run is not None:
        refuse_options(context, ONLY_HARMONIC, "--from-run reads a run; omit")
        refuse_options(context, _OF_LAYERS, "give --layers, or omit")
        from ase_les.cli._calculator import note_screening
        from ase_les.properties.infrared_dynamics import infrared_from_run
        from ase_les.reports import infrared_dynamics as report

        result = infrared_from_run(
            from_run,
            epsilon_infinity=epsilon_infinity,
            recorded=recorded,
            skip_ps=skip,
            temperature_K=temperature,
            resolution_per_cm=resolution,
            window=window,
            quantum_correction=quantum_correction,
            blocks=blocks,
            molecules=molecules,
            reference=reference,
            output=output,
            overwrite=overwrite,
        )
        report.write(result, output)
        report.show(result, quiet)
        note_screening([result.run], epsilon_infinity, quiet)
    else:
        refuse_options(context, _ONLY_RUN, "a harmonic spectrum (no --from-run) does not use")
        from ase_les.cli._calculator import differentiable_structure
        from ase_les.properties.infrared_harmonic import harmonic_infrared
        from ase_les.reports import infrared as harmonic_report
        from ase_les.reports.terminal import TerminalProgress

        atoms, shared = differentiable_structure(
            structure,
            model,
            device,
            dtype,
            processes=jobs,
            scheduler=scheduler,
            threads=threads,
            charge=charge,
        )
        result = harmonic_infrared(
            atoms,
            method,
            chosen=chosen,
            displacement_A=displacement,
            width_per_cm=width,
            beyond_limits=beyond_limits,
            resume=resume,
            jobs=shared,
            progress=TerminalProgress(quiet),
            output=output,
            overwrite=overwrite,
        )
        harmonic_report.write(result, output)
        harmonic_report.show(result, quiet)
    if json:
        print(summary_as_json(result.summary()))
