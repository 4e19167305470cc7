"""Examples can be used, and references describe every key."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import read, write

from ase_les.cli import main
from ase_les.configuration import from_mapping, read_configuration
from ase_les.reports.configuration import (
    LABELING_EXAMPLE,
    SAMPLING_EXAMPLE,
    TRAINING_EXAMPLE,
    configuration_reference,
    descriptions,
    example,
    keys,
)
from ase_les.training.labeling.labeling_plan import LabelingPlan
from ase_les.training.learning.configuration import TrainingConfig
from ase_les.training.structures.sampling import SamplingRecipe
from benchmarks.wrong_configurations import configurations

EXAMPLES = {
    TrainingConfig: TRAINING_EXAMPLE,
    SamplingRecipe: SAMPLING_EXAMPLE,
    LabelingPlan: LABELING_EXAMPLE,
}


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("cls", configurations(), ids=lambda cls: cls.__name__)
def test_every_key_has_a_description_and_nothing_else_has_one(cls):
    named = [key.name for key in keys(cls)]
    assert [key.name for key in keys(cls) if len(key.meaning) < 5] == []
    assert set(descriptions(cls)) - {"kind"} <= set(named)


@pytest.mark.parametrize("cls", EXAMPLES, ids=lambda cls: cls.__name__)
def test_an_example_has_the_defaults_and_all_keys(cls):
    text = example(cls, EXAMPLES[cls])
    Path("example.yml").write_text(text)
    assert read_configuration(cls, "example.yml") == from_mapping(cls, EXAMPLES[cls])
    for key in keys(cls):
        assert any(line.lstrip("# ").startswith(f"{key.name}:") for line in text.splitlines())


def test_the_example_of_a_training_trains(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["train", "--example"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "cutoff: 5.0" in text and "# Passes over the training data. [whole number ≥ 1]" in text
    frames = []
    for step in range(8):
        distance = 1.0 + 0.05 * step
        atoms = Atoms("ArHe", [(0, 0, 0), (distance, 0, 0)], info={"REF_energy": 1 / distance})
        atoms.arrays["REF_forces"] = np.array([[-1.0, 0, 0], [1.0, 0, 0]]) / distance**2
        frames.append(atoms)
    write("data.extxyz", frames)
    Path("train.yml").write_text(text.replace("epochs: 400", "epochs: 1"))
    with pytest.raises(SystemExit) as ended:
        main(["train", "train.yml", "--quiet"])
    assert ended.value.code == 0
    assert Path("model.safetensors").exists()


def test_the_example_of_a_recipe_samples(capsys):
    with pytest.raises(SystemExit):
        main(["label", "--example"])
    text = capsys.readouterr().out
    Path("recipe.yml").write_text(text.replace("stride: 50", "stride: 2"))
    write("start.xyz", bulk("Cu", cubic=True))
    with pytest.raises(SystemExit) as ended:
        main(["label", "start.xyz", "--sample", "recipe.yml", "--engine", "emt", "--quiet"])
    assert ended.value.code == 0
    assert len(read("labeled.extxyz", ":")) == 1 + 10 + 3 * 10


@pytest.mark.parametrize(
    ("command", "told"),
    [("train", "smearing: number ≥ 0.1 and ≤ 50 in Å; default: 1.0"), ("label", "grid_level:")],
)
def test_keys_on_the_terminal(command, told, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--keys"])
    assert ended.value.code == 0
    assert told in capsys.readouterr().out


def test_the_reference_has_every_key():
    text = configuration_reference()
    for cls in configurations():
        # A complete model is no file of its own.
        for key in keys(cls) if cls.__name__ != "ModelConfig" else ():
            assert f"``{key.name}``" in text
    assert "``model.long_range.electrostatics``" in text
    assert "Settings of the engine ``pyscf``" in text
