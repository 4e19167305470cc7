"""Neighbor sums with hand-written gradients, for inference.

Sums run over blocks of atoms whose intermediates fit into the cache of a core and are recomputed
for the gradient: memory does not grow with the number of edges. Once differentiable.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ase_les.representation.mace.harmonics import SphericalHarmonics, constants
from ase_les.representation.mace.interaction import Path, scaled_coupling
from ase_les.representation.mace.radial_table import Radial
from ase_les.representation.neighbor_sum import lengths

# Atoms per block in the first layer, and in later layers, which have more numbers per edge.
_FIRST_BLOCK, _LATER_BLOCK = 48, 16


class Edges(NamedTuple):
    """Edges of a block of atoms.

    ``distances`` (n, K) in Å, ``unit`` (3, n, K), ``angular`` (n, n_lm, K).
    """

    distances: Tensor
    unit: Tensor
    angular: Tensor

    @classmethod
    def of(cls, vectors: Tensor, harmonics: SphericalHarmonics) -> Edges:
        """Evaluate the harmonics of vectors (3, n, K) from sender to receiver."""
        distances = lengths(vectors)
        unit = vectors / distances
        return cls(distances, unit, harmonics(unit).transpose(0, 1).contiguous())

    def gradient(self, along: Tensor, by_angular: Tensor, harmonics: SphericalHarmonics) -> Tensor:
        """Return the gradient of the vectors from those of distances (n, K) and harmonics."""
        across = harmonics.gradient(self.unit, by_angular.transpose(0, 1)) / self.distances
        along = along - (across * self.unit).sum(0)
        return across.addcmul_(along, self.unit)


def _blocks(vectors: Tensor, cutoff: float, size: int) -> Iterator[tuple[Tensor, int]]:
    """Blocks of atoms with similar numbers of neighbors, and how many slots they use.

    Slots are filled from the first; unused slots contain vectors beyond the cutoff.
    """
    counts = ((vectors * vectors).sum(0) < cutoff**2).sum(1)
    counts, order = torch.sort(counts)
    ends = counts.tolist()
    for start in range(0, len(ends), size):
        atoms = order[start : start + size]
        yield atoms, max(ends[start + len(atoms) - 1], 1)


class FirstSums(torch.autograd.Function):
    """Sums (n_lm, N, C) of the first layer from vectors (3, N, K) and one-hot senders."""

    @staticmethod
    def forward(
        ctx: Any,
        vectors: Tensor,
        one_hot: Tensor,
        matrices: Tensor,
        cutoff: float,
        radial: Radial,
        harmonics: SphericalHarmonics,
    ) -> Tensor:
        ctx.save_for_backward(vectors, one_hot, matrices)
        ctx.parts = cutoff, radial, harmonics
        n_atoms = vectors.shape[1]
        result = vectors.new_empty(harmonics.of_degree[-1].stop, n_atoms, matrices.shape[2])
        for atoms, width in _blocks(vectors, cutoff, _FIRST_BLOCK):
            own = radial.of(atoms, width)
            edges = Edges.of(vectors[:, atoms, :width], harmonics)
            senders = one_hot[:, atoms, :width].permute(1, 0, 2)[:, None]
            by_sender = edges.angular[:, :, None] * senders
            # (n, n_lm · kinds, K) · (n, K, n_hidden): one matrix product per atom.
            summed = torch.bmm(by_sender.flatten(1, 2), own(edges.distances)[0])
            summed = summed.view(*edges.angular.shape[:2], -1).transpose(0, 1).contiguous()
            for components, matrix in zip(harmonics.of_degree, matrices, strict=True):
                result[components, atoms] = summed[components] @ matrix
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None, None]:
        vectors, one_hot, matrices = ctx.saved_tensors
        cutoff, radial, harmonics = ctx.parts
        n_kinds, result = one_hot.shape[0], torch.zeros_like(vectors)
        for atoms, width in _blocks(vectors, cutoff, _FIRST_BLOCK):
            own = radial.of(atoms, width)
            edges = Edges.of(vectors[:, atoms, :width], harmonics)
            by_sums = torch.cat(
                [
                    gradient[components, atoms] @ matrix.T
                    for components, matrix in zip(harmonics.of_degree, matrices, strict=True)
                ]
            )
            by_sums = by_sums.unflatten(2, (n_kinds, -1)).permute(1, 0, 2, 3).flatten(1, 2)
            senders = one_hot[:, atoms, :width].permute(1, 0, 2)[:, None]
            values, slopes = own.value_and_slope(edges.distances)
            by_angular, stretch = (
                (torch.bmm(by_sums, f.transpose(1, 2)).unflatten(1, (-1, n_kinds)) * senders).sum(2)
                for f in (values[0], slopes[0])
            )
            along = (stretch * edges.angular).sum(1)
            result[:, atoms, :width] = edges.gradient(along, by_angular, harmonics)
        return result, None, None, None, None, None


class LaterSums(torch.autograd.Function):
    """Sums of every path of a later layer, from vectors (3, N, K) and messages (N, n_h, C).

    The sums (Σ (2 l₃ + 1), N, C) are before the linear maps. With `senders` (N, K), messages belong
    to atoms and are expanded to edges block by block; otherwise to edges, (N, K, n_h, C).
    """

    @staticmethod
    def forward(
        ctx: Any,
        vectors: Tensor,
        messages: Tensor,
        senders: Tensor | None,
        paths: Sequence[Path],
        cutoff: float,
        radial: Radial,
        harmonics: SphericalHarmonics,
    ) -> Tensor:
        ctx.save_for_backward(vectors, messages, senders)
        ctx.parts = paths, cutoff, radial, harmonics
        n_atoms, channels = vectors.shape[1], messages.shape[-1]
        rows = sum(2 * path[2] + 1 for path in paths)
        # Atoms first, so that the results of an atom are contiguous.
        result = vectors.new_empty(n_atoms, rows, channels)
        for atoms, width in _blocks(vectors, cutoff, _LATER_BLOCK):
            edges = Edges.of(vectors[:, atoms, :width], harmonics)
            sent = _sent(messages, senders, atoms, width)
            own = radial.of(atoms, width)
            result[atoms] = _sum_paths(edges, sent, paths, own, harmonics)
        return result.transpose(0, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None, None, None, None]:
        vectors, messages, senders = ctx.saved_tensors
        paths, cutoff, radial, harmonics = ctx.parts
        by_vectors, by_messages = torch.zeros_like(vectors), torch.zeros_like(messages)
        for atoms, width in _blocks(vectors, cutoff, _LATER_BLOCK):
            edges = Edges.of(vectors[:, atoms, :width], harmonics)
            sent = _sent(messages, senders, atoms, width)
            by_sums = gradient[:, atoms].transpose(0, 1).contiguous()
            own = radial.of(atoms, width)
            by_edges, by_sent = _gradients(edges, sent, by_sums, paths, own, harmonics)
            by_vectors[:, atoms, :width] = by_edges
            by_sent = by_sent.permute(1, 2, 0, 3)
            if senders is None:
                by_messages[atoms, :width] = by_sent
            else:
                rows = by_sent.reshape(-1, *messages.shape[1:])
                by_messages.index_add_(0, senders[atoms, :width].flatten(), rows)
        return by_vectors, by_messages, None, None, None, None, None


def _sent(messages: Tensor, senders: Tensor | None, atoms: Tensor, width: int) -> list[Tensor]:
    """Return the messages along the edges of a block, (n, K, C) for every component."""
    if senders is None:
        return [values.contiguous() for values in messages[atoms, :width].unbind(2)]
    rows = senders[atoms, :width]
    return [
        messages[:, component].index_select(0, rows.flatten()).view(*rows.shape, -1)
        for component in range(messages.shape[1])
    ]


def _angles(edges: Edges, path: Path, own: slice) -> Tensor:
    """Return harmonics coupled to a message, (2 l₁ + 1, n, 2 l₃ + 1, K)."""
    if path[0] == 0:
        return edges.angular[None, :, own]
    coupling = constants(scaled_coupling, *path, like=edges.angular)
    return torch.einsum("abc,nbk->anck", coupling, edges.angular[:, own])


def _sum_paths(
    edges: Edges,
    sent: Sequence[Tensor],
    paths: Sequence[Path],
    radial: Radial,
    harmonics: SphericalHarmonics,
) -> Tensor:
    """Return the sums (n, Σ (2 l₃ + 1), C) of a block of atoms."""
    slices, result = harmonics.of_degree, []
    for path, weight in zip(paths, radial(edges.distances), strict=True):
        first = slices[path[0]].start
        angles = _angles(edges, path, slices[path[1]])
        summed = torch.bmm(angles[0], weight * sent[first])
        for component in range(1, len(angles)):
            summed.baddbmm_(angles[component], weight * sent[first + component])
        result.append(summed)
    return torch.cat(result, dim=1)


def _gradients(
    edges: Edges,
    sent: Sequence[Tensor],
    by_sums: Tensor,
    paths: Sequence[Path],
    radial: Radial,
    harmonics: SphericalHarmonics,
) -> tuple[Tensor, Tensor]:
    """Return gradients with respect to vectors (3, n, K) and messages (n_h, n, K, C)."""
    slices, start = harmonics.of_degree, 0
    by_sent = edges.distances.new_zeros(len(sent), *sent[0].shape)
    stretch = torch.zeros_like(by_sent)
    by_angular = torch.zeros_like(edges.angular)
    for path, weight, slope in zip(paths, *radial.value_and_slope(edges.distances), strict=True):
        own, first = slices[path[1]], slices[path[0]].start
        by_sum = by_sums[:, start : start + 2 * path[2] + 1]
        start += 2 * path[2] + 1
        by_angles = []
        for place, angle in enumerate(_angles(edges, path, own), start=first):
            by_message = torch.bmm(angle.transpose(1, 2), by_sum)
            by_sent[place].addcmul_(by_message, weight)
            stretch[place].addcmul_(by_message, slope)
            by_angles.append(torch.bmm(by_sum, (weight * sent[place]).transpose(1, 2)))
        if path[0] == 0:
            by_angular[:, own] += by_angles[0]
        else:
            coupling = constants(scaled_coupling, *path, like=edges.angular)
            by_angular[:, own] += torch.einsum("abc,anck->nbk", coupling, torch.stack(by_angles))
    along = sum((part * message).sum(2) for part, message in zip(stretch, sent, strict=True))
    return edges.gradient(along, by_angular, harmonics), by_sent
