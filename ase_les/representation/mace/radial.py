r"""Radial functions of an edge: Bessel functions, then a network without constant terms.

.. math::
    x^{(0)}_n = R_n(r) f_c(r), \qquad x^{(t+1)} = \mathrm{silu}(W^{(t)} x^{(t)})

The last, linear layer belongs to the interaction that reads these functions. With
``cutoff_on_weights`` the cutoff function multiplies the last :math:`x` instead of the first. All
functions vanish smoothly at the cutoff.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ase_les.representation.radial import BesselBasis

# Normalizes the second moment of silu of a normal variable to 1.
SILU_SCALE = 1.6791767923989418


class RadialNetwork(nn.Module):
    """Hidden layers of a radial network, silu after each; features are the first axis.

    Parameters
    ----------
    n_radial : int
    hidden : sequence of int
        Widths.
    """

    def __init__(self, n_radial: int, hidden: Sequence[int]):
        super().__init__()
        scales = [1.0, *[SILU_SCALE] * (len(hidden) - 1)]
        self.weights = nn.ParameterList(
            scale * torch.randn(after, before) / before**0.5
            for scale, (before, after) in zip(scales, pairwise([n_radial, *hidden]), strict=True)
        )

    def forward(self, values: Tensor) -> Tensor:
        """Functions (n_hidden, ...) of values (n_radial, ...)."""
        hidden = values.flatten(1)
        for weight in self.weights:
            hidden = nn.functional.silu(weight @ hidden)
        return hidden.view(-1, *values.shape[1:])

    def value_and_slope(self, values: Tensor, slopes: Tensor) -> tuple[Tensor, Tensor]:
        """Functions and their slopes from values (n_radial, ...) and slopes, without autograd."""
        hidden, rate = values.flatten(1), slopes.flatten(1)
        for weight in self.weights:
            hidden = weight @ hidden
            rate = weight @ rate
            gate = torch.sigmoid(hidden)
            value = hidden * gate
            # silu' = σ + x σ (1 − σ)
            rate *= gate.addcmul_(value, 1 - gate)
            hidden = value
        shape = (-1, *values.shape[1:])
        return hidden.view(shape), rate.view(shape)


class RadialFunctions(NamedTuple):
    """Radial functions of distances, with the interface of `BesselBasis`."""

    basis: BesselBasis
    network: RadialNetwork
    cutoff_on_weights: bool

    def __call__(self, distances: Tensor) -> Tensor:
        """Values (n_hidden, ...) at distances of any shape in Å."""
        if self.cutoff_on_weights:
            bare = self.network(self.basis.without_cutoff(distances))
            return bare * self.basis.envelope(distances)
        return self.network(self.basis(distances))

    def value_and_slope(self, distances: Tensor) -> tuple[Tensor, Tensor]:
        """Values and their derivatives with respect to the distance, without autograd."""
        if not self.cutoff_on_weights:
            return self.network.value_and_slope(*self.basis.value_and_slope(distances))
        bare = self.basis.without_cutoff_value_and_slope(distances)
        value, slope = self.network.value_and_slope(*bare)
        envelope, steepness = self.basis.envelope_and_slope(distances)
        return value * envelope, slope * envelope + value * steepness
