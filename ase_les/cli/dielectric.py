"""``ase-les dielectric``: dielectric constant and spectrum of a recorded run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ase_les.cli._options import Config, EpsilonInfinity, Json, Overwrite, Quiet


def dielectric(
    stem: Annotated[
        Path, typer.Argument(help="Of a run with --observe dipole or current.", metavar="STEM")
    ],
    epsilon_infinity: EpsilonInfinity = None,
    recorded: Annotated[
        str | None,
        typer.Option(
            help="latent, or physical if the calculator had a dielectric constant.",
            show_default="what the run tells, or latent",
        ),
    ] = None,
    rotational: Annotated[
        bool, typer.Option("--rotational", help="Static constant of rotating molecules alone.")
    ] = False,
    skip: Annotated[float, typer.Option(help="ps left out at the beginning.")] = 0.0,
    temperature: Annotated[
        float | None, typer.Option(help="K", show_default="mean of the run")
    ] = None,
    resolution: Annotated[float, typer.Option(help="1/cm; full width at half maximum.")] = 5.0,
    window: Annotated[str, typer.Option(help="gaussian or hann.")] = "gaussian",
    blocks: Annotated[int, typer.Option(help="Most blocks for errors.")] = 10,
    upto: Annotated[float, typer.Option(help="1/cm; end of the spectrum.")] = 5000.0,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="Stem of the files.", show_default="STEM-dielectric"),
    ] = None,
    overwrite: Overwrite = False,
    config: Config = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Dielectric constant with its error, and ε(ω), from recorded dipole or current."""
    from ase_les.cli._calculator import tell_of_screening
    from ase_les.properties.dielectric import dielectric_from_run
    from ase_les.runs.output import summary_as_json

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
        output=output or f"{stem}-dielectric",
        overwrite=overwrite,
        quiet=quiet,
    )
    tell_of_screening(result.runs, epsilon_infinity, quiet)
    if json:
        print(summary_as_json(result.summary()))
