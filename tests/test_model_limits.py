"""Limits that cards name, and what exceeds them."""

import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT

from ase_les.calculator_extensions import model_card
from ase_les.model_limits import (
    BeyondLimitsError,
    check_limits,
    exceeded_limits,
    named_limits,
    stated_limits,
)
from ase_les.properties.adsorption import adsorb
from ase_les.properties.born_charges import born_charges
from ase_les.properties.infrared_harmonic import harmonic_infrared
from ase_les.properties.phonons import phonons
from ase_les.simulation import relax

BOX = {"periodic_directions": [3], "total_charges_e": [0.0]}


def slab(pbc=(True, True, False)) -> Atoms:
    atoms = bulk("Cu", cubic=True).repeat((1, 1, 2))
    atoms.center(vacuum=5, axis=2)
    atoms.pbc = pbc
    return atoms


def names(card, *args, **keywords):
    return [each.name for each in exceeded_limits(card, *args, **keywords)]


@pytest.mark.parametrize(
    ("atoms", "card", "expected"),
    [
        (bulk("Cu"), BOX, []),
        (slab(), BOX, ["periodic_directions"]),
        (molecule("H2O"), BOX, ["periodic_directions"]),
        (slab(), {"periodic_directions": [2, 3]}, []),
        (slab(), BOX | {"named_limits": {"slabs": "only in the box"}}, ["slabs"]),
        (slab(True), BOX, []),
        (slab(True), BOX | {"named_limits": {"surfaces": "none"}}, ["surfaces"]),
        (bulk("Cu"), BOX | {"named_limits": {"surfaces": "none"}}, []),
        (slab(), {}, []),
    ],
)
def test_structures_are_compared_with_the_card(atoms, card, expected):
    assert names(card, atoms) == expected


def test_a_total_charge_that_was_not_in_the_data_exceeds_them():
    atoms = bulk("Cu")
    atoms.info["charge"] = 1
    assert names(BOX, atoms) == ["total_charges_e"]
    assert names(BOX | {"total_charges_e": [0.0, 1.0]}, atoms) == []


def test_temperatures_are_limited_on_both_sides():
    card = {"named_limits": {"temperatures_K": [100, 400]}}
    assert names(card, temperatures_K=(100, 400)) == []
    assert names(card, temperatures_K=(50, 300)) == ["temperatures_K"]
    assert names(card, temperatures_K=(300, 500)) == ["temperatures_K"]
    assert stated_limits(card) == "100 to 400 K"


def test_entries_of_other_types_limit_nothing():
    card = {"named_limits": {"surfaces": 3, "temperatures_K": "cold", "melt": "solid only"}}
    assert named_limits(card) == {"melt": "solid only"}
    assert named_limits({"named_limits": ["surfaces"]}) == {}


def test_prose_of_the_card_is_stated_before_names():
    assert stated_limits({"named_limits": {"melt": "solid only"}}) == "melt (solid only)"
    assert stated_limits({"limits": "as said", "named_limits": {"melt": "no"}}) == "as said"
    assert stated_limits({}) == ""


def limited(atoms: Atoms) -> Atoms:
    atoms.calc = EMT()
    card = {"name": "boxes", "periodic_directions": [1], "named_limits": {}}
    atoms.calc.model = type("Model", (), {"card": card})()
    assert model_card(atoms.calc) is card
    return atoms


@pytest.mark.parametrize(
    "calculation",
    [
        lambda output: relax(limited(bulk("Cu")), output=output),
        lambda output: born_charges(limited(bulk("Cu")), output=output),
        lambda output: phonons(limited(bulk("Cu")), output=output),
        lambda output: harmonic_infrared(limited(molecule("N2")), output=output),
        lambda output: adsorb(limited(slab()), molecule("N2"), output=output),
    ],
)
def test_calculations_refuse_before_anything_is_written(calculation, tmp_path):
    with pytest.raises(BeyondLimitsError, match=r"limits of the model boxes.*`beyond_limits`"):
        calculation(tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_what_is_allowed_is_noted_first():
    atoms = limited(bulk("Cu"))
    notes = check_limits(atoms.calc, atoms, beyond_limits=True)
    assert len(notes) == 1 and "exceeds the limits" in notes[0]
    assert check_limits(EMT(), atoms) == ()
