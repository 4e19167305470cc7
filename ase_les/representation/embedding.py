"""Embedding vectors of elements and of the total charge of structures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ase_les.graph import Graph

_LARGEST_ATOMIC_NUMBER = 118


class Embedding(nn.Module):
    r"""Sender and receiver vectors of atoms, :math:`\theta(Z_i) + \eta(Q_\mathrm{tot})`.

    The vector :math:`\eta` of the structure's total charge makes charge states of
    one geometry distinguishable; models of a single charge state do not have it.

    Parameters
    ----------
    elements : sequence of int
        Atomic numbers, in the order of the rows.
    total_charges : sequence of int
        Total charges in e, in the order of the rows; empty for none.
    length : int
        Number of components.
    """

    _row: Tensor
    _charges: Tensor

    def __init__(self, elements: Sequence[int], total_charges: Sequence[int], length: int):
        super().__init__()
        self.sender = nn.Parameter(torch.randn(len(elements), length) / length**0.5)
        self.receiver = nn.Parameter(torch.randn(len(elements), length) / length**0.5)
        row = torch.full((_LARGEST_ATOMIC_NUMBER + 1,), len(elements))
        row[list(elements)] = torch.arange(len(elements))
        self.register_buffer("_row", row, persistent=False)
        self.charge_sender: nn.Parameter | None = None
        self.charge_receiver: nn.Parameter | None = None
        if total_charges:
            self.charge_sender = nn.Parameter(0.1 * torch.randn(len(total_charges), length))
            self.charge_receiver = nn.Parameter(0.1 * torch.randn(len(total_charges), length))
            self.register_buffer("_charges", torch.tensor(total_charges), persistent=False)

    def forward(self, graph: Graph) -> tuple[Tensor, Tensor]:
        """Return sender and receiver vectors, each (N, length)."""
        row = self._row[graph.numbers]
        sender, receiver = self.sender[row], self.receiver[row]
        if self.charge_sender is not None and self.charge_receiver is not None:
            state = self._state(graph)
            sender = sender + self.charge_sender[state]
            receiver = receiver + self.charge_receiver[state]
        return sender, receiver

    def kinds(self, graph: Graph) -> Tensor:
        """Return the kind of every atom, (N,): an index of element and charge state."""
        row = self._row[graph.numbers]
        if self.charge_sender is None:
            return row
        return self._state(graph) * len(self.sender) + row

    def tables(self) -> tuple[Tensor, Tensor]:
        """Return sender and receiver vectors of every kind, each (n_kinds, length)."""
        if self.charge_sender is None or self.charge_receiver is None:
            return self.sender.view_as(self.sender), self.receiver.view_as(self.receiver)
        return (
            (self.charge_sender[:, None] + self.sender).flatten(0, 1),
            (self.charge_receiver[:, None] + self.receiver).flatten(0, 1),
        )

    def _state(self, graph: Graph) -> Tensor:
        """Return the row of the total charge nearest to that of every atom's structure, (N,)."""
        distance = (graph.total_charge[:, None] - self._charges).abs()
        return distance.argmin(dim=1)[graph.structure]
