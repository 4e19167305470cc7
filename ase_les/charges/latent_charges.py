"""Latent charges: a readout network on the features, followed by a neutrality rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ase_les.charges.config import ChargesConfig
from ase_les.charges.neutrality import MeanShift, NeutralityRule, Unconstrained
from ase_les.charges.readout import Readout
from ase_les.charges.split_charges import SplitCharges
from ase_les.graph import Graph

_RULES: dict[str, Callable[[ChargesConfig, Sequence[int], float], NeutralityRule]] = {
    "none": lambda config, elements, cutoff: Unconstrained(),
    "mean": lambda config, elements, cutoff: MeanShift(),
    "split": SplitCharges,
}


class LatentCharges(nn.Module):
    r"""Charges :math:`q_i` from the features of the local environment.

    Parameters
    ----------
    elements : sequence of int
        Atomic numbers known to the model.
    cutoff : float
        Longest edge the charges depend on, in Å.

    References
    ----------
    .. [1] King, Kim, Zhong, Cheng, Nat. Commun. 16, 8763 (2025).
    """

    def __init__(
        self, n_features: int, config: ChargesConfig, elements: Sequence[int], cutoff: float
    ):
        super().__init__()
        self.config = config
        self.neutrality: NeutralityRule = _RULES[config.neutrality](config, elements, cutoff)
        self.readout = Readout(
            n_features,
            config.hidden,
            self.neutrality.n_numbers(config.n_channels),
            config.bias,
            config.linear,
        )

    def latent(self, features: Tensor) -> Tensor:
        """Latent numbers (N, n) of all atoms, float64.

        They are always summed in float64, because charges cancel.
        """
        return self.scaled(self.readout(features))

    def scaled(self, outputs: Tensor) -> Tensor:
        """Return latent numbers (N, n) from outputs of the readout."""
        return self.config.scale * outputs.double()

    @torch.no_grad()
    def flip_sign(self) -> None:
        """Flip the sign of charges, q → −q, for structures without formal and total charge."""
        for layer in (self.readout.network[-1], self.readout.linear):
            for parameter in () if layer is None else layer.parameters():
                parameter.neg_()
        self.neutrality.flip_sign()

    def forward(self, features: Tensor, graph: Graph) -> Tensor:
        """Charges (N, n_channels) in e, float64."""
        return self.neutrality(self.latent(features), graph)
