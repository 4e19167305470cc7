"""Structures for checks of models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols, covalent_radii
from ase.geometry import get_distances

from ase_les.model import LESModel


def example_structures(model: LESModel, seed: int = 0) -> list[Atoms]:
    """Return small structures of a model's elements, without colliding atoms.

    They are a triclinic cell, a tiny cell in which atoms interact with their own images, an open
    cluster, a single atom and a slab.

    Parameters
    ----------
    seed : int
        Equal seeds give equal structures.
    """
    rng = np.random.default_rng(seed)
    elements = list(model.config.elements)

    def some(n_atoms: int) -> list[int]:
        # Elements in turn, so that few atoms cover as many elements as possible.
        return [elements[i % len(elements)] for i in range(n_atoms)]

    structures = [
        random_structure(some(8), True, rng),
        random_structure(some(2), True, rng),
        random_structure(some(6), False, rng),
        Atoms([elements[-1]], [[0.3, -0.2, 0.1]]),
        random_structure(some(5), (True, False, True), rng),
    ]
    states = model.config.total_charges or (0,)
    for number, atoms in enumerate(structures):
        atoms.info["charge"] = float(states[number % len(states)])
    return structures


def displaced(atoms: Atoms, shift: np.ndarray) -> Atoms:
    """Return a structure with atoms displaced by (N, 3), in Å."""
    moved = atoms.copy()
    moved.positions += shift
    return moved


def with_lattice(atoms: Atoms, combination: np.ndarray) -> Atoms:
    """Return the structure with lattice vectors replaced by integer combinations."""
    other = atoms.copy()
    other.set_cell(combination @ atoms.cell.array, scale_atoms=False)
    other.pbc = (combination != 0) @ atoms.pbc
    return other


def random_structure(numbers: Sequence[int], pbc, rng: np.random.Generator) -> Atoms:
    """Atoms at random places of a random triclinic box, none closer than their bond length."""
    radii = covalent_radii[list(numbers)]
    bond = radii[:, None] + radii
    edge = 1.5 * np.sum((2 * radii) ** 3) ** (1 / 3)
    for _ in range(1000):
        edge *= 1.02
        cell = edge * (np.eye(3) + rng.uniform(-0.25, 0.25, (3, 3)))
        positions = rng.random((len(numbers), 3)) @ cell
        images = Atoms(numbers, positions, cell=cell, pbc=pbc).repeat(
            np.where(np.broadcast_to(pbc, 3), 2, 1)
        )
        _, distances = get_distances(images.positions, cell=images.cell, pbc=images.pbc)
        distances = distances[: len(numbers)] + 99.0 * np.eye(len(images))[: len(numbers)]
        if (distances > 1.1 * np.tile(bond, len(images) // len(numbers))).all():
            atoms = Atoms(numbers, positions, pbc=pbc)
            if atoms.pbc.any():
                atoms.cell = cell
            return atoms
    symbols = [chemical_symbols[number] for number in numbers]
    raise RuntimeError(f"found no structure of {symbols} without collisions")
