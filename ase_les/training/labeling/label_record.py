"""Record of labels: one line per structure, written as soon as the structure is labeled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms

from ase_les.messages import one_line
from ase_les.runs.output import LabelFiles
from ase_les.runs.provenance import fingerprint, plain
from ase_les.runs.record import LineRecord, read_lines, refuse_other_calculations
from ase_les.training.engines.programs import Reference

FORMAT = "labels 1"


@dataclass(frozen=True)
class Label:
    """Result of a calculation, or the reason for its failure.

    Attributes
    ----------
    seconds : float
        Wall time of the calculation.
    energy_eV : float or None
        Energy consistent with the forces: ``free_energy`` if the calculator provides it.
    forces_eV_per_A : list of 3 floats per atom, or None
    stress_eV_per_A3 : list of 9 floats or None
        Rows of the tensor, tension positive; None also if not defined.
    problem : str or None
    """

    seconds: float
    energy_eV: float | None = None
    forces_eV_per_A: list | None = None
    stress_eV_per_A3: list | None = None
    problem: str | None = None


class LabelRecord:
    """Labels by number of the structure, stored in a line record."""

    def __init__(self, lines: LineRecord, labels: dict[int, Label]) -> None:
        self._lines = lines
        self.labels = labels

    @classmethod
    def open(
        cls,
        files: LabelFiles,
        reference: Reference,
        frames: Sequence[Atoms],
        resume: bool,
        retry_failed: bool,
        overwrite: bool,
    ) -> LabelRecord:
        """Return a new record, or the existing one with `resume`."""
        header: dict[str, object] = {
            "format": FORMAT,
            "engine": reference.name,
            "engine version": reference.version,
            "settings": plain(reference.settings),
            "stress": reference.stress,
            "structures": len(frames),
            "fingerprint of the structures": fingerprint(*frames),
        }
        resuming = resume and files.record.exists()
        files.prepare((files.record, files.frames, files.summary), resuming or overwrite)
        labels: dict[int, Label] = {}
        if resuming:
            recorded, labels = read_label_record(files.record)
            if recorded:
                # Older records lack the entry for stress and continue with the current setting.
                recorded = {"stress": reference.stress, **recorded}
                refuse_other_calculations(files.record, recorded, header)
        if retry_failed:
            labels = {index: each for index, each in labels.items() if each.problem is None}
        lines = [_line(index, each) for index, each in labels.items()]
        return cls(LineRecord(files.record, header, lines), labels)

    def add(self, index: int, found: Label) -> None:
        """Store the label of a structure."""
        self.labels[index] = found
        self._lines.append(_line(index, found))


def read_label_record(path: Path) -> tuple[dict[str, object], dict[int, Label]]:
    """Return the description of a labeling and its labels by index of the structure."""
    recorded, entries = read_lines(path)
    labels: dict[int, Label] = {}
    for number, entry in enumerate(entries, start=2):
        try:
            index, found = entry.pop("index"), Label(**entry)
            _check_label(index, found)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"line {number} of '{path}' is not a label ({one_line(error, 100)}). Restore the "
                "file, or remove this line: the structure is then labeled again"
            ) from None
        labels[index] = found
    return recorded, labels


def _check_label(index: object, found: Label) -> None:
    """Check kinds and shapes of a label that was read from a file."""
    if type(index) is not int or index < 0:
        raise ValueError(f"index {index!r}")
    numbers = np.asarray([found.seconds, found.energy_eV or 0.0], dtype=float)
    forces, stress = found.forces_eV_per_A, found.stress_eV_per_A3
    if not np.isfinite(numbers).all():
        raise ValueError("energy or time is not finite")
    if found.problem is not None:
        if not isinstance(found.problem, str):
            raise ValueError("the reason for the failure is not text")
        return
    values = np.asarray(forces, dtype=float)
    if found.energy_eV is None or values.ndim != 2 or values.shape[1] != 3:
        raise ValueError("energy or forces are missing")
    if not np.isfinite(values).all() or (stress is not None and np.shape(stress) != (9,)):
        raise ValueError("forces or stress are not numbers")


def _line(index: int, found: Label) -> dict[str, object]:
    return {"index": index, **vars(found)}
