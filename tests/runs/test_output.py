"""Summaries and other output files: whole, and never lost by accident."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml

from ase_les.runs.output import (
    OutputFiles,
    RunFiles,
    RunOptions,
    prepared_output,
    replace_file,
    summary_as_json,
    write_summary,
)
from ase_les.statistics import Estimate


@dataclass(frozen=True)
class Finding:
    energy_eV: float
    temperature_K: Estimate
    charges_e: np.ndarray
    folder: Path


FINDING = Finding(np.float64(1.5), Estimate(300.0, np.nan), np.array([[0.5, -0.5]]), Path("here"))


def test_summary_keeps_values_units_and_versions(tmp_path):
    path = tmp_path / "a-summary.yml"
    write_summary(path, {"task": "test", "results": FINDING})
    read = yaml.safe_load(path.read_text())
    assert read["results"] == {
        "energy_eV": 1.5,
        "temperature_K": {"mean": 300.0, "standard_error": None},
        "charges_e": [[0.5, -0.5]],
        "folder": "here",
    }
    assert list(read)[-2:] == ["task", "results"]
    assert read["versions"]["numpy"] == np.__version__


def test_json_summary_can_be_read_by_strict_readers():
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    text = summary_as_json({"results": FINDING, "drift": float("inf")})
    read = json.loads(text, parse_constant=refuse)
    assert read["drift"] is None
    assert read["results"]["temperature_K"]["mean"] == 300.0


def test_a_crash_while_writing_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "state"
    replace_file(path, b"old")

    def crash(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(OSError, match="disk full"):
        replace_file(path, b"new and longer")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_stem_keeps_its_dots():
    assert OutputFiles(Path("water-300.5K")).summary == Path("water-300.5K-summary.yml")


def test_an_earlier_analysis_is_refused_before_anything_is_computed(tmp_path):
    stem = tmp_path / "folder" / "water"
    files = prepared_output(stem, overwrite=False)
    assert prepared_output(None, overwrite=False) is None
    files.figure.write_bytes(b"")
    with pytest.raises(FileExistsError, match=r"exists already \(water\.png\)"):
        prepared_output(stem, overwrite=False)
    assert prepared_output(stem, overwrite=True) == files


def test_options_of_a_run_allow_what_is_continued_or_replaced(tmp_path):
    stem = tmp_path / "salt"
    Path(f"{stem}-summary.yml").write_text("")
    with pytest.raises(FileExistsError, match=r"salt-summary\.yml"):
        RunOptions.from_keywords(stem).prepare("-summary.yml")
    RunOptions.from_keywords(stem).prepare("-other.npz")
    RunOptions.from_keywords(stem, resume=True).prepare("-summary.yml")
    RunOptions.from_keywords(stem, overwrite=True).prepare("-summary.yml")
    assert RunOptions.from_keywords().named("-summary.yml") is None


def test_a_new_run_removes_its_predecessor_and_no_other_files(tmp_path):
    files = RunFiles(tmp_path / "water")
    mine = [files.trajectory, files.log, files.checkpoint, files.named("-rdf.npz")]
    other = [files.named("-notes.txt"), files.named("2.traj")]
    for path in (*mine, *other):
        path.write_bytes(b"")
    with pytest.raises(FileExistsError, match=r"water\.traj, water\.log, water\.checkpoint"):
        files.prepare_run(overwrite=False)
    files.prepare_run(overwrite=True)
    assert sorted(tmp_path.iterdir()) == sorted(other)


@pytest.mark.parametrize("kind", [OutputFiles, RunFiles])
def test_tilde_in_an_output_is_the_home_folder(kind, tmp_path, monkeypatch):
    # A shell expands it, but it does not read outputs in files of options.
    monkeypatch.setenv("HOME", str(tmp_path))
    assert kind(Path("~/runs/water")).summary == tmp_path / "runs" / "water-summary.yml"
    files = prepared_output("~/runs/water", overwrite=False)
    assert files is not None and files.figure.parent == tmp_path / "runs"
    assert (tmp_path / "runs").is_dir()
