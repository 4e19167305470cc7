"""Conditions that stop a run outside the domain of its model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import covalent_radii

from ase_les.calculator_extensions import model_card, supports
from ase_les.simulation.close_contacts import closest_contact
from ase_les.simulation.ensembles import DynamicsSettings

#: Smallest allowed distance relative to the closest contact in the training data. Long runs sample
#: slightly shorter distances than a limited number of frames.
CONTACT_FRACTION = 0.85
#: Smallest allowed distance relative to the sum of covalent radii, without a model card.
COVALENT_FRACTION = 0.5
#: Largest allowed force relative to the largest force in the training data.
FORCE_FACTOR = 2.0


@dataclass(frozen=True)
class Limits:
    """Limits of a dynamics run; the methods return a description of the first violation.

    Attributes
    ----------
    max_temperature_K, max_temperature_jump_K : float
        Largest temperature, and its largest increase within one step.
    closest_A : array, shape (n_elements, n_elements)
        Smallest distances by atomic numbers.
    max_force_eV_per_A, max_dipole_change_eA, max_force_std_eV_per_A : float
        inf without a limit.
    """

    max_temperature_K: float
    max_temperature_jump_K: float
    closest_A: np.ndarray
    max_force_eV_per_A: float
    max_dipole_change_eA: float
    max_force_std_eV_per_A: float = np.inf

    def check_temperature(self, temperature_K: float, before_K: float) -> str | None:
        """Return a description of a temperature violation, or None."""
        advice = "the time step is too long, or the structure is outside the domain of the model"
        if not temperature_K <= self.max_temperature_K:
            return (
                f"the temperature, {temperature_K:.4g} K, exceeds max_temperature_K = "
                f"{self.max_temperature_K:g} K: {advice}"
            )
        if temperature_K - before_K > self.max_temperature_jump_K:
            return (
                f"the temperature jumped from {before_K:.4g} to {temperature_K:.4g} K in one step, "
                f"by more than max_temperature_jump_K = {self.max_temperature_jump_K:g} K: {advice}"
            )
        return None

    def check_structure(self, atoms: Atoms) -> str | None:
        """Return a description of a violation by distances or forces, or None."""
        contact = closest_contact(atoms, self.closest_A)
        if contact is not None:
            return f"{contact.describe(atoms)}, outside the domain of the model (min_distance_A)"
        return self._check_forces(atoms) or self._check_spread(atoms)

    def check_dipole(self, first: np.ndarray, last: np.ndarray) -> str | None:
        """Return a description of a dipole violation, or None."""
        change = float(np.linalg.norm(last - first))
        if change <= self.max_dipole_change_eA:
            return None
        return (
            f"the dipole has changed by {change:.4g} e Å since the start, more than "
            f"max_dipole_change_eA = {self.max_dipole_change_eA:g}: the charges are unstable, or "
            "the field is too strong"
        )

    def _check_forces(self, atoms: Atoms) -> str | None:
        if np.isinf(self.max_force_eV_per_A):
            return None
        forces = np.linalg.norm(atoms.get_forces(apply_constraint=False), axis=1)
        worst = int(forces.argmax())
        if forces[worst] <= self.max_force_eV_per_A:
            return None
        return (
            f"the force on atom {worst} ({atoms.symbols[worst]}) is {forces[worst]:.4g} eV/Å, more "
            f"than {self.max_force_eV_per_A:g}, outside the domain of the model "
            "(max_force_eV_per_A)"
        )

    def _check_spread(self, atoms: Atoms) -> str | None:
        if np.isinf(self.max_force_std_eV_per_A):
            return None
        spread = disagreement_of_atoms(atoms)
        worst = int(spread.argmax())
        if spread[worst] <= self.max_force_std_eV_per_A:
            return None
        return (
            f"the committee disagrees about the force on atom {worst} ({atoms.symbols[worst]}) by "
            f"{spread[worst]:.4g} eV/Å, more than {self.max_force_std_eV_per_A:g}: the structure "
            "is unlike the training data (max_force_std_eV_per_A)"
        )


def disagreement_of_atoms(atoms: Atoms) -> np.ndarray:
    r"""Return :math:`\sqrt{\sum_\alpha \sigma_{i\alpha}^2}` (N,) of the forces in eV/Å.

    The calculator must be a committee.
    """
    spread = atoms.calc.get_property("forces_std", atoms)
    return np.linalg.norm(spread, axis=1)


def make_limits(settings: DynamicsSettings, calculator: object) -> Limits:
    """Return the limits of a run from its settings and the model card, if there is one."""
    card = model_card(calculator)
    training_contact = card.get("closest_contact_A")
    if settings.min_distance_A is not None:
        closest = np.full((len(covalent_radii),) * 2, settings.min_distance_A)
    elif training_contact:  # 0 in cards of isolated atoms
        closest = np.full((len(covalent_radii),) * 2, CONTACT_FRACTION * float(training_contact))
    else:
        closest = COVALENT_FRACTION * (covalent_radii[:, None] + covalent_radii)
    force = settings.max_force_eV_per_A
    if force is None:
        force = FORCE_FACTOR * float(card.get("largest_force_eV_per_A") or np.inf)
    dipole, spread = settings.max_dipole_change_eA, settings.max_force_std_eV_per_A
    if spread is not None and not supports(calculator, "forces_std"):
        raise ValueError(
            "`max_force_std_eV_per_A` needs a committee; give several models, or a file made by "
            "`ase-les committee`"
        )
    return Limits(
        max_temperature_K=settings.max_temperature_K,
        max_temperature_jump_K=settings.max_temperature_jump_K,
        closest_A=closest,
        max_force_eV_per_A=force,
        max_dipole_change_eA=np.inf if dipole is None else dipole,
        max_force_std_eV_per_A=np.inf if spread is None else spread,
    )
