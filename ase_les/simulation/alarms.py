"""Signs that a run has left what its model was made for; each stops it and says why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import vesin
from ase import Atoms
from ase.data import covalent_radii

from ase_les.simulation.ensembles import DynamicsSettings

CONTACT_FRACTION = 0.85
"""Of the closest contact in the training data: a long run comes a little closer than few frames."""

COVALENT_FRACTION = 0.5
SMALLEST_SEARCH_A = 0.1
"""Å; vesin takes no smaller cutoff."""

FORCE_FACTOR = 2.0


@dataclass(frozen=True)
class Limits:
    """What atoms of a run must not do.

    Attributes
    ----------
    max_temperature_K, max_temperature_jump_K : float
        The latter within one step.
    closest_A : (n_elements, n_elements) array
        Smallest distance by atomic numbers.
    max_force_eV_per_A, max_dipole_change_eA : float
        inf where nothing is asked.
    """

    max_temperature_K: float
    max_temperature_jump_K: float
    closest_A: np.ndarray
    max_force_eV_per_A: float
    max_dipole_change_eA: float

    def of_temperature(self, temperature_K: float, before_K: float) -> str | None:
        """What is wrong with the temperature, if anything."""
        if not temperature_K <= self.max_temperature_K:
            return (
                f"the temperature, {temperature_K:.4g} K, exceeds max_temperature_K = "
                f"{self.max_temperature_K:g} K: the time step is too long, or the atoms are where "
                "the calculator was never meant to be"
            )
        if temperature_K - before_K > self.max_temperature_jump_K:
            return (
                f"the temperature jumped from {before_K:.4g} to {temperature_K:.4g} K in one step, "
                f"by more than max_temperature_jump_K = {self.max_temperature_jump_K:g} K: the "
                "time step is too long, or the atoms are where the calculator was never meant to be"
            )
        return None

    def of_structure(self, atoms: Atoms) -> str | None:
        """What is wrong with distances or forces, if anything."""
        return self._contact(atoms) or self._force(atoms)

    def of_dipole(self, first: np.ndarray, last: np.ndarray) -> str | None:
        """What is wrong with the dipole, if anything."""
        change = float(np.linalg.norm(last - first))
        if change <= self.max_dipole_change_eA:
            return None
        return (
            f"the dipole has moved by {change:.4g} e Å since the start, more than "
            f"max_dipole_change_eA = {self.max_dipole_change_eA:g}: charge runs away, or the field "
            "is too strong"
        )

    def _contact(self, atoms: Atoms) -> str | None:
        kinds = np.unique(atoms.numbers)
        reach = float(self.closest_A[np.ix_(kinds, kinds)].max())
        finder = vesin.NeighborList(
            cutoff=max(reach, SMALLEST_SEARCH_A), full_list=False, n_threads=1
        )
        first, second, distance = finder.compute(
            points=atoms.positions,
            box=atoms.cell.array,
            periodic=atoms.pbc.tolist(),
            quantities="ijd",
        )
        allowed = self.closest_A[atoms.numbers[first], atoms.numbers[second]]
        excess = allowed - distance
        if not len(excess) or excess.max() <= 0:
            return None
        worst = int(excess.argmax())
        i, j = first[worst], second[worst]
        return (
            f"atoms {i} ({atoms.symbols[i]}) and {j} ({atoms.symbols[j]}) are "
            f"{distance[worst]:.3f} Å apart, closer than {allowed[worst]:.3f} Å, which the model "
            "was not made for (min_distance_A)"
        )

    def _force(self, atoms: Atoms) -> str | None:
        if np.isinf(self.max_force_eV_per_A):
            return None
        forces = np.linalg.norm(atoms.get_forces(apply_constraint=False), axis=1)
        worst = int(forces.argmax())
        if forces[worst] <= self.max_force_eV_per_A:
            return None
        return (
            f"the force on atom {worst} ({atoms.symbols[worst]}) is {forces[worst]:.4g} eV/Å, more "
            f"than {self.max_force_eV_per_A:g}, beyond what the model was made for "
            "(max_force_eV_per_A)"
        )


def make_limits(settings: DynamicsSettings, calculator: object) -> Limits:
    """The limits of a run, from its settings and from the model's card if there is one."""
    card = model_card(calculator)
    trained = card.get("closest_contact_A")
    if settings.min_distance_A is not None:
        closest = np.full((len(covalent_radii),) * 2, settings.min_distance_A)
    elif trained is not None:
        closest = np.full((len(covalent_radii),) * 2, CONTACT_FRACTION * float(trained))
    else:
        closest = COVALENT_FRACTION * (covalent_radii[:, None] + covalent_radii)
    force = settings.max_force_eV_per_A
    if force is None:
        force = FORCE_FACTOR * float(card.get("largest_force_eV_per_A", np.inf))
    dipole = settings.max_dipole_change_eA
    return Limits(
        max_temperature_K=settings.max_temperature_K,
        max_temperature_jump_K=settings.max_temperature_jump_K,
        closest_A=closest,
        max_force_eV_per_A=force,
        max_dipole_change_eA=np.inf if dipole is None else dipole,
    )


def model_card(calculator: object) -> Mapping[str, object]:
    """What the calculator's model says about itself; empty where it says nothing."""
    return getattr(getattr(calculator, "model", None), "card", None) or {}
