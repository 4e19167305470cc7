r"""Message passing: neighbor sums over the sums and invariants of neighbors.

.. math::
    A'_i = M \circ A_i + \bar N^{-1/2} \Big[ \sum_j a\, e^{-r_{ij}/r_0} f_c(r_{ij}) A_j
           + W \cdot \sum_j \chi_{ij}\, h(B_j) \Big]

with :math:`\chi_{ij}` the edge basis, :math:`W` the radial mixing of the first layer and
:math:`B_j` the invariants of the neighbor. The three terms are `Memory`, `RadialMessage` ("Ar")
and `InvariantMessage` ("Bchi"); each is optional.

References
----------
.. [1] B. Cheng, npj Comput. Mater. 10, 157 (2024) [CACE].
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ase_les.representation.neighbor_sum import Neighborhoods, lengths
from ase_les.representation.radial import BesselBasis


class Memory(nn.Module):
    r"""Memory of an atom's own sums, :math:`M \circ A_i`: a factor per degree and channel."""

    def __init__(self, n_degrees: int, channels: tuple[int, int, int]):
        super().__init__()
        self.factor = nn.Parameter(0.25 * torch.randn(n_degrees, *channels))

    def forward(self, sums: Tensor, degrees: Tensor) -> Tensor:
        """Map sums (n_l, s, N, m, r) to sums of the same shape."""
        return sums * self.factor[degrees][:, :, None]


class RadialMessage(nn.Module):
    r"""Sums of the neighbors, damped with distance: :math:`\sum_j a\, e^{-r/r_0} f_c A_j`."""

    def __init__(self, n_degrees: int, channels: tuple[int, int, int]):
        super().__init__()
        self.amplitude = nn.Parameter(0.25 * torch.randn(n_degrees, *channels))
        self.inverse_length = nn.Parameter(torch.rand(n_degrees, *channels))

    def forward(
        self, sums: Tensor, degrees: Tensor, edges: Neighborhoods, radial: BesselBasis
    ) -> Tensor:
        distances = lengths(edges.vectors)
        envelope = radial.envelope(distances)
        messages = []
        for degree in range(len(self.amplitude)):
            # (s, N, K, m, r): the weight of neighbor k of atom i, for every channel.
            weight = self.amplitude[degree][:, None, None] * torch.exp(
                -distances[..., None, None] * self.inverse_length[degree][:, None, None]
            )
            weight = weight * envelope[..., None, None]
            for component in sums[degrees == degree]:
                messages.append((weight * edges.of_senders(component, 1)).sum(2))
        return torch.stack(messages)


class InvariantMessage(nn.Module):
    """Scalar function h(B) of the invariants of each neighbor, its weight in the next sum.

    Parameters
    ----------
    n_values : int
        Numbers each atom sends: one, or one per angular degree and edge channel.
    """

    def __init__(self, n_features: int, n_values: int = 1):
        super().__init__()
        self.value = nn.Linear(n_features, n_values)

    def forward(self, features: Tensor) -> Tensor:
        """h(B) of every atom, (N, n_values), from features (N, n_features)."""
        return self.value(features)
