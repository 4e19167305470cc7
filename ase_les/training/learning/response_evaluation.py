"""Compare dipoles, quadrupoles and Born charges of a model with labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from ase.data import atomic_masses
from torch import Tensor

from ase_les.graph import Graph, sum_per_structure
from ase_les.model import LESModel
from ase_les.response import born_charges, quadrupoles
from ase_les.training.learning.dataset import Sample, batches


@dataclass(frozen=True)
class Agreement:
    """Agreement of predictions with labels.

    ``R2`` is the squared correlation, ``slope`` that of a linear fit of model against reference
    (scaling the charges changes the slope, but not R²), ``rmse`` in the unit of the data.
    """

    R2: float
    slope: float
    rmse: float
    n: int

    @classmethod
    def between(cls, reference: np.ndarray, model: np.ndarray) -> Agreement:
        """Return the agreement of two arrays of the same shape.

        Raises
        ------
        ValueError
            If there are fewer than two values, or all references are equal.
        """
        x, y = np.ravel(reference), np.ravel(model)
        if len(x) < 2 or np.ptp(x) == 0:
            raise ValueError(
                f"a linear fit needs at least two distinct references, got {len(x)} values"
            )
        scatter = np.ptp(y) > 0
        return cls(
            R2=float(np.corrcoef(x, y)[0, 1] ** 2) if scatter else 0.0,
            slope=float(np.polyfit(x, y, 1)[0]),
            rmse=float(np.sqrt(np.mean((y - x) ** 2))),
            n=len(x),
        )

    def to_dict(self) -> dict[str, float]:
        """Return plain containers with values rounded to four significant digits."""
        return {name: float(f"{value:.4g}") for name, value in asdict(self).items()}


@dataclass(frozen=True)
class ResponseComparison:
    """Labels (first row) and predictions (second row), components flattened, (2, n).

    ``dipole`` in e Å and ``quadrupole`` (traceless) in e Å² of finite structures, relative to their
    centers of mass; ``born_charges`` in e, latent: both rows are divided by √ε∞ in
    periodic structures.
    """

    dipole: np.ndarray
    quadrupole: np.ndarray
    born_charges: np.ndarray

    def agreements(self) -> dict[str, Agreement]:
        """Agreement for every property with at least two distinct labels."""
        pairs = {
            "dipole_eA": self.dipole,
            "quadrupole_eA2": self.quadrupole,
            "born_effective_charges_e": self.born_charges,
        }
        return {
            name: Agreement.between(*pair)
            for name, pair in pairs.items()
            if pair.shape[1] > 1 and np.ptp(pair[0]) > 0
        }


def has_charges(model: LESModel) -> bool:
    """Return whether a model has one charge per atom."""
    return model.has_charges


def compare_response(
    model: LESModel, samples: Sequence[Sample], batch_size: int = 4
) -> ResponseComparison:
    """Compare responses of a model with the available labels of samples.

    Parameters
    ----------
    model : LESModel
        Model with one charge per atom.
    samples : sequence of Sample
    batch_size : int
        Structures evaluated together.
    """
    pairs: dict[str, list[np.ndarray]] = {"dipole": [], "quadrupole": [], "born_charges": []}
    for sample in batches(samples, batch_size):
        sample = sample.to(model.device)
        labels = {name: getattr(sample, name) for name in pairs}
        if all(label.isnan().all() for label in labels.values()):
            continue
        graph, center = sample.graph, center_of_mass(sample.graph)
        with torch.no_grad():
            charges = model(graph).charges[:, 0]
        arms = graph.positions - center[graph.structure]
        predicted = {
            "dipole": sum_per_structure(charges[:, None] * arms, graph),
            "quadrupole": quadrupoles(charges, arms, graph),
        }
        if not sample.born_charges.isnan().all():
            predicted["born_charges"] = born_charges(model, graph, center)[1].detach()
        for name, value in predicted.items():
            known = ~labels[name].isnan()
            pairs[name].append(torch.stack([labels[name][known], value[known]]).cpu().numpy())
    return ResponseComparison(
        **{
            name: np.concatenate(parts, axis=1) if parts else np.zeros((2, 0))
            for name, parts in pairs.items()
        }
    )


def center_of_mass(graph: Graph) -> Tensor:
    """Return the center of mass of every structure, (S, 3) in Å."""
    masses = torch.tensor(atomic_masses).to(graph.positions)[graph.numbers, None]
    return sum_per_structure(masses * graph.positions, graph) / sum_per_structure(masses, graph)
