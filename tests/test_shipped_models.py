"""What shipped models make of matter that hardly is in their data."""

from __future__ import annotations

from itertools import combinations_with_replacement

import pytest
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii

from ase_les import LESCalculator

# Nearest neighbors of the crystals, in Å.
IN_TOUCH = {"KF": 2.67, "NaCl": 2.82, "LiCl": 2.57, "LiF": 2.01}


@pytest.mark.filterwarnings("ignore:the total charge")
@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("pt-kf-aq", "KF"),
        ("nacl-aq", "NaCl"),
        ("nacl-cluster", "NaCl"),
        ("tio2-nacl-aq", "NaCl"),
        ("licl-gaf3", "LiCl"),
        ("licl-gaf3", "LiF"),
    ],
)
def test_between_two_ions_less_than_an_electron_has_moved(name, pair):
    # More, and the charge of what is nowhere in the data grows with every pair that touches.
    atoms = Atoms(pair, [(0, 0, 0), (0, 0, IN_TOUCH[pair])], calculator=LESCalculator(name))
    cation, anion = atoms.get_charges()
    assert 0.25 < cation < 1.0
    assert anion == pytest.approx(-cation, abs=1e-6)


@pytest.mark.parametrize("name", ["licl-gaf3", "tio2-nacl-aq"])
def test_models_of_few_structures_do_not_let_atoms_fall_into_each_other(name):
    calculator = LESCalculator(name)
    elements = list(calculator.model.config.atomic_energies)
    for pair in combinations_with_replacement(elements, 2):
        bond = covalent_radii[[atomic_numbers[symbol] for symbol in pair]].sum()
        for distance in (0.5 * bond, 0.6 * bond):
            atoms = Atoms(pair, [(0, 0, 0), (0, 0, distance)], calculator=calculator)
            assert atoms.get_forces()[1, 2] > 0, f"{pair} at {distance:.2f} Å"
