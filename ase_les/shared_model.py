r"""One force call shared by several processes of `torch.distributed`.

Every process has all positions and a contiguous range of atoms, with the edges that end at
them. It computes their features, energies and latent numbers, and its part of the long-range sum:

===========================  =================================================================
Part of the energy           Of a process
===========================  =================================================================
atoms                        energies and features of its atoms
charges                      exchange along its edges; the sum gives all processes all charges
sum over wave vectors        a share of the wave vectors, all atoms
sum on a mesh                its atoms on the mesh; the meshes are added up, transformed by each
layer correction, open sum   first process
===========================  =================================================================

The energy is the sum over the processes, :math:`E = \sum_p E_p`. Each differentiates its own
:math:`E_p`; where tensors were added up on the way, their gradients are added up on the way back.
Forces are then :math:`-\sum_p \partial E_p / \partial \mathbf{r}_i`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from ase_les.charges.neutrality import NeutralityRule
from ase_les.derivatives import Derivatives, evaluate
from ase_les.electrostatics.energy import Plan
from ase_les.energy_terms import Context
from ase_les.graph import Graph, edges_to, sum_per_structure
from ase_les.model import LESModel, Prediction
from ase_les.ranks import Ranks
from ase_les.representation import Cace


class SharedModel:
    """The part of a model's energy that belongs to one of several processes.

    Parameters
    ----------
    model : LESModel
        Prepared for inference, the same in all processes.

    Raises
    ------
    ValueError
        If the model cannot be shared.
    """

    def __init__(self, model: LESModel, ranks: Ranks):
        representations = [model.representation]
        if model.long_range is not None:
            representations.append(model.charge_representation)
            if model.long_range.equilibration is not None:
                raise ValueError(
                    "charges that equilibrate between the atoms of a metal cannot be computed by "
                    "several processes: omit `group`"
                )
            model.long_range.electrostatics.share(ranks)
        for each in representations:
            is_shared = isinstance(each, Cace) and not any(
                "radial" in layer for layer in each.config.layers
            )
            if not is_shared:
                raise ValueError(
                    "only CACE models without radial messages can be evaluated by several "
                    "processes: omit `group`"
                )
        self.model = model
        self.ranks = ranks

    def atoms_of(self, graph: Graph) -> range:
        """Return the atoms of this process, balanced by the number of edges."""
        if graph.n_atoms < self.ranks.size:
            raise ValueError(
                f"{graph.n_atoms} atoms cannot be shared by {self.ranks.size} processes"
            )
        cost = torch.bincount(graph.receivers, minlength=graph.n_atoms).double() + 1.0
        ends = cost.cumsum(0)
        targets = ends[-1] * torch.arange(1, self.ranks.size, dtype=ends.dtype) / self.ranks.size
        bounds = [0, *torch.searchsorted(ends, targets.to(ends)).tolist(), graph.n_atoms]
        # At least one atom per process.
        for place in range(1, len(bounds) - 1):
            least = bounds[place - 1] + 1
            most = graph.n_atoms - (self.ranks.size - place)
            bounds[place] = min(max(bounds[place], least), most)
        return range(bounds[self.ranks.rank], bounds[self.ranks.rank + 1])

    def derivatives(
        self,
        graph: Graph,
        atoms: range,
        plan: Plan | None,
        *,
        forces: bool,
        stress: bool,
        energies: bool,
    ) -> tuple[Prediction, Derivatives | None]:
        """Return the prediction for the whole structure and its derivatives, if requested.

        The results are identical in all processes, except for the latent numbers: each process
        has those of its own atoms.

        Parameters
        ----------
        graph : Graph
            One structure; at least the edges that end at the atoms of this process.
        atoms : range
            Atoms of this process.
        plan : Plan or None
            Plan of the whole structure.
        forces, stress, energies : bool
            As in `differentiate`.
        """

        def part(given: Graph, plan: Plan | None = None, /) -> Prediction:
            return self._part(given, atoms, plan)

        graph = edges_to(graph, atoms)
        found = evaluate(part, graph, plan, forces=forces, stress=stress, energies=energies)
        return self._total(*found)

    def _part(self, graph: Graph, atoms: range, plan: Plan | None) -> Prediction:
        model, long_range = self.model, self.model.long_range
        features = self._features(model.representation, graph, atoms)
        context = Context(features, plan)
        around = (atoms.start, graph.n_atoms - atoms.stop)
        atomic = pad(model.short_range(graph, context), around)
        for term in model.local_terms[1:]:
            own = term(graph, context)[atoms.start : atoms.stop]
            atomic = atomic + pad(own, around)
        energy = sum_per_structure(atomic, graph)
        if long_range is None:
            none = energy.new_zeros(graph.n_atoms, 0)
            return Prediction(energy, atomic, torch.zeros_like(energy), none, none)
        if long_range.representation is not None:
            features = self._features(long_range.representation, graph, atoms)
        latent = pad(long_range.charges.latent(features), (0, 0, *around))
        charges = self._charges(long_range.charges.neutrality, latent, graph)
        found = long_range.electrostatics.part(graph, charges, atoms, plan)
        # Every process takes part in the sums of the backward pass, even if its part is empty.
        found = found + 0.0 * charges.sum()
        return Prediction(energy + found, atomic, found, charges, latent)

    def _charges(self, rule: NeutralityRule, latent: Tensor, graph: Graph) -> Tensor:
        """Return all charges from the latent numbers of the atoms of this process."""
        exchanged = rule.exchanged(latent, graph)
        if exchanged is not None:
            exchanged = self._added(exchanged)
        if exchanged is None or bool(rule.excess(graph).any()):
            latent = self._added(latent)
        return rule.with_exchanged(latent, graph, exchanged)

    def _features(self, representation: Any, graph: Graph, atoms: range) -> Tensor:
        around = (0, 0, atoms.start, graph.n_atoms - atoms.stop)
        return representation.features_of(
            graph, atoms, lambda values: self._added(pad(values, around))
        )

    def _added(self, values: Tensor) -> Tensor:
        return _Added.apply(values, self.ranks)

    def _total(
        self, prediction: Prediction, found: Derivatives | None
    ) -> tuple[Prediction, Derivatives | None]:
        """Add up the results of the processes in one message."""
        parts = {
            name: getattr(prediction, name) for name in ("energy", "short_range", "long_range")
        }
        if found is not None:
            parts |= {name: getattr(found, name) for name in ("forces", "stress", "energies")}
        there = {name: part.detach() for name, part in parts.items() if part is not None}
        flat = torch.cat([part.double().flatten() for part in there.values()])
        sums = self.ranks.sum_(flat).split([part.numel() for part in there.values()])
        totals = {
            name: values.view_as(part)
            for (name, part), values in zip(there.items(), sums, strict=True)
        }
        whole = prediction._replace(
            **{name: totals[name] for name in ("energy", "short_range", "long_range")}
        )
        if found is None:
            return whole, None
        forces = totals["forces"]
        return whole, Derivatives(whole, forces, totals.get("stress"), totals.get("energies"))


class _Added(torch.autograd.Function):
    """Sum over the processes; the gradient is summed over the processes, too."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        return ranks.sum_(values.detach().clone())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.ranks.sum_(gradient.clone()), None
