"""Make a shipped model again from its folder: what every ``models/<name>/recipe.py`` runs."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch

from ase_les.model_io import read_model, save_model
from ase_les.training.train import (
    TrainingConfig,
    describe_data,
    read_data,
    read_training_config,
    train,
)


def remake(folder: str | Path) -> None:
    """Train as ``<folder>/train.yml`` says and put model and card beside it.

    The command line decides how: ``--quick`` is a trial of two epochs that leaves the model alone,
    ``--threads`` and ``--work`` say how much of the machine and where the training keeps its
    files. An interrupted training goes on when the recipe is started again. ``--card`` trains
    nothing: it measures anew what the card of the model says of the training data.

    Parameters
    ----------
    folder : str or Path
        Of the model; paths in its ``train.yml`` are relative to it.
    """
    folder = Path(folder).resolve()
    parser = argparse.ArgumentParser(description=f"Make the model {folder.name} again.")
    parser.add_argument("--quick", action="store_true", help="two epochs, nothing is kept")
    parser.add_argument("--card", action="store_true", help="no training: the card alone, anew")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path, default=folder / "work", help="folder of the training")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    config, _ = read_training_config(folder / "train.yml")
    if arguments.card:
        describe_again(folder, config)
        return
    if arguments.quick:
        with tempfile.TemporaryDirectory() as scratch:
            trial = replace(config, output=f"{scratch}/model", fit=replace(config.fit, epochs=2))
            train(trial, folder=folder)
        return
    output = arguments.work / "model"
    config = replace(config, output=str(output))
    result = train(config, folder=folder, resume=output.with_suffix(".checkpoint").exists())
    shutil.copyfile(result.files.model, folder / "model.safetensors")
    _write_card(folder, result.card)


def describe_again(folder: Path, config: TrainingConfig) -> None:
    """Bring what a shipped card says of its training data up to date; the weights stay.

    Raises
    ------
    ValueError
        If the data are not those that the model was trained on.
    """
    path = folder / "model.safetensors"
    model = read_model(path)
    told = describe_data(read_data(config, folder)["training"])
    if told["data_sha256"] != model.card["data_sha256"]:
        raise ValueError(
            f"the data of {folder / 'train.yml'} have SHA-256 {told['data_sha256']}, those of the "
            f"model {model.card['data_sha256']}: train it again instead"
        )
    card = {**model.card, **told}
    save_model(path, model, card)
    _write_card(folder, card)


def _write_card(folder: Path, card: Mapping[str, object]) -> None:
    text = json.dumps(card, indent=2, ensure_ascii=False)
    (folder / "card.json").write_text(text + "\n", encoding="utf-8")
