"""Structure and diffusion of a liquid or film from a trajectory.

The same averages can be accumulated during molecular dynamics
(:mod:`ase_les.simulation.accumulators`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from ase import Atoms
from ase.io import iread

from ase_les.reading import split_name
from ase_les.simulation.accumulators import (
    Accumulator,
    AxisProfile,
    AxisProfileResult,
    MeanSquareDisplacement,
    MeanSquareDisplacementResult,
    RadialDistribution,
    RadialDistributionResult,
)


def radial_distribution(
    trajectory: str | Path | Iterable[Atoms],
    pair: tuple[str, str] = ("O", "O"),
    *,
    r_max_A: float = 6.0,
    bins: int = 120,
    volume_A3: float | None = None,
    skip: int = 0,
    every: int = 1,
) -> RadialDistributionResult:
    """Compute the radial distribution function and coordination number of two elements.

    Parameters
    ----------
    trajectory : path or iterable of Atoms
        Any file ASE reads, or frames; frames of a file are read one at a time.
    pair, r_max_A, bins, volume_A3
        See :class:`~ase_les.simulation.accumulators.RadialDistribution`.
    skip : int
        Number of initial frames to exclude (equilibration).
    every : int
        Use every `every`-th frame after these.

    Raises
    ------
    ValueError
        If an argument is invalid, no frame is left, or a frame contains no such pair.
    """
    accumulator = RadialDistribution(pair, r_max_A=r_max_A, bins=bins, volume_A3=volume_A3)
    _accumulate(accumulator, trajectory, skip, every)
    return accumulator.result()


def mean_square_displacement(
    trajectory: str | Path | Iterable[Atoms],
    *,
    frame_interval_fs: float,
    max_lag_fs: float,
    origin_interval_fs: float | None = None,
    axes: tuple[int, ...] = (0, 1, 2),
    skip: int = 0,
    every: int = 1,
) -> MeanSquareDisplacementResult:
    """Compute mean square displacements and diffusion coefficients.

    Parameters
    ----------
    trajectory : path or iterable of Atoms
        Any file ASE reads, or frames; positions may be wrapped.
    frame_interval_fs : float
        Time between the frames of the trajectory, before selection by `every`.
    max_lag_fs, origin_interval_fs, axes
        See :class:`~ase_les.simulation.accumulators.MeanSquareDisplacement`.
    skip : int
        Number of initial frames to exclude (equilibration).
    every : int
        Use every `every`-th frame after these.

    Raises
    ------
    ValueError
        If an argument is invalid, no frame is left, or the atoms change.
    """
    accumulator = MeanSquareDisplacement(
        frame_interval_fs * every, max_lag_fs, origin_interval_fs, axes
    )
    _accumulate(accumulator, trajectory, skip, every)
    return accumulator.result()


def axis_profile(
    trajectory: str | Path | Iterable[Atoms],
    *,
    axis: int = 2,
    bin_A: float = 0.1,
    quantities: Sequence[str] = ("number", "mass"),
    center_on: Sequence[int] | None = None,
    skip: int = 0,
    every: int = 1,
) -> AxisProfileResult:
    """Compute densities and orientation of water along the normal of a film, slab or interface.

    Parameters
    ----------
    trajectory : path or iterable of Atoms
        Any file ASE reads, or frames; charges are those recorded with the frames.
    axis, bin_A, quantities, center_on
        See :class:`~ase_les.simulation.accumulators.AxisProfile`.
    skip : int
        Number of initial frames to exclude (equilibration).
    every : int
        Use every `every`-th frame after these.

    Raises
    ------
    ValueError
        If an argument is invalid, no frame is left, or a frame lacks requested charges.
    """
    accumulator = AxisProfile(axis, bin_A, quantities, center_on)
    _accumulate(accumulator, trajectory, skip, every)
    return accumulator.result()


def check_selection(skip: int, every: int) -> None:
    """Raise ValueError unless ``frames[skip::every]`` selects frames from the first on."""
    if skip < 0 or every < 1:
        raise ValueError(
            f"`skip` must be at least 0 and `every` at least 1, got {skip} and {every}"
        )


def _accumulate(
    accumulator: Accumulator, trajectory: str | Path | Iterable[Atoms], skip: int, every: int
) -> None:
    """Add the selected frames of a trajectory to an accumulator."""
    check_selection(skip, every)
    empty = True
    for atoms in islice(_frames(trajectory), skip, None, every):
        accumulator.add(atoms)
        empty = False
    if empty:
        raise ValueError(f"no frame is left in the trajectory after skipping {skip}")


def _frames(trajectory: str | Path | Iterable[Atoms]) -> Iterator[Atoms]:
    if isinstance(trajectory, str | Path):
        file, chosen = split_name(trajectory)
        index = ":" if chosen is None else chosen
        return iread(file, index=index, do_not_split_by_at_sign=True)
    return iter(trajectory)
