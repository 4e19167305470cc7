"""Ensemble distillation: mean dipoles and Born charges of trained models as pseudo-labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from ase_les.graph import sum_per_structure
from ase_les.model import LESModel
from ase_les.response import born_charges
from ase_les.training.learning.dataset import Sample
from ase_les.training.learning.response_evaluation import center_of_mass


def distill_labels(
    samples: Sequence[Sample],
    teachers: Sequence[LESModel],
    on_structure: Callable[[], None] = lambda: None,
) -> list[Sample]:
    r"""Return samples with mean dipoles and Born charges of several models as pseudo-labels.

    Energies and forces do not fully determine the charges within a group, which differ between
    models of different seeds and architectures. Ensemble distillation trains on their mean:

    .. math::
        \bar{\mathbf{Z}}^*_i = \frac{1}{T} \sum_t \mathbf{Z}^{*(t)}_i, \qquad
        \bar{\boldsymbol{\mu}} = \frac{1}{T} \sum_t \boldsymbol{\mu}^{(t)}

    Dipoles are relative to the center of mass, for structures without periodic directions.

    Parameters
    ----------
    samples : sequence of Sample
        One structure each. Their own labels of dipoles and Born charges are replaced.
    teachers : sequence of LESModel
        Models with one charge per atom, all on the same device.
    on_structure : callable
        Called after every sample.
    """
    for index, teacher in enumerate(teachers):
        if not teacher.has_charges:
            raise ValueError(
                f"teacher {index} does not have one charge per atom; remove it from `teachers`"
            )
    labeled = []
    for sample in samples:
        labeled.append(_label(sample, teachers))
        on_structure()
    return labeled


def _label(sample: Sample, teachers: Sequence[LESModel]) -> Sample:
    home, graph = sample.graph.positions.device, sample.graph.to(teachers[0].device)
    center = center_of_mass(graph)
    dipoles, born = [], []
    for teacher in teachers:
        teacher.check_coverage(graph.numbers.tolist(), float(graph.total_charge))
        charges, tensors = born_charges(teacher, graph, center)
        arms = graph.positions - center[graph.structure]
        dipoles.append(sum_per_structure(charges.detach()[:, None] * arms, graph))
        born.append(tensors.detach())
    periodic = graph.pbc.any(dim=1)[:, None]
    return sample._replace(
        dipole=torch.stack(dipoles).mean(dim=0).masked_fill(periodic, torch.nan).to(home),
        born_charges=torch.stack(born).mean(dim=0).to(home),
    )
