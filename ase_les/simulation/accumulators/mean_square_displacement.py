"""Mean square displacements and diffusion coefficients."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from ase import Atoms, units
from ase.data import chemical_symbols

from ase_les.runs.provenance import plain
from ase_les.simulation.accumulators.state import refuse_other_arguments, refuse_other_atoms
from ase_les.statistics import Estimate

CM2_PER_S = 0.1
"""cm²/s in one Å²/fs."""

GROUPS = 8
"""Parts the atoms of an element are dealt into, for the error bars."""


def finite_size_correction_cm2_per_s(
    *, temperature_K: float, viscosity_mPa_s: float, edge_A: float
) -> float:
    r"""What a periodic cubic cell takes away from the diffusion coefficient of a liquid.

    .. math::
        D_\infty - D(L) = \frac{\xi k_B T}{6 \pi \eta L}, \qquad \xi = 2.837297

    Add it to the coefficient measured in the cell.

    Parameters
    ----------
    temperature_K : float
    viscosity_mPa_s : float
        Shear viscosity :math:`\eta` in mPa s (= cP), of the model rather than of the experiment.
    edge_A : float
        Edge :math:`L` of the cubic cell in Å.

    Raises
    ------
    ValueError
        If an argument is not positive.

    References
    ----------
    .. [1] I.-C. Yeh and G. Hummer, J. Phys. Chem. B 108, 15873 (2004).
    """
    given = {
        "temperature_K": temperature_K,
        "viscosity_mPa_s": viscosity_mPa_s,
        "edge_A": edge_A,
    }
    for name, value in given.items():
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"`{name}` must be positive and finite, got {value}")
    thermal_energy_J = units._k * temperature_K
    per_m2_s = 6 * math.pi * viscosity_mPa_s * 1e-3 * edge_A * 1e-10
    return 2.837297 * thermal_energy_J / per_m2_s * 1e4


@dataclass(frozen=True)
class MeanSquareDisplacementResult:
    """Mean square displacement of each element.

    Attributes
    ----------
    axes : tuple of int
        Cartesian axes the displacement is taken along.
    lag_fs : (n,) array
        Time between the two configurations that are compared.
    displacement_A2 : mapping of str to (groups, n) array
        By element: mean square displacement of every group of its atoms. Groups are of (almost)
        equal size, at most 8, with one atom at least.
    group_sizes : mapping of str to (groups,) array
    n_origins : (n,) array
        Configurations from which each lag was measured.
    """

    axes: tuple[int, ...]
    lag_fs: np.ndarray
    displacement_A2: Mapping[str, np.ndarray]
    group_sizes: Mapping[str, np.ndarray]
    n_origins: np.ndarray

    @property
    def elements(self) -> tuple[str, ...]:
        return tuple(self.displacement_A2)

    def mean_A2(self, element: str) -> np.ndarray:
        """Mean square displacement of an element's atoms, shape (n,), in Å²."""
        return np.average(self.displacement_A2[element], axis=0, weights=self.group_sizes[element])

    def standard_error_A2(self, element: str) -> np.ndarray:
        """Its standard error from the spread between groups of atoms; nan for one atom."""
        return _error_between(self.displacement_A2[element])

    def diffusion_cm2_per_s(
        self, element: str, fit_from_fs: float | None = None, fit_to_fs: float | None = None
    ) -> Estimate:
        r"""Diffusion coefficient :math:`D = \tfrac{1}{2d} \, \mathrm{d}\,\mathrm{MSD}/\mathrm{d}t`.

        The slope is that of a straight line through all lags of the window by least squares; its
        error comes from the slopes of up to eight groups of atoms, which in a liquid move almost
        independently of each other. What all atoms do together it does not show.

        Parameters
        ----------
        element : str
        fit_from_fs, fit_to_fs : float, optional
            Window in fs; by default from a quarter of the largest lag to the largest. It must lie
            beyond the ballistic and caged motion, where the curve is straight.

        Raises
        ------
        ValueError
            If fewer than two measured lags lie in the window.
        """
        measured = self.lag_fs[self.n_origins > 0]
        low = 0.25 * measured[-1] if fit_from_fs is None else fit_from_fs
        high = measured[-1] if fit_to_fs is None else fit_to_fs
        window = (self.lag_fs >= low) & (self.lag_fs <= high) & (self.n_origins > 0)
        if np.count_nonzero(window) < 2:
            raise ValueError(
                f"fewer than two lags between {low:g} and {high:g} fs were measured (up to "
                f"{measured[-1]:g} fs): choose another window, or run longer"
            )
        curves = np.vstack([self.mean_A2(element), self.displacement_A2[element]])[:, window]
        slopes = np.polyfit(self.lag_fs[window], curves.T, 1)[0]
        coefficients = slopes / (2 * len(self.axes)) * CM2_PER_S
        return Estimate(float(coefficients[0]), float(_error_between(coefficients[1:])))

    def summary(self) -> dict[str, object]:
        """Diffusion coefficients over the default window."""
        measured = self.lag_fs[self.n_origins > 0]
        enough = np.count_nonzero(measured >= 0.25 * measured[-1]) >= 2
        return {
            "axes": "".join("xyz"[axis] for axis in self.axes),
            "largest_lag_fs": float(measured[-1]),
            "fitted_from_fs": float(0.25 * measured[-1]),
            "origins": int(self.n_origins[0]),
            "diffusion_cm2_per_s": {
                element: plain(self.diffusion_cm2_per_s(element))
                for element in self.elements
                if enough
            },
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all arrays by name, with units in the names."""
        curves = {f"displacement_{name}_A2": self.displacement_A2[name] for name in self.elements}
        sizes = {f"group_sizes_{name}": self.group_sizes[name] for name in self.elements}
        return {
            "axes": np.array(self.axes),
            "lag_fs": self.lag_fs,
            "n_origins": self.n_origins,
            **curves,
            **sizes,
        }


def _error_between(groups: np.ndarray) -> np.ndarray:
    if len(groups) < 2:
        return np.full(groups.shape[1:], np.nan)
    return groups.std(axis=0, ddof=1) / math.sqrt(len(groups))


class MeanSquareDisplacement:
    r"""Mean square displacement of each element, from many origins of time.

    .. math::
        \mathrm{MSD}(t) = \frac{1}{N} \sum_i
            \left\langle |\mathbf{r}_i(t_0 + t) - \mathbf{r}_i(t_0)|^2 \right\rangle_{t_0}

    Positions are followed from one configuration to the next by the shortest way, so wrapped and
    unwrapped ones serve alike; no atom may move by half a cell in between. The motion of the
    centre of mass is taken out.

    Parameters
    ----------
    frame_interval_fs : float
        Time between configurations, in fs.
    max_lag_fs : float
        Largest time over which displacements are measured, in fs.
    origin_interval_fs : float, optional
        Time between origins, in fs; by default a fiftieth of `max_lag_fs`. Memory and time grow
        with the number of origins that are in use at once, ``max_lag_fs / origin_interval_fs``.
    axes : tuple of int
        Cartesian axes along which displacements count: ``(0, 1)`` for the motion along a surface.

    Raises
    ------
    ValueError
        If an argument is impossible, or later if the atoms change.
    """

    def __init__(
        self,
        frame_interval_fs: float,
        max_lag_fs: float,
        origin_interval_fs: float | None = None,
        axes: tuple[int, ...] = (0, 1, 2),
    ) -> None:
        if not (math.isfinite(frame_interval_fs) and frame_interval_fs > 0):
            raise ValueError(f"`frame_interval_fs` must be positive, got {frame_interval_fs}")
        if not (math.isfinite(max_lag_fs) and max_lag_fs >= frame_interval_fs):
            raise ValueError(
                f"`max_lag_fs` must be at least the interval between configurations, "
                f"{frame_interval_fs}, got {max_lag_fs}"
            )
        if origin_interval_fs is None:
            origin_interval_fs = max(max_lag_fs / 50, frame_interval_fs)
        if not (math.isfinite(origin_interval_fs) and origin_interval_fs > 0):
            raise ValueError(f"`origin_interval_fs` must be positive, got {origin_interval_fs}")
        if not axes or len(set(axes)) != len(axes) or not set(axes) <= {0, 1, 2}:
            raise ValueError(f"`axes` must be different ones out of 0, 1, 2, got {axes}")
        self.frame_interval_fs = float(frame_interval_fs)
        self.axes = tuple(axes)
        self.n_lags = round(max_lag_fs / frame_interval_fs) + 1
        self.origin_stride = max(1, round(origin_interval_fs / frame_interval_fs))
        self._frames = 0
        self._numbers = np.zeros(0, dtype=int)

    def _begin(self, atoms: Atoms) -> None:
        self._numbers = atoms.numbers.copy()
        self._last = atoms.positions.copy()
        self._images = np.zeros((len(atoms), 3))
        self._origins = np.zeros((0, len(atoms), len(self.axes)))
        self._origin_frames = np.zeros(0, dtype=int)
        self._set_groups()
        self._sums = np.zeros((len(self._sizes), self.n_lags))
        self._n_origins = np.zeros(self.n_lags, dtype=int)

    def _set_groups(self) -> None:
        """Deal the atoms of each element into groups, one after another."""
        self._group = np.zeros(len(self._numbers), dtype=int)
        self._groups_of: dict[str, slice] = {}
        n_groups = 0
        for number in np.unique(self._numbers):
            members = np.flatnonzero(self._numbers == number)
            count = min(GROUPS, len(members))
            self._group[members] = n_groups + np.arange(len(members)) % count
            self._groups_of[chemical_symbols[number]] = slice(n_groups, n_groups + count)
            n_groups += count
        self._sizes = np.bincount(self._group)

    def add(self, atoms: Atoms) -> None:
        """Compare one more configuration with the origins before it."""
        if self._frames == 0:
            self._begin(atoms)
        refuse_other_atoms(self._numbers, atoms.numbers)
        positions = self._followed(atoms)
        masses = atoms.get_masses()
        # Not `masses @ positions`: its last digits may depend on where the arrays lie in memory.
        positions -= (masses[:, None] * positions).sum(axis=0) / masses.sum()
        positions = positions[:, self.axes]
        in_use = self._frames - self._origin_frames < self.n_lags
        self._origins = self._origins[in_use]
        self._origin_frames = self._origin_frames[in_use]
        if self._frames % self.origin_stride == 0:
            self._origins = np.concatenate([self._origins, positions[None]])
            self._origin_frames = np.append(self._origin_frames, self._frames)
        squares = ((positions - self._origins) ** 2).sum(axis=2)
        for square, origin in zip(squares, self._origin_frames, strict=True):
            lag = self._frames - origin
            self._sums[:, lag] += np.bincount(self._group, square)
            self._n_origins[lag] += 1
        self._frames += 1

    def _followed(self, atoms: Atoms) -> np.ndarray:
        """Positions without the jumps of atoms that were put back into the cell."""
        periodic = np.flatnonzero(atoms.pbc)
        if len(periodic):
            steps = atoms.positions - self._last
            fractional = steps @ np.linalg.pinv(atoms.cell.array[periodic])
            self._images[:, periodic] -= np.round(fractional)
        self._last = atoms.positions.copy()
        return atoms.positions + self._images @ atoms.cell.array

    def state(self) -> dict[str, np.ndarray]:
        """Everything the next configurations will be added to."""
        state = {"arguments": np.array(repr(self)), "frames": np.array(self._frames)}
        if self._frames > 0:
            state |= {
                "numbers": self._numbers.copy(),
                "last": self._last.copy(),
                "images": self._images.copy(),
                "origins": self._origins.copy(),
                "origin_frames": self._origin_frames.copy(),
                "sums": self._sums.copy(),
                "n_origins": self._n_origins.copy(),
            }
        return state

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state of an accumulator made with the same arguments."""
        refuse_other_arguments(repr(self), state["arguments"])
        self._frames = int(state["frames"])
        if "numbers" in state:
            self._numbers = np.array(state["numbers"])
            self._last = np.array(state["last"])
            self._images = np.array(state["images"])
            self._origins = np.array(state["origins"])
            self._origin_frames = np.array(state["origin_frames"])
            self._sums = np.array(state["sums"])
            self._n_origins = np.array(state["n_origins"])
            self._set_groups()

    def result(self) -> MeanSquareDisplacementResult:
        """The averages so far; lags not reached yet are nan."""
        if self._frames == 0:
            raise ValueError("no configuration was added yet")
        with np.errstate(invalid="ignore"):
            curves = self._sums / self._sizes[:, None] / self._n_origins
        return MeanSquareDisplacementResult(
            axes=self.axes,
            lag_fs=np.arange(self.n_lags) * self.frame_interval_fs,
            displacement_A2={name: curves[groups] for name, groups in self._groups_of.items()},
            group_sizes={name: self._sizes[groups] for name, groups in self._groups_of.items()},
            n_origins=self._n_origins.copy(),
        )

    def __repr__(self) -> str:
        return (
            f"MeanSquareDisplacement(frame_interval_fs={self.frame_interval_fs}, "
            f"lags={self.n_lags}, origin_stride={self.origin_stride}, axes={self.axes})"
        )
