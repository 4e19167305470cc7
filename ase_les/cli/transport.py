"""``ase-les transport``: diffusion and conductivity of a recorded run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ase_les.cli._options import Config, EpsilonInfinity, Json, Overwrite, Quiet


def transport(
    stem: Annotated[
        Path,
        typer.Argument(
            help="Stem of a run, recorded with --observe current for Green–Kubo; or any trajectory "
            "file ASE reads.",
            metavar="STEM",
        ),
    ],
    frame_interval: Annotated[
        float | None,
        typer.Option(
            help="Time between the frames of a trajectory file in fs.",
            show_default="from the file, if recorded",
        ),
    ] = None,
    charges: Annotated[
        str | None,
        typer.Option(
            help="Charges of the ions in e, such as Na=1,Cl=-1.", show_default="known ions"
        ),
    ] = None,
    epsilon_infinity: EpsilonInfinity = None,
    recorded: Annotated[
        str | None,
        typer.Option(
            help="latent, or physical if the calculator had a dielectric constant.",
            show_default="as recorded, or latent",
        ),
    ] = None,
    viscosity: Annotated[
        float | None,
        typer.Option(help="Viscosity in mPa s, for the finite-size correction of diffusion."),
    ] = None,
    skip: Annotated[float, typer.Option(help="Initial time in ps to exclude.")] = 0.0,
    temperature: Annotated[
        float | None, typer.Option(help="Temperature in K.", show_default="mean of the run")
    ] = None,
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
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="Stem of the files.", show_default="STEM-transport"),
    ] = None,
    overwrite: Overwrite = False,
    config: Config = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compute diffusion, and conductivity by Green–Kubo, Einstein–Helfand and Nernst–Einstein."""
    from ase_les.cli._calculator import note_screening
    from ase_les.properties.recorded_run import FinishedTrajectory
    from ase_les.properties.transport import transport_from_run
    from ase_les.reports import transport as report
    from ase_les.runs.output import summary_as_json

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
        charge_numbers=None if charges is None else _charge_numbers(charges),
        epsilon_infinity=epsilon_infinity,
        recorded=recorded,
        viscosity_mPa_s=viscosity,
        skip_ps=skip,
        temperature_K=temperature,
        fit_ps=_range("--fit", fit),
        plateau_ps=_range("--plateau", plateau),
        blocks=blocks,
        output=output,
        overwrite=overwrite,
    )
    report.write(result, output)
    report.show(result, quiet)
    note_screening(result.runs, epsilon_infinity, quiet)
    if json:
        print(summary_as_json(result.summary()))


def _charge_numbers(text: str) -> dict[str, float]:
    try:
        pairs = [part.split("=") for part in text.split(",")]
        return {symbol.strip(): float(number) for symbol, number in pairs}
    except ValueError:
        raise ValueError(f"--charges must look like Na=1,Cl=-1, got {text!r}") from None


def _range(option: str, text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        first, last = map(float, text.split(","))
    except ValueError:
        raise ValueError(f"{option} must be two numbers in ps, FROM,TO; got {text!r}") from None
    return first, last
