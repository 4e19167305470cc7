"""Cost of the charge gauge: training steps with it and without it, in turn in one process.

    python benchmarks/training_step.py --model water-rpbe-d3

Structures are those of the model's ``train.yml`` if they are there, and otherwise 64 molecules of
water labelled by the shipped model. Prints the CPU time of a step and the ratio.
"""

import argparse
import statistics
import time
from dataclasses import replace
from pathlib import Path

import torch
from ase.io import read

from ase_les import LESCalculator
from ase_les.training.charge_gauge import GaugeSettings
from ase_les.training.dataset import LabelNames, labelled
from ase_les.training.fit import FitSettings, _Run
from ase_les.training.initial_model import random_model
from ase_les.training.train import read_data, read_training_config

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="water-rpbe-d3", help="whose train.yml is used")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20, help="of each kind in a round")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    config, folder = read_training_config(ROOT / "models" / asked.model / "train.yml")
    try:
        samples = read_data(config, folder)["training"]
    except FileNotFoundError as missing:
        print(f"{missing}; taking 64 molecules of water instead")
        samples = labelled([_water()], config.model.representation.cutoff, LabelNames())
    runs = {}
    for name, gauge in (("without", GaugeSettings(0.0, 0.0)), ("with", GaugeSettings())):
        model = random_model(config.model, samples[:10], seed=1)
        model.standardise_features([sample.graph for sample in samples[:10]])
        settings: FitSettings = replace(config.fit, gauge=gauge)
        model.to(torch.float32)
        runs[name] = _Run(model, settings, samples, [], None)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(asked.rounds + 1):
        for name, run in runs.items():
            begin = time.process_time()
            for step in range(asked.steps):
                run._step(samples[(turn * asked.steps + step) % len(samples)], 0.5)
            if turn:  # The first round warms up.
                times[name].append((time.process_time() - begin) / asked.steps)
    for name, seconds in times.items():
        print(f"{name:8s} {1000 * statistics.median(seconds):7.1f} ms a step")
    ratios = [a / b for a, b in zip(times["with"], times["without"], strict=True)]
    print(f"ratio    {statistics.median(ratios):.3f}")


def _water():
    atoms = read(ROOT / "workflows" / "water64.extxyz")
    atoms.calc = LESCalculator("water-rpbe-d3")
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    atoms.calc = None
    atoms.info["REF_energy"], atoms.arrays["REF_forces"] = energy, forces
    return atoms


if __name__ == "__main__":
    main()
