"""``ase-les transport``: diffusion and conductivity of a recorded run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ase_les.cli._groups import Common, with_groups
from ase_les.cli._options import (
    EpsilonInfinity,
    FrameInterval,
    RecordedCharges,
    RunTemperature,
    SkippedTime,
    stem_option,
)
from ase_les.cli._values import by_element, numbers


@with_groups
def transport(
    common: Common,
    stem: Annotated[
        Path,
        typer.Argument(
            help="Stem of a run, recorded with --observe current for Green–Kubo; or any trajectory "
            "file ASE reads.",
            metavar="STEM",
        ),
    ],
    frame_interval: FrameInterval = None,
    charges: Annotated[
        str | None,
        typer.Option(
            help="Charges of the ions in e, such as Na=1,Cl=-1.", show_default="known ions"
        ),
    ] = None,
    epsilon_infinity: EpsilonInfinity = None,
    recorded: RecordedCharges = None,
    viscosity: Annotated[
        float | None,
        typer.Option(help="Viscosity in mPa s, for the finite-size correction of diffusion."),
    ] = None,
    skip: SkippedTime = 0.0,
    temperature: RunTemperature = None,
    fit: Annotated[
        str | None,
        typer.Option(
            help="Lag times FROM,TO in ps for the fit of slopes.",
            show_default="1/16 to 1/4 of the run",
        ),
    ] = None,
    plateau: Annotated[
        str | None,
        typer.Option(
            help="Plateau FROM,TO in ps of the running integral.", show_default="2.5,5 or shorter"
        ),
    ] = None,
    blocks: Annotated[int, typer.Option(help="Maximum number of blocks for errors.")] = 5,
    output: Annotated[str | None, stem_option("STEM-transport")] = None,
) -> None:
    """Compute diffusion, and conductivity by Green–Kubo, Einstein–Helfand and Nernst–Einstein."""
    from ase_les.cli._calculator import note_screening
    from ase_les.properties.recorded_run import FinishedTrajectory
    from ase_les.properties.transport import transport_from_run
    from ase_les.reports import transport as report

    source: Path | FinishedTrajectory = stem
    if stem.is_file():
        source, stem = FinishedTrajectory(stem, frame_interval), stem.with_suffix("")
    elif frame_interval is not None:
        raise ValueError(
            f"--frame-interval is for trajectory files, and there is no file {stem}; runs "
            "record their own interval"
        )
    output = output or f"{stem}-transport"
    result = transport_from_run(
        source,
        charge_numbers=None if charges is None else by_element("--charges", charges),
        epsilon_infinity=epsilon_infinity,
        recorded=recorded,
        viscosity_mPa_s=viscosity,
        skip_ps=skip,
        temperature_K=temperature,
        fit_ps=_range("--fit", fit),
        plateau_ps=_range("--plateau", plateau),
        blocks=blocks,
        output=output,
        overwrite=common.overwrite,
    )
    common.finish(report, result, output)
    note_screening(result.runs, epsilon_infinity, common.quiet)


def _range(option: str, text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    first, last = numbers(option, text, 2, example="FROM,TO in ps")
    return first, last
