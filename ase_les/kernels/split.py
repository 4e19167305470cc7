"""Split charges from the fused kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ase_les.graph import Graph
from ase_les.kernels.library import (
    Kernels,
    PreparedGraph,
    SplitArguments,
    in_ranges,
    pointer,
    ranges,
    total,
)

if TYPE_CHECKING:
    from ase_les.charges.split_charges import SplitCharges


class SplitConstants(NamedTuple):
    """Constants of split charges, in the symbols of `ase_les.charges`.

    ``weights`` (receiver, sender, channel, 2, n) in e: W and V; ``inverse_lengths`` (receiver,
    sender) in 1/Å; ``rows``: index of every atomic number in these tables.
    """

    cutoff: float
    wave_height: float
    bonded: float
    not_bonded: float
    weights: Tensor
    inverse_lengths: Tensor
    rows: Tensor


class FusedSplitCharges:
    """Split charges (`ase_les.charges`) computed by the compiled kernels.

    Parameters
    ----------
    rule : SplitCharges
        Its parameters are copied and must not change afterwards.
    kernels : Kernels
    """

    def __init__(self, rule: SplitCharges, kernels: Kernels):
        self.kernels = kernels
        self._constants = rule.constants()
        self.n_channels = self._constants.weights.shape[2]
        self.dtype = rule.pair_charges.dtype

    def __call__(self, latent: Tensor, graph: Graph) -> Tensor:
        """Return the charges (N, n_channels) that atoms gain from their neighbors, in e."""
        return _Exchanged.apply(latent, graph.positions, graph.cell, graph, self)

    def prepared(self, graph: Graph, positions: Tensor, cell: Tensor) -> PreparedGraph:
        """Return the graph with elements as kinds."""
        return PreparedGraph(graph, positions, cell, self._constants.rows[graph.numbers])

    def forward(self, graph: PreparedGraph, latent: Tensor) -> Tensor:
        """Return charges (N, n_channels)."""
        bounds = ranges(graph.n_atoms)
        n_parts = len(bounds) - 1
        charges = torch.zeros(n_parts, graph.n_atoms, self.n_channels, dtype=torch.float64)
        split = self._arguments()
        in_ranges(
            bounds,
            lambda part, first, last: self.kernels.call(
                "split_forward",
                self.dtype,
                split,
                graph.arguments,
                first,
                last,
                pointer(latent),
                pointer(charges[part]),
            ),
        )
        return total(charges)

    def backward(
        self, graph: PreparedGraph, latent: Tensor, gradient: Tensor, by_cell: bool
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return gradients by latent numbers, positions and, if requested, cells."""
        bounds = ranges(graph.n_atoms)
        n_parts = len(bounds) - 1
        by_latent = torch.zeros_like(latent)
        positions = torch.zeros(n_parts, graph.n_atoms, 3, dtype=torch.float64)
        cells = None
        if by_cell:
            cells = torch.zeros(n_parts, graph.n_structures, 3, 3, dtype=torch.float64)
        gradient = gradient.contiguous()
        split = self._arguments()
        in_ranges(
            bounds,
            lambda part, first, last: self.kernels.call(
                "split_backward",
                self.dtype,
                split,
                graph.arguments,
                first,
                last,
                pointer(latent),
                pointer(gradient),
                pointer(by_latent),
                pointer(positions[part]),
                None if cells is None else pointer(cells[part]),
            ),
        )
        return by_latent, total(positions), None if cells is None else total(cells)

    def _arguments(self) -> SplitArguments:
        constants = self._constants
        return SplitArguments(
            self.n_channels,
            len(constants.weights),
            constants.cutoff,
            constants.wave_height,
            constants.bonded,
            constants.not_bonded,
            pointer(constants.weights),
            pointer(constants.inverse_lengths),
        )


class _Exchanged(torch.autograd.Function):
    @staticmethod
    def forward(ctx, latent, positions, cell, graph, rule):
        prepared = rule.prepared(graph, positions, cell)
        ctx.prepared, ctx.rule = prepared, rule
        ctx.latent = latent.detach().contiguous()
        return rule.forward(prepared, ctx.latent)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        by_latent, by_positions, by_cell = ctx.rule.backward(
            ctx.prepared, ctx.latent, gradient, ctx.needs_input_grad[2]
        )
        return by_latent, by_positions, by_cell, None, None
