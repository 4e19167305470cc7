"""Symmetry operations of a crystal acting on tensors of its atoms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from ase import Atoms


class Operation(NamedTuple):
    """A symmetry: `rotation` (3, 3) of Cartesian columns, `image` (N,) where each atom goes."""

    rotation: np.ndarray
    image: np.ndarray


def identity(n_atoms: int) -> Operation:
    """The operation that every structure has."""
    return Operation(np.eye(3), np.arange(n_atoms))


def symmetry_operations(atoms: Atoms, tolerance_A: float) -> list[Operation]:
    """Operations that bring the crystal to itself within `tolerance_A`, as spglib finds them.

    Raises
    ------
    ValueError
        If spglib finds none at all.
    ModuleNotFoundError
        If spglib is not installed.
    """
    try:
        import spglib
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "crystal symmetry needs spglib: pip install 'ase_les[phonons]'"
        ) from None

    cell = atoms.cell.array
    fractional = atoms.get_scaled_positions(wrap=False)
    found = spglib.get_symmetry((cell, fractional, atoms.numbers), symprec=tolerance_A)
    if found is None:
        raise ValueError(
            f"spglib finds no symmetry within {tolerance_A} Å; use another `symmetry_tolerance_A`"
        )
    operations = []
    for rotation, translation in zip(found["rotations"], found["translations"], strict=True):
        moved = fractional @ rotation.T + translation
        apart = moved[:, None] - fractional[None]
        apart -= np.round(apart)
        distance = np.linalg.norm(apart @ cell, axis=2)
        distance[atoms.numbers[:, None] != atoms.numbers[None]] = np.inf
        # Columns of Cartesian vectors turn with R, rows of fractional ones with W transposed.
        cartesian = cell.T @ rotation @ np.linalg.inv(cell.T)
        operations.append(Operation(cartesian, distance.argmin(axis=1)))
    return operations


def inequivalent_atoms(operations: Sequence[Operation], n_atoms: int) -> list[int]:
    """The first atom of every set that symmetry turns into each other."""
    return sorted({int(min(o.image[i] for o in operations)) for i in range(n_atoms)})


def spread(
    tensors: Mapping[int, np.ndarray], operations: Sequence[Operation], n_atoms: int
) -> np.ndarray:
    """Tensors (N, 3, 3) of all atoms from those of some, averaged over all ways to each atom."""
    total, count = np.zeros((n_atoms, 3, 3)), np.zeros(n_atoms)
    for rotation, image in operations:
        for index, tensor in tensors.items():
            total[image[index]] += rotation @ tensor @ rotation.T
            count[image[index]] += 1
    return total / count[:, None, None]
