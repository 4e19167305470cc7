"""Charges and response properties that are not among ASE's properties."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from threading import RLock
from typing import Any, TypeVar, cast

import numpy as np
import torch
from ase import Atoms, units
from ase.calculators.calculator import Calculator, PropertyNotImplementedError
from torch import Tensor

from ase_les.calculator.electrodes import ElectrodeSettings
from ase_les.calculator.graph_cache import GraphCache
from ase_les.electrostatics.energy import Plan
from ase_les.electrostatics.potential import potential_at, potential_at_atoms
from ase_les.graph import Graph
from ase_les.model import LESModel
from ase_les.response import (
    Electrodes,
    FieldEnthalpy,
    born_charges,
    born_charges_by_phase,
    cell_dipole,
    charge_reach_A,
    currents,
    electrode_graph,
    electrode_state,
    has_dipole,
    latent_charges,
    metal_level,
    quadrupoles,
)
from ase_les.screening import isotropic

Method = TypeVar("Method", bound=Callable[..., Any])


def exclusive(method: Method) -> Method:
    """Allow one thread at a time in the method of a calculator."""

    @wraps(method)
    def locked(self: ChargeMethods, *arguments: Any, **keywords: Any) -> Any:
        with self._lock:
            return method(self, *arguments, **keywords)

    return cast(Method, locked)


class ChargeMethods(Calculator):
    """Base class of `LESCalculator` with the methods that go beyond ASE's properties."""

    _lock: RLock
    _engine: LESModel
    _device: torch.device
    _graphs: GraphCache
    _has_charges: bool
    _field: np.ndarray
    _electrodes: ElectrodeSettings | None
    # Key and periodic directions of the sums of the last structure with electrodes.
    _arrangement: tuple[Any, Tensor] | None = None
    # Square root of the dielectric tensor, and the factor of charges (`ase_les.screening`).
    _screening: np.ndarray
    _scaling: float

    def get_charges(self, atoms: Atoms | None = None, kind: str = "physical") -> np.ndarray:
        r"""Return charges (N,) in e.

        Parameters
        ----------
        atoms : ase.Atoms or None
            None for the structure of the last calculation.
        kind : str
            "physical": the property ``charges``. "latent": see `get_latent_charges`. "gapt":
            see `get_gapt_charges`.

        Raises
        ------
        PropertyNotImplementedError
            If the model has no charges, or more than one per atom.
        ValueError
            If the kind is unknown, or the structure has no Born charges ("gapt").
        """
        if kind == "physical":
            return self.get_property("charges", atoms)
        if kind == "latent":
            return self.get_latent_charges(atoms)
        if kind == "gapt":
            return self.get_gapt_charges(atoms)
        raise ValueError(f"`kind` must be 'physical', 'latent' or 'gapt', got {kind!r}")

    @exclusive
    def get_latent_charges(self, atoms: Atoms | None = None) -> np.ndarray:
        """Return the latent charges (N,) in e, which define the long-range energy as in vacuum.

        Parameters
        ----------
        atoms : ase.Atoms or None
            None for the structure of the last calculation.

        Raises
        ------
        PropertyNotImplementedError
            If the model has no charges, or more than one per atom.
        """
        atoms = self.atoms if atoms is None else atoms
        return self.get_property("charges", atoms) / self._charge_scaling(atoms)

    def get_gapt_charges(self, atoms: Atoms | None = None) -> np.ndarray:
        r"""Return generalized atomic polar tensor charges (N,) in e [1]_, isotropic Born charges.

        .. math::
            q^\mathrm{GAPT}_i = \tfrac13 \operatorname{tr} Z^*_i

        They are determined by forces: independently trained models of one material agree in them,
        but hardly in their atomic charges. They are scaled like Born charges; for a slab they
        average over the plane and the normal.

        Parameters
        ----------
        atoms : ase.Atoms or None
            None for the structure of the last calculation.

        Raises
        ------
        PropertyNotImplementedError
            If the model has no charges, or more than one per atom.
        ValueError
            If a metal is periodic along a direction, so that there is no polarization along it.

        References
        ----------
        .. [1] J. Cioslowski, J. Am. Chem. Soc. 111, 8333 (1989).
        """
        return isotropic(self.get_property("born_effective_charges", atoms))

    @exclusive
    def get_born_effective_charges(
        self, atoms: Atoms | None = None, method: str = "edges"
    ) -> np.ndarray:
        """Born effective charges (N, 3, 3) in e, [atom, polarization, displacement].

        Parameters
        ----------
        atoms : ase.Atoms or None
            None for the structure of the last calculation.
        method : str
            "edges", exact: the property ``born_effective_charges``. "phase": the published
            formula for orthorhombic cells, for comparison; too small in small cells.

        Raises
        ------
        ValueError
            If the method is unknown or does not apply.
        """
        if method == "edges":
            return self.get_property("born_effective_charges", atoms)
        if method != "phase":
            raise ValueError(f"`method` must be 'edges' or 'phase', got {method!r}")
        atoms = self.atoms if atoms is None else atoms
        with torch.enable_grad():
            born = born_charges_by_phase(self._engine, self._graphs.at(atoms))[1]
        return self._factor(atoms) @ array_of(born)

    @exclusive
    def get_current(self, atoms: Atoms | None = None) -> np.ndarray:
        r"""Electric current :math:`\sum_i Z^*_i \mathbf{v}_i`, (3,) in e Å/fs.

        This is a method and not a property because it depends on velocities. If the dipole is a
        function of positions (split charges, and finite structures with conserved charges), it is
        differentiated along the motion, which costs about a force call; otherwise Born charges are
        computed. The current is scaled with :math:`\sqrt{\epsilon_\infty}` like Born charges.

        Raises
        ------
        PropertyNotImplementedError
            If the model has no charges, or more than one per atom.
        """
        atoms = self.atoms if atoms is None else atoms
        velocities = atoms.get_velocities() * units.fs
        has_response = "born_effective_charges" in self.implemented_properties
        is_function = has_dipole(self._engine, bool(atoms.pbc.any()))
        if not (has_response and is_function) or self._shares_electrons(atoms):
            born = self.get_property("born_effective_charges", atoms)
            return np.einsum("iab,ib->a", born, velocities)
        graph = self._graphs.at(atoms)
        with torch.no_grad():
            rate = torch.tensor(velocities).to(graph.positions)
            current = currents(self._engine, graph, rate)
        return self._factor(atoms) @ array_of(current[0])

    @exclusive
    def get_quadrupole(self, atoms: Atoms | None = None) -> np.ndarray:
        r"""Traceless quadrupole (3, 3) of a finite structure in e Å², about the center of mass.

        :math:`\Theta = \frac12 \sum_i q_i (3\,\mathbf{x}_i \otimes \mathbf{x}_i - x_i^2 1)`, from
        the charges. This is a method because ASE has no such property.

        Raises
        ------
        PropertyNotImplementedError
            If the structure is periodic or the model has no charges.
        """
        atoms = self.atoms if atoms is None else atoms
        charges = torch.tensor(self.get_property("charges", atoms))
        if atoms.pbc.any():
            raise PropertyNotImplementedError(
                f"the quadrupole needs open boundaries, pbc is {atoms.pbc.tolist()}"
            )
        arms = torch.tensor(atoms.positions - atoms.get_center_of_mass())
        return array_of(quadrupoles(charges, arms, self._graphs.at(atoms).to("cpu"))[0])

    @exclusive
    def get_cell_dipole(self, atoms: Atoms | None = None) -> np.ndarray:
        r"""Return the dipole (3,) of one cell in e Å, for any boundary conditions.

        :math:`\sqrt{\epsilon_\infty} \sum_i \mathbf{m}_i` about the origin of the coordinates,
        without wrapping positions; its derivatives are the Born charges. For a crystal this is
        volume times polarization; for a slab it has all three components. No energy is computed.

        Raises
        ------
        PropertyNotImplementedError
            If the model has no charges, or they define no dipole for these boundary conditions.
        ValueError
            If the dipole of this structure is undefined.
        """
        atoms, graph = self._charged(atoms)
        if not has_dipole(self._engine, bool(atoms.pbc.any())):
            raise PropertyNotImplementedError(
                "the charges of this model are not conserved locally: a periodic cell has no "
                "dipole that follows its current. Use Born charges or the current"
            )
        with torch.no_grad():
            dipole = cell_dipole(
                self._engine, graph, self._enthalpy(self._engine, atoms), self._graphs.plan(graph)
            )
        return self._factor(atoms) @ array_of(dipole[0])

    @exclusive
    def get_local_charges(self, atoms: Atoms | None = None) -> np.ndarray:
        """Return the latent charges (N,) in e, without computing an energy.

        Raises
        ------
        PropertyNotImplementedError
            If the model has no charges, or more than one per atom.
        ValueError
            If charges equilibrate, which requires the energy.
        """
        _, graph = self._charged(atoms)
        with torch.no_grad():
            return array_of(latent_charges(self._engine, graph))

    def get_charge_factor(self, atoms: Atoms | None = None) -> np.ndarray:
        r"""Return the tensor (3, 3) from moments of latent charges to physical ones.

        :math:`\sqrt{\epsilon_\infty}` of periodic structures, 1 of finite ones.
        """
        return self._factor(self.atoms if atoms is None else atoms).copy()

    @exclusive
    def get_electrode_state(self, atoms: Atoms | None = None) -> dict[str, float]:
        r"""Return charge and potential of the electrodes, and their response at fixed positions.

        ``charge_e``: of the left electrode. ``potential_V``: of the left relative to the right one.
        ``conjugate_charge_e``: :math:`-\partial\Omega/\partial V`, equal to the charge unless the
        electrodes are the faces of one metal (`ase_les.response.electrodes`).
        ``response_e_per_V``: derivative of the conjugate charge by V at fixed positions.
        ``area_A2``: of the layers, nan if they are not periodic.

        Raises
        ------
        ValueError
            If there are no electrodes.
        """
        if self._electrodes is None:
            raise ValueError("this calculator has no electrodes: assign `electrodes`")
        atoms, graph = self._charged(atoms)
        enthalpy = self._enthalpy(self._engine, atoms)
        state = electrode_state(enthalpy, graph, self._graphs.plan(graph))
        scaling = self._charge_scaling(atoms)
        return {
            "charge_e": scaling * state.charge,
            "potential_V": state.potential / scaling,
            "conjugate_charge_e": scaling * state.conjugate,
            "response_e_per_V": scaling**2 * state.response,
            "area_A2": state.area,
        }

    @exclusive
    def get_metal_potential(self, atoms: Atoms | None = None) -> float:
        """Return the potential in V of the charges that metal atoms share, on physical charges.

        For a slab relative to the mean of the vacuum on both sides, and with a constant of the
        metal: `ase_les.properties.absolute_potential` calibrates it. With electrodes it is that of
        the right one.

        Raises
        ------
        ValueError
            If no atoms share electrons.
        """
        atoms, graph = self._charged(atoms)
        if not self._shares_electrons(atoms):
            raise ValueError("no atoms of this structure share electrons in this model")
        enthalpy = self._enthalpy(self._engine, atoms)
        level = metal_level(enthalpy, graph, self._graphs.plan(graph))
        return level / self._charge_scaling(atoms)

    @property
    def charge_reach_A(self) -> float:
        """Distance beyond which a displaced atom changes charges at most by a uniform shift."""
        return charge_reach_A(self._engine)

    @exclusive
    def get_potential_and_field(
        self, atoms: Atoms | None = None, points: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Electrostatic potential (P,) in V and field (P, 3) in V/Å of the latent charges.

        Both belong to latent charges: potential and field for physical charges are smaller by the
        ratio of physical to latent charges (see the class). `field_V_per_A` is not included. The
        zero of the potential is defined in `ase_les.electrostatics.potential`.

        Parameters
        ----------
        atoms : ase.Atoms or None
            None for the structure of the last calculation.
        points : array of shape (P, 3) or None
            In Å. None for the positions of the atoms, without the charge of the atom itself but
            with its periodic images: half the sum of latent charges times potentials is then the
            long-range energy without self-energy.

        Raises
        ------
        PropertyNotImplementedError
            If the model has no charges, or more than one per atom.
        """
        atoms = self.atoms if atoms is None else atoms
        charges = torch.tensor(self.get_latent_charges(atoms), device=self._device)[:, None]
        graph = self._graph_of(atoms)
        sums = self._engine.latent_electrostatics.electrostatics
        if points is None:
            found = potential_at_atoms(sums, graph, charges)
        else:
            found = potential_at(sums, graph, charges, torch.tensor(points).to(graph.positions))
        return array_of(found.potential[:, 0]), array_of(found.field[:, 0])

    def _charged(self, atoms: Atoms | None) -> tuple[Atoms, Graph]:
        """Return the structure (default: of the last calculation) and its graph with charges."""
        if not self._has_charges:
            raise PropertyNotImplementedError("this model does not have one charge per atom")
        atoms = self.atoms if atoms is None else atoms
        return atoms, self._graph_of(atoms)

    @property
    def _is_driven(self) -> bool:
        """Whether a field or electrodes act on the charges."""
        return bool(self._field.any()) or self._electrodes is not None

    def _shares_electrons(self, atoms: Atoms) -> bool:
        long_range = self._engine.long_range
        shared = None if long_range is None else long_range.equilibration
        return shared is not None and not set(shared.config.elements).isdisjoint(atoms.symbols)

    def _enthalpy(self, engine: LESModel, atoms: Atoms) -> FieldEnthalpy:
        """Return the model with the field and electrodes of this calculator."""
        # Latent charges are smaller than physical ones by √ε∞.
        force_per_charge = torch.tensor(self._factor(atoms) @ self._field).to(self._device)
        return FieldEnthalpy(engine, force_per_charge, self._latent_electrodes(atoms))

    def _latent_electrodes(self, atoms: Atoms) -> Electrodes | None:
        if self._electrodes is None:
            return None
        return self._electrodes.latent(self._charge_scaling(atoms), self._device)

    def _graph_of(self, atoms: Atoms) -> Graph:
        """Return the graph, with the periodic directions of the sums if there are electrodes."""
        graph = self._graphs.at(atoms)
        if self._electrodes is None:
            return graph
        # `electrode_graph` refuses indices beyond the last atom.
        chosen = [k for each in self._electrodes.groups for k in each if k < len(atoms)]
        # The arrangement depends on the metal, and on whether edges cross the faces of the cell.
        key = (
            self._electrodes,
            *(each.tobytes() for each in (atoms.numbers, atoms.cell.array, atoms.pbc)),
            atoms.positions[chosen].tobytes(),
            tuple(graph.shifts.any(dim=0).tolist()),
        )
        if self._arrangement is None or self._arrangement[0] != key:
            electrodes = self._latent_electrodes(atoms)
            assert electrodes is not None
            self._arrangement = key, electrode_graph(self._engine, graph, electrodes).pbc
        return graph._replace(pbc=self._arrangement[1])

    def _factor(self, atoms: Atoms) -> np.ndarray:
        """Tensor from latent to physical moments; finite structures are in vacuum."""
        return self._screening if atoms.pbc.any() else np.eye(3)

    def _charge_scaling(self, atoms: Atoms) -> float:
        """Ratio of physical to latent charges."""
        return self._scaling if atoms.pbc.any() else 1.0

    def _born_charges(
        self, engine: LESModel, atoms: Atoms, graph: Graph, plan: Plan | None = None
    ) -> np.ndarray:
        center = torch.tensor(atoms.get_center_of_mass()[None], device=self._device)
        with torch.enable_grad():
            enthalpy = self._enthalpy(engine, atoms)
            born = born_charges(engine, graph, center, enthalpy=enthalpy, plan=plan)[1]
        return self._factor(atoms) @ array_of(born)


def array_of(values: Tensor) -> np.ndarray:
    """Return a float64 array of values, without their gradient."""
    return values.detach().cpu().numpy().astype(np.float64)
