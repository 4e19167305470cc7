"""A plane capacitor of known charge in matter of known ε∞: V = Q d / (ε0 ε∞ A)."""

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from scipy.constants import elementary_charge, epsilon_0

from ase_les.properties.adsorption import adsorption_of
from ase_les.properties.profiles import profiles
from ase_les.properties.slab_electrostatics import potential_step_V

CHARGE, DISTANCE, SIDE = 0.05, 4.0, 6.0


def plates(epsilon: float, charge: float = CHARGE) -> Atoms:
    """Two plates of one ion each, whose Born charges are the given charge."""
    atoms = Atoms(
        "ClNa", [(3, 3, 6), (3, 3, 6 + DISTANCE)], cell=[SIDE, SIDE, 16], pbc=(True, True, False)
    )
    atoms.calc = SinglePointCalculator(
        atoms,
        energy=0.0,
        charges=np.array([-charge, charge]),
        dielectric_tensor=epsilon * np.eye(3),
    )
    return atoms


def voltage(epsilon: float) -> float:
    charge = CHARGE * elementary_charge
    return charge * DISTANCE * 1e-10 / (epsilon_0 * epsilon * (SIDE * 1e-10) ** 2)


@pytest.mark.parametrize("epsilon", [1.0, 1.78, 4.0])
def test_the_step_of_a_capacitor_is_its_voltage(epsilon):
    assert potential_step_V(plates(epsilon)) == pytest.approx(voltage(epsilon), rel=1e-6)
    found = profiles([plates(epsilon)], bin_A=0.01, smearing_A=0.3)
    assert found.step_V.mean == pytest.approx(voltage(epsilon), rel=1e-3)
    inside = found.curves["field_V_per_A"][np.abs(found.position_A - 8).argmin()]
    assert inside == pytest.approx(-voltage(epsilon) / DISTANCE, rel=1e-3)


def test_the_change_of_the_work_function_is_minus_the_voltage():
    both = plates(4.0)
    slab, ion = both[:1], both[1:]
    ion.pbc = False
    for part in (slab, ion):
        part.calc = SinglePointCalculator(
            part, energy=0.0, charges=np.zeros(1), dielectric_tensor=np.eye(3)
        )
    found = adsorption_of(both, slab, ion)
    assert found.work_function_change_eV == pytest.approx(-voltage(4.0), rel=1e-6)
    assert found.dipole_change_eA == pytest.approx(CHARGE * DISTANCE)
