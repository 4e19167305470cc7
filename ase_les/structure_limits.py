"""Limits on the extent and the cell of structures, checked before a neighbor search."""

from __future__ import annotations

import numpy as np
from ase import Atoms

#: Largest coordinate of an atom in Å: 0.1 mm.
FARTHEST_A = 1e6
#: Longest periodic lattice vector, and thinnest periodic cell, in Å: an atom and its own image are
#: never that close.
LONGEST_VECTOR_A, THINNEST_CELL_A = 1e4, 0.4


def check_extent(atoms: Atoms) -> None:
    """Raise an error if coordinates or cell are not finite or unreasonably large.

    Raises
    ------
    ValueError
        With the atom or the lattice vector in question.
    """
    positions, cell = atoms.positions, atoms.cell.array
    finite = np.isfinite(positions).all(axis=1)
    if not finite.all():
        first = int(np.flatnonzero(~finite)[0])
        raise ValueError(
            f"positions must be finite; atom {first} ({atoms.symbols[first]}) is at "
            f"{positions[first].tolist()}"
        )
    if not np.isfinite(cell).all():
        raise ValueError(f"the cell must be finite, got {cell.tolist()}")
    far = np.abs(positions).max(axis=1, initial=0.0) > FARTHEST_A
    if far.any():
        first = int(np.flatnonzero(far)[0])
        raise ValueError(
            f"atom {first} ({atoms.symbols[first]}) is at {positions[first].tolist()} Å, farther "
            f"out than {FARTHEST_A:g} Å: check the units, and whether atoms have left the box"
        )
    periodic = cell[atoms.pbc]
    if not len(periodic):
        return
    lengths = np.linalg.norm(periodic, axis=1)
    if lengths.max() > LONGEST_VECTOR_A:
        raise ValueError(
            f"periodic lattice vectors are at most {LONGEST_VECTOR_A:g} Å long, got "
            f"{lengths.tolist()}: check the units, or set pbc to False"
        )
    if np.linalg.matrix_rank(periodic, tol=1e-6 * lengths.max()) < len(periodic):
        # Reported by the check of boundary conditions.
        return
    heights = 1 / np.linalg.norm(np.linalg.pinv(periodic), axis=0)
    if heights.min() < THINNEST_CELL_A:
        raise ValueError(
            f"the periodic cell is {heights.min():.3g} Å thick, so that atoms lie on their own "
            f"images; at least {THINNEST_CELL_A} Å are needed: check the cell and its units"
        )
