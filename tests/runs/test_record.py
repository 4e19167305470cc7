"""A record of calculations survives a crash."""

from __future__ import annotations

import os

import numpy as np
import pytest

from ase_les.runs.record import Record


def test_a_result_is_on_the_disk_before_the_next_is_calculated(tmp_path, monkeypatch):
    record = Record.open(tmp_path / "results.jsonl", {"of": "something"})
    on_disk = []
    monkeypatch.setattr(os, "fsync", lambda file: on_disk.append(os.fstat(file).st_size))
    for name in ("one", "other"):
        record.add(name, {"forces": np.zeros((1, 3))})
    assert on_disk[0] < on_disk[1] == (tmp_path / "results.jsonl").stat().st_size


def test_a_line_cut_off_by_a_crash_is_calculated_again(tmp_path):
    path = tmp_path / "results.jsonl"
    record = Record.open(path, {"of": "something"})
    for name in ("one", "other"):
        record.add(name, {"energy": np.array(0.1)})
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    resumed = Record.open(path, {"of": "something"}, resume=True)
    assert list(resumed.results) == ["one"]
    resumed.add("other", {"energy": np.array(0.1)})
    assert path.read_bytes() == whole


def test_other_calculations_are_not_continued(tmp_path):
    path = tmp_path / "results.jsonl"
    Record.open(path, {"calculator": {"name": "one"}})
    with pytest.raises(FileExistsError, match="--resume"):
        Record.open(path, {"calculator": {"name": "one"}})
    with pytest.raises(ValueError, match="name is one, given other"):
        Record.open(path, {"calculator": {"name": "other"}}, resume=True)


def test_results_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="forces that are not finite"):
        Record(None, {}).add("one", {"forces": np.array([np.nan])})
