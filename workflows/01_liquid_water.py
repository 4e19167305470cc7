"""Liquid water with the shipped model: run, look at temperature, drift, charges and dipoles.

    python workflows/01_liquid_water.py                     400 steps of 0.5 fs
    python workflows/01_liquid_water.py --steps 40000       20 ps

Writes ``<output>/water.traj``, ``.log``, ``-summary.yml``, ``.png`` and a figure of the molecular
dipoles: those that turn with a molecule, by Born charges, which include the charge that neighbors
gain and lose as it turns. Charges are physical, √ε∞ times the latent ones. Start again with another
``--output``, or add ``--overwrite``.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from ase.io import read
from rich.console import Console

from ase_les import LESCalculator
from ase_les.properties.molecules import turning_dipoles
from ase_les.reports import dynamics as report
from ase_les.reports.figures import save_histogram
from ase_les.reports.terminal import TerminalProgress, results_table
from ase_les.simulation import run_dynamics

# Electronic dielectric constant of water.
DIELECTRIC = 1.78
DEBYE_PER_E_ANGSTROM = 4.80320


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--temperature", type=float, default=300.0, help="in K")
    parser.add_argument("--output", type=Path, default=Path("liquid_water"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--overwrite", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.output.mkdir(parents=True, exist_ok=True)

    atoms = read(Path(__file__).with_name("water64.extxyz"))
    atoms.calc = LESCalculator("water-rpbe-d3", dielectric=DIELECTRIC)
    run = run_dynamics(
        atoms,
        ensemble="nvt-bussi",
        temperature_K=arguments.temperature,
        timestep_fs=0.5,
        steps=arguments.steps,
        seed=1,
        trajectory_stride=10,
        output=arguments.output / "water",
        overwrite=arguments.overwrite,
        progress=TerminalProgress(),
    )
    report.write(run)
    report.show(run)

    frames = read(run.files.trajectory, index=":")
    charges = np.array([frame.get_charges() for frame in frames])
    oxygen = frames[0].numbers == 8
    # Born charges cost more than the forces did: some hundred frames tell as much as all.
    moments = np.concatenate(
        [
            turning_dipoles(frame, atoms.calc.get_property("born_effective_charges", frame))
            for frame in frames[:: 1 + len(frames) // 100]
        ]
    )
    dipole = DEBYE_PER_E_ANGSTROM * np.linalg.norm(moments, axis=1)
    Console(stderr=True).print(
        results_table(
            f"{len(frames[0]) // 3} water molecules, {run.time_ps:.2f} ps",
            {
                "temperature / K": run.temperature_K,
                "energy drift / (meV/atom/ps)": run.drift_meV_per_atom_per_ps,
                "mean charge of O / e": charges[:, oxygen].mean(),
                "mean charge of H / e": charges[:, ~oxygen].mean(),
                "mean molecular dipole / D": dipole.mean(),
                "speed / (steps/s)": run.steps_per_second,
            },
        )
    )
    save_histogram(
        arguments.output / "water-dipoles.png", dipole, "molecular dipole / D", "molecules"
    )


if __name__ == "__main__":
    main()
