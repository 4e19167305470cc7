"""Polarizability of held-back structures, and Raman lines of quartz against finite differences.

    python -m benchmarks.polarizability [--data FOLDER]

Held back is every fifth frame of water (crystals: 15 %), see ``models/*/polarizability.yml``. R² is
that of the differences between structures: the mean tensor of the labels is subtracted. The lines
of α-quartz are compared with modes of phonopy and differences of the polarizability along them.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.optimize import BFGS
from ase.spacegroup import crystal
from phonopy import Phonopy
from phonopy.structure.atoms import PhonopyAtoms
from scipy.constants import speed_of_light

from ase_les import LESCalculator, load_model
from ase_les.model_io import shipped_models
from ase_les.properties.raman_harmonic import harmonic_raman
from ase_les.properties.raman_intensity import Invariants
from ase_les.training import read_data
from ase_les.training.learning.configuration import read_training_config
from ase_les.training.learning.response_evaluation import Agreement, compare_response

PARTS = ("polarizability_A3", "isotropic_polarizability_A3", "anisotropic_polarizability_A3")
# Of 1 − residual/variance, by model and part; batio3 has seven held-back structures.
LEAST_R2 = {
    "water-rpbe-d3": dict.fromkeys(PARTS, 0.95),
    "sio2": {"isotropic_polarizability_A3": 0.95},
    "batio3": dict.fromkeys(PARTS, 0.7),
}
FARTHEST_PER_CM, LEAST_ACTIVITY, ACTIVITY_ERROR = 0.5, 0.005, 0.01
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
# 1 THz in 1/cm.
PER_CM_PER_THZ = 1e10 / speed_of_light


def quartz() -> Atoms:
    """α-quartz at the measured cell, L. Levien et al., Am. Mineral. 65, 920 (1980)."""
    return crystal(
        ("Si", "O"),
        [(0.4697, 0, 2 / 3), (0.4135, 0.2669, 0.1191 + 2 / 3)],
        spacegroup=154,
        cellpar=[4.916, 4.916, 5.4054, 90, 90, 120],
    )


def held_back(name: str, data: Path) -> dict[str, tuple[float, float, int]]:
    """Return squared correlation, 1 − residual/variance and numbers by part of the tensor."""
    folder = shipped_models()[name].parent
    config, _ = read_training_config(folder / "polarizability.yml")
    files = tuple(
        str(data / Path(file).relative_to("../../../shared/data")) for file in config.data.training
    )
    model = load_model(name)
    config = replace(
        config,
        data=replace(config.data, training=files),
        model=replace(config.model, representation=model.config.representation),
    )
    samples = read_data(config, Path("/"))["test"]
    parts = compare_response(model.for_inference(), samples).polarizability_parts()
    found = {}
    for part, (reference, predicted) in parts.items():
        residual = ((predicted - reference) ** 2).sum()
        determined = 1 - residual / ((reference - reference.mean()) ** 2).sum()
        found[part] = Agreement.between(reference, predicted).R2, determined, len(reference)
    return found


def by_phonopy(atoms: Atoms) -> tuple[np.ndarray, np.ndarray]:
    """Return wave numbers and activities of all modes at Γ by phonopy and differences of α."""
    cell = PhonopyAtoms(atoms.symbols, cell=atoms.cell.array, positions=atoms.positions)
    phonons = Phonopy(cell, supercell_matrix=np.eye(3), primitive_matrix=np.eye(3))
    phonons.generate_displacements(distance=0.01)
    forces = []
    for displaced in phonons.supercells_with_displacements:
        moved = atoms.copy()
        moved.positions = displaced.positions
        forces.append(atoms.calc.get_forces(moved))
    phonons.forces = forces
    phonons.produce_force_constants()
    phonons.symmetrize_force_constants()
    phonons.run_qpoints([(0, 0, 0)], with_eigenvectors=True)
    frequencies, vectors = phonons.qpoints.frequencies[0], phonons.qpoints.eigenvectors[0]
    step, activities = 0.005, []
    for vector in vectors.T:
        # Eigenvectors at Γ are real up to a phase.
        real = (vector * np.exp(-1j * np.angle(vector[np.abs(vector).argmax()]))).real
        mode = real.reshape(-1, 3) / np.sqrt(atoms.get_masses())[:, None]
        ends = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions += sign * step * mode
            ends.append(atoms.calc.get_polarizability(moved))
        activities.append(Invariants.of((ends[0] - ends[1]) / (2 * step)).activity)
    return frequencies * PER_CM_PER_THZ, np.array(activities)


def levels(wavenumbers: np.ndarray, activities: np.ndarray) -> list[tuple[float, float]]:
    """Return (wave number, activity) with modes closer than 1 cm⁻¹ added up, acoustic ones left."""
    found: list[tuple[float, float]] = []
    for line, activity in zip(wavenumbers, activities, strict=True):
        if line < 10:
            continue
        if found and line - found[-1][0] < 1:
            found[-1] = found[-1][0], found[-1][1] + float(activity)
        else:
            found.append((float(line), float(activity)))
    return found


def compare_quartz(model: str) -> tuple[float, float]:
    """Print lines of both methods; return the largest differences of visible lines.

    In cm⁻¹, and of activities relative to the activity.
    """
    atoms = quartz()
    atoms.calc = LESCalculator(model, dtype="float64", accuracy=1e-7)
    BFGS(atoms, logfile=None).run(fmax=1e-4, steps=200)
    ours = harmonic_raman(atoms, beyond_limits=True)
    mine = levels(ours.wavenumbers_per_cm, ours.activities_A4_per_amu)
    theirs = levels(*by_phonopy(atoms))
    strongest = max(activity for _, activity in mine)
    print(f"{'this package':>24}  {'phonopy + differences':>24}")
    print(f"{'1/cm':>12} {'Å⁴/amu':>11}  {'1/cm':>12} {'Å⁴/amu':>11}")
    worst = worst_activity = 0.0
    for (line, activity), (other, by_steps) in zip(mine, theirs, strict=True):
        print(f"{line:12.1f} {activity:11.3f}  {other:12.1f} {by_steps:11.3f}")
        if activity > LEAST_ACTIVITY * strongest:
            worst = max(worst, abs(line - other))
            worst_activity = max(worst_activity, abs(activity - by_steps) / activity)
    return worst, worst_activity


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the public data sets")
    arguments = parser.parse_args()
    failures = []
    for name, limits in LEAST_R2.items():
        print(f"{name}: held-back structures, squared correlation and 1 − residual/variance")
        for part, (squared, determined, n) in held_back(name, arguments.data).items():
            print(f"  {part:32s} {squared:.4f}  {determined:.4f}  ({n} values)")
            if determined < (limit := limits.get(part, -math.inf)):
                failures.append(f"{name} {part}: R² {determined:.3f} < {limit}")
    print(f"\nα-quartz, largest difference of visible lines at most {FARTHEST_PER_CM:g} 1/cm")
    worst, worst_activity = compare_quartz("sio2")
    print(f"largest difference: {worst:.2f} 1/cm (limit {FARTHEST_PER_CM:g})")
    print(f"of activities: {100 * worst_activity:.2f} % (limit {100 * ACTIVITY_ERROR:g} %)")
    if worst > FARTHEST_PER_CM:
        failures.append(f"quartz: {worst:.1f} 1/cm")
    if worst_activity > ACTIVITY_ERROR:
        failures.append(f"quartz: activities differ by {100 * worst_activity:.1f} %")
    raise SystemExit("; ".join(failures) or 0)


if __name__ == "__main__":
    main()
