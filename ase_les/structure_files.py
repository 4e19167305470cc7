"""Files of structures, of any format that ASE reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ase import Atoms
from ase.io import read
from ase.io.formats import UnknownFileTypeError, filetype, parse_filename

_CHOSEN = "after @ stands which structures of the file, counted from 0, as in @3, @:10 or @-10:"


def last_frame(path: Path) -> Atoms:
    """The structure of a file, of several the last."""
    with readable(path):
        return read(path)


def all_frames(path: Path) -> list[Atoms]:
    """Every structure of a file, or those that its name asks for, as in ``run.xyz@-10:``.

    Raises
    ------
    ValueError
        If ASE cannot read it, or it has not those.
    """
    name, chosen = parse_filename(str(path))
    with readable(path):
        found = read(name, index=":" if chosen is None else chosen)
    frames = [found] if isinstance(found, Atoms) else found
    if not frames and chosen is not None:
        raise ValueError(f"{path} has no such structure: {_CHOSEN}")
    return frames


def without_slice(path: str | Path) -> Path:
    """The file itself of a name that may ask for some of its structures."""
    return Path(parse_filename(str(path))[0])


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
        name, chosen = parse_filename(str(path))
        reason = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise ValueError(
            f"cannot read {path} as {filetype(name)} ({reason}): "
            + ("repair the file, or name it after the format it has" if chosen is None else _CHOSEN)
        ) from error
