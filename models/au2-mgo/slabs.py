"""Write the structures that ``label.yml`` starts from: ``python slabs.py``.

Five layers of MgO(001) at the lattice constant of the crystal, 4 MgO each, and Au2 on them:
upright on an oxygen ion, or flat over two magnesium ions that are neighbors. The rows of cells
are shifted against each other, which keeps flat Au2 as far from its images as so small a cell can
(4.5 Å). One magnesium ion of the lowest layer is aluminum, or none is; everything else is
the same with and without, so that whatever moves are drawn from both starts make pairs.
"""

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import make_supercell
from ase.io import write

LATTICE_A = 4.25
LAYERS = 5
CELL = [[2, 1, 0], [0, 2, 0], [0, 0, 1]]
"""In steps between neighboring ions of one element."""

HEIGHT_A = 22.0
"""Of the cell; leaves 8.7 Å above upright Au2."""

UPRIGHT_A = 2.25
FLAT_A = 2.85
BOND_A = 2.56


def slab() -> Atoms:
    """MgO(001), the lowest layer at z = 0."""
    step, spacing = LATTICE_A / np.sqrt(2), LATTICE_A / 2
    layers = Atoms(cell=[step, step, HEIGHT_A], pbc=True)
    for layer in range(LAYERS):
        # Layer by layer, magnesium and oxygen change places.
        corner, center = ("O", "Mg") if layer % 2 == 0 else ("Mg", "O")
        middle = (0.5 * step, 0.5 * step, layer * spacing)
        layers += Atoms([corner, center], [(0, 0, layer * spacing), middle])
    return make_supercell(layers, CELL)


def with_gold(substrate: Atoms, geometry: str) -> Atoms:
    """Au2 on a slab, ``upright`` or ``flat``."""
    atoms = substrate.copy()
    highest = atoms.positions[:, 2].max()
    top = atoms[atoms.positions[:, 2] > highest - 0.1]
    if geometry == "upright":
        x, y, z = top.positions[top.symbols == "O"][0] + (0, 0, UPRIGHT_A)
        gold = [(x, y, z), (x, y, z + BOND_A)]
    else:
        along = np.array([LATTICE_A / np.sqrt(2), 0, 0])
        center = top.positions[top.symbols == "Mg"][0] + along / 2 + (0, 0, FLAT_A)
        half = BOND_A / 2 * along / np.linalg.norm(along)
        gold = [center - half, center + half]
    atoms += Atoms("Au2", gold)
    return atoms


def doped(atoms: Atoms) -> Atoms:
    """The same with aluminum for one magnesium of the lowest layer."""
    atoms = atoms.copy()
    lowest = (atoms.positions[:, 2] < 0.1) & (atoms.symbols == "Mg")
    atoms.symbols[np.flatnonzero(lowest)[0]] = "Al"
    return atoms


def main() -> None:
    undoped = [with_gold(slab(), geometry) for geometry in ("upright", "flat")]
    folder = Path(__file__).parent
    for name, frames in (("undoped", undoped), ("doped", list(map(doped, undoped)))):
        for atoms, geometry in zip(frames, ("upright", "flat"), strict=True):
            atoms.info = {"substrate": name, "geometry": geometry}
        write(folder / f"{name}.extxyz", frames)


if __name__ == "__main__":
    main()
