"""Cost of a training step, with and without the charge gauge, and compared with another version.

    python benchmarks/training_step.py --model water-rpbe-d3
    git worktree add ../base 5c89311 && python benchmarks/training_step.py --base ../base

Structures are those of the model's ``train.yml`` if they are there, and otherwise 64 molecules of
water labeled by the shipped model. Prints the CPU time of a step and ratios. With ``--base`` the
two versions take turns in processes of their own; the ratio is that of neighboring turns, without
the gauge.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from inspect import signature
from pathlib import Path

import torch
import yaml
from ase.io import read

from ase_les import LESCalculator

try:
    from ase_les.training import read_data, read_training_config
    from ase_les.training.learning.charge_gauge import GaugeSettings
    from ase_les.training.learning.dataset import LabelNames, labeled
    from ase_les.training.learning.fit import FitSettings, _Run
    from ase_les.training.learning.initial_model import random_model
except ImportError:  # Versions before `training.learning`.
    from ase_les.training.dataset import LabelNames
    from ase_les.training.dataset import labelled as labeled
    from ase_les.training.fit import FitSettings, _Run
    from ase_les.training.initial_model import random_model
    from ase_les.training.train import read_data, read_training_config

    try:
        from ase_les.training.charge_gauge import GaugeSettings
    except ModuleNotFoundError:  # Versions before the gauge.
        GaugeSettings = None

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="water-rpbe-d3", help="whose train.yml is used")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20, help="of each kind in a round")
    parser.add_argument("--base", type=Path, help="folder of another version to compare with")
    asked = parser.parse_args()
    if asked.base is not None:
        compare(asked.base.resolve(), asked)
        return
    torch.set_num_threads(1)
    config, folder = read_config(ROOT / "models" / asked.model / "train.yml")
    try:
        samples = read_data(config, folder)["training"]
    except FileNotFoundError as missing:
        print(f"{missing}; taking 64 molecules of water instead")
        samples = labeled([_water()], config.model.representation.cutoff, LabelNames())
    runs = {}
    gauges = {"without": {}}
    if GaugeSettings is not None:
        gauges = {"without": {"gauge": GaugeSettings(0.0, 0.0)}, "with": {"gauge": GaugeSettings()}}
    for name, gauge in gauges.items():
        model = random_model(config.model, samples[:10], seed=1)
        # The spelling of earlier versions.
        standardize = getattr(model, "standardize_features", None) or model.standardise_features
        standardize([sample.graph for sample in samples[:10]])
        settings: FitSettings = replace(config.fit, **gauge)
        model.to(torch.float32)
        prepare(model)
        runs[name] = _Run(model, settings, samples, [], None)
    times: dict[str, list[float]] = {name: [] for name in runs}
    optimizer = optimizer_times(runs["without"])
    for turn in range(asked.rounds + 1):
        for name, run in runs.items():
            begin = time.process_time()
            for step in range(asked.steps):
                one = samples[(turn * asked.steps + step) % len(samples)]
                run._step(one if "sample" in signature(run._step).parameters else [one], 0.5)
            if turn:  # The first round warms up.
                times[name].append((time.process_time() - begin) / asked.steps)
    for name, seconds in times.items():
        print(f"{name:8s} {1000 * statistics.mean(seconds):7.1f} ms a step")
    mean = statistics.mean(optimizer[asked.steps :])
    print(f"optimizer {1000 * mean:6.1f} ms, {mean / statistics.mean(times['without']):.3f} of it")
    if "with" in times:
        ratios = [a / b for a, b in zip(times["with"], times["without"], strict=True)]
        print(f"ratio    {statistics.median(ratios):.3f}")


def prepare(model) -> None:
    """Set what `fit` sets at its start, in versions that do."""
    try:
        from ase_les.kernels import use_training_kernels
        from ase_les.process_settings import keep_freed_memory
    except ModuleNotFoundError:
        return
    use_training_kernels(model)
    keep_freed_memory()


def optimizer_times(run) -> list[float]:
    """Return a list to which the CPU time of every later step of the optimizer is added."""
    step, times = run.optimizer.step, []

    def timed() -> None:
        begin = time.process_time()
        step()
        times.append(time.process_time() - begin)

    run.optimizer.step = timed
    return times


def read_config(path: Path):
    """Return the configuration, without a gauge for versions that have none, and its folder."""
    given = yaml.safe_load(path.read_text())
    if GaugeSettings is None:
        given["fit"].pop("gauge", None)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        copy.write_text(yaml.safe_dump(given))
        return read_training_config(copy)[0], path.parent


def compare(base: Path, asked: argparse.Namespace) -> None:
    """Print the ratio of the step of this version to that of the version in a folder."""
    found: dict[Path, list[float]] = {base: [], ROOT: []}
    for _ in range(max(asked.rounds // 2, 2)):
        for folder, seconds in found.items():
            command = [sys.executable, str(Path(__file__)), "--model", asked.model, "--rounds", "2"]
            told = subprocess.run(
                [*command, "--steps", str(asked.steps)],
                env={**os.environ, "PYTHONPATH": str(folder)},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            (step,) = re.findall(r"^without +([0-9.]+) ms", told, re.MULTILINE)
            seconds.append(float(step))
    for folder, milliseconds in found.items():
        print(f"{statistics.median(milliseconds):7.1f} ms a step   {folder}")
    ratios = [new / old for old, new in zip(found[base], found[ROOT], strict=True)]
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
