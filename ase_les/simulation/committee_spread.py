"""Disagreement of a committee during a dynamics run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from ase import Atoms

from ase_les.calculator_extensions import supports
from ase_les.simulation.alarms import disagreement_of_atoms
from ase_les.simulation.series import Series
from ase_les.simulation.states import Stateless


class CommitteeSpread(Stateless):
    """Committee standard deviations: of the energy (eV), mean and largest of the forces (eV/Å).

    Raises
    ------
    ValueError
        If the calculator is not a committee.
    """

    columns: Mapping[str, tuple[int, ...]] = {"spread": (3,)}

    def __init__(self, atoms: Atoms) -> None:
        if not supports(atoms.calc, "forces_std"):
            raise ValueError(
                "the spread needs a committee; give several models, or a file made by "
                "`ase-les committee`"
            )

    def measure(self, atoms: Atoms) -> np.ndarray:
        """Return the standard deviations (3,): of the energy, mean and largest of the forces."""
        of_atoms = disagreement_of_atoms(atoms)
        energy = atoms.calc.get_property("energy_std", atoms)
        return np.array([energy, of_atoms.mean(), of_atoms.max()])


def describe_spread(series: Series) -> dict[str, float]:
    """Return the mean standard deviations over a run, and the largest one of the forces."""
    energy, mean, largest = series.columns["spread"].T
    return {
        "energy_std_eV": float(energy.mean()),
        "force_std_eV_per_A": float(mean.mean()),
        "largest_force_std_eV_per_A": float(largest.max()),
    }
