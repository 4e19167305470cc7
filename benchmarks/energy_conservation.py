"""Does the energy stay? NVE of 64 water molecules at 0.5 fs in both precisions of the network.

    python benchmarks/energy_conservation.py [--model water-rpbe-d3] [--picoseconds 2]

The box is first brought to temperature (Bussi thermostat), then runs freely. The drift is the slope
of the total energy by least squares.
"""

import argparse
import tempfile
from pathlib import Path

import torch
from ase.io import read

from ase_les import LESCalculator
from ase_les.simulation import run_dynamics

STRUCTURE = Path(__file__).parents[1] / "workflows" / "water64.extxyz"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="water-rpbe-d3")
    parser.add_argument("--picoseconds", type=float, default=2.0)
    parser.add_argument("--equilibration-steps", type=int, default=400)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    settings = {"temperature_K": 300.0, "timestep_fs": 0.5, "seed": 1}
    for dtype in ("float32", "float64"):
        with tempfile.TemporaryDirectory() as folder:
            atoms = read(STRUCTURE)
            atoms.calc = LESCalculator(arguments.model, dtype=dtype)
            warm = run_dynamics(
                atoms,
                ensemble="nvt-bussi",
                steps=arguments.equilibration_steps,
                output=Path(folder) / "warm",
                **settings,
            )
            start = warm.atoms.copy()
            start.calc = atoms.calc
            run = run_dynamics(
                start,
                ensemble="nve",
                steps=round(2000 * arguments.picoseconds),
                output=Path(folder) / "nve",
                **settings,
            )
            energies = run.series.conserved_eV_per_atom
            print(
                f"{dtype}: drift {run.drift_meV_per_atom_per_ps:+.4f} meV/atom/ps over "
                f"{run.time_ps:g} ps, spread {1000 * energies.std():.4f} meV/atom, "
                f"T {run.temperature_K} K, {run.steps_per_second:.1f} steps/s",
                flush=True,
            )


if __name__ == "__main__":
    main()
