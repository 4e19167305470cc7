"""A record keeps what is known, whatever happens to the machine."""

from __future__ import annotations

import os

import numpy as np

from ase_les.properties.record import Record


def test_a_result_is_on_the_disk_before_the_next_is_calculated(tmp_path, monkeypatch):
    record = Record.opened(tmp_path / "results.jsonl", {"of": "something"})
    on_disk = []
    monkeypatch.setattr(os, "fsync", lambda file: on_disk.append(os.fstat(file).st_size))
    for name in ("one", "other"):
        record.add(name, {"forces": np.zeros((1, 3))})
    assert on_disk[0] < on_disk[1] == record.path.stat().st_size
