r"""Currents and dipoles of layers during a dynamics run.

.. math::
    \mathbf{J}_L = \sum_i m_L(i)\, Z^*_i \mathbf{v}_i, \qquad
    \sum_L \mathbf{J}_L = \mathbf{J}, \qquad
    \boldsymbol{\mu}_L = \sum_i m_L(i)\, q_i (\mathbf{r}_i - \mathbf{r}_{m(i)})

with the masks of `ase_les.simulation.surface_layers`, and the center of mass of the molecule of
atom :math:`i` as its reference. Components are along two directions in the plane and along the
normal; the normal component of a dipole is positive if it points away from the middle.

Currents of single atoms need the Born charges of all atoms. They are gradients of the three
components of the dipole, and cost two to four force calls for any number of layers or molecules;
differentiation along the motion costs about one call for every layer.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from ase import Atoms, units
from ase.geometry import find_mic

from ase_les.calculator_extensions import supports
from ase_les.simulation.surface_layers import LayeredMolecules, SurfaceLayers, surface_frame


def atomic_currents(atoms: Atoms) -> np.ndarray:
    r"""Return the currents :math:`Z^*_i \mathbf{v}_i` (N, 3) of all atoms in e Å/fs.

    Parameters
    ----------
    atoms : ase.Atoms
        With velocities and a calculator with Born charges.
    """
    born = atoms.calc.get_property("born_effective_charges", atoms)
    return np.einsum("iab,ib->ia", born, atoms.get_velocities() * units.fs)


def molecular_currents(atoms: Atoms, label: np.ndarray) -> np.ndarray:
    """Return the currents (M, 3) of molecules in e Å/fs.

    Parameters
    ----------
    atoms : ase.Atoms
        See `atomic_currents`.
    label : array, shape (N,)
        Molecule of each atom, see `molecule_labels`.
    """
    return summed(atomic_currents(atoms), label)


def summed(values: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return sums (M, 3) of vectors (N, 3) over the atoms with each label."""
    return np.stack([np.bincount(label, column) for column in values.T], axis=1)


class LayerCurrents:
    """Current and dipole of each layer, and the number of molecules in it.

    Parameters
    ----------
    atoms : ase.Atoms
        First configuration, which determines the molecules.

    Raises
    ------
    ValueError
        If the calculator has no Born charges, or the structure has no layers.
    """

    def __init__(self, atoms: Atoms, layers: SurfaceLayers) -> None:
        if not supports(atoms.calc, "born_effective_charges"):
            raise ValueError(
                "currents of layers need the property 'born_effective_charges', which "
                f"{type(atoms.calc).__name__} does not provide for this model"
            )
        self.layers = layers
        self._has_charges = supports(atoms.calc, "charges")
        self._molecules = LayeredMolecules(layers, atoms)
        n = len(layers.names)
        columns: dict[str, tuple[int, ...]] = {"layer_current_eA_per_fs": (n, 3)}
        if self._has_charges:
            columns["layer_dipole_eA"] = (n, 3)
        self.columns: Mapping[str, tuple[int, ...]] = {**columns, "layer_molecules": (n,)}

    def measure(self, atoms: Atoms) -> np.ndarray:
        """Return the values of all columns, one after the other."""
        label = self._molecules.label
        centers = self._molecules.centers(atoms)
        placement = self._molecules.place(atoms, centers)
        frame = surface_frame(atoms, self._molecules.axis)
        masks = placement.masks
        values = [masks @ molecular_currents(atoms, label) @ frame.T]
        if self._has_charges:
            arms = find_mic(atoms.positions - centers[label], atoms.cell, atoms.pbc)[0]
            charges = np.asarray(atoms.calc.get_property("charges", atoms))
            dipoles = summed(charges[:, None] * arms, label) @ frame.T
            dipoles[:, 2] *= placement.side
            values.append(masks @ dipoles)
        values.append(masks.sum(axis=1))
        return np.concatenate([value.ravel() for value in values])

    def state(self) -> dict[str, np.ndarray]:
        """Return the molecules, which are those of the first configuration."""
        return self._molecules.state()

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore a state returned by `state`."""
        self._molecules.restore(state)
