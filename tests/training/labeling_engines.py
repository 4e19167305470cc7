"""Engines for tests of labeling, importable from other processes."""

import os
import time

from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT


class Failing(EMT):
    """Does not converge where the first atom lies above z = 5 Å."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        if atoms.positions[0, 2] > 5:
            raise RuntimeError("the density did not converge in 60 cycles")
        super().calculate(atoms, properties, system_changes)


class Charged(Calculator):
    """An energy of charge and spin only."""

    implemented_properties = ("energy", "forces")

    def __init__(self, charge, spin):
        super().__init__()
        self.charge, self.spin = charge, spin

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.results = {
            "energy": 10.0 * self.charge + self.spin,
            "forces": 0 * atoms.positions,
        }


class Smeared(Charged):
    """Energy extrapolated to no smearing, and the free energy its forces belong to."""

    implemented_properties = ("energy", "free_energy", "forces")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.results["free_energy"] = self.results["energy"] - 0.25


def failing(atoms):
    return Failing()


def charged(atoms):
    return Charged(atoms.info.get("charge", 0), atoms.info.get("spin", 1))


def smeared(atoms):
    return Smeared(1, 1)


def slow(atoms, seconds=0.1):
    time.sleep(seconds)
    return EMT()


def deadly(atoms):
    """Takes its process down, as a crash in compiled code does, and converges otherwise."""
    if atoms.positions[0, 2] > 5:
        os._exit(139)
    return EMT()
