"""Latent charges from features, and what keeps their sum in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ase_les.graph import Graph, sum_per_structure
from ase_les.readout import Readout


@dataclass(frozen=True)
class ChargesConfig:
    """Latent charges of a model.

    Parameters
    ----------
    n_channels : int
        Charges per atom; only a single channel has the meaning of charge.
    hidden : tuple of int
        Hidden widths of the readout.
    bias : bool
        Whether the readout has constant terms.
    linear : bool
        Whether the readout has a linear part beside its network.
    scale : float
        Factor between readout and charge, in e.
    neutrality : str
        "none": charges are what the readout says. "mean": the excess over the
        total charge is taken evenly from all atoms of the structure.

    Raises
    ------
    ValueError
        If a setting is unknown or not positive.
    """

    n_channels: int = 1
    hidden: tuple[int, ...] = (24, 12)
    bias: bool = False
    linear: bool = True
    scale: float = 0.1
    neutrality: str = "mean"

    def __post_init__(self):
        object.__setattr__(self, "hidden", tuple(self.hidden))
        if self.n_channels < 1:
            raise ValueError(f"`n_channels` must be at least 1, got {self.n_channels}")
        if self.neutrality not in NEUTRALITY:
            raise ValueError(
                f"`neutrality` must be one of {sorted(NEUTRALITY)}, got {self.neutrality!r}"
            )


def unconstrained(charges: Tensor, graph: Graph) -> Tensor:
    """Charges as they are; their sum is whatever the environments say."""
    return charges


def shifted_to_total(charges: Tensor, graph: Graph) -> Tensor:
    r"""Charges shifted evenly within each structure, :math:`q_i + (Q - \sum_j q_j)/N`.

    The first channel sums to the total charge of the structure, the others to zero.
    """
    wanted = torch.zeros(graph.n_structures, charges.shape[1], dtype=charges.dtype)
    wanted = wanted.to(charges.device)
    wanted[:, 0] = graph.total_charge
    excess = sum_per_structure(charges, graph) - wanted
    size = torch.bincount(graph.structure, minlength=graph.n_structures)[:, None]
    return charges - (excess / size)[graph.structure]


NEUTRALITY: dict[str, Callable[[Tensor, Graph], Tensor]] = {
    "none": unconstrained,
    "mean": shifted_to_total,
}


class LatentCharges(nn.Module):
    r"""Charges :math:`q_i` from the features of the local environment.

    Parameters
    ----------
    n_features : int
    config : ChargesConfig

    References
    ----------
    .. [1] King, Kim, Zhong, Cheng, Nat. Commun. 16, 8763 (2025).
    """

    def __init__(self, n_features: int, config: ChargesConfig):
        super().__init__()
        self.config = config
        self.readout = Readout(
            n_features, config.hidden, config.n_channels, config.bias, config.linear
        )

    def forward(self, features: Tensor, graph: Graph) -> Tensor:
        """Charges (N, n_channels) in e, float64.

        Sums of charges cancel: they are taken in float64 whatever the network's precision.
        """
        charges = self.config.scale * self.readout(features).double()
        return NEUTRALITY[self.config.neutrality](charges, graph)
