"""A training may start from a trained model, and learn the mean charges of several."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.io import write

from ase_les.charges import ChargesConfig
from ase_les.configuration import from_mapping
from ase_les.electrostatics.energy import ElectrostaticsConfig
from ase_les.model import LESModel, LongRangeConfig, ModelConfig, ShortRangeConfig
from ase_les.model_config import ArchitectureConfig
from ase_les.model_io import load_model, model_hash, save_model
from ase_les.representation import CaceConfig
from ase_les.training.learning.dataset import LabelNames, labeled
from ase_les.training.learning.initial_model import model_from
from ase_les.training.learning.response_evaluation import compare_response
from ase_les.training.learning.teachers import distill_labels
from ase_les.training.learning.train import TrainingConfig, train
from ase_les.units import COULOMB_CONSTANT

REPRESENTATION = CaceConfig(3.5, n_radial=3, n_mixed=2, n_embedding=1, l_max=1, nu_max=2)
LONG_RANGE = LongRangeConfig(ChargesConfig(neutrality="mean", scale=1.0))
ARCHITECTURE = ArchitectureConfig(
    representation=REPRESENTATION, short_range=ShortRangeConfig(scale=0.5), long_range=LONG_RANGE
)
# He comes first, against the order of the alphabet and of the periodic table's lower rows.
ENERGIES = {"He": -2.0, "Ar": -5.0, "Ne": -3.0}


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def trained(seed, architecture=ARCHITECTURE, total_charges=()) -> LESModel:
    config = ModelConfig(
        ENERGIES,
        architecture.representation,
        architecture.short_range,
        architecture.long_range,
        total_charges,
    )
    return LESModel(config, seed=seed).double()


def trios(n=6) -> list[Atoms]:
    frames = []
    for seed in range(n):
        rng = np.random.default_rng(seed)
        atoms = Atoms(["ArHe2", "Ar2He"][seed % 2], rng.normal(0, 0.1, (3, 3)) + 1.5 * np.eye(3))
        atoms.info["REF_energy"] = -8.0 + 0.1 * seed
        atoms.arrays["REF_forces"] = rng.normal(0, 0.5, (3, 3))
        # Of nothing these models know.
        atoms.info["REF_dipole"] = np.array([7.0, 8.0, 9.0])
        frames.append(atoms)
    return frames


def samples(frames=None):
    return labeled(frames or trios(), 3.5, LabelNames())


def config(fit=None, **given) -> TrainingConfig:
    data = {"training": "data.extxyz", "validation": 0.2}
    plain = {
        "representation": vars(REPRESENTATION) | {"layers": []},
        "short_range": {"scale": 0.5},
        "long_range": {"charges": {"neutrality": "mean", "scale": 1.0}},
    }
    return from_mapping(
        TrainingConfig,
        {"data": data, "model": plain, "fit": {"epochs": 2, **(fit or {})}, **given},
    )


LEARN_BORN = {"loss": {"born_charges": 1.0}, "final_loss": {"born_charges": 1.0}}


def dipole(model, atoms) -> np.ndarray:
    (sample,) = samples([atoms])
    with torch.no_grad():
        charges = model(sample.graph).charges[:, 0].numpy()
    return charges @ atoms.positions


def test_a_model_that_goes_on_knows_what_it_knew():
    known = trained(1)
    model = model_from(known, replace(ARCHITECTURE, atomic_energies=ENERGIES), samples())
    assert model is not known
    for sample in samples():
        assert torch.equal(model(sample.graph).energy, known(sample.graph).energy)


def test_atomic_energies_follow_another_level_of_theory():
    known, shift = trained(1), {"Ar": 300.0, "He": -40.0}
    frames = trios()
    for atoms, sample in zip(frames, samples(), strict=True):
        own = known(sample.graph).energy.item()
        atoms.info["REF_energy"] = own + sum(shift[symbol] for symbol in atoms.symbols)
    model = model_from(known, ARCHITECTURE, samples(frames))
    for sample in samples(frames):
        assert model(sample.graph).energy.item() == pytest.approx(sample.energy.item(), abs=1e-9)
    assert list(model.config.atomic_energies) == list(ENERGIES)
    assert model.config.atomic_energies["Ne"] == ENERGIES["Ne"]


def test_another_architecture_is_no_start():
    other = replace(ARCHITECTURE, representation=replace(REPRESENTATION, l_max=2))
    with pytest.raises(ValueError, match=r"\.l_max is 1, requested 2\. Adapt `model` to it"):
        model_from(trained(1), other, samples())
    with pytest.raises(ValueError, match=r"long_range is .*, requested None"):
        model_from(trained(1), replace(ARCHITECTURE, long_range=None), samples())


def test_a_start_may_have_another_sum_of_charges():
    without = replace(LONG_RANGE, electrostatics=ElectrostaticsConfig(1.2, remove_self_energy=True))
    kept = replace(LONG_RANGE, electrostatics=ElectrostaticsConfig(1.2, remove_self_energy=False))
    known = trained(1, replace(ARCHITECTURE, long_range=without))
    asked = replace(ARCHITECTURE, long_range=kept, atomic_energies=ENERGIES)
    model = model_from(known, asked, samples())
    assert model.config.long_range == kept
    for sample in samples():
        before, now = known(sample.graph), model(sample.graph)
        assert torch.equal(now.charges, before.charges)
        own = COULOMB_CONSTANT / np.sqrt(2 * np.pi) / 1.2 * before.charges.square().sum()
        assert own > 1e-4
        torch.testing.assert_close(now.energy - before.energy, own[None], rtol=0, atol=1e-9)


def test_an_element_the_start_does_not_know_is_named():
    atoms = trios()[0]
    atoms.symbols[0] = "Xe"
    with pytest.raises(ValueError, match=r"covers He, Ar, Ne; the structure also has Xe"):
        model_from(trained(1), ARCHITECTURE, samples([atoms]))


def test_teachers_say_the_mean_of_their_dipoles_and_born_charges():
    teachers, atoms, step = [trained(1), trained(2)], trios()[0], 1e-4
    (sample,) = distill_labels(samples([atoms]), teachers)
    mean = np.mean([dipole(teacher, atoms) for teacher in teachers], axis=0)
    assert sample.dipole[0].numpy() == pytest.approx(mean, abs=1e-12)
    born = np.zeros((3, 3, 3))
    for i, a in np.ndindex(3, 3):
        for sign in (1, -1):
            moved = atoms.copy()
            moved.info, moved.arrays["REF_forces"] = atoms.info, atoms.arrays["REF_forces"]
            moved.positions[i, a] += sign * step
            of_each = [dipole(teacher, moved) for teacher in teachers]
            born[i, :, a] += sign * np.mean(of_each, axis=0) / (2 * step)
    assert sample.born_charges.numpy() == pytest.approx(born, abs=1e-7)
    assert np.ptp(born) > 1e-3


def test_the_dipole_of_a_crystal_is_not_taught():
    atoms = trios()[0]
    atoms.cell, atoms.pbc = 8 * np.eye(3), True
    (sample,) = distill_labels(samples([atoms]), [trained(1)])
    assert sample.dipole.isnan().all()
    assert sample.born_charges.isfinite().all()


def test_a_teacher_without_charges_is_refused():
    without = trained(1, replace(ARCHITECTURE, long_range=None))
    with pytest.raises(ValueError, match="teacher 1 does not have one charge"):
        distill_labels(samples(), [trained(1), without])


@pytest.mark.slow
def test_a_pupil_comes_to_say_what_its_teachers_say_on_average():
    write("data.extxyz", trios(12))
    first, second = trained(1), trained(2)
    save_model("first.safetensors", first)
    save_model("second.safetensors", second)
    lesson = distill_labels(samples(), [first, second])
    before = compare_response(first, lesson).agreements()["born_effective_charges_e"].rmse
    weights = {"energy": 1e-6, "forces": 1e-6, "born_charges": 100.0}
    fit = {"epochs": 40, "loss": weights, "final_loss": weights, "dtype": "float64"}
    files = ["first.safetensors", "second.safetensors"]
    asked = config(fit, start=files[0], teachers=files)
    # Without validation the last weights are kept.
    result = train(replace(asked, data=replace(asked.data, validation=0.0)))
    after = compare_response(result.model, lesson).agreements()["born_effective_charges_e"].rmse
    assert after < 0.3 * before
    said = result.card["training"]
    assert said["start"] == model_hash(first)
    assert said["teachers"] == [model_hash(first), model_hash(second)]
    assert "teachers" in result.card["charges"]["sign"]


def test_a_card_has_the_time_of_all_trainings_once():
    write("data.extxyz", trios())
    for seed, seconds in (("first", 100), ("second", 20)):
        save_model(f"{seed}.safetensors", trained(len(seed)), {"training": {"seconds": seconds}})
    files = ["first.safetensors", "second.safetensors"]
    pupil = train(config(LEARN_BORN, start=files[0], teachers=files, output="pupil"))
    assert pupil.card["training"]["seconds_before"] == 120
    alone = train(config(output="alone"))
    assert "seconds_before" not in alone.card["training"]


def test_the_card_describes_the_data_and_not_what_teachers_say():
    write("data.extxyz", trios())
    save_model("first.safetensors", trained(1))
    plain = train(config(output="plain")).card
    pupil = train(config(LEARN_BORN, teachers=["first.safetensors"], output="pupil"))
    assert pupil.card["samples_sha256"] == plain["samples_sha256"]


@pytest.mark.parametrize("changed", ["first.safetensors", "second.safetensors"])
def test_a_training_does_not_go_on_with_another_start_or_teacher(changed):
    write("data.extxyz", trios())
    save_model("first.safetensors", trained(1))
    save_model("second.safetensors", trained(2))
    asked = config(LEARN_BORN, start="first.safetensors", teachers=["second.safetensors"])
    train(asked)
    again = train(asked, resume=True)
    assert again.card["training"]["epochs"] == 2
    save_model(changed, trained(3))
    with pytest.raises(ValueError, match=r"was .*, is now .*--overwrite"):
        train(asked, resume=True)


def test_a_shipped_model_may_be_the_start():
    known = load_model("nacl")
    architecture = ArchitectureConfig(
        representation=known.config.representation,
        long_range=known.config.long_range,
        total_charges=known.config.total_charges,
    )
    crystal = Atoms(
        "NaCl",
        [(0, 0, 0), (2.8, 0, 0)],
        cell=[[0, 2.8, 2.8], [2.8, 0, 2.8], [2.8, 2.8, 0]],
        pbc=True,
    )
    crystal.info["REF_energy"] = -7.0
    crystal.arrays["REF_forces"] = np.zeros((2, 3))
    data = labeled([crystal], known.config.cutoff, LabelNames())
    model = model_from(known, architecture, data)
    assert model(data[0].graph).energy.item() == pytest.approx(-7.0)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"teachers": ["first.safetensors"]}, "weights are zero: set `born_charges`"),
        (
            {"start": "a.safetensors", "fit": {"bond_polarity": 0.8}},
            "would replace the charges of `start`",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(given, told):
    with pytest.raises(ValueError, match=told):
        config(**given)


def test_a_start_that_is_not_there_is_named():
    write("data.extxyz", trios())
    with pytest.raises(FileNotFoundError, match="nowhere"):
        train(config(start="nowhere.safetensors"))
