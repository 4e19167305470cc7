"""Errors of a model against labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from ase import Atoms
from ase.data import chemical_symbols
from torch import Tensor

from ase_les.derivatives import differentiate
from ase_les.model import LESModel
from ase_les.ranks import Ranks
from ase_les.response import polarizability
from ase_les.training.learning.dataset import Sample, batches


def joined_pairs(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Join arrays (2, n) along the second axis; there may be none."""
    return np.concatenate([np.zeros((2, 0)), *parts], axis=1)


@dataclass(frozen=True)
class Comparison:
    """Labels and predictions, flattened, without missing labels.

    ``energy`` in eV per atom, ``forces`` in eV/Å, ``stress`` in eV/Å³, each (2, n): reference in
    the first row, model in the second. ``force_elements`` (n,) is the atomic number, and
    ``force_structures`` (n,) the index of the structure, of each force component.
    """

    energy: np.ndarray
    forces: np.ndarray
    stress: np.ndarray
    force_elements: np.ndarray
    force_structures: np.ndarray

    @classmethod
    def of_parts(
        cls,
        pairs: Mapping[str, Sequence[np.ndarray]],
        elements: Sequence[np.ndarray],
        structures: Sequence[np.ndarray],
    ) -> Comparison:
        """Join the labels and predictions (2, n) of several batches, by property."""
        none = np.zeros(0, int)
        return cls(
            **{name: joined_pairs(parts) for name, parts in pairs.items()},
            force_elements=np.concatenate([none, *elements]),
            force_structures=np.concatenate([none, *structures]),
        )


@dataclass(frozen=True)
class Errors:
    """Root-mean-square and mean absolute errors; None without labels.

    Energies in meV/atom, force components in meV/Å, stress components in meV/Å³.
    """

    energy_rmse_meV_per_atom: float | None
    energy_mae_meV_per_atom: float | None
    forces_rmse_meV_per_A: float | None
    forces_mae_meV_per_A: float | None
    stress_rmse_meV_per_A3: float | None
    stress_mae_meV_per_A3: float | None
    forces_rmse_by_element: dict[str, float | None]
    n_structures: int
    n_atoms: int

    def to_dict(self) -> dict:
        """Return plain containers with values rounded to four significant digits."""
        return {
            name: _rounded(value) for name, value in asdict(self).items() if value not in (None, {})
        }


def compare(model: LESModel, samples: Sequence[Sample], batch_size: int = 4) -> Comparison:
    """Compare predictions of a model with the labels of samples.

    Parameters
    ----------
    model : LESModel
        In the precision and on the device used for the evaluation.
    batch_size : int
        Structures evaluated together.
    """
    pairs: dict[str, list[np.ndarray]] = {"energy": [], "forces": [], "stress": []}
    known = [index for index, sample in enumerate(samples) if sample.has_energy_labels]
    elements, structures = [], []
    for first in range(0, len(known), batch_size):
        indices = known[first : first + batch_size]
        (sample,) = batches([samples[index] for index in indices], batch_size)
        sample = sample.to(model.device)
        with_stress = bool((~sample.stress.isnan()).any())
        derived = differentiate(model, sample.graph, stress=with_stress)
        size = torch.bincount(sample.graph.structure)
        predicted: dict[str, tuple[Tensor, Tensor]] = {
            "energy": (sample.energy / size, derived.prediction.energy / size),
            "forces": (sample.forces, derived.forces),
        }
        if derived.stress is not None:
            predicted["stress"] = (sample.stress, derived.stress)
        for name, (label, value) in predicted.items():
            both = torch.stack([label.flatten(), value.detach().flatten()]).cpu().numpy()
            labeled = ~np.isnan(both[0])
            pairs[name].append(both[:, labeled])
            if name == "forces":
                elements.append(np.repeat(sample.graph.numbers.cpu().numpy(), 3)[labeled])
                own = np.array(indices)[sample.graph.structure.cpu().numpy()]
                structures.append(np.repeat(own, 3)[labeled])
    return Comparison.of_parts(pairs, elements, structures)


@dataclass(frozen=True)
class WorstStructure:
    """Structure with the largest root-mean-square error of its forces.

    ``index`` counts from 0; ``rmse_eV_per_A`` over all components, ``error_eV_per_A`` (N,) is the
    length of the error of the force on each atom.
    """

    index: int
    atoms: Atoms
    rmse_eV_per_A: float
    error_eV_per_A: np.ndarray


def worst_structure(comparison: Comparison, samples: Sequence[Sample]) -> WorstStructure | None:
    """Return the structure with the largest error of forces; None without force labels.

    Structures with missing labels are left out.

    Parameters
    ----------
    comparison : Comparison
        Of these samples.
    """
    found: WorstStructure | None = None
    for index, sample in enumerate(samples):
        pair = comparison.forces[:, comparison.force_structures == index]
        if pair.shape[1] < 3 * sample.graph.n_atoms:
            continue
        difference = (pair[1] - pair[0]).reshape(-1, 3)
        rmse = float(np.sqrt(np.mean(difference**2)))
        if found is None or rmse > found.rmse_eV_per_A:
            error = np.linalg.norm(difference, axis=1)
            found = WorstStructure(index, _atoms(sample), rmse, error)
    return found


def _atoms(sample: Sample) -> Atoms:
    graph = sample.graph
    return Atoms(
        numbers=graph.numbers.numpy(),
        positions=graph.positions.numpy(),
        cell=graph.cell[0].numpy(),
        pbc=graph.pbc[0].numpy(),
    )


def errors(comparison: Comparison, n_structures: int, n_atoms: int) -> Errors:
    """Compute the errors of a comparison."""
    energy, forces, stress = (
        _rmse_and_mae(pair) for pair in (comparison.energy, comparison.forces, comparison.stress)
    )
    by_element = {
        chemical_symbols[z]: _rmse_and_mae(comparison.forces[:, comparison.force_elements == z])[0]
        for z in np.unique(comparison.force_elements)
    }
    return Errors(
        energy[0],
        energy[1],
        forces[0],
        forces[1],
        stress[0],
        stress[1],
        by_element,
        n_structures,
        n_atoms,
    )


def evaluate(model: LESModel, samples: Sequence[Sample], batch_size: int = 4) -> Errors:
    """Compute the errors of a model on samples."""
    n_atoms = sum(sample.graph.n_atoms for sample in samples)
    return errors(compare(model, samples, batch_size), len(samples), n_atoms)


def shared_rmse(
    model: LESModel, samples: Sequence[Sample], ranks: Ranks
) -> tuple[float | None, float | None, float | None]:
    """Return the errors of energy, forces and stress, computed by several processes together.

    In meV/atom, meV/Å and meV/Å³; None without labels.
    """
    own = samples[ranks.rank :: ranks.size]
    totals = torch.zeros(2, 3, dtype=torch.float64)
    if own:
        found = compare(model, own)
        for column, pair in enumerate((found.energy, found.forces, found.stress)):
            totals[0, column] = float(np.sum((1000 * (pair[1] - pair[0])) ** 2))
            totals[1, column] = pair.shape[1]
    ranks.sum_(totals)
    energy, forces, stress = (
        None if count == 0 else float(np.sqrt(total / count)) for total, count in totals.T.tolist()
    )
    return energy, forces, stress


def shared_polarizability_rmse(
    model: LESModel, samples: Sequence[Sample], ranks: Ranks
) -> float | None:
    """Return the error of polarizabilities in 0.001 Å³ per atom; None without labels."""
    total = torch.zeros(2, dtype=torch.float64)
    for sample in samples[ranks.rank :: ranks.size]:
        if not sample.polarizability.isnan().all():
            sample = sample.to(model.device)
            with torch.no_grad():
                error = polarizability(model, sample.graph) - sample.polarizability
            total[0] += (error / sample.graph.n_atoms).square().sum().cpu()
            total[1] += error.numel()
    ranks.sum_(total)
    return 1000 * float((total[0] / total[1]).sqrt()) if total[1] else None


def _rmse_and_mae(pair: np.ndarray) -> tuple[float, float] | tuple[None, None]:
    if pair.shape[1] == 0:
        return None, None
    difference = 1000 * (pair[1] - pair[0])
    return float(np.sqrt(np.mean(difference**2))), float(np.mean(np.abs(difference)))


def _rounded(value):
    if isinstance(value, dict):
        return {name: _rounded(entry) for name, entry in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value
