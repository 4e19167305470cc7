"""Message passing in blocks of atoms: memory grows with the number of atoms, not of edges.

Every layer is evaluated block by block. Only the sums of each block, the input of the next layer,
are kept for the gradient; edge quantities are recomputed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from ase_les.graph import Graph, edges_to
from ase_les.representation.neighbor_sum import Neighborhoods, neighborhoods
from ase_les.representation.recomputed import recomputed

if TYPE_CHECKING:
    from ase_les.representation.cace import Cace

# Atoms per block in layers where every edge carries all sums of its sender.
_SMALL_BLOCK = 128


def features_in_blocks(
    representation: Cace,
    graph: Graph,
    block: int,
    atoms: range,
    of_all: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Return the features (n, n_features) of a representation with message passing.

    Once differentiable; parameters get no gradient.

    Parameters
    ----------
    block : int
        Atoms evaluated together.
    atoms : range
        Atoms whose features are returned.
    of_all : callable or None
        Function from the values sent by these atoms to those of all; None if these are all atoms.
    """
    layers = cast(list[nn.ModuleDict], list(representation.layers))
    if any("radial" in layer for layer in layers):
        if of_all is not None:
            raise ValueError("models with radial messages cannot be shared by processes")
        block = min(block, _SMALL_BLOCK)
    blocks = [_Block(representation, graph, part) for part in blocks_of(atoms, block)]
    sums = [each.first_sums() for each in blocks]
    features = [torch.cat([representation.invariant_features(part) for part in sums])]
    for layer in layers:
        values = layer["invariant"](features[-1]) if "invariant" in layer else None
        if values is not None and of_all is not None:
            values = of_all(values)
        sums = [each.next_sums(layer, index, sums, values) for index, each in enumerate(blocks)]
        features.append(torch.cat([representation.invariant_features(part) for part in sums]))
    return torch.cat(features, dim=1)


def blocks_of(atoms: range, size: int) -> list[range]:
    """Divide a range of atoms into blocks of at most a given size."""
    return [
        range(start, min(start + size, atoms.stop))
        for start in range(atoms.start, atoms.stop, size)
    ]


class _Block:
    """Some atoms and the edges that end at them."""

    def __init__(self, representation: Cace, graph: Graph, atoms: range):
        self._representation = representation
        self._graph, self._atoms = edges_to(graph, atoms), atoms
        sender, receiver = representation.embedding(graph)
        self._sender, self._receiver = sender.T, receiver[atoms.start : atoms.stop]

    def first_sums(self) -> Tensor:
        """Return the sums (n_l, s, n, m, r) of the first layer."""

        def sums(positions: Tensor, cell: Tensor) -> Tensor:
            edges = self._edges(positions, cell)
            return self._representation.sums(edges, self._sender, self._receiver)

        return recomputed(sums, self._graph.positions, self._graph.cell)

    def next_sums(
        self, layer: nn.ModuleDict, index: int, before: list[Tensor], values: Tensor | None
    ) -> Tensor:
        """Return the sums of the next layer.

        Parameters
        ----------
        index : int
            Index of this block.
        before : list of Tensor
            Sums of all blocks in the layer before.
        values : Tensor, shape (N, n_values), or None
            Numbers that atoms send, for layers with invariant messages.
        """
        of_senders, place = None, None
        if "radial" in layer:
            of_senders, place = self._of_senders(before)
        given = [before[index], values, of_senders]
        there = [tensor is not None for tensor in given]

        def sums(positions: Tensor, cell: Tensor, *tensors: Tensor) -> Tensor:
            found = iter(tensors)
            own, sent, near = (next(found) if is_there else None for is_there in there)
            edges = self._edges(positions, cell)
            near_edges = edges if place is None else edges._replace(senders=place[edges.senders])
            assert own is not None
            return self._representation.message_sums(
                layer, own, near, near_edges, sent, edges, self._sender, self._receiver
            )

        tensors = [tensor for tensor in given if tensor is not None]
        return recomputed(sums, self._graph.positions, self._graph.cell, *tensors)

    def _edges(self, positions: Tensor, cell: Tensor) -> Neighborhoods:
        placed = self._graph._replace(positions=positions, cell=cell)
        representation = self._representation
        return neighborhoods(
            placed, representation.config.cutoff, representation.mixing.dtype, self._atoms
        )

    def _of_senders(self, before: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the sums of all senders, and the index of each atom (N,) among them."""
        senders = torch.unique(self._graph.senders)
        size = before[0].shape[2]
        counts = torch.bincount(senders // size, minlength=len(before)).tolist()
        parts = [
            sums.index_select(2, some - index * size)
            for index, (sums, some) in enumerate(zip(before, senders.split(counts), strict=True))
            if len(some)
        ]
        place = torch.zeros(self._graph.n_atoms, dtype=torch.int64, device=senders.device)
        place[senders] = torch.arange(len(senders), device=senders.device)
        if not parts:
            return before[0][:, :, :1], place
        return torch.cat(parts, dim=2), place
