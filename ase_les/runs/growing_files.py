"""Restore files that are appended to during a run to their state at a checkpoint."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

#: ASE trajectories store the frame count and the position of the frame index in these first bytes.
HEAD_BYTES = 48
#: Start of a file in the ULM format of ASE trajectories.
_ULM = b"- of Ulm"
#: Factor by which the frame index of an ULM file grows.
_ULM_GROWTH = 42
_CHUNK_BYTES = 1 << 20
_DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


class FileMark(NamedTuple):
    """State of a growing file at a checkpoint.

    Apart from their first bytes and the frame index of trajectories, logs and trajectories are
    only appended to: truncated to this length and with these bytes restored, the file is the same
    as at the checkpoint.

    Attributes
    ----------
    length : int
    head : bytes
        First `HEAD_BYTES` bytes.
    digest : str or None
        Hash of the other bytes, without those in `left_out`; None in files of earlier versions.
    left_out : sequence of (int, int)
        First and last positions of frame indices, which change in place.
    """

    length: int
    head: bytes
    digest: str | None = None
    left_out: Sequence[tuple[int, int]] = ()


class GrowingFile:
    """File that is appended to, with a hash of its content that is updated at checkpoints."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._restart()

    def _restart(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self._position = HEAD_BYTES
        self._left_out: list[tuple[int, int]] = []

    def mark(self) -> FileMark:
        """Flush the file to disk and return its present state."""
        with open(self.path, "rb") as file:
            os.fsync(file.fileno())
            head = file.read(HEAD_BYTES)
            length = file.seek(0, os.SEEK_END)
            index = _frame_index(head)
            if index is not None and index not in self._left_out:
                self._left_out.append(index)
            self._update(file, length)
        return FileMark(length, head, self._hash.hexdigest(), tuple(self._left_out))

    def rewind(self, mark: FileMark) -> None:
        """Remove everything that was written after a mark."""
        size = self.path.stat().st_size if self.path.exists() else 0
        if size < mark.length or not self.path.exists():
            raise ValueError(
                f"{self.path} has {size} bytes but had {mark.length} at the checkpoint: it was "
                "truncated, replaced or moved. Restore the original file, or start a new run"
            )
        self._restart()
        self._left_out = [(first, last) for first, last in mark.left_out]
        with open(self.path, "r+b") as file:
            self._update(file, mark.length)
            if mark.digest is not None and self._hash.hexdigest() != mark.digest:
                raise ValueError(
                    f"{self.path} has changed since the checkpoint: it was edited, damaged or "
                    "replaced. Restore the original file, or start a new run"
                )
            file.truncate(mark.length)
            file.seek(0)
            file.write(mark.head)
            file.flush()
            os.fsync(file.fileno())

    def _update(self, file: BinaryIO, stop: int) -> None:
        """Add the bytes up to a position to the hash."""
        for start, end in _without(self._position, stop, self._left_out):
            file.seek(start)
            while start < end:
                chunk = file.read(min(_CHUNK_BYTES, end - start))
                if not chunk:
                    break
                self._hash.update(chunk)
                start += len(chunk)
        self._position = max(self._position, stop)


def _frame_index(head: bytes) -> tuple[int, int] | None:
    """Return the positions of the present frame index of an ULM file; None for other files."""
    if not head.startswith(_ULM) or len(head) < HEAD_BYTES:
        return None
    frames, first = (int.from_bytes(head[at : at + 8], "little") for at in (32, 40))
    capacity = 1
    while capacity < frames:
        capacity *= _ULM_GROWTH
    return first, first + 8 * capacity


def _without(
    start: int, stop: int, left_out: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """Yield the parts of a range outside of other ranges."""
    for first, last in sorted(left_out):
        if first > start:
            yield start, min(first, stop)
        start = max(start, last)
        if start >= stop:
            return
    if start < stop:
        yield start, stop


@contextmanager
def writing(
    path: Path, afterwards: str = "then continue from the last checkpoint with resume (--resume)"
) -> Iterator[None]:
    """Context in which errors of the disk name the file and the remedy.

    Parameters
    ----------
    afterwards : str
        What to do when there is space again.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        raise OSError(
            error.errno,
            f"{error.strerror}: free disk space or raise the limit, {afterwards}",
            str(path),
        ) from error


def append_completely(file: BinaryIO, content: bytes) -> None:
    """Append to an unbuffered file; if this fails, remove what was written of `content`."""
    start = file.seek(0, os.SEEK_END)
    try:
        written = 0
        while written < len(content):
            written += file.write(content[written:]) or 0
    except OSError:
        file.truncate(start)
        raise
