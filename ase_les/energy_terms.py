r"""Energy terms, whose sum is the energy of a structure.

A term is called as ``term(graph, context)`` and returns an energy per atom, (N,) in eV, float64.
`LatentElectrostatics` returns an energy per structure, because a sum over wave vectors cannot be
assigned to single atoms, together with the charges.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from ase_les.charges import LatentCharges, Readout
from ase_les.electrostatics import Electrostatics, Equilibration
from ase_les.electrostatics.energy import Plan
from ase_les.electrostatics.equilibration import Equilibrium, MetalBias

if TYPE_CHECKING:
    from ase_les.graph import Graph
    from ase_les.model_config import ShortRangeConfig
    from ase_les.representation import Representation


class Context(NamedTuple):
    """Input shared by the terms: ``features`` (N, n) of environments and the ``plan`` of the sums.

    If ``plan`` is None, it is created when needed. ``bias``: field and electrodes that act on the
    charges of metal atoms, or None. ``outputs`` of readouts that have been evaluated already, as in
    large structures, whose features are not kept.
    """

    features: Tensor | None
    plan: Plan | None
    bias: MetalBias | None = None
    outputs: Mapping[Readout, Tensor] = MappingProxyType({})

    def read(self, readout: Readout) -> Tensor:
        """Return the output of a readout of the features."""
        known = self.outputs.get(readout)
        if known is not None:
            return known
        assert self.features is not None
        return readout(self.features)


class AtomicEnergies(nn.Module):
    """Constant energy :math:`E_0(Z)` of each element.

    Parameters
    ----------
    energies : mapping of int to float
        In eV, by atomic number.
    """

    def __init__(self, energies: Mapping[int, float]):
        super().__init__()
        # Not a buffer: hundreds of eV per atom must not be rounded to float32.
        table = torch.zeros(max(energies) + 1, dtype=torch.float64)
        for number, energy in energies.items():
            table[number] = energy
        self._table = table

    def forward(self, graph: Graph, context: Context) -> Tensor:
        """Return energies (N,) in eV."""
        return self._table.to(graph.positions.device)[graph.numbers]


class ShortRange(nn.Module):
    """Learned energy of atomic environments."""

    def __init__(self, n_features: int, config: ShortRangeConfig):
        super().__init__()
        self.scale = config.scale
        self.readout = Readout(n_features, config.hidden, 1, config.bias, config.linear)

    def forward(self, graph: Graph, context: Context) -> Tensor:
        """Return energies (N,) in eV."""
        return self.scale * context.read(self.readout).squeeze(1).double()


class LongRange(NamedTuple):
    """Result of `LatentElectrostatics`; float64.

    ``energy`` (S,) in eV: of the charges in their field. ``atomic`` (N,) in eV: that of charging
    the atoms that share electrons, or None without such atoms. ``charges`` (N, n_q) in e and the
    ``latent`` numbers (N, n) that define them (`ase_les.charges`). ``metal`` (N,) in e: share of
    the charges that is equilibrated, or None.
    """

    energy: Tensor
    atomic: Tensor | None
    charges: Tensor
    latent: Tensor
    metal: Tensor | None = None


class LatentElectrostatics(nn.Module):
    r"""Latent charges :math:`q(B_i)` and their long-range energy.

    Parameters
    ----------
    representation : Representation or None
        Separate features for the charges; None uses those of the context.
    equilibration : Equilibration or None
        Moves charge between the atoms of a metal; None keeps all charges local.

    References
    ----------
    .. [1] B. Cheng, npj Comput. Mater. 11, 80 (2025).
    """

    def __init__(
        self,
        charges: LatentCharges,
        electrostatics: Electrostatics,
        representation: Representation | None = None,
        equilibration: Equilibration | None = None,
    ):
        super().__init__()
        self.representation = representation
        self.charges = charges
        self.electrostatics = electrostatics
        self.equilibration = equilibration

    def use_analytic_gradients(self, accuracy: float | None) -> None:
        """Use hand-written gradients from now on (inference only)."""
        if self.representation is not None:
            self.representation.use_analytic_gradients()
        self.electrostatics.use_analytic_gradients(accuracy, self.equilibration is not None)
        if self.equilibration is not None:
            self.equilibration = self.equilibration.frozen().requires_grad_(False)

    def shares_electrons(self, graph: Graph) -> bool:
        """Return whether a graph has metal atoms, which exchange charge."""
        return self.equilibration is not None and len(self.equilibration.atoms(graph)) > 0

    def forward(self, graph: Graph, context: Context) -> LongRange:
        """Return energy and charges."""
        if self.representation is not None:
            context = context._replace(features=self.representation(graph))
        latent = self.charges.scaled(context.read(self.charges.readout))
        charges = self.charges.neutrality(latent, graph)
        plan = self.electrostatics.plan(graph) if context.plan is None else context.plan
        atomic = metal = None
        if self.equilibration is not None:
            sums = self.electrostatics
            moved = self.equilibration(graph, charges, sums, plan, context.bias)
            charges, atomic = charges + moved.charges, moved.energies
            metal = moved.charges[:, 0]
            if moved.surface is not None:
                plan = plan.with_surface(moved.surface)
        return LongRange(self.electrostatics(graph, charges, plan), atomic, charges, latent, metal)

    def equilibrium(
        self, graph: Graph, charges: Tensor, plan: Plan | None, bias: MetalBias | None = None
    ) -> Equilibrium:
        """Return the solution for the metal charges, for given local charges (N, 1)."""
        assert self.equilibration is not None
        plan = self.electrostatics.plan(graph) if plan is None else plan
        return self.equilibration.equilibrium(graph, charges, self.electrostatics, plan, bias)
