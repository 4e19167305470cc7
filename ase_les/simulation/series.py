"""What is measured while atoms move: series in files that survive a crash, and read back whole."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ase_les.runs.output import replace_file


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
    dielectric : (3, 3) array or None
        Electronic dielectric tensor whose square root the moments contain: 1 if they are latent,
        None if the calculator gave none.

    Raises
    ------
    ValueError
        If a column has another length than the times.
    """

    time_fs: np.ndarray
    columns: Mapping[str, np.ndarray]
    dielectric: np.ndarray | None = None

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
        known = {} if self.dielectric is None else {"dielectric": self.dielectric}
        np.savez(content, time_fs=self.time_fs, **self.columns, **known)
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
        dielectric = columns.pop("dielectric", None)
        return cls(columns.pop("time_fs"), columns, dielectric)


class SeriesRecord:
    """A series that grows on the disk, one record at a time; an existing file is continued.

    The first line tells columns and dielectric tensor; records of float64 follow. Each is handed
    over to the system in one piece, so that a process that dies leaves all but perhaps the last
    one; cutting the file to an earlier length takes back what came later.

    Parameters
    ----------
    path : Path
    columns : mapping of str to tuple of int
        Name and shape of what each record holds beside its time.
    dielectric : (3, 3) array or None
        See `Series`.

    Raises
    ------
    ValueError
        If the file that is continued has another dielectric tensor.
    """

    def __init__(
        self,
        path: Path,
        columns: Mapping[str, tuple[int, ...]],
        dielectric: np.ndarray | None = None,
    ) -> None:
        self.path = path
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115
        now = None if dielectric is None else np.asarray(dielectric).tolist()
        if self._file.tell() == 0:
            shapes = {"time_fs": [], **{name: list(shape) for name, shape in columns.items()}}
            head = {"columns": shapes, "dielectric": now}
            self._file.write(json.dumps(head).encode() + b"\n")
            return
        before = _read_head(path)
        # Records of earlier versions do not tell.
        if before.get("dielectric", now) != now:
            self.close()
            raise ValueError(
                f"{path} has moments of a calculator with the dielectric tensor "
                f"{before['dielectric']}, which is now {now}: go on with the same `dielectric`"
            )

    def append(self, time_fs: float, *values: np.ndarray | float) -> None:
        """Add a record; `values` in the order of the columns."""
        self._file.write(np.concatenate([np.ravel(each) for each in (time_fs, *values)]).tobytes())

    def close(self) -> None:
        self._file.close()


def read_record(path: Path) -> Series:
    """The series in a record; what a crash left of an unfinished last entry is ignored."""
    head = _read_head(path)
    shapes = head["columns"]
    body = Path(path).read_bytes().partition(b"\n")[2]
    sizes = [int(np.prod(shape)) for shape in shapes.values()]
    whole = len(body) // (8 * sum(sizes)) * sum(sizes)
    table = np.frombuffer(body, dtype=np.float64, count=whole).reshape(-1, sum(sizes))
    parts = np.split(table, np.cumsum(sizes)[:-1], axis=1)
    columns = {
        name: part.reshape(len(table), *shape)
        for (name, shape), part in zip(shapes.items(), parts, strict=True)
    }
    dielectric = head.get("dielectric")
    return Series(
        columns.pop("time_fs"), columns, None if dielectric is None else np.array(dielectric)
    )


def _read_head(path: Path) -> dict:
    with open(path, "rb") as file:
        head = json.loads(file.readline())
    # Earlier versions wrote the columns alone.
    return head if "columns" in head else {"columns": head}
