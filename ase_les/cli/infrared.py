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

HARMONIC, RUN = "Harmonic spectrum of a structure", "Spectrum of a recorded run"
LAYERS = "Layers of a film or interface"
_ONLY_HARMONIC = (
    *("structure", "model", "charge", "method", "chosen", "displacement", "width"),
    *("resume", "jobs", "scheduler", "beyond_limits", "device", "dtype", "format", "pbc"),
)
_ONLY_RUN = (
    *("epsilon_infinity", "recorded", "skip", "temperature", "resolution", "window"),
    *("quantum_correction", "blocks", "molecules", "reference", "layers", "surface", "center"),
)
_ONLY_HARMONIC_NOT_MODEL = tuple(name for name in _ONLY_HARMONIC if name != "model")
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
    chosen: Annotated[
        str | None,
        typer.Option(
            "--atoms",
            help="Vibrating atoms, such as tag:0 or O,H&within:5; see `ase-les born --help`.",
            show_default="all atoms that are not fixed",
            rich_help_panel=HARMONIC,
        ),
    ] = None,
    displacement: Annotated[
        float, typer.Option(help="Displacement of an atom in Å.", rich_help_panel=HARMONIC)
    ] = 0.005,
    width: Annotated[
        float,
        typer.Option(help="Width of the lines in the figure in 1/cm.", rich_help_panel=HARMONIC),
    ] = 10.0,
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
    skip: Annotated[
        float, typer.Option(help="Initial time to exclude in ps.", rich_help_panel=RUN)
    ] = 0.0,
    temperature: Annotated[
        float | None,
        typer.Option(help="Temperature in K.", show_default="mean of the run", rich_help_panel=RUN),
    ] = None,
    resolution: Annotated[
        float, typer.Option(help="Resolution in 1/cm.", rich_help_panel=RUN)
    ] = 20.0,
    window: Annotated[str, typer.Option(help="gaussian or hann.", rich_help_panel=RUN)] = (
        "gaussian"
    ),
    quantum_correction: Annotated[
        str, typer.Option(help="harmonic or none.", rich_help_panel=RUN)
    ] = "harmonic",
    blocks: Annotated[
        int, typer.Option(help="Maximum number of blocks for the error band.", rich_help_panel=RUN)
    ] = 10,
    molecules: Annotated[
        int, typer.Option(help="Number of molecules for molar units.", rich_help_panel=RUN)
    ] = 1,
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
        unused = _ONLY_HARMONIC if layers == "recorded" else _ONLY_HARMONIC_NOT_MODEL
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
        refuse_options(context, _ONLY_HARMONIC, "--from-run reads a run; omit")
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
