"""Spectra of layers: sum against total, cost of currents by layer, and bands of a water surface.

    python benchmarks/layer_spectra.py                                sum and cost, about 20 s
    python benchmarks/layer_spectra.py --study sum_frequency_of_water  and the bands of that study

Prints each number beside its limit. The total is computed apart from the layers, from the current
by differentiation along the motion.
"""

import argparse
import warnings
from pathlib import Path
from time import process_time

import numpy as np
import torch
import yaml
from ase import units
from ase.io import read
from ase.md.verlet import VelocityVerlet

from ase_les import LESCalculator
from ase_les.properties.infrared_layers import layer_spectra
from ase_les.properties.infrared_spectrum import infrared_from_current
from ase_les.properties.molecules import whole_molecules
from ase_les.simulation.layer_currents import LayerCurrents
from ase_les.simulation.surface_layers import LayeredMolecules, SurfaceLayers

STRUCTURE = Path(__file__).parents[1] / "workflows" / "water64.extxyz"
SUM_LIMIT = 1e-6


def film(model: str):
    """Return the film of 64 molecules with velocities and a calculator."""
    atoms = whole_molecules(read(STRUCTURE), tolerance=1.3)
    atoms.pbc = (True, True, False)
    atoms.center(vacuum=12.0, axis=2)
    atoms.calc = LESCalculator(model)
    spread = np.sqrt(units.kB * 300 * atoms.get_masses())[:, None]
    atoms.set_momenta(spread * np.random.default_rng(1).normal(size=(len(atoms), 3)))
    return atoms


def sum_of_layers(atoms, frames: int) -> float:
    """Return the largest deviation of the sum of layers from the total, relative to its maximum."""
    layers = SurfaceLayers((2.0, 4.0))
    measured = LayerCurrents(atoms, layers)
    dynamics = VelocityVerlet(atoms, 0.5 * units.fs)
    parts, whole = [], []
    for _ in range(frames):
        dynamics.run(4)
        parts.append(measured.measure(atoms)[:9].reshape(3, 3))
        whole.append(atoms.calc.get_current(atoms))
    settings = {"resolution_per_cm": 400.0, "window": "hann"}
    found = layer_spectra(
        np.array(parts), 2.0, 300.0, layers.names, np.array([20.0, 20.0, 24.0]), **settings
    )
    total = infrared_from_current(np.array(whole), 2.0, None, 300.0, molecules=64, **settings)
    expected = total.molar_absorption_km_per_mol_cm
    return float(np.abs(found.molar[:, 0].sum(axis=0) - expected).max() / expected.max())


def costs(atoms) -> dict[str, float]:
    """Return CPU times of one call in ms."""
    calls = {
        "forces": lambda: atoms.get_forces(),
        "current of the whole": lambda: atoms.calc.get_current(atoms),
        "currents of all atoms (Born charges)": lambda: atoms.calc.get_property(
            "born_effective_charges", atoms
        ),
    }
    for surface in ("planes", "instantaneous"):
        molecules = LayeredMolecules(SurfaceLayers((3.0,), surface), atoms)
        calls[f"masks, {surface}"] = lambda molecules=molecules: molecules.place(atoms)
    found = {}
    for name, call in calls.items():
        times = []
        for _ in range(6):
            atoms.positions += 1e-5
            start = process_time()
            call()
            times.append(process_time() - start)
        found[name] = 1e3 * float(np.median(times[1:]))
    return found


def of_study(folder: Path) -> None:
    """Print the bands of the study beside experiment."""
    summary = yaml.safe_load((folder / "study-summary.yml").read_text(encoding="utf-8"))
    results = summary["results"]
    print(f"\n{summary['model']}, {summary['time_ps']:.3g} ps")
    center = results["time step corrected"]
    height, depth = (
        results[name]["mean"]
        for name in ("its height / (1e-22 m²/V)", "depth of the negative band")
    )
    print(f"positive band of Im χ: {center:.0f} 1/cm, {height:.3g}; experiment 3690–3710, positive")
    below = results["negative band, time step corrected"]
    print(f"negative band: {below:.0f} 1/cm, {depth:.3g}; experiment 3200–3500, negative")
    shares = [(name, value) for name, value in results.items() if name.startswith("share")]
    for name, value in shares:
        print(f"{name}: {value:.3f}")
    (_, top), *_, (_, middle) = shares
    print(f"share in the top layer over that in the middle: {top / middle:.2f}; limit: > 1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="water-rpbe-d3")
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--study", type=Path, help="output of workflows/19_sum_frequency_of_water")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    # A film is beyond the data of the model; sum and cost do not depend on that.
    warnings.simplefilter("ignore", UserWarning)
    atoms = film(arguments.model)
    error = sum_of_layers(atoms, arguments.frames)
    verdict = "met" if error < SUM_LIMIT else "NOT met"
    print(f"sum of layers − total, relative: {error:.1e}; limit {SUM_LIMIT:.0e}: {verdict}")
    for name, milliseconds in costs(atoms).items():
        print(f"{name}: {milliseconds:.1f} ms of CPU")
    if arguments.study is not None:
        of_study(arguments.study)


if __name__ == "__main__":
    main()
