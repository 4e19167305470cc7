"""Train a model as described by a configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ase_les.model import PRECISIONS, LESModel, check_device
from ase_les.model_io import load_single_model, model_hash, save_model
from ase_les.ranks import ALONE, Ranks
from ase_les.response import check_local_polarization
from ase_les.runs.growing_files import writing
from ase_les.runs.lock import OutputLock
from ase_les.runs.output import TrainingFiles, write_summary
from ase_les.runs.progress import NO_PROGRESS, Progress, task
from ase_les.training.learning.atomic_charges import AtomicCharges, atomic_charges
from ase_les.training.learning.card import WRONG_SIGN, earlier_trainings, model_card
from ase_les.training.learning.charge_start import start_from_bonds
from ase_les.training.learning.configuration import (
    DataConfig,
    TrainingConfig,
    divided,
    read_training_config,
)
from ase_les.training.learning.dataset import Sample
from ase_les.training.learning.evaluation import (
    Comparison,
    Errors,
    WorstStructure,
    compare,
    errors,
    worst_structure,
)
from ase_les.training.learning.fit import EpochRecord, Fit, fit
from ase_les.training.learning.initial_model import completed, model_from, random_model
from ase_les.training.learning.mean_charges import fix_sign
from ase_les.training.learning.polarizability_part import (
    card_with_polarizability,
    is_added,
    start_from_mean,
)
from ase_les.training.learning.response_evaluation import (
    ResponseComparison,
    compare_response,
)
from ase_les.training.learning.teachers import distill_labels
from ase_les.training.learning.training_data import checked_data

__all__ = [
    "DataConfig",
    "TrainingConfig",
    "TrainingResult",
    "divided",
    "read_training_config",
    "train",
]


@dataclass(frozen=True)
class TrainingResult:
    """Trained model, its errors and files.

    Attributes
    ----------
    model : LESModel
    fit : Fit
    errors : mapping of str to Errors
        By part of the data: "training", "validation", "test".
    files : TrainingFiles
    card : mapping
        As stored in the model file.
    comparisons : mapping of str to Comparison
        Predictions and labels of energies, forces and stresses by part of the data.
    responses : mapping of str to ResponseComparison
        Predictions and labels of dipoles and Born charges for validation and test.
    charges : AtomicCharges or None
        Charges in the held-back part of the data (`part`); None without one charge per atom.
    worst : WorstStructure or None
        Largest error of forces in that part.
    notes : tuple of str
        Problems of the trained model.
    """

    model: LESModel
    fit: Fit
    errors: Mapping[str, Errors]
    files: TrainingFiles
    card: Mapping[str, Any]
    comparisons: Mapping[str, Comparison]
    responses: Mapping[str, ResponseComparison]
    charges: AtomicCharges | None = None
    worst: WorstStructure | None = None
    notes: tuple[str, ...] = ()

    @property
    def part(self) -> str:
        """Part of the data that is reported: test, else validation, else training."""
        return held_back(self.comparisons)

    def summary(self) -> dict[str, object]:
        """Return the result as plain containers for YAML and JSON."""
        return {"model": str(self.files.model), **self.card}


def train(
    config: TrainingConfig,
    *,
    folder: str | Path = ".",
    resume: bool = False,
    overwrite: bool = False,
    device: str = "cpu",
    progress: Progress = NO_PROGRESS,
    ranks: Ranks = ALONE,
) -> TrainingResult:
    """Train a model and write it with its card and summary.

    Parameters
    ----------
    folder : str or Path
        Folder that relative paths of data refer to.
    resume : bool
        Continue from the checkpoint of an interrupted training; the result is the same.
    overwrite : bool
        Replace the files of an earlier training.
    device : str
        Device in the notation of torch: "cpu", "cuda", "cuda:1" …
    ranks : Ranks
        Processes that share each batch (`ase_les.ranks.ranks_of_torchrun`); the first one writes.

    Raises
    ------
    FileExistsError
        If an earlier training would be lost.
    OtherTraining
        If the checkpoint belongs to other data, another model or other settings.
    FileNotFoundError, ValueError
        If data or settings are missing or invalid; no file is written in this case.
    OutputInUseError
        If a different process uses the output.
    """
    files = TrainingFiles(Path(config.output))
    # The other processes wait for the first one before anything is written.
    lock = OutputLock(files.stem) if ranks.is_first else None
    with lock or nullcontext():
        _refuse_existing(files, resume, overwrite)
        check_device(device)
        folder = Path(folder)
        start = _trained_model(config.start, folder) if config.start else None
        config = replace(config, model=completed(config.model, start))
        config, parts = checked_data(config, folder, progress)
        teachers = [_trained_model(name, folder).to(device) for name in config.teachers]
        model = _initial_model(config, parts, start)
        progress.message(_description(parts, model))
        training = _label(parts["training"], teachers, progress)
        files.stem.parent.mkdir(parents=True, exist_ok=True)
        if lock is not None:
            lock.ensure()
            progress = _Refreshing(progress, lock)
        _refuse_existing(files, resume, overwrite)
        done = _fit_with_progress(
            config, {**parts, "training": training}, model, files, resume, start, device, progress,
            ranks,
        )  # fmt: skip
        result = _evaluated(config, parts, done, start, teachers, files)
        done.model.cpu()
        if not ranks.is_first:
            return result
        remedy = "then repeat the last epoch with --resume"
        with writing(files.model, remedy):
            save_model(files.model, done.model, result.card)
        with writing(files.learning_table, remedy):
            write_learning_table(files.learning_table, done)
        with writing(files.summary, remedy):
            write_summary(files.summary, result.summary())
        return result


def _refuse_existing(files: TrainingFiles, resume: bool, overwrite: bool) -> None:
    if files.checkpoint.exists() and not (resume or overwrite):
        raise FileExistsError(
            f"'{files.checkpoint}' exists: continue with resume=True (--resume) or start over with "
            "overwrite=True (--overwrite)"
        )
    if files.model.exists() and not (files.checkpoint.exists() or overwrite):
        raise FileExistsError(
            f"'{files.model}' is a finished model: replace it with overwrite=True (--overwrite) or "
            "choose another `output`"
        )


class _Refreshing:
    """Progress that also refreshes a lock."""

    def __init__(self, progress: Progress, lock: OutputLock) -> None:
        self.start, self.finish, self.message = progress.start, progress.finish, progress.message
        self._advance, self._lock = progress.advance, lock

    def advance(self, steps: int = 1, status: str | None = None) -> None:
        """Advance, and refresh the lock."""
        self._lock.refresh()
        self._advance(steps, status)


def _evaluated(
    config: TrainingConfig,
    parts: Mapping[str, Sequence[Sample]],
    done: Fit,
    start: LESModel | None,
    teachers: Sequence[LESModel],
    files: TrainingFiles,
) -> TrainingResult:
    """Determine the sign of the charges and compare the model with all labels."""
    added = start is not None and is_added(config, start)
    # Labels of dipoles and Born charges determine the sign; otherwise electronegativity does.
    flipped = not (added or config.fit.needs_response) and fix_sign(done.model, parts["training"])
    evaluated = done.model.to(PRECISIONS[config.fit.dtype])
    comparisons = {name: compare(evaluated, samples) for name, samples in parts.items() if samples}
    found = {
        name: errors(comparison, len(parts[name]), sum(s.graph.n_atoms for s in parts[name]))
        for name, comparison in comparisons.items()
    }
    responses = {
        name: compare_response(evaluated, parts[name])
        for name in ("validation", "test")
        if parts[name] and evaluated.has_response
    }
    agreements = {name: response.agreements() for name, response in responses.items()}
    if added:
        assert start is not None
        card = card_with_polarizability(start, config, parts, done, agreements)
    else:
        card = model_card(config, parts, done, found, agreements, flipped)
        card["training"] |= earlier_trainings(start, teachers)
    done.model.card = card
    shown = held_back(comparisons)
    with_charges = evaluated.has_charges
    opposite = card.get("charges", {}).get("sign") == WRONG_SIGN
    return TrainingResult(
        done.model,
        done,
        found,
        files,
        card,
        comparisons,
        responses,
        atomic_charges(evaluated, parts[shown], config.data.dielectric) if with_charges else None,
        worst_structure(comparisons[shown], parts[shown]),
        (f"charges: {WRONG_SIGN}",) if opposite else (),
    )


def held_back(parts: Mapping[str, object]) -> str:
    """Return the name of the part of the data by which a model is judged."""
    return next(name for name in ("test", "validation", "training") if name in parts)


def write_learning_table(path: Path, done: Fit) -> None:
    """Write loss and validation errors of all epochs as comma-separated values."""
    names = (
        *("epoch", "seconds", "learning_rate", "training_loss"),
        *("energy_rmse", "forces_rmse", "polarizability_rmse"),
    )
    columns = [
        np.array([getattr(record, name) for record in done.history], dtype=float) for name in names
    ]
    np.savetxt(
        path,
        np.column_stack(columns),
        delimiter=",",
        comments="",
        fmt="%.6g",
        header="epoch,seconds,learning_rate,training_loss,"
        "validation_energy_rmse_meV_per_atom,validation_forces_rmse_meV_per_A,"
        "validation_polarizability_rmse_mA3_per_atom",
    )


def _trained_model(name: str, folder: Path) -> LESModel:
    """Load a model from a file relative to a folder, or a shipped one by name."""
    file = folder / name
    return load_single_model(file if file.is_file() else name)


def _label(
    training: Sequence[Sample], teachers: Sequence[LESModel], progress: Progress
) -> Sequence[Sample]:
    if not teachers:
        return training
    with task(progress, len(training), "structures labeled by teachers"):
        return distill_labels(training, teachers, on_structure=progress.advance)


def _initial_model(
    config: TrainingConfig, parts: Mapping[str, Sequence[Sample]], start: LESModel | None
) -> LESModel:
    training, architecture = parts["training"], config.model
    if start is None:
        model = random_model(architecture, training, config.fit.seed)
    else:
        if is_added(config, start):
            architecture = replace(architecture, atomic_energies=start.config.atomic_energies)
        model = model_from(start, architecture, training, config.fit.seed)
    for name, samples in parts.items():
        _check_structures(model, samples, name)
    if start is None:
        model.standardize_features([sample.graph for sample in training[:10]])
        if config.fit.bond_polarity:
            start_from_bonds(model, training, config.fit.bond_polarity)
    if start is None or start.polarizability is None:
        start_from_mean(model, training)
    return model


def _check_structures(model: LESModel, samples: Sequence[Sample], name: str) -> None:
    """Refuse structures that the model does not cover before the training starts."""
    for index, sample in enumerate(samples):
        remedy = "exclude it, or include its elements and total charge in the training data"
        try:
            model.check_coverage(sample.graph.numbers.tolist(), float(sample.graph.total_charge))
            if model.has_charges and not sample.born_charges.isnan().all():
                remedy = "or remove its Born charges"
                check_local_polarization(model, sample.graph)
        except ValueError as error:
            raise ValueError(
                f"{error}. This is structure {index} of the {name} data: {remedy}"
            ) from None


def _fit_with_progress(
    config: TrainingConfig,
    parts: Mapping[str, Sequence[Sample]],
    model: LESModel,
    files: TrainingFiles,
    resume: bool,
    start: LESModel | None,
    device: str,
    progress: Progress,
    ranks: Ranks,
) -> Fit:
    epochs_done = 0
    validated: list[EpochRecord] = []

    def report(record: EpochRecord) -> None:
        nonlocal epochs_done
        status = f"loss {record.training_loss:.3g}"
        if record.validation_loss is not None:
            validated.append(record)
            # About twenty lines in total; the learning curve has the rest.
            interval = max(config.fit.epochs // config.fit.validate_every // 20, 1)
            if len(validated) % interval == 0:
                progress.message(_line(record))
        if validated and validated[-1].forces_rmse is not None:
            status += f", forces {validated[-1].forces_rmse:.1f} meV/Å"
        progress.advance(record.epoch - epochs_done, status)
        epochs_done = record.epoch

    try:
        with task(progress, config.fit.epochs, "epochs"):
            return fit(
                model,
                parts["training"],
                parts["validation"],
                config.fit,
                files.checkpoint,
                resume=resume,
                start=None if start is None else model_hash(start),
                device=device,
                on_epoch=report,
                ranks=ranks,
            )
    except KeyboardInterrupt:
        progress.message(
            f"stopped after epoch {epochs_done} of {config.fit.epochs}; continue with resume=True "
            f"(--resume) from '{files.checkpoint}'",
            warning=True,
        )
        raise


def _line(record: EpochRecord) -> str:
    errors = (
        (record.energy_rmse, ".3f", "meV/atom"),
        (record.forces_rmse, ".2f", "meV/Å"),
        (record.polarizability_rmse, ".3f", "mÅ³/atom"),
    )
    shown = ", ".join(f"{value:{form}} {unit}" for value, form, unit in errors if value is not None)
    return (
        f"epoch {record.epoch:5d} {record.seconds:6.0f} s  loss {record.training_loss:.3e}  "
        f"validation {shown}"
    )


def _description(parts: Mapping[str, Sequence[Sample]], model: LESModel) -> str:
    sizes = ", ".join(f"{len(samples)} {name}" for name, samples in parts.items())
    offsets = ", ".join(f"{s} {e:.4f}" for s, e in model.config.atomic_energies.items())
    n_parameters = sum(parameter.numel() for parameter in model.parameters())
    return (
        f"structures: {sizes}\natomic energies / eV: {offsets}\n"
        f"parameters: {n_parameters}; threads: {torch.get_num_threads()}"
    )
