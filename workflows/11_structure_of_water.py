"""Structure, diffusion and dipoles of liquid water from a run, beside RPBE-D3 and experiment.

    python workflows/11_structure_of_water.py --run infrared_of_water/water   a run that is there
    python workflows/11_structure_of_water.py --smoke                         a short one of its own
    … --born-charges water.extxyz   beside dipoles from Born charges of first principles

The run may be that of ``05_infrared_of_water.py``. Diffusion in a small periodic cell is slowed
down by its images; the correction of Yeh and Hummer takes the viscosity of the experiment.
Molecular dipoles are those that turn with a molecule, found from Born charges: the charges of a
liquid do not say which molecule they belong to. The reference for them are labeled structures
(``REF_born_effective_charges``, nine per atom), as the 100 of RPBE-D3 by Zhong, Kim, King, Cheng,
arXiv 2504.05169.
Writes ``<output>/oxygen-oxygen.npz`` and ``.png``, ``displacement.npz`` and ``.png``, and
``structure-summary.yml``.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.io import iread, read
from rich.console import Console
from rich.table import Table

from ase_les import LESCalculator
from ase_les.properties.molecules import turning_dipoles
from ase_les.properties.structure import mean_square_displacement, radial_distribution
from ase_les.reports import averages
from ase_les.runs.output import write_summary
from ase_les.simulation import run_dynamics
from ase_les.simulation.accumulators import finite_size_correction_cm2_per_s
from ase_les.statistics import block_average

EPSILON_INFINITY = 1.78
# At 300 K: L. Korson, W. Drost-Hansen, F. J. Millero, J. Phys. Chem. 73, 34 (1969).
VISCOSITY_MPA_S = 0.85
# g(r): L. B. Skinner et al., J. Chem. Phys. 138, 074506 (2013), 295 K. Diffusion: M. Holz,
# S. R. Heil, A. Sacco, Phys. Chem. Chem. Phys. 2, 4740 (2000), D = 1.635e-4 (T/215.05 K − 1)^2.063.
EXPERIMENT = {"position": "2.80", "height": "2.57", "diffusion": "2.41e-05"}
# K. Forster-Tonigold, A. Groß, J. Chem. Phys. 141, 064501 (2014), as digitized at
# github.com/JelleLagerweij/Quantum_to_Transport: top of a cubic spline, 2.55, through points of
# 2.45 at 2.76 and 2.87 Å. No number was found for diffusion.
RPBE_D3 = {"position": "2.81", "height": "2.5"}


def mean_dipole(atoms: Atoms, born_effective_charges: np.ndarray) -> float:
    """Mean length of the dipoles of molecules, in e Å."""
    dipoles = turning_dipoles(atoms, born_effective_charges)
    return float(np.linalg.norm(dipoles, axis=1).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="water-rpbe-d3")
    parser.add_argument("--run", type=Path, help="stem of a run with a trajectory")
    parser.add_argument("--skip-ps", type=float, default=2.0, help="left out at the beginning")
    parser.add_argument("--frame-interval", type=float, default=5.0, help="fs between its frames")
    parser.add_argument("--max-lag-ps", type=float, default=5.0, help="of displacements")
    parser.add_argument("--born-charges", type=Path, help="structures with those of RPBE-D3")
    parser.add_argument("--output", type=Path, default=Path("structure_of_water"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--smoke", action="store_true", help="0.1 ps, as a demonstration")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.output.mkdir(parents=True, exist_ok=True)
    calculator = LESCalculator(arguments.model, dielectric=EPSILON_INFINITY)
    if arguments.smoke:
        arguments.skip_ps, arguments.max_lag_ps = 0.0, 0.05
        arguments.run = arguments.output / "short"
        atoms = read(Path(__file__).with_name("water64.extxyz"))
        atoms.calc = calculator
        run_dynamics(atoms, temperature_K=300, steps=200, output=arguments.run, overwrite=True)
    if arguments.run is None:
        raise SystemExit("--run names the stem of a run; 05_infrared_of_water.py makes one")

    every, bins = (1, 31) if arguments.smoke else (4, 124)
    trajectory = arguments.run.with_name(arguments.run.name + ".traj")
    skip = round(1000 * arguments.skip_ps / arguments.frame_interval)
    pairs = radial_distribution(
        trajectory, ("O", "O"), r_max_A=6.2, bins=bins, skip=skip, every=every
    )
    moved = mean_square_displacement(
        trajectory,
        frame_interval_fs=arguments.frame_interval,
        max_lag_fs=1000 * arguments.max_lag_ps,
        skip=skip,
        every=every,
    )
    for result, name in ((pairs, "oxygen-oxygen"), (moved, "displacement")):
        averages.write(result, arguments.output / name)
    dipole = block_average(
        np.array(
            [
                mean_dipole(atoms, calculator.get_property("born_effective_charges", atoms))
                for atoms in iread(trajectory, index=slice(skip, None, 40))
            ]
        )
    )
    published = dict(RPBE_D3)
    if arguments.born_charges:
        of_frames = [
            mean_dipole(atoms, atoms.arrays["REF_born_effective_charges"].reshape(-1, 3, 3))
            for atoms in iread(arguments.born_charges, index=":")
        ]
        published["dipole"] = f"{np.mean(of_frames):.3f}"

    peak, cell = pairs.first_peak, read(trajectory, index=0).cell
    slow = moved.diffusion_cm2_per_s("O")
    correction = finite_size_correction_cm2_per_s(
        temperature_K=300, viscosity_mPa_s=VISCOSITY_MPA_S, edge_A=cell.volume ** (1 / 3)
    )
    table = Table(
        "quantity", "model", "RPBE-D3, published", "experiment", title="Liquid water, 300 K"
    )

    def compare(quantity: str, model: str, name: str = "") -> None:
        beside = (each.get(name, "") for each in (published, EXPERIMENT))
        table.add_row(quantity, model, *beside)

    compare("first peak of g_OO / Å", f"{peak.distance_A:.3f}", "position")
    compare("its height", f"{peak.height:.2f}", "height")
    compare("D in this cell / (cm²/s)", f"{slow.mean:.2e} ± {slow.standard_error:.1e}")
    compare("D of a large cell / (cm²/s)", f"{slow.mean + correction:.2e}", "diffusion")
    compare(
        "mean dipole of a molecule / (e Å)",
        f"{dipole.mean:.3f} ± {dipole.standard_error:.3f}",
        "dipole",
    )
    Console().print(table)
    write_summary(
        arguments.output / "structure-summary.yml",
        {
            "model": arguments.model,
            "model_hash": calculator.model_hash,
            "run": str(arguments.run),
            "oxygen_oxygen": pairs.summary(),
            "diffusion_in_this_cell_cm2_per_s": slow,
            "finite_size_correction_cm2_per_s": correction,
            "molecular_dipole_eA": dipole,
            "epsilon_infinity": EPSILON_INFINITY,
            "experiment": EXPERIMENT,
            "published_rpbe_d3": published,
        },
    )


if __name__ == "__main__":
    main()
