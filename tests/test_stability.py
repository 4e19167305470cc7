"""Stability of shipped models in dynamics: ``models/stability.py``."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase.io import read, write

SCRIPT = Path(__file__).parents[1] / "models" / "stability.py"


def run_of(outcome):
    (run,) = outcome["runs"].values()
    return run


@pytest.fixture
def outcome_of(tmp_path, monkeypatch):
    def outcome(*arguments):
        command = [str(SCRIPT), "nacl-cluster", "--index", "0", "--work", str(tmp_path), *arguments]
        monkeypatch.setattr(sys, "argv", command)
        runpy.run_path(str(SCRIPT), run_name="__main__")
        return yaml.safe_load((tmp_path / "stability.yml").read_text("utf-8"))

    return outcome


def test_a_run_that_holds_is_counted_and_not_repeated(outcome_of):
    first = outcome_of("--picoseconds", "0.005")
    assert first["held"] == 1
    assert run_of(first)["stopped"] is None
    assert run_of(first)["time_ps"] == pytest.approx(0.005)
    assert outcome_of("--picoseconds", "0.005")["runs"] == first["runs"]


def test_a_run_that_ends_in_an_alarm_does_not_hold(outcome_of):
    found = outcome_of("--picoseconds", "0.5", "--temperature-K", "19000")
    assert found["held"] == 0
    assert "domain of the model" in run_of(found)["stopped"]


def test_without_a_test_file_structures_are_the_held_back_part_of_the_data(tmp_path):
    folder = SCRIPT.with_name("nacl-cluster")
    config = yaml.safe_load((folder / "train.yml").read_text("utf-8"))
    config["data"] |= {"training": "data.extxyz", "test": 0.2}
    (tmp_path / "train.yml").write_text(yaml.safe_dump(config), "utf-8")
    frames = read(folder / "data.extxyz", ":")
    write(tmp_path / "data.extxyz", frames)
    found = runpy.run_path(str(SCRIPT))["test_structures"](tmp_path)
    assert len(found) == round(0.2 * len(frames))
    known = np.array([atoms.positions[:3] for atoms in frames])
    for atoms in found:
        assert np.isclose(known, atoms.positions[:3], atol=1e-6).all((1, 2)).any()
