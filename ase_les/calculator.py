"""The calculator: from ASE atoms to ASE results, the only place that knows both torch and ASE."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms, units
from ase.calculators.calculator import (
    Calculator,
    PropertyNotImplementedError,
    all_changes,
    equal,
    external_calculators,
    register_calculator_class,
)
from ase.stress import full_3x3_to_voigt_6_stress
from torch import Tensor, nn

from ase_les.boundary_conditions import check_boundaries, has_stress
from ase_les.charge_sign import OPPOSES, judge_sign, mean_by_element, sign_is_free, told
from ase_les.contacts import check_finite
from ase_les.derivatives import Derivatives, differentiate
from ase_les.electrostatics.potential import potential_at, potential_at_atoms
from ase_les.graph import Graph, check_geometry, total_charge_of
from ase_les.model import LESModel
from ase_les.model_io import load_model, model_hash, shipped_models
from ase_les.moving_graph import MovingGraph
from ase_les.response import (
    InField,
    born_charges,
    born_charges_by_phase,
    cell_dipole,
    charge_reach_A,
    check_field,
    currents,
    dipoles,
    has_branches,
    has_dipole,
    has_polarization,
    latent_charges,
    quadrupoles,
)
from ase_les.screening import charge_scaling, screening_factor
from ase_les.units import COULOMB_CONSTANT

# Net charge in e of a periodic cell that its user should know of, and that per atom of it when
# the model does not constrain its charges: the sum over neutral water is then 0.1 to 0.2 e.
_NET_CHARGE = 1e-3
_MODEL_NET_CHARGE = 0.01

# From the warning up to the line that asked ASE for a property.
_FRAMES_TO_THE_USER = 6
_OF_CHARGES = ("charges", "dipole", "polarization", "born_effective_charges", "dielectric_tensor")
_BORN_CHARGES = "born_effective_charges"
# What needs no energy.
_BESIDE_THE_ENERGY = {"born_effective_charges", "dielectric_tensor"}


class LESCalculator(Calculator):
    r"""Energy, forces, stress and electrical response of atoms from a Latent Ewald Summation model.

    ==========================  ======  =======================================================
    Property                    Unit    Meaning
    ==========================  ======  =======================================================
    ``energy``                  eV      also as ``free_energy``; in a field the enthalpy
    ``energies``                eV      share of each atom; their sum is the energy
    ``forces``                  eV/Å
    ``stress``                  eV/Å³   Voigt order xx yy zz yz xz xy, tension positive; three
                                        periodic directions, or two: a slab has stress in its
                                        plane only, per volume of the cell as it is given,
                                        vacuum included
    ``charges``                 e       physical: :math:`s` times the latent ones, see below
    ``dipole``                  e Å     :math:`\sum_i q_i (\mathbf{r}_i - \mathbf{R})`, no
                                        periodic direction only; :math:`\mathbf{R}` is the
                                        centre of mass, which matters for charged molecules
    ``polarization``            e/Å²    three periodic directions only; see below
    ``born_effective_charges``  e       (N, 3, 3) [atom, polarization, displacement]
    ``dielectric_tensor``               (3, 3), the :math:`\epsilon_\infty` that scales the four
                                        above: `dielectric`, or 1 for finite structures
    ==========================  ======  =======================================================

    Charges and what follows need a model with one charge per atom. ``atoms.info["charge"]`` is
    the total charge in e, 0 when absent. Positions are read as they are, never wrapped into the
    cell.

    Charges, dipole, polarization, Born charges and current are *physical*, in one scale. The model
    has latent charges :math:`q_i`, which interact as in vacuum; with :math:`s = \tfrac13
    \operatorname{tr} \epsilon_\infty^{1/2}` (:math:`\sqrt{\epsilon_\infty}` where it is a
    number) the charges of structures with periodic directions, slabs included, are :math:`s q_i`;
    those of finite structures are the latent ones (`ase_les.screening`). `get_latent_charges` gives
    the latter always, and potential and field are theirs. `dielectric_tensor` comes with charges in
    all results and so in trajectories: it tells how they are scaled.

    What sits on atoms and what moves with them need not be the same: `get_gapt_charges` gives
    the isotropic Born charges :math:`\operatorname{tr} Z^*_i/3`.

    The *polarization* is :math:`\epsilon_\infty^{1/2} \sum_i \mathbf{m}_i / V`. With split
    charges and no formal charges it is made of transfers along edges: the same for every choice of
    periodic images, zero where nothing is transferred. Formal charges add
    :math:`\sum_i q_0 \mathbf{r}_i` and with it the branch of the positions as they are: leave
    them unwrapped and it is followed. For other models it is :math:`\sum_i q_i \mathbf{r}_i`
    throughout, which means something for whole molecules in neutral cells; their charges are not
    conserved locally, so that only the Born charges, not differences of this, are exact.

    Born charges of finite structures are the derivative of the dipole about a fixed centre of
    mass. Under periodic boundaries they follow edge vectors and do not depend on the cell
    (`ase_les.response`).

    Where atoms share electrons, as those of a metal do in models with
    `ase_les.electrostatics.equilibration`, there is no polarization, no Born charges and no field.

    `get_cell_dipole` is the moment whose slopes the Born charges are, of crystals, slabs and
    molecules alike. Of slabs they are those at a field of zero inside, all three components scaled
    with :math:`\sqrt{\epsilon_\infty}`; the dipole that shows outside, where a field along the
    normal is screened by the electrons of the slab, is :math:`\epsilon_\infty` times smaller along
    the normal.

    In a *field* energy and forces become those of the enthalpy :math:`E - \boldsymbol{\mathcal{E}}
    \cdot V \mathbf{P}` (finite: :math:`E - \boldsymbol{\mathcal{E}} \cdot \sum_i q_i
    \mathbf{r}_i`, so that an ion feels its charge times the field); kinetic energy plus enthalpy is
    conserved. The field is the macroscopic one and moves nuclei and latent charges; the electronic
    energy :math:`-\tfrac12 V \chi_\infty \mathcal{E}^2` is left out. The stress is the derivative
    of the enthalpy at constant field.

    Parameters
    ----------
    model : str, Path or LESModel
        Name of a shipped model, path of a model file or a published checkpoint, or a
        model, of which a frozen copy is taken.
    device : str
        As torch names it: "cpu", "cuda", "cuda:1" …
    dtype : str
        Precision of the network, "float32" or "float64". Geometry and electrostatics are
        float64 in both; choose "float64" for finite differences and phonons.
    skin : float
        In Å; neighbours are searched again only after an atom may have moved half of it.
    accuracy : float or None
        Relative error of the long-range forces that is small enough. Structures of some
        hundreds of atoms and more are summed on a mesh that reaches it; smaller ones exactly, as
        all are with None.
    dielectric : float, array of shape (3, 3), or None
        Electronic dielectric constant or tensor :math:`\epsilon_\infty` of the bulk, relative to
        vacuum. Its square root turns latent into physical charges, Born charges and polarization
        of periodic structures; finite ones stand in vacuum. None takes what the card of the model
        has, if anything; 1 gives latent values.
    field_V_per_A : sequence of three floats
        Uniform electric field in V/Å. May be assigned at any time, also during a run.

    Attributes
    ----------
    implemented_properties : list of str
        What works for this model.
    model_hash : str
        Stands for config and weights of the model.

    Raises
    ------
    FileNotFoundError
        If there is no such model.
    ValueError
        If the file holds no model, or a setting is unknown.

    References
    ----------
    .. [1] B. Cheng, npj Comput. Mater. 11, 80 (2025).
    .. [2] King, Kim, Zhong, Cheng, Nat. Commun. 16, 8763 (2025).

    Examples
    --------
    >>> from ase.build import molecule
    >>> atoms = molecule("H2O")
    >>> atoms.calc = LESCalculator("water-rpbe-d3")  # doctest: +SKIP
    >>> atoms.get_forces()  # doctest: +SKIP
    """

    name = "les"
    implemented_properties = [  # noqa: RUF012 - ASE's own convention
        "energy",
        "free_energy",
        "energies",
        "forces",
        "stress",
        *_OF_CHARGES,
    ]
    # The model does not read them: changing them must not cost a calculation.
    ignored_changes = {"initial_charges", "initial_magmoms"}  # noqa: RUF012
    polarization_follows_positions = True
    """Its changes are whole, not up to quanta, as long as positions are not wrapped."""

    def __init__(
        self,
        model: str | Path | LESModel,
        device: str = "cpu",
        dtype: str = "float32",
        skin: float = 0.5,
        accuracy: float | None = 1e-4,
        dielectric: float | Sequence | None = None,
        field_V_per_A: Sequence[float] = (0.0, 0.0, 0.0),
    ):
        super().__init__()
        self._kept_born_charges: np.ndarray | None = None
        self.model = model if isinstance(model, LESModel) else load_model(model)
        self._is_from_memory = isinstance(model, LESModel)
        self.model_hash = model_hash(self.model)
        self._engine = self.model.for_inference(str(device), dtype, accuracy)
        self._device = torch.device(device)
        self._graph = MovingGraph(self.model, skin, self._device)
        self._stress_follows = False
        self._warned_of_charge = self._warned_of_total_charge = self._warned_of_sign = False
        if dielectric is None:
            dielectric = self.model.card.get("dielectric", 1.0)
        self._dielectric = _dielectric_tensor(dielectric)
        self._screening = screening_factor(self._dielectric)
        self._scaling = charge_scaling(self._dielectric)
        self.parameters.update(
            model=_origin(model, self.model_hash),
            device=str(device),
            dtype=dtype,
            skin=float(skin),
            accuracy=accuracy,
            dielectric=np.asarray(dielectric, float).tolist(),
        )
        self._field_of_results = self._field = np.zeros(3)
        self.field_V_per_A = field_V_per_A
        long_range = self.model.config.long_range
        self._has_charges = long_range is not None and long_range.charges.n_channels == 1
        self.implemented_properties = [
            name
            for name in type(self).implemented_properties
            if self._has_charges or name not in _OF_CHARGES
        ]

    @property
    def field_V_per_A(self) -> tuple[float, float, float]:
        """Uniform electric field in V/Å."""
        return tuple(self._field.tolist())

    @field_V_per_A.setter
    def field_V_per_A(self, field: Sequence[float]) -> None:
        given = np.array(field, dtype=float)
        if given.shape != (3,) or not np.isfinite(given).all():
            raise ValueError(f"`field_V_per_A` must be three finite numbers, got {field!r}")
        self._field = given
        self.parameters["field_V_per_A"] = given.tolist()

    def set(self, **settings) -> dict:
        """Settings are fixed when the calculator is made.

        Raises
        ------
        TypeError
            If any is given.
        """
        if settings:
            raise TypeError(
                f"settings of an LESCalculator cannot be changed, got {sorted(settings)}. "
                "Make a new LESCalculator with them"
            )
        return {}

    def reset(self) -> None:
        """Forget the last calculation, the neighbour list and the mesh of the long-range sum.

        Restarts rely on it: after a reset, what follows does not depend on what
        came before, down to the order in which neighbours are summed.
        """
        super().reset()
        self._kept_born_charges = None
        if self._engine.electrostatics is not None:
            self._engine.electrostatics.periodic_sum.forget()
        self._graph.forget()
        self._stress_follows = False

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """What has changed since the last calculation; charge, spin, masses and field included."""
        changes = super().check_state(atoms, tol)
        if self.atoms is not None:
            changes += [
                entry
                for entry in ("charge", "spin")
                if not equal(self.atoms.info.get(entry), atoms.info.get(entry))
            ]
            # The dipole of a charged molecule is taken about the centre of mass.
            if not equal(self.atoms.arrays.get("masses"), atoms.arrays.get("masses")):
                changes.append("masses")
            if not np.array_equal(self._field, self._field_of_results):
                changes.append("field_V_per_A")
        return changes

    def get_property(
        self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True
    ) -> Any:
        """See ASE. Born charges are kept outside of ``results``, where ASE's writers fail on them.

        They cannot write arrays of shape (N, 3, 3) as extended XYZ.
        """
        if self._kept_born_charges is not None:
            self.results[_BORN_CHARGES] = self._kept_born_charges
        try:
            return super().get_property(name, atoms, allow_calculation)
        finally:
            self._kept_born_charges = self.results.pop(_BORN_CHARGES, None)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Fill ``results`` for `atoms`, with `properties` and whatever the same pass gives.

        Raises
        ------
        ValueError
            If the structure cannot be evaluated; ``results`` are then as before.
        PropertyNotImplementedError
            If a property has no meaning under these boundary conditions.
        """
        atoms = self.atoms if atoms is None else atoms
        if atoms is None:
            raise ValueError("no structure to calculate: give `atoms`")
        check_geometry(atoms)
        check_boundaries(properties, atoms)
        graph = self._graph.at(atoms)
        wanted = set(properties)
        results: dict[str, float | np.ndarray] = {}
        # Born charges alone need no energy; forces alone pay nothing for them.
        if not wanted <= _BESIDE_THE_ENERGY:
            results |= self._energy_results(atoms, graph, wanted)
        if "born_effective_charges" in wanted:
            results["born_effective_charges"] = self._born_charges(atoms, graph)
        if self._has_charges:
            # Always there: it records how everything else that is made of charges is scaled.
            results["dielectric_tensor"] = self._dielectric.copy() if atoms.pbc.any() else np.eye(3)
        check_finite(results, atoms, graph)
        self._warn_of_unknown_total_charge(atoms)
        if "charges" in results:
            self._warn_if_charged(atoms, results["charges"] / self._charge_scaling(atoms))
        if "numbers" in system_changes or "born_effective_charges" in results:
            self._warn_of_sign(atoms, graph, results)
        self.atoms = atoms.copy()
        self._field_of_results = self._field
        self.results = results if system_changes else {**self.results, **results}

    def get_charges(self, atoms: Atoms | None = None, kind: str = "physical") -> np.ndarray:
        r"""Return charges (N,) in e.

        Parameters
        ----------
        atoms : ase.Atoms or None
            None is the structure of the last calculation.
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

    def get_latent_charges(self, atoms: Atoms | None = None) -> np.ndarray:
        """Return the charges (N,) in e that enter the long-range energy as in vacuum.

        Parameters
        ----------
        atoms : ase.Atoms or None
            None is the structure of the last calculation.

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

        They are what forces determine: models of one material that were trained apart agree in
        them, and hardly in what sits on atoms. Scaled as Born charges are; those of a slab are the
        average of its plane and its normal.

        Parameters
        ----------
        atoms : ase.Atoms or None
            None is the structure of the last calculation.

        Raises
        ------
        PropertyNotImplementedError
            If the model has no charges, or more than one per atom.
        ValueError
            If the structure has no Born charges: atoms share electrons, as those of a metal do.

        References
        ----------
        .. [1] J. Cioslowski, J. Am. Chem. Soc. 111, 8333 (1989).
        """
        return _isotropic(self.get_property("born_effective_charges", atoms))

    def get_born_effective_charges(
        self, atoms: Atoms | None = None, method: str = "edges"
    ) -> np.ndarray:
        """Born effective charges (N, 3, 3) in e, [atom, polarization, displacement].

        Parameters
        ----------
        atoms : ase.Atoms or None
            None is the structure of the last calculation.
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
            born = born_charges_by_phase(self._engine, self._graph.at(atoms))[1]
        return self._factor(atoms) @ _array(born)

    def get_current(self, atoms: Atoms | None = None) -> np.ndarray:
        r"""Electric current :math:`\sum_i Z^*_i \mathbf{v}_i`, (3,) in e Å/fs.

        A method and not a property: it depends on velocities. Where the dipole is a function of
        positions (split charges, and finite structures with conserved ones) it is differentiated
        along the motion, which costs about a force call; elsewhere the Born charges are found.
        Scaled with :math:`\sqrt{\epsilon_\infty}` as they are.

        Raises
        ------
        PropertyNotImplementedError
            If the model has no charges, or more than one per atom.
        """
        atoms = self.atoms if atoms is None else atoms
        velocities = atoms.get_velocities() * units.fs
        has_response = "born_effective_charges" in self.implemented_properties
        if not (has_response and has_dipole(self._engine, bool(atoms.pbc.any()))):
            born = self.get_property("born_effective_charges", atoms)
            return np.einsum("iab,ib->a", born, velocities)
        graph = self._graph.at(atoms)
        with torch.no_grad():
            rate = torch.tensor(velocities).to(graph.positions)
            current = currents(self._engine, graph, rate)
        return self._factor(atoms) @ _array(current[0])

    def get_quadrupole(self, atoms: Atoms | None = None) -> np.ndarray:
        r"""Traceless quadrupole (3, 3) of a finite structure in e Å², about the centre of mass.

        :math:`\Theta = \frac12 \sum_i q_i (3\,\mathbf{x}_i \otimes \mathbf{x}_i - x_i^2 1)`, from
        the charges. A method and not a property: ASE has no name for it.

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
        return _array(quadrupoles(charges, arms, self._graph.at(atoms).to("cpu"))[0])

    def get_cell_dipole(self, atoms: Atoms | None = None) -> np.ndarray:
        r"""Return the dipole (3,) of one cell in e Å, whatever its boundaries.

        :math:`\sqrt{\epsilon_\infty} \sum_i \mathbf{m}_i` about the origin of the coordinates, of
        positions as they are: what Born charges are the slope of. Of a crystal this is volume times
        polarization; of a slab it has all three components. No energy is computed.

        Raises
        ------
        PropertyNotImplementedError
            If the model has no charges, or they define no dipole under these boundaries.
        ValueError
            If they would, but not those of this structure.
        """
        atoms, graph = self._charged(atoms)
        if not has_dipole(self._engine, bool(atoms.pbc.any())):
            raise PropertyNotImplementedError(
                "the charges of this model are not conserved locally: a periodic cell has no "
                "dipole that follows its current. Use Born charges or the current"
            )
        with torch.no_grad():
            return self._factor(atoms) @ _array(cell_dipole(self._engine, graph)[0])

    def get_local_charges(self, atoms: Atoms | None = None) -> np.ndarray:
        """Return the latent charges (N,) in e, without computing an energy.

        Raises
        ------
        PropertyNotImplementedError
            If the model has no charges, or more than one per atom.
        ValueError
            If atoms share electrons, whose charges do need the energy.
        """
        _, graph = self._charged(atoms)
        with torch.no_grad():
            return _array(latent_charges(self._engine, graph))

    def get_charge_factor(self, atoms: Atoms | None = None) -> np.ndarray:
        r"""Return the tensor (3, 3) from moments of latent charges to physical ones.

        :math:`\sqrt{\epsilon_\infty}` of periodic structures, 1 of finite ones.
        """
        return self._factor(self.atoms if atoms is None else atoms).copy()

    @property
    def charge_reach_A(self) -> float:
        """Distance beyond which a displaced atom changes no charge, an even shift apart."""
        return charge_reach_A(self._engine)

    def _charged(self, atoms: Atoms | None) -> tuple[Atoms, Graph]:
        """The structure (None is that of the last calculation) and its graph, with charges."""
        if not self._has_charges:
            raise PropertyNotImplementedError("this model does not have one charge per atom")
        atoms = self.atoms if atoms is None else atoms
        return atoms, self._graph.at(atoms)

    def get_potential_and_field(
        self, atoms: Atoms | None = None, points: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Electrostatic potential (P,) in V and field (P, 3) in V/Å of the latent charges.

        Both are latent, as those charges are: what acts on a physical charge is smaller by the
        factor between the two (see the class). They leave out `field_V_per_A`. Where the potential
        is zero stands in `ase_les.electrostatics.potential`.

        Parameters
        ----------
        atoms : ase.Atoms or None
            None is the structure of the last calculation.
        points : array of shape (P, 3) or None
            In Å. None are the atoms, each without its own charge but with its periodic copies:
            half the sum of latent charges times potential is then the long-range energy, without
            the self-energy of the charges if the model keeps it.

        Raises
        ------
        PropertyNotImplementedError
            If the model has no charges, or more than one per atom.
        """
        atoms = self.atoms if atoms is None else atoms
        charges = torch.tensor(self.get_latent_charges(atoms), device=self._device)[:, None]
        # Points count as atoms: the run that goes on must not see what suits so many.
        graph, sums = self._graph.at(atoms), self._engine.electrostatics.apart()
        if points is None:
            found = potential_at_atoms(sums, graph, charges)
        else:
            found = potential_at(sums, graph, charges, torch.tensor(points).to(graph.positions))
        return _array(found.potential[:, 0]), _array(found.field[:, 0])

    def _factor(self, atoms: Atoms) -> np.ndarray:
        """From latent to physical moments: finite structures stand in vacuum."""
        return self._screening if atoms.pbc.any() else np.eye(3)

    def _charge_scaling(self, atoms: Atoms) -> float:
        """Physical over latent charges."""
        return self._scaling if atoms.pbc.any() else 1.0

    def _born_charges(self, atoms: Atoms, graph: Graph) -> np.ndarray:
        centre = torch.tensor(atoms.get_center_of_mass()[None], device=self._device)
        with torch.enable_grad():
            born = born_charges(self._engine, graph, centre)[1]
        return self._factor(atoms) @ _array(born)

    def _energy_results(
        self, atoms: Atoms, graph: Graph, wanted: set[str]
    ) -> dict[str, float | np.ndarray]:
        finite = not atoms.pbc.any()
        model, stress_defined = self._engine, has_stress(atoms)
        if self._field.any():
            # Latent charges are screened: the field pulls at √ε∞ times as much.
            force_per_charge = torch.tensor(self._factor(atoms) @ self._field).to(self._device)
            model = InField(self._engine, force_per_charge)
            check_field(self._engine, graph, force_per_charge)
            stress_defined &= not has_branches(self._engine, graph)
            if "stress" in wanted and not stress_defined:
                raise PropertyNotImplementedError(
                    "in a field the stress needs a polarization without branches; formal charges "
                    "have none. Keep the cell fixed"
                )
        # Cell relaxations and barostats ask for the stress after the forces of every step:
        # from the first time on, both come from one pass (the stress adds a few per cent).
        self._stress_follows |= "stress" in wanted
        derivatives = _evaluate(
            model,
            graph,
            forces=not wanted.isdisjoint({"forces", "stress", "energies"}),
            stress=stress_defined and self._stress_follows,
            energies="energies" in wanted,
        )
        results = _results(derivatives)
        if self._has_charges:
            latent = _array(derivatives.prediction.charges[:, 0])
            results["charges"] = self._charge_scaling(atoms) * latent
            if finite:
                arms = atoms.positions - atoms.get_center_of_mass()
                results["dipole"] = results["charges"] @ arms
            if "polarization" in wanted:
                moment = dipoles(self._engine, derivatives.prediction, graph)[0]
                results["polarization"] = self._factor(atoms) @ _array(moment) / atoms.get_volume()
        return results

    def _warn_of_unknown_total_charge(self, atoms: Atoms) -> None:
        """Say once that no structure of this total charge was trained on."""
        known = self.model.card.get("total_charges_e")
        if self._warned_of_total_charge or known is None:
            return
        given = total_charge_of(atoms)
        if given in known:
            return
        self._warned_of_total_charge = True
        trained = ", ".join(f"{charge:+g}" if charge else "0" for charge in known)
        warnings.warn(
            f"the total charge of this structure is {given:+g} e, and the model was trained on "
            f"{trained} e only: what it says of others is a guess. The total charge is "
            "atoms.info['charge'], --charge on the command line",
            stacklevel=_FRAMES_TO_THE_USER,
        )

    def _warn_if_charged(self, atoms: Atoms, charges: np.ndarray) -> None:
        """Say once that a cell or slab has net charge, unless the model means nothing by it."""
        if self._warned_of_charge:
            return
        net = float(charges.sum())
        unconstrained = self.model.config.long_range.charges.neutrality == "none"
        if atoms.pbc.all():
            # Unconstrained charges never sum to zero: an error of the model, not of the structure.
            tolerance = _MODEL_NET_CHARGE * len(atoms) if unconstrained else _NET_CHARGE
            message = self._on_charged_cells
        elif unconstrained and atoms.pbc.any():
            # No background here: the field of what is left over grows with the slab's thickness.
            tolerance, message = _NET_CHARGE, _on_charged_slabs
        else:
            return
        if abs(net) > tolerance:
            self._warned_of_charge = True
            warnings.warn(message(net, atoms), stacklevel=_FRAMES_TO_THE_USER)

    def _warn_of_sign(
        self, atoms: Atoms, graph: Graph, results: dict[str, float | np.ndarray]
    ) -> None:
        """Say once that electronegative elements are positive, where energies do not mind.

        Charges that are there anyway raise the suspicion; Born charges, the better judge, decide.
        """
        if self._warned_of_sign or not self._has_charges:
            return
        if not sign_is_free(self.model.config, is_charged=total_charge_of(atoms) != 0):
            return
        born = results.get("born_effective_charges")
        if born is None:
            if "charges" not in results:
                return
            means = mean_by_element(atoms.numbers, results["charges"])
            if judge_sign(means) != OPPOSES:
                return
            if has_polarization(self._engine, graph):
                born = self._born_charges(atoms, graph)
        if born is not None:
            means = mean_by_element(atoms.numbers, _isotropic(born))
            if judge_sign(means) != OPPOSES:
                return
        self._warned_of_sign = True
        # A model that was given as such is in no file that could be converted.
        remedy = (
            "`model.charges.flip_sign()` before the calculator is made"
            if self._is_from_memory
            else f"`ase-les convert {self.parameters['model']} --output model.safetensors "
            "--sign auto --structure FILE`"
        )
        warnings.warn(
            "the charges of this model have the sign opposite to electronegativity: "
            f"{told(means)} e on average. Energies and forces are the same for both signs; "
            f"charges, dipoles, polarization and Born charges are not. Flip it once: {remedy}",
            stacklevel=_FRAMES_TO_THE_USER,
        )

    def _on_charged_cells(self, net: float, atoms: Atoms) -> str:
        background = self.model.config.long_range.electrostatics.background
        return (
            f"the periodic cell is charged: its latent charges sum to {net:+.4f} e. "
            + ("A uniform background neutralises it; " if background else "")
            + "energy and stress depend on the size of the cell, by up to about "
            f"{_cell_size_energy(net, atoms.cell.volume):.2g} eV. Compare energies of cells of one "
            "size and charge only, or extrapolate to large cells"
        )


def _on_charged_slabs(net: float, atoms: Atoms) -> str:
    return (
        f"the latent charges of this slab sum to {net:+.4f} e, since the model (neutrality 'none') "
        "lets their sum float: the slab feels a field that no training knew. Give it the box of "
        "the training with pbc = True, or use a model with neutrality 'split' or 'mean'"
    )


def _cell_size_energy(net_charge: float, volume: float) -> float:
    r"""Energy of a charge with its own periodic copies, :math:`2.837\,k_e Q^2 / 2L`, in eV."""
    return COULOMB_CONSTANT * 2.837297 * net_charge**2 / (2 * volume ** (1 / 3))


def _evaluate(
    model: nn.Module, graph: Graph, *, forces: bool, stress: bool, energies: bool
) -> Derivatives:
    if not forces:
        with torch.no_grad():
            return Derivatives(model(graph), None, None, None)
    with torch.enable_grad():
        return differentiate(model, graph, stress=stress, energies=energies)


def _dielectric_tensor(given: float | Sequence) -> np.ndarray:
    tensor = np.asarray(given, dtype=float)
    tensor = tensor * np.eye(3) if tensor.ndim == 0 else tensor
    symmetric = tensor.shape == (3, 3) and np.allclose(tensor, tensor.T, rtol=1e-6)
    if not symmetric or not np.linalg.eigvalsh(tensor).min() > 0:
        raise ValueError(
            "`dielectric` must be a positive number or a symmetric positive 3×3 tensor (relative "
            f"to vacuum), got {given!r}"
        )
    return tensor


def _origin(model: str | Path | LESModel, hash_: str) -> str:
    """How the model can be found again: its name, its absolute path, or at least its hash."""
    if isinstance(model, LESModel):
        return f"LESModel {hash_}"
    if str(model) in shipped_models():
        return str(model)
    return str(Path(model).expanduser().resolve())


def _isotropic(born: np.ndarray) -> np.ndarray:
    return np.trace(born, axis1=1, axis2=2) / 3


def _array(values: Tensor) -> np.ndarray:
    return values.detach().cpu().numpy().astype(np.float64)


def _results(derivatives: Derivatives) -> dict[str, float | np.ndarray]:
    energy = derivatives.prediction.energy[0].item()
    results: dict[str, float | np.ndarray] = {"energy": energy, "free_energy": energy}
    if derivatives.forces is not None:
        results["forces"] = _array(derivatives.forces)
    if derivatives.stress is not None:
        results["stress"] = full_3x3_to_voigt_6_stress(_array(derivatives.stress[0]))
    if derivatives.energies is not None:
        results["energies"] = _array(derivatives.energies)
    return results


# Reloading this module must not register twice: ASE refuses a name it knows.
if "les" not in external_calculators:
    register_calculator_class("les", LESCalculator)
