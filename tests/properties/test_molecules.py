"""Molecules and their dipole moments."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.io import read

from ase_les import LESCalculator
from ase_les.properties.molecules import (
    molecular_dipoles,
    molecules,
    turning_dipoles,
    whole_molecules,
)

DIPEPTIDES = Path(__file__).parents[2] / "workflows" / "dipeptides.extxyz"


def test_a_molecule_cut_by_a_cell_face_keeps_its_dipole():
    water = molecule("H2O")
    charges = np.where(water.numbers == 8, -0.8, 0.4)
    alone = molecular_dipoles(water, charges)[0]
    assert alone == pytest.approx(charges @ water.positions, abs=1e-12)
    box = water.copy()
    box.set_cell([[6, 0, 0], [2, 7, 0], [-1, 1, 8]])
    box.pbc = True
    for corner in ([0, 0, 0], [5.8, 0.2, 7.9], [3, 3.5, 0.1]):
        moved = box.copy()
        moved.translate(corner)
        moved.wrap()
        assert molecular_dipoles(moved, charges)[0] == pytest.approx(alone, abs=1e-12)


def test_molecules_of_a_mixture_are_told_apart():
    mixture = molecule("H2O") + molecule("CH4")
    mixture.positions[3:] += 5.0
    assert [len(m) for m in molecules(mixture)] == [3, 5]


def test_the_dipole_of_a_charged_molecule_refers_to_its_center_of_mass():
    hydroxide = Atoms("OH", [[1.0, 2.0, 3.0], [1.0, 2.0, 3.97]])
    moment = molecular_dipoles(hydroxide, np.array([-1.2, 0.2]))[0]
    center = hydroxide.get_center_of_mass()
    expected = np.array([-1.2, 0.2]) @ (hydroxide.positions - center)
    assert moment == pytest.approx(expected, abs=1e-12)


def test_a_network_has_no_molecular_dipoles():
    diamond = bulk("C", cubic=True)
    with pytest.raises(ValueError, match="own periodic image"):
        molecular_dipoles(diamond, np.zeros(len(diamond)))


def test_molecules_put_together_are_whole_and_the_same_liquid():
    water = molecule("H2O")
    water.set_cell([6, 7, 8])
    water.pbc = True
    water.translate([5.9, 6.9, 7.9])
    cut = water.copy()
    cut.wrap()
    whole = whole_molecules(cut)
    assert whole.get_all_distances() == pytest.approx(water.get_all_distances(), abs=1e-12)
    moved = np.linalg.solve(cut.cell.array.T, (whole.positions - cut.positions).T)
    assert moved == pytest.approx(np.round(moved), abs=1e-12)


def test_an_isolated_molecule_turns_its_whole_dipole():
    """With Born charges of a model in which charges follow the geometry, not q times 1."""
    atoms = read(DIPEPTIDES, 0)
    atoms.calc = LESCalculator("dipeptides", dtype="float64")
    born = atoms.calc.get_property("born_effective_charges", atoms)
    assert np.ptp(born[:, 0, 0] - born[:, 1, 1]) > 0.1
    dipole = atoms.get_dipole_moment()
    assert np.linalg.norm(dipole) > 0.5
    assert turning_dipoles(atoms, born)[0] == pytest.approx(dipole, abs=1e-9)


def test_rigid_charges_turn_the_dipole_they_make_across_cell_faces():
    water = molecule("H2O")
    pair = water + molecule("H2O")
    pair.positions[3:] += [3.0, 0.5, 1.0]
    pair.rotate(40, "x")
    pair.set_cell([6, 7, 8])
    pair.pbc = True
    pair.translate([5.8, 6.9, 0.1])
    pair.wrap()
    charges = np.where(pair.numbers == 8, -0.8, 0.4)
    born = charges[:, None, None] * np.eye(3)
    expected = molecular_dipoles(pair, charges)
    assert np.linalg.norm(expected, axis=1).min() > 0.4
    assert turning_dipoles(pair, born) == pytest.approx(expected, abs=1e-12)
