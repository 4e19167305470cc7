r"""A molecule in a uniform electric field: its dipole, and how far the field bends its bonds.

    python workflows/09_molecule_in_a_field.py
    python workflows/09_molecule_in_a_field.py --model M --molecule NH3

The molecule is relaxed without a field, then in fields along its dipole. Three answers must agree:
the dipole of the relaxed molecule against the field, the change of the energy (to first order
:math:`-\boldsymbol{\mu} \cdot \boldsymbol{\mathcal{E}}`), and the vibrational polarizability from
Born charges and normal modes,

.. math::
    \alpha_{\alpha\beta} = \sum_\nu \frac{1}{\omega_\nu^2}
    \frac{\partial \mu_\alpha}{\partial Q_\nu} \frac{\partial \mu_\beta}{\partial Q_\nu}

The charges of the model follow from where the nuclei are and not from the field: with the nuclei
held the dipole does not answer at all. The electronic polarizability, by far the larger part (1.47
Å³ for water by experiment), is not in it.

The shipped model was trained on liquid water. A molecule alone lies outside of that: numbers show
that the three ways agree, not what a water molecule does.
"""

import argparse
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.build import molecule
from rich.console import Console

from ase_les import LESCalculator
from ase_les.properties.infrared_harmonic import HarmonicInfrared, harmonic_infrared
from ase_les.reports import infrared
from ase_les.reports import relaxation as report
from ase_les.reports.figures import Panel, save_figure
from ase_les.reports.terminal import results_table
from ase_les.runs.output import write_summary
from ase_les.simulation import relax
from ase_les.units import COULOMB_CONSTANT

HBAR = units._hbar * units.J * units.second


def vibrational_polarizability(modes: HarmonicInfrared) -> np.ndarray:
    """(3, 3) in Å³."""
    omega = modes.wavenumbers_per_cm * units.invcm / HBAR
    per_mode = modes.dipole_derivatives / omega[:, None]
    return COULOMB_CONSTANT * per_mode.T @ per_mode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="water-rpbe-d3")
    parser.add_argument("--molecule", default="H2O", help="a name of ase.build.molecule")
    parser.add_argument("--largest-field", type=float, default=0.1, help="in V/Å")
    parser.add_argument("--fields", type=int, default=5, help="odd number, zero among them")
    parser.add_argument("--output", type=Path, default=Path("molecule_in_a_field"))
    parser.add_argument("--overwrite", action="store_true")
    arguments = parser.parse_args()
    if arguments.fields < 3 or arguments.fields % 2 == 0:
        parser.error("--fields must be odd and at least 3")
    arguments.output.mkdir(parents=True, exist_ok=True)

    calculator = LESCalculator(arguments.model, dtype="float64")

    def relaxed(start: Atoms, name: str) -> Atoms:
        start = start.copy()
        start.calc = calculator
        result = relax(
            start,
            fmax=1e-5,
            output=arguments.output / name,
            overwrite=arguments.overwrite,
            # The model knows bulk water only; see the docstring.
            beyond_limits=True,
        )
        report.write(result)
        if not result.converged:
            raise SystemExit(f"{name}: not converged, see {result.files.log}")
        result.atoms.calc = calculator
        return result.atoms

    free = relaxed(molecule(arguments.molecule), "no-field")
    dipole, energy = free.get_dipole_moment(), free.get_potential_energy()
    if np.linalg.norm(dipole) < 1e-3:
        parser.error(f"{arguments.molecule} has no dipole in this model to put the field along")
    direction = dipole / np.linalg.norm(dipole)
    modes = harmonic_infrared(
        free,
        output=arguments.output / "modes",
        overwrite=arguments.overwrite,
        beyond_limits=True,
    )
    infrared.write(modes, arguments.output / "modes")
    if modes.imaginary.any():
        raise SystemExit("the relaxed molecule has an imaginary mode: it is no minimum")
    tensor = vibrational_polarizability(modes)

    strengths = np.linspace(-1, 1, arguments.fields) * arguments.largest_field
    held, moved, enthalpy = [], [], []
    for number, strength in enumerate(strengths):
        calculator.field_V_per_A = strength * direction
        held.append(direction @ calculator.get_property("dipole", free))
        atoms = relaxed(free, f"field-{number}")
        moved.append(direction @ atoms.get_dipole_moment())
        enthalpy.append(atoms.get_potential_energy() - energy)
    calculator.field_V_per_A = (0, 0, 0)
    held, moved, enthalpy = map(np.array, (held, moved, enthalpy))

    # Odd part only: the even part, hyperpolarizability, does not touch the slope at zero.
    slope = np.polyfit(strengths, moved, 3)[-2] * COULOMB_CONSTANT
    curvature = -2 * np.polyfit(strengths, enthalpy, 4)[-3] * COULOMB_CONSTANT
    along = float(direction @ tensor @ direction)
    first_order = -np.polyfit(strengths, enthalpy, 4)[-2]
    rows = {
        "dipole without field / (e Å)": float(np.linalg.norm(dipole)),
        "dipole from the energy, −dF/d𝓔 / (e Å)": float(first_order),
        "α along the dipole, nuclei held / Å³": float(
            np.polyfit(strengths, held, 1)[0] * COULOMB_CONSTANT
        ),
        "α along the dipole, from the relaxed dipole / Å³": float(slope),
        "α along the dipole, from the energy / Å³": float(curvature),
        "α along the dipole, Born charges and modes / Å³": along,
        "α vibrational, mean of all directions / Å³": float(np.trace(tensor) / 3),
    }
    Console(stderr=True).print(
        results_table(f"{arguments.molecule} in a field, {arguments.model}", rows)
    )
    write_summary(
        arguments.output / "field-summary.yml",
        {
            "model": arguments.model,
            "model_hash": calculator.model_hash,
            "molecule": arguments.molecule,
            "field_V_per_A": strengths,
            "dipole_nuclei_held_eA": held,
            "dipole_relaxed_eA": moved,
            "enthalpy_change_eV": enthalpy,
            "vibrational_polarizability_A3": tensor,
            "results": rows,
        },
    )
    straight = np.linalg.norm(dipole) + along / COULOMB_CONSTANT * strengths
    save_figure(
        arguments.output / "field.png",
        strengths,
        "field along the dipole / (V/Å)",
        [
            Panel(
                "dipole / (e Å)",
                {"relaxed": moved, "nuclei held": held, "Born charges and modes": straight},
            ),
            Panel("energy change / eV", {"relaxed": enthalpy}),
        ],
    )


if __name__ == "__main__":
    main()
