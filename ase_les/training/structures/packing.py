"""Pack molecules at random, such as a solution next to a solid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from ase import Atoms
from ase.geometry import get_distances
from scipy.spatial.transform import Rotation

PLACES_EACH = 2000
"""Placements tried for one molecule before packing restarts."""

RESTARTS = 200


def packed(
    solid: Atoms,
    molecules: Sequence[Atoms],
    heights_A: tuple[float, float],
    radii_A: Mapping[str, float],
    rng: np.random.Generator,
) -> Atoms:
    """Return a structure with molecules added at random positions and orientations in a layer.

    Parameters
    ----------
    solid : Atoms
        Unchanged; its first two lattice vectors span the layer.
    molecules : sequence of Atoms
        Molecules or ions in the order of insertion; largest first works best.
    heights_A : pair of float
        Range of z for the centroids.
    radii_A : mapping of str to float
        Radii by element; their sum is the minimum distance between different molecules.

    Returns
    -------
    Atoms
        The solid first, then the molecules in the order given.
    """
    everything = {*solid.symbols, *(s for each in molecules for s in each.symbols)}
    if missing := sorted(everything - set(radii_A)):
        raise ValueError(f"`radii_A` must contain every element; missing: {missing}")
    for _ in range(RESTARTS):
        filled = solid.copy()
        for molecule in molecules:
            added = _placed(molecule, filled, heights_A, radii_A, rng)
            if added is None:
                break
            filled += added
        else:
            return filled
    raise ValueError(
        f"{len(molecules)} molecules do not fit between z = {heights_A[0]} and {heights_A[1]} Å: "
        "use a larger cell, fewer molecules or smaller `radii_A`"
    )


def packed_cube(
    molecules: Sequence[Atoms],
    edge_A: float,
    radii_A: Mapping[str, float],
    rng: np.random.Generator,
) -> Atoms:
    """Return a periodic cube of randomly packed molecules; the first one is not moved."""
    first, *others = molecules
    cube = Atoms(first.symbols, first.positions, cell=[edge_A] * 3, pbc=True)
    return packed(cube, others, (0, edge_A), radii_A, rng)


def _placed(molecule, filled, heights_A, radii_A, rng) -> Atoms | None:
    own = np.array([radii_A[s] for s in molecule.symbols])
    others = np.array([radii_A[s] for s in filled.symbols])
    shape = molecule.positions - molecule.positions.mean(axis=0)
    for _ in range(PLACES_EACH):
        center = rng.uniform(size=2) @ filled.cell.array[:2]
        center[2] = rng.uniform(*heights_A)
        turned = Rotation.random(random_state=rng).apply(shape) + center
        between = get_distances(turned, filled.positions, cell=filled.cell, pbc=filled.pbc)[1]
        if (between >= own[:, None] + others).all():
            return Atoms(molecule.symbols, turned)
    return None
