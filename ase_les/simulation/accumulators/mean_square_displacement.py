"""Mean square displacements during a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from ase_les.arguments import require_positive
from ase_les.runs.provenance import plain
from ase_les.simulation.accumulators.einstein_relation import (
    FIT_FROM,
    diffusion_coefficients_cm2_per_s,
)
from ase_les.simulation.states import refuse_other_arguments, refuse_other_atoms
from ase_les.statistics import Estimate, error_of_mean

#: Number of groups into which the atoms of an element are divided for standard errors.
GROUPS = 8


@dataclass(frozen=True)
class MeanSquareDisplacementResult:
    """Mean square displacement of each element.

    Attributes
    ----------
    axes : tuple of int
        Cartesian axes included in the displacements.
    lag_fs : array, shape (n,)
        Time between two configurations.
    displacement_A2 : mapping of str to array, shape (groups, n)
        Mean square displacement of every group of atoms, by element. There are at most 8 groups
        of (almost) equal size.
    group_sizes : mapping of str to array, shape (groups,)
        Number of atoms in each group.
    n_origins : array, shape (n,)
        Number of time origins of each lag.
    """

    axes: tuple[int, ...]
    lag_fs: np.ndarray
    displacement_A2: Mapping[str, np.ndarray]
    group_sizes: Mapping[str, np.ndarray]
    n_origins: np.ndarray

    @property
    def elements(self) -> tuple[str, ...]:
        """Elements, in the order of their atomic numbers."""
        return tuple(self.displacement_A2)

    def mean_A2(self, element: str) -> np.ndarray:
        """Return the mean square displacement of the atoms of an element, shape (n,), in Å²."""
        return np.average(self.displacement_A2[element], axis=0, weights=self.group_sizes[element])

    def standard_error_A2(self, element: str) -> np.ndarray:
        """Return the standard error in Å² from the spread between groups; nan for a single atom."""
        return error_of_mean(self.displacement_A2[element])

    def diffusion_cm2_per_s(
        self, element: str, fit_from_fs: float | None = None, fit_to_fs: float | None = None
    ) -> Estimate:
        """Return the diffusion coefficient of an element.

        The standard error is estimated from the slopes of up to eight groups of atoms, which in a
        liquid move almost independently. It does not include correlated motion of all atoms.

        Parameters
        ----------
        fit_from_fs, fit_to_fs : float, optional
            Range of lags, by default from a quarter of the longest lag to the longest.

        Raises
        ------
        ValueError
            If there are fewer than two lags in this range.
        """
        measured = self.lag_fs[self.n_origins > 0]
        low = FIT_FROM * measured[-1] if fit_from_fs is None else fit_from_fs
        high = measured[-1] if fit_to_fs is None else fit_to_fs
        window = (self.lag_fs >= low) & (self.lag_fs <= high) & (self.n_origins > 0)
        if np.count_nonzero(window) < 2:
            raise ValueError(
                f"there are fewer than two lags between {low:g} and {high:g} fs (lags "
                f"reach {measured[-1]:g} fs): change the range of the fit, or extend the run"
            )
        curves = np.vstack([self.mean_A2(element), self.displacement_A2[element]])[:, window]
        coefficients = diffusion_coefficients_cm2_per_s(
            self.lag_fs[window], curves, directions=len(self.axes)
        )
        return Estimate(float(coefficients[0]), float(error_of_mean(coefficients[1:])))

    def summary(self) -> dict[str, object]:
        """Return the diffusion coefficients over the default range of lags."""
        measured = self.lag_fs[self.n_origins > 0]
        enough = np.count_nonzero(measured >= FIT_FROM * measured[-1]) >= 2
        return {
            "axes": "".join("xyz"[axis] for axis in self.axes),
            "largest_lag_fs": float(measured[-1]),
            "fitted_from_fs": float(FIT_FROM * measured[-1]),
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


class MeanSquareDisplacement:
    r"""Mean square displacement of each element, averaged over many time origins.

    .. math::
        \mathrm{MSD}(t) = \frac{1}{N} \sum_i
            \left\langle |\mathbf{r}_i(t_0 + t) - \mathbf{r}_i(t_0)|^2 \right\rangle_{t_0}

    Positions are unwrapped by the minimum image convention from one configuration to the next, so
    that wrapped and unwrapped positions give the same result; no atom may move by half a cell in
    between. The motion of the center of mass is subtracted.

    Parameters
    ----------
    frame_interval_fs : float
        Time between configurations, in fs.
    max_lag_fs : float
        Longest lag, in fs.
    origin_interval_fs : float, optional
        Time between origins, in fs; by default a fiftieth of `max_lag_fs`. Memory and time are
        proportional to the number of simultaneous origins, ``max_lag_fs / origin_interval_fs``.
    axes : tuple of int
        Cartesian axes included in the displacements: ``(0, 1)`` for motion along a surface.

    Raises
    ------
    ValueError
        If an argument is invalid, or later if the set of atoms changes.
    """

    def __init__(
        self,
        frame_interval_fs: float,
        max_lag_fs: float,
        origin_interval_fs: float | None = None,
        axes: tuple[int, ...] = (0, 1, 2),
    ) -> None:
        require_positive("frame_interval_fs", frame_interval_fs)
        if not (math.isfinite(max_lag_fs) and max_lag_fs >= frame_interval_fs):
            raise ValueError(
                f"`max_lag_fs` must be at least the interval between configurations, "
                f"{frame_interval_fs}, got {max_lag_fs}"
            )
        if origin_interval_fs is None:
            origin_interval_fs = max(max_lag_fs / 50, frame_interval_fs)
        require_positive("origin_interval_fs", origin_interval_fs)
        if not axes or len(set(axes)) != len(axes) or not set(axes) <= {0, 1, 2}:
            raise ValueError(f"`axes` must be different numbers out of 0, 1, 2, got {axes}")
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
        """Divide the atoms of each element into groups, cyclically."""
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
        """Add a configuration: its displacements from all earlier origins."""
        if self._frames == 0:
            self._begin(atoms)
        refuse_other_atoms(self._numbers, atoms.numbers)
        positions = self._unwrapped(atoms)
        masses = atoms.get_masses()
        # `masses @ positions` is avoided: its rounding can depend on memory alignment.
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

    def _unwrapped(self, atoms: Atoms) -> np.ndarray:
        """Return positions without the jumps of wrapped atoms."""
        periodic = np.flatnonzero(atoms.pbc)
        if len(periodic):
            steps = atoms.positions - self._last
            fractional = steps @ np.linalg.pinv(atoms.cell.array[periodic])
            self._images[:, periodic] -= np.round(fractional)
        self._last = atoms.positions.copy()
        return atoms.positions + self._images @ atoms.cell.array

    def state(self) -> dict[str, np.ndarray]:
        """Return the state to store in a checkpoint."""
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
        """Restore the state of an accumulator with the same arguments."""
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

    @property
    def has_result(self) -> bool:
        """Whether a configuration has been added."""
        return self._frames > 0

    def result(self) -> MeanSquareDisplacementResult:
        """Return the averages so far; nan for lags longer than the run."""
        if self._frames == 0:
            raise ValueError("no configuration has been added")
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
