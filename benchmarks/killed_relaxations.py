"""Do relaxations survive SIGKILL? Random kills; every run must end as if there had been none.

    python benchmarks/killed_relaxations.py [--kills 200] [--seed 1]

A distorted alloy crystal relaxes with its cell, in a process that is killed at a random moment and
started again, ever later, until it gets through. Log and trajectory are then compared, byte by
byte, with those of a run in peace.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from ase_les.simulation import relax, resume_relaxation

SETTINGS = {"fmax": 1e-9, "cell": "full", "steps": 20, "checkpoint_stride": 3}


class SlowEMT(EMT):
    """Leaves time to be killed in."""

    name = "emt"

    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        time.sleep(1e-3)


def alloy() -> Atoms:
    atoms = bulk("Cu", cubic=True)
    atoms.symbols[1] = "Au"
    atoms.rattle(0.15, seed=3)
    atoms.set_cell(atoms.cell.array @ [[1.03, 0.02, 0], [0, 0.98, 0], [0.01, 0, 1]], True)
    return atoms


def begin_or_resume(stem: Path, optimizer: str) -> None:
    if stem.with_suffix(".checkpoint").exists():
        resume_relaxation(stem, SlowEMT())
        return
    atoms = alloy()
    atoms.calc = SlowEMT()
    relax(atoms, output=stem, optimizer=optimizer, overwrite=True, **SETTINGS)


def killed_until_done(stem: Path, optimizer: str, rng: np.random.Generator) -> int:
    """Number of kills until an attempt gets through."""
    kills = 0
    while True:
        child = os.fork()
        if child == 0:
            try:
                begin_or_resume(stem, optimizer)
                os._exit(0)
            finally:
                os._exit(1)
        time.sleep(0.03 * (1 + kills) * rng.random())
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            if os.WEXITSTATUS(status):
                sys.exit(f"a resumed run failed after {kills} kills")
            return kills
        kills += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    kills, runs, different = 0, 0, 0
    while kills < arguments.kills:
        optimizer = ("bfgs", "lbfgs", "fire")[runs % 3]
        with tempfile.TemporaryDirectory() as folder:
            peace, killed = Path(folder) / "peace", Path(folder) / "killed"
            atoms = alloy()
            atoms.calc = EMT()
            relax(atoms, output=peace, optimizer=optimizer, **SETTINGS)
            kills += killed_until_done(killed, optimizer, rng)
            runs += 1
            different += any(
                peace.with_suffix(ending).read_bytes() != killed.with_suffix(ending).read_bytes()
                for ending in (".log", ".traj")
            )
        print(f"{kills} kills in {runs} runs, {different} of them ended differently", flush=True)
    sys.exit(different > 0)


if __name__ == "__main__":
    main()
