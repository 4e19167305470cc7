"""Share of the comparison with the training data in a force call of dynamics.

``python benchmarks/domain_warnings.py``: dynamics of 192 atoms of water at 300 K, in which the
time of the comparison and that of the whole force calls are added up in one process.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path

import torch
from ase import units
from ase.io import read
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution

from ase_les import LESCalculator

STRUCTURE = Path(__file__).parents[1] / "workflows" / "water64.extxyz"


def measure(steps: int = 100) -> float:
    """Return the time of the comparison relative to that of force calls."""
    torch.set_num_threads(1)
    atoms = read(STRUCTURE)
    atoms.calc = LESCalculator("water-rpbe-d3")
    domain, spent = atoms.calc._warnings.domain, {"check": 0.0, "calculate": 0.0}

    def timed(name, function):
        def call(*arguments, **keywords):
            began = time.process_time()
            try:
                return function(*arguments, **keywords)
            finally:
                spent[name] += time.process_time() - began

        return call

    domain.check = timed("check", domain.check)
    atoms.calc.calculate = timed("calculate", atoms.calc.calculate)
    MaxwellBoltzmannDistribution(atoms, temperature_K=300)
    dynamics = Langevin(atoms, 0.5 * units.fs, temperature_K=300, friction=0.01 / units.fs)
    dynamics.run(10)
    spent.update(check=0.0, calculate=0.0)
    dynamics.run(steps)
    return spent["check"] / spent["calculate"]


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        print(f"{100 * measure():.2f} % of a force call")
