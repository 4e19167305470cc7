"""Evaluation of a model, and results with ASE's names and shapes."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from ase.stress import full_3x3_to_voigt_6_stress

from ase_les.calculator.boundary_conditions import has_stress
from ase_les.calculator.charge_methods import array_of
from ase_les.calculator.electrodes import ElectrodeSettings, electrode_settings
from ase_les.calculator.polarizability_methods import PolarizabilityMethods
from ase_les.calculator.shared import SharedEvaluation
from ase_les.derivatives import Derivatives, EnergyModel, evaluate
from ase_les.electrostatics.energy import Plan
from ase_les.graph import Graph
from ase_les.model import LESModel, Prediction
from ase_les.response import check_conserved_charges, dipoles, has_branches


class ModelResults(PolarizabilityMethods):
    """Results of one model for a structure, in the field and scaling of the calculator."""

    # Processes that share every force call.
    _shared: SharedEvaluation | None
    # Whether the stress comes with the forces.
    _with_stress: bool

    @property
    def electrodes(self) -> ElectrodeSettings | None:
        """Electrodes at a potential or with a charge, or None; a mapping may be assigned."""
        return self._electrodes

    @electrodes.setter
    def electrodes(self, given: ElectrodeSettings | Mapping[str, Any] | None) -> None:
        chosen = electrode_settings(given)
        if chosen is not None and self._shared is not None:
            raise ValueError("`electrodes` need a calculator without `group`")
        self._electrodes = chosen
        self.parameters["electrodes"] = None if chosen is None else chosen.as_dict()

    def _whole(self, atoms: Atoms, graph: Graph) -> Graph:
        """Return the graph with the edges of all processes."""
        return graph if self._shared is None else self._graphs.at(atoms)

    def _results_of(
        self,
        engine: LESModel,
        atoms: Atoms,
        graph: Graph,
        plan: Plan | None,
        requested: AbstractSet[str],
    ) -> dict[str, Any]:
        """Evaluate one model."""
        # Cell relaxations and barostats request the stress after the forces of every step: after
        # the first request both come from one pass (the stress adds a few per cent).
        self._with_stress |= "stress" in requested
        with_stress = self._with_stress and has_stress(atoms)
        model: EnergyModel = engine
        if self._is_driven:
            if self._shared is not None:
                raise ValueError("a field needs a calculator without `group`")
            model = self._enthalpy(engine, atoms)
            if self._field.any():
                check_conserved_charges(engine)
                with_stress = with_stress and not has_branches(engine, graph)
            elif graph.pbc.all():
                # Electrodes at the faces of one metal: a field along the normal.
                with_stress = False
        parts = {
            "forces": not requested.isdisjoint({"forces", "stress", "energies"}),
            "stress": with_stress,
            "energies": "energies" in requested,
        }
        if self._shared is None:
            prediction, derivatives = evaluate(model, graph, plan, **parts)
        else:
            prediction, derivatives = self._shared.derivatives(graph, plan, **parts)
        # After the evaluation, which refuses structures without an energy in the field.
        if self._is_driven and "stress" in requested and not with_stress:
            raise PropertyNotImplementedError(
                "in a field the stress needs a polarization without branches; formal charges "
                "and metals have none. Keep the cell fixed"
            )
        return self._named(engine, prediction, derivatives, atoms, graph, requested)

    def _named(
        self,
        engine: LESModel,
        prediction: Prediction,
        derivatives: Derivatives | None,
        atoms: Atoms,
        graph: Graph,
        requested: AbstractSet[str],
    ) -> dict[str, Any]:
        """Return a prediction with ASE's names, including charges and derived properties."""
        results = ase_results(prediction, derivatives)
        if self._has_charges:
            scaling = self._charge_scaling(atoms)
            results |= charge_results(prediction, atoms, scaling)
            if self._electrodes is not None and prediction.metal is not None:
                shared = scaling * array_of(prediction.metal)
                results["electrode_charges"] = np.array(
                    [shared[list(each)].sum() for each in self._electrodes.groups]
                )
            if "polarization" in requested:
                if self._shared is not None:
                    graph = self._whole(atoms, graph)
                    with torch.no_grad():
                        prediction = engine(graph, None)
                moment = array_of(dipoles(engine, prediction, graph)[0])
                results["polarization"] = self._factor(atoms) @ moment / atoms.get_volume()
        return results


def ase_results(prediction: Prediction, derivatives: Derivatives | None) -> dict[str, Any]:
    """Return energy and, if computed, forces, stress (Voigt order) and atomic energies."""
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


def charge_results(prediction: Prediction, atoms: Atoms, scaling: float) -> dict[str, Any]:
    """Return physical charges, and the dipole of a finite structure about its center of mass."""
    results: dict[str, Any] = {"charges": scaling * array_of(prediction.charges[:, 0])}
    if not atoms.pbc.any():
        arms = atoms.positions - atoms.get_center_of_mass()
        results["dipole"] = results["charges"] @ arms
    return results
