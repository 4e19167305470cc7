"""Radial distributions and displacements of a finished trajectory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from pathlib import Path

from ase_les.properties.recorded_run import (
    FinishedTrajectory,
    UnknownIntervalError,
    joined_legs_notes,
    read_frames,
)
from ase_les.properties.structure import check_selection, mean_square_displacement
from ase_les.runs.output import OutputFiles, write_arrays, write_summary
from ase_les.simulation.accumulators import (
    MeanSquareDisplacementResult,
    RadialDistribution,
    RadialDistributionResult,
)

#: Longest lag of displacements relative to the trajectory.
LONGEST_LAG = 0.25


@dataclass(frozen=True)
class StructureResult:
    """Structure of a liquid or solid, averaged over a trajectory.

    Attributes
    ----------
    path : Path
    radial_distributions : mapping of str to RadialDistributionResult
        By pair, such as "O-H".
    displacement : MeanSquareDisplacementResult or None
        None if the time between frames is unknown, or there are fewer than eight frames.
    frames : int
        Number of frames that were used.
    notes : tuple of str
    """

    path: Path
    radial_distributions: Mapping[str, RadialDistributionResult]
    displacement: MeanSquareDisplacementResult | None
    frames: int
    notes: tuple[str, ...]

    def summary(self) -> dict[str, object]:
        """Return the result as plain containers for YAML and JSON."""
        return {
            "task": "structure",
            "input": {"trajectory": str(self.path), "frames": self.frames},
            "notes": list(self.notes),
            "radial_distributions": {
                name: each.summary() for name, each in self.radial_distributions.items()
            },
            "displacement": None if self.displacement is None else self.displacement.summary(),
        }


def structure_of_trajectory(
    trajectory: FinishedTrajectory,
    *,
    pairs: Sequence[str] | None = None,
    r_max_A: float = 6.0,
    bins: int = 120,
    max_lag_ps: float | None = None,
    skip: int = 0,
    every: int = 1,
    output: str | Path | None = None,
    overwrite: bool = False,
) -> StructureResult:
    """Compute g(r) with coordination numbers, and mean square displacements.

    Parameters
    ----------
    pairs : sequence of str, optional
        Pairs of elements such as "O-H"; by default all.
    r_max_A, bins
        See :class:`~ase_les.simulation.accumulators.RadialDistribution`.
    max_lag_ps : float, optional
        Longest lag of displacements, by default a quarter of the trajectory.
    skip, every : int
        Omit the first frames, and use every `every`-th after them.
    output : str or Path, optional
        Stem of ``<output>-summary.yml``, ``<output>-rdf-<pair>.npz`` and ``<output>-msd.npz``.
    overwrite : bool
        Replace earlier files of that name.
    """
    check_selection(skip, every)
    notes = []
    try:
        frames, interval_fs = read_frames(trajectory)
    except UnknownIntervalError:
        frames, _ = read_frames(FinishedTrajectory(trajectory.path, 1.0))
        interval_fs = 0.0
        notes.append("no displacements: the time between frames is unknown; give it in fs")
    frames = frames[skip::every]
    if len(frames) < 2:
        raise ValueError(f"{trajectory.path}: {len(frames)} frames are left after skipping {skip}")
    elements = sorted(set(frames[0].symbols))
    names = pairs or ["-".join(pair) for pair in combinations_with_replacement(elements, 2)]
    for name in names:
        one, _, other = name.partition("-")
        if one not in elements or other not in elements:
            raise ValueError(
                f"`pairs` must consist of elements of the structure ({', '.join(elements)}), such "
                f"as O-H; got {name!r}"
            )
    files = None if output is None else OutputFiles(Path(output))
    if files is not None:
        files.prepare([files.summary], overwrite)
    split = [(name.partition("-")[0], name.partition("-")[2]) for name in names]
    accumulators = RadialDistribution.of_pairs(split, r_max_A=r_max_A, bins=bins)
    for atoms in frames:
        for accumulator in accumulators:
            accumulator.add(atoms)
    displacement = None
    if interval_fs and len(frames) >= 8:
        interval = interval_fs * every
        longest = LONGEST_LAG * len(frames) * interval if max_lag_ps is None else 1e3 * max_lag_ps
        displacement = mean_square_displacement(
            frames, frame_interval_fs=interval, max_lag_fs=max(longest, interval)
        )
    result = StructureResult(
        path=trajectory.path,
        radial_distributions={
            name: each.result() for name, each in zip(names, accumulators, strict=True)
        },
        displacement=displacement,
        frames=len(frames),
        notes=(*notes, *joined_legs_notes(frames)),
    )
    if files is not None:
        for name, each in result.radial_distributions.items():
            write_arrays(files.named(f"-rdf-{name}.npz"), each.arrays())
        if displacement is not None:
            write_arrays(files.named("-msd.npz"), displacement.arrays())
        write_summary(files.summary, result.summary())
    return result
