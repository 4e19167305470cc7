"""Reports of progress by a calculation."""

import numpy as np
import pytest
from ase.build import molecule
from ase.calculators.lj import LennardJones

from ase_les.runs.evaluations import evaluate_structures
from ase_les.runs.progress import NO_PROGRESS, task
from ase_les.runs.record import Record


class Listener:
    def __init__(self):
        self.calls = []

    def start(self, total, description, completed=0):
        self.calls.append(("start", total, description, completed))

    def advance(self, steps=1, status=None):
        self.calls.append(("advance", steps, status))

    def finish(self):
        self.calls.append(("finish",))

    def message(self, text, *, warning=False):
        self.calls.append(("message", text, warning))


def test_a_task_that_fails_is_finished():
    listener = Listener()
    with pytest.raises(ValueError, match="broken"), task(listener, 5, "steps"):
        listener.advance(2)
        raise ValueError("broken")
    assert listener.calls == [("start", 5, "steps", 0), ("advance", 2, None), ("finish",)]


def test_results_that_are_recorded_count_as_completed():
    structures = {name: molecule("H2O") for name in ("a", "b", "c")}
    record = Record(None, {"b": {"energy": np.array(0.0)}})
    listener = Listener()
    found = evaluate_structures(structures, ["energy"], LennardJones(), record, progress=listener)
    assert listener.calls == [
        ("start", 3, "displacements", 1),
        ("advance", 1, None),
        ("advance", 1, None),
        ("finish",),
    ]
    assert list(found) == ["a", "b", "c"]


def test_nothing_is_shown_unless_asked_for(capfd):
    with task(NO_PROGRESS, 1, "steps"):
        NO_PROGRESS.advance()
        NO_PROGRESS.message("done")
    assert capfd.readouterr() == ("", "")
