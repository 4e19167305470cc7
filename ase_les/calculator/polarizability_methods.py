"""Polarizabilities of a calculator, and the dielectric tensor that follows from them."""

from __future__ import annotations

import numpy as np
import torch
from ase import Atoms, units
from ase.calculators.calculator import PropertyNotImplementedError

from ase_les.calculator.charge_methods import ChargeMethods, array_of, exclusive
from ase_les.response.polarizability import (
    atomic_polarizabilities,
    polarizability,
    polarizability_derivatives,
)


class PolarizabilityMethods(ChargeMethods):
    """Methods of `LESCalculator` for models with polarizabilities, in Å³."""

    @exclusive
    def get_polarizability(self, atoms: Atoms | None = None) -> np.ndarray:
        r"""Return the electronic polarizability (3, 3) in Å³: the property ``polarizability``.

        The response to an external field for finite structures, and to the macroscopic field for
        three periodic directions, :math:`V(\epsilon_\infty - 1)/4\pi` per cell; see
        `ase_les.polarizability`. No energy is computed. 1 Å³ = 6.748 a.u.

        Parameters
        ----------
        atoms : ase.Atoms or None
            None for the structure of the last calculation.

        Raises
        ------
        PropertyNotImplementedError
            If the model has no polarizability.
        """
        graph = self._graphs.at(self._polarizable(atoms))
        with torch.no_grad():
            return array_of(polarizability(self._engine, graph)[0])

    @exclusive
    def get_atomic_polarizabilities(self, atoms: Atoms | None = None) -> np.ndarray:
        """Return the polarizabilities (N, 3, 3) of atoms in Å³, which add up over molecules.

        Parameters
        ----------
        atoms : ase.Atoms or None
            None for the structure of the last calculation.

        Raises
        ------
        PropertyNotImplementedError
            If the model has no polarizability.
        """
        graph = self._graphs.at(self._polarizable(atoms))
        with torch.no_grad():
            return array_of(atomic_polarizabilities(self._engine, graph))

    @exclusive
    def get_polarizability_derivatives(self, atoms: Atoms | None = None) -> np.ndarray:
        r"""Return :math:`\partial\alpha/\partial\mathbf{r}_i`, (N, 3, 3, 3) in Å².

        Index order [atom, displacement, α row, α column]; exact.

        Parameters
        ----------
        atoms : ase.Atoms or None
            None for the structure of the last calculation.

        Raises
        ------
        PropertyNotImplementedError
            If the model has no polarizability.
        """
        graph = self._graphs.at(self._polarizable(atoms))
        return array_of(polarizability_derivatives(self._engine, graph))

    def get_polarizability_rate(self, atoms: Atoms | None = None) -> np.ndarray:
        """Return the time derivative (3, 3) of the polarizability in Å³/fs, from velocities."""
        atoms = self.atoms if atoms is None else atoms
        velocities = atoms.get_velocities() * units.fs
        return np.einsum("id,idab->ab", velocities, self.get_polarizability_derivatives(atoms))

    def get_learned_dielectric_tensor(self, atoms: Atoms | None = None) -> np.ndarray:
        r"""Return :math:`\epsilon_\infty = 1 + 4\pi\alpha/V` (3, 3) from the polarizability.

        Unlike the property ``dielectric_tensor``, it is not what scales the charges, unless it is
        assigned: ``calc.dielectric = calc.get_learned_dielectric_tensor(atoms)``.

        Raises
        ------
        PropertyNotImplementedError
            If the model has no polarizability, or there are not three periodic directions.
        """
        atoms = self.atoms if atoms is None else atoms
        if not atoms.pbc.all():
            raise PropertyNotImplementedError(
                "the dielectric tensor needs three periodic directions, pbc is "
                f"{atoms.pbc.tolist()}. Use the polarizability of finite structures"
            )
        return np.eye(3) + 4 * np.pi * self.get_polarizability(atoms) / atoms.cell.volume

    def _polarizable(self, atoms: Atoms | None) -> Atoms:
        """Return the structure (default: of the last calculation) for a polarizability."""
        if self._engine.polarizability is None:
            raise PropertyNotImplementedError(
                "this model has no polarizability: use one that was trained with `polarizability` "
                "(`ase-les models`), or add it to this model (documentation, Raman spectra)"
            )
        return self.atoms if atoms is None else atoms
