"""Read structures from files in any format that ASE supports."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.io import read
from ase.io.formats import string2index

from ase_les.messages import one_line
from ase_les.reading import database, formats, xyz_text
from ase_les.reading.notes import Notes
from ase_les.reading.program_charges import stated_charge
from ase_les.reading.structures import complete, without_placeholder
from ase_les.reading.total_charge import KEY
from ase_les.reading.xyz_comment import is_misread

Index = int | slice | str

_SELECTION_HELP = (
    "select structures by an index or slice after @, counted from 0: @3, @:10 or @-10:"
)
# Formats in which text after @ is a query.
_DATABASES = (".db", ".json")


@dataclass(frozen=True)
class StructureFile:
    """Structures of one file.

    Parameters
    ----------
    path : Path
        The file itself, without ``@``.
    frames : list of ase.Atoms
        The selected structures; the total charge is ``info["charge"]``, whatever its name in the
        file.
    total : int
        Number of structures in the file.
    notes : Notes
        Notes for the user.
    """

    path: Path
    frames: list[Atoms]
    total: int
    notes: Notes

    @property
    def last(self) -> Atoms:
        """Return the last structure."""
        return self.frames[-1]


def split_name(path: str | Path) -> tuple[Path, Index | None]:
    """Split a name such as ``run.xyz@-10:`` into file and selection.

    If a file of the whole name exists, ``@`` is a part of its name.
    """
    whole = Path(path).expanduser()
    name, separator, chosen = whole.name.rpartition("@")
    if not separator or not name or whole.exists():
        return whole, None
    file = whole.with_name(name)
    try:
        index = string2index(chosen)
    except ValueError:
        index = chosen
    if isinstance(index, str) and file.suffix not in _DATABASES:
        return whole, None
    return file, index


def without_slice(path: str | Path) -> Path:
    """Return the file of a name that may contain a selection."""
    return split_name(path)[0]


def read_file(
    path: str | Path,
    format: str | None = None,
    *,
    last_only: bool = False,
    charge: float | None = None,
) -> StructureFile:
    """Read all structures of a file, or those selected by its name.

    Parameters
    ----------
    path : str or Path
        Such as ``run.xyz``, ``run.xyz@3`` or ``run.xyz@-10:``.
    format : str or None
        ASE format name, ``dpdata:NAME``, or ``lammps-data:Na,Cl`` and ``lammps-dump-text:O,H``
        with the elements of the types; None determines it from name and content.
    last_only : bool
        Read only the last structure.
    charge : float or None
        Total charge (e), replacing that in the file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it cannot be read, has no such structures, or a structure is invalid.
    """
    file, chosen = split_name(path)
    if file.exists() and not file.is_file():
        raise ValueError(f"{file} is a folder, pipe or device: write the structure to a file first")
    if not file.exists():
        raise FileNotFoundError(f"no file at '{file}'; give a path from the current folder")
    notes = Notes(file)
    with readable(path):
        kind = formats.format_of(file, format)
        frames, total = _frames(file, kind, chosen, last_only, notes)
    if not frames:
        raise ValueError(f"{path} has no such structure: {_SELECTION_HELP}")
    stated = stated_charge(file, kind) if charge is None else None
    for number, atoms in enumerate(frames):
        if stated is not None and stated[1] != 0 and KEY not in atoms.info:
            atoms.info[KEY] = stated[1]
            notes.add(f"total charge {stated[1]:+g} e read from '{stated[0]}'")
        try:
            if kind == "proteindatabank":
                without_placeholder(atoms, notes)
            complete(atoms, notes, charge)
        except ValueError as error:
            place = f", structure {number}" if len(frames) > 1 else ""
            raise ValueError(f"{file}{place}: {error}") from None
    return StructureFile(file, frames, total, notes)


def last_frame(path: str | Path, format: str | None = None) -> Atoms:
    """Return the last structure of a file."""
    return read_file(path, format, last_only=True).last


def all_frames(path: str | Path, format: str | None = None) -> list[Atoms]:
    """Return all structures of a file, or those selected by its name (``run.xyz@-10:``).

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it cannot be read or has no such structures.
    """
    return read_file(path, format).frames


@contextmanager
def readable(path: str | Path) -> Iterator[None]:
    """Convert any error of a reader into one that names the file and its format.

    Raises
    ------
    ValueError
        If the file cannot be read.
    """
    try:
        yield
    # Readers raise errors of any type, including AssertionError.
    except Exception as error:
        # EINVAL: a damaged file refers to an invalid position.
        from_system = getattr(error, "errno", None) not in (None, errno.EINVAL)
        if from_system or isinstance(error, ModuleNotFoundError):
            raise
        # Errors of this package already name the file.
        if isinstance(error, ValueError) and str(without_slice(path)) in str(error):
            raise
        reason = one_line(f"{type(error).__name__}: {error}".removesuffix(": "))
        remedy = "repair the file, or specify its format with --format"
        raise ValueError(
            f"cannot read {path} as {_format_or_unknown(path)} ({reason}): "
            + (remedy if split_name(path)[1] is None else _SELECTION_HELP)
        ) from error


def _format_or_unknown(path: str | Path) -> str:
    try:
        return formats.format_of(without_slice(path))
    except (ValueError, OSError):
        return "a structure"


def _frames(
    file: Path, kind: str, chosen: Index | None, last_only: bool, notes: Notes
) -> tuple[list[Atoms], int]:
    """Return the selected structures, and the number of structures in the file."""
    if kind.startswith(formats.DPDATA):
        every = formats.read_with_dpdata(file, kind)
        return _chosen(every, chosen, last_only), len(every)
    if kind.startswith(formats.LAMMPS_DATA):
        return [formats.read_lammps_data(file, kind)], 1
    if kind.startswith(formats.LAMMPS_DUMP):
        every = formats.read_lammps_dump(file, kind)
        return _chosen(every, chosen, last_only), len(every)
    if formats.is_xyz(kind):
        return _xyz_frames(file, kind, chosen, last_only, notes)
    if kind in database.FORMATS:
        index = chosen if chosen is not None else (-1 if last_only else slice(None))
        every, total = database.read_database(file, index)
        return (every[-1:] if last_only else every), total
    if kind == "traj":
        total = _trajectory_length(file)
    elif formats.has_many_frames(kind) and not isinstance(chosen, str):
        every = _read(file, ":", kind)
        return _chosen(every, chosen, last_only), len(every)
    else:
        found = _read(file, ":" if isinstance(chosen, slice) else (chosen or -1), kind)
        return found, len(found)
    return _read(file, _index(chosen, last_only, total), kind), total


def _xyz_frames(
    file: Path, kind: str, chosen: Index | None, last_only: bool, notes: Notes
) -> tuple[list[Atoms], int]:
    total = xyz_text.frames_if_readable(file)
    if total is not None:
        # Later frames may have isotopes.
        with suppress(KeyError):
            frames = _read(file, _index(chosen, last_only, total), kind)
            if not any(is_misread(atoms) for atoms in frames):
                return frames, total
    done = xyz_text.translated(file)
    try:
        every = _read(done.text, ":", "extxyz")
    except KeyError as error:
        raise ValueError(f"{file}: {error} is not the symbol of an element") from None
    for number, atoms in enumerate(every):
        done.finish(atoms, number)
    for note in done.notes:
        notes.add(note)
    for warning in done.warnings:
        notes.add(warning, important=True)
    return _chosen(every, chosen, last_only), len(every)


def _index(chosen: Index | None, last_only: bool, total: int) -> Index:
    """Return the index of the frames to read; others are not loaded."""
    if chosen is None:
        return -1 if last_only else ":"
    if not (last_only and isinstance(chosen, slice)):
        return chosen
    selected = range(total)[chosen]
    return selected[-1] if selected else chosen


def _chosen(every: list[Atoms], chosen: Index | None, last_only: bool) -> list[Atoms]:
    if isinstance(chosen, int):
        return every[chosen : chosen + 1 or None]
    found = every[chosen] if isinstance(chosen, slice) else every
    return found[-1:] if last_only else found


def _read(source: Path | StringIO, index: Index, kind: str) -> list[Atoms]:
    name: Any = str(source) if isinstance(source, Path) else source
    found = read(name, index=index, format=kind, do_not_split_by_at_sign=True)
    return [found] if isinstance(found, Atoms) else list(found)


def _trajectory_length(file: Path) -> int:
    from ase.io.trajectory import TrajectoryReader

    with TrajectoryReader(str(file)) as frames:
        return len(frames)
