"""Platinum | potassium fluoride solution | platinum at potentials.

    python workflows/17_electrodes_at_a_potential.py                       0.1 ps at 0, 1 and 2 V
    python workflows/17_electrodes_at_a_potential.py --picoseconds 2000 --skip 200     full study
    python workflows/17_electrodes_at_a_potential.py --quick               ten steps at 0 and 2 V

Two electrodes of four layers of Pt(111) with 228 water molecules and three pairs of K and F between
them (978 atoms, ``pt_kf_film.extxyz``: positions of the first frame of the film distributed with
ec-MLP, LGPL-3), vacuum outside. The platinum is fixed. Its electrons are held at a difference of
potential between the electrodes; the charge of each follows the solution at every step. The study
shows

- charge of the left electrode, and the differential capacitance from its fluctuations, beside the
  part of it that electrons have at fixed positions (an empty capacitor), and the difference of
  charges between potentials;
- profiles across the film at each potential: number densities, charge and potential.

The solution relaxes in hundreds of picoseconds: ions must diffuse to the electrodes. Runs of the
default length show the response of electrons and of the fastest motions only; their errors, from
block averages, do not know of slower ones. ``independent samples`` says how far a run is from
convergence. The model has seen such films and its Pt(111) faces under the solution, but no charged
electrodes and no vacuum: see its card.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.constraints import FixAtoms
from ase.io import read

from ase_les import LESCalculator
from ase_les.properties.electrodes import MICROFARAD_PER_CM2, capacitance, select_electrodes
from ase_les.properties.profiles import profiles
from ase_les.properties.recorded_run import read_frames
from ase_les.reports import dynamics as report
from ase_les.reports import electrodes as electrodes_report
from ase_les.reports.figures import Panel, save_figure
from ase_les.reports.terminal import TerminalProgress, columns_table, console
from ase_les.runs.output import write_summary
from ase_les.simulation import run_dynamics

MODEL = "pt-kf-aq"
FILM = Path(__file__).with_name("pt_kf_film.extxyz")
LAYERS = 4


def capacitor() -> Atoms:
    """Return the film with fixed electrodes and vacuum outside."""
    atoms = read(FILM)
    atoms.pbc = (True, True, False)
    atoms.set_constraint(FixAtoms(mask=atoms.symbols == "Pt"))
    return atoms


def settled(
    atoms: Atoms, potential_V: float, stem: Path, arguments: argparse.Namespace
) -> dict[str, object]:
    """Run at one potential and return the averages."""
    atoms.calc.electrodes = select_electrodes(
        atoms, f"Pt & bottom:{LAYERS}", f"Pt & top:{LAYERS}", potential_V=potential_V
    )
    result = run_dynamics(
        atoms,
        ensemble="nvt-bussi",
        temperature_K=arguments.temperature,
        timestep_fs=arguments.timestep,
        steps=arguments.steps,
        seed=arguments.seed,
        observe={"electrodes": arguments.every},
        trajectory_stride=arguments.every,
        output=stem,
        overwrite=arguments.overwrite,
        beyond_limits=True,
        progress=TerminalProgress(),
    )
    report.write(result)
    frames, _ = read_frames(stem, arguments.skip)
    across = profiles(frames, smearing_A=1.0, bin_A=0.25)
    return {
        "capacitance": capacitance(stem, skip_ps=arguments.skip),
        "profiles": across,
        "atoms": result.atoms,
    }


def at_potentials(arguments: argparse.Namespace) -> dict[float, dict]:
    """Return averages at each potential, in turn: a run starts where the one before it ended."""
    calculator = LESCalculator(arguments.model)
    start = last = capacitor()
    found: dict[float, dict] = {}
    for potential in arguments.potentials:
        atoms = last.copy()
        atoms.set_constraint(start.constraints)
        atoms.calc = calculator
        stem = arguments.output / f"at-{potential:g}V"
        found[potential] = settled(atoms, potential, stem, arguments)
        last = found[potential]["atoms"]
    return found


def show(found: dict[float, dict]) -> None:
    rows = []
    for potential, each in found.items():
        result = each["capacitance"]
        rows.append(
            (
                f"{potential:g}",
                str(result.charge_e),
                str(result.per_area(result.capacitance_e_per_V)),
                str(result.per_area(result.response_e_per_V)),
                f"{result.independent_samples:.1f}",
            )
        )
    heads = ("V", "charge / e", "C / (µF/cm²)", "of the electrons", "independent samples")
    console().print(columns_table("Left electrode", heads, rows))


def draw(found: dict[float, dict], path: Path) -> None:
    """Draw density, charge and potential across the film at each potential."""
    across = {f"{potential:g} V": each["profiles"] for potential, each in found.items()}
    first = next(iter(across.values()))
    names = {
        "number_O_per_A3": "O / Å⁻³",
        "number_K_per_A3": "K / Å⁻³",
        "number_F_per_A3": "F / Å⁻³",
        "charge_e_per_A3": "charge / (e/Å³)",
        "potential_V": "potential / V",
    }
    panels = [
        Panel(label, {key: each.curves[name] for key, each in across.items()})
        for name, label in names.items()
    ]
    save_figure(path, first.position_A, "along the normal / Å", panels)


def integral_capacitance(found: dict[float, dict]) -> dict[str, dict[str, float]]:
    """Return differences of mean charge over those of potential, in µF/cm² with errors."""
    potentials, results = list(found), [each["capacitance"] for each in found.values()]
    capacities = {}
    for low, high in zip(range(len(found)), range(1, len(found)), strict=False):
        factor = MICROFARAD_PER_CM2 / results[low].area_A2 / (potentials[high] - potentials[low])
        ends = results[low].charge_e, results[high].charge_e
        capacities[f"{potentials[low]:g} to {potentials[high]:g} V"] = {
            "mean": factor * (ends[1].mean - ends[0].mean),
            "standard_error": factor * float(np.hypot(*(end.standard_error for end in ends))),
        }
    return capacities


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--potentials", type=float, nargs="+", default=[0.0, 1.0, 2.0], help="V")
    parser.add_argument("--picoseconds", type=float, default=0.1, help="at each potential")
    parser.add_argument("--skip", type=float, default=0.0, help="ps to exclude")
    parser.add_argument("--temperature", type=float, default=330.0, help="K")
    parser.add_argument("--timestep", type=float, default=0.5, help="fs")
    parser.add_argument("--every", type=int, default=10, help="steps between samples")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="ten steps at 0 and 2 V")
    parser.add_argument("--output", type=Path, default=Path("electrodes"))
    parser.add_argument("--overwrite", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.steps = round(1000 * arguments.picoseconds / arguments.timestep)
    if arguments.quick:
        arguments.potentials, arguments.steps, arguments.every = [0.0, 2.0], 10, 2
    arguments.output.mkdir(parents=True, exist_ok=True)
    found = at_potentials(arguments)
    show(found)
    draw(found, arguments.output / "profiles.png")
    last = found[arguments.potentials[-1]]["capacitance"]
    electrodes_report.show(last, f"{arguments.potentials[-1]:g} V")
    write_summary(
        arguments.output / "electrodes-summary.yml",
        {
            "model": arguments.model,
            "temperature_K": arguments.temperature,
            "picoseconds": 1e-3 * arguments.steps * arguments.timestep,
            "potentials": {f"{v:g} V": each["capacitance"].summary() for v, each in found.items()},
            "difference_of_charges_over_potential_uF_per_cm2": integral_capacitance(found),
        },
    )


if __name__ == "__main__":
    main()
