"""A training from its configuration: data, offsets, model, fit, errors, files."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from ase import Atoms
from rich.table import Table

from ase_les.configuration import from_mapping, read_yaml
from ase_les.graph import edge_vectors
from ase_les.model import PRECISIONS, LESModel, check_device
from ase_les.model_io import load_model, model_hash, save_model
from ase_les.reading import read_file
from ase_les.reports.figures import Panel, Parity, save_figure, save_parity_figure
from ase_les.reports.terminal import console, progress_bar
from ase_les.response import check_polarization
from ase_les.runs.output import TrainingFiles, write_summary
from ase_les.runs.provenance import software_versions
from ase_les.training.atomic_energies import fit_atomic_energies
from ase_les.training.charge_start import start_from_bonds
from ase_les.training.dataset import (
    LabelNames,
    Sample,
    fingerprint,
    split,
)
from ase_les.training.evaluation import Comparison, Errors, compare, errors
from ase_les.training.fit import EpochRecord, Fit, FitSettings, fit
from ase_les.training.initial_model import ArchitectureConfig, model_from, random_model
from ase_les.training.labelled_files import (
    LabelledFile,
    check_weights,
    chosen_frames,
    read_labelled,
)
from ase_les.training.mean_charges import (
    describe_charges,
    fix_sign,
    sign_is_free,
    sign_opposes_chemistry,
)
from ase_les.training.response_evaluation import (
    Agreement,
    ResponseComparison,
    compare_response,
    has_charges,
)
from ase_les.training.teachers import taught

T = TypeVar("T")

_WRONG_SIGN = (
    "electronegative elements are positive, against the formal charges that the training began "
    "with; train again with another `seed`, or check `formal_charges`"
)


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
    """The trained model and how good it is.

    ``errors`` by part of the data ("training", "validation", "test"); ``files`` that were
    written; ``card`` as stored in the model file.
    """

    model: LESModel
    fit: Fit
    errors: Mapping[str, Errors]
    files: TrainingFiles
    card: Mapping[str, object]

    def summary(self) -> dict[str, object]:
        """Plain containers for YAML and JSON."""
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


def train(
    config: TrainingConfig,
    *,
    folder: str | Path = ".",
    resume: bool = False,
    overwrite: bool = False,
    device: str = "cpu",
    quiet: bool = False,
) -> TrainingResult:
    """Train a model and write it with its card, learning curve and parity plot.

    Parameters
    ----------
    config : TrainingConfig
    folder : str or Path
        Where relative paths of data start from.
    resume : bool
        Go on from the checkpoint of an interrupted training, to the same result.
    overwrite : bool
        Replace the files of an earlier training.
    device : str
        Where to compute, as torch names it: "cpu", "cuda", "cuda:1" …
    quiet : bool
        No progress.

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
            f"'{files.checkpoint}' is there already: --resume goes on with it, "
            "--overwrite starts anew"
        )
    if files.model.exists() and not (files.checkpoint.exists() or overwrite):
        raise FileExistsError(
            f"'{files.model}' is a finished model: --overwrite replaces it, a new `output` keeps it"
        )
    check_device(device)
    folder = Path(folder)
    config, parts = _questioned_data(config, folder, quiet)
    start = _trained_model(config.start, folder) if config.start else None
    teachers = [_trained_model(name, folder).to(device) for name in config.teachers]
    model = _initial_model(config, parts, start)
    _say_what(config, parts, model, quiet)
    training = _taught(parts["training"], teachers, quiet)
    files.stem.parent.mkdir(parents=True, exist_ok=True)
    known = None if start is None else model_hash(start)
    done = _fit_with_progress(
        config, {**parts, "training": training}, model, files, resume, known, device, quiet
    )

    # Dipoles and Born charges have taught the sign; otherwise chemistry decides.
    turned = not config.fit.needs_response and fix_sign(done.model, parts["training"])
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
    card = _card(config, parts, done, found, agreements, turned)
    card["training"] |= _earlier_trainings(start, teachers)
    done.model.card = card
    done.model.cpu()
    save_model(files.model, done.model, card)
    result = TrainingResult(done.model, done, found, files, card)
    write_summary(files.summary, result.summary())
    _draw(done, comparisons, responses, files)
    if not quiet:
        console().print(errors_table(found))
        for name, of_property in agreements.items():
            if of_property:
                console().print(agreements_table(f"responses, {name} structures", of_property))
        if card.get("charges", {}).get("sign") == _WRONG_SIGN:
            console().print(f"charges: {_WRONG_SIGN}", markup=False)
        console().print(f"model and card: {files.model}", markup=False)
    return result


def errors_table(found: Mapping[str, Errors]) -> Table:
    """Errors of several sets side by side."""
    table = Table(title="RMSE (MAE)", title_justify="left")
    for column in ("set", "structures", "energy meV/atom", "forces meV/Å", "stress meV/Å³"):
        table.add_column(column, justify="left" if column == "set" else "right")

    def both(rmse: float | None, mae: float | None) -> str:
        return "–" if rmse is None else f"{rmse:.3g} ({mae:.3g})"

    for name, e in found.items():
        table.add_row(
            name,
            str(e.n_structures),
            both(e.energy_rmse_meV_per_atom, e.energy_mae_meV_per_atom),
            both(e.forces_rmse_meV_per_A, e.forces_mae_meV_per_A),
            both(e.stress_rmse_meV_per_A3, e.stress_mae_meV_per_A3),
        )
    return table


def agreements_table(title: str, agreements: Mapping[str, Agreement]) -> Table:
    """How well dipoles, quadrupoles and Born charges follow their references."""
    table = Table("property", "R²", "slope", "RMSE", title=title, title_justify="left")
    for name, a in agreements.items():
        table.add_row(name, f"{a.R2:.4f}", f"{a.slope:.3f}", f"{a.rmse:.3g}")
    return table


def response_parity(comparison: ResponseComparison) -> list[Parity]:
    """What a parity figure shows of dipoles and Born charges; nothing where there are no labels."""
    panels = [
        Parity("dipole component / (e Å)", *comparison.dipole),
        Parity("quadrupole component / (e Å²)", *comparison.quadrupole),
        Parity("latent Born charge component / e", *comparison.born_charges),
    ]
    return [panel for panel in panels if len(panel.reference)]


def parity(comparison: Comparison) -> list[Parity]:
    """What a parity figure shows of a comparison."""
    return [
        Parity("energy relative to mean / (meV/atom)", *_centred(1000 * comparison.energy)),
        Parity("force component / (eV/Å)", *comparison.forces),
        Parity("stress component / (eV/Å³)", *comparison.stress),
    ]


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
    config: TrainingConfig, folder: Path, quiet: bool
) -> tuple[TrainingConfig, dict[str, list[Sample]]]:
    """Structures for the training, after what is wrong with them was said.

    Energies of isolated atoms go into the configuration unless that has them already.
    """
    parts, files = _read_files(config, folder)
    trained_on = files[: len(config.data.training)]
    loss, final = asdict(config.fit.loss), asdict(config.fit.final_loss)
    weights = {name: max(loss[name], final[name]) for name in loss}
    if config.teachers:
        weights |= {"dipole": 0.0, "born_charges": 0.0}
    check_weights(trained_on, parts["training"], weights)
    screen = console(quiet)
    for file in files:
        for line in file.notes:
            screen.print(line, markup=False, highlight=False, soft_wrap=True)
        for line in file.warnings:
            screen.print(f"Warning: {line}", style="bold yellow", markup=False, soft_wrap=True)
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
    training: Sequence[Sample], teachers: Sequence[LESModel], quiet: bool
) -> Sequence[Sample]:
    if not teachers:
        return training
    with progress_bar(console(quiet)) as bar:
        task = bar.add_task("teachers", total=len(training), status="")
        return taught(training, teachers, on_structure=lambda: bar.advance(task))


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
    start: str | None,
    device: str,
    quiet: bool,
) -> Fit:
    screen = console(quiet)
    bar = progress_bar(screen)
    task = bar.add_task("epoch", total=config.fit.epochs, status="")
    looked: list[EpochRecord] = []

    def tell(record: EpochRecord) -> None:
        status = f"loss {record.training_loss:.3g}"
        if record.forces_rmse is not None:
            looked.append(record)
            # A log of some twenty lines tells the story; the curve has the rest.
            if len(looked) % max(config.fit.epochs // config.fit.validate_every // 20, 1) == 0:
                screen.print(_line(record), markup=False, highlight=False)
        if looked:
            status += f", forces {looked[-1].forces_rmse:.1f} meV/Å"
        bar.update(task, completed=record.epoch, status=status)

    try:
        with bar:
            return fit(
                model,
                parts["training"],
                parts["validation"],
                config.fit,
                files.checkpoint,
                resume=resume,
                start=start,
                device=device,
                on_epoch=tell,
            )
    except KeyboardInterrupt:
        screen.print(
            f"stopped after epoch {bar.tasks[task].completed} of {config.fit.epochs}; "
            f"--resume goes on from '{files.checkpoint}'",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
        raise


def _line(record: EpochRecord) -> str:
    energy = "" if record.energy_rmse is None else f"{record.energy_rmse:.3f} meV/atom, "
    return (
        f"epoch {record.epoch:5d} {record.seconds:6.0f} s  loss {record.training_loss:.3e}  "
        f"validation {energy}{record.forces_rmse:.2f} meV/Å"
    )


def _say_what(
    config: TrainingConfig, parts: Mapping[str, Sequence[Sample]], model: LESModel, quiet: bool
) -> None:
    sizes = ", ".join(f"{len(samples)} {name}" for name, samples in parts.items())
    offsets = ", ".join(f"{s} {e:.4f}" for s, e in model.config.atomic_energies.items())
    n_parameters = sum(parameter.numel() for parameter in model.parameters())
    console(quiet).print(
        f"structures: {sizes}\natomic energies / eV: {offsets}\n"
        f"parameters: {n_parameters}; threads: {torch.get_num_threads()}",
        markup=False,
        highlight=False,
    )


def _card(
    config: TrainingConfig,
    parts: Mapping[str, Sequence[Sample]],
    done: Fit,
    found: Mapping[str, Errors],
    agreements: Mapping[str, Mapping[str, Agreement]],
    turned: bool,
) -> dict[str, object]:
    card: dict[str, object] = {
        **config.card,
        "structures": {name: len(samples) for name, samples in parts.items()},
        "elements": list(done.model.config.atomic_energies),
        "cutoff_A": done.model.config.cutoff,
        **describe_data(parts["training"], config.data.dielectric),
        "parameters": sum(parameter.numel() for parameter in done.model.parameters()),
        "training": {
            "seconds": round(done.seconds),
            "threads": torch.get_num_threads(),
            "processor": platform.processor() or platform.machine(),
            "device": str(done.model.device),
            "epochs": len(done.history),
            "best_epoch": done.best_epoch,
            "fit": asdict(config.fit),
        },
        "versions": software_versions(),
        "hash": model_hash(done.model),
    }
    for name, e in found.items():
        card[f"{name}_errors"] = e.to_dict()
    for name, of_property in agreements.items():
        if of_property:
            card[f"{name}_response"] = {p: a.to_dict() for p, a in of_property.items()}
    if done.model.long_range is not None:
        card["charges"] = {
            "sign": _sign(config, parts["training"], done.model, turned),
            "scale": _scale(agreements),
            **describe_charges(done.model, parts["training"], config.data.dielectric),
        }
    return card


def _earlier_trainings(start: LESModel | None, teachers: Sequence[LESModel]) -> dict[str, object]:
    """What a card says of the models that a training began with and was taught by, by hash."""
    told: dict[str, object] = {}
    if start is not None:
        told["start"] = model_hash(start)
    if teachers:
        told["teachers"] = [model_hash(teacher) for teacher in teachers]
    # A model may be both, and took its time once.
    known = {model_hash(model): model.card for model in (start, *teachers) if model is not None}
    trainings = [card.get("training", {}) for card in known.values()]
    seconds = sum(t.get("seconds", 0) + t.get("seconds_before", 0) for t in trainings)
    return {**told, "seconds_before": seconds} if told else {}


def _sign(config: TrainingConfig, training: Sequence[Sample], model: LESModel, turned: bool) -> str:
    """What decided about the sign of the charges."""
    if config.teachers:
        return "of the teachers' dipoles and Born charges"
    if config.fit.needs_response:
        return "of the labelled dipoles or Born charges"
    if not sign_is_free(model, training):
        if sign_opposes_chemistry(model, training):
            return _WRONG_SIGN
        return "as given charges or electronegativities ask, by energies and forces"
    return "mean Born charges fall with electronegativity" + (
        " (turned after training)" if turned else ""
    )


def _scale(agreements: Mapping[str, Mapping[str, Agreement]]) -> dict[str, float] | str:
    """How large responses are relative to their labels: nothing else can judge charges."""
    for name in ("test", "validation"):
        if agreements.get(name):
            return {f"{p}, {name}": round(a.slope, 3) for p, a in agreements[name].items()}
    return "as energies and forces ask; there are no dipoles or Born charges to compare with"


def describe_data(samples: Sequence[Sample], dielectric: float = 1.0) -> dict[str, object]:
    """What a card says of the training data, for those who use the model.

    Dynamics stops where forces are far larger than `largest_force_eV_per_A` (left out without force
    labels), the calculator warns of total charges that are not `total_charges_e`, commands refuse
    structures without periodic directions if `periodic_directions` has no 0, and the calculator
    scales Born charges by `dielectric` (left out if it is 1). ``data_sha256`` is of elements,
    positions, energies and forces, and stands in every card; ``samples_sha256`` is of everything
    that is learned from.
    """
    contacts = [edge_vectors(s.graph).norm(dim=1).min() for s in samples if len(s.graph.senders)]
    forces = torch.cat([s.forces.norm(dim=1) for s in samples])
    forces = forces[~forces.isnan()]
    told: dict[str, object] = {
        "closest_contact_A": round(float(min(contacts)), 3) if contacts else 0.0,
        "periodic_directions": sorted({int(s.graph.pbc.sum()) for s in samples}),
    }
    if len(forces):
        told["largest_force_eV_per_A"] = round(float(forces.max()), 3)
    if dielectric != 1:
        told["dielectric"] = dielectric
    return {
        **told,
        "total_charges_e": sorted({q for s in samples for q in s.graph.total_charge.tolist()}),
        "data_sha256": _energies_and_forces(samples),
        "samples_sha256": fingerprint(samples),
    }


def _energies_and_forces(samples: Sequence[Sample]) -> str:
    digest = hashlib.sha256()
    for sample in samples:
        for part in (sample.graph.positions, sample.graph.numbers, sample.energy, sample.forces):
            digest.update(part.numpy().tobytes())
    return digest.hexdigest()


def _draw(
    done: Fit,
    comparisons: Mapping[str, Comparison],
    responses: Mapping[str, ResponseComparison],
    files: TrainingFiles,
) -> None:
    history = done.history
    epochs = np.array([record.epoch for record in history])

    def series(name: str) -> np.ndarray:
        return np.array([getattr(record, name) for record in history], dtype=float)

    names = ("epoch", "seconds", "learning_rate", "training_loss", "energy_rmse", "forces_rmse")
    np.savetxt(
        files.learning_table,
        np.column_stack([series(name) for name in names]),
        delimiter=",",
        comments="",
        fmt="%.6g",
        header="epoch,seconds,learning_rate,training_loss,"
        "validation_energy_rmse_meV_per_atom,validation_forces_rmse_meV_per_A",
    )
    # Errors are known for the epochs that were validated; without validation only the loss is.
    looked = ~np.isnan(series("forces_rmse"))
    shown = looked if looked.any() else np.ones_like(looked)
    save_figure(
        files.learning_curve,
        epochs[shown],
        "epoch",
        [
            Panel("training loss", {"": series("training_loss")[shown]}, logarithmic=True),
            Panel("force RMSE / (meV/Å)", {"": series("forces_rmse")[shown]}, logarithmic=True),
            Panel("energy RMSE / (meV/atom)", {"": series("energy_rmse")[shown]}, logarithmic=True),
        ],
    )
    hardest = next(name for name in ("test", "validation", "training") if name in comparisons)
    save_parity_figure(files.parity, f"{hardest} structures", parity(comparisons[hardest]))
    panels = response_parity(responses[hardest]) if hardest in responses else []
    if panels:
        save_parity_figure(files.response, f"{hardest} structures", panels)


def _centred(pair: np.ndarray) -> np.ndarray:
    # Total energies carry arbitrary offsets; what the eye should judge is their spread.
    return pair - pair[0].mean() if pair.size else pair
