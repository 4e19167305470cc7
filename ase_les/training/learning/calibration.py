"""Calibrate the spread of a committee against its errors on labeled structures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ase_les.committee import CommitteeEngine
from ase_les.training.learning.dataset import Sample
from ase_les.training.learning.evaluation import Comparison, joined_pairs

# Number of bins of equal counts in a reliability diagram, and minimum number of atoms per bin.
_BINS, _FEWEST = 12, 10


@dataclass(frozen=True)
class Reliability:
    """Root-mean-square spread and error in bins of equal counts, ascending spread.

    ``slope``: slope of log(error) against log(spread), least squares over bins; 1 if errors are
    proportional to the spread, 0 if they are unrelated.
    """

    spread: np.ndarray
    error: np.ndarray
    slope: float

    @classmethod
    def of(cls, spread: np.ndarray, error: np.ndarray) -> Reliability | None:
        """Return the bins of values (n,); None for fewer than two bins."""
        n_bins = min(_BINS, len(spread) // _FEWEST)
        if n_bins < 2:
            return None
        parts = np.array_split(np.argsort(spread, kind="stable"), n_bins)
        x = np.array([_rms(spread[part]) for part in parts])
        y = np.array([_rms(error[part]) for part in parts])
        if not (x.min() > 0 and y.min() > 0 and x[-1] > x[0]):
            return None
        return cls(x, y, float(np.polyfit(np.log(x), np.log(y), 1)[0]))


@dataclass(frozen=True)
class Calibration:
    r"""Scale of the spread of a committee.

    .. math::
        \alpha = \sqrt{\frac{\langle (\bar y - y)^2 \rangle}{\langle \sigma_y^2 \rangle}}

    Errors of the mean :math:`\bar y` and variance :math:`\sigma_y^2` over the members, averaged
    over structures (energies per atom) or force components. The mean of the variance, unlike that
    of its inverse, is unbiased for committees of any size.

    Parameters
    ----------
    energy_scale, forces_scale : float or None
        Scale factors; None without labels.
    forces : Reliability or None
        Per atom: error and scaled spread in eV/Å, root mean square over the three components.
    energies : Reliability or None
        Per structure, in eV per atom.
    n_structures, n_atoms : int
        Numbers of labeled structures and atoms.
    """

    energy_scale: float | None
    forces_scale: float | None
    forces: Reliability | None
    energies: Reliability | None
    n_structures: int
    n_atoms: int

    def to_dict(self) -> dict[str, float | int]:
        """Return the entries of a card: scales, slope, numbers of structures and atoms."""
        entries: dict[str, float | int] = {
            "structures": self.n_structures,
            "atoms": self.n_atoms,
        }
        for name, scale in (("energy", self.energy_scale), ("forces", self.forces_scale)):
            if scale is not None:
                entries[f"{name}_scale"] = float(f"{scale:.4g}")
        if self.forces is not None:
            entries["forces_slope"] = round(self.forces.slope, 3)
        return entries


@dataclass(frozen=True)
class CommitteeComparison:
    """Labels, means and spreads of a committee.

    ``comparison``: labels and means. ``energy_std`` (S,) in eV per atom and ``energy_error``;
    ``force_std`` (n,) and ``force_error`` per atom in eV/Å, root mean square over components.
    Spreads are not scaled.
    """

    comparison: Comparison
    energy_std: np.ndarray
    energy_error: np.ndarray
    force_std: np.ndarray
    force_error: np.ndarray

    def calibration(self) -> Calibration:
        """Return the scale that makes the spread as large as the errors."""
        energy = _scale(self.energy_error, self.energy_std)
        forces = _scale(self.force_error, self.force_std)
        return Calibration(
            energy,
            forces,
            Reliability.of((forces or 1.0) * self.force_std, self.force_error),
            Reliability.of((energy or 1.0) * self.energy_std, self.energy_error),
            len(self.energy_std),
            len(self.force_std),
        )


def compare_committee(engine: CommitteeEngine, samples: Sequence[Sample]) -> CommitteeComparison:
    """Compare the mean of a committee and its spread with labels.

    Parameters
    ----------
    engine : CommitteeEngine
        From `Committee.for_inference`.
    samples : sequence of Sample
        One structure each.
    """
    pairs: dict[str, list[np.ndarray]] = {"energy": [], "forces": [], "stress": []}
    spreads: dict[str, list[np.ndarray]] = {"energy": [], "forces": []}
    elements, structures = [], []
    for index, sample in enumerate(samples):
        if not sample.has_energy_labels:
            continue
        sample = sample.to(engine.device)
        labels, means, stds = _compared(engine, sample)
        for name, label in labels.items():
            known = ~label.isnan()
            both = torch.stack([label[known], means[name][known]])
            pairs[name].append(both.flatten(1).cpu().numpy())
            if name == "forces":
                complete = known.all(dim=1)
                error = (means[name] - label)[complete].square().mean(1).sqrt()
                std = stds[name][complete].square().mean(1).sqrt()
                spreads[name].append(torch.stack([std, error]).cpu().numpy())
                elements.append(np.repeat(sample.graph.numbers.cpu().numpy(), 3)[known.flatten()])
                structures.append(np.full(int(known.sum()), index))
            elif name == "energy" and bool(known.all()):
                error = (means[name] - label).abs()
                spreads[name].append(torch.stack([stds[name], error]).cpu().numpy())
    comparison = Comparison.of_parts(pairs, elements, structures)
    energy, forces = map(joined_pairs, spreads.values())
    return CommitteeComparison(comparison, *energy, *forces)


Values = dict[str, Tensor]


def _compared(engine: CommitteeEngine, sample: Sample) -> tuple[Values, Values, Values]:
    """Return labels, means and standard deviations of one structure, energies per atom."""
    graph, size = sample.graph, sample.graph.n_atoms
    with_stress = bool((~sample.stress.isnan()).any())
    _, derivatives = engine.evaluate(
        graph, engine.plan(graph), forces=True, stress=with_stress, energies=False
    )
    assert derivatives is not None
    labels = {"energy": sample.energy / size, "forces": sample.forces}
    found = {
        "energy": torch.stack([each.prediction.energy.detach() / size for each in derivatives]),
        "forces": torch.stack([each.forces for each in derivatives]),
    }
    if with_stress:
        labels["stress"] = sample.stress
        found["stress"] = torch.stack(
            [each.stress for each in derivatives if each.stress is not None]
        )
    means = {name: values.mean(0) for name, values in found.items()}
    return labels, means, {name: values.std(0) for name, values in found.items()}


def _scale(error: np.ndarray, spread: np.ndarray) -> float | None:
    size = _rms(spread) if len(spread) else 0.0
    return _rms(error) / size if size > 0 else None


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
