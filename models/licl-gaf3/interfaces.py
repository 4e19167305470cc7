"""Write the structures that ``label.yml`` starts from: ``python interfaces.py``.

Two layers of GaF3 with octahedra that share corners, and four of LiCl with rock-salt order, face to
face and in turn with their images: the Ga–Ga distance of GaF3 (3.61 Å) and half the face diagonal
of LiCl (3.63 Å) hardly differ. Half of the fluorine of the outer layers is left out, so that
neither face has a charge. Four ways of putting one crystal on the other.

``moved.extxyz`` has what structures made from these lack: those that models led to. A model of
the other sets alone let F and Cl collapse within a picosecond at 400 K. Of the ends of its
dynamics after 0.4 to 0.8 ps, begun at ``start.extxyz`` rattled by 0.03 Å, it has seven as they
came, and of the others three that a second model disputed. Two models that had these as well, of
different seeds and with ``core_repulsion``, then moved training structures at 450 and 700 K up to
where they differed by 0.5 eV/Å (``explore`` of ``ase-les label --sample``, at most 1.5 ps): ten;
and three more, begun anew with those, at 500 and 800 K, where most runs ended undisputed. Two of
these 23 have energies 4 eV and more above the others, fluorine that has left its gallium or is
1.63 Å from Cl: they are in ``collapsed.extxyz``. Left out are two ends with F and Cl 1.3 Å apart
(forces of 22 and 25 eV/Å).
"""

from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.io import write
from ase.optimize import LBFGS

from ase_les.training import make_reference, read_labeling_plan

EDGE_A = 5.12
"""Of the square cell: the lattice constant of LiCl, and √2 Ga–Ga distances."""

GALLIUM_LAYER_A = 3.61
LITHIUM_LAYER_A = 2.57
GAPS_A = 2.1, 2.4
"""Between outer layers of the two crystals, on both sides."""

SHIFTS = (0, 0), (0.25, 0.25), (0.5, 0), (0.25, 0)
"""Of LiCl along GaF3, in cell edges."""

TILT_A = 0.45 / 2**0.5
"""Of fluorine between two gallium ions; straight bonds are unstable."""


def gallium_fluoride() -> Atoms:
    """Ga4F12 with z from its lower to its upper outer fluorine."""
    atoms = Atoms(cell=[EDGE_A, EDGE_A, 1.0], pbc=True)
    half = EDGE_A / 2
    for layer in (0.5, 1.5):
        z, turn = layer * GALLIUM_LAYER_A, 1 if layer < 1 else -1
        for x, y in ((0, 0), (half, half)):
            atoms += Atoms("Ga", [(x, y, z)])
        for x, y, sign in ((1, 1, 1), (3, 1, -1), (3, 3, 1), (1, 3, -1)):
            tilted = np.array([x * half / 2, y * half / 2, z])
            # Across the bond in the plane; the signs turn neighboring octahedra oppositely.
            across = np.array([1, -1, 0]) if sign > 0 else np.array([1, 1, 0])
            atoms += Atoms("F", [tilted + turn * sign * TILT_A * across / 2**0.5])
    atoms += Atoms("F2", [(0, 0, GALLIUM_LAYER_A), (half, half, GALLIUM_LAYER_A)])
    atoms += Atoms("F2", [(half, half, 0), (0, 0, 2 * GALLIUM_LAYER_A)])
    return atoms


def lithium_chloride() -> Atoms:
    """Four layers (001) from z = 0."""
    cube = bulk("LiCl", "rocksalt", a=2 * LITHIUM_LAYER_A, cubic=True) * (1, 1, 2)
    cube.set_cell([EDGE_A, EDGE_A, cube.cell[2, 2]], scale_atoms=True)
    return cube


def interface(shift: tuple[float, float]) -> Atoms:
    fluoride, chloride = gallium_fluoride(), lithium_chloride()
    chloride.positions += [
        shift[0] * EDGE_A,
        shift[1] * EDGE_A,
        2 * GALLIUM_LAYER_A + GAPS_A[0],
    ]
    height = 2 * GALLIUM_LAYER_A + 3 * LITHIUM_LAYER_A + sum(GAPS_A)
    atoms = fluoride + chloride
    atoms.set_cell([EDGE_A, EDGE_A, height])
    return atoms


def settled(atoms: Atoms, plan_of_ions: dict) -> Atoms:
    """At a minimum of the rigid ions that sample."""
    atoms = atoms.copy()
    engine = make_reference(plan_of_ions["engine"], plan_of_ions["settings"], stress=False)
    atoms.calc = engine.calculator(atoms)
    LBFGS(atoms, maxstep=0.1, logfile=None).run(fmax=0.1, steps=200)
    atoms.calc = None
    return atoms


def main() -> None:
    folder = Path(__file__).parent
    ions = read_labeling_plan(folder / "label.yml").sets["warm"].sample["calculator"]
    frames = []
    for number, shift in enumerate(SHIFTS):
        atoms = settled(interface(shift), ions)
        atoms.wrap()
        atoms.info = {"face": number}
        frames.append(atoms)
    write(folder / "start.extxyz", frames)


if __name__ == "__main__":
    main()
