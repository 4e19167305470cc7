r"""Radial functions of an edge: Bessel functions, then a network without constant terms.

.. math::
    x^{(0)}_n = R_n(r) f_c(r), \qquad x^{(t+1)} = \mathrm{silu}(W^{(t)} x^{(t)})

The last, linear layer belongs to the interaction that reads these functions. With
``cutoff_on_weights`` the cutoff function multiplies the last :math:`x` instead of the first. All
functions vanish smoothly at the cutoff.

A transform of distances (`ase_les.representation.mace.transform`) applies to :math:`R_n`, not to
:math:`f_c`. Densities of neighbors, which may normalize their sums, are

.. math::
    \rho_i = \sum_j \tanh\Big[\Big(\sum_n w_n x^{(0)}_n(r_{ij})\Big)^2\Big]
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ase_les.representation.mace.transform import AgnesiConfig
from ase_les.representation.radial import BesselBasis

# Normalizes the second moment of silu of a normal variable to 1.
SILU_SCALE = 1.6791767923989418


class RadialNetwork(nn.Module):
    """Hidden layers of a radial network, silu after each; features are the first axis.

    Parameters
    ----------
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
    """Radial functions of distances, with the interface of `BesselBasis`.

    ``scales`` are the :math:`r_0` of the transform in the shape of the distances.
    """

    basis: BesselBasis
    network: RadialNetwork
    cutoff_on_weights: bool
    transform: AgnesiConfig | None = None
    scales: Tensor | None = None

    def __call__(self, distances: Tensor) -> Tensor:
        """Values (n_hidden, ...) at distances of any shape in Å."""
        values = self.network(self._inputs(distances))
        return values * self.basis.envelope(distances) if self.cutoff_on_weights else values

    def densities(self, distances: Tensor, weights: Tensor) -> Tensor:
        """Return densities (N,) from distances (N, K) and weights (n_radial,)."""
        combined = (weights @ self._inputs(distances).flatten(1)).view_as(distances)
        single = torch.tanh(combined * combined)
        if self.cutoff_on_weights:
            single = single * self.basis.envelope(distances)
        return single.sum(1)

    def _inputs(self, distances: Tensor) -> Tensor:
        """Return the inputs of the network (n_radial, ...)."""
        if self.transform is None:
            inputs = self.basis.without_cutoff if self.cutoff_on_weights else self.basis
            return inputs(distances)
        assert self.scales is not None
        bare = self.basis.without_cutoff(self.transform.transform(distances, self.scales))
        return bare if self.cutoff_on_weights else bare * self.basis.envelope(distances)

    def value_and_slope(self, distances: Tensor) -> tuple[Tensor, Tensor]:
        """Values and their derivatives with respect to the distance, without autograd."""
        if self.transform is None and not self.cutoff_on_weights:
            return self.network.value_and_slope(*self.basis.value_and_slope(distances))
        value, slope = self._bare_value_and_slope(distances)
        envelope, steepness = self.basis.envelope_and_slope(distances)
        if not self.cutoff_on_weights:
            return self.network.value_and_slope(
                value * envelope, slope * envelope + value * steepness
            )
        value, slope = self.network.value_and_slope(value, slope)
        return value * envelope, slope * envelope + value * steepness

    def _bare_value_and_slope(self, distances: Tensor) -> tuple[Tensor, Tensor]:
        """Return Bessel functions without cutoff function, and their slopes."""
        if self.transform is None:
            return self.basis.without_cutoff_value_and_slope(distances)
        assert self.scales is not None
        x, rate = self.transform.value_and_slope(distances, self.scales)
        value, slope = self.basis.without_cutoff_value_and_slope(x)
        return value, slope * rate
