"""Time series of observables, and files to which they are appended during a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ase_les.runs.growing_files import append_completely, writing
from ase_les.runs.output import write_arrays


@dataclass(frozen=True)
class Series:
    """Time series of an observable.

    Attributes
    ----------
    time_fs : array, shape (n,)
        Time since the start of the run.
    columns : mapping of str to array, shape (n, ...)
        Names end with the unit: ``current_eA_per_fs`` (n, 3), ``dipole_eA`` (n, 3),
        ``volume_A3`` (n,), ``temperature_K`` (n,).
    dielectric : array, shape (3, 3), or None
        Electronic dielectric tensor whose square root scales the moments: the unit tensor for
        latent moments, None if the calculator provides none.

    Raises
    ------
    ValueError
        If the length of a column differs from the number of times.
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
        """Write the arrays as ``.npz``, atomically."""
        known = {} if self.dielectric is None else {"dielectric": self.dielectric}
        write_arrays(Path(path), {"time_fs": self.time_fs, **self.columns, **known})

    @classmethod
    def load(cls, path: str | Path) -> Series:
        """Read a file written by `save`.

        Raises
        ------
        ValueError
            If the file contains no times.
        """
        with np.load(path, allow_pickle=False) as content:
            columns = {name: content[name] for name in content.files}
        if "time_fs" not in columns:
            raise ValueError(
                f"{path} is not a time series: it has no `time_fs`, only {sorted(columns)}"
            )
        dielectric = columns.pop("dielectric", None)
        return cls(columns.pop("time_fs"), columns, dielectric)


class SeriesRecord:
    """File to which the records of a time series are appended; an existing file is continued.

    The first line describes columns and dielectric tensor; binary records of float64 follow, each
    written by one system call. Truncating the file to an earlier length removes later records.

    Parameters
    ----------
    columns : mapping of str to tuple of int
        Names and shapes of the values in each record besides the time.
    dielectric : array, shape (3, 3), or None
        See `Series`.

    Raises
    ------
    ValueError
        If an existing file has a different dielectric tensor.
    """

    def __init__(
        self,
        path: Path,
        columns: Mapping[str, tuple[int, ...]],
        dielectric: np.ndarray | None = None,
    ) -> None:
        self.path = path
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115
        current = None if dielectric is None else np.asarray(dielectric).tolist()
        if self._file.tell() == 0:
            shapes: dict[str, list[int]] = {
                "time_fs": [],
                **{name: list(shape) for name, shape in columns.items()},
            }
            head = {"columns": shapes, "dielectric": current}
            self._file.write(json.dumps(head).encode() + b"\n")
            return
        existing = _read_head(path)
        # Files of earlier versions do not contain it.
        if existing.get("dielectric", current) != current:
            self.close()
            raise ValueError(
                f"{path} contains moments for the dielectric tensor {existing['dielectric']}, the "
                f"calculator now has {current}: continue with the same `dielectric`"
            )

    def append(self, time_fs: float, *values: np.ndarray | float) -> None:
        """Append a record, with values in the order of the columns."""
        record = np.concatenate([np.ravel(each) for each in (time_fs, *values)]).tobytes()
        with writing(self.path):
            append_completely(self._file, record)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_record(path: Path) -> Series:
    """Read the series in a record; an incomplete last entry, left by a crash, is ignored."""
    head = _read_head(path)
    shapes: dict[str, list[int]] = head["columns"]
    records = Path(path).read_bytes().partition(b"\n")[2]
    sizes = [int(np.prod(shape)) for shape in shapes.values()]
    whole = len(records) // (8 * sum(sizes)) * sum(sizes)
    table = np.frombuffer(records, dtype=np.float64, count=whole).reshape(-1, sum(sizes))
    parts = np.split(table, np.cumsum(sizes)[:-1], axis=1)
    columns = {
        name: part.reshape(len(table), *shape)
        for (name, shape), part in zip(shapes.items(), parts, strict=True)
    }
    dielectric = head.get("dielectric")
    return Series(
        columns.pop("time_fs"), columns, None if dielectric is None else np.array(dielectric)
    )


def _read_head(path: Path) -> dict[str, Any]:
    with open(path, "rb") as file:
        head = json.loads(file.readline())
    # Earlier versions wrote only the columns.
    return head if "columns" in head else {"columns": head}
