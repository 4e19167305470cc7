"""Loss functions."""

from __future__ import annotations

from dataclasses import astuple
from typing import Annotated

import torch
from torch import Tensor

from ase_les.configuration import NotNegative, Unit, configuration
from ase_les.derivatives import Derivatives
from ase_les.graph import Graph, sum_per_structure
from ase_les.model import LESModel, Prediction
from ase_les.response import born_charges, polarizability
from ase_les.training.learning.dataset import Sample
from ase_les.training.learning.response_evaluation import center_of_mass


@configuration
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
    dipole : float
        For dipole components of finite structures, in (e Å)⁻².
    born_charges : float
        For components of latent Born charges, in e⁻². Training on them costs about as much as
        energy and forces together.
    polarizability : float
        For components of polarizabilities per atom, in Å⁻⁶.
    excess : float
        For the deviation of the sum of free charges from the total charge, in e⁻²; no label is
        needed. Use a small initial weight: charged groups form one after the other during training,
        and a large weight prevents this.

    Raises
    ------
    ValueError
        If all weights are zero.
    """

    energy: Annotated[NotNegative, Unit("1/eV²")] = 1.0
    forces: Annotated[NotNegative, Unit("Å²/eV²")] = 1.0
    stress: Annotated[NotNegative, Unit("Å⁶/eV²")] = 0.0
    dipole: Annotated[NotNegative, Unit("1/(e Å)²")] = 0.0
    born_charges: Annotated[NotNegative, Unit("1/e²")] = 0.0
    excess: Annotated[NotNegative, Unit("1/e²")] = 0.0
    polarizability: Annotated[NotNegative, Unit("1/Å⁶")] = 0.0

    def __post_init__(self) -> None:
        if not any(astuple(self)):
            raise ValueError("all weights of the loss are zero")

    def between(self, later: LossWeights, fraction: float) -> LossWeights:
        """Interpolate the weights, geometrically where both ends are positive."""

        def mix(start: float, end: float) -> float:
            if start > 0 and end > 0:
                return start ** (1 - fraction) * end**fraction
            return start + (end - start) * fraction

        return LossWeights(*map(mix, astuple(self), astuple(later)))


def loss(
    derived: Derivatives, sample: Sample, weights: LossWeights, batch: Sample | None = None
) -> Tensor:
    r"""Compute the weighted mean squared error over available labels.

    .. math::
        L = \frac{w_E}{S} \sum_s \Big(\frac{\Delta E_s}{N_s}\Big)^2
          + \frac{w_F}{3N} \sum_{i\alpha} \Delta F_{i\alpha}^2
          + \frac{w_\sigma}{9S} \sum_{s\alpha\beta} \Delta \sigma_{s\alpha\beta}^2

    Parameters
    ----------
    batch : Sample or None
        Batch that the sample is a part of: the losses of all parts add up to that of the batch.
    """
    batch = batch or sample
    size = torch.bincount(sample.graph.structure, minlength=sample.graph.n_structures)
    total = weights.energy * _mean_square(
        derived.prediction.energy / size, sample.energy / size, batch.energy
    ) + weights.forces * _mean_square(derived.forces, sample.forces, batch.forces)
    if derived.stress is not None:
        total = total + weights.stress * _mean_square(derived.stress, sample.stress, batch.stress)
    return total


def response_loss(
    model: LESModel,
    derived: Derivatives,
    sample: Sample,
    weights: LossWeights,
    batch: Sample | None = None,
) -> Tensor:
    r"""Compute the weighted mean squared error of dipoles and Born charges.

    .. math::
        L = \frac{w_\mu}{3S} \sum_{s\alpha} \Delta\mu_{s\alpha}^2
          + \frac{w_Z}{9N} \sum_{i\alpha\beta} (\Delta Z^*_{i\alpha\beta})^2

    Parameters as for `loss`.
    """
    batch = batch or sample
    graph = sample.graph
    total = sample.energy.new_zeros(())
    center = center_of_mass(graph)
    if weights.dipole and not sample.dipole.isnan().all():
        arms = graph.positions - center[graph.structure]
        dipole = sum_per_structure(derived.prediction.charges[:, :1] * arms, graph)
        total = total + weights.dipole * _mean_square(dipole, sample.dipole, batch.dipole)
    if weights.born_charges and not sample.born_charges.isnan().all():
        _, born = born_charges(model, graph, center, create_graph=True)
        error = _mean_square(born, sample.born_charges, batch.born_charges)
        total = total + weights.born_charges * error
    return total


def polarizability_loss(
    model: LESModel, sample: Sample, weight: float, batch: Sample | None = None
) -> Tensor:
    r"""Compute the weighted mean squared error of polarizabilities per atom.

    .. math::
        L = \frac{w_\alpha}{9S} \sum_{s\beta\gamma}
            \Big(\frac{\Delta\alpha_{s\beta\gamma}}{N_s}\Big)^2

    Parameters as for `loss`. Zero without labels.
    """
    batch = batch or sample
    if not weight or sample.polarizability.isnan().all():
        return sample.energy.new_zeros(())
    size = torch.bincount(sample.graph.structure, minlength=sample.graph.n_structures)
    predicted, label = polarizability(model, sample.graph), sample.polarizability
    per_atom = size[:, None, None]
    return weight * _mean_square(predicted / per_atom, label / per_atom, batch.polarizability)


def excess_loss(prediction: Prediction, graph: Graph, n_structures: int | None = None) -> Tensor:
    r"""Compute the excess charge loss :math:`\frac{1}{S} \sum_s (\sum_i q_i - Q_s)^2`.

    Energies do not fully determine the sum of free charges, because the short-range energy can
    compensate: all sums may converge to −0.3 e, and a shift after training costs 5 meV/atom.
    ``n_structures`` is the number S in the batch that the graph is a part of.
    """
    excess = sum_per_structure(prediction.charges[:, 0], graph) - graph.total_charge
    return excess.square().sum() / (n_structures or graph.n_structures)


def _mean_square(predicted: Tensor, label: Tensor, labels_of_batch: Tensor) -> Tensor:
    known = ~torch.isnan(label)
    if not known.any():
        return predicted.new_zeros(())
    count = int((~torch.isnan(labels_of_batch)).sum())
    return ((predicted[known] - label[known]) ** 2).sum() / count
