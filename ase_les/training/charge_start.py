"""Where the fit of charges starts: at the charges that bonds make, instead of at none."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ase_les.charges import SplitCharges
from ase_les.charges.bond_polarity import bond_charges
from ase_les.model import LESModel
from ase_les.training.dataset import Sample

# Of the mean square feature: directions that hardly vary are left alone.
_RIDGE = 1e-3

# Structures that are enough to solve for a few thousand weights.
_STRUCTURES = 100


@torch.no_grad()
def start_from_bonds(model: LESModel, samples: Sequence[Sample], per_pauling: float) -> None:
    r"""Give a model the charges :math:`\kappa \sum_j b_{ij} (\chi_j - \chi_i)` before training.

    Energies and forces determine charges of groups and what lies far apart well, but the inner
    polarity of a group, as of C–H bonds, hardly: the short-range energy can say the same. What they
    do not determine depends on where it starts. The linear part of the readout is solved for by
    ridge regression over the samples (`ase_les.charges.bond_polarity` has the charges).

    Parameters
    ----------
    model : LESModel
        Changed. Only its first channel of charges starts from bonds.
    samples : sequence of Sample
    per_pauling : float
        :math:`\kappa` in e per unit of electronegativity.

    Raises
    ------
    ValueError
        If the model has no charges, charges that start from bonds by themselves ("split"), or no
        linear part to start with.
    """
    charges = None if model.long_range is None else model.long_range.charges
    if charges is None or isinstance(charges.neutrality, SplitCharges):
        raise ValueError(
            "`bond_polarity` belongs to charges with neutrality 'mean' or 'none', which this model "
            "has not (charges of 'split' start from bonds by themselves); leave it out"
        )
    readout = charges.readout
    if readout.linear is None:
        raise ValueError("`bond_polarity` needs `linear: true` in the charges of the model")
    representation = model.charge_representation
    size = len(readout.spread)
    gram, moment = torch.zeros(size, size, dtype=torch.float64), torch.zeros(size).double()
    weight = readout.linear.weight
    weight[0] = 0.0
    for sample in samples[:: math.ceil(len(samples) / _STRUCTURES)]:
        features = representation(sample.graph)
        wanted = bond_charges(sample.graph, per_pauling) - charges.latent(features)[:, 0]
        scaled = (features / readout.spread).double()
        gram += scaled.T @ scaled
        moment += scaled.T @ wanted
    ridge = _RIDGE * gram.diagonal().mean()
    solution = torch.linalg.solve(gram + ridge * torch.eye(size, dtype=torch.float64), moment)
    weight[0] = (solution / charges.config.scale).to(weight.dtype)
