"""Solvers for the charges of metal atoms.

The matrix H of `ase_les.electrostatics.equilibration` is factorized, or applied in conjugate
gradients, always on charges whose sum over each structure is zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ase_les.electrostatics.energy import Electrostatics, GroupPlan, Plan
from ase_les.electrostatics.layout import Layout
from ase_les.electrostatics.mesh_potential import MeshPotential
from ase_les.electrostatics.slab import LayerPotential, SlabBox
from ase_les.electrostatics.warm_start import NO_MINIMUM, Metal
from ase_les.graph import Graph, atoms_without_edges

# The condition number for smeared charges is some hundreds: tens of steps are enough.
_MOST_STEPS = 500


class Potential:
    """Derivative of the long-range energy by the charge of each atom."""

    def __init__(self, sums: Electrostatics, plan: Plan):
        self.sums = sums
        self._plan = plan

    def __call__(self, graph: Graph, charges: Tensor, create_graph: bool = False) -> Tensor:
        """Return potentials (N, n) in V of charges (N, n)."""
        with torch.enable_grad():
            probe = torch.zeros_like(charges, requires_grad=True)
            energy = self.sums(graph, charges + probe, self._plan).sum()
            return torch.autograd.grad(energy, probe, create_graph=create_graph)[0]

    def at(self, graph: Graph, charges: Tensor, atoms: Tensor) -> Tensor:
        """Return potentials (M, 1) in V at some atoms (M,) of charges (N, 1), up to a constant.

        Faster for one structure whose sum uses a mesh.
        """
        (group, *others) = self._plan.groups
        if others or not MeshPotential.applies(group.sum, graph.n_atoms):
            return self(graph, charges)[atoms]
        config = self.sums.config
        still = graph._replace(positions=graph.positions.detach(), cell=graph.cell.detach())
        found = config.weight * mesh_potential(still, group)(charges[:, 0])[atoms, None]
        if config.remove_self_energy:
            own = config.self_potential
            found = found - config.weight * config.self_energy_copies * own * charges[atoms]
        return found


def mesh_potential(graph: Graph, group: GroupPlan) -> Callable[[Tensor], Tensor]:
    """Return the map from charges (N,) to potentials (N,) in V of one structure on a mesh.

    Constants, such as that of a background, are left out.
    """
    assert group.sum is not None
    box = None if group.box_lengths is None else SlabBox.of(graph, group.box_lengths)
    of_mesh = MeshPotential(group.sum, graph.positions, graph.cell if box is None else box.cell)
    if box is None or group.sum.truncated:
        return of_mesh
    of_layer = LayerPotential(graph, box)
    return lambda charges: of_mesh(charges) + of_layer(charges)


class Solver(Protocol):
    """Inverse of H on neutral charges."""

    def solve(self, given: Tensor, series: str = "charges") -> Tensor:
        """Return neutral charges (M, 1) with a potential (M, 1) up to a constant.

        Solutions of one `series` are initial values of the next, if the solver uses them.
        """


class Conductor:
    """Subgraph of the metal atoms, and the matrix H from their charges to their potential."""

    def __init__(self, graph: Graph, metal: Tensor, stiffness: Tensor, potential: Potential):
        part = atoms_without_edges(graph, metal)
        self.graph = part._replace(positions=part.positions.detach(), cell=part.cell.detach())
        self._stiffness = stiffness
        self._potential = potential
        self.n_atoms = part.n_atoms
        self.layout = Layout.of(part.structure, part.n_structures)
        # Slots of the layout that contain an atom, (S, width).
        self.filled = self.layout.filled(stiffness)
        self._count = self.sum(torch.ones_like(stiffness)).clamp(min=1)

    def answer(self, charges: Tensor) -> Tensor:
        """Return potentials H p (M, n) of n sets of charges p (M, n)."""
        return self._potential(self.graph, charges) + self._stiffness * charges

    def answer_by_mesh(self, group: GroupPlan) -> Callable[[Tensor], Tensor] | None:
        """Return the same for neutral charges (M,) of one structure, faster; None without a mesh.

        The potential is the same up to a constant.
        """
        if group.sum is None or not MeshPotential.applies(group.sum, self.n_atoms):
            return None
        config = self._potential.sums.config
        sum_of = mesh_potential(self.graph, group)
        local = self._stiffness[:, 0]
        if config.remove_self_energy:
            own = config.self_potential
            local = local - config.weight * config.self_energy_copies * own

        def answer(charges: Tensor) -> Tensor:
            return config.weight * sum_of(charges) + local * charges

        return answer

    def neutral(self, values: Tensor) -> Tensor:
        """Return values (M, n) less their mean over each structure."""
        return values - self.of_atoms(self.sum(values) / self._count)

    def sum(self, values: Tensor) -> Tensor:
        """Return sums (S, n) over the atoms of each structure."""
        total = values.new_zeros(self.layout.n_structures, values.shape[1])
        return total.index_add(0, self.graph.structure, values)

    def of_atoms(self, values: Tensor) -> Tensor:
        """Return the value of each atom's structure, (M, n) of (S, n)."""
        return values[self.graph.structure]


class Factorized:
    """Response charges to a potential by a factorization of H from all unit charges."""

    def __init__(self, conductor: Conductor):
        self._conductor, filled = conductor, conductor.filled
        # One atom per structure has a unit charge, in turn.
        rank = filled.cumsum(1)[filled] - 1
        units = nn.functional.one_hot(rank, filled.shape[1]).double()
        answers = conductor.neutral(conductor.answer(conductor.neutral(units)))
        # Decouple the total charge, which is fixed, and empty slots.
        total = (filled[:, :, None] & filled[:, None, :]).double()
        matrix = conductor.layout.pad(answers) + total + torch.diag_embed((~filled).double())
        self._factors, failed = torch.linalg.cholesky_ex(matrix)
        if failed.any():
            raise ArithmeticError(NO_MINIMUM)

    def solve(self, given: Tensor, series: str = "charges") -> Tensor:
        """Return charges (M, 1) that sum to zero."""
        conductor = self._conductor
        block = conductor.layout.pad(conductor.neutral(given.detach()))
        return torch.cholesky_solve(block, self._factors)[conductor.filled]


class Iterated:
    """Response charges to a potential by conjugate gradients: one sum per step."""

    def __init__(self, conductor: Conductor, tolerance: float):
        self._conductor = conductor
        self._tolerance = tolerance

    def solve(self, given: Tensor, series: str = "charges") -> Tensor:
        """Return charges (M, 1) that sum to zero."""
        conductor, given = self._conductor, given.detach()
        left = conductor.neutral(given)
        charges, direction = torch.zeros_like(left), left
        square = conductor.sum(left**2)
        # A constant potential leaves only round-off.
        enough = self._tolerance**2 * conductor.sum(given**2)
        for _ in range(_MOST_STEPS):
            unsettled = square > enough
            if not unsettled.any():
                return charges
            answer = conductor.neutral(conductor.answer(direction))
            curvature = conductor.sum(direction * answer)
            if (unsettled & (curvature <= 0)).any():
                break
            # Converged charges leave only round-off.
            step = conductor.of_atoms(_ratio(square, curvature, where=unsettled))
            charges, left = charges + step * direction, conductor.neutral(left - step * answer)
            before, square = square, conductor.sum(left**2)
            direction = (
                left + conductor.of_atoms(_ratio(square, before, where=unsettled)) * direction
            )
        raise ArithmeticError(NO_MINIMUM)


class Warm:
    """Response charges to a potential, by the solver that stores the previous geometry."""

    def __init__(self, conductor: Conductor, plan: Plan, hardness: Tensor):
        assert plan.metal is not None
        self._conductor, self._solver = conductor, plan.metal
        graph, (group,) = conductor.graph, plan.groups
        cell = normal = None
        if group.n_periodic == 3:
            cell = graph.cell[0]
        elif group.box_lengths is not None:
            cell = SlabBox.of(graph, group.box_lengths).cell[0]
            normal = cell[2] / torch.linalg.vector_norm(cell[2])
        self._metal = Metal(graph.positions, cell, normal, hardness, group.sum)
        self._group = group
        self._by_mesh: Callable[[Tensor], Tensor] | None = None

    def _answer(self, charges: Tensor) -> Tensor:
        # Prepared when needed: the solver may know the inverse.
        if self._by_mesh is None:
            self._by_mesh = self._conductor.answer_by_mesh(self._group) or self._in_full
        return self._by_mesh(charges)

    def _in_full(self, charges: Tensor) -> Tensor:
        return self._conductor.answer(charges[:, None])[:, 0]

    def solve(self, given: Tensor, series: str = "charges") -> Tensor:
        """Return charges (M, 1) that sum to zero."""
        return self._solver.solve(self._metal, self._answer, given.detach()[:, 0], series).charges[
            :, None
        ]


class ImplicitGradient(torch.autograd.Function):
    """Derivatives of converged charges by the implicit function theorem.

    A residual r of the potential changes the charges by :math:`-H^{-1} r`. The residual itself is
    zero, only its derivatives matter; the change of H is neglected. First derivatives of the
    charges are then correct, and so are first and second derivatives of the energy.
    """

    @staticmethod
    def forward(
        ctx: Any, found: Tensor, residual: Tensor, solve: Callable[[Tensor], Tensor]
    ) -> Tensor:
        ctx.solve = solve
        return found.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, None]:
        return None, -ctx.solve(gradient), None


def _ratio(value: Tensor, by: Tensor, where: Tensor) -> Tensor:
    """Return the quotient where `where` is true, and zero elsewhere."""
    return torch.where(where, value / torch.where(where, by, 1.0), 0.0)
