"""Does a breathing cell keep one energy function? Water at constant pressure, conserved quantity.

    python benchmarks/constant_pressure.py

Martyna–Tobias–Klein dynamics (ASE's) of 64 and 512 molecules with the exact sum, and of 512 on a
mesh. The model knows one density only and the box expands: a hard test. Wave vectors that enter and
leave the sum, or a mesh that changes its size, would show as steps and drift of the conserved
quantity.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from ase import units
from ase.io import read
from ase.md.nose_hoover_chain import IsotropicMTKNPT
from ase.md.velocitydistribution import Stationary, thermalize_momenta

from ase_les import LESCalculator

STRUCTURE = Path(__file__).parents[1] / "workflows" / "water64.extxyz"


def run(model: str, repeat: int, steps: int, accuracy: float | None) -> str:
    atoms = read(STRUCTURE) * (repeat, repeat, repeat)
    atoms.calc = LESCalculator(model, accuracy=accuracy)
    thermalize_momenta(atoms, temperature_K=300, rng=np.random.default_rng(1))
    Stationary(atoms)
    dynamics = IsotropicMTKNPT(
        atoms,
        timestep=0.5 * units.fs,
        temperature_K=300,
        pressure_au=0.0,
        tdamp=100 * units.fs,
        pdamp=500 * units.fs,
    )
    conserved, volumes = [], []

    def look() -> None:
        conserved.append(1000 * dynamics.get_conserved_energy() / len(atoms))
        volumes.append(atoms.get_volume())

    dynamics.attach(look, interval=4)
    dynamics.run(steps)
    time_ps = np.arange(len(conserved)) * 0.002
    # The integrator's own oscillation while the cell starts to move is not a drift.
    settled = time_ps >= 0.2 * time_ps[-1]
    drift = np.polyfit(time_ps[settled], np.array(conserved)[settled], 1)[0]
    return (
        f"{len(atoms):5d} atoms, accuracy {accuracy}, {time_ps[-1]:.2f} ps: "
        f"volume {min(volumes):.0f} to {max(volumes):.0f} Å³, "
        f"conserved quantity: drift {drift:+.4f} meV/atom/ps, "
        f"largest change in 2 fs {np.abs(np.diff(conserved)).max():.4f} meV/atom"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="water-rpbe-d3")
    parser.add_argument("--steps", type=int, nargs=2, default=[4000, 600])
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for repeat, steps, accuracy in (
        (1, arguments.steps[0], None),
        (2, arguments.steps[1], None),
        (2, arguments.steps[1], 1e-4),
    ):
        print(run(arguments.model, repeat, steps, accuracy), flush=True)


if __name__ == "__main__":
    main()
