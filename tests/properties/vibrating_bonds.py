"""Films of O–H bonds that vibrate as written down: spectra of their layers are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator, all_changes
from langevin_models import PER_CM

LENGTH_A = 0.97


@dataclass(frozen=True)
class Bond:
    """O–H bond at a height, with a direction, a frequency, a phase and a speed amplitude."""

    oxygen: tuple[float, float, float]
    direction: tuple[float, float, float]
    wavenumber_per_cm: float
    phase: float = 0.0
    speed_A_per_fs: float = 0.02


class PointCharges(Calculator):
    """Springs between O and H, and fixed charges: Born charges are their multiples of 1."""

    implemented_properties = ("energy", "forces", "charges", "born_effective_charges")

    def __init__(self, charge: float = 0.4, spring_eV_per_A2: float = 50.0):
        super().__init__()
        self.charge, self.spring = charge, spring_eV_per_A2

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        charges = np.where(atoms.numbers == 1, self.charge, -self.charge)
        bond = atoms.positions[1::2] - atoms.positions[::2]
        length = np.linalg.norm(bond, axis=1)
        pull = (self.spring * (length - LENGTH_A) / length)[:, None] * bond
        forces = np.zeros((len(atoms), 3))
        forces[::2], forces[1::2] = pull, -pull
        self.results = {
            "energy": float(0.5 * self.spring * ((length - LENGTH_A) ** 2).sum()),
            "forces": forces,
            "charges": charges,
            "born_effective_charges": charges[:, None, None] * np.eye(3),
        }


def film(bonds: list[Bond]) -> Atoms:
    atoms = Atoms(cell=[12.0, 12.0, 30.0], pbc=(True, True, False))
    for bond in bonds:
        outward = np.array(bond.direction) / np.linalg.norm(bond.direction)
        atoms += Atoms("OH", [bond.oxygen, np.array(bond.oxygen) + LENGTH_A * outward])
    return atoms


def frames(bonds: list[Bond], n: int, interval_fs: float) -> list[Atoms]:
    """Configurations with velocities; oxygens rest, and hydrogens move along their bonds."""
    still, run = film(bonds), []
    directions = np.array([np.array(b.direction) / np.linalg.norm(b.direction) for b in bonds])
    omega = np.array([bond.wavenumber_per_cm for bond in bonds]) * PER_CM
    phase = np.array([bond.phase for bond in bonds])
    speed = np.array([bond.speed_A_per_fs for bond in bonds])
    for index in range(n):
        angle = omega * index * interval_fs + phase
        atoms = still.copy()
        velocities = np.zeros((len(atoms), 3))
        atoms.positions[1::2] += (speed / omega * np.sin(angle))[:, None] * directions
        velocities[1::2] = (speed * np.cos(angle))[:, None] * directions
        atoms.set_velocities(velocities / units.fs)
        run.append(atoms)
    return run
