r"""Neighbor sums of messages, twice differentiable, for training and inference on a CPU.

.. math::
    S_{i p m_3 c} = \sum_{e \to i} R_{e p c} \sum_{m_1} A_{e p m_1 m_3} H_{s(e)\, l_1 m_1 c}

The sum is linear in each of its three factors, so that its first and second derivatives are sums
over the same edges. None of them creates an array of edges, components and channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from ase_les.kernels.library import Kernels, MessageArguments

#: Channels are a multiple of this, the longest vector.
LANES = 8


class MessageEdges(NamedTuple):
    """Edges of the sums: ``paths`` (n, 3), ``starts`` (N + 1,) and ``senders`` (E,), int64.

    Paths are the first component of the message, 2 l₁ + 1 and 2 l₃ + 1. The edges of atom i are
    ``starts[i]`` to ``starts[i + 1]``.
    """

    kernels: Kernels
    paths: Tensor
    starts: Tensor
    senders: Tensor

    @property
    def n_rows(self) -> int:
        """Number of rows in the sums of an atom."""
        return int(self.paths[:, 2].sum())

    def call(self, name: str, sent: Tensor, arrays: Sequence[Tensor]) -> None:
        """Call a kernel with contiguous arrays."""
        arguments = MessageArguments(
            len(self.starts) - 1,
            sent.shape[-1],
            len(self.paths),
            sent.shape[1],
            int((self.paths[:, 1] * self.paths[:, 2]).sum()),
            self.n_rows,
            *(part.data_ptr() for part in (self.paths, self.starts, self.senders)),
        )
        self.kernels.call(name, sent.dtype, arguments, *(array.data_ptr() for array in arrays))


def message_sums(radial: Tensor, angles: Tensor, sent: Tensor, edges: MessageEdges) -> Tensor:
    """Return the sums (N, n_rows, C).

    Parameters
    ----------
    radial : Tensor, shape (E, n_paths, C)
    angles : Tensor, shape (E, n_angles)
        Blocks (2 l₁ + 1, 2 l₃ + 1) of every path.
    sent : Tensor, shape (N, n_sent, C)
    edges : MessageEdges
    """
    # Only inputs may be saved for the second derivative: copy first.
    return _Sums.apply(radial.contiguous(), angles.contiguous(), sent.contiguous(), edges)


class _Sums(Function):
    @staticmethod
    def forward(
        ctx: Any, radial: Tensor, angles: Tensor, sent: Tensor, edges: MessageEdges
    ) -> Tensor:
        ctx.edges = edges
        ctx.save_for_backward(radial, angles, sent)
        sums = sent.new_empty(len(edges.starts) - 1, edges.n_rows, sent.shape[2])
        edges.call("messages_sum", sent, (radial, angles, sent, sums))
        return sums

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return *_Gradients.apply(*ctx.saved_tensors, gradient.contiguous(), ctx.edges), None


class _Gradients(Function):
    @staticmethod
    def forward(
        ctx: Any, radial: Tensor, angles: Tensor, sent: Tensor, by_sums: Tensor, edges: MessageEdges
    ) -> tuple[Tensor, ...]:
        given = (radial, angles, sent, by_sums)
        ctx.edges = edges
        ctx.save_for_backward(*given)
        found = torch.empty_like(radial), torch.empty_like(angles), torch.zeros_like(sent)
        edges.call("messages_gradient", sent, (*given, *found))
        return found

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, u_radial: Tensor, u_angles: Tensor, u_sent: Tensor
    ) -> tuple[Tensor | None, ...]:
        radial, angles, sent, by_sums = ctx.saved_tensors
        changes = [part.contiguous() for part in (u_radial, u_angles, u_sent)]
        found = [torch.empty_like(radial), torch.empty_like(angles)]
        found += [torch.zeros_like(sent), torch.zeros_like(by_sums)]
        ctx.edges.call("messages_second", sent, (*ctx.saved_tensors, *changes, *found))
        return *found, None
