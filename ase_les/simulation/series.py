"""What is measured while atoms move: series in files that survive a crash, and read back whole."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ase_les.reporting import replace_file


@dataclass(frozen=True)
class Series:
    """One observable at many times.

    Attributes
    ----------
    time_fs : (n,) array
        Since the start of the run.
    columns : mapping of str to (n, ...) arrays
        Each name ends in its unit: ``current_eA_per_fs`` (n, 3), ``dipole_eA`` (n, 3),
        ``volume_A3`` (n,), ``temperature_K`` (n,).

    Raises
    ------
    ValueError
        If a column has another length than the times.
    """

    time_fs: np.ndarray
    columns: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        for name, values in self.columns.items():
            if len(values) != len(self.time_fs):
                raise ValueError(
                    f"column `{name}` has {len(values)} rows, but there are {len(self.time_fs)} "
                    "times"
                )

    def save(self, path: str | Path) -> None:
        """Write a ``.npz`` file of plain arrays; at every moment it is whole."""
        content = io.BytesIO()
        np.savez(content, time_fs=self.time_fs, **self.columns)
        replace_file(Path(path), content.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> Series:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            If the file holds no times.
        """
        with np.load(path, allow_pickle=False) as content:
            columns = {name: content[name] for name in content.files}
        if "time_fs" not in columns:
            raise ValueError(f"{path} is no series: it has no `time_fs`, only {sorted(columns)}")
        return cls(columns.pop("time_fs"), columns)


class SeriesRecord:
    """A series that grows on the disk, one record at a time; an existing file is continued.

    The first line tells the columns; records of float64 follow. Each is handed over to the
    system in one piece, so that a process that dies leaves all but perhaps the last one; cutting
    the file to an earlier length takes back what came later.

    Parameters
    ----------
    path : Path
    columns : mapping of str to tuple of int
        Name and shape of what each record holds beside its time.
    """

    def __init__(self, path: Path, columns: Mapping[str, tuple[int, ...]]) -> None:
        self.path = path
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115
        if self._file.tell() == 0:
            shapes = {"time_fs": [], **{name: list(shape) for name, shape in columns.items()}}
            self._file.write(json.dumps(shapes).encode() + b"\n")

    def append(self, time_fs: float, *values: np.ndarray | float) -> None:
        """Add a record; `values` in the order of the columns."""
        self._file.write(np.concatenate([np.ravel(each) for each in (time_fs, *values)]).tobytes())

    def close(self) -> None:
        self._file.close()


def read_record(path: Path) -> Series:
    """The series in a record; what a crash left of an unfinished last entry is ignored."""
    head, _, body = Path(path).read_bytes().partition(b"\n")
    shapes = json.loads(head)
    sizes = [int(np.prod(shape)) for shape in shapes.values()]
    whole = len(body) // (8 * sum(sizes)) * sum(sizes)
    table = np.frombuffer(body, dtype=np.float64, count=whole).reshape(-1, sum(sizes))
    parts = np.split(table, np.cumsum(sizes)[:-1], axis=1)
    columns = {
        name: part.reshape(len(table), *shape)
        for (name, shape), part in zip(shapes.items(), parts, strict=True)
    }
    return Series(columns.pop("time_fs"), columns)
