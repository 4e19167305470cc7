"""Calculator of a committee: means over its members and their spread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
from ase import Atoms

from ase_les.calculator.boundary_conditions import has_stress
from ase_les.calculator.les_calculator import LESCalculator
from ase_les.calculator.settings import Source, load_committee
from ase_les.committee import Committee, CommitteeEngine, committee_hash, spread_scales
from ase_les.graph import Graph
from ase_les.response import charge_reach_A

_SPREADS = {
    name: f"{name}_std"
    for name in (
        *("energy", "energies", "forces", "stress"),
        *("charges", "dipole", "polarization", "born_effective_charges"),
    )
}


class CommitteeCalculator(LESCalculator):
    r"""Mean results of a committee and their spread; created by `LESCalculator`.

    Every property of `LESCalculator` is the mean over the members. The standard deviation over
    the members, with M − 1 in the denominator, has the name of the property with suffix ``_std``:
    ``energy_std`` (eV), ``forces_std`` (N, 3) in eV/Å, ``stress_std``, ``charges_std``,
    ``born_effective_charges_std`` … It is multiplied by the scale of the calibration in the card
    of the committee, if it has one: that of energies for ``energy_std`` and ``energies_std``, that
    of forces for ``forces_std`` and ``stress_std``.

    Members share the neighbor list, plans of long-range sums that are equal, and features of equal
    representations. The mean of a last-layer committee is one model (`ase_les.committee`): its
    forces cost as much as those of one model, and spreads are computed on request. Spreads of
    other committees are computed with the forces.

    Examples
    --------
    >>> atoms.calc = LESCalculator(["a.safetensors", "b.safetensors"])  # doctest: +SKIP
    >>> atoms.calc.get_property("forces_std", atoms)  # doctest: +SKIP
    """

    model: Committee
    _committee: CommitteeEngine

    def __init__(self, model: Source, *arguments: Any, **settings: Any):
        super().__init__(model, *arguments, **settings)
        if self._shared is not None:
            raise ValueError("a committee cannot be shared by a `group`; calculate with one model")
        self._settings = (arguments, settings)
        self._signs_checked = not self._has_charges
        self._apart: tuple[LESCalculator, ...] | None = None
        self.implemented_properties = [
            *self.implemented_properties,
            *(_SPREADS[name] for name in self.implemented_properties if name in _SPREADS),
        ]

    def _load(self, model: Source) -> None:
        self.model = load_committee(model)
        self._judged = self.model.members[0]
        self.model_hash = committee_hash(self.model)
        self._scales = spread_scales(self.model)

    def _prepare(self, device: str, dtype: str, accuracy: float | None, kernels: bool) -> None:
        self._committee = self.model.for_inference(device, dtype, accuracy, kernels)
        self._evaluated = self._committee
        # Getters that use it are replaced by means below.
        self._engine = self._committee.members[0]

    def _energy_results(
        self, atoms: Atoms, graph: Graph, plan: Any, requested: AbstractSet[str]
    ) -> dict[str, Any]:
        central = self._committee.central
        results = {}
        if central is not None:
            results = self._results_of(central, atoms, graph, plan[0], requested)
            if requested.isdisjoint(_SPREADS.values()) and self._signs_checked:
                return results
        members = self._of_members(atoms, graph, plan, requested)
        if self._has_charges:
            self._warnings.check_signs([each["charges"] for each in members])
        self._signs_checked = True
        return {**_means(members), **results, **self._spreads(members)}

    def _of_members(
        self, atoms: Atoms, graph: Graph, plans: Sequence, requested: AbstractSet[str]
    ) -> list[dict[str, Any]]:
        """Return the results of every member."""
        engines = self._committee.members
        requested = requested | {name for name, std in _SPREADS.items() if std in requested}
        if self._is_driven:
            return [
                self._results_of(engine, atoms, graph, plan, requested)
                for engine, plan in zip(engines, plans, strict=True)
            ]
        self._with_stress |= "stress" in requested
        forces = not requested.isdisjoint({"forces", "stress", "energies"})
        predictions, derivatives = self._committee.evaluate(
            graph,
            tuple(plans),
            forces=forces,
            stress=has_stress(atoms) and self._with_stress,
            energies="energies" in requested,
        )
        none = [None] * len(engines)
        return [
            self._named(engine, prediction, derived, atoms, graph, requested)
            for engine, prediction, derived in zip(
                engines, predictions, derivatives or none, strict=True
            )
        ]

    def _born_results(
        self, atoms: Atoms, graph: Graph, requested: AbstractSet[str]
    ) -> dict[str, np.ndarray]:
        name = "born_effective_charges"
        if requested.isdisjoint({name, _SPREADS[name]}):
            return {}
        central, plans = self._committee.central, self._graphs.plan(graph)
        if central is not None and _SPREADS[name] not in requested:
            return {name: self._born_charges(central, atoms, graph, plans[0])}
        each = [
            {name: self._born_charges(member, atoms, graph, plan)}
            for member, plan in zip(self._committee.members, plans, strict=True)
        ]
        return _means(each) | self._spreads(each)

    def _spreads(self, members: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        scales = {
            "energy": self._scales["energy"],
            "energies": self._scales["energy"],
            "forces": self._scales["forces"],
            "stress": self._scales["forces"],
        }
        return {
            _SPREADS[name]: scales.get(name, 1.0) * _std([each[name] for each in members])
            for name in members[0]
            if name in _SPREADS
        }

    def _calculators(self) -> tuple[LESCalculator, ...]:
        """Return a calculator of the central model, or those of the members."""
        if self._apart is None:
            central = self.model.central
            models = self.model.members if central is None else (central,)
            arguments, settings = self._settings
            self._apart = tuple(LESCalculator(each, *arguments, **settings) for each in models)
        for each in self._apart:
            each.field_V_per_A = self.field_V_per_A
            each.electrodes = self.electrodes
            if not np.array_equal(each.dielectric, self.dielectric):
                each.dielectric = self.dielectric
        return self._apart

    @property
    def charge_reach_A(self) -> float:
        """Distance beyond which a displaced atom changes charges at most by a uniform shift."""
        return max(map(charge_reach_A, self._committee.members))


def _mean_of_calculators(name: str) -> Callable:
    def method(self: CommitteeCalculator, atoms: Atoms | None = None, *given: Any, **more: Any):
        atoms = self.atoms if atoms is None else atoms
        found = [getattr(each, name)(atoms, *given, **more) for each in self._calculators()]
        if isinstance(found[0], dict):
            return {key: float(np.mean([each[key] for each in found])) for key in found[0]}
        if isinstance(found[0], tuple):
            return tuple(np.mean(parts, axis=0) for parts in zip(*found, strict=True))
        return np.mean(found, axis=0)

    method.__name__ = name
    method.__doc__ = f"Return the mean over the members, see `LESCalculator.{name}`."
    return method


for _name in (
    *("get_current", "get_quadrupole", "get_cell_dipole", "get_local_charges"),
    *("get_potential_and_field", "get_born_effective_charges", "get_electrode_state"),
    *("get_polarizability", "get_atomic_polarizabilities", "get_polarizability_derivatives"),
    *("get_metal_potential",),
):
    setattr(CommitteeCalculator, _name, _mean_of_calculators(_name))


def _means(members: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: _mean([each[name] for each in members]) for name in members[0]}


def _mean(values: Sequence[Any]) -> Any:
    mean = np.mean(values, axis=0)
    return float(mean) if np.ndim(mean) == 0 else mean


def _std(values: Sequence[Any]) -> Any:
    std = np.std(values, axis=0, ddof=1)
    return float(std) if np.ndim(std) == 0 else std
