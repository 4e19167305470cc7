"""Training of a MACE network beside mace-torch's own: frames a second of one core.

    MACE_PYTHON=... python benchmarks/mace_training.py
    MACE_PYTHON=... python benchmarks/mace_training.py --model water-rpbe-d3-accurate --frames 8

Network, cutoff, batch size and structures are those of the model's ``train.yml``, or 64 molecules
of water labeled by `water-rpbe-d3` if the data are not there. Both programs train in
float32, with one thread, in processes of their own; times are processor times of whole epochs
without validation: here steps of the fit, there `train_one_epoch` of `mace_run_train`, without les.
The first epochs, in which mace-torch compiles, do not count.
"""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from own_process import ask, ask_mace_torch

ROOT = Path(__file__).parents[1]
WARM_UP = 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="water-rpbe-d3-accurate", help="whose train.yml is used")
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--in-process", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.in_process:
        print(json.dumps(measure(asked)))
        return
    config, path = read_config(asked.model)
    with tempfile.TemporaryDirectory() as folder:
        data = write_frames(path, Path(folder), asked.frames)
        peer = rate(asked.frames, ask_mace_torch("train", *options(config, data, asked.epochs)))
        rows = {
            "here, with charges": rate(asked.frames, ask("--in-process", "charges")),
            "here, short range": rate(asked.frames, ask("--in-process", "short")),
            "mace_run_train, short range": peer,
        }
    print(f"network of {asked.model}, {asked.frames} frames, float32, one thread, processor time")
    for name, frames in rows.items():
        print(f"{name:28s} {frames:7.2f} frames/s {frames / peer:7.2f} of mace-torch's")


def rate(frames: int, answer: dict) -> float:
    """Frames a second in the median epoch."""
    seconds = sorted(answer["seconds"][WARM_UP:])
    return frames / seconds[len(seconds) // 2]


def read_config(name: str):
    """Return the configuration of a shipped model, and the path of its structures."""
    from ase_les.training.learning.train import read_training_config

    folder = ROOT / "models" / name
    config, _ = read_training_config(folder / "train.yml")
    return config, folder / config.data.training[0]


def write_frames(path: Path, folder: Path, count: int) -> Path:
    """Write the first structures with labels of energies and forces."""
    from ase.io import read, write

    from ase_les import LESCalculator

    if path.is_file():
        frames = read(path, index=f":{count}")
    else:
        print(f"{path} is not there; taking 64 molecules of water instead", file=sys.stderr)
        frames = [read(ROOT / "workflows" / "water64.extxyz") for _ in range(count)]
        for seed, atoms in enumerate(frames):
            atoms.rattle(0.02, seed=seed)
            atoms.calc = LESCalculator("water-rpbe-d3")
            atoms.info["REF_energy"] = atoms.get_potential_energy()
            atoms.arrays["REF_forces"] = atoms.get_forces()
    for atoms in frames:
        atoms.calc = None
        atoms.info = {"REF_energy": float(atoms.info["REF_energy"])}
    found = folder / "frames.extxyz"
    write(found, frames, columns=["symbols", "positions", "REF_forces"])
    return found


def options(config, data: Path, epochs: int) -> list[str]:
    """Arguments of `mace_run_train` for the same network and data."""
    network, fit = config.model.representation, config.fit
    degrees = range(network.l_hidden + 1)
    hidden = " + ".join(f"{network.channels}x{degree}{'eo'[degree % 2]}" for degree in degrees)
    block = "RealAgnosticResidualInteractionBlock"
    given = {
        "name": "peer",
        "work_dir": data.parent,
        "train_file": data,
        "valid_file": data,
        "energy_key": "REF_energy",
        "forces_key": "REF_forces",
        "E0s": "average",
        "model": "ScaleShiftMACE",
        "r_max": network.cutoff,
        "hidden_irreps": hidden,
        "num_interactions": network.n_layers,
        "max_ell": network.l_max,
        "correlation": network.correlation,
        "num_radial_basis": network.n_radial,
        "radial_MLP": list(network.radial_hidden),
        "interaction": block,
        "interaction_first": block,
        "compute_avg_num_neighbors": False,
        "avg_num_neighbors": network.mean_neighbors,
        "batch_size": fit.batch_size,
        "max_num_epochs": epochs + WARM_UP,
        "ema_decay": fit.average_decay,
        "default_dtype": "float32",
        "device": "cpu",
        "plot": False,
        "seed": 1,
    }
    return [*(f"--{name}={value}" for name, value in given.items()), "--ema"]


def measure(asked: argparse.Namespace) -> dict:
    """Processor time of every epoch of the fit, in seconds, without validation."""
    import torch

    from ase_les.cli.model_recipe import short_range_twin
    from ase_les.kernels import use_training_kernels
    from ase_les.process_settings import keep_freed_memory
    from ase_les.training.learning.dataset import LabelNames, labeled
    from ase_les.training.learning.fit import _Run
    from ase_les.training.learning.initial_model import random_model

    torch.set_num_threads(1)
    config, path = read_config(asked.model)
    if asked.in_process == "short":
        config = short_range_twin(config)
    with tempfile.TemporaryDirectory() as folder:
        from ase.io import read

        data = write_frames(path, Path(folder), asked.frames)
        frames = read(data, index=":")
    names = LabelNames(energy="REF_energy", forces="REF_forces")
    samples = labeled(frames, config.model.representation.cutoff, names)
    model = random_model(config.model, samples, seed=1)
    model.standardize_features([sample.graph for sample in samples])
    model.to(torch.float32)
    use_training_kernels(model)
    keep_freed_memory()
    settings = replace(config.fit, validate_every=10**6, epochs=10**6)
    run = _Run(model, settings, samples, [], None)
    seconds = []
    for _ in range(asked.epochs + WARM_UP):
        start = time.process_time()
        run.one_epoch()
        seconds.append(time.process_time() - start)
    return {"seconds": seconds}


if __name__ == "__main__":
    main()
