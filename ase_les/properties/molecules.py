"""Molecules in a structure and their dipole moments."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.neighborlist import natural_cutoffs, neighbor_list
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from ase_les.simulation.layer_currents import summed

_LEVI_CIVITA = np.cross(np.eye(3)[:, None], np.eye(3)[None])


def molecules(atoms: Atoms, tolerance: float = 1.2) -> list[np.ndarray]:
    """Return the indices of the atoms of each covalently connected molecule.

    Parameters
    ----------
    tolerance : float
        Atoms closer than this times the sum of their covalent radii are bonded.
    """
    first, second, _ = _bonds(atoms, tolerance)
    n_molecules, label = connected_components(_adjacency(first, second, len(atoms)))
    return [np.flatnonzero(label == molecule) for molecule in range(n_molecules)]


def whole_molecules(atoms: Atoms, tolerance: float = 1.2) -> Atoms:
    """Return a copy in which no molecule is divided by a cell face.

    Each molecule is placed at its first atom. Calculator and constraints are not copied.

    Parameters
    ----------
    tolerance : float
        See `molecules`.

    Raises
    ------
    ValueError
        If a molecule is connected to its own periodic image.
    """
    whole = atoms.copy()
    whole.set_constraint()
    whole.positions = _whole(atoms, tolerance)[0]
    return whole


def molecular_dipoles(atoms: Atoms, charges: np.ndarray, tolerance: float = 1.2) -> np.ndarray:
    r"""Return the dipole moments of all molecules in e Å, shape (n_molecules, 3).

    .. math::
        \boldsymbol{\mu}_m = \sum_{i \in m} q_i (\mathbf{r}_i - \mathbf{r}_m)

    Molecules divided by a cell face are first made whole along their bonds. The reference
    :math:`\mathbf{r}_m` is the center of mass; it affects only charged molecules.

    Parameters
    ----------
    charges : array, shape (N,)
        In e, such as ``atoms.get_charges()``; physical charges give physical moments.
    tolerance : float
        See `molecules`.

    Raises
    ------
    ValueError
        If a molecule is connected to its own periodic image (a network, not a molecule).
    """
    relative, label = _relative_positions(atoms, tolerance)
    return summed(np.asarray(charges)[:, None] * relative, label)


def turning_dipoles(
    atoms: Atoms, born_effective_charges: np.ndarray, tolerance: float = 1.2
) -> np.ndarray:
    r"""Return rotational dipole moments of molecules in e Å, shape (n_molecules, 3).

    The rotation of a molecule by a small angle changes the total dipole by
    :math:`\delta\boldsymbol{\theta} \times \boldsymbol{\mu}_m`. This change follows from Born
    charges:

    .. math::
        R^m_{\alpha\gamma} = \sum_{i \in m} \sum_{\beta\delta} Z^*_{i,\alpha\beta}\,
            \epsilon_{\beta\gamma\delta}\, (\mathbf{r}_i - \mathbf{r}_m)_\delta, \qquad
        \mu_{m,\delta} = \frac12 \sum_{\alpha\gamma} \epsilon_{\alpha\gamma\delta}
            R^m_{\alpha\gamma}

    For an isolated neutral molecule this is exactly its dipole (rotational sum rule of atomic polar
    tensors). In a liquid, no assignment of charge to molecules is needed: the polarization of
    neighbors by the rotation is included. The reference is the center of mass; it affects molecules
    whose Born charges do not sum to zero.

    Parameters
    ----------
    born_effective_charges : array, shape (N, 3, 3)
        [atom, polarization, displacement] in e.
    tolerance : float
        See `molecules`.

    Raises
    ------
    ValueError
        If a molecule is connected to its own periodic image (a network, not a molecule).

    References
    ----------
    .. [1] W. B. Person, J. H. Newton, J. Chem. Phys. 61, 1040 (1974).
    """
    relative, label = _relative_positions(atoms, tolerance)
    rotated = np.einsum("iab,bcd,id->iac", born_effective_charges, _LEVI_CIVITA, relative)
    return summed(0.5 * np.einsum("acd,iac->id", _LEVI_CIVITA, rotated), label)


def _relative_positions(atoms: Atoms, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Return positions (N, 3) relative to the molecule's center of mass, and molecule indices."""
    positions, label = _whole(atoms, tolerance)
    masses = atoms.get_masses()
    center = summed(masses[:, None] * positions, label) / np.bincount(label, masses)[:, None]
    return positions - center[label], label


def _whole(atoms: Atoms, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Return positions with molecules made whole along their bonds, and molecule indices."""
    first, second, shift = _bonds(atoms, tolerance)
    bonds = _adjacency(first, second, len(atoms))
    n_molecules, label = connected_components(bonds)
    image = np.zeros((len(atoms), 3))
    shift_of = {(i, j): s for i, j, s in zip(first, second, shift, strict=True)}
    for molecule in range(n_molecules):
        root = np.flatnonzero(label == molecule)[0]
        order, parent = breadth_first_order(bonds, root, directed=False)
        for atom in order[1:]:
            image[atom] = image[parent[atom]] + shift_of[parent[atom], atom]
    if not np.allclose(image[first] + shift, image[second]):
        raise ValueError(
            "a molecule is bonded to its own periodic image and therefore has no dipole moment; "
            f"reduce `tolerance` (now {tolerance}) if these are not bonds"
        )
    positions = atoms.positions + image @ atoms.cell.array
    return positions, label


def _bonds(atoms: Atoms, tolerance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return neighbor_list("ijS", atoms, natural_cutoffs(atoms, mult=tolerance))


def _adjacency(first: np.ndarray, second: np.ndarray, n_atoms: int) -> csr_array:
    ones = np.ones(len(first), dtype=np.int8)
    return coo_array((ones, (first, second)), shape=(n_atoms, n_atoms)).tocsr()
