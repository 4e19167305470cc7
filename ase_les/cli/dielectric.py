"""``ase-les dielectric``: dielectric constant and spectrum of a recorded run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ase_les.cli._groups import Common, with_groups
from ase_les.cli._options import (
    EpsilonInfinity,
    RecordedCharges,
    RunTemperature,
    SkippedTime,
    stem_option,
)


@with_groups
def dielectric(
    common: Common,
    stem: Annotated[
        Path,
        typer.Argument(help="Stem of a run with --observe dipole or current.", metavar="STEM"),
    ],
    epsilon_infinity: EpsilonInfinity = None,
    recorded: RecordedCharges = None,
    rotational: Annotated[
        bool, typer.Option("--rotational", help="Static constant without translation of the ions.")
    ] = False,
    skip: SkippedTime = 0.0,
    temperature: RunTemperature = None,
    resolution: Annotated[float, typer.Option(help="Full width at half maximum in 1/cm.")] = 5.0,
    window: Annotated[str, typer.Option(help="Window function: gaussian or hann.")] = "gaussian",
    blocks: Annotated[int, typer.Option(help="Maximum number of blocks for errors.")] = 10,
    upto: Annotated[float, typer.Option(help="Upper limit of the spectrum in 1/cm.")] = 5000.0,
    output: Annotated[str | None, stem_option("STEM-dielectric")] = None,
) -> None:
    """Compute the dielectric constant and ε(ω) from the recorded dipole or current."""
    from ase_les.cli._calculator import note_screening
    from ase_les.properties.dielectric import dielectric_from_run
    from ase_les.reports import dielectric as report

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
        overwrite=common.overwrite,
    )
    common.finish(report, result, output)
    note_screening(result.runs, epsilon_infinity, common.quiet)
