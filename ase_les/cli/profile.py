"""``ase-les profile``: densities, potential and orientation along an axis."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ase_les.cli._options import Config, Device, DType, Json, Model, Overwrite, Quiet, Threads

AXES = "xyz"


def profile(
    trajectory: Annotated[
        Path | None, typer.Argument(help="Any trajectory file ASE reads; all frames.")
    ] = None,
    axis: Annotated[str, typer.Option(help="x, y or z: cell vector across the film.")] = "z",
    bin: Annotated[float, typer.Option(help="Width of the bins in Å.")] = 0.1,
    smearing: Annotated[
        float, typer.Option(help="Smearing of the charges in Å, such as the σ of the model.")
    ] = 0.0,
    center: Annotated[
        str, typer.Option(help="Origin of each frame: film, elements as Ti,O, or none.")
    ] = "none",
    start: Annotated[int, typer.Option(min=0, help="First frame.")] = 0,
    stride: Annotated[int, typer.Option(min=1, help="Use every n-th frame.")] = 1,
    model: Model = None,
    output: Annotated[str, typer.Option("--output", "-o", help="Stem of the files.")] = "profile",
    device: Device = None,
    dtype: DType = None,
    threads: Threads = 1,
    overwrite: Overwrite = False,
    config: Config = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Average profiles of a film or interface; --model calculates missing charges."""
    from ase_les.cli._calculator import make_calculator, set_threads, trajectory_frames
    from ase_les.properties.profiles import profiles
    from ase_les.reports import profiles as report
    from ase_les.reports.terminal import TerminalProgress
    from ase_les.runs.output import summary_as_json

    if len(axis) != 1 or axis not in AXES:
        raise ValueError(f"--axis must be x, y or z, got {axis!r}")
    set_threads(threads)
    result = profiles(
        trajectory_frames(trajectory, start, stride),
        axis=AXES.index(axis),
        bin_A=bin,
        smearing_A=smearing,
        center_on=None if center == "none" else center,
        calculator=None if model is None else make_calculator(model, device or "cpu", dtype),
        output=output,
        overwrite=overwrite,
        progress=TerminalProgress(quiet),
        provenance={
            "trajectory": str(trajectory),
            "model": model,
            "start": start,
            "stride": stride,
        },
    )
    report.write(result, output)
    report.show(result, quiet)
    if json:
        print(summary_as_json(result.summary()))
