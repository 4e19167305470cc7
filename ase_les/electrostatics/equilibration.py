r"""Charge that flows among the atoms of a metal until none of them gains by more.

Local charges cannot know of an ion on the far side of a gap: that the metal around the gap levels
its potential is decided by the whole structure. Here the atoms of chosen elements share electrons
as a conductor's do [1]_ [2]_: beside the charges :math:`q` that their environments give, they carry
charges :math:`p` that minimise

.. math::
    E(p) = E_\mathrm{lr}(q + p) + \sum_i \big(\chi_i p_i + \tfrac12 (\eta_i + U) p_i^2\big),
    \qquad \sum_i p_i = 0, \quad
    U = \begin{cases} 2 w k_e / \sqrt{2\pi}\,\sigma & \text{self energy removed} \\
        0 & \text{else} \end{cases}

(w: weight of the long-range energy) over the atoms of each structure: one linear system, whose
matrix is positive since it is that of Gaussian charges and of positive hardnesses :math:`\eta`.
Differences of electronegativities :math:`\chi` between the elements say which of them draws
electrons from which.

At the minimum nothing is gained by moving charge, so that forces and stress are the derivatives of
:math:`E` at fixed :math:`p`. In a metal slab with ions before it :math:`p` are the image charges.

References
----------
.. [1] A. K. Rappé, W. A. Goddard, J. Phys. Chem. 95, 3358 (1991): charge equilibration.
.. [2] J. I. Siepmann, M. Sprik, J. Chem. Phys. 102, 511 (1995): metal electrodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from ase.data import atomic_numbers
from torch import Tensor, nn

from ase_les.electrostatics.energy import Electrostatics
from ase_les.electrostatics.layout import Layout
from ase_les.graph import Graph, atoms_without_edges
from ase_les.units import COULOMB_CONSTANT

# Of the potential that drives the charges, what may be left of it, by precision of the network.
_RESIDUAL = {torch.float32: 1e-7, torch.float64: 1e-11}

# The condition number is that of smeared charges, some hundreds: tens of steps are enough.
_MOST_STEPS = 500

# Atoms times unit charges up to which one sum of all unit charges costs less than the steps.
# Measured in force calls: 38 atoms, 12 of them metal, a third less; 76 and 24 the same; 714 and 12
# half as much again.
_AT_ONCE = 1000

_NO_MINIMUM = (
    "the charges of metal atoms do not settle: the energy of charges is not positive. "
    "Atoms may lie on top of each other, or the hardnesses of the model are wrong"
)


@dataclass(frozen=True)
class EquilibrationConfig:
    """Elements whose atoms share electrons, as those of a metal do.

    Parameters
    ----------
    elements : tuple of str
        Their symbols. In each structure all atoms of them are one conductor, however far apart.
    hardness : float
        What their hardnesses η are before training, in eV/e².
    electronegativities : mapping of str to float
        What χ of elements is before training, in eV; 0 for those not named. Only
        differences count. They say which way electrons go: energies depend on
        the sign of what flows little enough to be learned the wrong way round.

    Raises
    ------
    ValueError
        If there are no elements, one is unknown, or the hardness is not positive.
    """

    elements: tuple[str, ...]
    hardness: float = 1.0
    electronegativities: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self):
        if isinstance(self.elements, str):
            raise ValueError(f"`elements` needs a list of symbols, got {self.elements!r}")
        object.__setattr__(self, "elements", tuple(self.elements))
        unknown = sorted(set(self.elements) - set(atomic_numbers))
        if unknown or not self.elements or len(set(self.elements)) < len(self.elements):
            raise ValueError(
                f"`elements` needs element symbols, each once, got {list(self.elements)}"
            )
        if not self.hardness > 0:
            raise ValueError(f"`hardness` must be positive (eV/e²), got {self.hardness}")
        given = {symbol: float(chi) for symbol, chi in self.electronegativities.items()}
        object.__setattr__(self, "electronegativities", given)
        others = sorted(set(given) - set(self.elements))
        if others:
            raise ValueError(
                f"`electronegativities` belong to {', '.join(self.elements)}, got also "
                f"{', '.join(others)}"
            )


class Flow(NamedTuple):
    """Charges p (N, 1) in e that have flowed, and what each atom pays for its own, (N,) in eV."""

    charges: Tensor
    cost: Tensor


class Equilibration(nn.Module):
    """The charges p of a batch of structures; the energy may be differentiated twice (training).

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
        self.register_buffer("_row", row, persistent=False)

    def atoms(self, graph: Graph) -> Tensor:
        """Which atoms share electrons, (M,) ascending."""
        return torch.nonzero(self._row[graph.numbers] >= 0).squeeze(1)

    def forward(self, graph: Graph, charges: Tensor, sums: Electrostatics) -> Flow:
        """What flows once the environments have given their charges.

        Parameters
        ----------
        graph : Graph
        charges : Tensor, shape (N, 1)
            In e, float64.
        sums : Electrostatics
            Says the potentials of charges.

        Raises
        ------
        ArithmeticError
            If no minimum is found.
        """
        metal = self.atoms(graph)
        none = torch.zeros_like(charges)
        if not len(metal):
            return Flow(none, none[:, 0])
        row = self._row[graph.numbers[metal]]
        chi = self.electronegativity.double()[row, None]
        stiffness = self._stiffness(sums)[row, None]
        drive = _potential(sums, graph, charges.detach())[metal] + chi.detach()
        tolerance = _RESIDUAL[self.log_hardness.dtype]
        conductor = _Conductor(*self.body(graph, metal), stiffness.detach(), sums)
        at_once = conductor.n_atoms * conductor.layout.width <= _AT_ONCE
        solver = _Factorized(conductor) if at_once else _Iterated(conductor, tolerance)
        found = solver.solve(-drive)

        def residual() -> Tensor:
            """The potential that is left, zero but for how it depends on everything."""
            whole = charges.index_add(0, metal, found)
            left = _potential(sums, graph, whole, create_graph=True)[metal]
            return conductor.neutral(left + chi + stiffness * found)

        flowed = self.attached(found, residual, solver.solve)
        cost = (chi * flowed + 0.5 * stiffness * flowed**2)[:, 0]
        return Flow(none.index_add(0, metal, flowed), none[:, 0].index_add(0, metal, cost))

    def body(self, graph: Graph, metal: Tensor) -> tuple[Graph, Tensor]:
        """Enough of a graph to say what those atoms do to each other, and which they are there."""
        return atoms_without_edges(graph, metal), torch.arange(len(metal), device=metal.device)

    def attached(
        self, found: Tensor, residual: Callable[[], Tensor], solve: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """The charges with their derivatives: those of one more step of Newton's method."""
        return _Attached.apply(found, residual(), solve)

    def held(self) -> HeldEquilibration:
        """The same for inference."""
        other = HeldEquilibration(self.config).to(self.log_hardness)
        other.load_state_dict(self.state_dict())
        return other

    def _stiffness(self, sums: Electrostatics) -> Tensor:
        """η + U by element, in eV/e²."""
        hardness = self.log_hardness.double().exp()
        if not sums.config.remove_self_energy:
            return hardness
        own = 2 * COULOMB_CONSTANT / (math.sqrt(2 * math.pi) * sums.config.smearing)
        return hardness + sums.config.weight * own


class HeldEquilibration(Equilibration):
    """The same charges without derivatives: all that first derivatives of the energy need."""

    def body(self, graph: Graph, metal: Tensor) -> tuple[Graph, Tensor]:
        # All atoms: for fewer a sum might choose another method or mesh than for the energy.
        return graph, metal

    def attached(
        self, found: Tensor, residual: Callable[[], Tensor], solve: Callable[[Tensor], Tensor]
    ) -> Tensor:
        return found


class _Conductor:
    """How the potential of atoms that share electrons answers to their charges: by a matrix H."""

    def __init__(self, graph: Graph, metal: Tensor, stiffness: Tensor, sums: Electrostatics):
        self._graph = graph._replace(positions=graph.positions.detach(), cell=graph.cell.detach())
        self._metal = metal
        self._structure = graph.structure[metal]
        self._stiffness = stiffness
        self._sums = sums
        self.n_atoms = graph.n_atoms
        self.layout = Layout.of(self._structure, graph.n_structures)
        # Which slots of the layout hold an atom, (S, width).
        self.filled = self.layout.filled(stiffness)
        self._count = self.sum(torch.ones_like(stiffness)).clamp(min=1)

    def answer(self, charges: Tensor) -> Tensor:
        """Potentials H p (M, n) of n sets of charges p (M, n)."""
        whole = charges.new_zeros(self._graph.n_atoms, charges.shape[1])
        whole = whole.index_copy(0, self._metal, charges)
        potential = _potential(self._sums, self._graph, whole)[self._metal]
        return potential + self._stiffness * charges

    def neutral(self, values: Tensor) -> Tensor:
        """Values (M, n) less their mean over each structure."""
        return values - self.of_atoms(self.sum(values) / self._count)

    def sum(self, values: Tensor) -> Tensor:
        """Sums (S, n) over the atoms of each structure."""
        total = values.new_zeros(self.layout.n_structures, values.shape[1])
        return total.index_add(0, self._structure, values)

    def of_atoms(self, values: Tensor) -> Tensor:
        """What each atom's structure has, (M, n) of (S, n)."""
        return values[self._structure]


class _Factorized:
    """Charges that answer to a potential, by the factors of H: one sum of all unit charges."""

    def __init__(self, conductor: _Conductor):
        self._conductor, filled = conductor, conductor.filled
        # One atom of every structure after the other gets a unit charge.
        rank = filled.cumsum(1)[filled] - 1
        units = nn.functional.one_hot(rank, filled.shape[1]).double()
        answers = conductor.neutral(conductor.answer(conductor.neutral(units)))
        # Total charge, which does not flow, and empty slots keep to themselves.
        total = (filled[:, :, None] & filled[:, None, :]).double()
        matrix = conductor.layout.pad(answers) + total + torch.diag_embed((~filled).double())
        self._factors, failed = torch.linalg.cholesky_ex(matrix)
        if failed.any():
            raise ArithmeticError(_NO_MINIMUM)

    def solve(self, given: Tensor) -> Tensor:
        """Charges (M, 1) that sum to zero."""
        conductor = self._conductor
        block = conductor.layout.pad(conductor.neutral(given.detach()))
        return torch.cholesky_solve(block, self._factors)[conductor.filled]


class _Iterated:
    """Charges that answer to a potential, by conjugate gradients: one sum each step."""

    def __init__(self, conductor: _Conductor, tolerance: float):
        self._conductor = conductor
        self._tolerance = tolerance

    def solve(self, given: Tensor) -> Tensor:
        """Charges (M, 1) that sum to zero."""
        conductor, given = self._conductor, given.detach()
        left = conductor.neutral(given)
        charges, direction = torch.zeros_like(left), left
        square = conductor.sum(left**2)
        # A level potential leaves round-off, which is no field.
        enough = self._tolerance**2 * conductor.sum(given**2)
        for _ in range(_MOST_STEPS):
            unsettled = square > enough
            if not unsettled.any():
                return charges
            answer = conductor.neutral(conductor.answer(direction))
            curvature = conductor.sum(direction * answer)
            if (unsettled & (curvature <= 0)).any():
                break
            # Where charges have settled there is only round-off to follow.
            step = conductor.of_atoms(_ratio(square, curvature, where=unsettled))
            charges, left = charges + step * direction, conductor.neutral(left - step * answer)
            before, square = square, conductor.sum(left**2)
            direction = (
                left + conductor.of_atoms(_ratio(square, before, where=unsettled)) * direction
            )
        raise ArithmeticError(_NO_MINIMUM)


class _Attached(torch.autograd.Function):
    """Charges found before, which answer to a residual r as a conductor does: by :math:`-H^{-1} r`.

    The residual is zero, only its changes count; how H changes does not. That makes derivatives of
    the charges right once, and those of the energy twice, since charge gains it nothing.
    """

    @staticmethod
    def forward(ctx, found: Tensor, residual: Tensor, solve: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.solve = solve
        return found.clone()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[None, Tensor, None]:
        return None, -ctx.solve(gradient), None


def _potential(
    sums: Electrostatics, graph: Graph, charges: Tensor, create_graph: bool = False
) -> Tensor:
    """The derivative of the energy by the charge of each atom, (N, 1) in V."""
    with torch.enable_grad():
        probe = torch.zeros_like(charges, requires_grad=True)
        energy = sums(graph, charges + probe).sum()
        return torch.autograd.grad(energy, probe, create_graph=create_graph)[0]


def _ratio(value: Tensor, by: Tensor, where: Tensor) -> Tensor:
    """Zero elsewhere."""
    return torch.where(where, value / torch.where(where, by, 1.0), 0.0)
