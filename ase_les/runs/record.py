"""Record of independent calculations, each stored as soon as it is finished."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ase_les.messages import one_line
from ase_les.runs.growing_files import append_completely, writing
from ase_les.runs.output import replace_file
from ase_les.runs.provenance import differences, plain, plain_mapping

Results = dict[str, np.ndarray]

_CHECKSUM = "crc32"


class LineRecord:
    """File of JSON lines to which entries are appended; the first line describes the calculations.

    Every line ends with its checksum, the entry `crc32`. An incomplete last line, left by a run
    that was killed, is dropped.

    Parameters
    ----------
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
        text = "".join(map(_line, (header, *entries)))
        with writing(path):
            replace_file(path, text.encode())

    def append(self, entry: Mapping[str, object]) -> None:
        """Append an entry and flush it to disk."""
        with writing(self.path), open(self.path, "ab", buffering=0) as file:
            append_completely(file, _line(entry).encode())
            os.fsync(file.fileno())


def _line(entry: Mapping[str, object]) -> str:
    text = json.dumps(entry)
    separator = ", " if entry else ""
    return f'{text[:-1]}{separator}"{_CHECKSUM}": "{zlib.crc32(text.encode()):08x}"}}\n'


def read_lines(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return header and complete entries of a line record; an empty header if there is none."""
    lines = list(_complete_lines(path))
    return (lines[0], lines[1:]) if lines else ({}, [])


def refuse_other_calculations(
    path: Path, recorded: Mapping[str, object], given: Mapping[str, object]
) -> None:
    """Refuse to resume a record whose header differs from that of the present calculations."""
    differing = differences(recorded, given)
    if differing:
        raise ValueError(
            f"'{path}' belongs to different calculations: {'; '.join(differing)}. Restore these "
            "settings, choose another output, or start over with overwrite=True (--overwrite)"
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
        """
        if path is None:
            return cls(None, {})
        header = plain_mapping(belongs_to)
        if path.exists() and not (resume or overwrite):
            raise FileExistsError(
                f"'{path}' exists; resume=True (--resume) continues it, overwrite=True "
                "(--overwrite) starts over"
            )
        entries: list[dict[str, Any]] = []
        if path.exists() and resume:
            recorded, entries = read_lines(path)
            refuse_other_calculations(path, recorded, header)
        results = {entry["name"]: _arrays(entry["results"]) for entry in entries}
        return cls(LineRecord(path, header, entries), results)

    def add(self, name: str, results: Mapping[str, np.ndarray]) -> None:
        """Store the results of a calculation."""
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
    *lines, last = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        try:
            yield _entry(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(
                f"line {number} of '{path}' is damaged ({one_line(error, 100)}). Restore the file, "
                + (
                    "or remove this line: its calculation is then repeated, and the others are kept"
                    if number > 1
                    else "or start over with overwrite=True (--overwrite)"
                )
            ) from None
    # Without its line break, the last line was not written completely.
    del last


def _entry(line: bytes) -> dict[str, Any]:
    """Return the entry of a line after verifying its checksum; earlier versions have none."""
    text = line.decode()
    entry = json.loads(text)
    if not isinstance(entry, dict):
        raise ValueError("it is not a JSON object")
    recorded = entry.pop(_CHECKSUM, None)
    if recorded is not None:
        content = text.rpartition(f'"{_CHECKSUM}"')[0].removesuffix(", ") + "}"
        if recorded != f"{zlib.crc32(content.encode()):08x}":
            raise ValueError("its checksum differs")
    return entry
