"""Long-range energy of a batch of structures with individual boundary conditions."""

from __future__ import annotations

import math
from typing import Annotated, NamedTuple

import torch
from torch import Tensor, nn

from ase_les.configuration import Fraction, Interval, Number, Positive, Unit, configuration
from ase_les.electrostatics.auto_sum import AutoSum
from ase_les.electrostatics.ewald import AnalyticEwaldSum, EwaldSum
from ase_les.electrostatics.layout import Layout
from ase_les.electrostatics.open_boundary import AnalyticOpenSum, OpenSum
from ase_les.electrostatics.open_mesh import OpenMesh, OpenMeshPlan
from ase_les.electrostatics.particle_mesh import AnalyticParticleMesh, MeshSettings
from ase_les.electrostatics.reciprocal import ReciprocalSum, SumPlan
from ase_les.electrostatics.slab import SlabBox, box_lengths, layer_correction
from ase_les.electrostatics.warm_start import WarmStart
from ase_les.electrostatics.wave_vectors import (
    SHELL_TOLERANCE,
    ReciprocalKernel,
    converged_k_cutoff,
)
from ase_les.graph import Graph, atoms_without_edges, select_structures, sum_per_structure
from ase_les.ranks import ALONE, Ranks
from ase_les.units import COULOMB_CONSTANT


@configuration
class ElectrostaticsConfig:
    """Settings of the long-range sum.

    Parameters
    ----------
    smearing : float
        Width σ of the smeared interaction in Å.
    k_cutoff : float or None
        Largest wave number in 1/Å; None for a converged sum.
    remove_self_energy : bool
        Whether to leave out the interaction of each Gaussian with itself. If it is included, the
        potential at an atom is that of all smeared charges including its own, which is small
        where the surroundings screen the charge; errors of charges then cost little energy. If it
        is left out, an atom of charge q is in a potential of about −√(2/π) k_e q / σ, that is
        −q · 11.5 V Å / σ, and errors of charges cost more energy.
    background : bool
        Whether a cell with net charge and three periodic directions gets a uniform
        neutralizing background.
    weight : float
        Factor of the whole long-range energy.
    self_energy_copies : int
        How many times a removed self-energy is subtracted from the periodic sum. Use
        values other than 1 only for models fitted that way: the published programs
        subtract it once per charge channel.
    shell_tolerance : float
        Relative distance from ``k_cutoff`` up to which wave numbers are included.
        With 0, as in the published programs, wave numbers right at the cutoff are
        included or not depending on round-off and on the orientation of the cell.
    """

    smearing: Annotated[float, Interval(ge=0.1, le=50), Unit("Å")] = 1.0
    k_cutoff: Annotated[Positive, Unit("1/Å")] | None = None
    remove_self_energy: bool = False
    background: bool = True
    weight: Number = 1.0
    self_energy_copies: Annotated[int, Interval(ge=0, le=64)] = 1
    shell_tolerance: Fraction = SHELL_TOLERANCE

    def __post_init__(self) -> None:
        if self.k_cutoff is None:
            return
        # Beyond this, further terms are below round-off.
        largest = 4 * converged_k_cutoff(self.smearing)
        if self.k_cutoff > largest:
            raise ValueError(
                f"`k_cutoff` must be at most {largest:.3g} 1/Å for a smearing of {self.smearing} "
                f"Å, got {self.k_cutoff}"
            )

    @property
    def self_potential(self) -> float:
        r"""Potential in V of a smeared charge of 1 e at its center, √(2/π) k_e / σ."""
        return 2 * COULOMB_CONSTANT / (math.sqrt(2 * math.pi) * self.smearing)

    def kernel(self) -> ReciprocalKernel:
        """Return the reciprocal kernel with these settings."""
        cutoff = converged_k_cutoff(self.smearing) if self.k_cutoff is None else self.k_cutoff
        return ReciprocalKernel(self.smearing, cutoff, self.shell_tolerance)


class GroupPlan(NamedTuple):
    """Plan of the sums of structures with the same number of periodic directions.

    ``n_periodic``: 0, 2 or 3. ``chosen`` (S,): which structures of the batch, None for all.
    ``sum``: the reciprocal sum, None in free space. ``box_lengths``: for slabs, in Å, else None.
    ``open_mesh``: for one large structure in free space, else None.
    """

    n_periodic: int
    chosen: Tensor | None
    sum: SumPlan | None
    box_lengths: Tensor | None
    open_mesh: OpenMeshPlan | None = None


class Plan(NamedTuple):
    """Plan of the long-range sums of a graph.

    ``groups``: by the number of periodic directions. ``n_atoms``, ``cell`` (S, 3, 3) and ``pbc``
    (S, 3): of the graph it was made for. These depend on the graph only. ``metal``: start and
    preconditioner of metal charges, taken from earlier geometries; it changes results by less than
    the tolerance of `ase_les.electrostatics.warm_start`.
    """

    groups: tuple[GroupPlan, ...]
    n_atoms: int
    cell: Tensor
    pbc: Tensor
    metal: WarmStart | None = None

    def with_surface(self, surface: Tensor) -> Plan:
        """Return the plan of one structure whose charges have a known potential on the mesh."""
        (group,) = self.groups
        assert group.sum is not None
        known = group._replace(sum=group.sum._replace(surface=surface))
        return self._replace(groups=(known,))


class Electrostatics(nn.Module):
    r"""Long-range energy of charges.

    .. math::
        E_\mathrm{lr} = w \big( E_\mathrm{sum} - E_\mathrm{self} - E_\mathrm{background} \big),
        \quad
        E_\mathrm{self} = \frac{k_e}{\sqrt{2\pi}\,\sigma} \sum_i q_i^2, \quad
        E_\mathrm{background} = k_e \pi \sigma^2 \frac{Q^2}{V}

    with the sum of `EwaldSum` in periodic cells and of `OpenSum` in free space. A slab is summed
    in a box with vacuum and a correction (`ase_les.electrostatics.slab`); it has no
    background, and the result does not depend on the third lattice vector of the structure.
    Boundary conditions are defined by ``pbc``, not by the cell.

    Evaluation does not change the object: all choices for a structure (box, direct sum or mesh,
    its size and weights) are in a `Plan`, which the caller may keep and pass again.

    Parameters
    ----------
    config : ElectrostaticsConfig

    References
    ----------
    .. [1] B. Cheng, npj Comput. Mater. 11, 80 (2025).
    """

    def __init__(self, config: ElectrostaticsConfig):
        super().__init__()
        self.config = config
        self.periodic_sum: ReciprocalSum | AutoSum = EwaldSum(config.kernel())
        self.open_sum = OpenSum(config.smearing)
        self.open_mesh: OpenMesh | None = None
        self._ranks = ALONE

    def share(self, ranks: Ranks) -> None:
        """Share the sums of `part` among processes."""
        self._ranks = ranks

    def use_analytic_gradients(
        self, accuracy: float | None = None, equilibrates: bool = False
    ) -> None:
        """Switch to hand-written gradients of the periodic sum (inference only).

        Parameters
        ----------
        accuracy : float or None
            Relative error of the long-range forces for large structures, which are summed on a
            mesh; None always uses the direct sum.
        equilibrates : bool
            Whether electrons of a metal equilibrate, which takes several sums.
        """
        kernel = self.config.kernel()
        self.periodic_sum = (
            AnalyticEwaldSum(kernel)
            if accuracy is None
            else AutoSum(kernel, accuracy, equilibrates)
        )
        smearing = self.config.smearing
        self.open_sum = AnalyticOpenSum(smearing)
        if accuracy is not None:
            self.open_mesh = OpenMesh(smearing, MeshSettings.reaching(accuracy, smearing))

    def plan(self, graph: Graph, previous: Plan | None = None) -> Plan:
        """Return how the energies of a graph are summed: boxes, method, mesh and weights.

        Parameters
        ----------
        graph : Graph
        previous : Plan or None
            Returned unchanged if a new plan would be equal to it; saves time.

        Raises
        ------
        ValueError
            If a structure is periodic along one direction only.
        """
        with torch.no_grad():
            if previous is not None and self._is_plan_of(previous, graph):
                return previous
            n_periodic = graph.pbc.sum(dim=1)
            counts = torch.unique(n_periodic).tolist()
            if 1 in counts:
                raise ValueError(
                    "long-range sums need three periodic directions (crystals, liquids), two "
                    "(slabs) or none (molecules), got pbc = "
                    f"{graph.pbc[n_periodic == 1][0].tolist()}. For a wire set pbc along a second "
                    "direction, with a cell wide enough that the copies do not matter"
                )
            if len(counts) == 1:
                groups = [self._plan_group(graph, counts[0], None)]
            else:
                groups = [
                    self._plan_group(select_structures(graph, chosen), count, chosen)
                    for count in counts
                    for chosen in [n_periodic == count]
                ]
            metal = None if previous is None else previous.metal
            return Plan(tuple(groups), graph.n_atoms, graph.cell.detach().clone(), graph.pbc, metal)

    def forward(self, graph: Graph, charges: Tensor, plan: Plan | None = None) -> Tensor:
        """Return energies (S,) in eV.

        Parameters
        ----------
        graph : Graph
        charges : Tensor, shape (N, n_q)
            In e, float64.
        plan : Plan or None
            Plan for these structures, or for larger structures that contain them, whose box and
            mesh are then used. None creates a plan.

        Raises
        ------
        ValueError
            If a structure is periodic along one direction only.
        """
        plan = self.plan(graph) if plan is None else plan
        if len(plan.groups) == 1:
            return self._energy_of_group(graph, charges, plan.groups[0])
        energies = charges.new_zeros(graph.n_structures)
        for group in plan.groups:
            assert group.chosen is not None
            part = select_structures(graph, group.chosen)
            part_charges = charges[group.chosen[graph.structure]]
            energies = energies.index_copy(
                0,
                torch.nonzero(group.chosen).squeeze(1),
                self._energy_of_group(part, part_charges, group),
            )
        return energies

    def part(self, graph: Graph, charges: Tensor, atoms: range, plan: Plan | None = None) -> Tensor:
        """Return the contribution (1,) in eV of this process to the energy of one structure.

        Parameters
        ----------
        graph : Graph
            One structure.
        charges : Tensor, shape (N, n_q)
            Charges of all atoms in e, the same in all processes.
        atoms : range
            Atoms of this process.
        plan : Plan or None
            Plan of the whole structure.
        """
        (group,) = (self.plan(graph) if plan is None else plan).groups
        layout = Layout.of(graph.structure, graph.n_structures)
        nothing = charges.new_zeros(1)
        if group.n_periodic == 0:
            return self._energy_of_group(graph, charges, group) if self._ranks.is_first else nothing
        box = None if group.box_lengths is None else SlabBox.of(graph, group.box_lengths)
        cell = graph.cell if box is None else box.cell
        energy = self._part_of_sum(graph, charges, cell, atoms, group.sum)
        if self.config.remove_self_energy:
            own = atoms_without_edges(graph, torch.arange(atoms.start, atoms.stop))
            copies = self.config.self_energy_copies
            energy = energy - copies * self._self_energy(own, charges[atoms.start : atoms.stop])
        if self._ranks.is_first:
            truncated = group.sum is not None and group.sum.truncated
            if box is not None and not truncated:
                energy = energy + layer_correction(graph, charges, box, layout)
            if (box is None and self.config.background) or (box is not None and not truncated):
                energy = energy - self._background(graph, cell, charges)
        return self.config.weight * energy

    def _part_of_sum(
        self, graph: Graph, charges: Tensor, cell: Tensor, atoms: range, plan: SumPlan | None
    ) -> Tensor:
        if plan is None:
            plan = self.periodic_sum.plan(cell, Layout.of(graph.structure, graph.n_structures))
        if isinstance(plan.method, AnalyticParticleMesh):
            own = slice(atoms.start, atoms.stop)
            layout = Layout.of(graph.structure[own], 1)
            place = graph.positions[own], charges[own]
            return plan.method.shared_by(self._ranks)(*place, cell, layout, plan)
        waves = plan.part(self._ranks.rank, self._ranks.size)
        if waves is None:
            return charges.new_zeros(1)
        layout = Layout.of(graph.structure, 1)
        return plan.method(graph.positions, charges, cell, layout, waves)

    def _is_plan_of(self, plan: Plan, graph: Graph) -> bool:
        """Return whether the plan of one structure is equal to another."""
        if len(graph.cell) > 1 or plan.n_atoms != len(graph.positions):
            return False
        if not (torch.equal(plan.cell, graph.cell) and torch.equal(plan.pbc, graph.pbc)):
            return False
        known, group = plan.groups[0].box_lengths, plan.groups[0]
        if group.n_periodic == 0:
            # Kernels are cached by size: a new plan is cheap.
            return False
        if known is None or group.sum is None:
            return True
        lengths, truncated = self._slab_boxes(graph)
        return truncated == group.sum.truncated and torch.equal(known, lengths)

    def _slab_boxes(self, graph: Graph) -> tuple[Tensor, bool]:
        """Return the lengths of the boxes of slabs, and whether interactions end within them.

        Both ways give the same energy if the sum is converged; the smaller box is used.
        """
        smearing = self.config.smearing
        lengths = box_lengths(graph, smearing)
        kernel = self.config.kernel()
        converged = kernel.k_cutoff >= converged_k_cutoff(smearing) * (1 - 1e-9)
        if type(self.periodic_sum) is EwaldSum or not converged:
            return lengths, False
        shorter = box_lengths(graph, smearing, truncated=True)
        return (shorter, True) if bool((shorter < lengths).all()) else (lengths, False)

    def _plan_group(self, graph: Graph, n_periodic: int, chosen: Tensor | None) -> GroupPlan:
        """Return the plan of structures with the same number of periodic directions."""
        if n_periodic == 0:
            mesh, positions = self.open_mesh, graph.positions.detach()
            if mesh is None or graph.n_structures > 1 or not mesh.is_cheaper(positions):
                return GroupPlan(n_periodic, chosen, None, None)
            return GroupPlan(n_periodic, chosen, None, None, mesh.plan(positions))
        layout = Layout.of(graph.structure, graph.n_structures)
        if n_periodic == 3:
            return GroupPlan(n_periodic, chosen, self.periodic_sum.plan(graph.cell, layout), None)
        lengths, truncated = self._slab_boxes(graph)
        box = SlabBox.of(graph, lengths)
        found = self.periodic_sum.plan(box.cell, layout, truncated)
        return GroupPlan(n_periodic, chosen, found, lengths)

    def _energy_of_group(self, graph: Graph, charges: Tensor, plan: GroupPlan) -> Tensor:
        """Return energies (S,) in eV of structures of one kind of boundary conditions."""
        layout = Layout.of(graph.structure, graph.n_structures)
        if plan.n_periodic == 0:
            return self.config.weight * self._in_free_space(graph, charges, layout, plan)
        if plan.box_lengths is None:
            energy = self._in_cell(graph, graph.cell, charges, layout, plan.sum)
            if self.config.background:
                energy = energy - self._background(graph, graph.cell, charges)
            return self.config.weight * energy
        box = SlabBox.of(graph, plan.box_lengths)
        energy = self._in_cell(graph, box.cell, charges, layout, plan.sum)
        if plan.sum is not None and plan.sum.truncated:
            return self.config.weight * energy
        energy = energy + layer_correction(graph, charges, box, layout)
        # The box is artificial: the energy must not depend on its volume.
        return self.config.weight * (energy - self._background(graph, box.cell, charges))

    def _in_free_space(
        self, graph: Graph, charges: Tensor, layout: Layout, plan: GroupPlan
    ) -> Tensor:
        removed = self.config.remove_self_energy
        if plan.open_mesh is not None and self.open_mesh is not None:
            energy = self.open_mesh.energy(graph.positions, charges, plan.open_mesh)
            return energy - self._self_energy(graph, charges) if removed else energy
        energy = self.open_sum(graph.positions, charges, layout)
        return energy if removed else energy + self._self_energy(graph, charges)

    def _in_cell(
        self, graph: Graph, cell: Tensor, charges: Tensor, layout: Layout, plan: SumPlan | None
    ) -> Tensor:
        energy = self.periodic_sum(graph.positions, charges, cell, layout, plan)
        if self.config.remove_self_energy:
            copies = self.config.self_energy_copies
            energy = energy - copies * self._self_energy(graph, charges)
        return energy

    def _background(self, graph: Graph, cell: Tensor, charges: Tensor) -> Tensor:
        net_charge = sum_per_structure(charges, graph)
        volume = torch.linalg.det(cell).abs()
        prefactor = COULOMB_CONSTANT * math.pi * self.config.smearing**2
        return prefactor * (net_charge**2).sum(1) / volume

    def _self_energy(self, graph: Graph, charges: Tensor) -> Tensor:
        squares = sum_per_structure((charges**2).sum(1), graph)
        return 0.5 * self.config.self_potential * squares
