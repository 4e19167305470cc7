"""Symmetry operations of crystals and slabs acting on tensors of their atoms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from ase import Atoms

from ase_les.properties.layers import heights_A, unit_normal

# Between a slab and its image in the box that spglib sees. Wider than any gap inside a slab, or a
# shift along the normal might pass for a symmetry.
_VACUUM_A = 30.0


class Operation(NamedTuple):
    """A symmetry: `rotation` (3, 3) of Cartesian columns, `image` (N,) where each atom goes."""

    rotation: np.ndarray
    image: np.ndarray


def identity(n_atoms: int) -> Operation:
    """The operation that every structure has."""
    return Operation(np.eye(3), np.arange(n_atoms))


def symmetry_operations(atoms: Atoms, tolerance_A: float) -> list[Operation]:
    """Operations that bring a crystal or a slab to itself within `tolerance_A`, found by spglib.

    Those of a slab keep its normal or turn it round, and do not depend on the vector along the
    normal, which may be missing.

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

    boxed = atoms if atoms.pbc.all() else _in_vacuum(atoms)
    cell = boxed.cell.array
    fractional = boxed.get_scaled_positions(wrap=False)
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
    if atoms.pbc.all():
        return operations
    normal = unit_normal(atoms)
    # A box may happen to be as high as it is wide.
    return [each for each in operations if abs(abs(normal @ each.rotation @ normal) - 1) < 1e-6]


def _in_vacuum(atoms: Atoms) -> Atoms:
    """A slab in a box of its own, its third vector along the normal."""
    boxed = atoms.copy()
    heights = heights_A(atoms)
    cell = atoms.cell.array.copy()
    cell[~atoms.pbc] = (np.ptp(heights) + _VACUUM_A) * unit_normal(atoms)
    boxed.set_cell(cell)
    boxed.pbc = True
    return boxed


def inequivalent_atoms(
    operations: Sequence[Operation], n_atoms: int, chosen: Sequence[int] | None = None
) -> list[int]:
    """The first atom of every set that symmetry turns into each other; of sets with chosen atoms.

    Of `chosen` atoms, the first chosen one of each set.
    """
    asked = range(n_atoms) if chosen is None else sorted(int(index) for index in chosen)
    members = set(asked)
    images = (sorted(members.intersection(o.image[i] for o in operations)) for i in asked)
    return sorted({int(first) for first, *_ in images})


def spread(
    tensors: Mapping[int, np.ndarray], operations: Sequence[Operation], n_atoms: int
) -> np.ndarray:
    """Tensors (N, 3, 3) of all atoms from those of some, averaged over all ways to each atom.

    Atoms that no operation leads to have nan.
    """
    total, count = np.zeros((n_atoms, 3, 3)), np.zeros(n_atoms)
    for rotation, image in operations:
        for index, tensor in tensors.items():
            total[image[index]] += rotation @ tensor @ rotation.T
            count[image[index]] += 1
    with np.errstate(invalid="ignore"):
        return total / count[:, None, None]
