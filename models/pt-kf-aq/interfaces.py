"""Write the structures that ``label.yml`` starts from: ``python interfaces.py``.

Three layers of Pt(111), 2 × 2, and between them and their images a gap that eight water molecules
and one pair of K and F fill. Molecules and ions are packed at random, every packing with its own
distance and heights of the ions; the solid is as it is cut from the crystal.

A liquid without the solid, eight water molecules and one pair of ions in a cube, has much of what
the interfaces have at a fraction of the price.
"""

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import fcc111, molecule
from ase.io import write

from ase_les.training.packing import packed, packed_cube

LATTICE_A = 3.97
"""Of the crystal in PBE."""

GAP_A = 14.0
"""Between layers of platinum on both sides; leaves about the density of water to the solution."""

WATERS = 8
PACKINGS = {"start.extxyz": range(7), "more.extxyz": range(7, 21)}
"""By file; the number decides where molecules are."""

LIQUIDS = range(100, 110)
LIQUID_WATERS = 8
LIQUID_EDGE_A = 6.6

RADII_A = {"Pt": 1.2, "O": 1.25, "H": 0.5, "K": 1.4, "F": 1.2}


def liquid(seed: int) -> Atoms:
    """The solution alone."""
    contents = [Atoms("K"), Atoms("F"), *[molecule("H2O")] * LIQUID_WATERS]
    atoms = packed_cube(contents, LIQUID_EDGE_A, RADII_A, np.random.default_rng(seed))
    atoms.info = {"packing": seed}
    return atoms


def main() -> None:
    solid = fcc111("Pt", (2, 2, 3), LATTICE_A)
    top = solid.positions[:, 2].max()
    solid.set_cell([*solid.cell.array[:2], (0, 0, top + GAP_A)])
    solid = Atoms(solid.symbols, solid.positions, cell=solid.cell, pbc=True)
    contents = [Atoms("K"), Atoms("F"), *[molecule("H2O")] * WATERS]
    for name, packings in PACKINGS.items():
        frames = []
        for seed in packings:
            rng = np.random.default_rng(seed)
            frames.append(packed(solid, contents, (top, top + GAP_A), RADII_A, rng))
            frames[-1].info = {"packing": seed}
        write(Path(__file__).with_name(name), frames)
    write(Path(__file__).with_name("liquid.extxyz"), [liquid(seed) for seed in LIQUIDS])


if __name__ == "__main__":
    main()
