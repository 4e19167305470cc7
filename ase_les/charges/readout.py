"""From features to a few numbers per atom: a linear map plus a small network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class Readout(nn.Module):
    r"""Per-atom outputs :math:`\mathrm{linear}(B) + \mathrm{MLP}(B)`, SiLU between layers.

    Features are first divided by their ``spread``, a constant of the model that
    is 1 unless `LESModel.standardise_features` has measured it.

    Parameters
    ----------
    n_features : int
    hidden : sequence of int
        Widths of the hidden layers.
    n_outputs : int
    bias : bool
        Whether the layers have constant terms.
    linear : bool
        Whether there is a linear part beside the network.
    """

    def __init__(
        self,
        n_features: int,
        hidden: Sequence[int],
        n_outputs: int,
        bias: bool,
        linear: bool = True,
    ):
        super().__init__()
        self.register_buffer("spread", torch.ones(n_features))
        self.linear = nn.Linear(n_features, n_outputs, bias=bias) if linear else None
        widths = [n_features, *hidden, n_outputs]
        layers: list[nn.Module] = []
        for width, next_width in pairwise(widths):
            layers += [nn.Linear(width, next_width, bias=bias), nn.SiLU()]
        self.network = nn.Sequential(*layers[:-1])

    def forward(self, features: Tensor) -> Tensor:
        """Outputs (N, n_outputs) of features (N, n_features)."""
        features = features / self.spread
        outputs = self.network(features)
        return outputs if self.linear is None else outputs + self.linear(features)
