"""Results of independent calculations, each on disk as soon as it is known."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from ase import Atoms

from ase_les import reporting


class Record:
    """Arrays by name of the calculation and name of the property, appended to a file of lines.

    The first line says what the calculations belong to; a line that was cut off when a run died
    is forgotten and calculated again.

    Parameters
    ----------
    path : Path or None
        File of one JSON document per line; None keeps the results in memory only.
    results : dict
        What is known already.
    """

    def __init__(self, path: Path | None, results: dict[str, dict[str, np.ndarray]]):
        self.path = path
        self.results = results

    @classmethod
    def opened(
        cls,
        path: Path | None,
        belongs_to: Mapping[str, object],
        *,
        resume: bool = False,
        overwrite: bool = False,
    ) -> Record:
        """A new record, or with `resume` the one that is there.

        Raises
        ------
        FileExistsError
            If an earlier record would be lost.
        ValueError
            If the record to go on with belongs to something else, naming what differs.
        """
        if path is None:
            return cls(None, {})
        head = reporting.plain(belongs_to)
        if path.exists() and not (resume or overwrite):
            raise FileExistsError(
                f"'{path}' exists; resume=True (--resume) goes on with it, overwrite=True "
                "(--overwrite) starts anew"
            )
        if path.exists() and resume:
            lines = list(_complete_lines(path))
            differing = reporting.differences(lines[0] if lines else {}, head)
            if differing:
                raise ValueError(
                    f"'{path}' is of other calculations: {'; '.join(differing)}. Give what it was "
                    "made with, or start anew with overwrite=True (--overwrite)"
                )
            # What was cut off in the middle of a line is written again.
            text = "".join(json.dumps(line) + "\n" for line in lines)
            reporting.replace_file(path, text.encode())
            return cls(path, {line["name"]: _arrays(line["results"]) for line in lines[1:]})
        path.parent.mkdir(parents=True, exist_ok=True)
        reporting.replace_file(path, (json.dumps(head) + "\n").encode())
        return cls(path, {})

    def add(self, name: str, results: Mapping[str, np.ndarray]) -> None:
        """Keep what a calculation gave.

        Raises
        ------
        ValueError
            If it is not finite.
        """
        arrays = _arrays(results)
        for what, values in arrays.items():
            if not np.isfinite(values).all():
                raise ValueError(f"{name}: the calculator gave {what} that are not finite")
        self.results[name] = arrays
        if self.path is not None:
            line = {"name": name, "results": reporting.plain(arrays)}
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
                file.flush()
                os.fsync(file.fileno())


def fingerprint(atoms: Atoms) -> str:
    """The same for the same atoms, positions, cell, boundaries and total charge only."""
    digest = hashlib.sha256()
    charge = float(atoms.info.get("charge", 0))
    for part in (atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc, np.array(charge)):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:16]


def _arrays(results: Mapping[str, object]) -> dict[str, np.ndarray]:
    return {what: np.array(values, dtype=float) for what, values in results.items()}


def _complete_lines(path: Path) -> Iterator[dict]:
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            return
