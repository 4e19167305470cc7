"""Read files of labeled structures and check their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from ase import Atoms

from ase_les.reading import StructureFile, read_file
from ase_les.reading.labels import PROPERTIES, LabelNames, LabelSources, find_labels
from ase_les.reading.plausibility import question_atomic_energies, question_labels
from ase_les.training.learning.dataset import Sample, labeled, without_contacts
from ase_les.training.learning.isolated_atoms import take_isolated_atoms

_WEIGHTS = {"born_effective_charges": "born_charges"}


@dataclass(frozen=True)
class LabeledFile:
    """Labeled structures of one file.

    Parameters
    ----------
    sources : LabelSources
        Location of the labels.
    atomic_energies : mapping of str to float
        Energies (eV) of structures marked as isolated atoms, which are not among the samples.
    notes : list of str
        Source of each label, and unused entries.
    warnings : list of str
        Implausible units and signs.
    """

    path: Path
    samples: list[Sample]
    sources: LabelSources
    atomic_energies: Mapping[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def without_energy(self) -> LabeledFile:
        """Return the same structures without energies."""
        for index, sample in enumerate(self.samples):
            if sample.forces.isnan().all():
                raise ValueError(
                    f"{self.path}: structure {index} has no forces; a file named in "
                    "`without_energy` needs forces in every structure"
                )
        unknown = [s._replace(energy=torch.full_like(s.energy, torch.nan)) for s in self.samples]
        note = f"{self.path}: energies are not used (`without_energy`)"
        return replace(self, samples=unknown, atomic_energies={}, notes=[*self.notes, note])


def read_labeled(
    path: str | Path,
    cutoff: float,
    names: LabelNames,
    *,
    dielectric: float = 1.0,
    shortest_A: Mapping[str, float] | None = None,
    format: str | None = None,
) -> LabeledFile:
    """Read the labeled structures of a file.

    Parameters
    ----------
    path : str or Path
        File, or a part of one such as ``data.extxyz@-10:``.
    cutoff, names, dielectric, shortest_A
        See `labeled_file`.
    format : str or None
        See `ase_les.reading.read_file`.
    """
    file = read_file(path, format)
    return labeled_file(file, cutoff, names, dielectric=dielectric, shortest_A=shortest_A)


def labeled_file(
    file: StructureFile,
    cutoff: float,
    names: LabelNames,
    *,
    dielectric: float = 1.0,
    shortest_A: Mapping[str, float] | None = None,
) -> LabeledFile:
    """Return graphs and labels of the structures of a file, with notes and warnings.

    Parameters
    ----------
    cutoff : float
        Longest edge of the graphs, in Å.
    dielectric : float
        See `labeled`.
    shortest_A : mapping of str to float, optional
        See `without_contacts`.
    """
    try:
        sources = find_labels(file.frames, names)
        frames, energies, notes = take_isolated_atoms(file.frames, sources)
        kept = chosen_frames(frames, shortest_A or {})
        samples = labeled(kept, cutoff, names, dielectric, sources)
        warnings = question_labels(kept, sources) + question_atomic_energies(energies)
    except ValueError as error:
        raise ValueError(f"{file.path}: {error}") from None
    lines = [*file.notes.lines(len(file.frames))]
    lines += [f"{file.path}: {note}" for note in (sources.summary(), *notes)]
    warnings = [f"{file.path}: {warning}" for warning in warnings]
    return LabeledFile(file.path, samples, sources, energies, lines, warnings)


def check_names(file: LabeledFile) -> None:
    """Check that every label requested by name occurs in the file."""
    sources = file.sources
    for label in PROPERTIES:
        if not sources.names.is_default(label) and not sources.present.get(label):
            raise ValueError(f"{file.path}: {sources.absent(label)}")


def check_weights(
    files: Sequence[LabeledFile], samples: Sequence[Sample], weights: Mapping[str, float]
) -> None:
    """Check that every label with a weight in the loss occurs in the training structures.

    Parameters
    ----------
    files : sequence of LabeledFile
        Files of the training structures.
    samples : sequence of Sample
        The training structures.
    weights : mapping of str to float
        Largest weight in the loss by label, named as in
        `ase_les.training.learning.loss.LossWeights`.
    """
    for label in PROPERTIES:
        weight = _WEIGHTS.get(label, label)
        has_label = any(not getattr(s, weight).isnan().all() for s in samples)
        if weights.get(weight, 0) <= 0 or has_label:
            continue
        absent = "; ".join(f"{file.path}: {file.sources.absent(label)}" for file in files)
        if any(file.sources.present.get(label) for file in files):
            absent = f"no training structure can have {label.replace('_', ' ')}: stress needs two "
            absent += "or three periodic directions, a dipole none"
        raise ValueError(
            f"the loss has a weight for `{weight}`, and {absent}. Write the name of the label "
            f"under `data: labels:`, or `{weight}: 0.0` under `fit: loss:` and `final_loss:`"
        )


def chosen_frames(frames: Sequence[Atoms], shortest_A: Mapping[str, float]) -> list[Atoms]:
    """Remove structures with distances that are too short.

    Parameters
    ----------
    shortest_A : mapping of str to float
        See `without_contacts`.
    """
    kept = without_contacts(frames, shortest_A)
    if kept:
        return kept
    if not frames:
        raise ValueError("the data contain isolated atoms only; add structures to train on")
    raise ValueError(
        f"all structures have distances shorter than `shortest_A`, {dict(shortest_A)}; lower it"
    )
