"""Charges for a MACE model without charges, from a few dozen frames: errors before and after.

    python benchmarks/mace_charges.py --start mace.model --frames 24 --epochs 10

The start is a MACE file; charges of a MACE-LES file are removed, so that its short range stands for
a model without charges. A long-range part is added and trained on the first frames of water
(RPBE-D3), with all of the start frozen, with its representation frozen, and with nothing frozen.
Errors are those of test frames; Born charges of validation frames are not trained on.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from ase.io import read

from ase_les import LESCalculator, LESModel, load_model, save_model
from ase_les.configuration import from_mapping
from ase_les.training import TrainingConfig, train

SHARED = Path(__file__).parents[2] / "shared"
START = SHARED / "published" / "mace-les" / "water-maceles-r-4.5-nl-0.model"
DATA = SHARED / "data" / "water-rpbe-d3"

FROZEN = {
    "representation, short_range": ["representation", "short_range"],
    "representation": ["representation"],
    "nothing": [],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--start", type=Path, default=START)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--test", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--learning-rate", type=float, default=0.002)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    print("frozen                        forces    energies   Born charges      processor time")
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder) / "start.safetensors"
        save_model(start, without_charges(load_model(asked.start)))
        tested = f"{asked.data / 'test.extxyz'}@:{asked.test}"
        frames = read(asked.data / "test.extxyz", index=f":{asked.test}")
        print(f"{'(start, without charges)':26s} {forces_error(start, frames):6.1f} meV/Å")
        for name, parts in FROZEN.items():
            begin = time.process_time()
            result = train(settings(asked, start, tested, parts, folder), overwrite=True)
            errors = result.errors["test"]
            born = result.card["validation_response"]["born_effective_charges_e"]
            print(
                f"{name:26s} {errors.forces_rmse_meV_per_A:6.1f} meV/Å "
                f"{errors.energy_rmse_meV_per_atom:6.2f} meV   R² {born['R2']:.3f} "
                f"slope {born['slope']:.2f} {time.process_time() - begin:8.0f} s",
                flush=True,
            )


def settings(asked, start: Path, tested: str, frozen: list[str], folder: str) -> TrainingConfig:
    """Return the training that adds charges to the start."""
    train_file = asked.data / "train.extxyz"
    given = {
        "start": str(start),
        "data": {
            "training": f"{train_file}@:{asked.frames}",
            "validation": f"{train_file}@-5:",
            "test": tested,
            "labels": {"energy": "REF_energy", "forces": "REF_forces", "stress": "none"},
            "dielectric": 1.78,
        },
        "model": {
            "long_range": {
                "charges": {"neutrality": "split"},
                "electrostatics": {"smearing": 1.5},
            }
        },
        "fit": {
            "epochs": asked.epochs,
            "batch_size": 1,
            "learning_rate": asked.learning_rate,
            "validate_every": asked.epochs,
            "loss": {"energy": 1.0, "forces": 1.0, "stress": 0.0},
            "final_loss": {"energy": 100.0, "forces": 1.0, "stress": 0.0},
            "freeze": frozen,
        },
        "output": str(Path(folder) / "with-charges"),
    }
    return from_mapping(TrainingConfig, given)


def without_charges(model: LESModel) -> LESModel:
    """Return the short range of a model."""
    result = LESModel(replace(model.config, long_range=None), seed=0).double()
    known = model.state_dict()
    result.load_state_dict({name: known[name] for name in result.state_dict()})
    result.card = {key: value for key, value in model.card.items() if key in ("name", "source")}
    return result


def forces_error(path: Path, frames: list) -> float:
    """Root mean square error of forces in meV/Å."""
    calculator, errors = LESCalculator(str(path)), []
    for atoms in frames:
        expected = atoms.arrays["REF_forces"].copy()
        atoms.calc = calculator
        errors.append(atoms.get_forces() - expected)
    return 1e3 * float(np.sqrt(np.mean(np.square(errors))))


if __name__ == "__main__":
    main()
