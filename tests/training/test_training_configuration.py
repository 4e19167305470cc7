"""What `start` takes over, paths, and errors of a file before anything is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from ase.io import write

from ase_les.cli import main
from ase_les.configuration import from_mapping
from ase_les.model import LESModel
from ase_les.model_config import ArchitectureConfig, ShortRangeConfig
from ase_les.model_io import save_model
from ase_les.training.labeling.labeling_plan import read_labeling_plan
from ase_les.training.learning.configuration import (
    CardConfig,
    TrainingConfig,
    read_training_config,
)
from ase_les.training.learning.initial_model import completed
from ase_les.training.learning.train import train
from benchmarks.configuration_walk import walk
from tests.training.test_train import config, pairs

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "architecture",
    [
        {"long_range": None, "short_range": {"hidden": [5], "scale": 0.7}},
        {
            "long_range": {"charges": {"neutrality": "mean"}, "electrostatics": {"smearing": 1.3}},
            "total_charges": [0, 1],
            "core_repulsion": {"cutoff_scale": 0.6},
        },
    ],
)
def test_a_training_without_model_has_the_architecture_of_its_start(architecture):
    architecture = config(model=architecture).model
    scale = architecture.short_range or ShortRangeConfig(scale=2.0)
    known = architecture.complete({"Ar": 0.0, "He": 0.0}, scale)
    save_model("known.safetensors", LESModel(known, seed=1), {})
    write("data.extxyz", pairs())
    settings = from_mapping(
        TrainingConfig,
        {
            "data": {"training": "data.extxyz", "validation": 0.25},
            "start": "known.safetensors",
            "fit": {"epochs": 1},
            "output": "continued",
        },
    )
    found = train(settings).model.config
    # Energies of atoms are fitted to the data.
    assert found.atomic_energies != known.atomic_energies
    assert replace(found, atomic_energies=known.atomic_energies) == known


def test_an_architecture_without_representation_keeps_what_it_says():
    known = config(model={"total_charges": [0]}).model.complete({"Ar": 0.0}, ShortRangeConfig())
    asked = ArchitectureConfig(long_range=None)
    found = completed(asked, LESModel(known, seed=1))
    assert found.representation == known.representation
    assert found.long_range is None
    assert found.total_charges == (0,)


def test_without_model_and_start_both_are_named():
    with pytest.raises(ValueError, match="`model` lacks `representation`; add it, or set `start`"):
        from_mapping(TrainingConfig, {"data": {"training": "a"}})


def test_the_home_directory_in_paths(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    write(tmp_path / "home" / "data.extxyz", pairs())
    Path("train.yml").write_text(
        yaml.safe_dump(
            {
                "data": {"training": "~/data.extxyz", "validation": "~/data.extxyz@:2"},
                "model": {"representation": {"cutoff": 3.5, "n_radial": 3, "l_max": 1}},
                "fit": {"epochs": 1},
                "output": "~/model",
            }
        )
    )
    main_ends_with(0, ["train", "train.yml", "--quiet"])
    assert (tmp_path / "home" / "model.safetensors").exists()


def test_all_errors_of_a_file_at_once_and_nothing_is_written(capsys):
    write("data.extxyz", pairs())
    Path("train.yml").write_text(
        "data:\n  training: data.extxyz\n  validaton: 0.1\n"
        "model:\n  representation: {cutoff: -1}\n"
        "fit:\n  free_sum: 'no'\n  seed: one\n  gauge: {wieght: 1e-3}\n"
    )
    before = set(Path().iterdir())
    main_ends_with(2, ["train", "train.yml"])
    told = capsys.readouterr().err
    for expected in (
        "train.yml has 5 errors",
        "`data.validaton` (line 3): unknown key (did you mean `validation`?)",
        "`model.representation.cutoff` (line 5): given -1, needed: number ≥ 0.5 and ≤ 50 in Å",
        "`fit.free_sum` (line 7): given 'no', needed: true or false",
        "`fit.seed` (line 8): given 'one', needed: whole number ≥ 0",
        "`fit.gauge.wieght` (line 9): unknown key (did you mean `weight`?)",
    ):
        assert expected in told
    assert set(Path().iterdir()) == before


def test_a_mistake_in_a_plan_names_set_move_and_key(tmp_path):
    plan = tmp_path / "label.yml"
    plan.write_text(
        "engine: emtt\nsets:\n  hot:\n    start: a.xyz\n    sample:\n      moves:\n"
        "        - {kind: rattle}\n        - {kind: dynamics, held: Na}\n"
    )
    with pytest.raises(ValueError, match=r"label\.yml has 2 errors") as caught:
        read_labeling_plan(plan)
    told = str(caught.value)
    assert "`engine` (line 1): given 'emtt', needed: engine (gpaw, " in told
    assert "`sets.hot.sample.moves[1].held` (line 8): given 'Na', needed: list, each:" in told
    plan.write_text("engine: pyscf\nsettings: {grid_levl: 3}\nsets: {hot: {start: a.xyz}}\n")
    with pytest.raises(
        ValueError,
        match=r"`sets\.hot`: `settings`: `grid_levl`: unknown key \(did you mean `grid_level`",
    ):
        read_labeling_plan(plan)
    plan.write_text("engine: gpaw\nsettings: {vacum_A: 3}\nsets: {hot: {start: a.xyz}}\n")
    with pytest.raises(ValueError, match="unknown key `vacum_A`, did you mean `vacuum_A`"):
        read_labeling_plan(plan)


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"surfaces": [0, 1]}, "`named_limits.surfaces`: given .* needed: a reason in words"),
        ({"temperatures_K": "hot"}, "`named_limits.temperatures_K`: .* needed: two temperatures"),
        ({"temperatures_K": [1]}, "`card.named_limits.temperatures_K`: given"),
    ],
)
def test_limits_in_a_card_are_reasons_and_temperatures(limits, told):
    given = {"data": {"training": "a"}, "model": {"representation": {"cutoff": 4.0}}}
    card = {"named_limits": {"surfaces": "crystals only", "temperatures_K": [0, 400]}}
    found = from_mapping(TrainingConfig, {**given, "card": card}).card.entries()
    assert found == {"named_limits": {"surfaces": "crystals only", "temperatures_K": (0.0, 400.0)}}
    with pytest.raises(ValueError, match=told):
        from_mapping(TrainingConfig, {**given, "card": {"named_limits": limits}})


@pytest.mark.parametrize("path", sorted(MODELS.glob("*/train.yml")), ids=lambda p: p.parent.name)
def test_configurations_of_shipped_models_are_valid(path):
    read_training_config(path)
    for teacher in path.parent.glob("teachers/*.yml"):
        read_training_config(teacher)
    if (path.parent / "label.yml").exists():
        read_labeling_plan(path.parent / "label.yml")


def test_the_way_from_a_file_to_a_model_is_short():
    way = walk(MODELS / "nacl" / "train.yml")
    stays = [*way["file to configuration"], *way["configuration to LESModel"]]
    assert len(stays) <= 30
    assert len({stay.module for stay in stays}) <= 12


def main_ends_with(code: int, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == code


def test_the_earlier_spelling_of_license_is_read():
    given = {"licence": "MIT", "data": {"licence": "CC0"}}
    card = from_mapping(CardConfig, given)
    assert card.license == "MIT" and card.data.license == "CC0"
