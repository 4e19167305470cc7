"""Initialize latent charges from bond polarities."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ase_les.charges import SplitCharges
from ase_les.charges.bond_polarity import bond_charges
from ase_les.model import LESModel
from ase_les.training.learning.dataset import Sample

# Relative to the mean square feature; suppresses directions with little variance.
_RIDGE = 1e-3

# Maximum number of structures; enough to solve for a few thousand weights.
_STRUCTURES = 100


@torch.no_grad()
def start_from_bonds(model: LESModel, samples: Sequence[Sample], per_pauling: float) -> None:
    r"""Initialize the charges of a model to :math:`\kappa \sum_j b_{ij} (\chi_j - \chi_i)`.

    Energies and forces determine the charges of groups well, but hardly the polarity within a
    group, such as that of C–H bonds, which the short-range energy can describe as well. What they
    do not determine depends on the initial charges. The linear part of the readout is fitted by
    ridge regression over the samples (charges: `ase_les.charges.bond_polarity`).

    Parameters
    ----------
    model : LESModel
        Modified in place. Only its first channel of charges is initialized.
    per_pauling : float
        :math:`\kappa` in e per unit of electronegativity.
    """
    charges = None if model.long_range is None else model.long_range.charges
    if charges is None or isinstance(charges.neutrality, SplitCharges):
        raise ValueError(
            "`bond_polarity` requires charges with neutrality 'mean' or 'none', which this model "
            "does not have (charges of 'split' start from bond polarities anyway); remove it"
        )
    readout = charges.readout
    if readout.linear is None:
        raise ValueError("`bond_polarity` requires `linear: true` in the charges of the model")
    representation = model.charge_representation
    size = len(readout.spread)
    gram, moment = torch.zeros(size, size, dtype=torch.float64), torch.zeros(size).double()
    weight = readout.linear.weight
    weight[0] = 0.0
    for sample in samples[:: math.ceil(len(samples) / _STRUCTURES)]:
        features = representation(sample.graph)
        target = bond_charges(sample.graph, per_pauling) - charges.latent(features)[:, 0]
        scaled = (features / readout.spread).double()
        gram += scaled.T @ scaled
        moment += scaled.T @ target
    ridge = _RIDGE * gram.diagonal().mean()
    solution = torch.linalg.solve(gram + ridge * torch.eye(size, dtype=torch.float64), moment)
    weight[0] = (solution / charges.config.scale).to(weight.dtype)
