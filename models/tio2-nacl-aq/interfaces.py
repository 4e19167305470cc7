"""Write the structures that ``label.yml`` starts from: ``python interfaces.py`` (needs gpaw).

Two layers of anatase with (101) faces, 4 TiO2 each, and between them and their images a gap that
six water molecules and one pair of Na and Cl fill. Molecules and ions are packed at random, every
packing with its own distance and heights of the ions. The solid lies between what is cut from the
crystal and what a slab without water relaxes to (in the files here with 350 eV of plane waves,
which only decides where they begin).

A liquid without the solid, eight water molecules and one pair of ions in a cube, has much of what
the interfaces have at a fraction of the price.

``moved.extxyz`` has what structures made from these lack: those that models led to. Six are where a
model of the other sets had come to at 350 K after 0.24 and 0.32 ps, from three packings. It and a
model with ``core_repulsion`` then moved every second training structure at 350 K up to where they
differed by 0.5 eV/Å (``explore`` of ``ase-les label --sample``): 19. Two models of different seeds
that had these as well did the same from every fifth at 350 and 500 K: 13 in 16 runs of 1.5 ps at
most.
"""

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import cut, molecule
from ase.io import write
from ase.optimize import LBFGS

from ase_les.training import LabelingPlan, make_reference, packed, packed_cube, read_labeling_plan

A_A, C_A, INTERNAL = 3.785, 9.514, 0.208
"""Lattice of the crystal, and how far oxygen is from titanium along c, in units of c."""

LAYERS = 2
HEIGHT_A = 13.5
"""Of the cell; leaves the density of liquid water to the solution, give or take a tenth."""

WATERS = 6
PACKINGS = {"start.extxyz": range(7), "more.extxyz": range(7, 16)}
"""By file; the number decides where molecules are."""

LIQUIDS = range(100, 110)
LIQUID_WATERS = 8
LIQUID_EDGE_A = 6.6

RADII_A = {"Ti": 0.9, "O": 1.25, "H": 0.5, "Na": 1.1, "Cl": 1.7}
RELAXATION_STEPS = 10
RELAXED = np.linspace(0.6, 1.0, 7)
"""How far to go from the ideal surface to the relaxed one, in one packing after the other."""


def slab() -> Atoms:
    """Anatase (101), two steps along the b axis, its lowest oxygen at z = 0."""
    titanium = [(0, 0, 0), (0.5, 0.5, 0.5), (0, 0.5, 0.25), (0.5, 0, 0.75)]
    oxygen = [(x, y, z + side * INTERNAL) for x, y, z in titanium for side in (1, -1)]
    crystal = Atoms("Ti4O8", scaled_positions=[*titanium, *oxygen], cell=[A_A, A_A, C_A], pbc=True)
    # Layers are cut apart where they are bound least: above oxygen with two neighbors.
    layers = cut(crystal, (0, 2, 0), (0.5, 0.5, -0.5), (LAYERS, 0, 0), origo=(-0.35, 0, 0))
    layers.rotate(layers.cell[0], "x", rotate_cell=True)
    layers.rotate(np.cross(layers.cell[0], layers.cell[1]), "z", rotate_cell=True)
    layers.set_cell([*layers.cell.array[:2], (0, 0, HEIGHT_A)])
    layers.positions[:, 2] -= layers.positions[:, 2].min()
    layers.wrap(pbc=(True, True, False))
    return layers


def relaxed(solid: Atoms, plan: LabelingPlan) -> Atoms:
    """Nearer to the minimum of the functional that labels."""
    atoms = solid.copy()
    atoms.calc = make_reference(plan.engine, plan.settings, stress=False).calculator(atoms)
    LBFGS(atoms, maxstep=0.1).run(fmax=0.1, steps=RELAXATION_STEPS)
    atoms.calc = None
    return atoms


def liquid(seed: int) -> Atoms:
    """The solution alone."""
    contents = [Atoms("Na"), Atoms("Cl"), *[molecule("H2O")] * LIQUID_WATERS]
    atoms = packed_cube(contents, LIQUID_EDGE_A, RADII_A, np.random.default_rng(seed))
    atoms.info = {"packing": seed}
    return atoms


def main() -> None:
    folder = Path(__file__).parent
    solid = slab()
    path = relaxed(solid, read_labeling_plan(folder / "label.yml")).positions - solid.positions
    heights = (solid.positions[:, 2].max(), HEIGHT_A)
    contents = [Atoms("Cl"), Atoms("Na"), *[molecule("H2O")] * WATERS]
    for name, packings in PACKINGS.items():
        frames = []
        for seed in packings:
            fraction = RELAXED[seed % len(RELAXED)]
            base = solid.copy()
            base.positions += fraction * path
            atoms = packed(base, contents, heights, RADII_A, np.random.default_rng(seed))
            atoms.info = {"packing": seed, "relaxed": round(float(fraction), 3)}
            frames.append(atoms)
        write(folder / name, frames)
    write(folder / "liquid.extxyz", [liquid(seed) for seed in LIQUIDS])


if __name__ == "__main__":
    main()
