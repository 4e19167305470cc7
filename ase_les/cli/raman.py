"""``ase-les raman``: harmonic Raman spectrum of a structure, or spectrum of a recorded run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ase_les.cli._options import (
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
_ONLY_HARMONIC = (
    *("structure", "model", "charge", "method", "chosen", "displacement", "width"),
    *("resume", "jobs", "scheduler", "beyond_limits", "device", "dtype", "format", "pbc"),
)
_ONLY_RUN = (*("skip", "resolution", "window", "quantum_correction", "blocks", "molecules"),)


def raman(
    context: typer.Context,
    structure: Annotated[
        Path | None,
        typer.Argument(
            help="Any structure file ASE reads; its last frame. Fixed atoms stay fixed."
        ),
    ] = None,
    from_run: Annotated[
        str | None,
        typer.Option(
            help="Compute the spectrum from the polarizability of this run.", metavar="STEM"
        ),
    ] = None,
    model: Model = None,
    charge: Charge = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="analytic or displacement: source of the derivatives of the polarizability.",
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
    skip: Annotated[
        float, typer.Option(help="Initial time to exclude in ps.", rich_help_panel=RUN)
    ] = 0.0,
    temperature: Annotated[
        float | None,
        typer.Option(help="Temperature in K.", show_default="298.15, or mean of the run"),
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
    laser: Annotated[float, typer.Option(help="Wave length of the light in nm.")] = 532.0,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", help="Stem of the files.", show_default="raman, or STEM-raman"
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
    """Compute a Raman spectrum from normal modes, or from the polarizability of a run.

    The model must have a polarizability (`ase-les models`). Crystals: modes at Γ.
    """
    from ase_les.reports import raman as report
    from ase_les.runs.output import summary_as_json

    result: Any
    output = output or ("raman" if from_run is None else f"{from_run}-raman")
    if from_run is not None:
        refuse_options(context, _ONLY_HARMONIC, "--from-run reads a run; omit")
        from ase_les.properties.raman_dynamics import raman_from_run

        result = raman_from_run(
            from_run,
            skip_ps=skip,
            temperature_K=temperature,
            resolution_per_cm=resolution,
            window=window,
            quantum_correction=quantum_correction,
            laser_nm=laser,
            blocks=blocks,
            molecules=molecules,
            output=output,
            overwrite=overwrite,
        )
    else:
        refuse_options(context, _ONLY_RUN, "a harmonic spectrum (no --from-run) does not use")
        from ase_les.cli._calculator import differentiable_structure
        from ase_les.properties.raman_harmonic import harmonic_raman
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
        result = harmonic_raman(
            atoms,
            method,
            chosen=chosen,
            displacement_A=displacement,
            width_per_cm=width,
            laser_nm=laser,
            temperature_K=298.15 if temperature is None else temperature,
            beyond_limits=beyond_limits,
            resume=resume,
            jobs=shared,
            progress=TerminalProgress(quiet),
            output=output,
            overwrite=overwrite,
        )
    report.write(result, output)
    report.show(result, quiet)
    if json:
        print(summary_as_json(result.summary()))
