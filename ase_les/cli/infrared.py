"""``ase-les infrared``: harmonic spectrum of a molecule, or spectrum of a recorded run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ase_les.cli._options import (
    DIELECTRIC,
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
    Threads,
)

HARMONIC, RUN = "Harmonic spectrum of a molecule", "Spectrum of a recorded run"
_ONLY_HARMONIC = (
    *("structure", "model", "charge", "method", "displacement", "width", "resume", "jobs"),
)
_ONLY_RUN = (
    *("epsilon_infinity", "recorded", "skip", "temperature", "resolution", "window"),
    *("quantum_correction", "blocks", "molecules", "reference"),
)


def infrared(
    context: typer.Context,
    structure: Annotated[
        Path | None,
        typer.Argument(help="A molecule in any file ASE reads: its harmonic spectrum."),
    ] = None,
    from_run: Annotated[
        str | None,
        typer.Option(help="Spectrum of the run of this stem, from its current.", metavar="STEM"),
    ] = None,
    model: Model = None,
    charge: Charge = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="analytic or displacement: where dipole derivatives come from.",
            show_default="the first there is",
            rich_help_panel=HARMONIC,
        ),
    ] = None,
    displacement: Annotated[float, typer.Option(help="Å", rich_help_panel=HARMONIC)] = 0.005,
    width: Annotated[
        float, typer.Option(help="1/cm; of the lines in the figure.", rich_help_panel=HARMONIC)
    ] = 10.0,
    resume: Resume = False,
    jobs: NumberOfJobs = 1,
    epsilon_infinity: Annotated[
        float | None,
        typer.Option(
            *DIELECTRIC,
            help="ε∞ of the bulk, of its electrons alone; 1.78 for water.",
            show_default="the calculator's, or 1",
            rich_help_panel=RUN,
        ),
    ] = None,
    recorded: Annotated[
        str | None,
        typer.Option(
            help="latent, or physical if the calculator had a dielectric constant.",
            show_default="what the run tells, or latent",
            rich_help_panel=RUN,
        ),
    ] = None,
    skip: Annotated[
        float, typer.Option(help="ps; left out at the beginning.", rich_help_panel=RUN)
    ] = 0.0,
    temperature: Annotated[
        float | None,
        typer.Option(help="K", show_default="mean of the run", rich_help_panel=RUN),
    ] = None,
    resolution: Annotated[float, typer.Option(help="1/cm", rich_help_panel=RUN)] = 20.0,
    window: Annotated[str, typer.Option(help="gaussian or hann.", rich_help_panel=RUN)] = (
        "gaussian"
    ),
    quantum_correction: Annotated[
        str, typer.Option(help="harmonic or none.", rich_help_panel=RUN)
    ] = "harmonic",
    blocks: Annotated[
        int, typer.Option(help="Most blocks for the error band.", rich_help_panel=RUN)
    ] = 10,
    molecules: Annotated[
        int, typer.Option(help="Molecules that molar units count.", rich_help_panel=RUN)
    ] = 1,
    reference: Annotated[
        Path | None, typer.Option(help="A spectrum to draw beside.", rich_help_panel=RUN)
    ] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="Stem of the files.")] = "infrared",
    device: Device = None,
    dtype: Precision = "float64",
    threads: Threads = 1,
    overwrite: Overwrite = False,
    config: Config = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Infrared spectrum: of a molecule by normal modes, or of a run by its current."""
    from ase_les.runs.output import summary_as_json

    common = {"output": output, "overwrite": overwrite}
    result: Any
    if from_run is not None:
        _refuse(context, _ONLY_HARMONIC, "--from-run reads a run; leave out")
        from ase_les.cli._calculator import tell_of_screening
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
            **common,
        )
        report.write(result, output)
        report.show(result, quiet)
        tell_of_screening([result.run], epsilon_infinity, quiet)
    else:
        _refuse(context, _ONLY_RUN, "a harmonic spectrum (no --from-run) has no use for")
        from ase_les.cli._calculator import differentiable_structure
        from ase_les.properties.infrared_harmonic import harmonic_infrared

        atoms, shared = differentiable_structure(
            structure, model, device, dtype, processes=jobs, threads=threads, charge=charge
        )
        result = harmonic_infrared(
            atoms,
            method,
            displacement_A=displacement,
            width_per_cm=width,
            resume=resume,
            jobs=shared,
            quiet=quiet,
            **common,
        )
    if json:
        print(summary_as_json(result.summary()))


def _refuse(context: typer.Context, names: tuple[str, ...], why: str) -> None:
    """What was asked for and would be ignored."""
    given = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name in names
        and context.get_parameter_source(parameter.name).name != "DEFAULT"
    ]
    if given:
        raise ValueError(f"{why} {', '.join(given)}")
