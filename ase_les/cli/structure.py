"""``ase-les structure``: radial distributions and displacements of a finished trajectory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ase_les.cli._groups import Common, with_groups
from ase_les.cli._options import FrameInterval, stem_option


@with_groups
def structure(
    common: Common,
    stem: Annotated[
        Path,
        typer.Argument(
            help="Any trajectory file ASE reads, or the stem of a run.", metavar="TRAJECTORY"
        ),
    ],
    pairs: Annotated[
        str | None,
        typer.Option(help="Pairs of elements, as O-O,O-H.", show_default="all pairs"),
    ] = None,
    r_max: Annotated[float, typer.Option(help="Largest distance of g(r) in Å.")] = 6.0,
    bins: Annotated[int, typer.Option(min=2, help="Number of bins of g(r).")] = 120,
    frame_interval: FrameInterval = None,
    max_lag: Annotated[
        float | None,
        typer.Option(help="Longest lag of displacements in ps.", show_default="a quarter"),
    ] = None,
    skip: Annotated[int, typer.Option(min=0, help="First frames to leave out.")] = 0,
    every: Annotated[int, typer.Option(min=1, help="Use every n-th frame.")] = 1,
    output: Annotated[str | None, stem_option("STEM-structure")] = None,
) -> None:
    """Compute g(r) with coordination numbers, and mean square displacements."""
    from ase_les.properties.recorded_run import FinishedTrajectory
    from ase_les.properties.structure_of_trajectory import structure_of_trajectory
    from ase_les.reports import structure as report

    named = stem.with_name(f"{stem.name}.traj")
    path = named if not stem.is_file() and named.is_file() else stem
    output = output or f"{path.with_suffix('')}-structure"
    result = structure_of_trajectory(
        FinishedTrajectory(path, frame_interval),
        pairs=None if pairs is None else [pair.strip() for pair in pairs.split(",")],
        r_max_A=r_max,
        bins=bins,
        max_lag_ps=max_lag,
        skip=skip,
        every=every,
        output=output,
        overwrite=common.overwrite,
    )
    common.finish(report, result, output)
