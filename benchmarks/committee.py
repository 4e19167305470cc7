"""Cost of committees of four models in force calls of one model, measured in turns.

    python -m benchmarks.committee                   64 and 512 water molecules
    python -m benchmarks.committee --repeat 1

Members are copies of a shipped model with slightly changed weights. Times are those of the thread;
the ratios are medians of the ratios of neighboring calls.
"""

from __future__ import annotations

import argparse
import copy
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import torch
from ase import Atoms
from ase.io import read

from ase_les import LESCalculator, LESModel, load_model
from ase_les.committee import last_layers

WATER = Path(__file__).parents[1] / "workflows" / "water64.extxyz"
MEMBERS = 4


def changed(model: LESModel, which: Callable[[str], bool]) -> list[LESModel]:
    """Return copies of a model in which weights chosen by name differ by about 1 %."""
    members = []
    for seed in range(MEMBERS):
        member, rng = copy.deepcopy(model), torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, weight in member.named_parameters():
                if which(name):
                    weight.mul_(1 + 0.01 * torch.randn(weight.shape, generator=rng))
        members.append(member)
    return members


def ratios(atoms: Atoms, calculators: Sequence[LESCalculator], names: Sequence[str], calls: int):
    """Return the median ratios of calls of each calculator to the first one."""
    start = atoms.positions.copy()
    found: list[list[float]] = [[] for _ in calculators]
    for call in range(calls + 3):
        atoms.positions = start + np.random.default_rng(call).normal(0, 0.01, start.shape)
        for calculator, name, seconds in zip(calculators, names, found, strict=True):
            begin = time.thread_time()
            calculator.get_property(name, atoms)
            seconds.append(time.thread_time() - begin)
    return [median(a / b for a, b in zip(own[3:], found[0][3:], strict=True)) for own in found]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="water-rpbe-d3")
    parser.add_argument("--repeat", type=int, nargs="+", default=[1, 2], help="boxes per axis")
    parser.add_argument("--calls", type=int, default=15)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    model = load_model(asked.model)
    assert isinstance(model, LESModel)
    linear = last_layers(model)
    apart = LESCalculator(changed(model, lambda name: True))
    readouts = LESCalculator(changed(model, lambda name: not name.startswith("representation.")))
    last = LESCalculator(changed(model, lambda name: name in linear))
    spread_of_last = LESCalculator(changed(model, lambda name: name in linear))
    rows = {
        "one model, forces": (LESCalculator(model), "forces"),
        "different representations, forces and spread": (apart, "forces_std"),
        "different readouts, forces and spread": (readouts, "forces_std"),
        "different last layers, forces": (last, "forces"),
        "different last layers, forces and spread": (spread_of_last, "forces_std"),
    }
    print(f"committees of {MEMBERS}, {asked.model}, one thread; in force calls of one model")
    for repeat in asked.repeat:
        atoms = read(WATER).repeat((repeat,) * 3)
        calculators, names = zip(*rows.values(), strict=True)
        for name, ratio in zip(rows, ratios(atoms, calculators, names, asked.calls), strict=True):
            print(f"{len(atoms):6d} atoms  {name:46s} {ratio:6.2f}")


if __name__ == "__main__":
    main()
