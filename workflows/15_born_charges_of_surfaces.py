r"""Born charges at surfaces and interfaces, by finite differences and by exact derivatives.

    python workflows/15_born_charges_of_surfaces.py
    python workflows/15_born_charges_of_surfaces.py --layers 8 --frames 7

How far is a surface like the bulk? This study asks for

- NaCl(001) and MgO(001) by layer, along the surface (Z*∥) and across it (Z*⊥), beside the bulk;
- anatase (101) and salt water (``models/tio2-nacl-aq``): titanium and oxygen of the solid, water
  on titanium and other water, ions, beside crystalline anatase and the solution without the solid;
- four layers of MgO(001) against DFT (``born_charges_of_magnesia_dft.py``). Differences of the DFT
  dipole along the normal are taken at zero field outside, where the electrons of the slab screen
  what an ion does. They are compared with Z*⊥/ε∞ of the model, in the bulk the longitudinal charge.

Charges that are shifted evenly (`mean`) have a share in Z*⊥ that is no property of the surface: the
excess that a displaced atom makes is taken from all atoms, whose mean height is that of the middle
of the film. It is (z_i − z̄) ∂A/∂z_i, more the thicker the film, and nothing in layers like the
bulk. The table of MgO has Z*⊥ without it as well ("unshifted"). Models of crystals that have seen
no surface say little about one in any case.

Every structure is done twice: atoms are displaced by ±h, and the derivative is taken analytically.
The two must agree; how well they do is in the last table, beside the sum over all atoms. It is zero
where charge is conserved locally (split charges); elsewhere it is the charge that a strain makes
(`ase_les.response`).

Writes ``<output>/surfaces-summary.yml`` and, of every surface, the files of ``ase-les born``, among
them the charges by layer as a figure.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from ase import Atoms
from ase.build import bulk
from ase.io import read
from rich.console import Console
from rich.table import Table

from ase_les import LESCalculator
from ase_les.properties.born_charges import BornCharges, born_charges
from ase_les.properties.slabs import build_slab
from ase_les.reports import born_charges as report
from ase_les.runs.output import write_summary

HERE = Path(__file__).parent
MODELS = HERE.parent / "models"
DFT = HERE / "born_charges_of_magnesia_dft.extxyz"

CRYSTALS = {"nacl": ("NaCl", 5.69), "mgo": ("MgO", 4.25)}
"""Formula and lattice constant in Å of the rock salts, by the model that knows them."""

WATER_BOND_A, TITANIUM_BOND_A = 1.3, 2.6
"""Hydrogen that is nearer belongs to an oxygen; oxygen of water that is nearer sits on titanium."""


@dataclass(frozen=True)
class Twice:
    """Born charges of one structure by displacement, and how they compare with the derivative."""

    by_displacement: BornCharges
    largest_difference_e: float
    largest_sum_e: float
    seconds: float

    @property
    def tensors(self) -> np.ndarray:
        return self.by_displacement.tensors


def calculator(model: str) -> LESCalculator:
    return LESCalculator(model, dtype="float64", accuracy=1e-7)


def twice(atoms: Atoms, stem: Path, **settings) -> Twice:
    """All nine components of all atoms, both ways."""
    exact = born_charges(atoms, beyond_limits=True, symmetrize=False).tensors
    began = perf_counter()
    options = {"beyond_limits": True, "overwrite": True, "output": stem, **settings}
    displaced = born_charges(atoms, "displacement", **options)
    report.write(displaced, stem)
    return Twice(
        by_displacement=displaced,
        largest_difference_e=float(np.abs(displaced.tensors - exact).max()),
        largest_sum_e=float(np.abs(displaced.sum_over_atoms_e).max()),
        seconds=perf_counter() - began,
    )


def isotropic(tensors: np.ndarray) -> np.ndarray:
    return np.trace(tensors, axis1=-2, axis2=-1) / 3


def by_group(tensors: np.ndarray, groups: np.ndarray) -> dict[str, float]:
    """Mean isotropic charges in e."""
    names = dict.fromkeys(groups.tolist())
    return {name: float(isotropic(tensors[groups == name]).mean()) for name in names}


def groups_of(atoms: Atoms) -> np.ndarray:
    """What every atom of anatase and salt water is, in words."""
    symbols = np.array(atoms.get_chemical_symbols())
    distances = atoms.get_all_distances(mic=True)
    names = symbols.astype(object)
    oxygen, hydrogen = (np.flatnonzero(symbols == symbol) for symbol in "OH")
    titanium = np.flatnonzero(symbols == "Ti")
    for atom in oxygen:
        bonded = len(hydrogen) and distances[atom, hydrogen].min() < WATER_BOND_A
        if not bonded:
            names[atom] = "O of TiO2"
        elif len(titanium) and distances[atom, titanium].min() < TITANIUM_BOND_A:
            names[atom] = "O of water on Ti"
        else:
            names[atom] = "O of water"
    for atom in hydrogen:
        owner = oxygen[distances[atom, oxygen].argmin()]
        names[atom] = f"H{str(names[owner])[1:]}"
    return names.astype(str)


def anatase() -> Atoms:
    """The crystal of ``models/tio2-nacl-aq/interfaces.py``."""
    edge, height, internal = 3.785, 9.514, 0.208
    titanium = [(0, 0, 0), (0.5, 0.5, 0.5), (0, 0.5, 0.25), (0.5, 0, 0.75)]
    oxygen = [(x, y, z + side * internal) for x, y, z in titanium for side in (1, -1)]
    return Atoms(
        "Ti4O8", scaled_positions=[*titanium, *oxygen], cell=[edge, edge, height], pbc=True
    )


def rock_salt(name: str, model: str, layers: int, output: Path) -> Twice:
    """A (001) film, compared with the isotropic charges of the crystal."""
    formula, constant = CRYSTALS[name]
    crystal = bulk(formula, "rocksalt", a=constant, cubic=True)
    calc = calculator(model)
    crystal.calc = calc
    in_bulk = born_charges(crystal, beyond_limits=True).elements
    bulk_e = {symbol: each.isotropic_e for symbol, each in in_bulk.items()}
    # Two atomic layers in each repeat of the cubic cell.
    film = build_slab(crystal, (0, 0, 1), layers=max(layers // 2, 1)).atoms
    film.calc = calc
    return twice(film, output / f"{name}-001", bulk=bulk_e)


def anatase_and_water(
    model: str, frames: int, output: Path
) -> tuple[list[Twice], dict[str, float], dict[str, float]]:
    """Interfaces; means of their groups of atoms, and of the same without an interface."""
    calc = calculator(model)
    structures = read(MODELS / "tio2-nacl-aq" / "start.extxyz", f":{frames}")
    done, tensors, groups = [], [], []
    for number, atoms in enumerate(structures):
        atoms.calc = calc
        done.append(twice(atoms, output / f"anatase-water-{number}", axis="c"))
        tensors.append(done[-1].tensors)
        groups.append(groups_of(atoms))
    at_interface = by_group(np.concatenate(tensors), np.concatenate(groups))
    tensors, groups = [], []
    for atoms in (anatase(), *read(MODELS / "tio2-nacl-aq" / "liquid.extxyz", f":{frames}")):
        atoms.calc = calc
        tensors.append(born_charges(atoms, beyond_limits=True, symmetrize=False).tensors)
        groups.append(groups_of(atoms))
    return done, at_interface, by_group(np.concatenate(tensors), np.concatenate(groups))


def beside_dft(models: list[str]) -> list[dict[str, object]]:
    """Rows of models and DFT: lower half of the film of four layers, and the bulk."""
    film = read(DFT)
    crystals = read(MODELS / "mgo" / "born.extxyz", ":")
    epsilon = float(np.mean([atoms.info["REF_dielectric"][::4].mean() for atoms in crystals]))
    symbols = np.concatenate([atoms.get_chemical_symbols() for atoms in crystals])
    tensors = np.concatenate([a.arrays["REF_born_effective_charges"] for a in crystals])
    of_bulk = by_group(tensors.reshape(-1, 3, 3), symbols)
    rows = []
    for atom in range(len(film) // 2):
        in_plane = float(film.arrays["REF_born_charge_in_plane"][atom])
        rows.append(
            {
                "atoms": f"{'surface' if atom < len(film) // 4 else 'inner'} {film.symbols[atom]}",
                "DFT": (in_plane, float(film.arrays["REF_born_charge_normal_at_zero_D"][atom])),
            }
        )
    rows += [{"atoms": f"bulk {s}", "DFT": (z, z / epsilon)} for s, z in of_bulk.items()]
    for model in models:
        calc = LESCalculator(model, dtype="float64", accuracy=1e-7, dielectric=epsilon)
        film.calc = calc
        layers = born_charges(film, beyond_limits=True).layers
        crystal = bulk("MgO", "rocksalt", a=CRYSTALS["mgo"][1])
        crystal.calc = calc
        in_bulk = isotropic(born_charges(crystal, beyond_limits=True).tensors)
        in_plane = [*layers.in_plane_e[: len(film) // 2], *in_bulk]
        normal = [*layers.normal_e[: len(film) // 2], *in_bulk]
        for row, along, across in zip(rows, in_plane, normal, strict=True):
            row[model] = (float(along), float(across / epsilon))
        if calc.model.config.long_range.charges.neutrality != "mean":
            continue
        # In a box the shift has no distance in any direction.
        boxed = film.copy()
        boxed.pbc = True
        boxed.calc = calc
        unshifted = born_charges(boxed, beyond_limits=True, symmetrize=False).tensors[:, 2, 2]
        for row, across in zip(rows, unshifted[: len(film) // 2], strict=False):
            row[f"{model}, unshifted"] = (row[model][0], float(across / epsilon))
    return rows


def show(title: str, heads: list[str], rows: list[list[object]]) -> None:
    table = Table(title=title, title_justify="left")
    for number, head in enumerate(heads):
        table.add_column(head, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*map(_word, row))
    Console().print(table)


def _word(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:+.3f}" if np.isfinite(value) else "–"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nacl", default="nacl", help="model of NaCl")
    parser.add_argument("--mgo", default="mgo", help="model of MgO")
    parser.add_argument("--also", nargs="*", default=["au2-mgo"], help="beside DFT of MgO as well")
    parser.add_argument("--titania", default="tio2-nacl-aq", help="model of anatase and salt water")
    parser.add_argument("--layers", type=int, default=6, help="atomic layers of the films, even")
    parser.add_argument("--frames", type=int, default=3, help="interfaces to average over")
    parser.add_argument("--output", type=Path, default=Path("born_charges_of_surfaces"))
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    output = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    compared: dict[str, Twice] = {}
    summary: dict[str, object] = {}

    for name, model in (("nacl", arguments.nacl), ("mgo", arguments.mgo)):
        film = rock_salt(name, model, arguments.layers, output)
        compared[f"{CRYSTALS[name][0]}(001)"] = film
        layers = film.by_displacement.layers
        summary[f"{name}_001"] = layers.summary()
        Console().print(report.layers_table(layers))

    done, at_interface, elsewhere = anatase_and_water(arguments.titania, arguments.frames, output)
    for number, each in enumerate(done):
        compared[f"interface {number}"] = each
    show(
        "Anatase and salt water: isotropic Born charges / e",
        ["atoms", "interface", "crystal or solution"],
        [[name, value, elsewhere.get(name, np.nan)] for name, value in at_interface.items()],
    )
    summary["anatase_and_salt_water"] = {"interface_e": at_interface, "elsewhere_e": elsewhere}

    rows = beside_dft([arguments.mgo, *arguments.also])
    names = [name for name in rows[0] if name != "atoms"]
    for which, title in enumerate(("Z*∥ / e", "Z*⊥/ε∞ / e, at zero field outside")):
        # What is shifted has no part in the first.
        shown = [name for name in names if which or not name.endswith("unshifted")]
        show(
            f"MgO(001), four layers: {title}",
            ["atoms", *shown],
            [[row["atoms"], *(row.get(n, ("", ""))[which] for n in shown)] for row in rows],
        )
    summary["mgo_beside_dft"] = [
        {name: list(value) if name != "atoms" else value for name, value in row.items()}
        for row in rows
    ]

    show(
        "Displacements against the analytic derivative",
        ["structure", "atoms", "seconds", "max difference / e", "max |sum| / e"],
        [
            [
                *(name, len(each.tensors), f"{each.seconds:.1f}"),
                *(f"{each.largest_difference_e:.1e}", f"{each.largest_sum_e:.1e}"),
            ]
            for name, each in compared.items()
        ],
    )
    summary["displacement_against_analytic"] = {
        name: {
            "largest_difference_e": each.largest_difference_e,
            "largest_sum_over_atoms_e": each.largest_sum_e,
            "seconds": each.seconds,
        }
        for name, each in compared.items()
    }
    write_summary(output / "surfaces-summary.yml", summary)


if __name__ == "__main__":
    main()
