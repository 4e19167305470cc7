"""ASE calculator of LES models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from threading import RLock
from typing import Any, cast

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import (
    all_changes,
    equal,
    external_calculators,
    register_calculator_class,
)

from ase_les.calculator.boundary_conditions import check_boundaries
from ase_les.calculator.collisions import check_finite
from ase_les.calculator.electrodes import ElectrodeSettings
from ase_les.calculator.graph_cache import GraphCache, changes_of_positions
from ase_les.calculator.model_warnings import ModelWarnings
from ase_les.calculator.results import ModelResults
from ase_les.calculator.settings import (
    Source,
    described,
    dielectric_tensor,
    field_vector,
    names_committee,
    origin,
    sign_remedy,
)
from ase_les.calculator.shared import SharedEvaluation
from ase_les.committee import Committee, CommitteeEngine
from ase_les.graph import Graph, check_geometry
from ase_les.model import LESModel
from ase_les.model_io import load_single_model, model_hash
from ase_les.process_settings import keep_freed_memory, set_threads
from ase_les.screening import charge_scaling, screening_factor

_BORN_CHARGES, _POLARIZABILITY = "born_effective_charges", "polarizability"
_CHARGE_PROPERTIES = ("charges", "dipole", "polarization", _BORN_CHARGES, "dielectric_tensor")
_APART = (_BORN_CHARGES, f"{_BORN_CHARGES}_std")
_WITHOUT_ENERGY = {*_APART, "dielectric_tensor", _POLARIZABILITY}


class LESCalculator(ModelResults):
    r"""Energy, forces, stress and electrical response of atoms from a Latent Ewald Summation model.

    ==========================  ======  =======================================================
    Property                    Unit    Meaning
    ==========================  ======  =======================================================
    ``energy``                  eV      also as ``free_energy``; in a field the enthalpy
    ``energies``                eV      share of each atom; their sum is the energy
    ``forces``                  eV/Å
    ``stress``                  eV/Å³   Voigt order xx yy zz yz xz xy, tension positive; three
                                        periodic directions, or two: a slab has stress in its
                                        plane only, per volume of the given cell,
                                        vacuum included
    ``charges``                 e       physical: :math:`s` times the latent ones, see below
    ``dipole``                  e Å     :math:`\sum_i q_i (\mathbf{r}_i - \mathbf{R})`, no
                                        periodic direction only; :math:`\mathbf{R}` is the
                                        center of mass, which matters for charged molecules
    ``polarization``            e/Å²    three periodic directions only; see below
    ``born_effective_charges``  e       (N, 3, 3) [atom, polarization, displacement]
    ``polarizability``          Å³      (3, 3), of models that have one (`get_polarizability`)
    ``dielectric_tensor``               (3, 3), the :math:`\epsilon_\infty` that scales the four
                                        above: `dielectric`, or 1 for finite structures
    ==========================  ======  =======================================================

    Charges and the properties below them need a model with one charge per atom.
    ``atoms.info["charge"]`` is the total charge in e, 0 when absent. Positions are never wrapped
    into the cell.

    Charges, dipole, polarization, Born charges and current are *physical*, in one scale. The model
    has latent charges :math:`q_i`, which interact as in vacuum; with :math:`s = \tfrac13
    \operatorname{tr} \epsilon_\infty^{1/2}` (:math:`\sqrt{\epsilon_\infty}` where it is a
    number) the charges of structures with periodic directions, slabs included, are :math:`s q_i`;
    those of finite structures are the latent ones (`ase_les.screening`). `get_latent_charges`
    always returns the latent charges; potential and field belong to these. Results and
    trajectories with charges also contain `dielectric_tensor`, which records their scaling.

    Atomic charges and the charges that move with the atoms can differ: `get_gapt_charges` returns
    the isotropic Born charges :math:`\operatorname{tr} Z^*_i/3`.

    The *polarization* is :math:`\epsilon_\infty^{1/2} \sum_i \mathbf{m}_i / V`. With split
    charges and no formal charges it is the sum of transfers along edges: independent of the choice
    of periodic images, and zero without transfers. Formal charges add
    :math:`\sum_i q_0 \mathbf{r}_i`, so that the branch depends on the positions: it is continuous
    as long as they are not wrapped. For other models it is :math:`\sum_i q_i \mathbf{r}_i`, which
    is meaningful for whole molecules in neutral cells; their charges are not conserved locally, so
    that only the Born charges are exact, not differences of this polarization.

    Born charges of finite structures are the derivative of the dipole about a fixed center of
    mass. Under periodic boundaries they follow edge vectors and do not depend on the cell
    (`ase_les.response`).

    With charge equilibration (`ase_les.electrostatics.equilibration`) polarization and Born charges
    include the response of the metal. They are zero along directions in which it is periodic;
    fields are possible along the others.

    `get_cell_dipole` is the moment whose derivatives are the Born charges, for crystals, slabs and
    molecules. For slabs they are defined at zero internal field, with all three components scaled
    with :math:`\sqrt{\epsilon_\infty}`; the external dipole along the normal is smaller by
    :math:`\epsilon_\infty`, because the electrons of the slab screen a field along the normal.

    In a *field* energy and forces become those of the enthalpy :math:`E - \boldsymbol{\mathcal{E}}
    \cdot V \mathbf{P}` (finite: :math:`E - \boldsymbol{\mathcal{E}} \cdot \sum_i q_i
    \mathbf{r}_i`, so that the force on an ion is its charge times the field); kinetic energy plus
    enthalpy is conserved. The field is the macroscopic one and acts on nuclei and latent charges;
    the electronic energy :math:`-\tfrac12 V \chi_\infty \mathcal{E}^2` is not included. The stress
    is the derivative of the enthalpy at constant field.

    Parameters
    ----------
    model : str, Path or LESModel; or a Committee or a sequence of these
        Name of a shipped model, path of a model file or a published checkpoint, or a
        model; the calculator uses a frozen copy. Several models or a committee make a
        `CommitteeCalculator`, whose results are means; `energy_std`, `forces_std` … are spreads.
    device : str
        As named by torch: "cpu", "cuda", "cuda:1" …
    dtype : str
        Precision of the network, "float32" or "float64". Geometry and electrostatics are
        float64 in both; choose "float64" for finite differences and phonons.
    skin : float
        Skin of the neighbor list in Å; it is rebuilt after an atom may have moved half the skin.
    accuracy : float or None
        Relative error of the long-range forces. Structures of a few hundred atoms or more use a
        mesh with this accuracy; smaller ones are summed exactly. None sums all exactly.
    dielectric : float, array of shape (3, 3), or None
        Electronic dielectric constant or tensor :math:`\epsilon_\infty` of the bulk, relative to
        vacuum. Its square root turns latent into physical charges, Born charges and polarization
        of periodic structures; finite ones are in vacuum. None uses the value in the model card,
        if any; 1 gives latent values. May be assigned at any time.
    field_V_per_A : sequence of three floats
        Uniform electric field in V/Å. May be assigned at any time, also during a run.
    electrodes : mapping or None
        Two groups of metal atoms, ``{"left": indices, "right": indices, "potential_V": 1.5}``, held
        at a difference of potential, or with ``charge_e`` at a charge of the left one; for models
        whose metal atoms share electrons (`ase_les.response.electrodes`). At constant potential
        the energy is the grand potential. Results contain ``electrode_charges`` (2,) in e.
    threads : int or None
        Threads of this process. None keeps the user's setting (`torch.set_num_threads`,
        ``OMP_NUM_THREADS``), or uses one thread.
    keep_memory : bool
        Whether malloc keeps freed memory for the next call, up to 512 MB in the whole process,
        with glibc only (`ase_les.process_settings.keep_freed_memory`).
    kernels : bool
        Whether to use compiled kernels (`ase_les.kernels`), on a CPU and if installed (see
        ``ase-les doctor``). Results differ by round-off, and by the error of the mesh if only
        one of them uses a mesh.
    group : torch.distributed.ProcessGroup, True or None
        Processes started by ``torchrun`` that share every force call; True for all of them. They
        need the same structure. Not for fields, committees and models with radial messages.

    Attributes
    ----------
    implemented_properties : list of str
        Properties available with this model.
    model_hash : str
        Hash of config and weights of the model.

    Raises
    ------
    FileNotFoundError
        If the model does not exist.
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

    model: LESModel | Committee
    # The model that warnings refer to, and for which graphs and plans are made.
    _judged: LESModel
    _evaluated: LESModel | CommitteeEngine

    name = "les"
    implemented_properties = [  # noqa: RUF012 - ASE's own convention
        *("energy", "free_energy", "energies", "forces", "stress"),
        *(*_CHARGE_PROPERTIES, _POLARIZABILITY),
    ]
    # The model does not use them: changing them must not trigger a calculation.
    ignored_changes = {"initial_charges", "initial_magmoms"}  # noqa: RUF012
    polarization_follows_positions = True
    """Whether the polarization has no jumps by quanta, as long as positions are not wrapped."""

    def __new__(
        cls, model: Source | None = None, *arguments: Any, **settings: Any
    ) -> LESCalculator:
        """Return a `CommitteeCalculator` for several models or a committee file."""
        if cls is LESCalculator and names_committee(model):
            from ase_les.calculator.committee_calculator import CommitteeCalculator

            return super().__new__(CommitteeCalculator)
        return super().__new__(cls)

    def __init__(
        self,
        model: Source,
        device: str = "cpu",
        dtype: str = "float32",
        skin: float = 0.5,
        accuracy: float | None = 1e-4,
        dielectric: float | Sequence | None = None,
        field_V_per_A: Sequence[float] = (0.0, 0.0, 0.0),
        electrodes: ElectrodeSettings | Mapping[str, Any] | None = None,
        threads: int | None = None,
        keep_memory: bool = True,
        kernels: bool = True,
        group: Any = None,
    ):
        super().__init__()
        self._kept: dict[str, np.ndarray] = {}
        set_threads(threads)
        if keep_memory:
            keep_freed_memory()
        self._load(model)
        self._prepare(str(device), dtype, accuracy, kernels)
        self._device = torch.device(device)
        self._lock = RLock()
        self._with_kernels = kernels
        self._graphs = GraphCache(self._evaluated, skin, kernels)
        self._with_stress = False
        self._shared: SharedEvaluation | None = None
        if group is not None:
            self._shared = SharedEvaluation(self._engine, group, str(device), skin, kernels)
        self.parameters.update(
            model=origin(model, self.model_hash),
            device=str(device),
            dtype=dtype,
            skin=float(skin),
            accuracy=accuracy,
        )
        self.dielectric = dielectric
        self._warnings = ModelWarnings(
            self._judged, self.model.card, sign_remedy(model, self.parameters["model"])
        )
        self._field_of_results = self._field = np.zeros(3)
        self.field_V_per_A = field_V_per_A
        self._electrodes_of_results: ElectrodeSettings | None = None
        self.electrodes = electrodes
        self._has_charges = self.model.has_charges
        self.implemented_properties = [
            name
            for name in type(self).implemented_properties
            if (self._has_charges or name not in _CHARGE_PROPERTIES)
            and (self._judged.polarizability is not None or name != _POLARIZABILITY)
        ]

    def _load(self, model: Source) -> None:
        loaded = model if isinstance(model, LESModel) else load_single_model(cast(str, model))
        self.model = self._judged = loaded
        self.model_hash = model_hash(loaded)

    def _prepare(self, device: str, dtype: str, accuracy: float | None, kernels: bool) -> None:
        self._engine = self._judged.for_inference(device, dtype, accuracy, kernels)
        self._evaluated = self._engine

    @property
    def field_V_per_A(self) -> tuple[float, float, float]:
        """Uniform electric field in V/Å."""
        return tuple(self._field.tolist())

    @field_V_per_A.setter
    def field_V_per_A(self, field: Sequence[float]) -> None:
        given = field_vector(field)
        self._field = given
        self.parameters["field_V_per_A"] = given.tolist()

    @property
    def dielectric(self) -> np.ndarray:
        """Electronic dielectric tensor (3, 3) of the bulk, relative to vacuum.

        Assigning a number, a tensor or None (the value in the model card) discards the results.
        """
        return self._dielectric.copy()

    @dielectric.setter
    def dielectric(self, given: float | Sequence | np.ndarray | None) -> None:
        if given is None:
            given = self.model.card.get("dielectric", 1.0)
        tensor = dielectric_tensor(given)
        with self._lock:
            self._dielectric = tensor
            self._screening = screening_factor(tensor)
            self._scaling = charge_scaling(tensor)
            self.parameters["dielectric"] = np.asarray(given, float).tolist()
            self.results = {}
            self._kept = {}

    def __repr__(self) -> str:
        """Return the model with its elements and limits, and the settings."""
        return described(self.model, self.parameters)

    def set(self, **settings) -> dict:
        """Raise an error: settings are fixed when the calculator is created.

        Raises
        ------
        TypeError
            If any setting is given.
        """
        if settings:
            raise TypeError(
                f"settings of an LESCalculator cannot be changed, got {sorted(settings)}. "
                "Create a new LESCalculator with them"
            )
        return {}

    def reset(self) -> None:
        """Discard the last calculation, the neighbor list and the plan of the sums.

        Results do not depend on it: equal structures give identical results in any order.
        """
        super().reset()
        self._kept = {}
        self._graphs = GraphCache(self._evaluated, self.parameters["skin"], self._with_kernels)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state, _lock=RLock())

    def get_property(
        self, name: str, atoms: Atoms | None = None, allow_calculation: bool = True
    ) -> Any:
        """Return a property as ASE does; threads that share the calculator wait for each other.

        Born charges are stored outside ``results``: ASE's writers fail for (N, 3, 3) arrays.
        """
        with self._lock:
            self.results |= self._kept
            try:
                return super().get_property(name, atoms, allow_calculation)
            finally:
                self._kept = {
                    each: self.results.pop(each) for each in _APART if each in self.results
                }

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """Return changes since the last calculation, including charge, spin, masses and field."""
        moved = changes_of_positions(self.atoms, atoms, tol)
        changes = super().check_state(atoms, tol) if moved is None else moved
        if self.atoms is not None:
            # The dipole of a charged molecule is defined about the center of mass.
            before, now = self.atoms, atoms
            changes += [
                name
                for name, old, new in (
                    ("charge", before.info.get("charge"), now.info.get("charge")),
                    ("spin", before.info.get("spin"), now.info.get("spin")),
                    ("masses", before.arrays.get("masses"), now.arrays.get("masses")),
                )
                if old is not new and not equal(old, new)
            ]
            if not np.array_equal(self._field, self._field_of_results):
                changes.append("field_V_per_A")
            if self._electrodes != self._electrodes_of_results:
                changes.append("electrodes")
        return changes

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        """Compute `properties` of `atoms` into ``results``, with others from the same pass.

        Raises
        ------
        ValueError
            If the structure cannot be evaluated; ``results`` are then unchanged.
        PropertyNotImplementedError
            If a property is undefined under these boundary conditions.
        """
        atoms = self.atoms if atoms is None else atoms
        if atoms is None:
            raise ValueError("no structure to calculate: give `atoms`")
        check_geometry(atoms)
        check_boundaries([name.removesuffix("_std") for name in properties], atoms)
        with self._lock:
            graph = self._graph_of(atoms) if self._shared is None else self._shared.graph(atoms)
            requested = set(properties)
            results: dict[str, Any] = {}
            # Born charges do not need the energy, and forces do not need Born charges.
            if not requested <= _WITHOUT_ENERGY:
                results |= self._energy_results(atoms, graph, self._graphs.plan(graph), requested)
            results |= self._born_results(atoms, graph, requested)
            if _POLARIZABILITY in requested:
                results[_POLARIZABILITY] = self.get_polarizability(atoms)
            if self._has_charges:
                # Always present: it records the scaling of all results derived from charges.
                results["dielectric_tensor"] = (
                    self._dielectric.copy() if atoms.pbc.any() else np.eye(3)
                )
            check_finite(results, atoms, graph)
            self._warn(atoms, graph, results, system_changes)
            self.atoms = atoms.copy()
            self._field_of_results = self._field
            self._electrodes_of_results = self._electrodes
            self.results = results if system_changes else {**self.results, **results}

    def _warn(
        self, atoms: Atoms, graph: Graph, results: Mapping[str, Any], changes: Sequence[str]
    ) -> None:
        self._warnings.check_total_charge(atoms)
        self._warnings.domain.check(
            atoms, partial(self._whole, atoms, graph), results.get("forces")
        )
        if "charges" in results:
            latent = results["charges"] / self._charge_scaling(atoms)
            self._warnings.check_net_charge(atoms, latent)
        if self._has_charges and ("numbers" in changes or "born_effective_charges" in results):
            born_charges = partial(self._born_charges, self._engine)
            self._warnings.check_sign(atoms, self._whole(atoms, graph), results, born_charges)

    def _born_results(
        self, atoms: Atoms, graph: Graph, requested: AbstractSet[str]
    ) -> dict[str, np.ndarray]:
        if _BORN_CHARGES not in requested:
            return {}
        whole = self._whole(atoms, graph)
        plan = self._graphs.plan(graph) if self._shared is None else None
        return {_BORN_CHARGES: self._born_charges(self._engine, atoms, whole, plan)}

    def _energy_results(
        self, atoms: Atoms, graph: Graph, plan: Any, requested: AbstractSet[str]
    ) -> dict[str, Any]:
        return self._results_of(self._engine, atoms, graph, plan, requested)


# ASE rejects known names: do not register again when this module is reloaded.
if "les" not in external_calculators:
    register_calculator_class("les", LESCalculator)
