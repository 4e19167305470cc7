"""A film of water in vacuum: density, orientation, charge, field and potential across it.

    python workflows/07_water_film.py                      400 steps of 0.5 fs
    python workflows/07_water_film.py --steps 200000       100 ps

A periodic box of liquid is opened: its third direction is made longer and no longer periodic
(pbc T, T, F). Electrostatics then is that of one slab between two half spaces of vacuum, whatever
the length of the cell; the table says by how much the energy changes when the vacuum is doubled.

The shipped model has seen bulk water of one density only. It keeps a film together, but nobody has
checked its surface: take the structure of the interface as an illustration until the model is
trained on films. Latent charges are screened and give changes of the potential, no absolute value
to compare with a work function or a surface potential of water.

Writes ``<output>/film.traj`` and what belongs to the run, ``profile-profiles.npz``, a figure of the
profiles, and ``study-summary.yml``. Start again with another ``--output``, or add ``--overwrite``.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import read
from ase.io.trajectory import Trajectory
from rich.console import Console

from ase_les import LESCalculator
from ase_les.properties.molecules import whole_molecules
from ase_les.properties.profiles import profiles
from ase_les.reports import dynamics as report
from ase_les.reports import profiles as profile_report
from ase_les.reports.terminal import TerminalProgress, results_table
from ase_les.runs.output import write_summary
from ase_les.simulation import run_dynamics

MODEL = "water-rpbe-d3"


def film_of(liquid: Atoms, repeats: int, vacuum_A: float) -> Atoms:
    """The liquid, `repeats` cells thick, between vacuum."""
    # Thermal O–H bonds reach 1.2 Å; no hydrogen bond is as short as 1.26 Å.
    film = whole_molecules(liquid, tolerance=1.3) * (1, 1, repeats)
    film.pbc = (True, True, False)
    film.center(vacuum=vacuum_A, axis=2)
    return film


def with_room(trajectory: Path, vacuum_A: float) -> list[Atoms]:
    """All frames in a cell long enough for molecules that have evaporated on the way.

    The length of the open direction means nothing to a slab; profiles need all charges within it.
    """
    frames = list(Trajectory(trajectory))
    heights = np.concatenate([frame.positions[:, 2] for frame in frames])
    low, high = heights.min() - vacuum_A, heights.max() + vacuum_A
    roomy = []
    for frame in frames:
        moved = frame.copy()
        moved.positions[:, 2] -= low
        moved.cell[2] = (0.0, 0.0, high - low)
        # Beside charges their dielectric tensor, which tells how they are scaled.
        kept = {name: frame.calc.results[name] for name in ("charges", "dielectric_tensor")}
        moved.calc = SinglePointCalculator(moved, **kept)
        roomy.append(moved)
    return roomy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--temperature", type=float, default=300.0, help="in K")
    parser.add_argument("--repeats", type=int, default=2, help="thickness in boxes of 12.4 Å")
    parser.add_argument("--vacuum", type=float, default=10.0, help="in Å, on each side")
    parser.add_argument("--output", type=Path, default=Path("water_film"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--overwrite", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.output.mkdir(parents=True, exist_ok=True)

    liquid = read(Path(__file__).with_name("water64.extxyz"))
    calculator = LESCalculator(MODEL)
    film = film_of(liquid, arguments.repeats, arguments.vacuum)
    film.calc = calculator
    energy = film.get_potential_energy()
    wider = film.copy()
    wider.center(vacuum=2 * arguments.vacuum, axis=2)
    vacuum_effect = calculator.get_potential_energy(wider) - energy

    run = run_dynamics(
        film,
        ensemble="nvt-bussi",
        temperature_K=arguments.temperature,
        timestep_fs=0.5,
        steps=arguments.steps,
        seed=1,
        # The model knows water in boxes: a film is what is tried out here.
        beyond_limits=True,
        trajectory_stride=10,
        output=arguments.output / "film",
        overwrite=arguments.overwrite,
        progress=TerminalProgress(),
    )
    report.write(run)
    report.show(run)
    smearing = calculator.model.config.long_range.electrostatics.smearing
    found = profiles(
        with_room(run.files.trajectory, arguments.vacuum),
        bin_A=0.2,
        smearing_A=smearing,
        center_on="film",
        output=arguments.output / "profile",
        overwrite=arguments.overwrite,
    )
    profile_report.write(found, arguments.output / "profile")
    profile_report.show(found)
    potential = found.curves["potential_V"]
    inside = np.abs(found.position_A) < 3
    rows = {
        "temperature / K": run.temperature_K,
        "energy change when the vacuum is doubled / eV": float(vacuum_effect),
        "latent potential inside − outside / V": float(potential[inside].mean() - potential[0]),
        "potential step across the film / V": found.step_V,
        "speed / (steps/s)": run.steps_per_second,
    }
    if found.faces is not None:
        rows["density in the middle / (g/cm³)"] = found.faces.density_g_per_cm3
        rows["thickness / Å"] = found.faces.thickness_A
    title = f"film of {len(film) // 3} water molecules, {run.time_ps:.2f} ps"
    Console(stderr=True).print(results_table(title, rows))
    write_summary(
        arguments.output / "study-summary.yml",
        {"model": MODEL, "model_hash": calculator.model_hash, "title": title, "results": rows},
    )


if __name__ == "__main__":
    main()
