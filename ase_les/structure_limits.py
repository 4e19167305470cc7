"""Limits on the extent and the cell of structures, checked before a neighbor search."""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np
from ase import Atoms

#: Largest coordinate of an atom in Å: 0.1 mm.
FARTHEST_A = 1e6
#: Longest periodic lattice vector, and thinnest periodic cell, in Å: an atom and its own image are
#: never that close.
LONGEST_VECTOR_A, THINNEST_CELL_A = 1e4, 0.4
# Above this number of cells, vesin makes cells larger at a fixed ratio of their numbers, which
# leaves none across flat or thin structures; 0.6.2 then divides by zero.
_MOST_CELLS = 1e5


def check_extent(atoms: Atoms) -> None:
    """Raise an error if coordinates or cell are not finite or unreasonably large."""
    check_positions(atoms)
    check_cell(atoms.cell.array, atoms.pbc)


def check_positions(atoms: Atoms) -> None:
    """Raise an error if coordinates are not finite or unreasonably large."""
    # One pass; also false if coordinates are not finite.
    if np.abs(atoms.positions).max(initial=0.0) <= FARTHEST_A:
        return
    finite = np.isfinite(atoms.positions).all(axis=1)
    if not finite.all():
        first = int(np.flatnonzero(~finite)[0])
        raise ValueError(
            f"positions must be finite; atom {first} ({atoms.symbols[first]}) is at "
            f"{atoms.positions[first].tolist()}"
        )
    first = int(np.flatnonzero(np.abs(atoms.positions).max(axis=1) > FARTHEST_A)[0])
    raise ValueError(
        f"atom {first} ({atoms.symbols[first]}) is at {atoms.positions[first].tolist()} Å, farther "
        f"out than {FARTHEST_A:g} Å: check the units, and whether atoms have left the box"
    )


def check_cell(cell: np.ndarray, pbc: np.ndarray, independent: bool = False) -> None:
    """Raise an error if a cell is not finite or unreasonably large or thin.

    Cells that were accepted are remembered.

    Parameters
    ----------
    cell : array, shape (3, 3)
        In Å.
    pbc : array, shape (3,)
    independent : bool
        Whether periodic directions must have independent lattice vectors.
    """
    _accept_cell(cell.tobytes(), pbc.tobytes(), independent)


@lru_cache(maxsize=16)
def _accept_cell(cell_bytes: bytes, pbc_bytes: bytes, independent: bool) -> None:
    cell = np.frombuffer(cell_bytes).reshape(3, 3)
    pbc = np.frombuffer(pbc_bytes, bool)
    if not np.isfinite(cell).all():
        raise ValueError(f"the cell must be finite, got {cell.tolist()}")
    periodic = cell[pbc]
    if not len(periodic):
        return
    lengths = np.linalg.norm(periodic, axis=1)
    if lengths.max() > LONGEST_VECTOR_A:
        raise ValueError(
            f"periodic lattice vectors are at most {LONGEST_VECTOR_A:g} Å long, got "
            f"{lengths.tolist()}: check the units, or set pbc to False"
        )
    if np.linalg.matrix_rank(periodic, tol=1e-6 * lengths.max()) < len(periodic):
        if independent:
            raise ValueError(
                f"periodic directions need independent lattice vectors; pbc is {pbc.tolist()} and "
                f"the cell {cell.tolist()}. Set atoms.cell, or atoms.pbc = False for a molecule"
            )
        return
    heights = 1 / np.linalg.norm(np.linalg.pinv(periodic), axis=0)
    if heights.min() < THINNEST_CELL_A:
        raise ValueError(
            f"the periodic cell is {heights.min():.3g} Å thick, so that atoms lie on their own "
            f"images; at least {THINNEST_CELL_A} Å are needed: check the cell and its units"
        )


def search_cutoff(positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, cutoff: float) -> float:
    """Return the cutoff in Å with which vesin can search for the neighbors within a cutoff.

    It is larger than `cutoff` for structures that are much flatter or thinner than wide; longer
    pairs are then to be left out.

    Parameters
    ----------
    positions : array, shape (N, 3)
        In Å.
    cell : array, shape (3, 3)
    pbc : array, shape (3,)
    cutoff : float
        In Å.
    """
    sizes = np.array(list(product(*_lengths(positions, cell, pbc))))
    while not all(_has_cells(np.maximum(size / cutoff, 1)) for size in sizes):
        cutoff *= 1.1
    return cutoff


def _lengths(positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> list[tuple[float, ...]]:
    """Return the lengths (Å) that vesin divides into search cells; two bounds if unknown."""
    periodic = np.asarray(pbc, dtype=bool)
    if not len(positions):
        return [(0.0,)] * 3
    if not periodic.any():
        return [(float(span),) for span in np.ptp(positions, axis=0)]
    inverse = np.linalg.pinv(cell[periodic])
    heights = 1 / np.linalg.norm(inverse, axis=0)
    if periodic.all():
        return [(float(height),) for height in heights]
    across = positions - positions @ inverse @ cell[periodic]
    extent = float(np.linalg.norm(np.ptp(across, axis=0)))
    lengths: list[tuple[float, ...]] = [(0.0, extent) if periodic.sum() == 1 else (extent,)] * 3
    for axis, height in zip(np.flatnonzero(periodic), heights, strict=True):
        lengths[axis] = (float(height),)
    return lengths


def _has_cells(numbers: np.ndarray) -> bool:
    """Return whether there is at least one cell in each direction, with a margin of one half."""
    if numbers.prod() <= 0.5 * _MOST_CELLS:
        return True
    first, second = numbers[0] / numbers[1], numbers[1] / numbers[2]
    last = np.cbrt(_MOST_CELLS / (first * second**2))
    return bool(min(last, second * last, first * second * last) >= 1.5)
