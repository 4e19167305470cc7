r"""Neutrality rules: from the latent numbers of atoms to charges and their moments.

A readout gives every atom a few numbers :math:`a_i`, its *latent numbers*; a neutrality rule turns
them into charges and into the moment :math:`\mathbf{m}_i` of each atom, with
:math:`\sum_i \mathbf{m}_i` the dipole of the structure:

=========  ==================================================================  ====================
Rule       Charges                                                             Class
=========  ==================================================================  ====================
"none"     the latent numbers themselves                                       `Unconstrained`
"mean"     the excess is subtracted evenly from all atoms: exact sum, not      `MeanShift`
           local
"split"    charge moves between neighbors: exact sum, local, size-consistent   `SplitCharges`
=========  ==================================================================  ====================
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from ase_les.graph import Graph, sum_per_structure


class NeutralityRule(nn.Module):
    """Base class of the rules.

    Attributes
    ----------
    is_conserved : bool
        Whether charges sum to the total charge.
    is_local : bool
        Whether a charge depends only on the environment of its atom.
    """

    is_conserved: bool
    is_local: bool

    def n_numbers(self, n_channels: int) -> int:
        """Return the number of latent numbers per atom."""
        raise NotImplementedError

    def forward(self, latent: Tensor, graph: Graph) -> Tensor:
        """Return charges (N, n_channels) in e from latent numbers (N, n_numbers), float64."""
        raise NotImplementedError

    def exchanged(self, latent: Tensor, graph: Graph) -> Tensor | None:
        """Return the charge gained along edges, (N, n_channels) in e; None for other rules.

        If several graphs share the edges of one graph, the sum over them is that of the whole.
        """
        return None

    def with_exchanged(self, latent: Tensor, graph: Graph, exchanged: Tensor | None) -> Tensor:
        """Return charges (N, n_channels) in e from the charge gained along edges."""
        return cast(Tensor, self(latent, graph))

    def moments(self, latent: Tensor, graph: Graph) -> Tensor:
        """Return the moments (N, 3) in e Å of the atoms, for the first channel."""
        raise NotImplementedError

    def flip_sign(self) -> None:
        """Reverse the sign of the parameters, if there are any."""

    def formal(self, graph: Graph) -> Tensor:
        """Return the formal charges (N,) in e."""
        return torch.zeros_like(graph.positions[:, 0])

    def excess(self, graph: Graph) -> Tensor:
        """Return the total charge beyond the formal charges, (S,) in e.

        Exactly zero if there is none, and for rules whose charges are not conserved locally.
        """
        return torch.zeros_like(graph.total_charge)


class Unconstrained(NeutralityRule):
    """Charges as read out, with an unconstrained sum."""

    is_conserved = False
    is_local = True

    def n_numbers(self, n_channels: int) -> int:
        """Return one per channel."""
        return n_channels

    def forward(self, latent: Tensor, graph: Graph) -> Tensor:
        """Return the latent numbers."""
        return latent

    def moments(self, latent: Tensor, graph: Graph) -> Tensor:
        r"""Return :math:`q_i \mathbf{r}_i`, without wrapping positions."""
        charges: Tensor = self(latent, graph)
        return charges[:, :1] * graph.positions


class MeanShift(Unconstrained):
    r"""Charges shifted evenly within each structure, :math:`q_i = a_i + (Q - \sum_j a_j)/N`.

    The first channel sums to the total charge of the structure, the others to zero.
    """

    is_conserved = True
    is_local = False

    def forward(self, latent: Tensor, graph: Graph) -> Tensor:
        """Return the shifted charges."""
        totals = torch.zeros(graph.n_structures, latent.shape[1], dtype=latent.dtype)
        totals = totals.to(latent.device)
        totals[:, 0] = graph.total_charge
        excess = sum_per_structure(latent, graph) - totals
        size = torch.bincount(graph.structure, minlength=graph.n_structures)[:, None]
        return latent - (excess / size)[graph.structure]
