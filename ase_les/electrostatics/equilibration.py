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
from typing import Annotated, NamedTuple

import torch
from ase.data import atomic_numbers
from torch import Tensor, nn

from ase_les.configuration import Element, Len, Number, Positive, Unit, configuration
from ase_les.electrostatics.energy import Electrostatics, ElectrostaticsConfig, Plan
from ase_les.electrostatics.metal_solvers import (
    Conductor,
    Factorized,
    ImplicitGradient,
    Iterated,
    Potential,
    Solver,
    Warm,
)
from ase_les.electrostatics.warm_start import TOLERANCE, WarmStart
from ase_les.graph import Graph

# Residual of the potential relative to the driving potential, by precision of the network.
_RESIDUAL = {torch.float32: 1e-7, torch.float64: 1e-11}

# Atoms times unit charges up to which one sum of all unit charges costs less than the steps.
# Measured in force calls: 38 atoms, 12 of them metal, a third less; 76 and 24 the same; 714 and 12
# half as much again.
_AT_ONCE = 1000


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
    each atom, in eV. ``surface``: potential of :math:`q + p` on the mesh of the sum, without
    derivatives, if it is known.
    """

    charges: Tensor
    energies: Tensor
    surface: Tensor | None = None


class MetalBias(NamedTuple):
    r"""External conditions of the M metal atoms of a graph, in ascending order.

    ``energies`` (M,): added to :math:`\chi`, in eV/e, differentiable: :math:`-V` at an electrode
    of potential V, :math:`-\boldsymbol{\mathcal{E}} \cdot \mathbf{r}_i` in a field; the
    energy then contains their work. ``electrode`` (M,): 1 at atoms whose charges add up to
    ``charge`` in e, 0 at others; None without such a constraint.
    """

    energies: Tensor
    electrode: Tensor | None = None
    charge: float = 0.0


class Equilibrium:
    """Solution for the charges of metal atoms, and their response under the same conditions.

    Attributes
    ----------
    charges : Tensor, shape (M, 1)
        In e, without derivatives.
    surface : Tensor or None
        Potential of all charges on the mesh of the sum, if it is known.
    potential_V : float or None
        Potential of the electrode of given charge relative to the other metal atoms; None without
        such an electrode.
    """

    def __init__(
        self, solver: Solver, drive: Tensor, bias: MetalBias | None, surface: Tensor | None
    ):
        self._solver = solver
        self._electrode = self.potential_V = None
        charges, moved = solver.solve(-drive)
        surface = _sum_of(surface, moved)
        if bias is not None and bias.electrode is not None:
            self._electrode = bias.electrode[:, None]
            self._unit, moved = solver.solve(self._electrode, "electrode")
            self.potential_V = (bias.charge - self._held(charges)) / self._held(self._unit)
            charges = charges + self.potential_V * self._unit
            surface = _sum_of(surface, moved, self.potential_V)
        self.charges, self.surface = charges, surface

    def respond(self, potential: Tensor, series: str = "response") -> Tensor:
        """Return the change (M, 1) in e by an energy lowered by `potential` (M, 1) in eV/e.

        Solutions of one `series` are initial values of the next.
        """
        change = self._solver.solve(potential, series).charges
        if self._electrode is None:
            return change
        return change - self._held(change) / self._held(self._unit) * self._unit

    def response_of(self, potential: Tensor) -> Tensor:
        """Return the response (M, 1) in e to a potential (M, 1), without charges held fixed."""
        return self._solver.solve(potential, "electrode").charges

    def _held(self, charges: Tensor) -> float:
        assert self._electrode is not None
        return float((self._electrode * charges).sum())


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
        self,
        graph: Graph,
        charges: Tensor,
        sums: Electrostatics,
        plan: Plan,
        bias: MetalBias | None = None,
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
        bias : MetalBias or None
            Field and electrodes.

        Raises
        ------
        ArithmeticError
            If no minimum is found.
        """
        metal = self.atoms(graph)
        none = torch.zeros_like(charges)
        if not len(metal):
            return EquilibratedCharges(none, none[:, 0])
        chi, stiffness = self._constants(graph, metal, sums, bias)
        found = self.equilibrium(graph, charges, sums, plan, bias)

        def residual() -> Tensor:
            """Return the residual potential, which is zero but has nonzero derivatives."""
            whole = charges.index_add(0, metal, found.charges)
            left = Potential(sums, plan)(graph, whole, create_graph=True)[metal]
            conductor = Conductor(graph, metal, stiffness.detach(), Potential(sums, plan))
            return conductor.neutral(left + chi + stiffness * found.charges)

        moved = self.differentiable(found.charges, residual, found.respond)
        energies = (chi * moved + 0.5 * stiffness * moved**2)[:, 0]
        return EquilibratedCharges(
            none.index_add(0, metal, moved),
            none[:, 0].index_add(0, metal, energies),
            found.surface,
        )

    def equilibrium(
        self,
        graph: Graph,
        charges: Tensor,
        sums: Electrostatics,
        plan: Plan,
        bias: MetalBias | None = None,
    ) -> Equilibrium:
        """Return the charges of metal atoms and their response; arguments as of `forward`."""
        metal = self.atoms(graph)
        chi, stiffness = self._constants(graph, metal, sums, bias)
        potential = Potential(sums, plan, graph)
        drive, surface = potential.at(graph, charges.detach(), metal)
        conductor = Conductor(graph, metal, stiffness.detach(), potential)
        at_once = conductor.n_atoms * conductor.layout.width <= _AT_ONCE
        solver: Solver
        if at_once:
            solver = Factorized(conductor)
        elif plan.metal is not None and plan.metal.applies(conductor.n_atoms, graph.n_structures):
            solver = Warm(conductor, plan)
        else:
            solver = Iterated(conductor, _RESIDUAL[self.log_hardness.dtype])
        return Equilibrium(solver, drive + chi.detach(), bias, surface)

    def levels(
        self,
        graph: Graph,
        charges: Tensor,
        moved: Tensor,
        sums: Electrostatics,
        plan: Plan,
        bias: MetalBias | None = None,
    ) -> Tensor:
        """Return the derivatives (M,) in V of the energy by the charges `moved` (M, 1) of metals.

        At equilibrium they are equal at all atoms without a fixed charge, and at those of an
        electrode of given charge. Other arguments as of `forward`.
        """
        metal = self.atoms(graph)
        chi, stiffness = self._constants(graph, metal, sums, bias)
        whole = charges.index_add(0, metal, moved)
        return (Potential(sums, plan)(graph, whole)[metal] + chi + stiffness * moved)[:, 0]

    def _constants(
        self, graph: Graph, metal: Tensor, sums: Electrostatics, bias: MetalBias | None
    ) -> tuple[Tensor, Tensor]:
        """Return χ with the bias in eV/e, and η + U in eV/e², both (M, 1)."""
        row = self._row[graph.numbers[metal]]
        chi = self.electronegativity.double()[row, None]
        if bias is not None:
            chi = chi + bias.energies[:, None]
        return chi, self._stiffness(sums)[row, None]

    def differentiable(
        self, found: Tensor, residual: Callable[[], Tensor], solve: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """Return the charges with derivatives, by one more step of Newton's method."""
        charges: Tensor = ImplicitGradient.apply(found, residual(), solve)
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
        return hardness + sums.config.weight * sums.config.self_potential


class FrozenEquilibration(Equilibration):
    """Charges without derivatives, sufficient for first derivatives of the energy."""

    def warm_start(self, config: ElectrostaticsConfig) -> WarmStart | None:
        """Return a solver for a sequence of geometries."""
        return WarmStart(config.kernel(), config.weight, TOLERANCE[self.log_hardness.dtype])

    def differentiable(
        self, found: Tensor, residual: Callable[[], Tensor], solve: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """Return the charges unchanged."""
        return found


def _sum_of(surface: Tensor | None, other: Tensor | None, factor: float = 1.0) -> Tensor | None:
    """Return the sum of two potentials on a mesh, None if one of them is unknown."""
    if surface is None or other is None:
        return None
    return surface.add(other, alpha=factor)
