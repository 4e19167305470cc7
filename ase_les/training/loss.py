"""What training makes small."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ase_les.derivatives import Derivatives
from ase_les.training.dataset import Sample


@dataclass(frozen=True)
class LossWeights:
    """Weights of the squared errors.

    Parameters
    ----------
    energy : float
        For energies per atom, in eV⁻².
    forces : float
        For force components, in (eV/Å)⁻².
    stress : float
        For stress components, in (eV/Å³)⁻².

    Raises
    ------
    ValueError
        If a weight is negative or all are zero.
    """

    energy: float = 1.0
    forces: float = 1.0
    stress: float = 0.0

    def __post_init__(self):
        weights = (self.energy, self.forces, self.stress)
        if min(weights) < 0 or max(weights) == 0:
            raise ValueError(f"loss weights must be positive (some may be zero), got {self}")

    def between(self, later: LossWeights, fraction: float) -> LossWeights:
        """Weights part of the way, geometrically where both ends are positive."""

        def mix(start: float, end: float) -> float:
            if start > 0 and end > 0:
                return start ** (1 - fraction) * end**fraction
            return start + (end - start) * fraction

        return LossWeights(
            mix(self.energy, later.energy),
            mix(self.forces, later.forces),
            mix(self.stress, later.stress),
        )


def loss(derived: Derivatives, sample: Sample, weights: LossWeights) -> Tensor:
    r"""Weighted mean squared error over the labels that exist.

    .. math::
        L = \frac{w_E}{S} \sum_s \Big(\frac{\Delta E_s}{N_s}\Big)^2
          + \frac{w_F}{3N} \sum_{i\alpha} \Delta F_{i\alpha}^2
          + \frac{w_\sigma}{9S} \sum_{s\alpha\beta} \Delta \sigma_{s\alpha\beta}^2
    """
    size = torch.bincount(sample.graph.structure, minlength=sample.graph.n_structures)
    total = weights.energy * _mean_square(
        derived.prediction.energy / size, sample.energy / size
    ) + weights.forces * _mean_square(derived.forces, sample.forces)
    if derived.stress is not None:
        total = total + weights.stress * _mean_square(derived.stress, sample.stress)
    return total


def _mean_square(predicted: Tensor, label: Tensor) -> Tensor:
    known = ~torch.isnan(label)
    if not known.any():
        return predicted.new_zeros(())
    return ((predicted[known] - label[known]) ** 2).mean()
