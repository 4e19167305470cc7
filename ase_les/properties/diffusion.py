r"""Self-diffusion from the displacements of particles.

.. math::
    D = \lim_{t\to\infty} \frac{1}{6} \frac{d}{dt} \langle |\mathbf{r}_i(t)-\mathbf{r}_i(0)|^2
        \rangle, \qquad
    D_\infty = D + \frac{\xi k_B T}{6 \pi \eta L}, \quad \xi = 2.837297

where :math:`D` is ``diffusion_cm2_per_s`` in a cubic cell of edge :math:`L = V^{1/3}` and
:math:`D_\infty` the coefficient of the infinite liquid [1]_.

References
----------
.. [1] I.-C. Yeh and G. Hummer, J. Phys. Chem. B 108, 15873 (2004).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from ase_les.properties.correlation import mean_squared_displacement
from ase_les.simulation.accumulators import (
    diffusion_coefficients_cm2_per_s,
    finite_size_correction_cm2_per_s,
)
from ase_les.simulation.accumulators.einstein_relation import FIT_FROM
from ase_les.statistics import Estimate, error_of_mean, fitting_blocks, in_blocks

#: Number of particles that are transformed together, to limit memory.
BATCH = 64
#: Largest deviation of the exponent of displacements from 1.
EXPONENT_TOLERANCE = 0.2
#: Shortest end of the fit in ps and smallest mean squared displacement at it in Å²: below, atoms
#: vibrate in the cage of their neighbors.
SHORTEST_FIT_PS, SMALLEST_MSD_A2 = 2.0, 1.0
#: Longest lag of the default fit, as a fraction of the run.
LONGEST_LAG = 0.25


@dataclass(frozen=True)
class Diffusion:
    """Self-diffusion of one kind of particle.

    Attributes
    ----------
    species : str
    particles : int
    diffusion_cm2_per_s : Estimate
        In the periodic cell.
    infinite_cm2_per_s : Estimate or None
        With the finite-size correction; None without a viscosity.
    lag_ps, msd_A2, msd_error_A2 : array, shape (n,)
        Mean squared displacement.
    fit_ps : (float, float)
        Range of lags of the fit.
    exponent : float
        Slope of ln MSD against ln t in this range: 1 for diffusive motion.
    n_blocks : int
    """

    species: str
    particles: int
    diffusion_cm2_per_s: Estimate
    infinite_cm2_per_s: Estimate | None
    lag_ps: np.ndarray
    msd_A2: np.ndarray
    msd_error_A2: np.ndarray
    fit_ps: tuple[float, float]
    exponent: float
    n_blocks: int

    @property
    def doubts(self) -> tuple[str, ...]:
        """Reasons to doubt the diffusion coefficient; empty if there are none."""
        first, last = self.fit_ps
        found = []
        if not abs(self.exponent - 1) < EXPONENT_TOLERANCE:
            found.append(f"displacements grow as t^{self.exponent:.2f}, which is not diffusive")
        if last < SHORTEST_FIT_PS:
            found.append(f"fit from {first:.2g} to {last:.2g} ps, needed is {SHORTEST_FIT_PS:g} ps")
        if self.msd_A2[-1] < SMALLEST_MSD_A2:
            found.append(
                f"mean squared displacement of {self.msd_A2[-1]:.2g} Å², needed is "
                f"{SMALLEST_MSD_A2:g} Å²"
            )
        return tuple(found)


def unwrapped(
    positions: np.ndarray, cells: np.ndarray, pbc: Sequence[bool] = (True, True, True)
) -> np.ndarray:
    """Return unwrapped positions, shape (n, N, 3).

    Atoms are assumed to move to the nearest image between two frames, which requires that no atom
    moves by half a cell. Positions that are not wrapped do not change.

    Parameters
    ----------
    positions : array, shape (n, N, 3)
    cells : array, shape (n, 3, 3)
    pbc : three bools
    """
    fractional = np.einsum("nia,nab->nib", positions, np.linalg.inv(cells))
    cell_crossings = np.round(np.diff(fractional, axis=0)).cumsum(axis=0)
    cell_crossings *= np.asarray(pbc, dtype=float)
    continuous = np.array(positions, dtype=float)
    continuous[1:] -= np.einsum("nia,nab->nib", cell_crossings, cells[1:])
    return continuous


def diffusion(
    positions_A: np.ndarray,
    timestep_fs: float,
    *,
    species: str = "particles",
    fit_ps: tuple[float, float] | None = None,
    blocks: int = 5,
    temperature_K: float | None = None,
    viscosity_mPa_s: float | None = None,
    volume_A3: float | None = None,
) -> Diffusion:
    """Compute the diffusion coefficient from the slope of the mean squared displacement.

    Parameters
    ----------
    positions_A : array, shape (n, N, 3)
        Unwrapped, without drift of the center of mass.
    timestep_fs : float
        Time between frames.
    species : str
        Name of the particles.
    fit_ps : (float, float), optional
        Range of lags of the fit, by default from one sixteenth to one quarter of the run.
    blocks : int
        Maximum number of blocks for the error, each at least twice as long as the longest lag.
    temperature_K, viscosity_mPa_s, volume_A3 : float, optional
        If all three are given, the finite-size correction of a cubic cell is added.

    Raises
    ------
    ValueError
        If the range of the fit exceeds the run, or the positions have the wrong shape.
    """
    positions = np.asarray(positions_A, dtype=float)
    if positions.ndim != 3 or positions.shape[2] != 3 or positions.shape[1] == 0:
        raise ValueError(f"positions must have the shape (n, N, 3), got {positions.shape}")
    n = len(positions)
    duration_ps = n * timestep_fs * 1e-3
    longest_ps = LONGEST_LAG * duration_ps
    fit_ps = (FIT_FROM * longest_ps, longest_ps) if fit_ps is None else fit_ps
    first, last = (round(each * 1e3 / timestep_fs) for each in fit_ps)
    first = max(first, 1)
    if not last >= first + 2 or last >= n:
        raise ValueError(
            f"cannot fit a slope between {fit_ps[0]:g} and {fit_ps[1]:g} ps in {n} frames of "
            f"{timestep_fs:g} fs ({duration_ps:.3g} ps): use fit_ps within the run, or run longer"
        )
    lag_ps = np.arange(last + 1) * timestep_fs * 1e-3
    whole = _mean_msd(positions, last + 1)
    n_blocks = fitting_blocks(blocks, n, 2 * (last + 1))
    parts = np.array([_mean_msd(part, last + 1) for part in in_blocks(positions, n_blocks)])
    coefficients = diffusion_coefficients_cm2_per_s(
        lag_ps[first:] * 1e3, np.vstack([whole, parts])[:, first:]
    )
    found = Estimate(float(coefficients[0]), float(error_of_mean(coefficients[1:])))
    infinite = None
    if viscosity_mPa_s is not None and temperature_K is not None and volume_A3 is not None:
        correction = finite_size_correction_cm2_per_s(
            temperature_K=temperature_K,
            viscosity_mPa_s=viscosity_mPa_s,
            edge_A=float(np.cbrt(volume_A3)),
        )
        infinite = Estimate(found.mean + correction, found.standard_error)
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithms = np.log(lag_ps[first:]), np.log(whole[first:])
    finite = np.isfinite(logarithms).all()
    return Diffusion(
        species=species,
        particles=positions.shape[1],
        diffusion_cm2_per_s=found,
        infinite_cm2_per_s=infinite,
        lag_ps=lag_ps,
        msd_A2=whole,
        msd_error_A2=error_of_mean(parts),
        fit_ps=(float(lag_ps[first]), float(lag_ps[last])),
        exponent=float(np.polyfit(*logarithms, 1)[0]) if finite else math.nan,
        n_blocks=n_blocks,
    )


def diffusion_of_elements(
    frames: Sequence[Atoms],
    timestep_fs: float,
    *,
    fit_ps: tuple[float, float] | None = None,
    blocks: int = 5,
    temperature_K: float | None = None,
    viscosity_mPa_s: float | None = None,
) -> tuple[Diffusion, ...]:
    """Compute the diffusion of each element relative to the center of mass of all atoms.

    Parameters
    ----------
    frames : sequence of Atoms
        Equally spaced in time; positions may be wrapped.
    timestep_fs : float
        Time between frames.
    fit_ps, blocks, temperature_K, viscosity_mPa_s
        See `diffusion`. The correction needs three periodic directions.
    """
    first = frames[0]
    positions = np.array([atoms.positions for atoms in frames])
    if first.pbc.any():
        # The cell vector of a direction that is not periodic may be zero.
        cells = np.array([atoms.cell.complete().array for atoms in frames])
        positions = unwrapped(positions, cells, first.pbc)
    masses = first.get_masses()
    center = np.einsum("i,nia->na", masses, positions) / masses.sum()
    positions = positions - center[:, None]
    bulk = viscosity_mPa_s is not None and first.pbc.all()
    volume = float(np.mean([atoms.cell.volume for atoms in frames])) if bulk else None
    return tuple(
        diffusion(
            positions[:, first.numbers == number],
            timestep_fs,
            species=chemical_symbols[number],
            fit_ps=fit_ps,
            blocks=blocks,
            temperature_K=temperature_K,
            viscosity_mPa_s=viscosity_mPa_s,
            volume_A3=volume,
        )
        for number in np.unique(first.numbers)
    )


def _mean_msd(positions: np.ndarray, n_lags: int) -> np.ndarray:
    """Return the mean squared displacement averaged over particles, for positions (n, N, 3)."""
    particles = np.moveaxis(positions, 1, 0)
    total = np.zeros(n_lags)
    for start in range(0, len(particles), BATCH):
        total += mean_squared_displacement(particles[start : start + BATCH], n_lags).sum(axis=0)
    return total / len(particles)
