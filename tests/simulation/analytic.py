"""Crystals whose equilibrium can be written down: what dynamics sample is compared with it."""

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.constraints import FixCom
from ase.stress import full_3x3_to_voigt_6_stress

from ase_les.simulation.ensembles import BAR, DynamicsSettings
from ase_les.simulation.integrators import make_integrator


class TiedCrystal(Calculator):
    r"""Atoms tied to sites that move with the cell, and a cell with an elastic energy of its own.

    .. math::
        E = \sum_i \left( \tfrac12 k_i d_i^2 + \tfrac14 q d_i^4 \right) + U(\text{cell}), \qquad
        \mathbf{d}_i = \mathbf{r}_i - \mathbf{s}_i h

    The integral over positions and momenta does not depend on the cell, so that at constant
    pressure the cell is distributed as :math:`e^{-(U + P_0 V)/k_B T}` times the measure, exactly.
    """

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, crystal: Atoms, stiffness: np.ndarray, quartic: float, elastic):
        super().__init__()
        self.sites = crystal.get_scaled_positions(wrap=False)
        self.stiffness = stiffness[:, None]
        self.quartic = quartic
        self.elastic = elastic

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        d = atoms.positions - self.sites @ atoms.cell.array
        square = np.sum(d**2, axis=1, keepdims=True)
        pull = (self.stiffness + self.quartic * square) * d
        energy, slope = self.elastic(atoms.cell.lengths())
        stress = (pull.T @ d + np.diag(slope)) / atoms.cell.volume
        self.results = {
            "energy": energy + np.sum(square * (self.stiffness / 2 + self.quartic / 4 * square)),
            "forces": -pull,
            "stress": full_3x3_to_voigt_6_stress(0.5 * (stress + stress.T)),
        }


class ChargedCrystal(TiedCrystal):
    """The same with rigid ions: a dipole, Born charges, and forces in a field."""

    implemented_properties = (
        *TiedCrystal.implemented_properties,
        "polarization",
        "born_effective_charges",
    )

    def __init__(self, crystal: Atoms, stiffness: np.ndarray, quartic: float, elastic):
        super().__init__(crystal, stiffness, quartic, elastic)
        self.charges = np.where(np.arange(len(crystal)) % 2, 1.0, -1.0)
        self.field_V_per_A = (0.0, 0.0, 0.0)

    def check_state(self, atoms, tol=1e-15):
        changed = self._field_of_results != tuple(self.field_V_per_A)
        return super().check_state(atoms, tol) + ["field_V_per_A"] * changed

    _field_of_results = (0.0, 0.0, 0.0)

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        field = np.array(self.field_V_per_A)
        dipole = self.charges @ atoms.positions
        self.results["energy"] -= dipole @ field
        self.results["forces"] = self.results["forces"] + self.charges[:, None] * field
        self.results["polarization"] = dipole / atoms.cell.volume
        self.results["born_effective_charges"] = self.charges[:, None, None] * np.eye(3)
        self._field_of_results = tuple(self.field_V_per_A)


class Volume:
    """U = B (V − V0)² / 2 V0; returns U and its derivatives by the logarithms of the lengths."""

    def __init__(self, modulus: float, volume: float):
        self.modulus, self.volume = modulus, volume

    def __call__(self, lengths: np.ndarray):
        volume = np.prod(lengths)
        excess = volume - self.volume
        slope = self.modulus * excess / self.volume * volume
        return 0.5 * self.modulus * excess**2 / self.volume, np.full(3, slope)


class Lengths:
    """U = K V0 Σ ln²(L/L0) / 2 over the chosen lattice vectors."""

    def __init__(self, modulus: float, lengths: np.ndarray, chosen: np.ndarray):
        self.stiffness = modulus * np.prod(lengths)
        self.lengths, self.chosen = lengths, chosen

    def __call__(self, lengths: np.ndarray):
        strain = np.log(lengths / self.lengths) * self.chosen
        return 0.5 * self.stiffness * np.sum(strain**2), self.stiffness * strain


def crystal(elastic=None, quartic: float = 20.0, kind=TiedCrystal) -> Atoms:
    """Eight atoms of different stiffness; the cell is without energy unless it is given."""
    atoms = bulk("Cu", cubic=True) * (2, 1, 1)
    stiffness = np.linspace(1.0, 4.0, len(atoms))
    atoms.calc = kind(atoms, stiffness, quartic, elastic or (lambda _: (0.0, np.zeros(3))))
    atoms.set_constraint(FixCom())
    return atoms


def sample(atoms, measure, *, steps, every, skip=0, seed=0, timestep_fs=5.0, **settings):
    """Values of `measure` every so many steps, from velocities at the temperature given."""
    stage = DynamicsSettings(timestep_fs=timestep_fs, steps=steps, **settings).protocol[0]
    rng = np.random.default_rng(seed)
    spread = np.sqrt(atoms.get_masses() * units.kB * stage.temperature_K)[:, None]
    atoms.set_momenta(spread * rng.standard_normal((len(atoms), 3)))
    freedom = atoms.get_number_of_degrees_of_freedom()
    integrator = make_integrator(atoms, stage, timestep_fs, rng, freedom)
    values = []
    for step in range(1, steps + 1):
        integrator.step()
        if step > skip and step % every == 0:
            values.append(measure(atoms))
    return np.array(values), freedom


__all__ = ["BAR", "ChargedCrystal", "Lengths", "TiedCrystal", "Volume", "crystal", "sample"]
