"""Reading of structures by commands: ``--format``, ``--pbc`` and messages about files."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
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
"""Parameters of commands that name files of structures."""

Format = Annotated[
    str | None,
    typer.Option(
        help="Format of the structure files as ASE names it, such as vasp-out, espresso-out or "
        "lammps-data:Na,Cl; with dpdata also dpdata:NAME.",
        show_default="by name and content",
    ),
]
Pbc = Annotated[
    str | None,
    typer.Option(
        help="Periodic directions in place of what the file says: T, F, or as TTF.",
        show_default="what the file says",
    ),
]


@dataclass(frozen=True)
class ReadingOptions:
    """Options of the command line for reading structures.

    Parameters
    ----------
    format : str or None
    pbc : tuple of bool or None
    quiet : bool
        Tell only what changes results.
    """

    format: str | None = None
    pbc: tuple[bool, bool, bool] | None = None
    quiet: bool = False


_OPTIONS: ContextVar[ReadingOptions] = ContextVar("reading options")


def options() -> ReadingOptions:
    """Return the options of the running command; defaults outside of one."""
    return _OPTIONS.get(ReadingOptions())


def with_reading_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command with ``--format`` and ``--pbc`` if it reads structures.

    Both hold for every structure it reads; the command itself does not see them.

    Parameters
    ----------
    verb : callable
        Whose signature typer reads.
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
        If it is anything else.
    """
    if given is None:
        return None
    # YAML reads a lone T or F as text, true and false as what they are.
    letters = [letter for letter in str(given).upper() if letter in "TF10"]
    if str(given).lower() in ("true", "false"):
        letters = [str(given)[0].upper()]
    if len(letters) not in (1, 3):
        raise ValueError(f"--pbc is T, F or three of them such as TTF, got {given!r}")
    periodic = [letter in "T1" for letter in letters]
    first, second, third = periodic * 3 if len(periodic) == 1 else periodic
    return first, second, third


def read(
    path: Path, *, last_only: bool = False, charge: float | None = None, silent: bool = False
) -> StructureFile:
    """Read a file as the command line says, and tell on stderr what should be known about it.

    Parameters
    ----------
    path : Path
    last_only : bool
        Read the last structure only.
    charge : float or None
        Total charge (e) in place of what the file says.
    silent : bool
        Leave the telling to the caller, who uses labels.
    """
    from ase_les.reading import read_file
    from ase_les.reading.structures import listed, unused_keys

    said = options()
    file = read_file(path, said.format, last_only=last_only, charge=charge)
    for atoms in file.frames:
        if said.pbc is not None:
            atoms.pbc = said.pbc
    if silent:
        return file
    for atoms in file.frames:
        unused = unused_keys(atoms)
        if unused:
            file.notes.add(f"not used: {listed(unused)}")
    if last_only and file.total > 1 and "@" not in path.name:
        file.notes.add(f"the last of {file.total} structures is used; {path}@N takes another")
    tell(file.notes.lines(len(file.frames), only_important=said.quiet))
    return file


def tell(lines: list[str]) -> None:
    """Print lines on stderr."""
    from ase_les.reports.terminal import console

    for line in lines:
        console().print(line, markup=False, highlight=False, soft_wrap=True)


def check_periodic(atoms: Atoms, card: Mapping[str, object], path: Path | str) -> None:
    """Refuse a structure without periodic directions for a model that knows none such.

    ``--pbc`` says that it is meant.

    Raises
    ------
    ValueError
        See `ase_les.reading.structures.check_periodicity`.
    """
    from ase_les.reading.structures import check_periodicity

    if options().pbc is None:
        check_periodicity(atoms, card, str(path))
