"""What all nine components of the Born charges cost, in force calls.

    python benchmarks/born_charges.py

Force calls and Born charges take turns on the same atoms, moved a little each time, so that what
else the machine does hits both. Both are whole calls of the calculator, from atoms to numbers, on
one thread. Models: split charges of a liquid (water-rpbe-d3), a message-passing layer in a molecule
(dipeptides), evenly shifted charges of a crystal (nacl).
"""

import argparse
import json
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from ase import Atoms
from ase.build import bulk
from ase.io import read

from ase_les import LESCalculator

WORKFLOWS = Path(__file__).parents[1] / "workflows"


def structures() -> dict[str, Atoms]:
    """Structures by the shipped model they are meant for."""
    return {
        "water-rpbe-d3": read(WORKFLOWS / "water64.extxyz"),
        "dipeptides": read(WORKFLOWS / "dipeptides.extxyz", 0),
        "nacl": bulk("NaCl", "rocksalt", a=5.69, cubic=True) * (2, 2, 2),
    }


def measure(model: str, atoms: Atoms, rounds: int) -> dict[str, object]:
    """Milliseconds of a force call and of the Born charges, and their ratio."""
    calculator = LESCalculator(model)
    seconds = {"forces": [], "born_effective_charges": []}
    for number in range(2 * rounds + 4):
        name = list(seconds)[number % 2]
        moved = atoms.copy()
        moved.positions += 1e-4 * np.random.default_rng(number).normal(size=(len(atoms), 3))
        began = perf_counter()
        calculator.get_property(name, moved)
        seconds[name].append(perf_counter() - began)
    forces, born = (1e3 * np.array(seconds[name][2:]) for name in seconds)
    return {
        "model": model,
        "atoms": len(atoms),
        "force_call_ms": round(float(np.median(forces)), 1),
        "born_charges_ms": round(float(np.median(born)), 1),
        "ratio": round(float(np.median(born / forces)), 2),
        "ratio_of_shortest": round(float(born.min() / forces.min()), 2),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=25)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for model, atoms in structures().items():
        print(json.dumps(measure(model, atoms, options.rounds)), flush=True)
