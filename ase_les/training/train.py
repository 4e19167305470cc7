"""Train a model as described by a configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from ase import Atoms

from ase_les.configuration import from_mapping, read_yaml
from ase_les.model import PRECISIONS, LESModel, check_device
from ase_les.model_io import load_model, model_hash, save_model
from ase_les.reading import read_file
from ase_les.response import check_polarization
from ase_les.runs.output import TrainingFiles, accept_quiet, write_summary
from ase_les.runs.progress import NO_PROGRESS, Progress, task
from ase_les.training.atomic_energies import fit_atomic_energies
from ase_les.training.card import WRONG_SIGN, earlier_trainings, model_card
from ase_les.training.charge_start import start_from_bonds
from ase_les.training.dataset import LabelNames, Sample, split
from ase_les.training.evaluation import Comparison, Errors, compare, errors
from ase_les.training.fit import EpochRecord, Fit, FitSettings, fit
from ase_les.training.initial_model import ArchitectureConfig, model_from, random_model
from ase_les.training.labelled_files import (
    LabelledFile,
    check_weights,
    chosen_frames,
    read_labelled,
)
from ase_les.training.mean_charges import fix_sign
from ase_les.training.response_evaluation import (
    ResponseComparison,
    compare_response,
    has_charges,
)
from ase_les.training.teachers import taught

T = TypeVar("T")


@dataclass(frozen=True)
class DataConfig:
    """Where the labelled structures are; paths are relative to the configuration file.

    Parameters
    ----------
    training : tuple of str
        Extended XYZ files, or some of their structures, as ``data.extxyz@:20``; one name alone
        will do.
    validation : str or float
        A file, or the fraction of the structures of every training file set apart (evenly
        spaced, so that a trajectory is sampled along its whole length).
    test : str, float or None
        What is looked at once, after training: a file, or the fraction of the structures of
        every training file set apart for it.
    labels : LabelNames
    shortest_A : mapping of str to float
        Distances in Å by pair of elements, as ``{Na-H: 2.0}``; structures with shorter ones are
        left out. For data with structures that were built and never moved.
    dielectric : float
        Electronic dielectric constant of periodic structures, for their Born charges: labels
        are physical, latent charges smaller by its square root.
    format : str or None
        Of all files, as ASE names it (``vasp-out``, ``espresso-out`` …), or ``dpdata:NAME`` where
        dpdata is to read them (``dpdata:cp2k/output``); None decides by name and content.
    """

    training: tuple[str, ...]
    validation: str | float = 0.1
    test: str | float | None = None
    labels: LabelNames = field(default_factory=LabelNames)
    shortest_A: Mapping[str, float] = field(default_factory=dict)
    dielectric: float = 1.0
    format: str | None = None

    def __post_init__(self):
        files = (self.training,) if isinstance(self.training, str) else tuple(self.training)
        if not files:
            raise ValueError("`training` needs at least one file")
        object.__setattr__(self, "training", files)

    def frames(self, path: Path) -> list[Atoms]:
        """Return the structures of a file without those that are left out.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If all are left out.
        """
        return chosen_frames(read_file(path, self.format).frames, self.shortest_A)


@dataclass(frozen=True)
class TrainingConfig:
    """One training.

    Parameters
    ----------
    data : DataConfig
    model : ArchitectureConfig
    fit : FitSettings
    start : str or None
        A trained model of the same architecture whose weights are the starting point, a file or
        the name of a shipped one; None starts from random weights.
    teachers : tuple of str
        Trained models, as for `start`, whose mean dipoles and Born charges take the place of labels
        of the training structures (`ase_les.training.teachers`); their weights in the loss decide
        how much.
    output : str
        Stem of the files written.
    card : mapping
        What only a person knows: summary, data with citation and licence. Goes
        into the model file.
    """

    data: DataConfig
    model: ArchitectureConfig
    fit: FitSettings = field(default_factory=FitSettings)
    start: str | None = None
    teachers: tuple[str, ...] = ()
    output: str = "model"
    card: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self):
        object.__setattr__(self, "teachers", tuple(self.teachers))
        if self.start and self.fit.bond_polarity:
            raise ValueError(
                "`start` has charges already, `bond_polarity` would replace them: leave out one"
            )
        if self.teachers and not self.fit.needs_response:
            raise ValueError(
                "`teachers` say dipoles and Born charges, which have no weight: write "
                "`born_charges` or `dipole` under `fit: loss:` and `final_loss:`, or leave "
                "`teachers` out"
            )


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
    notes: tuple[str, ...] = ()

    def summary(self) -> dict[str, object]:
        """Return the result as plain containers for YAML and JSON."""
        return {"model": str(self.files.model), **self.card}


def read_training_config(path: str | Path) -> tuple[TrainingConfig, Path]:
    """A configuration from YAML, and the folder its paths are relative to.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not YAML, or an entry is unknown, missing or out of range.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no configuration at '{path}'")
    return from_mapping(TrainingConfig, read_yaml(path)), path.parent


@accept_quiet
def train(
    config: TrainingConfig,
    *,
    folder: str | Path = ".",
    resume: bool = False,
    overwrite: bool = False,
    device: str = "cpu",
    progress: Progress = NO_PROGRESS,
) -> TrainingResult:
    """Train a model and write it with its card and summary.

    Parameters
    ----------
    config : TrainingConfig
    folder : str or Path
        Folder that relative paths of data refer to.
    resume : bool
        Continue from the checkpoint of an interrupted training; the result is the same.
    overwrite : bool
        Replace the files of an earlier training.
    device : str
        Device in the notation of torch: "cpu", "cuda", "cuda:1" …
    progress : Progress

    Raises
    ------
    FileExistsError
        If an earlier training would be lost.
    OtherTraining
        If the checkpoint is of other data, another model or other settings.
    FileNotFoundError, ValueError
        If data or settings are missing or wrong; nothing has been written then.
    """
    files = TrainingFiles(Path(config.output))
    if files.checkpoint.exists() and not (resume or overwrite):
        raise FileExistsError(
            f"'{files.checkpoint}' exists: continue with resume=True (--resume) or start anew with "
            "overwrite=True (--overwrite)"
        )
    if files.model.exists() and not (files.checkpoint.exists() or overwrite):
        raise FileExistsError(
            f"'{files.model}' is a finished model: replace it with overwrite=True (--overwrite), or "
            "choose another `output`"
        )
    check_device(device)
    folder = Path(folder)
    config, parts = _questioned_data(config, folder, progress)
    start = _trained_model(config.start, folder) if config.start else None
    teachers = [_trained_model(name, folder).to(device) for name in config.teachers]
    model = _initial_model(config, parts, start)
    progress.message(_description(parts, model))
    training = _taught(parts["training"], teachers, progress)
    files.stem.parent.mkdir(parents=True, exist_ok=True)
    done = _fit_with_progress(
        config, {**parts, "training": training}, model, files, resume, start, device, progress
    )
    result = _judged(config, parts, done, start, teachers, files)
    done.model.cpu()
    save_model(files.model, done.model, result.card)
    write_learning_table(files.learning_table, done)
    write_summary(files.summary, result.summary())
    return result


def _judged(
    config: TrainingConfig,
    parts: Mapping[str, Sequence[Sample]],
    done: Fit,
    start: LESModel | None,
    teachers: Sequence[LESModel],
    files: TrainingFiles,
) -> TrainingResult:
    """Determine the sign of the charges and compare the model with all labels."""
    # Labels of dipoles and Born charges determine the sign; otherwise electronegativity does.
    flipped = not config.fit.needs_response and fix_sign(done.model, parts["training"])
    judged = done.model.to(PRECISIONS[config.fit.dtype])
    comparisons = {name: compare(judged, samples) for name, samples in parts.items() if samples}
    found = {
        name: errors(comparison, len(parts[name]), sum(s.graph.n_atoms for s in parts[name]))
        for name, comparison in comparisons.items()
    }
    responses = {
        name: compare_response(judged, parts[name])
        for name in ("validation", "test")
        if parts[name] and has_charges(judged)
    }
    agreements = {name: response.agreements() for name, response in responses.items()}
    card = model_card(config, parts, done, found, agreements, flipped)
    card["training"] = {**card["training"], **earlier_trainings(start, teachers)}
    done.model.card = card
    charges = card.get("charges", {})
    return TrainingResult(
        done.model,
        done,
        found,
        files,
        card,
        comparisons,
        responses,
        (f"charges: {WRONG_SIGN}",) if charges.get("sign") == WRONG_SIGN else (),
    )


def write_learning_table(path: Path, done: Fit) -> None:
    """Write loss and validation errors of all epochs as comma-separated values."""
    names = ("epoch", "seconds", "learning_rate", "training_loss", "energy_rmse", "forces_rmse")
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
        "validation_energy_rmse_meV_per_atom,validation_forces_rmse_meV_per_A",
    )


def read_data(config: TrainingConfig, folder: Path) -> dict[str, list[Sample]]:
    """Structures for ``training``, ``validation`` and ``test``, as the config divides them."""
    return _read_files(config, folder)[0]


def _read_files(
    config: TrainingConfig, folder: Path
) -> tuple[dict[str, list[Sample]], list[LabelledFile]]:
    data, cutoff = config.data, config.model.representation.cutoff
    long_range = config.model.long_range
    if long_range and long_range.representation:
        cutoff = max(cutoff, long_range.representation.cutoff)
    files: list[LabelledFile] = []

    def read(path: str) -> list[Sample]:
        files.append(
            read_labelled(
                folder / path,
                cutoff,
                data.labels,
                dielectric=data.dielectric,
                shortest_A=data.shortest_A,
                format=data.format,
            )
        )
        return files[-1].samples

    return divided(data, read), files


def _questioned_data(
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


def divided(data: DataConfig, read: Callable[[str], list[T]]) -> dict[str, list[T]]:
    """What files hold, for ``training``, ``validation`` and ``test``; ``read`` gets their names."""
    parts: dict[str, list[T]] = {"training": [], "test": [], "validation": []}
    given = {"test": data.test or 0, "validation": data.validation}
    for file in data.training:
        kept = read(file)
        for name, fraction in given.items():
            if not isinstance(fraction, str):
                kept, apart = split(kept, fraction, name)
                parts[name] += apart
        parts["training"] += kept
    for name, file in given.items():
        if isinstance(file, str):
            parts[name] = read(file)
    return parts


def _trained_model(name: str, folder: Path) -> LESModel:
    """A model by the name of its file, relative to a folder, or of a shipped one."""
    file = folder / name
    return load_model(file if file.is_file() else name)


def _taught(
    training: Sequence[Sample], teachers: Sequence[LESModel], progress: Progress
) -> Sequence[Sample]:
    if not teachers:
        return training
    with task(progress, len(training), "structures labelled by teachers"):
        return taught(training, teachers, on_structure=progress.advance)


def _initial_model(
    config: TrainingConfig, parts: Mapping[str, Sequence[Sample]], start: LESModel | None
) -> LESModel:
    training = parts["training"]
    if start is None:
        model = random_model(config.model, training, config.fit.seed)
    else:
        model = model_from(start, config.model, training)
    for name, samples in parts.items():
        _check_structures(model, samples, name)
    if start is None:
        model.standardise_features([sample.graph for sample in training[:10]])
        if config.fit.bond_polarity:
            start_from_bonds(model, training, config.fit.bond_polarity)
    return model


def _check_structures(model: LESModel, samples: Sequence[Sample], name: str) -> None:
    """Find out about structures the model cannot know before it has learned, not after it."""
    for index, sample in enumerate(samples):
        remedy = "leave it out, or train on its elements and total charge too"
        try:
            model.check_coverage(sample.graph.numbers.tolist(), float(sample.graph.total_charge))
            if has_charges(model) and not sample.born_charges.isnan().all():
                remedy = "or leave out its Born charges"
                check_polarization(model, sample.graph)
        except ValueError as error:
            raise ValueError(
                f"{error}. That is structure {index} of the {name} data: {remedy}"
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
) -> Fit:
    epochs_done = 0
    validated: list[EpochRecord] = []

    def report(record: EpochRecord) -> None:
        nonlocal epochs_done
        status = f"loss {record.training_loss:.3g}"
        if record.forces_rmse is not None:
            validated.append(record)
            # About twenty lines in total; the learning curve has the rest.
            interval = max(config.fit.epochs // config.fit.validate_every // 20, 1)
            if len(validated) % interval == 0:
                progress.message(_line(record))
        if validated:
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
            )
    except KeyboardInterrupt:
        progress.message(
            f"stopped after epoch {epochs_done} of {config.fit.epochs}; continue with resume=True "
            f"(--resume) from '{files.checkpoint}'",
            warning=True,
        )
        raise


def _line(record: EpochRecord) -> str:
    energy = "" if record.energy_rmse is None else f"{record.energy_rmse:.3f} meV/atom, "
    return (
        f"epoch {record.epoch:5d} {record.seconds:6.0f} s  loss {record.training_loss:.3e}  "
        f"validation {energy}{record.forces_rmse:.2f} meV/Å"
    )


def _description(parts: Mapping[str, Sequence[Sample]], model: LESModel) -> str:
    sizes = ", ".join(f"{len(samples)} {name}" for name, samples in parts.items())
    offsets = ", ".join(f"{s} {e:.4f}" for s, e in model.config.atomic_energies.items())
    n_parameters = sum(parameter.numel() for parameter in model.parameters())
    return (
        f"structures: {sizes}\natomic energies / eV: {offsets}\n"
        f"parameters: {n_parameters}; threads: {torch.get_num_threads()}"
    )
