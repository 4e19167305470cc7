"""Solvers for the charges of metal atoms.

The matrix H of `ase_les.electrostatics.equilibration` is factorized, or applied in conjugate
gradients, always on charges whose sum over each structure is zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from ase_les.electrostatics.energy import Electrostatics, GroupPlan, Plan
from ase_les.electrostatics.layout import Layout
from ase_les.electrostatics.mesh_potential import MeshPotential
from ase_les.electrostatics.metal_preconditioner import Metal
from ase_les.electrostatics.particle_mesh import AnalyticParticleMesh
from ase_les.electrostatics.slab import LayerPotential, SlabBox
from ase_les.electrostatics.warm_start import NO_MINIMUM, Answer, AnswerOf
from ase_les.graph import Graph, atoms_without_edges

# The condition number for smeared charges is some hundreds: tens of steps are enough.
_MOST_STEPS = 500


class Potential:
    """Derivative of the long-range energy by the charge of each atom.

    Attributes
    ----------
    mesh : MeshSum or None
        A faster way for one structure whose sum uses a mesh.
    """

    def __init__(self, sums: Electrostatics, plan: Plan, graph: Graph | None = None):
        self.sums = sums
        self._plan = plan
        self.mesh: MeshSum | None = None
        (group, *others) = plan.groups
        if graph is not None and not others and MeshPotential.applies(group.sum, graph.n_atoms):
            self.mesh = MeshSum(graph, group)

    def __call__(self, graph: Graph, charges: Tensor, create_graph: bool = False) -> Tensor:
        """Return potentials (N, n) in V of charges (N, n)."""
        with torch.enable_grad():
            probe = torch.zeros_like(charges, requires_grad=True)
            energy = self.sums(graph, charges + probe, self._plan).sum()
            return torch.autograd.grad(energy, probe, create_graph=create_graph)[0]

    def at(self, graph: Graph, charges: Tensor, atoms: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return potentials (M, 1) in V at some atoms (M,) of charges (N, 1), up to a constant.

        And the potential on the mesh, None without mesh or kernels.
        """
        if self.mesh is None:
            return self(graph, charges)[atoms], None
        found, surface = self.mesh.among(None)(charges[:, 0])
        found = self.sums.config.weight * found[atoms, None]
        return found - self.own * charges[atoms], surface

    @property
    def own(self) -> float:
        """Potential in V of a unit charge at itself that is removed."""
        config = self.sums.config
        if not config.remove_self_energy:
            return 0.0
        return config.weight * config.self_energy_copies * config.self_potential


class MeshSum:
    """Potentials of charges among the atoms of one structure on a mesh, without an energy.

    Constants, such as that of a background, are left out.
    """

    def __init__(self, graph: Graph, group: GroupPlan):
        assert group.sum is not None
        graph = graph._replace(positions=graph.positions.detach(), cell=graph.cell.detach())
        box = None if group.box_lengths is None else SlabBox.of(graph, group.box_lengths)
        self._sum, self._positions = group.sum, graph.positions
        self.cell = graph.cell if box is None else box.cell
        self._layer: LayerPotential | None = None
        if box is not None and not group.sum.truncated:
            self._layer = LayerPotential(graph, box)

    def among(self, atoms: Tensor | None) -> AnswerOf:
        """Return the map from charges (M,) to potentials (M,) in V of some atoms, None for all."""
        positions = self._positions if atoms is None else self._positions[atoms]
        of_mesh = MeshPotential(self._sum, positions, self.cell)
        layer = self._layer
        of_layer = layer if layer is None or atoms is None else layer.of(atoms)

        def answer(charges: Tensor) -> Answer:
            surface = of_mesh.surface(charges)
            potentials = of_mesh.at_atoms(surface)
            if of_layer is not None:
                potentials = potentials + of_layer(charges)
            return Answer(potentials, surface if of_mesh.has_kernels else None)

        return answer


class Response(NamedTuple):
    """Neutral charges (M, 1) in e, and their potential on the mesh of the sum, if it is known."""

    charges: Tensor
    surface: Tensor | None = None


class Solver(Protocol):
    """Inverse of H on neutral charges."""

    def solve(self, given: Tensor, series: str = "charges") -> Response:
        """Return neutral charges with a potential (M, 1) up to a constant.

        Solutions of one `series` are initial values of the next, if the solver uses them.
        """


class Conductor:
    """Subgraph of the metal atoms, and the matrix H from their charges to their potential."""

    def __init__(self, graph: Graph, metal: Tensor, stiffness: Tensor, potential: Potential):
        part = atoms_without_edges(graph, metal)
        self.graph = part._replace(positions=part.positions.detach(), cell=part.cell.detach())
        self._metal, self._stiffness = metal, stiffness
        self.potential = potential
        self.n_atoms = part.n_atoms
        self.layout = Layout.of(part.structure, part.n_structures)
        # Slots of the layout that contain an atom, (S, width).
        self.filled = self.layout.filled(stiffness)
        self._count = self.sum(torch.ones_like(stiffness)).clamp(min=1)

    @property
    def hardness(self) -> Tensor:
        """Diagonal (M,) of H in eV/e², beside the interaction of the Gaussians."""
        return self._stiffness[:, 0] - self.potential.own

    def answer(self, charges: Tensor) -> Tensor:
        """Return potentials H p (M, n) of n sets of charges p (M, n)."""
        return self.potential(self.graph, charges) + self._stiffness * charges

    def answers(self) -> AnswerOf:
        """Return the map from neutral charges (M,) of one structure to potentials H p (M,).

        On a mesh it is faster, and the potential is the same up to a constant.
        """
        if self.potential.mesh is None:
            return lambda charges: Answer(self.answer(charges[:, None])[:, 0])
        weight = self.potential.sums.config.weight
        sum_of, hardness = self.potential.mesh.among(self._metal), self.hardness

        def answer(charges: Tensor) -> Answer:
            potentials, surface = sum_of(charges)
            return Answer(weight * potentials + hardness * charges, surface)

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

    def solve(self, given: Tensor, series: str = "charges") -> Response:
        """Return charges that sum to zero."""
        conductor = self._conductor
        block = conductor.layout.pad(conductor.neutral(given.detach()))
        return Response(torch.cholesky_solve(block, self._factors)[conductor.filled])


class Iterated:
    """Response charges to a potential by conjugate gradients: one sum per step."""

    def __init__(self, conductor: Conductor, tolerance: float):
        self._conductor = conductor
        self._tolerance = tolerance

    def solve(self, given: Tensor, series: str = "charges") -> Response:
        """Return charges that sum to zero."""
        conductor, given = self._conductor, given.detach()
        left = conductor.neutral(given)
        charges, direction = torch.zeros_like(left), left
        square = conductor.sum(left**2)
        # A constant potential leaves only round-off.
        enough = self._tolerance**2 * conductor.sum(given**2)
        for _ in range(_MOST_STEPS):
            unsettled = square > enough
            if not unsettled.any():
                return Response(charges)
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

    def __init__(self, conductor: Conductor, plan: Plan):
        assert plan.metal is not None
        self._conductor, self._solver = conductor, plan.metal
        graph, (group,), mesh = conductor.graph, plan.groups, conductor.potential.mesh
        cell = normal = None
        if group.n_periodic == 3:
            cell = graph.cell[0]
        elif group.box_lengths is not None:
            boxes = SlabBox.of(graph, group.box_lengths).cell if mesh is None else mesh.cell
            cell = boxes[0]
            normal = cell[2] / torch.linalg.vector_norm(cell[2])
        kernels = None
        if group.sum is not None and isinstance(group.sum.method, AnalyticParticleMesh):
            kernels = group.sum.method.kernels
        hardness = conductor.hardness
        self._metal = Metal(graph.positions, cell, normal, hardness, group.sum, kernels)
        self._answers: AnswerOf | None = None

    def _answer(self, charges: Tensor) -> Answer:
        # Prepared when needed: the solver may know the inverse.
        if self._answers is None:
            self._answers = self._conductor.answers()
        return self._answers(charges)

    def solve(self, given: Tensor, series: str = "charges") -> Response:
        """Return charges that sum to zero."""
        given = given.detach()[:, 0]
        found = self._solver.solve(self._metal, self._answer, given, series)
        return Response(found.charges[:, None], found.surface)


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
