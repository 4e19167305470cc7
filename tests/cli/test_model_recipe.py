"""A recipe makes a model and its short-range twin from a folder, and says both in the card."""

import json

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.io import write

from ase_les import load_model, save_model
from ase_les.cli.model_recipe import remake, short_range_entry, short_range_twin
from ase_les.model_io import model_hash
from ase_les.training.learning.fit import _Run
from ase_les.training.learning.train import read_training_config
from tests.other_device import other_device

TRAIN = {
    "data": {"training": "data.extxyz", "validation": 0.25, "test": 0.25},
    "model": {
        "representation": {
            "cutoff": 3.5,
            "n_radial": 3,
            "n_mixed": 2,
            "n_embedding": 1,
            "l_max": 1,
            "nu_max": 2,
        }
    },
    "fit": {"epochs": 2, "loss": {"dipole": 1.0}, "final_loss": {"dipole": 1.0}},
    "card": {"name": "pairs"},
}


@pytest.fixture
def folder(tmp_path):
    write_data(tmp_path)
    (tmp_path / "train.yml").write_text(yaml.safe_dump(TRAIN))
    return tmp_path


def write_data(folder, start=1.0):
    frames = []
    for seed in range(8):
        distance = start + 0.08 * seed
        atoms = Atoms("ArHe", [(0, 0, 0), (distance, 0, 0)])
        atoms.info |= {"REF_energy": 1 / distance, "REF_dipole": np.array([-0.1, 0.0, 0.0])}
        atoms.arrays["REF_forces"] = np.array([[-1.0, 0, 0], [1.0, 0, 0]]) / distance**2
        frames.append(atoms)
    write(folder / "data.extxyz", frames)


def recipe(folder, monkeypatch, *options):
    monkeypatch.setattr("sys.argv", ["recipe.py", *options])
    remake(folder)


def card(folder):
    return json.loads((folder / "card.json").read_text())


def test_a_trial_leaves_no_trace(folder, monkeypatch):
    before = set(folder.rglob("*"))
    recipe(folder, monkeypatch, "--quick")
    assert set(folder.rglob("*")) == before


def test_the_twin_is_the_same_model_without_charges(folder):
    config, _ = read_training_config(folder / "train.yml")
    twin = short_range_twin(config)
    assert twin.model.long_range is None
    assert twin.model.representation == config.model.representation
    assert not twin.fit.needs_response
    assert (twin.fit.epochs, twin.fit.loss.forces) == (config.fit.epochs, config.fit.loss.forces)


def test_card_and_model_file_say_what_the_twin_can_do(folder, monkeypatch):
    recipe(folder, monkeypatch, "--with-short-range")
    said = card(folder)["short_range"]
    assert said["test_errors"]["forces_rmse_meV_per_A"] > 0
    assert said["training"]["epochs"] == 2
    model = load_model(folder / "model.safetensors")
    assert model.long_range is not None
    assert model.card["short_range"] == said


@pytest.mark.slow
def test_model_and_twin_are_trained_on_the_device_asked_for(folder, monkeypatch):
    with other_device() as device:
        recipe(folder, monkeypatch, "--with-short-range", "--device", device)
    said = card(folder)
    assert said["training"]["device"] == said["short_range"]["training"]["device"] == device


def test_the_twin_can_come_later(folder, monkeypatch):
    recipe(folder, monkeypatch)
    alone = card(folder)
    assert "short_range" not in alone
    recipe(folder, monkeypatch, "--only-short-range")
    together = card(folder)
    assert together.pop("short_range")["test_errors"]
    assert together == alone


def test_words_in_the_card_can_change_without_training(folder, monkeypatch):
    recipe(folder, monkeypatch)
    trained = card(folder)
    (folder / "train.yml").write_text(yaml.safe_dump({**TRAIN, "card": {"name": "argon helium"}}))
    recipe(folder, monkeypatch, "--only-card")
    assert card(folder) == {**trained, "name": "argon helium"}


def test_what_a_card_says_of_charges_can_be_measured_without_training(folder, monkeypatch):
    recipe(folder, monkeypatch)
    trained = card(folder)["charges"]
    model = load_model(folder / "model.safetensors")
    told = {name: said for name, said in trained.items() if "by_element" not in name}
    save_model(folder / "model.safetensors", model, {**model.card, "charges": told})
    recipe(folder, monkeypatch, "--only-card")
    assert card(folder)["charges"] == trained
    assert set(trained["mean_latent_born_charge_by_element_e"]) == {"Ar", "He"}


@pytest.mark.slow
def test_a_finished_recipe_trains_anew_on_other_data(folder, monkeypatch, capsys):
    recipe(folder, monkeypatch)
    old = card(folder)
    write_data(folder, start=1.02)
    recipe(folder, monkeypatch)
    assert "data.training.sha256 was" in capsys.readouterr().err
    again = card(folder)
    recipe(folder, monkeypatch, "--work", str(folder / "elsewhere"))
    assert again["hash"] == card(folder)["hash"] != old["hash"]


def test_a_finished_recipe_trains_anew_when_the_model_is_another(folder, monkeypatch):
    recipe(folder, monkeypatch)
    other = {**TRAIN, "model": {**TRAIN["model"], "long_range": None}}
    without_dipoles = {"epochs": 2, "loss": {}, "final_loss": {}}
    (folder / "train.yml").write_text(yaml.safe_dump({**other, "fit": without_dipoles}))
    recipe(folder, monkeypatch)
    assert load_model(folder / "model.safetensors").long_range is None


@pytest.mark.slow
def test_a_finished_recipe_is_not_trained_again(folder, monkeypatch):
    recipe(folder, monkeypatch)
    monkeypatch.setattr(_Run, "one_epoch", lambda *_: pytest.fail("trained again"))
    recipe(folder, monkeypatch)


def test_an_interrupted_recipe_goes_on_with_its_own_data_only(folder, monkeypatch):
    whole_epoch = _Run.one_epoch

    def interrupted(run):
        if run.epoch == 1:
            raise KeyboardInterrupt
        return whole_epoch(run)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(_Run, "one_epoch", interrupted)
        recipe(folder, monkeypatch)
    write_data(folder, start=1.02)
    with pytest.raises(ValueError, match=r"data.training.sha256 was .* remove the file"):
        recipe(folder, monkeypatch)
    write_data(folder)
    epochs = []
    monkeypatch.setattr(_Run, "one_epoch", lambda run: epochs.append(run.epoch) or whole_epoch(run))
    recipe(folder, monkeypatch)
    assert epochs == [1]


@pytest.fixture
def with_teachers(folder):
    """A recipe whose model starts from one of two that are trained first, and learns from both."""
    learning = {"loss": {"born_charges": 1.0}, "final_loss": {"born_charges": 1.0}}
    data = {**TRAIN["data"], "training": "../data.extxyz"}
    (folder / "teachers").mkdir()
    for seed, name in enumerate(("first", "second")):
        plan = {**TRAIN, "data": data, "fit": {"epochs": 3, "seed": seed}}
        (folder / "teachers" / f"{name}.yml").write_text(yaml.safe_dump(plan))
    files = [f"work/teachers/{name}.safetensors" for name in ("first", "second")]
    pupil = {**TRAIN, "fit": {"epochs": 2, **learning}, "start": files[0], "teachers": files}
    (folder / "train.yml").write_text(yaml.safe_dump(pupil))
    return folder


@pytest.mark.slow
def test_teachers_are_trained_first_and_once(with_teachers, monkeypatch):
    recipe(with_teachers, monkeypatch, "--work", str(with_teachers / "elsewhere"))
    said = card(with_teachers)["training"]
    made = with_teachers / "elsewhere" / "teachers"
    teachers = [load_model(made / f"{name}.safetensors") for name in ("first", "second")]
    assert said["teachers"] == [model_hash(teacher) for teacher in teachers]
    assert said["start"] == said["teachers"][0]
    monkeypatch.setattr(_Run, "one_epoch", lambda *_: pytest.fail("trained again"))
    recipe(with_teachers, monkeypatch, "--work", str(with_teachers / "elsewhere"))


@pytest.mark.slow
def test_a_teacher_may_start_from_another(with_teachers, monkeypatch):
    plan = yaml.safe_load((with_teachers / "teachers" / "second.yml").read_text())
    plan["start"] = "../work/teachers/first.safetensors"
    (with_teachers / "teachers" / "second.yml").write_text(yaml.safe_dump(plan))
    recipe(with_teachers, monkeypatch, "--work", str(with_teachers / "elsewhere"))
    made = with_teachers / "elsewhere" / "teachers"
    first, second = (load_model(made / f"{name}.safetensors") for name in ("first", "second"))
    assert second.card["training"]["start"] == model_hash(first)


CHANGES = {
    "data": lambda plan: plan["data"].update(training="data.extxyz@1:"),
    "epochs": lambda plan: plan["fit"].update(epochs=3),
    "representation": lambda plan: plan["model"]["representation"].update(n_radial=4),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_card_keeps_the_twin_while_it_is_comparable(folder, monkeypatch, change):
    recipe(folder, monkeypatch, "--with-short-range")
    twin = card(folder)["short_range"]
    plan = yaml.safe_load((folder / "train.yml").read_text())
    plan["fit"]["seed"] = 7
    (folder / "train.yml").write_text(yaml.safe_dump(plan))
    recipe(folder, monkeypatch)
    assert card(folder)["training"]["fit"]["seed"] == 7
    assert card(folder)["short_range"] == twin
    assert load_model(folder / "model.safetensors").card["short_range"] == twin
    change(plan)
    (folder / "train.yml").write_text(yaml.safe_dump(plan))
    recipe(folder, monkeypatch)
    assert "short_range" not in card(folder)


@pytest.mark.slow
def test_the_twin_of_a_pupil_starts_from_the_twin_of_its_start(with_teachers, monkeypatch):
    epochs = []
    whole_epoch = _Run.one_epoch
    monkeypatch.setattr(
        _Run,
        "one_epoch",
        lambda run: epochs.append(run.model.long_range is None) or whole_epoch(run),
    )
    recipe(with_teachers, monkeypatch, "--with-short-range")
    assert (epochs.count(False), epochs.count(True)) == (3 + 3 + 2, 3 + 2)
    assert card(with_teachers)["short_range"]["training"]["start"]


@pytest.mark.slow
def test_a_trial_with_teachers_leaves_no_trace(with_teachers, monkeypatch):
    before = set(with_teachers.rglob("*"))
    recipe(with_teachers, monkeypatch, "--quick")
    assert set(with_teachers.rglob("*")) == before


def test_errors_on_other_data_are_not_compared():
    with pytest.raises(ValueError, match="trained on different data"):
        short_range_entry({"data_sha256": "a" * 64}, {"data_sha256": "b" * 64})
    same = {"data_sha256": "a" * 64}
    with pytest.raises(ValueError, match="trained on different data"):
        short_range_entry(same | {"samples_sha256": "c"}, same | {"samples_sha256": "d"})


def test_a_card_from_before_all_labels_counted_still_takes_a_twin():
    twin = {"data_sha256": "a", "samples_sha256": "c", "parameters": 7}
    assert short_range_entry({"data_sha256": "a"}, twin) == {"parameters": 7}


def test_a_missing_engine_names_itself_and_the_way_without_it(folder, monkeypatch):
    plan = {"engine": "gpaw", "sets": {"pairs": {"start": "data.extxyz"}}}
    (folder / "label.yml").write_text(yaml.safe_dump(plan))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"pip install gpaw.*--shipped-data"):
        recipe(folder, monkeypatch)
    recipe(folder, monkeypatch, "--shipped-data")
    assert card(folder)["name"] == "pairs"
