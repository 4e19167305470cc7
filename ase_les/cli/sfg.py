"""``ase-les sfg``: sum-frequency generation at the surface of a film."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ase_les.cli._groups import Common, with_groups
from ase_les.cli._options import RunTemperature, refuse_options, stem_option
from ase_les.cli._values import numbers

_ONLY_TRAJECTORY = (
    *("frame_interval", "skip", "max_lag"),
    *("layers", "surface", "cutoff", "perpendicular"),
)


@with_groups
def sfg(
    context: typer.Context,
    common: Common,
    stem: Annotated[
        Path,
        typer.Argument(
            help="Stem of a run with --observe sfg, or a trajectory file with velocities.",
            metavar="STEM|TRAJECTORY",
        ),
    ],
    frame_interval: Annotated[
        float | None,
        typer.Option(help="Time between frames in fs.", show_default="from the file"),
    ] = None,
    skip: Annotated[
        float, typer.Option(help="Initial time to exclude in ps (trajectories).")
    ] = 0.0,
    max_lag: Annotated[float, typer.Option(help="Longest lag in fs (trajectories).")] = 1000.0,
    layers: Annotated[str, typer.Option(help="Edges between layers in Å (trajectories).")] = "3,6",
    surface: Annotated[
        str,
        typer.Option(
            help="planes: |z| from the middle; instantaneous: depth below the interface of "
            "Willard and Chandler (trajectories)."
        ),
    ] = "instantaneous",
    cutoff: Annotated[
        float,
        typer.Option(
            help="Cutoff of cross-correlations between bonds in Å: 0 none, 1.5 within molecules "
            "(trajectories)."
        ),
    ] = 1.5,
    perpendicular: Annotated[
        float,
        typer.Option(
            help="Polarizability derivative across a bond relative to that along it (trajectories)."
        ),
    ] = 1.0,
    temperature: RunTemperature = None,
    resolution: Annotated[
        float | None,
        typer.Option(help="Resolution in 1/cm.", show_default="finest of the lags"),
    ] = None,
    window: Annotated[str, typer.Option(help="gaussian or hann.")] = "hann",
    quantum_correction: Annotated[str, typer.Option(help="harmonic or none.")] = "harmonic",
    transition_moments: Annotated[
        str, typer.Option(help="constant, or frequency: stronger for red-shifted bonds.")
    ] = "constant",
    blocks: Annotated[int, typer.Option(help="Maximum number of blocks for the error band.")] = 8,
    output: Annotated[str | None, stem_option("STEM-chi")] = None,
) -> None:
    """Compute the second-order susceptibility of a surface of water."""
    from ase_les.properties.recorded_run import FinishedTrajectory, read_frames
    from ase_les.properties.sum_frequency import (
        read_sum_frequency,
        sum_frequency,
        sum_frequency_of_trajectory,
    )
    from ase_les.reports import sum_frequency as report
    from ase_les.runs.output import prepared_output
    from ase_les.simulation.accumulators import SumFrequency
    from ase_les.simulation.surface_layers import SurfaceLayers

    output = output or f"{stem.with_suffix('') if stem.is_file() else stem}-chi"
    if stem.is_file():
        prepared_output(output, common.overwrite)
        frames, interval_fs = read_frames(FinishedTrajectory(stem, frame_interval), skip)
        accumulator = SumFrequency(
            interval_fs,
            max_lag,
            SurfaceLayers(numbers("--layers", layers, example="3,6, edges in Å"), surface),  # type: ignore[arg-type]
            cutoff_A=cutoff,
            perpendicular=perpendicular,
        )
        found = sum_frequency_of_trajectory(frames, accumulator, common.progress)
    else:
        refuse_options(
            context,
            _ONLY_TRAJECTORY,
            "recorded correlations do not use; give the trajectory file instead, or omit",
        )
        found = read_sum_frequency(stem)
    result = sum_frequency(
        found,
        temperature_K=temperature,
        resolution_per_cm=resolution,
        window=window,
        quantum_correction=quantum_correction,
        transition_moments=transition_moments,
        blocks=blocks,
        output=output,
        overwrite=common.overwrite,
    )
    common.finish(report, result, output)
