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
from ase_les.cli._spectrum_options import (
    HARMONIC,
    ONLY_HARMONIC,
    ONLY_RUN,
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
    chosen: Chosen = None,
    displacement: Displacement = 0.005,
    width: Width = 10.0,
    resume: Resume = False,
    jobs: NumberOfJobs = 1,
    scheduler: Scheduler = None,
    skip: Skip = 0.0,
    temperature: Annotated[
        float | None,
        typer.Option(help="Temperature in K.", show_default="298.15, or mean of the run"),
    ] = None,
    resolution: Resolution = 20.0,
    window: Window = "gaussian",
    quantum_correction: QuantumCorrection = "harmonic",
    blocks: Blocks = 10,
    molecules: Molecules = 1,
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
        refuse_options(context, ONLY_HARMONIC, "--from-run reads a run; omit")
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
        refuse_options(context, ONLY_RUN, "a harmonic spectrum (no --from-run) does not use")
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
