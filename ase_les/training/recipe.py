"""Make a model of the project again from its folder: what every ``models/<name>/recipe.py`` runs."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from ase_les.training.train import read_training_config, train


def remake(folder: str | Path) -> None:
    """Train as ``<folder>/train.yml`` says and put model and card beside it.

    The command line decides how: ``--quick`` is a trial of two epochs that leaves the model alone,
    ``--threads`` and ``--work`` say how much of the machine and where the training keeps its
    files. An interrupted training goes on when the recipe is started again.

    Parameters
    ----------
    folder : str or Path
        Of the model; paths in its ``train.yml`` are relative to it.
    """
    folder = Path(folder).resolve()
    parser = argparse.ArgumentParser(description=f"Make the model {folder.name} again.")
    parser.add_argument("--quick", action="store_true", help="two epochs, nothing is kept")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path, default=folder / "work", help="folder of the training")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    config, _ = read_training_config(folder / "train.yml")
    if arguments.quick:
        with tempfile.TemporaryDirectory() as scratch:
            trial = replace(config, output=f"{scratch}/model", fit=replace(config.fit, epochs=2))
            train(trial, folder=folder)
        return
    output = arguments.work / "model"
    config = replace(config, output=str(output))
    result = train(config, folder=folder, resume=output.with_suffix(".checkpoint").exists())
    shutil.copyfile(result.files.model, folder / "model.safetensors")
    card = json.dumps(result.card, indent=2, ensure_ascii=False)
    (folder / "card.json").write_text(card + "\n", encoding="utf-8")
