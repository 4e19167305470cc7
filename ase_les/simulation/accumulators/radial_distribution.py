"""Radial distribution functions and coordination numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from ase_les.arguments import require_integer, require_positive
from ase_les.runs.provenance import plain
from ase_les.simulation.accumulators.pair_counts import PairCounts
from ase_les.simulation.states import packed, refuse_other_arguments, unpacked
from ase_les.statistics import BlockedMean, standard_error


@dataclass(frozen=True)
class RadialExtremum:
    """Maximum or minimum of g(r), from a parabola through the bins around it."""

    distance_A: float
    height: float


@dataclass(frozen=True)
class RadialDistributionResult:
    """Averaged radial distribution function.

    Attributes
    ----------
    pair : tuple of str
        Elements (a, b): b around a.
    distance_A : array, shape (bins,)
        Center of each shell.
    g, g_standard_error : array, shape (bins,)
        Radial distribution function and its standard error from block averages (nan for fewer than
        16 configurations).
    upper_edge_A : array, shape (bins,)
        Outer radius of each shell.
    coordination_number, coordination_standard_error : array, shape (bins,)
        Mean number of b within ``upper_edge_A`` of an a, counted rather than integrated.
    n_configurations : int
    """

    pair: tuple[str, str]
    distance_A: np.ndarray
    g: np.ndarray
    g_standard_error: np.ndarray
    upper_edge_A: np.ndarray
    coordination_number: np.ndarray
    coordination_standard_error: np.ndarray
    n_configurations: int

    @property
    def first_peak(self) -> RadialExtremum | None:
        """First maximum above the noise; None if there is none."""
        peaks = self._peaks()
        if len(peaks) == 0:
            return None
        top = peaks[0]
        return self._parabola(top, self.g > 0.85 * self.g[top])

    @property
    def first_minimum(self) -> RadialExtremum | None:
        """Minimum between the first two maxima; None without two maxima."""
        peaks = self._peaks()
        if len(peaks) < 2:
            return None
        first, second = peaks[:2]
        between = slice(first, second + 1)
        lowest = self.g[between].min()
        # Between the shells of a crystal g is zero: take the center of the gap.
        bottom = first + np.flatnonzero(self.g[between] == lowest)
        if len(bottom) > 1:
            return RadialExtremum(float(self.distance_A[bottom].mean()), float(lowest))
        depth = min(self.g[first], self.g[second]) - lowest
        return self._parabola(int(bottom[0]), self.g < lowest + 0.1 * depth)

    def coordination_within(self, distance_A: float) -> float:
        """Return the mean number of b within a distance of an a, interpolated between shells."""
        edges = np.concatenate([[0.0], self.upper_edge_A])
        if not 0 <= distance_A <= edges[-1]:
            raise ValueError(f"`distance_A` must be between 0 and {edges[-1]:g}, got {distance_A}")
        return float(np.interp(distance_A, edges, [0.0, *self.coordination_number]))

    def _peaks(self) -> np.ndarray:
        """Return the bins of maxima with a prominence of 5 % of the highest and above the noise."""
        # Imported here because it takes 0.3 s, which only runs with distributions need.
        from scipy.signal import find_peaks

        noise = np.nan_to_num(self.g_standard_error)
        # The zero in front allows a peak in the first bin.
        peaks, found = find_peaks(
            np.concatenate([[0.0], self.g]), prominence=max(0.05 * self.g.max(), 1e-12)
        )
        peaks = peaks - 1
        return peaks[found["prominences"] > 4 * noise[peaks]]

    def _parabola(self, center: int, near: np.ndarray) -> RadialExtremum:
        """Return the extremum of a parabola through the bins around `center` that are `near` it."""
        low = high = center
        while low > 0 and near[low - 1]:
            low -= 1
        while high < len(self.g) - 1 and near[high + 1]:
            high += 1
        # Equal numbers of bins on both sides, so that an asymmetric peak does not bias the fit.
        reach = max(1, min(center - low, high - center))
        bins = slice(max(center - reach, 0), center + reach + 1)
        x = self.distance_A[bins] - self.distance_A[center]
        height = float(self.g[center])
        if len(x) < 3:
            return RadialExtremum(float(self.distance_A[center]), height)
        curvature, slope, constant = np.polyfit(x, self.g[bins], 2)
        shift = -slope / (2 * curvature) if curvature else math.inf
        if not x[0] <= shift <= x[-1]:
            return RadialExtremum(float(self.distance_A[center]), height)
        return RadialExtremum(
            float(self.distance_A[center] + shift), float(constant + 0.5 * slope * shift)
        )

    def summary(self) -> dict[str, object]:
        """Return position and height of first maximum and minimum, and the coordination number."""
        peak, minimum = self.first_peak, self.first_minimum
        return {
            "pair": "-".join(self.pair),
            "configurations": self.n_configurations,
            "first_peak": plain(peak),
            "first_minimum": plain(minimum),
            "coordination_number_at_first_minimum": (
                None if minimum is None else self.coordination_within(minimum.distance_A)
            ),
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all arrays by name, with units in the names."""
        return {
            "pair": np.array(self.pair),
            "distance_A": self.distance_A,
            "g": self.g,
            "g_standard_error": self.g_standard_error,
            "upper_edge_A": self.upper_edge_A,
            "coordination_number": self.coordination_number,
            "coordination_standard_error": self.coordination_standard_error,
            "n_configurations": np.array(self.n_configurations),
        }


class RadialDistribution:
    r"""Radial distribution function of two elements, b around a.

    .. math::
        g_{ab}(r) = \left\langle \frac{V}{N_a N_b} \frac{n_{ab}(r)}{v(r)} \right\rangle,
        \qquad v(r) = \tfrac{4}{3} \pi (r_+^3 - r_-^3)

    =================  =========================================================
    Symbol             Meaning
    =================  =========================================================
    :math:`n_{ab}(r)`  pairs (a, b) between :math:`r_-` and :math:`r_+`, including
                       periodic images, also of the atom itself
    :math:`V`          volume of the cell of each configuration, or ``volume_A3``
    =================  =========================================================

    All periodic images are counted: `r_max_A` may exceed half the cell. With this definition, N
    uncorrelated atoms of one element have g = 1 − 1/N.

    Parameters
    ----------
    pair : tuple of str
        Symbols of two elements, equal or not.
    r_max_A : float
        Largest distance, in Å.
    bins : int
        Number of shells.
    volume_A3 : float, optional
        Reference volume of the density in Å³, by default the cell volume including vacuum; needed
        without a cell.

    Raises
    ------
    ValueError
        If an argument is invalid, or later if a configuration has no such pair.
    """

    def __init__(
        self,
        pair: tuple[str, str] = ("O", "O"),
        r_max_A: float = 6.0,
        bins: int = 120,
        volume_A3: float | None = None,
    ) -> None:
        if len(pair) != 2 or not all(symbol in atomic_numbers for symbol in pair):
            raise ValueError(f"`pair` must be the symbols of two elements, got {pair!r}")
        require_positive("r_max_A", r_max_A)
        require_integer("bins", bins, 1)
        if volume_A3 is not None:
            require_positive("volume_A3", volume_A3)
        self.pair = (str(pair[0]), str(pair[1]))
        self.r_max_A = float(r_max_A)
        self.bins = bins
        self.volume_A3 = volume_A3
        self._edges = np.linspace(0.0, self.r_max_A, bins + 1)
        self._shells = 4 / 3 * np.pi * np.diff(self._edges**3)
        self._counts = PairCounts([self.pair], self.r_max_A, bins)
        self._g = BlockedMean((bins,))
        self._neighbors = BlockedMean((bins,))

    @classmethod
    def of_pairs(
        cls, pairs: Sequence[tuple[str, str]], r_max_A: float = 6.0, bins: int = 120, **arguments
    ) -> list[RadialDistribution]:
        """Return distributions that share one search for neighbors.

        Parameters
        ----------
        pairs : sequence of (str, str)
        r_max_A, bins, **arguments
            See the class; common to all.
        """
        each = [cls(pair, r_max_A, bins, **arguments) for pair in pairs]
        shared = PairCounts(pairs, float(r_max_A), bins)
        for distribution in each:
            distribution._counts = shared
        return each

    def add(self, atoms: Atoms) -> None:
        """Add the pairs of a configuration."""
        n_a, n_b = (
            np.count_nonzero(atoms.numbers == atomic_numbers[symbol]) for symbol in self.pair
        )
        if n_a == 0 or n_b == 0:
            raise ValueError(f"no pair {'-'.join(self.pair)} in {atoms.get_chemical_formula()}")
        volume = self.volume_A3 or abs(np.linalg.det(atoms.cell.array))
        if volume == 0:
            raise ValueError(
                f"g(r) needs a density, but the cell {atoms.cell.tolist()} has no volume: give "
                "`volume_A3`, or set the cell"
            )
        pairs = self._counts.of(atoms, self.pair)
        self._g.add(pairs * (volume / (n_a * n_b)) / self._shells)
        self._neighbors.add(pairs / n_a)

    def state(self) -> dict[str, np.ndarray]:
        """Return the state to store in a checkpoint."""
        parts = packed({"g": self._g.state(), "neighbours": self._neighbors.state()})
        return {"arguments": np.array(repr(self)), **parts}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore the state of an accumulator with the same arguments."""
        refuse_other_arguments(repr(self), state["arguments"])
        self._g.restore(unpacked(state, "g"))
        self._neighbors.restore(unpacked(state, "neighbours"))

    @property
    def has_result(self) -> bool:
        """Whether a configuration has been added."""
        return self._g.n_samples > 0

    def result(self) -> RadialDistributionResult:
        """Return the averages so far."""
        if self._g.n_samples == 0:
            raise ValueError("no configuration has been added")
        return RadialDistributionResult(
            pair=self.pair,
            distance_A=0.5 * (self._edges[1:] + self._edges[:-1]),
            g=self._g.mean,
            g_standard_error=standard_error(self._g.blocks),
            upper_edge_A=self._edges[1:].copy(),
            coordination_number=np.cumsum(self._neighbors.mean),
            coordination_standard_error=standard_error(np.cumsum(self._neighbors.blocks, axis=1)),
            n_configurations=self._g.n_samples,
        )

    def __repr__(self) -> str:
        return (
            f"RadialDistribution(pair={self.pair}, r_max_A={self.r_max_A}, bins={self.bins}, "
            f"volume_A3={self.volume_A3})"
        )
