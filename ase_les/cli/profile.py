"""``ase-les profile``: densities, potential and orientation along an axis."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ase_les.cli._groups import OnModel, with_groups
from ase_les.cli._options import Model, Output

AXES = "xyz"


@with_groups
def profile(
    common: OnModel,
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
    output: Output = "profile",
) -> None:
    """Average profiles of a film or interface; --model calculates missing charges."""
    from ase_les.cli._calculator import make_calculator, set_threads, trajectory_frames
    from ase_les.properties.profiles import profiles
    from ase_les.reports import profiles as report

    if len(axis) != 1 or axis not in AXES:
        raise ValueError(f"--axis must be x, y or z, got {axis!r}")
    set_threads(common.threads)
    result = profiles(
        trajectory_frames(trajectory, start, stride),
        axis=AXES.index(axis),
        bin_A=bin,
        smearing_A=smearing,
        center_on=None if center == "none" else center,
        calculator=None
        if model is None
        else make_calculator(model, common.device or "cpu", common.dtype),
        output=output,
        overwrite=common.overwrite,
        progress=common.progress,
        provenance={
            "trajectory": str(trajectory),
            "model": model,
            "start": start,
            "stride": stride,
        },
    )
    common.finish(report, result, output)
