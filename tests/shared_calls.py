"""Force calls of one calculator by several processes; a script for torchrun: CASE OUTPUT."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from ase import units
from ase.build import bulk, molecule
from ase.md.langevin import Langevin

from ase_les import LESCalculator, LESModel
from ase_les.charges import ChargesConfig
from ase_les.core_repulsion import CoreRepulsionConfig
from ase_les.electrostatics import ElectrostaticsConfig
from ase_les.model import LongRangeConfig, ModelConfig, ShortRangeConfig
from ase_les.ranks import ranks_of_torchrun
from ase_les.representation import CaceConfig

REPRESENTATION = CaceConfig(cutoff=3.5, n_radial=4, n_mixed=3, n_embedding=2)
MESSAGES = replace(REPRESENTATION, layers=(("memory", "invariant"),))


def random_model(representation=REPRESENTATION, long_range=True, own=None, **charges):
    part = LongRangeConfig(
        charges=ChargesConfig(**{"scale": 4.0, "neutrality": "split", **charges}),
        electrostatics=ElectrostaticsConfig(smearing=1.2, remove_self_energy=True),
        representation=own,
    )
    config = ModelConfig(
        atomic_energies={"H": -13.6, "O": -431.25, "Na": -1202.5},
        representation=representation,
        short_range=ShortRangeConfig(scale=3.0),
        long_range=part if long_range else None,
        core_repulsion=CoreRepulsionConfig(),
    )
    return LESModel(config, seed=1)


def water(count, pbc=True, extra=()):
    """Molecules on a grid in a triclinic cell, all turned and shaken."""
    atoms = molecule("H2O")
    atoms.set_cell([[3.2, 0, 0], [0.2, 3.1, 0], [-0.1, 0.3, 3.3]])
    atoms = atoms.repeat(count)
    for symbol, place in extra:
        atoms.append(symbol)
        atoms.positions[-1] = place
    atoms.rattle(0.1, seed=4)
    atoms.pbc = pbc
    return atoms


def slab():
    atoms = water((3, 2, 2))
    atoms.center(8.0, axis=2)
    atoms.pbc = (True, True, False)
    return atoms


def charged():
    atoms = water((2, 2, 2), extra=[("Na", (1.6, 1.6, 1.6))])
    atoms.info["charge"] = 1
    return atoms


CASES = {
    # Structure, model, settings of the calculator.
    "direct": (lambda: water((2, 2, 3)), random_model, {}),
    "plain": (lambda: water((2, 2, 3)), random_model, {"kernels": False}),
    "mesh": (lambda: water((6, 6, 6)), random_model, {}),
    "plain mesh": (lambda: water((6, 6, 6)), random_model, {"kernels": False}),
    "exact": (lambda: water((3, 3, 3)), random_model, {"accuracy": None}),
    "slab": (slab, random_model, {}),
    "molecules": (lambda: water((2, 2, 2), pbc=False), random_model, {}),
    "mean": (lambda: water((2, 2, 2)), lambda: random_model(neutrality="mean"), {}),
    "none": (lambda: water((2, 2, 2)), lambda: random_model(neutrality="none"), {}),
    "charged": (charged, random_model, {}),
    "formal": (charged, lambda: random_model(formal_charges={"Na": 1.0}), {}),
    "channels": (lambda: water((2, 2, 2)), lambda: random_model(n_channels=2), {}),
    "messages": (lambda: water((2, 2, 3)), lambda: random_model(MESSAGES), {}),
    "own": (lambda: water((2, 2, 3)), lambda: random_model(own=MESSAGES), {}),
    "short": (lambda: water((2, 2, 3)), lambda: random_model(long_range=False), {}),
    "float32": (lambda: water((2, 2, 3)), random_model, {"dtype": "float32"}),
}


def results(name, group=None) -> dict[str, np.ndarray]:
    make_atoms, make_model, settings = CASES[name]
    atoms = make_atoms()
    settings = {"dtype": "float64", **settings}
    atoms.calc = LESCalculator(make_model(), group=group, **settings)
    found = {"energy alone": np.array(atoms.get_potential_energy())}
    wanted = ["energy", "forces", "energies"]
    wanted += ["stress"] if atoms.pbc.any() else []
    wanted += ["polarization"] if name in ("direct", "mesh", "messages", "mean") else []
    wanted += ["born_effective_charges"] if name in ("direct", "slab") else []
    for what in wanted:
        found[what] = np.array(atoms.calc.get_property(what, atoms))
    if "charges" in atoms.calc.implemented_properties:
        found["charges"] = atoms.get_charges()
    # Another geometry, with the neighbor list of the first.
    atoms.rattle(0.02, seed=9)
    found["later forces"] = atoms.get_forces()
    return found


def dynamics(group=None) -> np.ndarray:
    """Positions after some steps with a thermostat, whose noise has a seed."""
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True).repeat(2)
    atoms.calc = LESCalculator("nacl", dtype="float64", group=group)
    rng = np.random.default_rng(5)
    width = np.sqrt(units.kB * 300 * atoms.get_masses())[:, None]
    atoms.set_momenta(width * rng.normal(size=(len(atoms), 3)))
    settings = {"temperature_K": 300, "friction": 0.01, "fixcm": False, "rng": rng}
    Langevin(atoms, 1 * units.fs, **settings).run(20)
    return atoms.positions


def threads() -> list[str]:
    """Names of the threads of this process, those of libraries included."""
    return [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]


if __name__ == "__main__":
    torch.set_num_threads(1)
    with ranks_of_torchrun() as ranks:
        found = {"positions": dynamics(True)}
        for name in CASES:
            found |= {f"{name}: {what}": value for what, value in results(name, True).items()}
        np.savez(Path(sys.argv[1]) / f"rank-{ranks.rank}.npz", **found)
        atoms = water((2, 2, 2))
        atoms.calc = LESCalculator(random_model(), group=True)
        atoms.positions += 0.1 * ranks.rank
        try:
            atoms.get_forces()
        except ValueError as error:
            print(f"rank {ranks.rank}: {error}")
        atoms.positions[:] = water((2, 2, 2)).positions
        # Only the last process has the edge to the last atom.
        atoms.positions[-1] = atoms.positions[-2] + 0.01
        try:
            atoms.get_forces()
        except ValueError as error:
            print(f"rank {ranks.rank}: {error}")
    left = [name for name in threads() if "gloo" in name]
    print(f"rank {ranks.rank} after the group: {left}")
