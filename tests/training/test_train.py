"""A training belongs to its data and its model, and no label makes it fail after its work."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from ase import Atoms
from ase.io import write

from ase_les import load_model
from ase_les.configuration import from_mapping
from ase_les.reports.terminal import TerminalProgress
from ase_les.runs.lock import OutputInUseError
from ase_les.training.learning.fit import _Run
from ase_les.training.learning.train import TrainingConfig, train
from ase_les.training.learning.training_data import read_data
from tests.other_device import other_device

REPRESENTATION = {
    "cutoff": 3.5,
    "n_radial": 3,
    "n_mixed": 2,
    "n_embedding": 1,
    "l_max": 1,
    "nu_max": 2,
}


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def pair(distance, symbols="ArHe", **info) -> Atoms:
    """Two atoms that repel each other."""
    atoms = Atoms(symbols, [(0, 0, 0), (distance, 0, 0)], info=info)
    atoms.info["REF_energy"] = 1 / distance
    atoms.arrays["REF_forces"] = np.array([[-1.0, 0, 0], [1.0, 0, 0]]) / distance**2
    return atoms


def pairs(start=1.0, **given) -> list[Atoms]:
    return [pair(start + 0.05 * step, **given) for step in range(8)]


def config(data=None, model=None, **fit) -> TrainingConfig:
    return from_mapping(
        TrainingConfig,
        {
            "data": {"training": "data.extxyz", "validation": 0.25, **(data or {})},
            "model": {"representation": REPRESENTATION, **(model or {})},
            "fit": {"epochs": 3, "validate_every": 1, **fit},
        },
    )


def stopped_in_epoch(number, monkeypatch, *arguments, **options):
    """A training until someone presses Ctrl-C."""
    whole_epoch = _Run.one_epoch

    def interrupted(run):
        if run.epoch == number - 1:
            raise KeyboardInterrupt
        return whole_epoch(run)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(_Run, "one_epoch", interrupted)
        train(*arguments, **options)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"data": {"training": "other.extxyz"}}, "data.training.sha256 was .*, is now .*"),
        ({"data": {"training": "more.extxyz"}}, "data.training.structures was 6, is now 7"),
        ({"data": {"validation": "other.extxyz"}}, "data.validation.structures was 2, is now 8"),
        (
            {"model": {"long_range": {"electrostatics": {"smearing": 2.0}}}},
            "model.long_range.electrostatics.smearing was 1.0, is now 2.0",
        ),
        ({"model": {"long_range": None}}, "model.long_range was .*, is now None"),
        (
            {"model": {"atomic_energies": {"Ar": 0.0, "He": 0.0}}},
            r"elements was \['He', 'Ar'\], is now \['Ar', 'He'\]",
        ),
    ],
)
def test_a_training_does_not_go_on_with_other_data_or_another_model(change, told):
    write("data.extxyz", pairs())
    write("more.extxyz", [*pairs(), pair(1.42)])
    write("other.extxyz", pairs(start=1.02))
    plain = {"model": {"atomic_energies": {"He": 0.0, "Ar": 0.0}}}
    model = train(config(**plain)).files.model
    before = model.read_bytes()
    with pytest.raises(ValueError, match=f"{told}.*--overwrite"):
        train(config(**{**plain, **change}), resume=True)
    assert model.read_bytes() == before


def test_an_overwritten_training_does_not_come_back(monkeypatch):
    write("data.extxyz", pairs())
    old = train(config(seed=1)).card["hash"]
    stopped_in_epoch(1, monkeypatch, config(seed=2), overwrite=True)
    with pytest.raises(ValueError, match="seed"):
        train(config(seed=1), resume=True)
    resumed = train(config(seed=2), resume=True).card["hash"]
    assert resumed == train(config(seed=2), overwrite=True).card["hash"] != old


def test_a_finished_model_is_not_lost_without_being_asked():
    write("data.extxyz", pairs())
    model = train(config()).files.model
    model.with_suffix(".checkpoint").unlink()
    before = model.read_bytes()
    with pytest.raises(FileExistsError, match=r"finished model: .*--overwrite"):
        train(config(epochs=1))
    assert model.read_bytes() == before
    train(config(epochs=1), overwrite=True)
    assert model.read_bytes() != before


def test_ctrl_c_says_from_which_epoch_it_goes_on(monkeypatch, capsys):
    write("data.extxyz", pairs())
    stopped_in_epoch(3, monkeypatch, config(), progress=TerminalProgress())
    assert (
        "stopped after epoch 2 of 3; continue with resume=True (--resume)"
        in capsys.readouterr().err
    )
    train(config(), resume=True)


def test_dipoles_that_are_all_the_same_do_not_cost_the_model():
    write("data.extxyz", pairs(REF_dipole=np.zeros(3)))
    result = train(config())
    assert result.files.model.exists()
    assert "validation_response" not in result.card


@pytest.mark.parametrize("part", ["validation", "test"])
@pytest.mark.parametrize(
    ("stranger", "told"),
    [
        ({"symbols": "ArNe"}, r"covers He, Ar; the structure also has Ne.* structure 1 of the"),
        ({"charge": 2}, r"total charge \[0, 1\] e, got 2.* structure 1 of the"),
    ],
)
def test_what_the_model_cannot_know_is_refused_before_the_work(part, stranger, told):
    write("data.extxyz", pairs())
    write("strangers.extxyz", [pair(1.1), pair(1.2, **stranger)])
    given = config({part: "strangers.extxyz"}, {"total_charges": [0, 1]})
    with pytest.raises(ValueError, match=f"{told} {part} data"):
        train(given)
    assert not list(Path().glob("model*"))


def test_every_file_gives_its_share_to_validation_and_test():
    write("data.extxyz", pairs())
    write("other.extxyz", pairs(2.0)[:4])
    parts = read_data(
        config({"training": ["data.extxyz", "other.extxyz"], "test": 0.25}), Path.cwd()
    )
    near_and_far = {
        name: (sum(s.energy[0] > 0.55 for s in part), sum(s.energy[0] < 0.55 for s in part))
        for name, part in parts.items()
    }
    assert near_and_far == {"training": (4, 2), "validation": (2, 1), "test": (2, 1)}


def test_no_file_to_train_on_is_refused():
    with pytest.raises(
        ValueError, match=r"`data.training`: given \[\], needed: file name, or list of them"
    ):
        config({"training": []})


def in_a_cell(atoms: Atoms) -> Atoms:
    atoms.set_cell([6.0, 6.0, 6.0])
    atoms.pbc = True
    return atoms


def test_charge_that_defines_no_polarization_does_not_cost_the_model():
    write("data.extxyz", [in_a_cell(atoms) for atoms in pairs(charge=1)])
    said = train(config()).card["charges"]
    assert set(said["mean_by_element_e"]) == {"Ar", "He"}
    assert "mean_latent_born_charge_by_element_e" not in said


def test_formal_charges_that_do_not_add_up_to_what_born_charges_need_are_found_before_training():
    frames = [in_a_cell(atoms) for atoms in pairs()]
    for atoms in frames:
        atoms.arrays["REF_born_effective_charges"] = np.zeros((2, 9))
    write("data.extxyz", frames)
    formal = {"formal_charges": {"Ar": 0.67, "He": -0.66}}
    with pytest.raises(ValueError, match=r"-0\.01 e beyond .* structure 0 of the training data"):
        train(config(model={"long_range": {"charges": formal}}))
    assert list(Path().iterdir()) == [Path("data.extxyz")]


@pytest.mark.slow
def test_a_training_on_another_device_leaves_a_model_for_any():
    write("data.extxyz", pairs())
    with other_device() as device:
        done = train(config(), device=device)
    assert done.card["training"]["device"] == device
    assert load_model("model.safetensors").device.type == "cpu"


def test_a_device_that_is_not_there_is_refused_before_anything_is_written():
    write("data.extxyz", pairs())
    with pytest.raises(ValueError, match="`device` must be one that torch finds here"):
        train(config(), device="cuda:99")
    assert list(Path().iterdir()) == [Path("data.extxyz")]


def test_a_training_that_is_under_way_is_not_started_again(monkeypatch):
    write("data.extxyz", pairs())
    whole_epoch, refused = _Run.one_epoch, []

    def epoch(run):
        if not refused:
            for options in ({"resume": True}, {"overwrite": True}, {}):
                with pytest.raises(OutputInUseError, match="is in use by process"):
                    train(config(), **options)
                refused.append(options)
        return whole_epoch(run)

    monkeypatch.setattr(_Run, "one_epoch", epoch)
    train(config())
    assert len(refused) == 3 and not list(Path().glob(".*.lock"))


def test_coincident_atoms_are_named_before_the_first_epoch(monkeypatch):
    monkeypatch.setattr(_Run, "one_epoch", lambda run: pytest.fail("an epoch was begun"))
    for name, data in (("data.extxyz", {}), ("other.extxyz", {"validation": "other.extxyz"})):
        write("data.extxyz", pairs())
        frames = pairs()
        frames[3].positions[1] = frames[3].positions[0] + 0.01
        write(name, frames)
        with pytest.raises(ValueError, match=rf"{name}: structure 3: atoms .* apart"):
            train(config(data))
        assert not Path("model.checkpoint").exists()


def test_a_loss_that_is_not_a_number_ends_with_code_2(monkeypatch, capsys):
    from ase_les.cli import main

    write("data.extxyz", pairs())
    monkeypatch.setattr("ase_les.training.learning.fit.loss", lambda *_: torch.tensor(torch.nan))
    Path("train.yml").write_text(
        yaml.safe_dump(
            {
                "data": {"training": "data.extxyz", "validation": 0.25},
                "model": {"representation": REPRESENTATION},
                "fit": {"epochs": 3},
            }
        )
    )
    with pytest.raises(SystemExit) as ended:
        main(["train", "train.yml", "--quiet"])
    assert ended.value.code == 2
    assert "the loss is nan in epoch 1; lower `learning_rate`" in capsys.readouterr().err


def test_energies_of_files_with_another_zero_are_not_used():
    write("data.extxyz", pairs())
    shifted = pairs(2.0, symbols="NeHe")
    for atoms in shifted:
        atoms.info["REF_energy"] += 1000.0
    write("other.extxyz", shifted)
    files = {"training": ["data.extxyz", "other.extxyz"], "without_energy": ["other.extxyz"]}
    training = config(files)
    samples = read_data(training, Path())["training"]
    assert [bool(sample.energy.isnan().all()) for sample in samples] == [False] * 6 + [True] * 6
    assert not any(sample.forces.isnan().any() for sample in samples)
    fitted = train(training).model.config.atomic_energies
    # Not 1000 eV for two atoms, and nothing for the element without energies.
    assert abs(fitted["Ar"] + fitted["He"]) < 2
    assert fitted["Ne"] == 0
    with pytest.raises(ValueError, match=r"'othr\.extxyz', which is no file of the data"):
        config({**files, "without_energy": ["othr.extxyz"]})
    for atoms in shifted:
        del atoms.arrays["REF_forces"]
    write("other.extxyz", shifted)
    with pytest.raises(ValueError, match="needs forces in every structure"):
        read_data(training, Path())
