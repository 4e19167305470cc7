"""Equation of state, elastic constants, thermal expansion and barriers with ASE and phonopy.

    python workflows/16_elastic_and_barriers.py        mgo, cubic cell of 8 ions
    python workflows/16_elastic_and_barriers.py crystal.cif --model M

The methods are those of the libraries: `ase.eos`, stresses of strained cells, `phonopy.PhonopyQHA`
and `ase.mep.NEB`. The functions take any ASE calculator and can be copied. The barrier is that of
an ion of the first element that moves into a vacancy beside it (``--barrier``). Results of models
that were not trained on stresses or vacancies are extrapolations: see the card of the model. For
MgO measured values at 300 K stand beside the results (Y. Sumino, O. L. Anderson, I. Suzuki, Phys.
Chem. Miner. 9, 38 (1983)); energies, elastic constants and bulk modulus of the equation of state
are those at 0 K without zero-point motion.

Writes ``<output>.png`` and ``<output>-summary.yml``.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.eos import EquationOfState
from ase.filters import FrechetCellFilter
from ase.io import read
from ase.mep import NEB
from ase.optimize import BFGS, FIRE
from ase.utils.forcecurve import fit_images
from phonopy import PhonopyQHA
from spglib import find_primitive

from ase_les import LESCalculator
from ase_les.properties.phonons import phonons
from ase_les.reports.figures import new_figure
from ase_les.reports.terminal import console, results_table
from ase_les.runs.output import write_summary

TEMPERATURE_STEP_K = 10.0
"""Of thermal properties of `phonons`, from 0 K."""

MEASURED = {
    "measured: bulk modulus at 300 K (GPa)": "162.8",
    "measured: C11, C12, C44 at 300 K (GPa)": "296.6, 95.9, 156.2",
}
"""Of MgO, adiabatic: Y. Sumino, O. L. Anderson, I. Suzuki, Phys. Chem. Minerals 9, 38 (1983)."""


def relaxed(atoms: Atoms, fmax: float = 1e-4) -> Atoms:
    """Atoms and cell at zero pressure; the symmetry of the start is kept by the forces."""
    found = atoms.copy()
    found.calc = atoms.calc
    BFGS(FrechetCellFilter(found), logfile=None).run(fmax=fmax, steps=300)
    return found


def strained(atoms: Atoms, strain: np.ndarray) -> Atoms:
    """Copy whose cell is deformed by a symmetric strain (3, 3), fractional coordinates kept."""
    found = atoms.copy()
    found.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
    found.calc = atoms.calc
    return found


def at_volumes(atoms: Atoms, scales: Sequence[float]) -> list[Atoms]:
    """Copies whose lengths are scaled, with relaxed atoms."""
    found = []
    for scale in scales:
        each = strained(atoms, (scale - 1) * np.eye(3))
        BFGS(each, logfile=None).run(fmax=1e-3, steps=200)
        found.append(each)
    return found


def equation_of_state(
    atoms: Atoms, scales: Sequence[float] = np.linspace(0.985, 1.015, 7)
) -> EquationOfState:
    """Birch–Murnaghan equation of state, fitted; ``v0`` in Å³, ``B`` in eV/Å³."""
    cells = at_volumes(atoms, scales)
    volumes = [each.get_volume() for each in cells]
    energies = [each.get_potential_energy() for each in cells]
    state = EquationOfState(volumes, energies, eos="birchmurnaghan")
    state.fit()
    return state


def bulk_modulus(atoms: Atoms, scales: Sequence[float] = np.linspace(0.985, 1.015, 7)) -> tuple:
    """Equilibrium volume in Å³ and bulk modulus in GPa of the equation of state."""
    state = equation_of_state(atoms, scales)
    return state.v0, state.B / units.GPa


def elastic_constants(atoms: Atoms, strain: float = 0.003) -> np.ndarray:
    r"""Elastic constants (6, 6) in GPa, :math:`C_{ij} = \partial\sigma_i/\partial\varepsilon_j`.

    Central differences of stresses, Voigt order xx yy zz yz xz xy, with relaxed atoms.
    """
    constants = np.empty((6, 6))
    for column, (a, b) in enumerate([(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]):
        stresses = []
        for sign in (1, -1):
            tensor = np.zeros((3, 3))
            # Shear strains of Voigt are twice those of the tensor.
            tensor[a, b] = tensor[b, a] = sign * strain * (1.0 if a == b else 0.5)
            each = strained(atoms, tensor)
            BFGS(each, logfile=None).run(fmax=1e-3, steps=200)
            stresses.append(each.get_stress())
        constants[:, column] = (stresses[0] - stresses[1]) / (2 * strain) / units.GPa
    return 0.5 * (constants + constants.T)


def thermal_expansion(
    atoms: Atoms, supercell: tuple[int, int, int], scales: Sequence[float], **settings
) -> PhonopyQHA:
    """Quasi-harmonic free energies at several volumes, by phonopy; per cell of `atoms`."""
    cells = at_volumes(atoms, scales)
    thermal = [
        phonons(each, supercell=supercell, max_temperature_K=600.0, **settings).thermal
        for each in cells
    ]
    # Ours are per primitive cell, as phonopy's are.
    crystal = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    _, _, numbers = find_primitive(crystal)
    copies = len(atoms) / len(numbers)

    def column(name: str) -> np.ndarray:
        return copies * np.array([getattr(part, name) for part in thermal]).T

    return PhonopyQHA(
        volumes=[each.get_volume() for each in cells],
        electronic_energies=[each.get_potential_energy() for each in cells],
        temperatures=thermal[0].temperature_K,
        free_energy=column("free_energy_kJ_per_mol"),
        cv=column("heat_capacity_J_per_K_mol"),
        entropy=column("entropy_J_per_K_mol"),
        t_max=500.0,
    )


def barrier(start: Atoms, end: Atoms, images: int = 5, fmax: float = 0.03) -> tuple[float, list]:
    """Highest energy of a climbing-image band between two minima, in eV above the first."""
    for each in (start, end):
        BFGS(each, logfile=None).run(fmax=fmax, steps=300)
    path = [start, *(start.copy() for _ in range(images)), end]
    for each in path[1:-1]:
        each.calc = start.calc
    # One calculator for all images: they are calculated one after the other.
    band = NEB(path, climb=True, method="improvedtangent", allow_shared_calculator=True)
    band.interpolate("idpp", mic=True)
    FIRE(band, logfile=None).run(fmax=fmax, steps=300)
    energies = [each.get_potential_energy() for each in path]
    return max(energies) - energies[0], path


def vacancy_hop(atoms: Atoms, repeat: int = 2) -> tuple[Atoms, Atoms]:
    """Structures before and after the nearest like atom goes into the vacancy of atom 0."""
    cell = atoms.repeat(repeat)
    like = np.flatnonzero(cell.numbers == cell.numbers[0])[1:]
    neighbor = int(like[cell.get_distances(0, like, mic=True).argmin()])
    start, end = cell.copy(), cell.copy()
    end.positions[neighbor] += cell.get_distance(neighbor, 0, mic=True, vector=True)
    for each in (start, end):
        del each[0]
        each.calc = atoms.calc
    return start, end


def draw(
    path: Path, state: EquationOfState, expansion: PhonopyQHA, band: Sequence[Atoms] = ()
) -> None:
    """Energy against volume, expansion and bulk modulus against temperature, path of a barrier."""
    with new_figure(path, 7.0, 5.6 if band else 3.0) as figure:
        axes = figure.subplots(2, 2).flatten() if band else figure.subplots(1, 3)
        *_, volumes, energies, calculated, at = state.getplotdata()
        axes[0].plot(volumes, energies - min(at), label="Birch–Murnaghan")
        axes[0].plot(calculated, at - min(at), "o", label="model")
        axes[0].set(xlabel="volume / Å³", ylabel="energy / eV")
        axes[0].legend()
        temperatures = TEMPERATURE_STEP_K * np.arange(len(expansion.thermal_expansion))
        axes[1].plot(temperatures, 1e6 * np.asarray(expansion.thermal_expansion))
        axes[1].set(xlabel="temperature / K", ylabel="volume expansion / (10⁻⁶/K)")
        moduli = np.asarray(expansion.bulk_modulus_temperature)[: len(temperatures)]
        axes[2].plot(temperatures[: len(moduli)], moduli)
        axes[2].set(xlabel="temperature / K", ylabel="bulk modulus / GPa")
        if band:
            fitted = fit_images(band)
            axes[3].plot(fitted.fit_path, fitted.fit_energies)
            axes[3].plot(fitted.path, fitted.energies, "o")
            axes[3].set(xlabel="path of the hop / Å", ylabel="energy / eV")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("structure", nargs="?", type=Path, help="crystal; by default MgO")
    parser.add_argument("--model", default="mgo")
    parser.add_argument("--supercell", type=int, default=2, help="of phonons, along each vector")
    parser.add_argument("--barrier", action="store_true", help="of a vacancy, too")
    parser.add_argument("--output", type=Path, default=Path("elastic"), help="stem or folder")
    arguments = parser.parse_args()
    atoms = (
        bulk("MgO", "rocksalt", a=4.25, cubic=True)
        if arguments.structure is None
        else read(arguments.structure)
    )
    if arguments.output.is_dir():
        arguments.output /= "elastic"
    atoms.calc = LESCalculator(arguments.model, dtype="float64", accuracy=1e-7)
    atoms = relaxed(atoms)
    state = equation_of_state(atoms)
    constants = elastic_constants(atoms)
    scales = np.linspace(0.99, 1.02, 7)
    expansion = thermal_expansion(atoms, (arguments.supercell,) * 3, scales)
    rows: dict[str, object] = {
        "a, b, c (Å)": ", ".join(f"{each:.4f}" for each in atoms.cell.lengths()),
        "volume (Å³)": f"{state.v0:.3f}",
        "bulk modulus, equation of state (GPa)": f"{state.B / units.GPa:.1f}",
        "bulk modulus, elastic constants (GPa)": f"{constants[:3, :3].mean():.1f}",
        "C11, C12, C44 (GPa)": ", ".join(
            f"{constants[place]:.1f}" for place in ((0, 0), (0, 1), (3, 3))
        ),
        "volume expansion at 300 K (1e-6/K)": f"{1e6 * expansion.thermal_expansion[30]:.1f}",
        "bulk modulus at 300 K (GPa)": f"{expansion.bulk_modulus_temperature[30]:.1f}",
    }
    band: list[Atoms] = []
    if arguments.barrier:
        energy, band = barrier(*vacancy_hop(atoms))
        rows["barrier of a vacancy (eV)"] = f"{energy:.3f}"
    if arguments.structure is None:
        rows |= MEASURED
    console().print(results_table(f"{arguments.model}, {atoms.get_chemical_formula()}", rows))
    summary = {**rows, "elastic_constants_GPa": constants}
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    draw(arguments.output.with_suffix(".png"), state, expansion, band)
    write_summary(Path(f"{arguments.output}-summary.yml"), summary)


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message="PhonopyQHA is deprecated")
    main()
