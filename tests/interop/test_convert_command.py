"""``ase-les convert`` writes model files that give the same energies."""

from __future__ import annotations

import json

import numpy as np
import pytest
from ase import Atoms
from ase.io import write

from ase_les import load_model
from ase_les.cli import main
from ase_les.graph import graph_from_atoms
from ase_les.interop import read_checkpoint
from ase_les.neighbors import NeighborList


def run(*arguments) -> int:
    """The exit code of the command."""
    with pytest.raises(SystemExit) as ended:
        main(["convert", *map(str, arguments)])
    return ended.value.code or 0


def energy(model, atoms: Atoms) -> float:
    return model(graph_from_atoms(atoms, NeighborList(model.config.cutoff))).energy.item()


def molecules() -> list[Atoms]:
    rng = np.random.default_rng(5)
    return [
        Atoms(
            f"H{h}N{n}O{o}", rng.uniform(0, 1, (h + n + o, 3)) * 4 + np.arange(h + n + o)[:, None]
        )
        for h, n, o in ((2, 1, 1), (1, 2, 1), (3, 1, 2), (1, 1, 3), (2, 2, 1))
    ]


def test_converted_file_gives_the_energies_of_the_checkpoint(checkpoint, tmp_path):
    output = tmp_path / "model.safetensors"
    assert run(checkpoint, "-o", output) == 0
    converted, published = load_model(output), read_checkpoint(checkpoint)
    assert converted.card == published.card
    for atoms in molecules():
        assert energy(converted, atoms) == energy(published, atoms)


def test_atomic_energies_are_taken_from_the_command_line(checkpoint, tmp_path, capsys):
    output = tmp_path / "model.safetensors"
    assert run(checkpoint, "-o", output, "--atomic-energies", "H=-5.85,N=-7.1, O=-2.93") == 0
    assert dict(load_model(output).config.atomic_energies) == {"H": -5.85, "N": -7.1, "O": -2.93}
    capsys.readouterr()
    assert run(checkpoint, "-o", tmp_path / "m.safetensors", "--atomic-energies", "H:-5") == 2
    assert "H=-5.85,O=-2.93" in capsys.readouterr().err


def test_atomic_energies_are_recovered_from_labels(checkpoint, tmp_path, capsys):
    truth = {"H": -13.6, "N": -270.25, "O": -431.5}
    model = read_checkpoint(checkpoint, truth)
    frames = molecules()
    for atoms in frames:
        atoms.info["REF_energy"] = energy(model, atoms)
    write(tmp_path / "labelled.extxyz", frames)
    output = tmp_path / "model.safetensors"
    arguments = ("--fit-atomic-energies", tmp_path / "labelled.extxyz", "--json", "--quiet")
    assert run(checkpoint, "-o", output, *arguments) == 0
    found = load_model(output)
    assert dict(found.config.atomic_energies) == pytest.approx(truth, abs=1e-5)
    assert found.card["atomic_energies"] == "fitted to REF_energy of labelled.extxyz"
    assert json.loads(capsys.readouterr().out)["output"] == str(output)


def test_converged_sum_is_asked_for(checkpoint, tmp_path):
    output = tmp_path / "model.safetensors"
    assert run(checkpoint, "-o", output, "--converged-ewald") == 0
    electrostatics = load_model(output).config.long_range.electrostatics
    published = read_checkpoint(checkpoint).config.long_range.electrostatics
    assert electrostatics.kernel().k_cutoff > 1.5 * published.kernel().k_cutoff


def test_existing_file_is_replaced_only_when_told(checkpoint, tmp_path, capsys):
    output = tmp_path / "model.safetensors"
    output.write_text("precious")
    assert run(checkpoint, "-o", output) == 2
    assert "--force" in capsys.readouterr().err and output.read_text() == "precious"
    assert run(checkpoint, "-o", output, "--force") == 0
    load_model(output)


def test_checkpoint_that_cannot_be_read_leaves_no_file(tmp_path, capsys):
    (tmp_path / "bad.pth").write_text("hello")
    output = tmp_path / "model.safetensors"
    assert run(tmp_path / "bad.pth", "-o", output) == 2
    assert "not a zip archive" in capsys.readouterr().err and not output.exists()
