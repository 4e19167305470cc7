"""Warnings about structures for which the model or its charges are unsuitable."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ase
import numpy as np
from ase import Atoms

import ase_les
from ase_les.calculator.domain_warnings import DomainWarnings
from ase_les.charges.sign import OPPOSES, judge_sign, mean_by_element, means_as_text, sign_is_free
from ase_les.graph import Graph, total_charge_of
from ase_les.model import LESModel
from ase_les.response import has_local_polarization
from ase_les.units import COULOMB_CONSTANT

# Net charge in e of a periodic cell from which to warn, and per atom if the model does not
# constrain its charges: their sum over neutral water is then 0.1 to 0.2 e.
_NET_CHARGE = 1e-3
_NET_CHARGE_PER_ATOM = 0.01

_PACKAGES = tuple(path for package in (ase, ase_les) for path in package.__path__)


class ModelWarnings:
    """Warn once of each kind.

    Parameters
    ----------
    model : LESModel
    card : mapping
        Of the model, or of the committee it is a member of.
    remedy : str
        Instruction for flipping the sign of the charges of this model.

    Attributes
    ----------
    domain : DomainWarnings
        Comparison with the training data.
    """

    def __init__(self, model: LESModel, card: Mapping[str, Any], remedy: str):
        self._model = model
        self._card = card
        self._remedy = remedy
        self._given: set[str] = set()
        self.domain = DomainWarnings(card, self._warn)

    def check_total_charge(self, atoms: Atoms) -> None:
        """Warn if no structure of this total charge was in the training data."""
        known = self._card.get("total_charges_e")
        if "total charge" in self._given or known is None:
            return
        given = total_charge_of(atoms)
        if given in known:
            return
        trained = ", ".join(f"{charge:+g}" if charge else "0" for charge in known)
        self._warn(
            "total charge",
            f"the total charge of this structure is {given:+g} e, but the model was trained on "
            f"{trained} e only: results are an extrapolation. The total charge is "
            "atoms.info['charge'], --charge on the command line",
        )

    def check_net_charge(self, atoms: Atoms, latent: np.ndarray) -> None:
        """Warn if a cell or slab has a significant net charge.

        Parameters
        ----------
        atoms : ase.Atoms
        latent : (N,) array
            Latent charges in e.
        """
        if "net charge" in self._given:
            return
        net = float(latent.sum())
        charges = self._model.latent_electrostatics.charges
        unconstrained = charges.config.neutrality == "none"
        if atoms.pbc.all():
            # Unconstrained charges never sum to zero, an error of the model and not the structure.
            tolerance = _NET_CHARGE_PER_ATOM * len(atoms) if unconstrained else _NET_CHARGE
            if abs(net) > tolerance:
                self._warn("net charge", self._on_charged_cell(net, atoms))
        elif unconstrained and atoms.pbc.any() and abs(net) > _NET_CHARGE:
            # Without a background the field of the net charge grows with the slab's thickness.
            self._warn(
                "net charge",
                f"the latent charges of this slab sum to {net:+.4f} e, because the model "
                "(neutrality 'none') does not constrain their sum: the slab is in a field that "
                "was not in the training data. Give it the box of the training with pbc = True, or "
                "use a model with neutrality 'split' or 'mean'",
            )

    def check_sign(
        self,
        atoms: Atoms,
        graph: Graph,
        results: Mapping[str, Any],
        born_charges: Callable[[Atoms, Graph], np.ndarray],
    ) -> None:
        """Warn if electronegative elements are positive and energies do not depend on the sign.

        Charges among the results are tested first; Born charges, which are more reliable, then
        decide.

        Parameters
        ----------
        atoms : ase.Atoms
        graph : Graph
        results : dict
            Results of the calculator.
        born_charges : callable
            Computes Born charges (N, 3, 3) of the structure, if they are not among the results.
        """
        if "sign" in self._given or self._model.long_range is None:
            return
        if not sign_is_free(self._model.config, is_charged=total_charge_of(atoms) != 0):
            return
        born = results.get("born_effective_charges")
        if born is None:
            if "charges" not in results:
                return
            means = mean_by_element(atoms.numbers, np.asarray(results["charges"]))
            if judge_sign(means) != OPPOSES:
                return
            if has_local_polarization(self._model, graph):
                born = born_charges(atoms, graph)
        if born is not None:
            gapt = np.trace(np.asarray(born), axis1=1, axis2=2) / 3
            means = mean_by_element(atoms.numbers, gapt)
            if judge_sign(means) != OPPOSES:
                return
        self._warn(
            "sign",
            "the charges of this model have the sign opposite to electronegativity: "
            f"{means_as_text(means)} e on average. Energies and forces are the same for both "
            "signs; charges, dipoles, polarization and Born charges are not. Flip it once: "
            f"{self._remedy}",
        )

    def check_signs(self, charges: Sequence[np.ndarray]) -> None:
        """Warn if the charges of a member of a committee have the sign opposite to the others'.

        Parameters
        ----------
        charges : sequence of array, shape (N,)
            Charges of all members in e.
        """
        if "signs" in self._given:
            return
        mean = np.mean(charges, axis=0)
        opposite = [k for k, each in enumerate(charges) if float(each @ mean) < 0]
        if opposite:
            self._warn(
                "signs",
                f"charges of the members {opposite} of the committee have the sign opposite to the "
                "others': their mean is meaningless. Energies and forces do not depend on the "
                "sign; flip it (`ase-les convert MEMBER --output FILE --sign flip`) and combine "
                "the members again",
            )

    def _on_charged_cell(self, net: float, atoms: Atoms) -> str:
        background = self._model.latent_electrostatics.electrostatics.config.background
        return (
            f"the periodic cell is charged: its latent charges sum to {net:+.4f} e. "
            + ("A uniform background neutralizes it; " if background else "")
            + "energy and stress depend on the size of the cell, by up to about "
            f"{_cell_size_energy(net, atoms.cell.volume):.2g} eV. Compare energies only between "
            "cells of one size and charge, or extrapolate to large cells"
        )

    def _warn(self, kind: str, message: str) -> None:
        self._given.add(kind)
        warnings.warn(message, stacklevel=_stacklevel_of_caller())


def _stacklevel_of_caller() -> int:
    """Return the stack level of the calling line outside ASE and this package."""
    level, frame = 0, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGES):
        level, frame = level + 1, frame.f_back
    return level


def _cell_size_energy(net_charge: float, volume: float) -> float:
    r"""Return the energy of a charge in its periodic images, :math:`2.837\,k_e Q^2 / 2L`, in eV."""
    return COULOMB_CONSTANT * 2.837297 * net_charge**2 / (2 * volume ** (1 / 3))
