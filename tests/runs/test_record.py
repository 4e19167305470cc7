"""A record of calculations survives a crash."""

from __future__ import annotations

import os
import signal
import sys

import numpy as np
import pytest

from ase_les.runs.record import Record

resource = pytest.importorskip("resource")


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


def test_a_damaged_line_is_named_and_later_ones_stay(tmp_path):
    path = tmp_path / "results.jsonl"
    record = Record.open(path, {"of": "something"})
    for name in ("one", "other", "third"):
        record.add(name, {"energy": np.array(0.125)})
    lines = path.read_bytes().splitlines(keepends=True)
    # A digit: still a number.
    damaged = [*lines[:2], lines[2].replace(b"0.125", b"0.135"), *lines[3:]]
    for changed in (damaged, [*lines[:2], lines[2][:9] + b"\xff" + lines[2][10:], lines[3]]):
        path.write_bytes(b"".join(changed))
        with pytest.raises(ValueError, match=r"line 3 of .* is damaged") as caught:
            Record.open(path, {"of": "something"}, resume=True)
        assert "others are kept" in str(caught.value)
        assert path.read_bytes() == b"".join(changed)
    path.write_bytes(b"".join(damaged[:2] + damaged[3:]))
    assert list(Record.open(path, {"of": "something"}, resume=True).results) == ["one", "third"]


def test_lines_of_earlier_versions_have_no_checksum(tmp_path):
    path = tmp_path / "results.jsonl"
    path.write_text('{"of": "something"}\n{"name": "one", "results": {"energy": 0.5}}\n')
    assert Record.open(path, {"of": "something"}, resume=True).results["one"]["energy"] == 0.5


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are those of Unix")
def test_a_short_write_leaves_no_part_of_a_line(tmp_path):
    path = tmp_path / "results.jsonl"
    record = Record.open(path, {"of": "something"})
    record.add("one", {"energy": np.array(0.5)})
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, limits[1]))
    try:
        with pytest.raises(OSError, match="free disk space or raise the limit") as caught:
            record.add("other", {"energy": np.array(0.5)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert caught.value.filename == str(path)
    assert path.read_bytes() == before
