"""Record of independent calculations, each on disk as soon as it is finished."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ase_les.runs.output import replace_file
from ase_les.runs.provenance import differences, plain, plain_mapping

Results = dict[str, np.ndarray]


class LineRecord:
    """File of JSON lines to which entries are appended; the first line describes the calculations.

    An incomplete last line, left by a run that was killed, is dropped.

    Parameters
    ----------
    path : Path
    header : mapping
        Description of the calculations, in plain containers.
    entries : iterable of mapping
        Entries the file begins with.
    """

    def __init__(
        self,
        path: Path,
        header: Mapping[str, object],
        entries: Iterable[Mapping[str, object]] = (),
    ) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        # Python writes floats so that they are read back exactly.
        text = "".join(json.dumps(line) + "\n" for line in (header, *entries))
        replace_file(path, text.encode())

    def append(self, entry: Mapping[str, object]) -> None:
        """Append an entry and flush it to disk."""
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())


def read_lines(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return header and complete entries of a line record; an empty header if there is none."""
    lines = list(_complete_lines(path))
    return (lines[0], lines[1:]) if lines else ({}, [])


def refuse_other_calculations(
    path: Path, recorded: Mapping[str, object], given: Mapping[str, object]
) -> None:
    """Refuse to resume a record whose header differs from that of the present calculations.

    Raises
    ------
    ValueError
        Naming the entries that differ.
    """
    differing = differences(recorded, given)
    if differing:
        raise ValueError(
            f"'{path}' belongs to different calculations: {'; '.join(differing)}. Restore these "
            "settings, choose another output, or start anew with overwrite=True (--overwrite)"
        )


class Record:
    """Arrays by name of the calculation and of the property, stored in a line record.

    Parameters
    ----------
    lines : LineRecord or None
        None keeps the results in memory only.
    results : dict
        Results by name of the calculation.
    """

    def __init__(self, lines: LineRecord | None, results: dict[str, Results]) -> None:
        self._lines = lines
        self.results = results

    @classmethod
    def open(
        cls,
        path: Path | None,
        belongs_to: Mapping[str, object],
        *,
        resume: bool = False,
        overwrite: bool = False,
    ) -> Record:
        """Return a new record, or the existing one with `resume`.

        Parameters
        ----------
        path : Path or None
            None keeps the results in memory only.
        belongs_to : mapping
            Description of the calculations.
        resume, overwrite : bool
            Continue or replace an existing record.

        Raises
        ------
        FileExistsError
            If a record exists and neither `resume` nor `overwrite` is given.
        ValueError
            If the record to resume belongs to different calculations.
        """
        if path is None:
            return cls(None, {})
        header = plain_mapping(belongs_to)
        if path.exists() and not (resume or overwrite):
            raise FileExistsError(
                f"'{path}' exists; resume=True (--resume) continues it, overwrite=True "
                "(--overwrite) starts anew"
            )
        entries: list[dict[str, Any]] = []
        if path.exists() and resume:
            recorded, entries = read_lines(path)
            refuse_other_calculations(path, recorded, header)
        results = {entry["name"]: _arrays(entry["results"]) for entry in entries}
        return cls(LineRecord(path, header, entries), results)

    def add(self, name: str, results: Mapping[str, np.ndarray]) -> None:
        """Store the results of a calculation.

        Raises
        ------
        ValueError
            If a result is not finite.
        """
        arrays = _arrays(results)
        for what, values in arrays.items():
            if not np.isfinite(values).all():
                raise ValueError(f"{name}: the calculator returned {what} that are not finite")
        self.results[name] = arrays
        if self._lines is not None:
            self._lines.append({"name": name, "results": plain(arrays)})


def _arrays(results: Mapping[str, object]) -> Results:
    return {what: np.array(values, dtype=float) for what, values in results.items()}


def _complete_lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            return
