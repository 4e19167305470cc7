"""Phonons of an ionic crystal: longitudinal optical modes are split off by their own field.

    python workflows/04_ionic_crystal_lo_to.py --model nacl --formula NaCl --lattice 5.64

Relaxes the crystal, then finds bands, density of states and thermal properties from supercell
forces, with the field of longitudinal modes from the model's own Born charges, in one call. No
supercell contains that field; with it, bands hardly depend on the size of the supercell, which a
smaller one confirms. phonopy loads ``<output>/crystal-phonopy.yaml`` for everything else.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
from ase.build import bulk
from rich.console import Console
from rich.table import Table

from ase_les import LESCalculator
from ase_les.properties.phonon_results import PER_CM_PER_THZ, Phonons
from ase_les.properties.phonons import phonons
from ase_les.reports import phonons as report
from ase_les.reports import relaxation
from ase_les.reports.terminal import TerminalProgress
from ase_les.runs.processes import Jobs
from ase_les.simulation import relax

# Transverse and longitudinal optical frequencies in 10¹³ rad/s at room temperature:
# C. Kittel, Introduction to Solid State Physics, 8th edition, chapter 14, table 3.
MEASURED = {"NaCl": (3.1, 5.0), "MgO": (7.5, 14.0)}
PER_CM_PER_RAD = 1 / (2 * 3.14159265 * 2.99792458e10)


def largest_change(found: Phonons, smaller: Phonons) -> float:
    """Of any band anywhere on the path, between the two supercells, in 1/cm."""
    pairs = zip(found.segments, smaller.segments, strict=True)
    return PER_CM_PER_THZ * max(
        float(np.abs(one.frequencies_THz - other.frequencies_THz).max()) for one, other in pairs
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="nacl", help="model name, file or checkpoint")
    parser.add_argument("--formula", default="NaCl", help="of the rock-salt crystal")
    parser.add_argument("--lattice", type=float, default=5.64, help="first guess in Å")
    parser.add_argument("--min-length", type=float, default=12.0, help="of the supercell in Å")
    parser.add_argument("--steps", type=int, default=300, help="most steps of relaxation")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("ionic_crystal"))
    parser.add_argument("--overwrite", action="store_true")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)

    atoms = bulk(arguments.formula, "rocksalt", a=arguments.lattice)
    # Forces are going to be differentiated: no rounding, no mesh.
    settings = {"dtype": "float64", "accuracy": None}
    atoms.calc = LESCalculator(arguments.model, **settings)
    result = relax(
        atoms,
        fmax=0.001,
        cell="full",
        steps=arguments.steps,
        output=arguments.output / "relaxed",
        overwrite=arguments.overwrite,
        progress=TerminalProgress(),
    )
    relaxation.write(result)
    relaxation.show(result)
    relaxed = result.atoms
    relaxed.calc = atoms.calc
    jobs = Jobs(arguments.jobs, partial(LESCalculator, arguments.model, **settings))
    # What relaxed without symmetry has it within a hundredth of an Ångström.
    common = {"symmetry_tolerance_A": 0.01, "points_per_segment": 31, "jobs": jobs}
    smaller = phonons(
        relaxed,
        min_length_A=2 / 3 * arguments.min_length,
        mesh_length_A=10.0,
        **common,
    )
    found = phonons(
        relaxed,
        min_length_A=arguments.min_length,
        output=arguments.output / "crystal",
        overwrite=arguments.overwrite,
        **common,
    )
    report.write(found, arguments.output / "crystal")
    report.show(found)

    console = Console()
    console.print(
        f"largest difference to the bands of {smaller.supercell_atoms} atoms: "
        f"{largest_change(found, smaller):.2f} cm⁻¹"
    )
    if arguments.formula in MEASURED:
        gamma = found.splitting[0]
        table = Table(title=f"{arguments.formula} at Γ in cm⁻¹", title_justify="left")
        for column in ("mode", "model", "measured"):
            table.add_column(column)
        modes = {"TO": gamma.without_field_THz[-1], "LO": gamma.with_field_THz[-1]}
        for (name, ours), measured in zip(modes.items(), MEASURED[arguments.formula], strict=True):
            table.add_row(
                name,
                f"{PER_CM_PER_THZ * ours:.0f}",
                f"{PER_CM_PER_RAD * 1e13 * measured:.0f}",
            )
        console.print(table)
    console.print(f"figures and files: {arguments.output / 'crystal'}-*", markup=False)


if __name__ == "__main__":
    main()
