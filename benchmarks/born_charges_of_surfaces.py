"""Born charges of slabs and interfaces: displacements and fields against the exact derivative.

    python benchmarks/born_charges_of_surfaces.py

For every structure the largest difference of any component from the analytic charges, by
displacement (and of every source of moments) and in a field, the largest component of the sum over
all atoms, and seconds on one thread. Shipped models, whatever their neutrality; where charges are
shifted evenly a field acts along the normal of a slab only ("normal"), or not at all. The same
structures with untrained models of split and of shifted charges and large random responses show
all nine components in a field, and that nothing depends on the training. Float64 throughout.

The films are rattled (no symmetry), normal along z and along x; that of MgO has a skewed cell and
its normal along no axis.
"""

import argparse
import json
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from ase import Atoms
from ase.build import bulk
from ase.io import read

from ase_les import LESCalculator, LESModel, ModelConfig
from ase_les.charges import ChargesConfig
from ase_les.model import LongRangeConfig
from ase_les.properties.born_charges import born_charges
from ase_les.representation import CaceConfig
from ase_les.simulation.slab_geometry import unit_normal

MODELS = Path(__file__).parents[1] / "models"


def film(formula: str, constant: float, cells: int = 1) -> Atoms:
    """(001), normal along z, rattled."""
    atoms = bulk(formula, "rocksalt", a=constant, cubic=True) * (1, 1, cells)
    atoms.rattle(0.05, seed=1)
    atoms.center(vacuum=4.0, axis=2)
    atoms.pbc = (True, True, False)
    return atoms


def along_x(atoms: Atoms) -> Atoms:
    """The same with the vector across the layers first, and along x."""
    other = atoms.copy()
    pbc = atoms.pbc[[2, 0, 1]]
    other.set_cell(atoms.cell.array[[2, 0, 1]], scale_atoms=False)
    other.pbc = pbc
    other.rotate(unit_normal(other, "a"), "x", rotate_cell=True)
    return other


def tilted(atoms: Atoms) -> Atoms:
    """The same film in a skewed cell, its open vector leaning, the normal anywhere."""
    other = atoms.copy()
    combined = [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.3, 0.5, 1.0]]
    other.set_cell(combined @ atoms.cell.array, scale_atoms=False)
    other.rotate(50, (1, 2, 3), rotate_cell=True)
    return other


def structures() -> dict[str, tuple[str, Atoms]]:
    """Shipped model and structure, by name."""
    salt, magnesia = film("NaCl", 5.69), film("MgO", 4.25)
    gallium = read(MODELS / "licl-gaf3" / "start.extxyz", 0)
    titania = read(MODELS / "tio2-nacl-aq" / "start.extxyz", 0)
    return {
        "NaCl(001), z": ("nacl", salt),
        "NaCl(001), x": ("nacl", along_x(salt)),
        "MgO(001), tilted": ("mgo", tilted(magnesia)),
        "LiCl | GaF3, z": ("licl-gaf3", gallium),
        "LiCl | GaF3, x": ("licl-gaf3", along_x(gallium)),
        "TiO2 | NaCl(aq), z": ("tio2-nacl-aq", titania),
        "TiO2 | NaCl(aq), x": ("tio2-nacl-aq", along_x(titania)),
    }


def untrained(atoms: Atoms, neutrality: str) -> LESModel:
    """Random weights, charges of about 1 e."""
    charges = ChargesConfig(neutrality=neutrality, scale=4.0)
    representation = CaceConfig(4.0, n_radial=4, n_mixed=3, n_embedding=2, l_max=2)
    energies = dict.fromkeys(dict.fromkeys(atoms.symbols), 0.0)
    return LESModel(
        ModelConfig(energies, representation, long_range=LongRangeConfig(charges)), seed=1
    )


def measure(name: str, model: str | LESModel, label: str, atoms: Atoms) -> dict[str, object]:
    """Largest differences and sums in e, and seconds."""
    atoms = atoms.copy()
    atoms.calc = LESCalculator(model, dtype="float64", accuracy=1e-7)
    options = {"symmetrize": False, "beyond_limits": True}
    exact = born_charges(atoms, **options)
    row = {
        "structure": name,
        "model": label,
        "neutrality": atoms.calc.model.config.long_range.charges.neutrality,
        "atoms": len(atoms),
        "largest_component_e": round(float(np.abs(exact.tensors).max()), 3),
        "sum_analytic_e": _digits(exact.sum_over_atoms_e),
    }
    sources = ["auto", "current", "charges"] if row["neutrality"] == "split" else ["auto"]
    for source in sources:
        began = perf_counter()
        found = born_charges(atoms, "displacement", source=source, **options)
        key = "displacement" if source == "auto" else f"displacement_{source}"
        row[f"{key}_e"] = _digits(found.tensors - exact.tensors)
        row[f"{key}_s"] = round(perf_counter() - began, 1)
        if source == "auto":
            row["sum_by_displacement_e"] = _digits(found.sum_over_atoms_e)
    components = ["all", "normal"] if atoms.pbc.sum() == 2 else ["all"]
    for each in components:
        try:
            found = born_charges(atoms, "field", components=each, **options).tensors
        except ValueError:
            continue
        reference = born_charges(atoms, components=each, **options).tensors
        row[f"field_{each}_e"] = _digits(found - reference)
        break
    return row


def _digits(values: np.ndarray) -> float:
    return float(f"{np.abs(values).max():.1e}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shipped-only", action="store_true", help="no untrained models")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for name, (model, atoms) in structures().items():
        print(json.dumps(measure(name, model, model, atoms)), flush=True)
        if not asked.shipped_only:
            for rule in ("split", "mean"):
                row = measure(name, untrained(atoms, rule), "untrained", atoms)
                print(json.dumps(row), flush=True)
