"""Electrodes at a potential: known answers, derivatives, conservation and cost, beside the limits.

    python benchmarks/electrodes.py                 about 15 minutes of CPU time
    python benchmarks/electrodes.py --picoseconds 0.1 --image-length 30

- plane capacitor: Gaussian charges on planes, charge, energy and response in closed form;
- image potential: an ion before a plane of metal atoms, against -k/4z; the contribution of its
  periodic copies, a sum over their images, is subtracted;
- published: square lattices of Gaussian charges with ions between them, log "madelung-eta" of the
  ELECTRODE package of LAMMPS (Ahrens-Iwers et al., J. Chem. Phys. 157, 084801 (2022)). Its ions are
  points, ours Gaussians: the change that this makes is computed (tests/electrostatics);
- forces against five-point differences of the energy, Pt | KF(aq) | Pt, at a potential, with a
  charge, and between the two faces of one metal;
- NVE at 1 V: slope of kinetic energy plus grand potential;
- CPU time of a force call with and without the charge equilibration, in turns.
"""

import argparse
import math
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.constraints import FixAtoms
from ase.io import read
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.units import fs

from ase_les import LESCalculator, LESModel, load_model
from ase_les.graph import graph_from_atoms
from ase_les.neighbors import NeighborList
from ase_les.response import Electrodes, FieldEnthalpy, electrode_state
from ase_les.simulation import run_dynamics
from ase_les.testing.rigid_charges import rigid_charge_model
from ase_les.units import COULOMB_CONSTANT

DATA = Path(__file__).parents[1] / "models" / "pt-kf-aq" / "test.extxyz"
LAMMPS_CHARGE_E = 0.279214485
LIMITS = {
    "capacitor, relative error": 1e-4,
    "image potential, % at 3-10 Å": 1.0,
    "LAMMPS, relative difference": 0.01,
    "forces, eV/Å": 1e-6,
    "NVE drift, meV/atom/ps": 0.05,
    "cost of a force call, ratio": 1.5,
}


def show(name: str, value: float, detail: str = "") -> None:
    limit = LIMITS[name]
    mark = "ok" if value <= limit else "ABOVE THE LIMIT"
    print(f"{name:32s} {value:12.3g}   limit {limit:g}   {mark}   {detail}", flush=True)


def state(atoms: Atoms, model: LESModel, cutoff: float, potential: float):
    graph = graph_from_atoms(atoms, NeighborList(cutoff))
    electrodes = Electrodes(torch.tensor([0]), torch.tensor([1]), potential, None)
    enthalpy = FieldEnthalpy(model, torch.zeros(3), electrodes)
    return enthalpy(graph).energy.item(), electrode_state(enthalpy, graph, None)


def sheets(heights, symbols: str) -> Atoms:
    """One atom per Å²: smooth planes to Gaussians of 1 Å."""
    positions = [(0, 0, z) for z in heights]
    return Atoms(symbols, positions, cell=[1, 1, 0], pbc=(True, True, False))


def capacitor() -> float:
    """Largest relative error of charge, energy and response for several plates."""
    errors = []
    for distance, hardness in ((8.0, 1.0), (12.0, 2.0), (40.0, 10.0)):
        model = rigid_charge_model({}, hardness=hardness)
        energy, found = state(sheets((0, distance), "Pt2"), model, 4.0, 1.5)
        wide = distance - math.sqrt(2 / math.pi)
        capacity = 1 / (4 * math.pi * COULOMB_CONSTANT * wide + 2 * hardness)
        errors += [
            abs(found.charge / (1.5 * capacity) - 1),
            abs(energy / (-0.5 * capacity * 1.5**2) - 1),
            abs(found.response / capacity - 1),
        ]
    return max(errors)


def image_errors(length: float, heights) -> np.ndarray:
    """Relative errors of the image potential -k/4z."""
    spacing = 1.5
    n = round(length / spacing)
    length = n * spacing
    plane = [(spacing * x, spacing * y, 0.0) for x in range(n) for y in range(n)]
    hardness = math.sqrt(2 / math.pi) * 2 * math.pi * COULOMB_CONSTANT / spacing**2
    model = rigid_charge_model({"K": 1.0}, hardness=hardness, cutoff=1.6).for_inference()
    long_range = model.latent_electrostatics
    sums, equilibrate = long_range.electrostatics, long_range.equilibration
    index = np.array([(i, j) for i in range(-99, 100) for j in range(-99, 100) if i or j])
    k = np.linalg.norm(2 * math.pi / length * index, axis=1)
    errors = []
    for z in heights:
        atoms = Atoms(["Pt"] * n**2 + ["K"], [*plane, (0.5, 0.5, z)], cell=[length, length, 0])
        atoms.pbc = (True, True, False)
        graph = graph_from_atoms(atoms, NeighborList(1.6))
        ion = torch.zeros(n**2 + 1, 1, dtype=torch.float64)
        ion[-1] = 1.0
        plan = sums.plan(graph)
        plan = plan._replace(metal=equilibrate.warm_start(sums.config))
        moved = equilibrate(graph, ion, sums, plan)
        with torch.no_grad():
            energy = sums(graph, ion + moved.charges, plan) + moved.energies.sum()
            gained = (energy - sums(graph, ion, plan)).item()
        images = -math.pi * COULOMB_CONSTANT / length**2 * (np.exp(-2 * k * z) / k).sum()
        alone = -COULOMB_CONSTANT / (4 * z)
        errors.append((gained + alone - images) / alone - 1)
    return np.array(errors)


def published() -> float:
    """Relative difference of the charge of the capacitor of LAMMPS' example."""
    model = rigid_charge_model({"K": 0.5, "F": -0.5}, hardness=1e-9, smearing=0.5, cutoff=4.0)
    _, found = state(sheets((2, -2, 1, -1), "Pt2FK"), model, 4.0, 1.0)
    return abs(found.charge / LAMMPS_CHARGE_E - 1)


def platinum_film(copies: int = 1) -> tuple[Atoms, Atoms]:
    """A film with two electrodes and vacuum, and the cell with one metal it is made of."""
    cell = read(DATA, index=0)
    cell = Atoms(cell.symbols, cell.positions, cell=cell.cell, pbc=True)
    metal = cell.symbols == "Pt"
    above = cell[metal]
    above.positions += cell.cell.array[2]
    film = cell + above
    film.center(vacuum=8.0, axis=2)
    film.pbc = (True, True, False)
    return film * (copies, copies, 1), cell * (copies, copies, 1)


def electrodes_of(atoms: Atoms, **held: float) -> dict:
    metal = np.flatnonzero(atoms.symbols == "Pt")
    z = atoms.positions[metal, 2]
    low = z < z.mean()
    # Of one metal the upper half is to the left of the solution above it.
    left, right = (low, ~low) if not atoms.pbc[2] else (~low, low)
    return {"left": metal[left], "right": metal[right], **held}


def force_errors(model: LESModel) -> dict[str, float]:
    """Largest differences of forces from five-point differences, on atoms of each kind."""
    film, cell = platinum_film()
    cases = {
        "1 V": (film, {"potential_V": 1.0}),
        "0.3 e": (film, {"charge_e": 0.3}),
        "one metal, 1 V": (cell, {"potential_V": 1.0}),
    }
    errors = {}
    for name, (atoms, held) in cases.items():
        chosen = electrodes_of(atoms, **held)
        atoms.calc = LESCalculator(model, dtype="float64", accuracy=None, electrodes=chosen)
        forces, found = atoms.get_forces(), 0.0
        for symbol in ("Pt", "O", "H", "K", "F"):
            atom = int(np.flatnonzero(atoms.symbols == symbol)[-1])
            for axis in range(3):
                energies = []
                for step in (-2, -1, 1, 2):
                    moved = atoms.copy()
                    moved.positions[atom, axis] += 1e-3 * step
                    energies.append(atoms.calc.get_potential_energy(moved))
                slope = np.dot((1, -8, 8, -1), energies) / 12e-3
                found = max(found, abs(forces[atom, axis] + slope))
        errors[name] = found
    return errors


def drift(picoseconds: float, timestep_fs: float, copies: int = 2) -> tuple[float, str]:
    """Slope of the conserved quantity at 1 V, in meV/atom/ps."""
    atoms, _ = platinum_film(copies)
    metal = np.flatnonzero(atoms.symbols == "Pt")
    atoms.set_constraint(FixAtoms(metal))
    chosen = electrodes_of(atoms, potential_V=1.0)
    atoms.calc = LESCalculator("pt-kf-aq", dtype="float64", electrodes=chosen)
    settings = {
        "temperature_K": 300.0,
        "timestep_fs": timestep_fs,
        "seed": 1,
        "beyond_limits": True,
    }
    with tempfile.TemporaryDirectory() as folder:
        steps = round(200 / timestep_fs)
        warm = run_dynamics(atoms, steps=steps, output=Path(folder) / "warm", **settings)
        start = warm.atoms.copy()
        start.calc = atoms.calc
        steps = round(1000 * picoseconds / timestep_fs)
        run = run_dynamics(
            start, ensemble="nve", steps=steps, output=Path(folder) / "nve", **settings
        )
        found = run.drift_meV_per_atom_per_ps
        spread = 1000 * run.series.conserved_eV_per_atom.std()
    return found, (
        f"{len(atoms)} atoms, {run.time_ps:g} ps at {timestep_fs:g} fs, T {run.temperature_K} K, "
        f"spread {spread:.4f} meV/atom"
    )


def without_equilibration(model: LESModel) -> LESModel:
    long_range = replace(model.config.long_range, equilibration=None)
    copy = LESModel(replace(model.config, long_range=long_range), seed=0).to(model.precision)
    weights = model.state_dict()
    copy.load_state_dict({name: weights[name] for name in copy.state_dict()})
    return copy


def cost(model: LESModel, calls: int, moving: bool) -> tuple[float, str]:
    """CPU time of force calls at 1 V over that without equilibration, along the same motion.

    Dynamics that begins at 300 K, in steps of 0.5 fs; the metal moves or stays where it is.
    """
    atoms, _ = platinum_film(2)
    fixed = atoms.symbols == "Pt"
    chosen = electrodes_of(atoms, potential_V=1.0)
    both = (LESCalculator(model, electrodes=chosen), LESCalculator(without_equilibration(model)))
    MaxwellBoltzmannDistribution(atoms, temperature_K=300, rng=np.random.default_rng(1))
    timestep, velocity = 0.5 * fs, atoms.get_velocities()
    push = timestep / atoms.get_masses()[:, None]
    push[fixed] *= moving
    velocity[fixed] *= moving
    forces = both[0].get_forces(atoms)
    times = np.zeros((calls, 2))
    for call in range(-25, calls):
        velocity += 0.5 * push * forces
        atoms.positions += timestep * velocity
        for which, calculator in enumerate(both):
            start = time.process_time()
            calculator.get_forces(atoms)
            if call >= 0:
                times[call, which] = time.process_time() - start
        forces = both[0].get_forces(atoms)
        velocity += 0.5 * push * forces
    with_metal, without = np.median(times, axis=0)
    metal = len(chosen["left"]) + len(chosen["right"])
    return with_metal / without, (
        f"{metal} of {len(atoms)} atoms are metal, "
        f"{1e3 * with_metal:.0f} and {1e3 * without:.0f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--picoseconds", type=float, default=1.0, help="of NVE")
    parser.add_argument("--timestep", type=float, default=0.5, help="fs")
    parser.add_argument("--image-length", type=float, default=60.0, help="Å, edge of the plane")
    parser.add_argument("--calls", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = load_model("pt-kf-aq")
    show("capacitor, relative error", capacitor())
    heights = (3.0, 4.0, 6.0, 8.0, 10.0)
    errors = image_errors(arguments.image_length, heights)
    each = ", ".join(f"{z:g} Å {100 * e:+.2f}" for z, e in zip(heights, errors, strict=True))
    show("image potential, % at 3-10 Å", 100 * np.abs(errors).max(), each)
    show("LAMMPS, relative difference", published(), "its ions are points")
    forces = force_errors(model)
    show("forces, eV/Å", max(forces.values()), ", ".join(f"{k} {v:.1e}" for k, v in forces.items()))
    for moving in (False, True):
        ratio, detail = cost(model, arguments.calls, moving)
        name = "moving" if moving else "fixed"
        show("cost of a force call, ratio", ratio, f"{name} metal, {detail}")
    slope, detail = drift(arguments.picoseconds, arguments.timestep)
    show("NVE drift, meV/atom/ps", abs(slope), detail)


if __name__ == "__main__":
    main()
