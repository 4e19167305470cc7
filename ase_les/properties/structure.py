"""Structure and diffusion of a liquid or film, from the trajectory of a run.

The averages are those that dynamics can take while it runs
(:mod:`ase_les.simulation.accumulators`); here they look at the frames of a trajectory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from ase import Atoms
from ase.io import iread

from ase_les.simulation.accumulators import (
    Accumulator,
    AccumulatorResult,
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
    """Radial distribution function and coordination number of two elements.

    Parameters
    ----------
    trajectory : path or iterable of Atoms
        Any file ASE reads, or its frames. They are read one by one.
    pair, r_max_A, bins, volume_A3
        See :class:`~ase_les.simulation.accumulators.RadialDistribution`.
    skip : int
        Frames at the start to leave out: the equilibration.
    every : int
        Take every so-manieth frame after these.

    Raises
    ------
    ValueError
        If arguments are impossible, no frame is left, or a frame has none of the atoms.
    """
    accumulator = RadialDistribution(pair, r_max_A=r_max_A, bins=bins, volume_A3=volume_A3)
    return _averaged(accumulator, trajectory, skip, every)


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
    """Mean square displacements, and from them diffusion coefficients.

    Parameters
    ----------
    trajectory : path or iterable of Atoms
        Any file ASE reads, or its frames, wrapped into the cell or not.
    frame_interval_fs : float
        Time between the frames of the trajectory, before `every` thins them out.
    max_lag_fs, origin_interval_fs, axes
        See :class:`~ase_les.simulation.accumulators.MeanSquareDisplacement`.
    skip : int
        Frames at the start to leave out: the equilibration.
    every : int
        Take every so-manieth frame after these.

    Raises
    ------
    ValueError
        If arguments are impossible, no frame is left, or the atoms change.
    """
    accumulator = MeanSquareDisplacement(
        frame_interval_fs * every, max_lag_fs, origin_interval_fs, axes
    )
    return _averaged(accumulator, trajectory, skip, every)


def axis_profile(
    trajectory: str | Path | Iterable[Atoms],
    *,
    axis: int = 2,
    bin_A: float = 0.1,
    quantities: Sequence[str] = ("number", "mass"),
    centre_on: Sequence[int] | None = None,
    skip: int = 0,
    every: int = 1,
) -> AxisProfileResult:
    """Densities and orientation of water along the normal of a film, slab or interface.

    Parameters
    ----------
    trajectory : path or iterable of Atoms
        Any file ASE reads, or its frames; charges are taken from what is stored with them.
    axis, bin_A, quantities, centre_on
        See :class:`~ase_les.simulation.accumulators.AxisProfile`.
    skip : int
        Frames at the start to leave out: the equilibration.
    every : int
        Take every so-manieth frame after these.

    Raises
    ------
    ValueError
        If arguments are impossible, no frame is left, or a frame lacks charges asked for.
    """
    accumulator = AxisProfile(axis, bin_A, quantities, centre_on)
    return _averaged(accumulator, trajectory, skip, every)


def _averaged(
    accumulator: Accumulator, trajectory: str | Path | Iterable[Atoms], skip: int, every: int
) -> AccumulatorResult:
    if skip < 0 or every < 1:
        raise ValueError(
            f"`skip` must be at least 0 and `every` at least 1, got {skip} and {every}"
        )
    empty = True
    for atoms in islice(_frames(trajectory), skip, None, every):
        accumulator.add(atoms)
        empty = False
    if empty:
        raise ValueError(f"no frame is left in the trajectory after skipping {skip}")
    return accumulator.result()


def _frames(trajectory: str | Path | Iterable[Atoms]) -> Iterator[Atoms]:
    if isinstance(trajectory, str | Path):
        return iread(trajectory, index=":")
    return iter(trajectory)
