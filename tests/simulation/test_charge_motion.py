"""A dipole that is recorded is that of the charges, however far they go."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.calculator import Calculator, all_changes

from ase_les import LESCalculator
from ase_les.simulation.charge_motion import ItinerantDipole


class BerryPhase(Calculator):
    """Two ions, whose polarization is known up to quanta."""

    implemented_properties = ("polarization",)

    def calculate(self, atoms=None, properties=("polarization",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        moved = self.atoms.get_scaled_positions(wrap=False)
        parts = (moved[0] - moved[1] + 0.5) % 1.0 - 0.5
        self.results["polarization"] = parts @ self.atoms.cell.array / self.atoms.cell.volume


def ions(apart: float) -> Atoms:
    atoms = Atoms("NaCl", [[0, 0, apart], [0, 0, 0]], cell=[5.0] * 3, pbc=True)
    atoms.calc = BerryPhase()
    return atoms


def recorded(*apart: float) -> list[float]:
    dipole = ItinerantDipole(ions(0.0))
    return [dipole.measure(ions(each))[2] for each in apart]


def test_an_ion_that_walks_through_the_cell_takes_its_charge_along():
    walk = np.arange(0.0, 12.0, 1.5)
    np.testing.assert_allclose(recorded(*walk), walk, atol=1e-12)


def test_a_step_of_nearly_half_a_quantum_is_warned_of():
    with pytest.warns(UserWarning, match="Observe it more often"):
        recorded(0.0, 2.2)


def test_molecules_that_turn_round_between_two_measurements_turn_the_dipole(random_model):
    """It changes by more than half a quantum, which here is no reason to doubt it."""
    atoms = molecule("H2O")
    atoms.set_cell([3.1] * 3)
    atoms.pbc = True
    atoms = atoms.repeat((4, 4, 1))
    model = random_model(charges={"neutrality": "split"}, seed=2)
    atoms.calc = LESCalculator(model, dtype="float64", accuracy=None)
    dipole = ItinerantDipole(atoms)
    before = dipole.measure(atoms)
    assert np.abs(2 * before[2]) > 0.6 * atoms.cell.lengths()[2]
    atoms.positions *= -1
    np.testing.assert_allclose(dipole.measure(atoms), -before, atol=1e-9)
