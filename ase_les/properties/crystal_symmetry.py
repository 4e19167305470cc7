"""Symmetry operations of crystals and slabs, and their action on atomic tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from ase import Atoms

from ase_les.simulation.slab_geometry import heights_A, unit_normal

# Vacuum between a slab and its image in the box for spglib. It must exceed all gaps inside the
# slab; otherwise a shift along the normal could be found as a symmetry.
_VACUUM_A = 30.0


class Operation(NamedTuple):
    """Symmetry operation: Cartesian `rotation` (3, 3) and index of the image (N,) of each atom."""

    rotation: np.ndarray
    image: np.ndarray


def identity(n_atoms: int) -> Operation:
    """Return the identity operation."""
    return Operation(np.eye(3), np.arange(n_atoms))


def symmetry_operations(atoms: Atoms, tolerance_A: float) -> list[Operation]:
    """Return the symmetry operations of a crystal or slab, found by spglib.

    Operations of a slab keep or invert its normal; they do not depend on the cell vector along the
    normal, which may be zero.
    """
    try:
        import spglib
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "crystal symmetry needs spglib: pip install 'ase_les[phonons]'"
        ) from None

    box = atoms if atoms.pbc.all() else in_vacuum(atoms)
    cell = box.cell.array
    fractional = box.get_scaled_positions(wrap=False)
    found = spglib.get_symmetry((cell, fractional, atoms.numbers), symprec=tolerance_A)
    if found is None:
        raise ValueError(
            f"spglib finds no symmetry within {tolerance_A} Å; change `symmetry_tolerance_A`"
        )
    operations = []
    for rotation, translation in zip(found["rotations"], found["translations"], strict=True):
        moved = fractional @ rotation.T + translation
        difference = moved[:, None] - fractional[None]
        difference -= np.round(difference)
        distance = np.linalg.norm(difference @ cell, axis=2)
        distance[atoms.numbers[:, None] != atoms.numbers[None]] = np.inf
        # R rotates Cartesian column vectors; fractional row vectors rotate with W transposed.
        cartesian = cell.T @ rotation @ np.linalg.inv(cell.T)
        operations.append(Operation(cartesian, distance.argmin(axis=1)))
    if atoms.pbc.all():
        return operations
    normal = unit_normal(atoms)
    # Exclude operations that exist only because the box is as high as it is wide.
    return [each for each in operations if abs(abs(normal @ each.rotation @ normal) - 1) < 1e-6]


def in_vacuum(atoms: Atoms) -> Atoms:
    """Return a slab in a periodic box with vacuum; its open cell vector is along the normal."""
    box = atoms.copy()
    heights = heights_A(atoms)
    cell = atoms.cell.array.copy()
    cell[~atoms.pbc] = (np.ptp(heights) + _VACUUM_A) * unit_normal(atoms)
    box.set_cell(cell)
    box.pbc = True
    return box


def inequivalent_atoms(
    operations: Sequence[Operation], n_atoms: int, chosen: Sequence[int] | None = None
) -> list[int]:
    """Return the first atom (or first `chosen` atom) of each set of equivalent atoms."""
    candidates = range(n_atoms) if chosen is None else sorted(int(index) for index in chosen)
    members = set(candidates)
    images = (sorted(members.intersection(o.image[i] for o in operations)) for i in candidates)
    return sorted({int(first) for first, *_ in images})


def symmetrize_atomic_tensors(
    tensors: Mapping[int, np.ndarray], operations: Sequence[Operation], n_atoms: int
) -> np.ndarray:
    """Return the tensors (N, 3, 3) of all atoms, averaged over all operations.

    Parameters
    ----------
    tensors : mapping of int to array, shape (3, 3)
        Tensors of some atoms by index.

    Returns
    -------
    array, shape (N, 3, 3)
        nan for atoms that are not equivalent to any atom of `tensors`.
    """
    total, count = np.zeros((n_atoms, 3, 3)), np.zeros(n_atoms)
    for rotation, image in operations:
        for index, tensor in tensors.items():
            total[image[index]] += rotation @ tensor @ rotation.T
            count[image[index]] += 1
    with np.errstate(invalid="ignore"):
        return total / count[:, None, None]
