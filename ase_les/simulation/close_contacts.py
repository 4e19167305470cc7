"""Search for pairs of atoms that are too close to each other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from ase import Atoms

from ase_les.pairs import pairs_within

#: Distance in Å below which two nuclei in a molecule, liquid or solid are an error in the input.
CLOSEST_PAIR_A = 0.4
#: Smallest cutoff in Å that vesin supports.
_SMALLEST_CUTOFF_A = 0.1


class CloseContact(NamedTuple):
    """Two atoms, possibly periodic images, whose distance is below the allowed minimum."""

    first: int
    second: int
    distance_A: float
    allowed_A: float

    def describe(self, atoms: Atoms) -> str:
        """Return a phrase with atoms, elements and distance."""
        i, j = self.first, self.second
        return (
            f"atoms {i} ({atoms.symbols[i]}) and {j} ({atoms.symbols[j]}) are "
            f"{self.distance_A:.3f} Å apart (periodic images included), closer than "
            f"{self.allowed_A:.4g} Å"
        )


def closest_contact(
    atoms: Atoms, allowed_A: float | np.ndarray = CLOSEST_PAIR_A
) -> CloseContact | None:
    """Return the pair whose distance is farthest below the allowed minimum, or None.

    Parameters
    ----------
    allowed_A : float or array, shape (n_elements, n_elements)
        Smallest allowed distance in Å, for all pairs or by atomic numbers.
    """
    kinds = np.unique(atoms.numbers)
    limits = np.asarray(allowed_A, dtype=float)
    cutoff = float(limits if limits.ndim == 0 else limits[np.ix_(kinds, kinds)].max())
    first, second, distance = pairs_within(
        atoms.positions,
        atoms.cell.array,
        atoms.pbc,
        max(cutoff, _SMALLEST_CUTOFF_A),
        full_list=False,
    )
    if limits.ndim == 0:
        allowed = np.full(len(distance), cutoff)
    else:
        allowed = limits[atoms.numbers[first], atoms.numbers[second]]
    violation = allowed - distance
    if not len(violation) or violation.max() <= 0:
        return None
    worst = int(violation.argmax())
    return CloseContact(
        int(first[worst]), int(second[worst]), float(distance[worst]), float(allowed[worst])
    )
