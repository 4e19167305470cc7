"""Energy conservation in a uniform electric field: enthalpy drift with and without the field.

    python benchmarks/field_conservation.py --ps 5
    python benchmarks/field_conservation.py --model M --structure bulk.xyz    split charges needed

NVE of a dipeptide from the same start, one run without a field and one in it. In the field
the conserved quantity is kinetic energy plus enthalpy, E − 𝓔·P with the polarization followed on
one branch; its slope by least squares is printed for both, in meV/atom/ps.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from ase import units
from ase.io import read
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution, Stationary
from ase.md.verlet import VelocityVerlet

from ase_les import LESCalculator
from ase_les.reports.terminal import console, progress_bar

STRUCTURE = Path(__file__).parents[1] / "workflows" / "dipeptides.extxyz"


def conserved(
    model: str, structure: Path, field: list[float], ps: float, timestep_fs: float
) -> np.ndarray:
    """Time in ps and conserved quantity in meV/atom, (n, 2)."""
    atoms = read(structure, index=0)
    atoms.calc = LESCalculator(model, dtype="float64", field_V_per_A=field)
    rng = np.random.default_rng(1)
    MaxwellBoltzmannDistribution(atoms, temperature_K=300, rng=rng)
    Stationary(atoms)
    dynamics = VelocityVerlet(atoms, timestep=timestep_fs * units.fs)
    steps, every, rows = round(1000 * ps / timestep_fs), 20, []
    with progress_bar(console()) as progress:
        bar = progress.add_task(f"field {field}", total=steps, status="")
        for step in range(0, steps + 1, every):
            total = atoms.get_potential_energy() + atoms.get_kinetic_energy()
            rows.append((step * timestep_fs / 1000, 1000 * total / len(atoms)))
            progress.update(bar, completed=step)
            if step < steps:
                dynamics.run(every)
    return np.array(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="dipeptides")
    parser.add_argument("--structure", type=Path, default=STRUCTURE, help="its first frame")
    parser.add_argument("--field", type=float, default=0.05, help="along z, V/Å")
    parser.add_argument("--ps", type=float, default=5.0)
    parser.add_argument("--timestep", type=float, default=0.5, help="fs")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for field in ([0.0, 0.0, 0.0], [0.0, 0.0, arguments.field]):
        time, energy = conserved(
            arguments.model, arguments.structure, field, arguments.ps, arguments.timestep
        ).T
        slope = np.polyfit(time, energy, 1)[0]
        scatter = np.std(energy - np.polyval(np.polyfit(time, energy, 1), time))
        print(
            f"field {field[2]:5.3f} V/Å: drift {slope:+.4f} meV/atom/ps over {time[-1]:g} ps, "
            f"scatter {scatter:.4f} meV/atom",
            flush=True,
        )


if __name__ == "__main__":
    main()
