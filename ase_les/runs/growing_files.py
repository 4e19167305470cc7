"""Restoring files that are appended to during a run to their state at a checkpoint."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

#: ASE trajectories store the frame count and the position of the frame index in these first bytes.
HEAD_BYTES = 48


class FileMark(NamedTuple):
    """Length and first `HEAD_BYTES` bytes of a file at a checkpoint.

    Apart from these first bytes, logs and ASE trajectories are only appended to: truncated to this
    length and with these bytes restored, the file is the same as at the checkpoint.
    """

    length: int
    head: bytes


def mark_file(path: Path) -> FileMark:
    """Flush a file to disk and return its current state."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        head = file.read(HEAD_BYTES)
        return FileMark(file.seek(0, os.SEEK_END), head)


def rewind_file(path: Path, mark: FileMark) -> None:
    """Remove everything that was written to a file after a mark.

    Raises
    ------
    ValueError
        If the file is shorter than it was at the mark.
    """
    if not path.exists() or path.stat().st_size < mark.length:
        size = path.stat().st_size if path.exists() else 0
        raise ValueError(
            f"{path} has {size} bytes but had {mark.length} at the checkpoint: it was truncated, "
            "replaced or moved. Restore the original file, or start a new run"
        )
    with open(path, "r+b") as file:
        file.truncate(mark.length)
        file.write(mark.head)
        file.flush()
        os.fsync(file.fileno())
