"""Reading of structures by commands: ``--format``, ``--pbc`` and messages about files."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ase_les.cli._options import with_options

if TYPE_CHECKING:
    from ase import Atoms

    from ase_les.reading import StructureFile

READING = frozenset({"structure", "structures", "data", "bulk", "trajectory"})
"""Command parameters that are structure files."""

Format = Annotated[
    str | None,
    typer.Option(
        help="ASE format of the structure files, such as vasp-out, espresso-out, "
        "lammps-data:Na,Cl or lammps-dump-text:O,H; with dpdata also dpdata:NAME.",
        show_default="by name and content",
    ),
]
Pbc = Annotated[
    str | None,
    typer.Option(
        help="Periodic directions instead of those in the file: T, F, or as TTF.",
        show_default="from the file",
    ),
]


@dataclass(frozen=True)
class ReadingOptions:
    """Options of the command line for reading structures.

    Parameters
    ----------
    quiet : bool
        Print only notes that affect results.
    """

    format: str | None = None
    pbc: tuple[bool, bool, bool] | None = None
    quiet: bool = False


_OPTIONS: ContextVar[ReadingOptions] = ContextVar("reading options")


def options() -> ReadingOptions:
    """Return the options of the running command; defaults outside a command."""
    return _OPTIONS.get(ReadingOptions())


def with_reading_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command with ``--format`` and ``--pbc`` if it reads structures.

    Both apply to every structure it reads; the command itself does not receive them.

    Parameters
    ----------
    verb : callable
        Command with the signature for typer.
    """
    if READING.isdisjoint(inspect.signature(verb).parameters):
        return verb
    return with_options(verb, {"format": Format, "pbc": Pbc}, _reading)


@contextmanager
def _reading(format: str | None, pbc: str | None, quiet: bool) -> Iterator[None]:
    token = _OPTIONS.set(ReadingOptions(format, directions(pbc), quiet))
    try:
        yield
    finally:
        _OPTIONS.reset(token)


def directions(given: str | None) -> tuple[bool, bool, bool] | None:
    """Return periodic directions from text such as ``F``, ``TTF`` or ``T T F``.

    Raises
    ------
    ValueError
        For other text.
    """
    if given is None:
        return None
    # YAML reads T and F as text, and true and false as booleans.
    letters = [letter for letter in str(given).upper() if letter in "TF10"]
    if str(given).lower() in ("true", "false"):
        letters = [str(given)[0].upper()]
    if len(letters) not in (1, 3):
        raise ValueError(f"--pbc must be T, F or three of them such as TTF, got {given!r}")
    periodic = [letter in "T1" for letter in letters]
    first, second, third = periodic * 3 if len(periodic) == 1 else periodic
    return first, second, third


def read(
    path: Path,
    *,
    last_only: bool = False,
    charge: float | None = None,
    silent: bool = False,
    used: Sequence[str] = (),
) -> StructureFile:
    """Read a file with the options of the command line, and print notes about it on stderr.

    Parameters
    ----------
    last_only : bool
        Read the last structure only.
    charge : float or None
        Total charge (e) instead of that in the file.
    silent : bool
        Do not print notes; the caller does, for files with labels.
    used : sequence of str
        Entries that this command uses besides the usual ones.
    """
    from ase_les.reading import read_file
    from ase_les.reading.structures import listed, unused_keys

    reading = options()
    file = read_file(path, reading.format, last_only=last_only, charge=charge)
    for atoms in file.frames:
        if reading.pbc is not None:
            atoms.pbc = reading.pbc
    if silent:
        return file
    for atoms in file.frames:
        unused = [name for name in unused_keys(atoms) if name not in used]
        if unused:
            file.notes.add(f"not used: {listed(unused)}")
    if last_only and file.total > 1 and "@" not in path.name:
        file.notes.add(f"the last of {file.total} structures is used; {path}@N selects another")
    print_lines(file.notes.lines(len(file.frames), only_important=reading.quiet))
    return file


def print_lines(lines: list[str]) -> None:
    """Print lines on stderr."""
    from ase_les.reports.terminal import console

    for line in lines:
        console().print(line, markup=False, highlight=False, soft_wrap=True)


def check_periodic(atoms: Atoms, card: Mapping[str, object], path: Path | str) -> None:
    """Raise an error for an open structure if the model was trained on periodic ones only.

    Use ``--pbc`` to confirm that the structure is open.
    """
    from ase_les.reading.structures import check_periodicity

    if options().pbc is None:
        check_periodicity(atoms, card, str(path))
