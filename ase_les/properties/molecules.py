"""Molecules in a structure and their dipole moments."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.neighborlist import natural_cutoffs, neighbor_list
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

_LEVI_CIVITA = np.cross(np.eye(3)[:, None], np.eye(3)[None])


def molecules(atoms: Atoms, tolerance: float = 1.2) -> list[np.ndarray]:
    """Indices of the atoms of every covalently connected molecule.

    Parameters
    ----------
    atoms : ase.Atoms
    tolerance : float
        Atoms are bonded when closer than this times the sum of their covalent radii.
    """
    first, second, _ = _bonds(atoms, tolerance)
    n_molecules, label = connected_components(_adjacency(first, second, len(atoms)))
    return [np.flatnonzero(label == molecule) for molecule in range(n_molecules)]


def whole_molecules(atoms: Atoms, tolerance: float = 1.2) -> Atoms:
    """A copy in which no molecule is cut by a cell face: ready for a face to become a surface.

    Each molecule stays where its first atom is. Calculator and constraints are left behind.

    Parameters
    ----------
    atoms : ase.Atoms
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
    r"""Dipole moments of all molecules in e Å, shape (n_molecules, 3).

    .. math::
        \boldsymbol{\mu}_m = \sum_{i \in m} q_i (\mathbf{r}_i - \mathbf{r}_m)

    Atoms are put together along bonds first, so that molecules cut by a cell face count whole. The
    reference :math:`\mathbf{r}_m` is the centre of mass; it matters for charged molecules only.

    Parameters
    ----------
    atoms : ase.Atoms
    charges : array, shape (N,)
        In e, such as ``atoms.get_charges()``; the moments are in their scale.
    tolerance : float
        See `molecules`.

    Raises
    ------
    ValueError
        If a molecule is connected to its own periodic image (a network, not a molecule).
    """
    arms, label = _arms(atoms, tolerance)
    return _sums(np.asarray(charges)[:, None] * arms, label)


def turning_dipoles(
    atoms: Atoms, born_effective_charges: np.ndarray, tolerance: float = 1.2
) -> np.ndarray:
    r"""Dipole moments of molecules by how they turn, in e Å, shape (n_molecules, 3).

    A molecule turned by a small angle changes the dipole of all by
    :math:`\delta\boldsymbol{\theta} \times \boldsymbol{\mu}_m`. Born charges tell that change,

    .. math::
        R^m_{\alpha\gamma} = \sum_{i \in m} \sum_{\beta\delta} Z^*_{i,\alpha\beta}\,
            \epsilon_{\beta\gamma\delta}\, (\mathbf{r}_i - \mathbf{r}_m)_\delta, \qquad
        \mu_{m,\delta} = \frac12 \sum_{\alpha\gamma} \epsilon_{\alpha\gamma\delta}
            R^m_{\alpha\gamma}

    For an isolated neutral molecule this is its dipole, exactly (the rotational sum rule of atomic
    polar tensors). In a liquid it needs no rule which charge belongs to which molecule: what
    neighbours polarize when the molecule turns counts as its own. The centre is that of mass; it
    matters for molecules whose Born charges do not sum to zero.

    Parameters
    ----------
    atoms : ase.Atoms
    born_effective_charges : array, shape (N, 3, 3)
        [atom, polarization, displacement] in e, as the calculator gives them.
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
    arms, label = _arms(atoms, tolerance)
    turned = np.einsum("iab,bcd,id->iac", born_effective_charges, _LEVI_CIVITA, arms)
    return _sums(0.5 * np.einsum("acd,iac->id", _LEVI_CIVITA, turned), label)


def _arms(atoms: Atoms, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions (N, 3) from the centre of mass of the molecule, and the molecule of each atom."""
    positions, label = _whole(atoms, tolerance)
    masses = atoms.get_masses()
    centre = _sums(masses[:, None] * positions, label) / np.bincount(label, masses)[:, None]
    return positions - centre[label], label


def _sums(values: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Sums of vectors (N, 3) over the atoms of each molecule."""
    return np.column_stack([np.bincount(label, values[:, axis]) for axis in range(3)])


def _whole(atoms: Atoms, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions with molecules put together along their bonds, and the molecule of each atom."""
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
            "a molecule is bonded to its own periodic image and has no dipole moment of its own; "
            f"lower `tolerance` (now {tolerance}) if these are no bonds"
        )
    positions = atoms.positions + image @ atoms.cell.array
    return positions, label


def _bonds(atoms: Atoms, tolerance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return neighbor_list("ijS", atoms, natural_cutoffs(atoms, mult=tolerance))


def _adjacency(first: np.ndarray, second: np.ndarray, n_atoms: int) -> coo_array:
    ones = np.ones(len(first), dtype=np.int8)
    return coo_array((ones, (first, second)), shape=(n_atoms, n_atoms)).tocsr()
