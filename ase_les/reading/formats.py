"""Formats of structure files: detection, LAMMPS data files, and formats read with dpdata."""

from __future__ import annotations

import importlib.util
import re
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers
from ase.io import read
from ase.io.formats import UnknownFileTypeError, filetype, ioformats

DPDATA = "dpdata:"
"""Prefix of formats read with dpdata, as in ``dpdata:cp2k/output``."""

LAMMPS_DATA = "lammps-data"
"""Elements of atom types may follow, as in ``lammps-data:Na,Cl``."""

LAMMPS_DUMP = "lammps-dump-text"
"""Elements of atom types may follow, as in ``lammps-dump-text:O,H``."""

_HEAD_BYTES, _HEAD_LINES = 16384, 60


def format_of(path: Path, given: str | None = None) -> str:
    """Return the ASE name of the format of a file.

    Parameters
    ----------
    given : str or None
        Format given by the user; None determines it from name and content.

    Raises
    ------
    ValueError
        If the format is unknown or cannot be determined.
    """
    if given is not None:
        name, _, elements = given.partition(":")
        has_elements = name in (LAMMPS_DATA, LAMMPS_DUMP) and elements
        if given.startswith(DPDATA) or given in ioformats or has_elements:
            return given
        raise ValueError(
            f"unknown format '{given}'; ASE reads {', '.join(sorted(_readable()))}; with dpdata "
            f"also {DPDATA}NAME"
        )
    if _is_lammps_data(path):
        return LAMMPS_DATA
    if _is_cp2k_output(path):
        raise ValueError(
            f"{path} is an output of CP2K, which ASE does not read: give the format "
            f"{DPDATA}cp2k/output (--format; `format` under `data` of a training; needs "
            "pip install ase_les[dpdata])"
        )
    try:
        return str(filetype(str(path)))
    except UnknownFileTypeError as error:
        raise ValueError(
            f"cannot determine the format of {path}: {error}. Specify it with --format, one of "
            f"{', '.join(sorted(_readable()))}"
        ) from error


def has_many_frames(name: str) -> bool:
    """Return whether files of a format may hold several structures."""
    return not ioformats[name].single


def read_lammps_data(path: Path, name: str) -> Atoms:
    """Return the structure of a LAMMPS data file (units metal or real).

    Parameters
    ----------
    name : str
        ``lammps-data``, or with the elements of the atom types ``lammps-data:Na,Cl``.

    Raises
    ------
    ValueError
        If the elements of the atom types are not specified.
    """
    symbols = _elements_of_types(path, name)
    chosen = {kind: atomic_numbers[symbol] for kind, symbol in enumerate(symbols, start=1)}
    options: dict[str, Any] = {"Z_of_type": chosen or None, "do_not_split_by_at_sign": True}
    atoms = cast(Atoms, read(str(path), format=LAMMPS_DATA, **options))
    if not chosen:
        _check_lammps_elements(path, atoms)
    return atoms


def read_lammps_dump(path: Path, name: str) -> list[Atoms]:
    """Return the structures of a LAMMPS dump file (units metal, or those that it states).

    Parameters
    ----------
    path : Path
    name : str
        ``lammps-dump-text``, or with the elements of the atom types ``lammps-dump-text:O,H``.

    Raises
    ------
    ValueError
        If the elements of the atom types are not specified.
    """
    symbols = _elements_of_types(path, name)
    head = _head(path)
    columns = next((line.split()[2:] for line in head if line.startswith("ITEM: ATOMS")), [])
    if not symbols and {"element", "mass"}.isdisjoint(columns):
        # ASE takes types for atomic numbers: type 1 would be hydrogen.
        raise ValueError(
            f"{path} has no column `element`: give the elements in the order of the types with "
            f"--format {LAMMPS_DUMP}:O,H"
        )
    following = dict(pairwise(head))
    options: dict[str, Any] = {
        "specorder": symbols or None,
        "units": following.get("ITEM: UNITS", "metal").strip(),
        "do_not_split_by_at_sign": True,
    }
    return list(read(str(path), ":", format=LAMMPS_DUMP, **options))


def _elements_of_types(path: Path, name: str) -> list[str]:
    listed = name.partition(":")[2]
    symbols = [symbol.strip() for symbol in listed.split(",")] if listed else []
    unknown = [symbol for symbol in symbols if symbol not in atomic_numbers]
    if unknown:
        raise ValueError(f"{path}: the format {name} names {unknown}, which are not elements")
    return symbols


def is_xyz(name: str) -> bool:
    """Return whether a format is XYZ or extended XYZ."""
    return name in ("xyz", "extxyz")


def read_with_dpdata(path: Path, name: str) -> list[Atoms]:
    """Return labeled structures of a format that dpdata reads, ``dpdata:NAME``.

    Energies (eV), forces (eV/Å) and stresses (eV/Å³) are calculator results, as in ASE.

    Raises
    ------
    ModuleNotFoundError
        If dpdata is not installed.
    """
    if importlib.util.find_spec("dpdata") is None:
        raise ModuleNotFoundError(f"the format {name} needs dpdata: pip install ase_les[dpdata]")
    import dpdata

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        system = dpdata.LabeledSystem(str(path), fmt=name.removeprefix(DPDATA))
        return list(system.to("ase/structure"))


def _readable() -> list[str]:
    return [name for name, each in ioformats.items() if each.can_read]


def _head(path: Path) -> list[str]:
    # Binary files may have no lines at all.
    with open(path, "rb") as file:
        return file.read(_HEAD_BYTES).decode(errors="replace").splitlines()[:_HEAD_LINES]


def _is_lammps_data(path: Path) -> bool:
    head = _head(path)
    return any(re.match(r"\s*\d+\s+atoms\s*(#|$)", line) for line in head) and any(
        re.search(r"\bxlo\s+xhi\b|\bavec\b", line) for line in head
    )


def _is_cp2k_output(path: Path) -> bool:
    return any(line.lstrip().startswith("CP2K| version string") for line in _head(path))


def _check_lammps_elements(path: Path, atoms: Atoms) -> None:
    """Reject atom types whose elements are not specified.

    ASE interprets types without masses as atomic numbers: type 1 would be hydrogen.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    masses = re.search(r"^\s*Masses\b", text, re.MULTILINE)
    labels = re.search(r"^\s*Atom Type Labels\b.*\n\s*\n((?:\s*\d+ +\S+.*\n)+)", text, re.MULTILINE)
    named = labels and all(row.split()[1] in atomic_numbers for row in labels[1].splitlines())
    if not (masses or named):
        raise ValueError(
            f"{path} does not specify the elements of its atom types: give them in the order of "
            f"the types with --format {LAMMPS_DATA}:Na,Cl, or add a section Masses to the file"
        )
    if not masses:
        return
    off = np.abs(atoms.get_masses() - atomic_masses[atoms.numbers])
    # Deuterium and tritium are hydrogen.
    off = np.where((atoms.numbers == 1) & (atoms.get_masses() < 3.1), 0.0, off)
    if off.max() > 0.6:
        raise ValueError(
            f"{path}: a mass of {atoms.get_masses()[int(off.argmax())]:g} u matches no element; "
            "models need atoms with masses in g/mol (LAMMPS units metal or real)"
        )
