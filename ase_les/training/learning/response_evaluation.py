"""Compare dipoles, quadrupoles and Born charges of a model with labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from ase.data import atomic_masses
from torch import Tensor

from ase_les.committee import CommitteeEngine
from ase_les.graph import Graph, sum_per_structure
from ase_les.model import LESModel
from ase_les.response import born_charges, polarizability, quadrupoles
from ase_les.response.polarizability import COMPONENTS
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
    periodic structures. ``polarizability`` (2, S, 6) in Å³, components xx, yy, zz, yz, xz, xy.
    """

    dipole: np.ndarray
    quadrupole: np.ndarray
    born_charges: np.ndarray
    polarizability: np.ndarray

    def polarizability_parts(self) -> dict[str, np.ndarray]:
        """Return labels and predictions of the polarizability (2, n), by part.

        The mean tensor of the labels is subtracted from both, so that the agreement measures
        differences between structures: "all" six components, "isotropic" (a third of the trace),
        and "anisotropic" (six components of the traceless part).
        """
        mean = self.polarizability[0].mean(0) if self.polarizability.shape[1] else 0.0
        tensors = self.polarizability - mean
        isotropic = tensors[..., :3].mean(-1)
        anisotropic = tensors.copy()
        anisotropic[..., :3] -= isotropic[..., None]
        return {
            "polarizability_A3": tensors.reshape(2, -1),
            "isotropic_polarizability_A3": isotropic,
            "anisotropic_polarizability_A3": anisotropic.reshape(2, -1),
        }

    def agreements(self) -> dict[str, Agreement]:
        """Agreement for every property with at least two distinct labels."""
        pairs = {
            "dipole_eA": self.dipole,
            "quadrupole_eA2": self.quadrupole,
            "born_effective_charges_e": self.born_charges,
            **self.polarizability_parts(),
        }
        return {
            name: Agreement.between(*pair)
            for name, pair in pairs.items()
            if pair.shape[1] > 1 and np.ptp(pair[0]) > 0
        }


def compare_response(
    model: LESModel, samples: Sequence[Sample], batch_size: int = 4
) -> ResponseComparison:
    """Compare responses of a model with the available labels of samples.

    Parameters
    ----------
    model : LESModel
        Model with one charge per atom, a polarizability, or both.
    batch_size : int
        Structures evaluated together.
    """
    pairs: dict[str, list[np.ndarray]] = {"dipole": [], "quadrupole": [], "born_charges": []}
    for sample in batches(samples if model.has_charges else [], batch_size):
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
        },
        polarizability=_polarizabilities(model, samples),
    )


def _polarizabilities(model: LESModel, samples: Sequence[Sample]) -> np.ndarray:
    """Return labels and predictions (2, S, 6) in Å³ of the structures with a label."""
    known = [sample for sample in samples if not sample.polarizability.isnan().all()]
    if model.polarizability is None or not known:
        return np.zeros((2, 0, 6))
    rows, columns = zip(*COMPONENTS, strict=True)
    with torch.no_grad():
        found = [polarizability(model, sample.graph.to(model.device)).cpu() for sample in known]
    both = torch.stack([torch.cat([s.polarizability for s in known]), torch.cat(found)])
    return both[..., rows, columns].numpy()


def compare_mean_response(
    engine: CommitteeEngine, samples: Sequence[Sample], batch_size: int = 4
) -> ResponseComparison:
    """Compare the mean response of a committee with labels, see `compare_response`."""
    members = engine.members if engine.central is None else (engine.central,)
    found = [asdict(compare_response(member, samples, batch_size)) for member in members]
    return ResponseComparison(
        **{name: np.mean([each[name] for each in found], axis=0) for name in found[0]}
    )


def center_of_mass(graph: Graph) -> Tensor:
    """Return the center of mass of every structure, (S, 3) in Å."""
    masses = torch.tensor(atomic_masses).to(graph.positions)[graph.numbers, None]
    return sum_per_structure(masses * graph.positions, graph) / sum_per_structure(masses, graph)
