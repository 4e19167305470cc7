"""The sign of charges: judged by electronegativity, told of once, and energies do not notice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.io import read
from ase.spacegroup import crystal

from ase_les import LESCalculator, LESModel, ModelConfig, list_models
from ase_les.charges import ChargesConfig
from ase_les.charges.sign import (
    covariance_with_electronegativity,
    judge_sign,
    mean_by_element,
    means_as_text,
    sign_is_free,
)
from ase_les.electrostatics import EquilibrationConfig
from ase_les.model import LongRangeConfig
from ase_les.model_io import shipped_models
from ase_les.representation import CaceConfig

OPPOSITE = "sign opposite to electronegativity"


def model_of(elements: str = "H O", seed: int = 1, **charges) -> LESModel:
    config = ModelConfig(
        dict.fromkeys(elements.split(), 0.0),
        CaceConfig(4.0, n_radial=3, n_mixed=2, n_embedding=2, l_max=2),
        long_range=LongRangeConfig(ChargesConfig(**charges)),
    )
    return LESModel(config, seed=seed).double()


def flipped(model: LESModel) -> LESModel:
    model.long_range.charges.flip_sign()
    return model


def water(model: LESModel, **settings) -> Atoms:
    atoms = molecule("H2O")
    atoms.calc = LESCalculator(model, dtype="float64", **settings)
    return atoms


def test_cations_positive_is_the_usual_sign():
    salt = {"Na": 0.9, "Cl": -0.9}
    assert judge_sign(salt) == "follows"
    assert judge_sign({symbol: -charge for symbol, charge in salt.items()}) == "opposes"
    assert covariance_with_electronegativity(salt) < 0


def test_the_order_of_elements_and_a_common_shift_do_not_matter():
    """What all atoms have alike says nothing of who took charge from whom."""
    charges = {"Ti": 2.5, "O": -1.1, "H": 0.3, "Cl": -0.6}
    shifted = {symbol: charge + 0.4 for symbol, charge in reversed(charges.items())}
    assert judge_sign(charges) == judge_sign(shifted) == "follows"


@pytest.mark.parametrize(
    "charges",
    [
        {"C": 0.2, "H": -0.2},
        {"Ag": 0.2, "Au": -0.2},
        {"Pt": 0.4},
        {"O": 0.03, "H": -0.015},
        {"He": 0.5, "O": -0.5},
        {},
        # One pair with, one against.
        {"Ba": -0.3, "Ti": 0.4, "O": -0.05},
    ],
    ids=["C-H", "two metals", "one element", "small", "no electronegativity", "none", "divided"],
)
def test_nothing_is_decided_where_chemistry_is_not_clear(charges):
    assert judge_sign(charges) == "undecided"
    assert judge_sign({symbol: -charge for symbol, charge in charges.items()}) == "undecided"


def test_energies_tell_the_sign_where_there_are_charges_of_a_given_one():
    assert sign_is_free(model_of().config)
    assert not sign_is_free(model_of().config, is_charged=True)
    # Such a model does not know of total charges.
    assert sign_is_free(model_of(neutrality="none").config, is_charged=True)
    assert not sign_is_free(model_of("Na Cl", formal_charges={"Na": 1, "Cl": -1}).config)
    shared = LongRangeConfig(equilibration=EquilibrationConfig(("O", "H")))
    mixed = ModelConfig({"H": 0.0, "O": 0.0}, CaceConfig(3.0), long_range=shared)
    assert not sign_is_free(mixed)
    assert not sign_is_free(ModelConfig({"H": 0.0}, CaceConfig(3.0), long_range=None))


def test_flipped_charges_have_the_same_energy_forces_and_stress():
    cell = bulk("NaCl", "rocksalt", a=5.6) * (2, 1, 1)
    cell.rattle(0.1, seed=4)
    names = ("energy", "forces", "stress", "charges", "born_effective_charges", "polarization")
    for neutrality in ("split", "mean", "none"):
        models = [model_of("Na Cl", neutrality=neutrality, scale=3.0) for _ in range(2)]
        flipped(models[1])
        calculators = [LESCalculator(model, dtype="float64") for model in models]
        before, after = (
            {name: np.array(calculator.get_property(name, cell)) for name in names}
            for calculator in calculators
        )
        for name in names[:3]:
            np.testing.assert_allclose(after[name], before[name], rtol=0, atol=1e-12)
        for name in names[3:]:
            assert np.abs(before[name]).max() > 1e-4
            np.testing.assert_allclose(after[name], -before[name], rtol=0, atol=1e-12)


def test_charges_against_electronegativity_are_told_of_once(recwarn):
    right = water(model_of())
    right.get_forces()
    assert mean_by_element(right.numbers, right.get_charges())["O"] < -0.05
    assert not recwarn
    wrong = water(flipped(model_of()))
    with pytest.warns(UserWarning, match=rf"{OPPOSITE}.*flip_sign\(\)") as told:
        wrong.get_forces()
    # It states isotropic Born charges.
    means = means_as_text(mean_by_element(wrong.numbers, wrong.calc.get_gapt_charges(wrong)))
    assert f"{OPPOSITE}: {means} e on average" in str(told[0].message)
    recwarn.clear()
    wrong.rattle(0.01)
    wrong.get_forces()
    for atoms in (molecule("H2O2"), molecule("OH")):
        atoms.calc = wrong.calc
        atoms.get_charges()
    assert not recwarn


def test_the_remedy_names_the_file_of_the_model(tmp_path):
    from ase_les import save_model

    save_model(tmp_path / "m.safetensors", flipped(model_of()))
    atoms = molecule("H2O")
    atoms.calc = LESCalculator(tmp_path / "m.safetensors")
    with pytest.warns(UserWarning, match=r"ase-les convert \S*m\.safetensors .*--sign auto"):
        atoms.get_forces()


def test_born_charges_raise_the_same_warning():
    atoms = water(flipped(model_of()))
    with pytest.warns(UserWarning, match=OPPOSITE):
        atoms.calc.get_property("born_effective_charges", atoms)


def test_no_second_calculation_where_charges_raise_no_suspicion(monkeypatch):
    from ase_les.calculator import charge_methods

    def refuse(*_):
        pytest.fail("Born charges were calculated")

    monkeypatch.setattr(charge_methods, "born_charges", refuse)
    water(model_of()).get_forces()


def test_charges_may_sit_anywhere_if_what_moves_with_atoms_is_right(recwarn):
    """The mean of charges in a crystal is open: Born charges decide before anything is said."""
    magnesia = bulk("MgO", "rocksalt", a=4.2, cubic=True)
    magnesia.rattle(0.1, seed=1)
    misleading = 0
    for seed in range(12):
        for turn in (False, True):
            model = model_of("Mg O", seed=seed, neutrality="mean", scale=3.0)
            magnesia.calc = LESCalculator(flipped(model) if turn else model, dtype="float64")
            recwarn.clear()
            sitting = judge_sign(mean_by_element(magnesia.numbers, magnesia.get_charges()))
            said = any(OPPOSITE in str(each.message) for each in recwarn)
            carried = magnesia.calc.get_charges(magnesia, kind="gapt")
            moving = judge_sign(mean_by_element(magnesia.numbers, carried))
            misleading += sitting == "opposes" and moving != "opposes"
            assert said == (sitting == "opposes" and moving == "opposes")
    assert misleading


@pytest.mark.parametrize("charge", [0, 1])
def test_nothing_is_said_where_the_sign_is_not_free(charge, recwarn):
    atoms = water(flipped(model_of(formal_charges={} if charge else {"H": -1.0, "O": 2.0})))
    atoms.info["charge"] = charge
    atoms.get_forces()
    assert not recwarn


def of_its_kind(name: str) -> list[Atoms]:
    """Structures that a shipped model is for."""
    workflows = Path(__file__).parents[1] / "workflows"
    if name in ("water-rpbe-d3", "nacl-aq"):
        return [read(workflows / "water64.extxyz")]
    if name == "dipeptides":
        return read(workflows / "dipeptides.extxyz", ":3")
    if name == "batio3":
        places = [(0, 0, 0), (0.5, 0.5, 0.52), (0.5, 0.5, 0), (0.5, 0, 0.5)]
        cell = [4.0] * 3 + [90] * 3
        return [crystal(("Ba", "Ti", "O", "O"), places, spacegroup=99, cellpar=cell)]
    if name == "sio2":
        places = [(0, 0, 0), (0.125, 0.125, 0.125)]
        return [crystal(("Si", "O"), places, spacegroup=227, cellpar=[7.16] * 3 + [90] * 3)]
    if name == "carbon-chain":
        return [molecule("C2H2")]
    folder = shipped_models()[name].parent
    return [read(path, 0) for path in sorted(folder.glob("*.extxyz"))[:2]]


@pytest.mark.parametrize("name", sorted(list_models()))
def test_shipped_models_have_the_sign_of_chemistry(name, recwarn):
    calculator = LESCalculator(name)
    structures = of_its_kind(name)
    if not structures:
        pytest.skip(f"no structures of {name} are in its folder")
    for atoms in structures:
        atoms.calc = calculator
        atoms.get_charges()
        if calculator.model.config.long_range.equilibration is None:
            gapt = mean_by_element(atoms.numbers, calculator.get_gapt_charges(atoms))
            assert judge_sign(gapt) != "opposes"
    assert not [each for each in recwarn if OPPOSITE in str(each.message)]
