"""Neighbor sums with gradients written out by hand, for inference.

Sums run over blocks of atoms whose intermediates fit into the cache of a core, and are computed
again for the gradient: memory does not grow with the number of edges. Once differentiable.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ase_les.representation.mace.harmonics import SphericalHarmonics, constants
from ase_les.representation.mace.interaction import Interaction, Path, scaled_coupling
from ase_les.representation.neighbour_sum import lengths

# Atoms of a block in the first layer, and in later ones, which have more numbers per edge.
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
        """Return the gradient by the vectors from those by distances (n, K) and harmonics."""
        across = harmonics.gradient(self.unit, by_angular.transpose(0, 1)) / self.distances
        along = along - (across * self.unit).sum(0)
        return across.addcmul_(along, self.unit)


def _blocks(n_atoms: int, size: int) -> Iterator[slice]:
    for start in range(0, n_atoms, size):
        yield slice(start, min(start + size, n_atoms))


class FirstSums(torch.autograd.Function):
    """Sums (n_lm, N, C) of the first layer from vectors (3, N, K) and one-hot senders."""

    @staticmethod
    def forward(ctx, vectors, one_hot, matrices, radial, harmonics):  # type: ignore[override]
        ctx.save_for_backward(vectors, one_hot, matrices)
        ctx.parts = radial, harmonics
        n_atoms = vectors.shape[1]
        result = vectors.new_empty(harmonics.of_degree[-1].stop, n_atoms, matrices.shape[2])
        for block in _blocks(n_atoms, _FIRST_BLOCK):
            edges = Edges.of(vectors[:, block], harmonics)
            by_sender = edges.angular[:, :, None] * one_hot[:, block].permute(1, 0, 2)[:, None]
            # (n, n_lm · kinds, K) · (n, K, n_hidden): one matrix product per atom.
            summed = torch.bmm(by_sender.flatten(1, 2), radial(edges.distances))
            summed = summed.view(*edges.angular.shape[:2], -1).transpose(0, 1).contiguous()
            for components, matrix in zip(harmonics.of_degree, matrices, strict=True):
                result[components, block] = summed[components] @ matrix
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):  # type: ignore[override]
        vectors, one_hot, matrices = ctx.saved_tensors
        radial, harmonics = ctx.parts
        n_kinds, result = one_hot.shape[0], torch.empty_like(vectors)
        for block in _blocks(vectors.shape[1], _FIRST_BLOCK):
            edges = Edges.of(vectors[:, block], harmonics)
            by_sums = torch.cat(
                [
                    gradient[components, block] @ matrix.T
                    for components, matrix in zip(harmonics.of_degree, matrices, strict=True)
                ]
            )
            by_sums = by_sums.unflatten(2, (n_kinds, -1)).permute(1, 0, 2, 3).flatten(1, 2)
            senders = one_hot[:, block].permute(1, 0, 2)[:, None]
            values, slopes = radial.value_and_slope(edges.distances)
            by_angular, stretch = (
                (torch.bmm(by_sums, f.transpose(1, 2)).unflatten(1, (-1, n_kinds)) * senders).sum(2)
                for f in (values, slopes)
            )
            along = (stretch * edges.angular).sum(1)
            result[:, block] = edges.gradient(along, by_angular, harmonics)
        return result, None, None, None, None


class LaterSums(torch.autograd.Function):
    """Sums (n_lm, N, C) of a later layer from vectors (3, N, K) and messages (N, n_h, C).

    With `senders` (N, K) messages belong to atoms and are brought to the edges block by block;
    without, they belong to the edges, (N, K, n_h, C).
    """

    @staticmethod
    def forward(ctx, vectors, messages, senders, interaction, radial, harmonics):  # type: ignore[override]
        ctx.save_for_backward(vectors, messages, senders)
        ctx.parts = interaction, radial, harmonics
        n_atoms, channels = vectors.shape[1], messages.shape[-1]
        result = vectors.new_empty(harmonics.of_degree[-1].stop, n_atoms, channels)
        for block in _blocks(n_atoms, _LATER_BLOCK):
            edges = Edges.of(vectors[:, block], harmonics)
            weights = radial(edges.distances).unflatten(2, (-1, channels))
            sent = _sent(messages, senders, block)
            result[:, block] = _sums(edges, weights, sent, interaction, harmonics)
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):  # type: ignore[override]
        vectors, messages, senders = ctx.saved_tensors
        interaction, radial, harmonics = ctx.parts
        by_vectors = torch.empty_like(vectors)
        by_messages = torch.zeros_like(messages)
        for block in _blocks(vectors.shape[1], _LATER_BLOCK):
            edges = Edges.of(vectors[:, block], harmonics)
            values, slopes = radial.value_and_slope(edges.distances)
            weights = values.unflatten(2, (-1, messages.shape[-1]))
            sent = _sent(messages, senders, block)
            by_angular, by_weights, by_sent = _gradients(
                edges, weights, sent, gradient[:, block], interaction, harmonics
            )
            along = (by_weights.flatten(2) * slopes).sum(2)
            by_vectors[:, block] = edges.gradient(along, by_angular, harmonics)
            if senders is None:
                by_messages[block] = by_sent
            else:
                by_messages.index_add_(0, senders[block].flatten(), by_sent.flatten(0, 1))
        return by_vectors, by_messages, None, None, None, None


def _sent(messages: Tensor, senders: Tensor | None, block: slice) -> Tensor:
    """Return what is sent along the edges of a block, (n, K, n_h, C)."""
    if senders is None:
        return messages[block]
    rows = senders[block]
    return messages.index_select(0, rows.flatten()).view(*rows.shape, *messages.shape[1:])


def _angles(edges: Edges, path: Path, own: slice) -> Tensor:
    """Return harmonics coupled to a message, (2 l₁ + 1, n, 2 l₃ + 1, K)."""
    if path[0] == 0:
        return edges.angular[None, :, own]
    coupling = constants(scaled_coupling, *path, like=edges.angular)
    return torch.einsum("abc,nbk->anck", coupling, edges.angular[:, own])


def _sums(
    edges: Edges,
    weights: Tensor,
    sent: Tensor,
    interaction: Interaction,
    harmonics: SphericalHarmonics,
) -> Tensor:
    """Return sums (n_lm, n, C) of a block from radial weights (n, K, paths, C) and messages."""
    slices, (n_atoms, channels) = harmonics.of_degree, (sent.shape[0], sent.shape[-1])
    result = sent.new_zeros(slices[-1].stop, n_atoms, channels)
    for number, path in enumerate(interaction.paths):
        first = slices[path[0]].start
        summed: Tensor | None = None
        for component, angle in enumerate(_angles(edges, path, slices[path[1]])):
            message = weights[:, :, number] * sent[:, :, first + component]
            if summed is None:
                summed = torch.bmm(angle, message)
            else:
                summed.baddbmm_(angle, message)
        assert summed is not None
        result[slices[path[2]]] += summed.transpose(0, 1) @ interaction.linear[number]
    return result


def _gradients(
    edges: Edges,
    weights: Tensor,
    sent: Tensor,
    gradient: Tensor,
    interaction: Interaction,
    harmonics: SphericalHarmonics,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return gradients by harmonics, radial weights and messages from that by the sums."""
    slices = harmonics.of_degree
    by_weights, by_sent = torch.empty_like(weights), torch.zeros_like(sent)
    by_angular = torch.zeros_like(edges.angular)
    for number, path in enumerate(interaction.paths):
        own, weight = slices[path[1]], weights[:, :, number]
        by_summed = (gradient[slices[path[2]]] @ interaction.linear[number].T).transpose(0, 1)
        by_weight = by_weights[:, :, number]
        by_angles = []
        for component, angle in enumerate(_angles(edges, path, own)):
            place = slices[path[0]].start + component
            message = sent[:, :, place]
            by_message = torch.bmm(angle.transpose(1, 2), by_summed)
            by_angles.append(torch.bmm(by_summed, (weight * message).transpose(1, 2)))
            by_sent[:, :, place].addcmul_(by_message, weight)
            if component == 0:
                torch.mul(by_message, message, out=by_weight)
            else:
                by_weight.addcmul_(by_message, message)
        if path[0] == 0:
            by_angular[:, own] += by_angles[0]
        else:
            coupling = constants(scaled_coupling, *path, like=edges.angular)
            by_angular[:, own] += torch.einsum("abc,anck->nbk", coupling, torch.stack(by_angles))
    return by_angular, by_weights, by_sent
