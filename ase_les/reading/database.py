"""Read structures of ASE databases with their key-value pairs and data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

FORMATS = ("db", "json")
"""ASE names of the formats of databases in one file."""


def read_database(path: Path, chosen: int | slice | str) -> tuple[list[Atoms], int]:
    """Return structures of a database and their number in the file.

    ASE's reader drops everything but its own columns.

    Key-value pairs are stored in ``atoms.info``; data in ``atoms.arrays`` if there is one row of
    numbers for each atom, otherwise in ``atoms.info``.

    Parameters
    ----------
    path : Path
    chosen : int, slice or str
        Rows by position, counted from 0, or a query such as ``energy<0``.
    """
    from ase.db import connect

    with connect(str(path), serial=True, use_lock_file=False) as database:
        total = database.count()
        if isinstance(chosen, str):
            return [_atoms(row) for row in database.select(chosen)], total
        if isinstance(chosen, int):
            chosen = slice(chosen, chosen + 1 or None)
        wanted = range(total)[chosen]
        if not wanted:
            return [], total
        first, last = min(wanted), max(wanted)
        found = [_atoms(row) for row in database.select(offset=first, limit=last - first + 1)]
        return [found[number - first] for number in wanted], total


def _atoms(row: Any) -> Atoms:
    atoms: Atoms = row.toatoms()
    atoms.info.update(row.key_value_pairs)
    data = row.data
    for name, value in data.items() if isinstance(data, Mapping) else ():
        if isinstance(value, list | tuple):
            value = np.array(value, dtype=None if _is_regular(value) else object)
        is_column = isinstance(value, np.ndarray) and value.dtype.kind in "fiub"
        if is_column and value.ndim == 2 and len(value) == len(atoms) and name not in atoms.arrays:
            atoms.set_array(name, value)
        elif name not in atoms.info:
            atoms.info[name] = value
    return atoms


def _is_regular(value: object) -> bool:
    try:
        np.array(value)
    except ValueError:
        return False
    return True
