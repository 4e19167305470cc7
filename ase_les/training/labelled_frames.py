"""Structures with labels as extended XYZ, every digit of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io.extxyz import key_val_dict_to_str

from ase_les.runs.output import replace_file

LABEL_PREFIX = "REF_"
_LETTERS = {"f": "R", "i": "I", "u": "I", "b": "L", "U": "S"}


def write_labelled(path: str | Path, frames: Iterable[Atoms]) -> None:
    """Write frames so that reading them gives back the same numbers, or leave the file alone.

    ASE's own writer keeps eight decimals of positions and forces.

    Parameters
    ----------
    path : str or Path
        Replaced in one go.
    frames : iterable of Atoms
        With `info` and arrays; calculators are not written.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    replace_file(Path(path), "".join(map(_extended_xyz, frames)).encode())


def without_labels(atoms: Atoms) -> Atoms:
    """A copy without calculator, constraints and labels of an earlier time."""
    bare = atoms.copy()
    bare.set_constraint()
    for place in (bare.info, bare.arrays):
        # All of them: charges of another method must not pass for those of this one.
        for name in [each for each in place if each.startswith(LABEL_PREFIX)]:
            del place[name]
    return bare


def _extended_xyz(atoms: Atoms) -> str:
    columns = {"species": np.array(list(atoms.symbols)), "pos": atoms.positions}
    for name, values in atoms.arrays.items():
        if name not in ("numbers", "positions") and values.dtype.kind in _LETTERS:
            columns[name] = values
    layout = ":".join(
        f"{name}:{_LETTERS[values.dtype.kind]}:{values.size // len(atoms)}"
        for name, values in columns.items()
    )
    facts: dict[str, object] = {}
    if atoms.cell.any():
        facts["Lattice"] = " ".join(repr(float(x)) for x in atoms.cell.array.ravel())
    facts["Properties"] = layout
    facts["pbc"] = " ".join("T" if each else "F" for each in atoms.pbc)
    head = " ".join(
        f'{name}="{value}"' if name != "Properties" else f"{name}={value}"
        for name, value in facts.items()
    )
    rows = zip(
        *(values.reshape(len(atoms), -1).tolist() for values in columns.values()), strict=True
    )
    lines = [" ".join(_word(x) for part in row for x in part) for row in rows]
    info = key_val_dict_to_str(atoms.info)
    return "\n".join([str(len(atoms)), f"{head} {info}".rstrip(), *lines]) + "\n"


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "T" if value else "F"
    # The shortest text that reads back as the same number.
    return repr(value) if isinstance(value, float) else str(value)
