"""Rigid ions have the energy of point charges, and forces and stress that belong to it."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress

from ase_les.training.engines.programs import make_reference

SALT = {"charges": {"Na": 1, "Cl": -1}, "repulsion": {"Na-Cl": [1256, 0.317]}}


def salt(repulsion=SALT["repulsion"], repeat=(1, 1, 1)):
    atoms = bulk("NaCl", "rocksalt", a=5.6402, cubic=True).repeat(repeat)
    atoms.calc = make_reference("ions", {**SALT, "repulsion": repulsion}).calculator(atoms)
    return atoms


def test_ions_without_repulsion_have_the_madelung_energy():
    assert salt(repulsion={}).get_potential_energy() / 4 == pytest.approx(-8.92319798, abs=1e-3)


def test_the_energy_is_extensive():
    assert salt(repeat=(2, 1, 1)).get_potential_energy() == pytest.approx(
        2 * salt().get_potential_energy(), rel=1e-6
    )


def test_forces_and_stress_are_slopes_of_the_energy():
    atoms = salt()
    atoms.rattle(0.1, seed=1)
    assert atoms.get_forces() == pytest.approx(calculate_numerical_forces(atoms, 1e-4), abs=1e-4)
    assert atoms.get_stress() == pytest.approx(calculate_numerical_stress(atoms, 1e-5), abs=1e-4)


def test_the_energy_alone_is_the_one_that_comes_with_forces():
    alone, with_forces = salt(), salt()
    with_forces.get_forces()
    assert alone.get_potential_energy() == pytest.approx(with_forces.get_potential_energy())


def test_repulsion_holds_the_crystal_at_about_its_lattice_constant():
    def energy(scale):
        atoms = salt()
        atoms.set_cell(atoms.cell * scale, scale_atoms=True)
        return atoms.get_potential_energy()

    scales = np.linspace(0.95, 1.08, 14)
    best = scales[np.argmin([energy(scale) for scale in scales])]
    assert best == pytest.approx(1.0, abs=0.03)
