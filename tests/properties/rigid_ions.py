"""Ions of fixed charge that repel their neighbors: every response of them is known in closed form.

Charges are Gaussian, as those of Latent Ewald Summation, so that one reciprocal sum is all; the
energy is written here in numpy and knows nothing of ase_les.
"""

from __future__ import annotations

import itertools

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.neighborlist import neighbor_list

COULOMB = units.Hartree * units.Bohr
MADELUNG_NACL = 1.7475645946
SMEARING = 1.0
K_CUTOFF = 6.0


class RigidIonCrystal(Calculator):
    """Smeared charges of either sign, and A exp(-r/rho) between nearest neighbors."""

    implemented_properties = [  # noqa: RUF012
        *("energy", "forces", "polarization", "born_effective_charges", "dielectric_tensor"),
    ]

    def __init__(self, charge, distance, dielectric=1.0, decay=0.3):
        super().__init__()
        self.charge = charge
        self.dielectric = dielectric
        self.decay = decay
        self.reach = 1.2 * distance
        # In a rock salt with this distance, repulsion balances the Madelung pressure.
        force = MADELUNG_NACL * COULOMB * charge**2 / (6 * distance**2)
        self.strength = force * decay * np.exp(distance / decay)
        self.calls = 0
        self.die_after = None

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        if self.calls == self.die_after:
            raise KeyboardInterrupt
        self.calls += 1
        charges = np.where(np.isin(self.atoms.numbers, (8, 17)), -1.0, 1.0) * self.charge
        energy, forces = _smeared_coulomb(self.atoms, charges)
        i, vectors, distance = neighbor_list("iDd", self.atoms, self.reach)
        repulsion = self.strength * np.exp(-distance / self.decay)
        energy += 0.5 * repulsion.sum()
        np.add.at(forces, i, -(repulsion / self.decay / distance)[:, None] * vectors)
        scale = np.sqrt(self.dielectric)
        moment = charges @ self.atoms.positions
        self.results = {
            "energy": energy,
            "forces": forces,
            "polarization": scale * moment / self.atoms.get_volume(),
            "born_effective_charges": scale * charges[:, None, None] * np.eye(3),
            "dielectric_tensor": self.dielectric * np.eye(3),
        }


def _smeared_coulomb(atoms: Atoms, charges: np.ndarray) -> tuple[float, np.ndarray]:
    reciprocal = 2 * np.pi * atoms.cell.reciprocal().array
    most = np.floor(K_CUTOFF * atoms.cell.lengths() / (2 * np.pi)).astype(int)
    numbers = np.array(list(itertools.product(*(range(-n, n + 1) for n in most))))
    numbers = numbers[len(numbers) // 2 + 1 :]  # one of k and -k, without zero
    waves = numbers @ reciprocal
    squares = (waves**2).sum(axis=1)
    waves, squares = waves[squares < K_CUTOFF**2], squares[squares < K_CUTOFF**2]
    phases = np.exp(1j * atoms.positions @ waves.T)
    structure = charges @ phases
    weight = (
        4 * np.pi * COULOMB / atoms.get_volume() * np.exp(-(SMEARING**2) * squares / 2) / squares
    )
    energy = float((weight * np.abs(structure) ** 2).sum())
    slopes = 2 * weight * (phases * structure.conj()).imag
    return energy, charges[:, None] * (slopes @ waves)


def rock_salt(formula: str, a: float, born_charge: float, dielectric: float) -> Atoms:
    """A crystal whose physical Born charge and dielectric constant are given."""
    atoms = bulk(formula, "rocksalt", a=a)
    latent = born_charge / np.sqrt(dielectric)
    atoms.calc = RigidIonCrystal(latent, a / 2, dielectric)
    return atoms


def salt() -> Atoms:
    return rock_salt("NaCl", 5.6903, 1.08703, 2.43534)


def magnesia() -> Atoms:
    return rock_salt("MgO", 4.212, 1.97, 3.0)
