"""Reproduce a shipped model from its folder; used by every ``models/<name>/recipe.py``."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from ase_les.model_io import load_single_model, save_model
from ase_les.process_settings import set_threads
from ase_les.reports import training as report
from ase_les.reports.terminal import TerminalProgress, console
from ase_les.runs.output import TrainingFiles
from ase_les.training.labeling.labeling_plan import make_data
from ase_les.training.learning.card import describe_data
from ase_les.training.learning.checkpoint import OtherTraining
from ase_les.training.learning.mean_charges import describe_charges
from ase_les.training.learning.polarizability_part import without_polarizability
from ase_les.training.learning.train import (
    TrainingConfig,
    TrainingResult,
    read_training_config,
    train,
)
from ase_les.training.learning.training_data import read_data


def remake(folder: str | Path) -> None:
    """Reproduce data and model from the files of a folder, and store them in the same folder.

    =========================  ================================================================
    File                       Content
    =========================  ================================================================
    ``label.yml``              structures and engine for the labels in ``data.extxyz``;
                               absent for published data
    ``train.yml``              how the model is trained
    ``polarizability.yml``     training of polarizabilities that are added to the model; absent
                               without them
    ``teachers/NAME.yml``      training of initial models and teachers of ``train.yml``, stored as
                               ``work/teachers/NAME.safetensors``; absent without such models
    =========================  ================================================================

    Options of the command line:

    =========================  ================================================================
    Option                     Effect
    =========================  ================================================================
    ``--quick``                two epochs on existing data; nothing is kept
    ``--shipped-data``         ``data.extxyz`` is not changed: no engine is needed
    ``--data-only``            no training
    ``--with-short-range``     also trains the same model without long range; its errors are added
                               to the card
    ``--only-short-range``     trains only the model without long range, for the existing card
    ``--only-polarizability``  trains only the polarizabilities, for the existing model
    ``--only-card``            updates the existing card with text from ``train.yml``, facts about
                               the data and charges, without training
    ``--device``               device for training, as named by torch
    ``--threads``              number of threads for training
    ``--work``                 folder of labels and trainings until they are complete
    =========================  ================================================================

    Interrupted work continues when the recipe is started again. A finished training is kept until
    data, model or settings change.

    Parameters
    ----------
    folder : str or Path
        Folder of the model; paths in its files are relative to it.
    """
    folder = Path(folder).resolve()
    asked = _arguments(folder)
    set_threads(asked.threads)
    config, _ = read_training_config(folder / "train.yml")
    if asked.quick:
        _try_out(config, folder, asked.device)
        return
    if asked.only_card:
        _update_card(folder, {**config.card.entries(), **_recomputed_entries(folder, config)})
        return
    if asked.only_polarizability:
        _add_polarizability(folder, asked.work, asked.device)
        return
    has_plan = (folder / "label.yml").exists()
    if has_plan and not (asked.shipped_data or asked.only_short_range):
        try:
            make_data(folder, asked.work, progress=TerminalProgress())
        except ModuleNotFoundError as missing:
            raise SystemExit(
                f"{missing}. Without it: --shipped-data trains on the existing labels"
            ) from None
    if asked.data_only:
        return
    if not asked.only_short_range:
        ready = _after_teachers(config, folder, asked.work, asked.device)
        result = _trained(ready, folder, asked.work / "model", asked.device)
        twin = _kept_twin(folder, result)
        shutil.copyfile(result.files.model, folder / "model.safetensors")
        _write_card(folder, result.card)
        if twin is not None:
            _update_card(folder, {"short_range": twin})
        if (folder / "polarizability.yml").exists():
            _add_polarizability(folder, asked.work, asked.device)
    if asked.with_short_range or asked.only_short_range:
        work = asked.work / "short-range-start"
        without = short_range_twin(config)
        without = _after_teachers(without, folder, work, asked.device, short_range_twin)
        result = _trained(without, folder, asked.work / "short-range", asked.device)
        _update_card(folder, {}, twin=result.card)


def short_range_twin(config: TrainingConfig) -> TrainingConfig:
    """Return the same training without the long-range part.

    The model has no charges and does not learn from dipoles, Born charges or teachers. If the
    original starts from another model, the twin starts from the twin of that model.
    """
    without_charges = {"dipole": 0.0, "born_charges": 0.0, "excess": 0.0}
    fit = replace(
        config.fit,
        free_sum=False,
        bond_polarity=0.0,
        loss=replace(config.fit.loss, **without_charges),
        final_loss=replace(config.fit.final_loss, **without_charges),
    )
    architecture = replace(config.model, long_range=None)
    return replace(config, model=architecture, fit=fit, teachers=())


def short_range_entry(card: Mapping, twin: Mapping) -> dict[str, object]:
    """Return the entry of a card about the short-range twin.

    Parameters
    ----------
    card : mapping
        Card of the model.
    twin : mapping
        The card of the twin.
    """
    name = _differing_fingerprint(card, twin)
    if name:
        raise ValueError(
            "model and short-range twin were trained on different data (their cards have "
            f"{name} {card[name][:8]}… and {twin[name][:8]}…); train both with --with-short-range"
        )
    kept = ("test_errors", "validation_errors", "parameters", "training")
    return {name: twin[name] for name in kept if name in twin}


def _arguments(folder: Path) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=f"Reproduce the model {folder.name}.")
    parser.add_argument("--quick", action="store_true", help="two epochs, nothing is kept")
    parser.add_argument("--shipped-data", action="store_true", help="keep the existing labels")
    parser.add_argument("--data-only", action="store_true", help="label, do not train")
    twin = parser.add_mutually_exclusive_group()
    twin.add_argument(
        "--with-short-range",
        action="store_true",
        help="also train the model without long range, for comparison",
    )
    twin.add_argument(
        "--only-short-range", action="store_true", help="only train the model without long range"
    )
    parser.add_argument(
        "--only-polarizability", action="store_true", help="only train the polarizabilities"
    )
    parser.add_argument(
        "--only-card", action="store_true", help="only update text and data in the card"
    )
    parser.add_argument("--device", default="cpu", help="device for training, such as cuda")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path, default=folder / "work", help="folder of the training")
    return parser.parse_args()


def _try_out(config: TrainingConfig, folder: Path, device: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        ready = _after_teachers(config, folder, Path(scratch), device, _two_epochs)
        output = f"{scratch}/model"
        _train(replace(_two_epochs(ready), output=output), folder=folder, device=device)


def _two_epochs(config: TrainingConfig) -> TrainingConfig:
    return replace(config, fit=replace(config.fit, epochs=2))


def _after_teachers(
    config: TrainingConfig,
    folder: Path,
    work: Path,
    device: str,
    as_trained: Callable[[TrainingConfig], TrainingConfig] = lambda plan: plan,
) -> TrainingConfig:
    """Return a training whose start and teachers exist; train missing ones first."""

    @cache
    def file(name: str) -> str:
        plan = folder / "teachers" / f"{Path(name).stem}.yml"
        if not plan.exists():
            return name
        console().print(f"first: {plan.relative_to(folder)}", markup=False)
        teacher, where = read_training_config(plan)
        output = work / "teachers" / plan.stem
        ready = with_files(as_trained(teacher))
        return str(_trained(ready, where, output, device).files.model.resolve())

    def with_files(plan: TrainingConfig) -> TrainingConfig:
        # A model of ``teachers`` may itself have an initial model or teachers.
        start = file(plan.start) if plan.start else None
        return replace(plan, start=start, teachers=tuple(map(file, plan.teachers)))

    return with_files(config)


def _trained(config: TrainingConfig, folder: Path, output: Path, device: str) -> TrainingResult:
    config = replace(config, output=str(output))
    resume = TrainingFiles(output).checkpoint.exists()
    try:
        return _train(config, folder=folder, resume=resume, device=device)
    except OtherTraining as earlier:
        if not earlier.finished:
            raise
        console().print(f"training again: {'; '.join(earlier.changes)}", markup=False)
    return _train(config, folder=folder, overwrite=True, device=device)


def _train(config: TrainingConfig, **options: Any) -> TrainingResult:
    result = train(config, progress=TerminalProgress(), **options)
    report.write(result, config.output)
    report.show(result)
    return result


def _add_polarizability(folder: Path, work: Path, device: str) -> None:
    """Train polarizabilities for the model of a folder, in place of earlier ones."""
    plan, _ = read_training_config(folder / "polarizability.yml")
    path, start = folder / "model.safetensors", work / "without-polarizability.safetensors"
    work.mkdir(parents=True, exist_ok=True)
    save_model(start, without_polarizability(load_single_model(path)))
    plan = replace(plan, start=str(start.resolve()))
    result = _trained(plan, folder, work / "polarizability", device)
    shutil.copyfile(result.files.model, path)
    _write_card(folder, result.card)


def _kept_twin(folder: Path, result: TrainingResult) -> Mapping | None:
    """Return the short-range entry of the replaced model, if the twin is still comparable.

    The twin has no charges. It remains comparable if data, representation, core repulsion and
    number of epochs are the same.
    """
    path = folder / "model.safetensors"
    if not path.exists():
        return None
    earlier = load_single_model(path)
    old, new = earlier.config, result.model.config
    is_comparable = (
        "short_range" in earlier.card
        and _differing_fingerprint(result.card, earlier.card) is None
        and (old.representation, old.core_repulsion) == (new.representation, new.core_repulsion)
        and earlier.card["training"]["epochs"] == result.card["training"]["epochs"]
    )
    return earlier.card["short_range"] if is_comparable else None


def _write_card(folder: Path, card: Mapping) -> None:
    text = json.dumps(card, indent=2, ensure_ascii=False)
    (folder / "card.json").write_text(text + "\n", encoding="utf-8")


def _recomputed_entries(folder: Path, config: TrainingConfig) -> dict[str, object]:
    """Compute the card entries about training data and charges again."""
    training = read_data(config, folder)["training"]
    model = load_single_model(folder / "model.safetensors")
    facts = describe_data(training, config.data.dielectric, model.config.cutoff)
    name = _differing_fingerprint(facts, model.card)
    if name:
        raise ValueError(
            f"the data of {folder / 'train.yml'} have {name} {str(facts[name])[:8]}…, those of the "
            f"training {model.card[name][:8]}…: train it again instead"
        )
    if model.long_range is not None:
        charges = describe_charges(model, training, config.data.dielectric)
        facts["charges"] = {**model.card.get("charges", {}), **charges}
    return facts


def _differing_fingerprint(card: Mapping, other: Mapping) -> str | None:
    """Return the name of a fingerprint that differs; earlier cards have only one."""
    names = ("data_sha256", "samples_sha256")
    shared = (name for name in names if name in card and name in other)
    return next((name for name in shared if card[name] != other[name]), None)


def _update_card(folder: Path, words: Mapping, twin: Mapping | None = None) -> None:
    """Add entries to the card, in the model file and beside it."""
    path = folder / "model.safetensors"
    model = load_single_model(path)
    card = {**model.card, **words}
    if twin is not None:
        card["short_range"] = short_range_entry(model.card, twin)
    save_model(path, model, card)
    _write_card(folder, card)
