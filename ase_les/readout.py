"""From features to a few numbers per atom: a linear map plus a small network."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class Readout(nn.Module):
    r"""Per-atom outputs :math:`\mathrm{linear}(B) + \mathrm{MLP}(B)`, SiLU between layers.

    Parameters
    ----------
    n_features : int
    hidden : sequence of int
        Widths of the hidden layers.
    n_outputs : int
    bias : bool
        Whether the layers have constant terms.
    """

    def __init__(self, n_features: int, hidden: Sequence[int], n_outputs: int, bias: bool):
        super().__init__()
        self.linear = nn.Linear(n_features, n_outputs, bias=bias)
        widths = [n_features, *hidden, n_outputs]
        layers: list[nn.Module] = []
        for width, next_width in zip(widths[:-1], widths[1:], strict=True):
            layers += [nn.Linear(width, next_width, bias=bias), nn.SiLU()]
        self.network = nn.Sequential(*layers[:-1])

    def forward(self, features: Tensor) -> Tensor:
        """Outputs (N, n_outputs) of features (N, n_features)."""
        return self.linear(features) + self.network(features)
