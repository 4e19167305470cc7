"""What one `atoms.get_forces()` costs in Python before the network starts.

Counts calls of Python functions that stand in the files of ase and ase_les, from
`atoms.get_forces()` to the first call of the model, with the neighbor list in hand.

    python benchmarks/python_calls.py
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from types import CodeType

import ase
import numpy as np
import torch
from ase import Atoms
from ase.build import molecule

import ase_les
from ase_les import LESCalculator, LESModel, ModelConfig
from ase_les.representation import CaceConfig

PACKAGES = tuple(str(Path(package.__file__).parent) for package in (ase, ase_les))


def water_box(molecules_per_edge: int = 4, seed: int = 0) -> Atoms:
    """Water molecules of random orientation on a grid at the density of the liquid."""
    random = np.random.default_rng(seed)
    spacing = 3.105  # Å
    atoms = Atoms(pbc=True, cell=np.full(3, spacing * molecules_per_edge))
    for site in np.ndindex(*[molecules_per_edge] * 3):
        water = molecule("H2O")
        water.rotate(random.uniform(0, 360), random.normal(size=3))
        water.translate(spacing * np.array(site))
        atoms += water
    return atoms


def calls_before_the_network(atoms: Atoms) -> Counter[str]:
    """Python calls of one `get_forces` by function, up to the first call of the model."""
    atoms.get_forces()
    atoms.positions[0, 0] += 1e-3
    counts: Counter[str] = Counter()

    def count(frame, event, _argument):
        code: CodeType = frame.f_code
        if event != "call":
            return
        if code is LESModel.forward.__code__:
            sys.setprofile(None)
        elif code.co_filename.startswith(PACKAGES):
            counts[f"{Path(code.co_filename).name}:{code.co_name}"] += 1

    sys.setprofile(count)
    try:
        atoms.get_forces()
    finally:
        sys.setprofile(None)
    return counts


if __name__ == "__main__":
    torch.set_num_threads(1)
    config = ModelConfig({"H": 0.0, "O": 0.0}, CaceConfig(cutoff=5.5))
    atoms = water_box()
    atoms.calc = LESCalculator(LESModel(config, seed=1))
    counts = calls_before_the_network(atoms)
    for function, calls in counts.most_common(12):
        print(f"{calls:5d}  {function}")
    print(f"{counts.total():5d}  Python calls of ase and ase_les before the network starts")
