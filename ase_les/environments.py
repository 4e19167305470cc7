r"""Descriptors of the atomic environments in training data, and distances from them.

The environment of an atom is described by two smooth coordination numbers for every element
:math:`B` of the model, one for all neighbors and one for close ones,

.. math::
    n_{B,p} = \sum_{j \in B} \left(1 - r_{ij}^2 / r_c^2\right)^p, \qquad p = 2, 8.

For every element of the center, the card of a model has their mean :math:`\mu`, the inverse
Cholesky factor :math:`W` of their covariance, and the largest distance :math:`d = |W (n - \mu)| /
\sqrt{2 n_\mathrm{elements}}` in the training data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from ase.data import atomic_numbers, chemical_symbols

#: Powers p, one for each coordination number of an element.
POWERS = (2, 8)
#: Added to the standard deviation of coordination numbers, relative to 1 + mean.
SPREAD = 0.02
DIGITS = 4
#: Edges per block, with about ten numbers in memory for each.
BLOCK = 2**16


class Edges(NamedTuple):
    """Neighbors of atoms.

    Parameters
    ----------
    numbers : array, shape (N,)
        Atomic numbers.
    receivers, senders : array, shape (E,)
        Atom indices of each edge; both directions are included.
    lengths : array, shape (E,)
        Lengths in Å.
    """

    numbers: np.ndarray
    receivers: np.ndarray
    senders: np.ndarray
    lengths: np.ndarray

    def blocks(self) -> Iterator[Edges]:
        """Yield the edges in blocks, without empty ones."""
        for start in range(0, len(self.lengths), BLOCK):
            own = slice(start, start + BLOCK)
            yield Edges(self.numbers, self.receivers[own], self.senders[own], self.lengths[own])


@dataclass(frozen=True)
class Environments:
    """Summary of the environments of training data.

    Parameters
    ----------
    elements : tuple of int
        Atomic numbers, ascending.
    means : array, shape (n_elements, 2 n_elements)
    factors : array, shape (n_elements, 2 n_elements, 2 n_elements)
        Inverse Cholesky factors of the covariances.
    largest : array, shape (n_elements,)
        Largest distance in the training data.
    """

    elements: tuple[int, ...]
    cutoff_A: float
    means: np.ndarray
    factors: np.ndarray
    largest: np.ndarray

    def distances(self, edges: Edges) -> np.ndarray:
        """Return the distance of every atom relative to the largest in the training data, (N,).

        Atoms of elements without training data have distance 0.
        """
        features = coordination_numbers(edges, self.elements, self.cutoff_A)
        relative = np.zeros(len(edges.numbers))
        for k, number in enumerate(self.elements):
            own = np.flatnonzero(edges.numbers == number)
            if len(own) and self.largest[k] > 0:
                scaled = (features[own] - self.means[k]) @ self.factors[k].T
                distances = np.linalg.norm(scaled, axis=1) / np.sqrt(features.shape[1])
                relative[own] = distances / self.largest[k]
        return relative

    def entry(self) -> dict[str, Any]:
        """Return the card entry as plain values."""
        lower = np.tril_indices(len(self.factors[0]))
        return {
            "cutoff_A": self.cutoff_A,
            "elements": {
                chemical_symbols[number]: {
                    "mean": _rounded(self.means[k]),
                    "factor": _rounded(self.factors[k][lower]),
                    "largest": _rounded(self.largest[k]),
                }
                for k, number in enumerate(self.elements)
            },
        }

    @classmethod
    def of_entry(cls, entry: object) -> Environments | None:
        """Return the summary from a card entry; None if it is missing or damaged."""
        if not isinstance(entry, Mapping):
            return None
        try:
            parts = {atomic_numbers[symbol]: part for symbol, part in entry["elements"].items()}
            elements = tuple(sorted(parts))
            size = len(POWERS) * len(elements)
            factors = np.zeros((len(elements), size, size))
            lower = np.tril_indices(size)
            for factor, number in zip(factors, elements, strict=True):
                factor[lower] = np.asarray(parts[number]["factor"], dtype=float)
            means = np.array([parts[number]["mean"] for number in elements], dtype=float)
            largest = np.array([parts[number]["largest"] for number in elements], dtype=float)
            cutoff = float(entry["cutoff_A"])
        except (KeyError, TypeError, ValueError, AttributeError):
            return None
        valid = means.shape == factors.shape[:2] and largest.shape == (len(elements),)
        return cls(elements, cutoff, means, factors, largest) if valid and cutoff > 0 else None


def coordination_numbers(edges: Edges, elements: Sequence[int], cutoff_A: float) -> np.ndarray:
    """Return the smooth coordination numbers of every atom, shape (N, 2 n_elements).

    Parameters
    ----------
    elements : sequence of int
        Atomic numbers, ascending; other elements are ignored.
    cutoff_A : float
        Longer edges are ignored.
    """
    n_elements = len(elements)
    species = np.full(len(chemical_symbols), -1)
    species[list(elements)] = np.arange(n_elements)
    of_atoms = species[edges.numbers]
    found = np.zeros((len(edges.numbers), len(POWERS), n_elements))
    for part in edges.blocks():
        neighbor = of_atoms[part.senders]
        weight = np.clip(1.0 - (part.lengths / cutoff_A) ** 2, 0.0, None) * (neighbor >= 0)
        squares = weight * weight
        # Receivers ascend in graphs: a block has a small range of them.
        first, last = part.receivers.min(), part.receivers.max() + 1
        place = np.maximum((part.receivers - first) * n_elements + neighbor, 0)
        for k, powers in enumerate((squares, (squares * squares) ** 2)):
            sums = np.bincount(place, powers, minlength=(last - first) * n_elements)
            found[first:last, k] += sums.reshape(-1, n_elements)
    return found.reshape(len(found), -1)


def summarize(structures: Iterable[Edges], cutoff_A: float) -> Environments | None:
    """Return a summary of the environments in training structures; None without structures."""
    kept = list(structures)
    if not kept:
        return None
    numbers = np.concatenate([each.numbers for each in kept])
    elements = tuple(np.unique(numbers).tolist())
    features = np.concatenate([coordination_numbers(each, elements, cutoff_A) for each in kept])
    size = features.shape[1]
    means, factors, largest = [], [], []
    for number in elements:
        own = features[numbers == number]
        mean = own.mean(axis=0)
        covariance = (own - mean).T @ (own - mean) / len(own)
        covariance += np.diag((SPREAD * (1 + mean)) ** 2)
        factor = np.linalg.inv(np.linalg.cholesky(covariance))
        means.append(mean)
        factors.append(factor)
        largest.append(np.linalg.norm((own - mean) @ factor.T, axis=1).max() / np.sqrt(size))
    return Environments(elements, cutoff_A, np.array(means), np.array(factors), np.array(largest))


def closest_contacts(structures: Iterable[Edges]) -> dict[tuple[int, int], float]:
    """Return the shortest distance in Å of every pair of elements that are neighbors.

    Returns
    -------
    dict
        By atomic numbers, the smaller first.
    """
    closest: dict[tuple[int, int], float] = {}
    for edges in structures:
        one, other = edges.numbers[edges.receivers], edges.numbers[edges.senders]
        pairs = np.minimum(one, other) * 1000 + np.maximum(one, other)
        for pair in np.unique(pairs).tolist():
            shortest = float(edges.lengths[pairs == pair].min())
            key = (pair // 1000, pair % 1000)
            closest[key] = min(shortest, closest.get(key, np.inf))
    return closest


def _rounded(values: Any) -> Any:
    """Return values with a few significant digits, as plain lists or numbers."""
    array = np.asarray(values, dtype=float)
    flat = [float(f"{each:.{DIGITS}g}") for each in np.ravel(array)]
    return flat if array.ndim else flat[0]
