"""Results of a prediction under the names and in the shapes of ASE."""

from __future__ import annotations

from typing import Any

from ase.stress import full_3x3_to_voigt_6_stress

from ase_les.calculator.charge_methods import array_of
from ase_les.derivatives import Derivatives
from ase_les.model import Prediction


def ase_results(prediction: Prediction, derivatives: Derivatives | None) -> dict[str, Any]:
    """Return energy, and forces, stress (Voigt order) and energies of atoms if they are known."""
    energy = prediction.energy[0].item()
    results: dict[str, Any] = {"energy": energy, "free_energy": energy}
    if derivatives is None:
        return results
    results["forces"] = array_of(derivatives.forces)
    if derivatives.stress is not None:
        results["stress"] = full_3x3_to_voigt_6_stress(array_of(derivatives.stress[0]))
    if derivatives.energies is not None:
        results["energies"] = array_of(derivatives.energies)
    return results
