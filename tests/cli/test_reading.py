"""What commands do with files of structures: formats, boundaries, and what they tell."""

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from ase.build import bulk, molecule
from ase.io import read, write

from ase_les import load_model, save_model
from ase_les.cli import VERBS, main
from ase_les.cli._reading import READING, directions


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def model(random_model):
    """A model file whose card says that it was trained on crystals."""
    save_model("model.safetensors", random_model(), {"periodic_directions": [3]})
    return "model.safetensors"


def run(*arguments):
    """Exit code of a command."""
    try:
        main([str(each) for each in arguments])
    except SystemExit as error:
        return error.code
    return 0


def water_box():
    atoms = molecule("H2O", cell=[6, 6, 6], pbc=True)
    atoms.center()
    return atoms


def test_a_cluster_needs_to_be_meant(model, capsys):
    write("a.xyz", molecule("H2O"))
    arguments = ("relax", "a.xyz", "--model", model, "--steps", 0)
    assert run(*arguments) == 2
    shown = capsys.readouterr().err
    assert "if a cell is missing" in shown and "--beyond-limits" in shown
    assert not list(Path().glob("relaxed*"))
    assert run(*arguments, "--beyond-limits") == 1
    assert not read("relaxed.traj").pbc.any()


def test_periodic_directions_are_those_of_the_command_line(model):
    write("a.xyz", water_box())
    assert (
        run("relax", "a.xyz", "--model", model, "--steps", 0, "--pbc", "TTF", "--beyond-limits")
        == 1
    )
    assert read("relaxed.traj").pbc.tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("F", (False,) * 3), ("t", (True,) * 3), ("TTF", (True, True, False)), ("T T F", None)],
)
def test_directions(text, expected):
    assert directions(text) == (expected or (True, True, False))
    with pytest.raises(ValueError, match="--pbc must be T, F or three"):
        directions("TF")


def test_the_frame_that_is_used_and_unused_entries_are_told_once(model, capsys):
    frames = [water_box(), water_box()]
    for atoms in frames:
        atoms.info["temperature"] = 300.0
    write("a.xyz", frames, format="extxyz")
    assert run("relax", "a.xyz", "--model", model, "--steps", 0) == 1
    told = capsys.readouterr().err
    assert told.count("a.xyz: not used: temperature") == 1
    assert "the last of 2 structures is used; a.xyz@N selects another" in told
    assert run("relax", "a.xyz@0", "--model", model, "--steps", 0, "--overwrite") == 1
    assert "the last of" not in capsys.readouterr().err
    assert run("relax", "a.xyz", "--model", model, "--steps", 0, "--overwrite", "--quiet") == 1
    assert "not used" not in capsys.readouterr().err


def test_a_format_is_taken(model):
    write("structure", water_box(), format="vasp")
    assert run("relax", "structure", "--model", model, "--steps", 0) == 2
    assert run("relax", "structure", "--model", model, "--steps", 0, "--format", "vasp") == 1
    assert len(read("relaxed.traj")) == 3


def test_every_command_that_reads_structures_takes_a_format(capsys):
    from importlib import import_module
    from inspect import signature

    for verb in VERBS:
        function = getattr(import_module(f"ase_les.cli.{verb}"), verb)
        if READING & set(signature(function).parameters):
            assert run(verb, "--help") == 0
            shown = capsys.readouterr().out
            assert "--format" in shown, verb
            assert "--pbc" in shown, verb


@pytest.mark.parametrize("verb", ["md", "born", "models"])
def test_help_survives_a_terminal_without_utf8(verb):
    environment = {
        **os.environ,
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONUTF8": "0",
        "LC_ALL": "C",
        "PYTHONIOENCODING": "ascii",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    command = f"from ase_les.cli import main; main(['{verb}', '--help'])"
    done = subprocess.run([sys.executable, "-c", command], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    shown = done.stdout.decode("ascii")
    assert "Usage" in shown
    assert ("eps inf" in shown) or ("epsinf" in shown) or verb != "born"


def test_shipped_models_know_their_boundaries():
    from ase_les import list_models

    known = {name: load_model(name).card["periodic_directions"] for name in list_models()}
    assert known["water-rpbe-d3"] == [3]
    assert known["dipeptides"] == [0]


def test_a_loss_that_is_no_number_ends_with_exit_code_2(monkeypatch, capsys):
    from ase_les.training.learning import train as module

    def broken(*arguments, **options):
        raise FloatingPointError("the loss is nan in epoch 1")

    monkeypatch.setattr(module, "train", broken)
    Path("train.yml").write_text(
        "data: {training: d.xyz}\nmodel: {representation: {cutoff: 3.0}}\n", encoding="utf-8"
    )
    assert run("train", "train.yml") == 2
    assert "the loss is nan" in capsys.readouterr().err


def test_labels_are_named_as_options(model, capsys):
    frames = [bulk("NaCl", "rocksalt", a=5.6)]
    write("d.xyz", frames, format="extxyz")
    assert run("evaluate", "d.xyz", "--model", model, "--energy-label", "dft") == 2
    assert "dft" in capsys.readouterr().err


def test_package_runs_as_a_module_and_tells_its_version():
    command = [sys.executable, "-m", "ase_les", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=True)
    assert done.stdout.split() == ["ase-les", metadata.version("ase_les")]
