"""Anatase against a solution of NaCl: relax, molecular dynamics for some minutes, profiles.

    python workflows/08_titania_salt_water.py --smoke
    python workflows/08_titania_salt_water.py --structure equil.xyz --model checkpoint.pth \\
        --minutes 10 --threads 2
    python workflows/08_titania_salt_water.py ... --resume       ten more minutes, same run

``--smoke`` runs some steps of the model ``tio2-nacl-aq`` on one of the interfaces of 44 atoms that
it was made for (models/README says how well it knows them). It is the default of ``--model`` as
well, but larger interfaces than its own want a better one: give your own, or the path of the
checkpoint that the authors of LES published with their frame of 8,784 atoms (CC BY-NC 4.0, from its
authors).

The frame may have velocities (momenta): the dynamics then starts at their temperature (606
K in the authors' frame), and forces of the authors' own program: then the table compares them with
those found here. The relaxation is a few steps from the frame; it shows how far the structure is
from a minimum, and the dynamics starts from it only if the frame has no velocities.

Profiles are centered on the solid. The potential acts on physical charges, smeared as the model
smears them: it tells how the potential changes across the interface as the model sees it, and is
no absolute quantity. Time and peak memory are in the summary.
"""

import argparse
import resource
import sys
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from ase import Atoms
from ase.io import read
from ase.io.trajectory import Trajectory
from rich.console import Console

from ase_les import LESCalculator
from ase_les.properties.profiles import profiles
from ase_les.reports import dynamics as report
from ase_les.reports import profiles as profile_report
from ase_les.reports import relaxation as relaxation_report
from ase_les.reports.terminal import results_table
from ase_les.runs.output import write_summary
from ase_les.simulation import DynamicsResult, relax, resume_dynamics, run_dynamics

SHIPPED_MODEL = "tio2-nacl-aq"
# Relaxed part of the way with the engine that labels.
SMOKE_STRUCTURE = Path(__file__).parents[1] / "models" / SHIPPED_MODEL / "start.extxyz"
SMOKE_STEPS = 40
FIRST_STEPS, LONGEST_PIECE = 10, 200
ROOM_TEMPERATURE_K = 300.0
TIMESTEP_FS = 0.5


def dynamics_for(
    atoms: Atoms, calculator: LESCalculator, temperature_K: float, stem: Path, arguments
) -> DynamicsResult:
    """MD in pieces, each as long as the time left allows; every piece ends in a checkpoint."""
    began, done_before = perf_counter(), 0
    if arguments.resume:
        run = resume_dynamics(stem, calculator)
        done_before = run.steps
    else:
        atoms = atoms.copy()
        atoms.calc = calculator
        run = run_dynamics(
            atoms,
            ensemble="nvt-bussi",
            temperature_K=temperature_K,
            beyond_limits=True,
            timestep_fs=TIMESTEP_FS,
            steps=FIRST_STEPS,
            seed=1,
            trajectory_stride=10,
            checkpoint_stride=50,
            output=stem,
            overwrite=arguments.overwrite,
        )
    console = Console(stderr=True)
    while run.stopped is None:
        spent, done = perf_counter() - began, run.steps - done_before
        left = 60 * arguments.minutes - spent
        piece = FIRST_STEPS if done == 0 else 10 * int(left * done / spent // 10)
        piece = min(piece, LONGEST_PIECE, arguments.steps - done)
        if left <= 0 or piece < 10:
            break
        console.print(
            f"{run.steps} steps, {run.temperature_K.mean:.0f} K, {left / 60:.1f} minutes left",
            highlight=False,
        )
        run = resume_dynamics(stem, calculator, steps=run.steps + piece)
    report.write(run)
    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=SHIPPED_MODEL, help="published checkpoint or model file")
    parser.add_argument("--structure", type=Path)
    parser.add_argument("--smoke", action="store_true", help="small, with what is shipped")
    parser.add_argument("--minutes", type=float, default=10.0, help="of dynamics")
    parser.add_argument("--temperature", type=float, help="in K; that of the frame, or 300")
    parser.add_argument("--steps", type=int, default=10**9, help="at most, whatever the time")
    parser.add_argument("--relax-steps", type=int, default=5)
    parser.add_argument("--center", default="Ti", help="elements of the solid")
    parser.add_argument("--output", type=Path, default=Path("titania_salt_water"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--resume", action="store_true", help="continue the dynamics")
    parser.add_argument("--overwrite", action="store_true")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.structure = SMOKE_STRUCTURE
        arguments.steps = min(arguments.steps, SMOKE_STEPS)
    elif arguments.structure is None:
        parser.error("--structure is needed, or --smoke")
    torch.set_num_threads(arguments.threads)
    arguments.output.mkdir(parents=True, exist_ok=True)

    began = perf_counter()
    calculator = LESCalculator(arguments.model)
    atoms = read(arguments.structure, 0)
    reference = atoms.calc.results.get("forces") if atoms.calc is not None else None
    atoms.calc = calculator
    forces = atoms.get_forces(apply_constraint=False)
    prepared = perf_counter() - began
    began = perf_counter()
    moved = atoms.copy()
    moved.positions += 1e-4
    calculator.get_property("forces", moved)
    call = perf_counter() - began
    rows = {
        "atoms": len(atoms),
        "model, structure and first force call / s": prepared,
        "force call / s": call,
    }
    if reference is not None:
        error = forces - reference
        rows["forces against those in the file, RMSE / (meV/Å)"] = float(
            1000 * np.sqrt(np.mean(error**2))
        )
        rows["root mean square of the forces / (meV/Å)"] = float(
            1000 * np.sqrt(np.mean(reference**2))
        )

    start = atoms
    if not arguments.resume:
        relaxed = relax(
            atoms,
            optimizer="fire",
            fmax=0.01,
            steps=arguments.relax_steps,
            beyond_limits=True,
            output=arguments.output / "relaxed",
            overwrite=arguments.overwrite,
        )
        relaxation_report.write(relaxed)
        rows["energy gained by relaxing / (meV/atom)"] = (
            -1000 * relaxed.energy_change_eV / len(atoms)
        )
        rows[f"time of {relaxed.steps} relaxation steps / s"] = relaxed.wall_time_s
        if not np.any(atoms.get_momenta()):
            start = relaxed.atoms
    temperature = arguments.temperature
    if temperature is None:
        has_velocities = np.any(start.get_momenta())
        temperature = float(start.get_temperature()) if has_velocities else ROOM_TEMPERATURE_K
    stem = arguments.output / "dynamics"
    run = dynamics_for(start, calculator, temperature, stem, arguments)
    found = profiles(
        Trajectory(run.files.trajectory),
        bin_A=0.2,
        smearing_A=calculator.model.config.long_range.electrostatics.smearing,
        center_on=arguments.center,
        output=arguments.output / "profile",
        overwrite=arguments.overwrite or arguments.resume,
    )
    profile_report.write(found, arguments.output / "profile")
    potential = found.curves["potential_V"]
    rows |= {
        "steps of dynamics": run.steps,
        "time simulated / ps": run.time_ps,
        "temperature / K": run.temperature_K,
        "time of the dynamics / min": run.wall_time_s / 60,
        "speed / (steps/s)": run.steps_per_second,
        "latent potential, lowest / V": float(potential.min()),
        "latent potential, highest / V": float(potential.max()),
        "sum of charges / e": found.net_charge_e,
        "frames in the profiles": found.n_configurations,
        "peak memory of the process / GB": _peak_memory_GB(),
    }
    title = f"{atoms.get_chemical_formula()}, {arguments.threads} threads"
    Console(stderr=True).print(results_table(title, rows))
    if arguments.smoke:
        print(
            "smoke mode: 20 fs of an interface of 44 atoms; its profiles mean nothing yet. "
            "Give --structure, and --minutes."
        )
    write_summary(
        arguments.output / "study-summary.yml",
        {
            "model": arguments.model,
            "model_hash": calculator.model_hash,
            "threads": arguments.threads,
            "smoke": arguments.smoke,
            "stopped": run.stopped,
            "results": rows,
        },
    )


def _peak_memory_GB() -> float:
    # Linux counts in kB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


if __name__ == "__main__":
    main()
