r"""Dipole velocities and polarizabilities of a surface, for sum-frequency generation.

*Bonds* [1]_: the dipole of an O–H bond is proportional to its vector :math:`\mathbf{r}`, and its
polarizability changes with its length,

.. math::
    \dot{\boldsymbol\mu} = \mu' \dot{\mathbf{r}}, \qquad
    \dot\alpha_{ab} = \alpha' \big[\hat r_a \hat r_b + p\,(\delta_{ab} - \hat r_a \hat r_b)\big]\,
        \frac{\dot{\mathbf{r}} \cdot \mathbf{r}}{r} ,

here per :math:`\mu' = 1` e and :math:`\alpha' = 1` Å². With :math:`p = 1` the polarizability is
isotropic, as in the reference.

*Model*: currents of molecules, :math:`\sum_{i \in m} Z^*_i \mathbf{v}_i`, and polarizabilities from
a function of the configuration.

References
----------
.. [1] T. Ohto, K. Usui, T. Hasegawa, M. Bonn, Y. Nagata, J. Chem. Phys. 143, 124702 (2015).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np
from ase import Atoms, units
from ase.geometry import find_mic

from ase_les.simulation.layer_currents import molecular_currents
from ase_les.simulation.surface_layers import oxygen_hydrogen_bonds


class SurfaceSample(NamedTuple):
    """Values of one configuration.

    ``molecule`` (n,) is the molecule of each source, ``points`` (n, 3) its position in Å,
    ``dipole_rate`` (n, 3) its dipole velocity, and ``polarizability`` (k, 3, 3) the
    polarizability, or its rate, of each source (k = n), or of the structure (k = 1).
    """

    molecule: np.ndarray
    points: np.ndarray
    dipole_rate: np.ndarray
    polarizability: np.ndarray


class SurfaceSource(Protocol):
    """Source of dipole velocities and polarizabilities.

    ``gives_rate`` tells whether the polarizability in a sample is a rate, ``longest_A`` is the
    longest O–H bond so far, nan if bonds are not used.
    """

    gives_rate: bool
    longest_A: float

    def sample(self, atoms: Atoms) -> SurfaceSample:
        """Return the values of a configuration."""
        ...

    def state(self) -> dict[str, np.ndarray]:
        """Return the state that later samples depend on."""
        ...

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore a state returned by `state`."""
        ...


class Polarizability(Protocol):
    """Polarizability of a configuration in Å³.

    Of the structure (3, 3), of each molecule (M, 3, 3) in the order of the labels, or of each
    atom (N, 3, 3). A calculator's method or a trained model can be used.
    """

    def __call__(self, atoms: Atoms) -> np.ndarray:
        """Return the polarizability."""
        ...


class BondSource:
    """O–H bonds of the first configuration.

    Parameters
    ----------
    label : array, shape (N,)
        Molecule of each atom.
    perpendicular : float
        Polarizability derivative across the bond, relative to that along it.

    Raises
    ------
    ValueError
        If there are no O–H bonds.
    """

    gives_rate = True

    def __init__(self, atoms: Atoms, label: np.ndarray, perpendicular: float = 1.0) -> None:
        self._label, self._perpendicular = label, float(perpendicular)
        self._oxygens, self._hydrogens = oxygen_hydrogen_bonds(atoms)
        self.longest_A = 0.0
        if len(self._oxygens) == 0:
            raise ValueError(
                "sum-frequency generation of bonds needs O–H bonds, and the structure has none"
            )

    def sample(self, atoms: Atoms) -> SurfaceSample:
        """Return bond velocities in Å/fs, and rates of the polarizability."""
        oxygens, hydrogens = self._oxygens, self._hydrogens
        vectors, lengths = find_mic(
            atoms.positions[hydrogens] - atoms.positions[oxygens], atoms.cell, atoms.pbc
        )
        self.longest_A = max(self.longest_A, float(lengths.max()))
        velocities = atoms.get_velocities() * units.fs
        rates = velocities[hydrogens] - velocities[oxygens]
        directions = vectors / lengths[:, None]
        along = directions[:, :, None] * directions[:, None, :]
        tensors = along + self._perpendicular * (np.eye(3) - along)
        stretch = (rates * directions).sum(axis=1)
        return SurfaceSample(
            self._label[oxygens],
            atoms.positions[oxygens] + 0.5 * vectors,
            rates,
            stretch[:, None, None] * tensors,
        )

    def state(self) -> dict[str, np.ndarray]:
        """Return the bonds."""
        bonds = np.stack([self._oxygens, self._hydrogens])
        return {"bonds": bonds, "label": self._label, "longest_A": np.array(self.longest_A)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore a state returned by `state`."""
        self._oxygens, self._hydrogens = np.array(state["bonds"])
        self._label, self.longest_A = np.array(state["label"]), float(state["longest_A"])


class ModelSource:
    """Currents of molecules from Born charges, and polarizabilities of a function.

    Parameters
    ----------
    label : array, shape (N,)
        Molecule of each atom.
    """

    gives_rate = False
    longest_A = math.nan

    def __init__(self, label: np.ndarray, polarizability: Polarizability) -> None:
        self._label, self._polarizability = label, polarizability
        self._first: np.ndarray | None = None

    def sample(self, atoms: Atoms) -> SurfaceSample:
        """Return currents in e Å/fs, and polarizabilities relative to the first ones in Å³."""
        n_molecules = int(self._label.max()) + 1
        alpha = np.asarray(self._polarizability(atoms), dtype=float)
        if alpha.shape == (3, 3):
            alpha = alpha[None]
        elif alpha.shape == (len(atoms), 3, 3) and len(atoms) != n_molecules:
            flat = alpha.reshape(len(atoms), 9)
            sums = [np.bincount(self._label, column) for column in flat.T]
            alpha = np.stack(sums, axis=1).reshape(-1, 3, 3)
        if alpha.shape not in ((1, 3, 3), (n_molecules, 3, 3)):
            raise ValueError(
                f"a polarizability must have the shape (3, 3), ({n_molecules}, 3, 3) of molecules "
                f"or ({len(atoms)}, 3, 3) of atoms, got {alpha.shape}"
            )
        if self._first is None:
            self._first = alpha
        first_atoms = np.unique(self._label, return_index=True)[1]
        return SurfaceSample(
            np.arange(n_molecules),
            atoms.positions[first_atoms],
            molecular_currents(atoms, self._label),
            alpha - self._first,
        )

    def state(self) -> dict[str, np.ndarray]:
        """Return molecules and first polarizabilities."""
        first = {} if self._first is None else {"first": self._first}
        return {"label": self._label, **first}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore a state returned by `state`."""
        self._label, self._first = np.array(state["label"]), state.get("first")
