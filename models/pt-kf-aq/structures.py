"""Write structures to be labeled: packed at random, then moved by a model.

    python structures.py pack [--first SEED --count N]
    python structures.py move MODEL packed.extxyz moved.extxyz [--temperature-K 350 --hold Pt]

Three layers of Pt(111), 2 × 2, and between them and their images a gap that eight water molecules
and one pair of K and F fill; and that solution alone in a cube, which has much of what the
interfaces have at a fraction of the price. Molecules and ions are packed at random, every packing
with its own distance and heights of the ions. Structures as packed are far from anything that
moves: a model relaxes them a little and moves them by Langevin dynamics; the structure at its end
is what is labeled.

What ``label.yml`` names came from models of different data. ``liquid.extxyz`` has nine rigid
packings, 24 structures that the model of the film in ``../shared/data/pt-kf-aq`` moved (up to three
of a run), and twelve that the film and those moved.

``interface.extxyz`` begins with seven structures that a model of few labels, all at Γ alone, led
astray (packings 21 to 28): platinum 2.4 Å apart or a proton that changed places. Then come 24 of
later models of such labels, platinum where it was but for noise (``--hold Pt``). Labeled anew, the
first twelve of these, liquids and film made a model that moves everything (``--temperature-K 350
--steps 1200``): the next 14 (packings 110 to 123). The next 13 are of
hotter dynamics: ``fixcm=True`` of ASE's Langevin dynamics takes the momentum of the noise from all
atoms alike, and that of platinum heats hydrogen. Then ten begin with K and F at opposite
electrodes or with F near platinum (packings 132 to 169, ``--steps 1000``), where the model before
had its largest errors in energy, and 17 with K and F more than 5.5 Å apart along the
normal (packings 174 to 297, ``--steps 1000``), of which they kept 5.2 Å or more. The next 20 are
of packings taken as they came, 300 to 329 (``--steps 1000``) but for every third, moved by the
last model whose charges were all local. The last nine are of packings 343 to 391 with K and F less
than 3.0 Å apart but for those divisible by three (``--steps 1000``). The model that moved them let
charges of such a pair run away; one of them, 374, and 351 of ``apart.extxyz`` have forces of 16 and
12 eV/Å from it.

``apart.extxyz`` is of packings that nothing else began with: six moved as 110 to 123
were (124 to 129), eight with platinum held (68 to 75), every third of 300 to 329, and three with K
and F less than 3.0 Å apart (348, 351, 375).
"""

import argparse
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import fcc111, molecule
from ase.constraints import FixAtoms
from ase.io import read, write
from ase.optimize import FIRE

from ase_les import LESCalculator
from ase_les.training import Dynamics, packed, packed_cube

LATTICE_A = 3.97
"""Of the crystal in PBE."""

GAP_A = 14.0
"""Between layers of platinum on both sides; leaves about the density of water to the solution."""

WATERS = 8
LIQUID_EDGE_A = 6.6

NOISE_A = 0.05
"""Of atoms that dynamics leaves where they are."""

STRIDE = 40
"""Steps after which atoms are looked at for collisions."""

RADII_A = {"Pt": 1.2, "O": 1.25, "H": 0.5, "K": 1.4, "F": 1.2}


def solution() -> list[Atoms]:
    return [Atoms("K"), Atoms("F"), *[molecule("H2O")] * WATERS]


def liquid(seed: int) -> Atoms:
    """The solution alone; the number decides where molecules are."""
    return packed_cube(solution(), LIQUID_EDGE_A, RADII_A, np.random.default_rng(seed))


def interface(seed: int) -> Atoms:
    """The solution between platinum and its image."""
    solid = fcc111("Pt", (2, 2, 3), LATTICE_A)
    top = solid.positions[:, 2].max()
    cell = [*solid.cell.array[:2], (0, 0, top + GAP_A)]
    solid = Atoms(solid.symbols, solid.positions, cell=cell, pbc=True)
    rng = np.random.default_rng(seed)
    return packed(solid, solution(), (top, top + GAP_A), RADII_A, rng)


def moved(
    atoms: Atoms, model: str, temperature_K: float, steps: int, held: tuple[str, ...], seed: int
) -> Atoms | None:
    """Where dynamics leads to before atoms collide, if anywhere. Held elements get noise then."""
    calculator, rng = LESCalculator(model), np.random.default_rng(seed)
    still = np.isin(list(atoms.symbols), held)
    relaxed = atoms.copy()
    relaxed.set_constraint(FixAtoms(mask=still))
    relaxed.calc = calculator
    try:
        FIRE(relaxed, logfile=None, maxstep=0.05).run(fmax=1.0, steps=100)
    except ValueError:
        # A model says so when it is led where it was never meant to be.
        return None
    n_looks = max(1, steps // STRIDE)
    motion = Dynamics((temperature_K,), n_looks, timestep_fs=0.5, stride=STRIDE, held=held)
    found = motion.sampled(relaxed, rng, calculator)
    if not found:
        return None
    end = found[-1]
    end.positions[still] += rng.normal(0.0, NOISE_A, (still.sum(), 3))
    end.info = {"charge": 0, **atoms.info}
    return end


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    packing = commands.add_parser(
        "pack", help="write packed-liquid.extxyz, packed-interface.extxyz"
    )
    packing.add_argument("--first", type=int, default=0)
    packing.add_argument("--count", type=int, default=10)
    moving = commands.add_parser("move", help="relax and move structures with a model")
    moving.add_argument("model")
    moving.add_argument("start", type=Path)
    moving.add_argument("output", type=Path)
    moving.add_argument("--temperature-K", type=float, default=350.0)
    moving.add_argument("--steps", type=int, default=800)
    moving.add_argument("--hold", nargs="+", default=[], help="elements that do not move")
    asked = parser.parse_args()
    if asked.command == "pack":
        seeds = range(asked.first, asked.first + asked.count)
        for name, made in (("liquid", liquid), ("interface", interface)):
            frames = [made(seed) for seed in seeds]
            for seed, atoms in zip(seeds, frames, strict=True):
                atoms.info = {"packing": seed}
            write(f"packed-{name}.extxyz", frames)
        return
    ends = []
    for seed, atoms in enumerate(read(asked.start, ":")):
        end = moved(atoms, asked.model, asked.temperature_K, asked.steps, tuple(asked.hold), seed)
        print(f"{seed}: {'atoms collide at once' if end is None else 'moved'}", flush=True)
        ends += [end] if end is not None else []
    write(asked.output, ends)


if __name__ == "__main__":
    main()
