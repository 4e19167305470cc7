"""``ase-les dielectric``: dielectric constant and spectrum of a recorded run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ase_les.cli._options import Config, EpsilonInfinity, Json, Overwrite, Quiet


def dielectric(
    stem: Annotated[
        Path,
        typer.Argument(help="Stem of a run with --observe dipole or current.", metavar="STEM"),
    ],
    epsilon_infinity: EpsilonInfinity = None,
    recorded: Annotated[
        str | None,
        typer.Option(
            help="latent, or physical if the calculator had a dielectric constant.",
            show_default="as recorded, or latent",
        ),
    ] = None,
    rotational: Annotated[
        bool, typer.Option("--rotational", help="Static constant without translation of the ions.")
    ] = False,
    skip: Annotated[float, typer.Option(help="Initial time in ps to exclude.")] = 0.0,
    temperature: Annotated[
        float | None, typer.Option(help="Temperature in K.", show_default="mean of the run")
    ] = None,
    resolution: Annotated[float, typer.Option(help="Full width at half maximum in 1/cm.")] = 5.0,
    window: Annotated[str, typer.Option(help="Window function: gaussian or hann.")] = "gaussian",
    blocks: Annotated[int, typer.Option(help="Maximum number of blocks for errors.")] = 10,
    upto: Annotated[float, typer.Option(help="Upper limit of the spectrum in 1/cm.")] = 5000.0,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="Stem of the files.", show_default="STEM-dielectric"),
    ] = None,
    overwrite: Overwrite = False,
    config: Config = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compute the dielectric constant and ε(ω) from the recorded dipole or current."""
    from ase_les.cli._calculator import note_screening
    from ase_les.properties.dielectric import dielectric_from_run
    from ase_les.reports import dielectric as report
    from ase_les.runs.output import summary_as_json

    output = output or f"{stem}-dielectric"
    result = dielectric_from_run(
        stem,
        epsilon_infinity=epsilon_infinity,
        recorded=recorded,
        rotational=rotational,
        skip_ps=skip,
        temperature_K=temperature,
        resolution_per_cm=resolution,
        window=window,
        blocks=blocks,
        upto_per_cm=upto,
        output=output,
        overwrite=overwrite,
    )
    report.write(result, output)
    report.show(result, quiet)
    note_screening(result.runs, epsilon_infinity, quiet)
    if json:
        print(summary_as_json(result.summary()))
