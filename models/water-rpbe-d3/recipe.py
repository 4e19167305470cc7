"""Make this model again: ``python recipe.py``, or ``--quick`` for a two-epoch trial.

Trains as ``ase-les train train.yml`` does, from the data set named there, and puts
``model.safetensors`` and ``card.json`` beside this file. An interrupted training goes on when the
recipe is started again. The trial writes to a temporary folder and leaves the model alone.
"""

import argparse
import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from ase_les.training.train import read_training_config, train

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two epochs, nothing is kept")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path, default=HERE / "work", help="folder of the training")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    config, folder = read_training_config(HERE / "train.yml")
    if arguments.quick:
        with tempfile.TemporaryDirectory() as scratch:
            trial = replace(config, output=f"{scratch}/model", fit=replace(config.fit, epochs=2))
            train(trial, folder=folder)
        return
    output = arguments.work / "model"
    config = replace(config, output=str(output))
    result = train(config, folder=folder, resume=output.with_suffix(".checkpoint").exists())
    shutil.copyfile(result.files.model, HERE / "model.safetensors")
    (HERE / "card.json").write_text(json.dumps(result.card, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
