r"""Charge equilibration among the atoms of a metal.

Local charges cannot respond to an ion on the far side of a gap: that a metal has a constant
potential depends on the whole structure. Here the atoms of selected elements exchange charge as
in a conductor [1]_ [2]_: in addition to the charges :math:`q` from their environments, they have
charges :math:`p` that minimize

.. math::
    E(p) = E_\mathrm{lr}(q + p) + \sum_i \big(\chi_i p_i + \tfrac12 (\eta_i + U) p_i^2\big),
    \qquad \sum_i p_i = 0, \quad
    U = \begin{cases} 2 w k_e / \sqrt{2\pi}\,\sigma & \text{self energy removed} \\
        0 & \text{else} \end{cases}

(w: weight of the long-range energy) over the atoms of each structure: one linear system, whose
matrix is positive since it is that of Gaussian charges and of positive hardnesses :math:`\eta`.
Differences of electronegativities :math:`\chi` between the elements determine the direction of
charge transfer.

At the minimum :math:`E` is stationary in :math:`p`, so that forces and stress are the derivatives
of :math:`E` at fixed :math:`p`. In a metal slab with ions next to it, :math:`p` are image charges.

References
----------
.. [1] A. K. Rappé, W. A. Goddard, J. Phys. Chem. 95, 3358 (1991): charge equilibration.
.. [2] J. I. Siepmann, M. Sprik, J. Chem. Phys. 102, 511 (1995): metal electrodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Annotated, Any, NamedTuple, Protocol

import torch
from ase.data import atomic_numbers
from torch import Tensor, nn

from ase_les.configuration import Element, Len, Number, Positive, Unit, configuration
from ase_les.electrostatics.energy import (
    Electrostatics,
    ElectrostaticsConfig,
    GroupPlan,
    Plan,
)
from ase_les.electrostatics.layout import Layout
from ase_les.electrostatics.mesh_potential import MeshPotential
from ase_les.electrostatics.slab import SlabBox, layer_potential
from ase_les.electrostatics.warm_start import TOLERANCE, Metal, WarmStart
from ase_les.graph import Graph, atoms_without_edges
from ase_les.units import COULOMB_CONSTANT

# Residual of the potential relative to the driving potential, by precision of the network.
_RESIDUAL = {torch.float32: 1e-7, torch.float64: 1e-11}

# The condition number for smeared charges is some hundreds: tens of steps are enough.
_MOST_STEPS = 500

# Atoms times unit charges up to which one sum of all unit charges costs less than the steps.
# Measured in force calls: 38 atoms, 12 of them metal, a third less; 76 and 24 the same; 714 and 12
# half as much again.
_AT_ONCE = 1000

_NO_MINIMUM = (
    "charge equilibration of the metal atoms failed: the energy of charges is not positive. "
    "Check for overlapping atoms and for the hardnesses of the model"
)


@configuration
class EquilibrationConfig:
    """Elements whose atoms exchange charge as in a metal.

    Parameters
    ----------
    elements : tuple of str
        Symbols. In each structure all atoms of these elements form one conductor at any distance.
    hardness : float
        Initial hardnesses η before training, in eV/e².
    electronegativities : mapping of str to float
        Initial χ of elements before training, in eV; 0 for elements not listed. Only
        differences matter. They set the direction of charge transfer, because energies
        depend so weakly on its sign that training could learn the wrong one.

    Raises
    ------
    ValueError
        If an element is listed twice, or an electronegativity is given for another element.
    """

    elements: Annotated[tuple[Element, ...], Len(1, 118)]
    hardness: Annotated[Positive, Unit("eV/e²")] = 1.0
    electronegativities: Mapping[Element, Annotated[Number, Unit("eV")]] = field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        if len(set(self.elements)) < len(self.elements):
            raise ValueError(f"`elements` needs each symbol once, got {list(self.elements)}")
        others = sorted(set(self.electronegativities) - set(self.elements))
        if others:
            raise ValueError(
                f"`electronegativities` belong to {', '.join(self.elements)}, got also "
                f"{', '.join(others)}"
            )


class EquilibratedCharges(NamedTuple):
    r"""Equilibrated charges and their energy.

    ``charges`` (N, 1): p in e. ``energies`` (N,): :math:`\chi p + \tfrac12 (\eta + U) p^2` of
    each atom, in eV.
    """

    charges: Tensor
    energies: Tensor


class Equilibration(nn.Module):
    """Solver for the charges p of a batch of structures, twice differentiable (training).

    Parameters
    ----------
    config : EquilibrationConfig
    """

    def __init__(self, config: EquilibrationConfig):
        super().__init__()
        self.config = config
        n_elements = len(config.elements)
        chi = [config.electronegativities.get(symbol, 0.0) for symbol in config.elements]
        self.electronegativity = nn.Parameter(torch.tensor(chi))
        self.log_hardness = nn.Parameter(torch.full((n_elements,), math.log(config.hardness)))
        row = torch.full((max(atomic_numbers.values()) + 1,), -1)
        row[[atomic_numbers[symbol] for symbol in config.elements]] = torch.arange(n_elements)
        self._row: Tensor
        self.register_buffer("_row", row, persistent=False)

    def atoms(self, graph: Graph) -> Tensor:
        """Return the indices (M,), ascending, of metal atoms."""
        return torch.nonzero(self._row[graph.numbers] >= 0).squeeze(1)

    def forward(
        self, graph: Graph, charges: Tensor, sums: Electrostatics, plan: Plan
    ) -> EquilibratedCharges:
        """Return the equilibrated charges for given local charges.

        Parameters
        ----------
        graph : Graph
        charges : Tensor, shape (N, 1)
            In e, float64.
        sums : Electrostatics
            Computes the potentials of charges.
        plan : Plan
            Plan of the graph, also used for the metal atoms alone.

        Raises
        ------
        ArithmeticError
            If no minimum is found.
        """
        metal = self.atoms(graph)
        none = torch.zeros_like(charges)
        if not len(metal):
            return EquilibratedCharges(none, none[:, 0])
        row = self._row[graph.numbers[metal]]
        chi = self.electronegativity.double()[row, None]
        stiffness = self._stiffness(sums)[row, None]
        potential = _Potential(sums, plan)
        drive = potential(graph, charges.detach())[metal] + chi.detach()
        tolerance = _RESIDUAL[self.log_hardness.dtype]
        conductor = _Conductor(graph, metal, stiffness.detach(), potential)
        at_once = conductor.n_atoms * conductor.layout.width <= _AT_ONCE
        solver: _Solver
        if at_once:
            solver = _Factorized(conductor)
        elif plan.metal is not None and plan.metal.applies(conductor.n_atoms, graph.n_structures):
            hardness = self.log_hardness.detach().double().exp()[row]
            solver = _Warm(conductor, plan, hardness)
        else:
            solver = _Iterated(conductor, tolerance)
        found = solver.solve(-drive)

        def residual() -> Tensor:
            """Return the residual potential, which is zero but has nonzero derivatives."""
            whole = charges.index_add(0, metal, found)
            left = potential(graph, whole, create_graph=True)[metal]
            return conductor.neutral(left + chi + stiffness * found)

        moved = self.differentiable(found, residual, solver.solve)
        energies = (chi * moved + 0.5 * stiffness * moved**2)[:, 0]
        return EquilibratedCharges(
            none.index_add(0, metal, moved), none[:, 0].index_add(0, metal, energies)
        )

    def differentiable(
        self, found: Tensor, residual: Callable[[], Tensor], solve: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """Return the charges with derivatives, by one more step of Newton's method."""
        charges: Tensor = _ImplicitGradient.apply(found, residual(), solve)
        return charges

    def frozen(self) -> FrozenEquilibration:
        """Return the same for inference."""
        other = FrozenEquilibration(self.config).to(self.log_hardness)
        other.load_state_dict(self.state_dict())
        return other

    def warm_start(self, config: ElectrostaticsConfig) -> WarmStart | None:
        """Return a solver for a sequence of geometries; None in training."""
        return None

    def _stiffness(self, sums: Electrostatics) -> Tensor:
        """Return η + U by element, in eV/e²."""
        hardness = self.log_hardness.double().exp()
        if not sums.config.remove_self_energy:
            return hardness
        own = 2 * COULOMB_CONSTANT / (math.sqrt(2 * math.pi) * sums.config.smearing)
        return hardness + sums.config.weight * own


class FrozenEquilibration(Equilibration):
    """Charges without derivatives, sufficient for first derivatives of the energy."""

    def warm_start(self, config: ElectrostaticsConfig) -> WarmStart | None:
        """Return a solver for a sequence of geometries."""
        return WarmStart(config.smearing, config.weight, TOLERANCE[self.log_hardness.dtype])

    def differentiable(
        self, found: Tensor, residual: Callable[[], Tensor], solve: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """Return the charges unchanged."""
        return found


class _Potential:
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


class _Solver(Protocol):
    def solve(self, given: Tensor) -> Tensor:
        """Return the neutral response charges (M, 1) to a potential."""


class _Conductor:
    """Subgraph of the metal atoms, and the matrix H from their charges to their potential."""

    def __init__(self, graph: Graph, metal: Tensor, stiffness: Tensor, potential: _Potential):
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
        config, graph, box = self._potential.sums.config, self.graph, None
        cell = graph.cell
        if group.box_lengths is not None:
            box = SlabBox.of(graph, group.box_lengths)
            cell = box.cell
        truncated = group.sum.truncated
        of_mesh = MeshPotential(group.sum, graph.positions, cell)
        local = self._stiffness[:, 0]
        if config.remove_self_energy:
            own = 2 * COULOMB_CONSTANT / (math.sqrt(2 * math.pi) * config.smearing)
            local = local - config.weight * config.self_energy_copies * own

        def answer(charges: Tensor) -> Tensor:
            potential = of_mesh(charges)
            if box is not None and not truncated:
                potential = potential + layer_potential(graph, charges, box)
            return config.weight * potential + local * charges

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


class _Factorized:
    """Response charges to a potential by a factorization of H from all unit charges."""

    def __init__(self, conductor: _Conductor):
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
            raise ArithmeticError(_NO_MINIMUM)

    def solve(self, given: Tensor) -> Tensor:
        """Return charges (M, 1) that sum to zero."""
        conductor = self._conductor
        block = conductor.layout.pad(conductor.neutral(given.detach()))
        return torch.cholesky_solve(block, self._factors)[conductor.filled]


class _Iterated:
    """Response charges to a potential by conjugate gradients: one sum per step."""

    def __init__(self, conductor: _Conductor, tolerance: float):
        self._conductor = conductor
        self._tolerance = tolerance

    def solve(self, given: Tensor) -> Tensor:
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
        raise ArithmeticError(_NO_MINIMUM)


class _Warm:
    """Response charges to a potential, by the solver that stores the previous geometry."""

    def __init__(self, conductor: _Conductor, plan: Plan, hardness: Tensor):
        assert plan.metal is not None
        self._conductor, self._solver = conductor, plan.metal
        graph, (group,) = conductor.graph, plan.groups
        cell = normal = None
        if group.n_periodic == 3:
            cell = graph.cell[0]
        elif group.box_lengths is not None:
            cell = SlabBox.of(graph, group.box_lengths).cell[0]
            normal = cell[2] / torch.linalg.vector_norm(cell[2])
        self._metal = Metal(graph.positions, cell, normal, hardness)
        self._by_mesh = conductor.answer_by_mesh(group)

    def _in_full(self, charges: Tensor) -> Tensor:
        return self._conductor.answer(charges[:, None])[:, 0]

    def solve(self, given: Tensor) -> Tensor:
        """Return charges (M, 1) that sum to zero."""
        answer = self._by_mesh or self._in_full
        return self._solver.solve(self._metal, answer, given.detach()[:, 0]).charges[:, None]


class _ImplicitGradient(torch.autograd.Function):
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
