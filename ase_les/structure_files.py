"""Files of structures, of any format that ASE reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ase import Atoms
from ase.io import read
from ase.io.formats import UnknownFileTypeError, filetype, parse_filename


def last_frame(path: Path) -> Atoms:
    """The structure of a file, of several the last."""
    with readable(path):
        return read(path)


def all_frames(path: Path) -> list[Atoms]:
    """Every structure of a file."""
    with readable(path):
        return read(path, index=":")


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Whatever ASE's readers stumble over becomes one error that names file and format.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If ASE cannot read it.
    """
    try:
        yield
    except UnknownFileTypeError as error:
        raise ValueError(f"cannot tell the format of the file {path}: {error}") from error
    # Readers fail with anything, assertions included.
    except Exception as error:
        # Files that are not there, or not for this user to read, are no matter of their format.
        if isinstance(error, FileNotFoundError) or getattr(error, "errno", None) is not None:
            raise
        name, _ = parse_filename(str(path))
        reason = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise ValueError(
            f"cannot read {path} as {filetype(name)} ({reason}): repair the file, or name it after "
            "the format it has"
        ) from error
