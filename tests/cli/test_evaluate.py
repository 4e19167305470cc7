"""``ase-les evaluate``: nothing is lost unasked, labels are named as options."""

import json
from pathlib import Path

import pytest
from ase.build import molecule
from ase.io import write

from ase_les import save_model
from ase_les.cli import main
from tests.other_device import other_device


@pytest.fixture(autouse=True)
def labeled_hydroxide(tmp_path, monkeypatch, random_model):
    monkeypatch.chdir(tmp_path)
    save_model("model.safetensors", random_model(total_charges=(-1,)))
    atoms = molecule("OH")
    atoms.info["dft_energy"] = -445.0
    write("data.extxyz", atoms)


def exit_code(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code or 0


EVALUATE = ("evaluate", "data.extxyz", "--model", "model.safetensors", "--output", "report")
LABELED = (*EVALUATE, "--energy-label", "dft_energy", "--charge", "-1")


def test_an_earlier_evaluation_is_replaced_only_when_allowed(capsys):
    assert exit_code(*LABELED, "--json") == 0
    assert json.loads(capsys.readouterr().out)["errors"]["energy_rmse_meV_per_atom"] > 0
    for ending in ("summary.yml", "response.png"):
        Path(f"report-{ending}").write_text("of an earlier evaluation")
    assert exit_code(*LABELED) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert Path("report-summary.yml").read_text() == "of an earlier evaluation"
    assert exit_code(*LABELED, "--overwrite") == 0
    assert "errors:" in Path("report-summary.yml").read_text()
    assert not Path("report-response.png").exists()


def test_a_total_charge_that_the_data_do_not_tell_is_an_option(capsys):
    assert exit_code(*EVALUATE, "--energy-label", "dft_energy") == 2
    assert "--charge" in capsys.readouterr().err


def test_data_without_labels_tell_the_options_that_name_them(capsys):
    assert exit_code(*EVALUATE) == 2
    told = capsys.readouterr().err
    assert "dft_energy" in told
    assert "--energy-label and --forces-label" in told


def test_data_that_cannot_be_read_are_named(capsys):
    Path("bad.xyz").write_text("garbage")
    assert exit_code("evaluate", "bad.xyz", "--model", "model.safetensors") == 2
    assert "cannot read bad.xyz as extxyz" in capsys.readouterr().err


def test_some_structures_of_a_file_are_judged_alone(capsys):
    frames = [molecule("OH") for _ in range(3)]
    for number, atoms in enumerate(frames):
        atoms.info["dft_energy"] = -445.0 - number
    write("several.extxyz", frames)
    judged = {}
    for chosen in ("several.extxyz@1:", "several.extxyz@2"):
        command = ("evaluate", chosen, *LABELED[2:], "--overwrite", "--json", "--quiet")
        assert exit_code(*command) == 0
        judged[chosen] = json.loads(capsys.readouterr().out)["errors"]
    assert [errors["n_structures"] for errors in judged.values()] == [2, 1]
    assert exit_code("evaluate", "several.extxyz@7:", *LABELED[2:], "--overwrite") == 2
    assert "counted from 0" in capsys.readouterr().err


def test_options_of_an_evaluation_can_stand_in_a_file(capsys):
    Path("judge.yml").write_text("model: model.safetensors\nenergy-label: dft_energy\ncharge: -1\n")
    assert exit_code("evaluate", "data.extxyz", "--config", "judge.yml", "--json", "--quiet") == 0
    assert json.loads(capsys.readouterr().out)["model"] == "model.safetensors"


def test_a_model_is_judged_on_another_device(capsys):
    judged = []
    with other_device() as device:
        for where in ("cpu", device):
            command = (*LABELED, "--device", where, "--dtype", "float64", "--overwrite", "--json")
            assert exit_code(*command, "--quiet") == 0
            judged.append(json.loads(capsys.readouterr().out)["errors"])
    assert judged[0] == judged[1]
    assert exit_code(*LABELED, "--overwrite", "--device", "cuda:99") == 2
    assert "torch finds here" in capsys.readouterr().err
