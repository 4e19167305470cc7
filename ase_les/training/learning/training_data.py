"""Read the structures of a training and check their labels."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from ase_les.runs.progress import Progress
from ase_les.training.learning.atomic_energies import fit_atomic_energies
from ase_les.training.learning.configuration import TrainingConfig, divided
from ase_les.training.learning.dataset import Sample
from ase_les.training.learning.labeled_files import LabeledFile, check_weights, read_labeled


def read_data(config: TrainingConfig, folder: Path) -> dict[str, list[Sample]]:
    """Return the structures for training, validation and test."""
    return _read_files(config, folder)[0]


def _read_files(
    config: TrainingConfig, folder: Path
) -> tuple[dict[str, list[Sample]], list[LabeledFile]]:
    data = config.data
    files: list[LabeledFile] = []

    def read(path: str) -> list[Sample]:
        file = read_labeled(
            folder / path,
            config.model.cutoff,
            data.labels,
            dielectric=data.dielectric,
            shortest_A=data.shortest_A,
            format=data.format,
        )
        files.append(file.without_energy() if path in data.without_energy else file)
        return files[-1].samples

    return divided(data, read), files


def checked_data(
    config: TrainingConfig, folder: Path, progress: Progress
) -> tuple[TrainingConfig, dict[str, list[Sample]]]:
    """Read the structures, report problems of their labels, and return them by part of the data.

    Energies of isolated atoms are added to the configuration unless it has atomic energies.
    """
    parts, files = _read_files(config, folder)
    trained_on = files[: len(config.data.training)]
    loss, final = asdict(config.fit.loss), asdict(config.fit.final_loss)
    weights = {name: max(loss[name], final[name]) for name in loss}
    if config.teachers:
        weights |= {"dipole": 0.0, "born_charges": 0.0}
    check_weights(trained_on, parts["training"], weights)
    for file in files:
        for line in file.notes:
            progress.message(line)
        for line in file.warnings:
            progress.message(f"Warning: {line}", warning=True)
    known = {s: e for file in trained_on for s, e in file.atomic_energies.items()}
    if known and config.model.atomic_energies is None:
        energies = fit_atomic_energies(parts["training"], known)
        config = replace(config, model=replace(config.model, atomic_energies=energies))
    return config, parts
