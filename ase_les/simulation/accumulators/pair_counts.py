"""Pair counts by distance for several pairs of elements, from one neighbor search."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from ase_les.pairs import pairs_within


class PairCounts:
    """Counts ordered pairs (a, b) of atoms in spherical shells, periodic images included.

    The counts of the last configuration are kept, so that several radial distributions that share
    this object search for neighbors once.

    Parameters
    ----------
    pairs : sequence of (str, str)
        Pairs of elements.
    r_max_A : float
        Outer radius of the last shell, in Å.
    bins : int
        Number of shells, equally thick.
    """

    def __init__(self, pairs: Sequence[tuple[str, str]], r_max_A: float, bins: int) -> None:
        self._numbers = sorted({atomic_numbers[symbol] for pair in pairs for symbol in pair})
        self._r_max_A, self._bins = r_max_A, bins
        self._edges = np.linspace(0.0, r_max_A, bins + 1)
        self._last: tuple[np.ndarray, ...] | None = None
        self._counts: dict[tuple[int, int], np.ndarray] = {}

    def of(self, atoms: Atoms, pair: tuple[str, str]) -> np.ndarray:
        """Return the number (bins,) of ordered pairs (a, b) in every shell.

        For a pair of equal elements, every two atoms are counted in both orders.
        """
        key = (atoms.positions, atoms.cell.array, atoms.pbc, atoms.numbers)
        if self._last is None or not all(map(np.array_equal, key, self._last)):
            self._counts = self._counted(atoms)
            self._last = tuple(map(np.copy, key))
        low, high = sorted(atomic_numbers[symbol] for symbol in pair)
        return self._counts[low, high] * (2.0 if low == high else 1.0)

    def _counted(self, atoms: Atoms) -> dict[tuple[int, int], np.ndarray]:
        """Return the numbers of unordered pairs by elements in ascending order."""
        chosen = np.flatnonzero(np.isin(atoms.numbers, self._numbers))
        first, second, distance = pairs_within(
            atoms.positions[chosen], atoms.cell.array, atoms.pbc, self._r_max_A, full_list=False
        )
        kinds = np.searchsorted(self._numbers, atoms.numbers[chosen])
        n = len(self._numbers)
        code = (kinds * n)[first] + kinds[second]
        shells = np.bincount(
            code * self._bins + self._shell_of(distance), minlength=n * n * self._bins
        ).reshape(n, n, self._bins)
        return {
            (self._numbers[i], self._numbers[j]): shells[i, j] + (i != j) * shells[j, i]
            for i, j in combinations_with_replacement(range(n), 2)
        }

    def _shell_of(self, distance: np.ndarray) -> np.ndarray:
        """Return the shells of distances; lower edges are included, and the last upper edge."""
        shell = (distance * (self._bins / self._r_max_A)).astype(np.int64)
        np.minimum(shell, self._bins - 1, out=shell)
        # The product is rounded: a distance next to an edge may be one shell off.
        shell -= distance < self._edges[shell]
        shell += (distance >= self._edges[shell + 1]) & (shell < self._bins - 1)
        return shell
