"""Read and write extended XYZ, such that ASE reads back exactly the same values."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms, FixCartesian
from ase.io.extxyz import key_val_str_to_dict
from ase.stress import voigt_6_to_full_3x3_stress

from ase_les.reading.born_charges import born_tensors

BORN_CHARGES = "born_effective_charges"
RESULTS = (
    *("energy", "free_energy", "forces", "stress", "dipole", "charges", "dielectric_tensor"),
    BORN_CHARGES,
)
"""Results of a calculator that are written."""

_OF_ATOMS = ("forces", "charges", BORN_CHARGES)

LABEL_PREFIX = "REF_"

_LETTERS = {"f": "R", "i": "I", "u": "I", "b": "L", "U": "S"}
_TENSORS = ("stress", "virial")


def write_extended_xyz(path: str | Path, frames: Iterable[Atoms]) -> None:
    """Write frames with velocities, constraints and results of their calculators.

    Born charges become nine columns, in the order xx xy xz yx … of [polarization, displacement].

    Parameters
    ----------
    path : str or Path
        Replaced when all frames are written.
    frames : iterable of ase.Atoms
        Such as ``ase.io.iread("run.traj")``; not changed.

    Raises
    ------
    ValueError
        If a number would not be read back unchanged.
    """
    _write(path, frames, lambda atoms: getattr(atoms.calc, "results", {}))


def write_labeled(path: str | Path, frames: Iterable[Atoms]) -> None:
    """Write frames with `info` and arrays, without results of calculators.

    Parameters
    ----------
    path : str or Path
        Replaced when all frames are written.

    Raises
    ------
    ValueError
        If a number would not be read back unchanged.
    """
    _write(path, frames, lambda atoms: {})


def read_extended_xyz(path: str | Path) -> list[Atoms]:
    """Read frames of :func:`write_extended_xyz`, including Born charges as (N, 3, 3)."""
    from ase_les.reading.files import all_frames

    frames = all_frames(path, "extxyz")
    for frame in frames:
        results = getattr(frame.calc, "results", {})
        if BORN_CHARGES in results:
            results[BORN_CHARGES] = born_tensors(results[BORN_CHARGES], len(frame), str(path))
    return frames


def without_labels(atoms: Atoms) -> Atoms:
    """Return a copy without calculator, constraints and labels of an earlier calculation."""
    bare = atoms.copy()
    bare.set_constraint()
    for place in (bare.info, bare.arrays):
        # All labels, so that none of another method remains.
        for name in [each for each in place if each.startswith(LABEL_PREFIX)]:
            del place[name]
    return bare


def extended_xyz(atoms: Atoms, results: Mapping[str, object] | None = None) -> str:
    """Return one frame as text.

    Parameters
    ----------
    atoms : ase.Atoms
        Entries of `info` that are empty or None are omitted: ASE would read the next entry, or
        True, instead.
    results : mapping of str to object, optional
        Results of a calculator; those in `RESULTS` are written.

    Raises
    ------
    ValueError
        If a number would not be read back unchanged.
    """
    columns: dict[str, np.ndarray] = {
        "species": np.array(list(atoms.symbols)),
        "pos": atoms.positions,
    }
    info: dict[str, object] = dict(atoms.info)
    arrays = {k: v for k, v in atoms.arrays.items() if k not in ("numbers", "positions")}
    for name, value in (results or {}).items():
        if name in RESULTS:
            if name in _OF_ATOMS:
                arrays[name] = np.asarray(value)
            else:
                info[name] = value
    free = _free_to_move(atoms)
    if free is not None:
        columns["move_mask"] = free
    for name, values in arrays.items():
        if _is_writable(name, values, columns):
            columns[name] = values
    lines = [str(len(atoms)), _comment(atoms, columns, info)]
    rows = (values.reshape(len(atoms), -1).tolist() for values in columns.values())
    lines += [
        " ".join(_word(entry) for part in row for entry in part) for row in zip(*rows, strict=True)
    ]
    return "\n".join(lines) + "\n"


def _write(
    path: str | Path,
    frames: Iterable[Atoms],
    results_of: Callable[[Atoms], Mapping[str, object]],
) -> None:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        with open(unfinished, "wb") as file:
            for atoms in frames:
                file.write(extended_xyz(atoms, results_of(atoms)).encode())
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _comment(atoms: Atoms, columns: Mapping[str, np.ndarray], info: Mapping[str, object]) -> str:
    layout = ":".join(
        f"{name}:{_LETTERS[values.dtype.kind]}:{values.size // max(len(atoms), 1)}"
        for name, values in columns.items()
    )
    parts = [f"Properties={layout}", f'pbc="{" ".join("T" if x else "F" for x in atoms.pbc)}"']
    if atoms.cell.any():
        parts.insert(0, f'Lattice="{_numbers(atoms.cell.array)}"')
    parts += [entry for key, value in info.items() if (entry := _entry(key, value))]
    return " ".join(parts)


def _entry(key: str, value: object) -> str:
    """Return an entry of the comment line that ASE reads back unchanged, or an empty string."""
    if value is None or (isinstance(value, str) and not value.strip()) or np.size(value) == 0:  # type: ignore[arg-type]
        return ""
    if key in _TENSORS and np.size(value) in (6, 9):  # type: ignore[arg-type]
        given = np.asarray(value, dtype=float)
        tensor = voigt_6_to_full_3x3_stress(given) if given.size == 6 else given.reshape(3, 3)
        return f'{key}="{_numbers(tensor.T)}"'
    for text in _spellings(value):
        entry = f"{key}={text}"
        if "\n" not in entry and _reads_as(entry, key, value):
            return entry
    if _is_number(value):
        raise ValueError(
            f"atoms.info['{key}'] = {value!r} would not be read back from extended XYZ; rename it "
            "(letters, digits and underscores), or remove it"
        )
    warnings.warn(f"atoms.info['{key}'] cannot be written as extended XYZ", stacklevel=2)
    return ""


def _spellings(value: object) -> Iterable[str]:
    """Yield ways to write a value, simplest first."""
    if isinstance(value, bool | np.bool_):
        yield "T" if value else "F"
    elif isinstance(value, int | float | np.integer | np.floating):
        yield repr(value.item() if isinstance(value, np.generic) else value)
    elif isinstance(value, str):
        if value.isascii() and value.isprintable() and not set(value) & set(" \"'{}[]=\\,"):
            yield value
        yield _quoted(value)
    elif isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "fi":
        yield f'"{_numbers(value)}"'
    try:
        plain = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        yield _quoted("_JSON " + json.dumps(plain))
    except (TypeError, ValueError):
        # Objects such as ASE's space groups are written as text.
        yield _quoted(str(getattr(value, "symbol", value)))


def _reads_as(entry: str, key: str, value: object) -> bool:
    try:
        read = key_val_str_to_dict(entry)
    except (ValueError, KeyError):
        return False
    if list(read) != [key]:
        return False
    if isinstance(value, str) or isinstance(read[key], str):
        return isinstance(read[key], str) and (read[key] == value or not _is_plain(value))
    if _is_number(value):
        given, found = np.asarray(value), np.asarray(read[key])
        return given.shape == found.shape and bool(
            np.array_equal(given, found, equal_nan=given.dtype.kind == "f")
        )
    return True


def _is_plain(value: object) -> bool:
    return isinstance(
        value, str | int | float | bool | list | tuple | dict | np.generic | np.ndarray
    )


def _is_number(value: object) -> bool:
    return not isinstance(value, str) and np.asarray(value).dtype.kind in "fiub"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _numbers(values: np.ndarray) -> str:
    return " ".join(repr(x) for x in np.ravel(values).tolist())


def _is_writable(name: str, values: np.ndarray, columns: Mapping[str, np.ndarray]) -> bool:
    kind = values.dtype.kind
    if kind not in _LETTERS or name in columns or set(name) & set(': "='):
        return False
    if kind == "U" and any(not text or len(text.split()) != 1 for text in values.ravel().tolist()):
        warnings.warn(
            f"atoms.arrays['{name}'] contains empty text or spaces, which extended XYZ cannot "
            "store; it is omitted",
            stacklevel=2,
        )
        return False
    return True


def _free_to_move(atoms: Atoms) -> np.ndarray | None:
    """Return which atoms (N,) or coordinates (N, 3) may move, None if all."""
    known = [each for each in atoms.constraints if isinstance(each, FixAtoms | FixCartesian)]
    others = {type(each).__name__ for each in atoms.constraints if each not in known}
    if others:
        warnings.warn(
            f"extended XYZ cannot store constraints of type {', '.join(sorted(others))}; they are "
            "omitted. Use ASE's .traj format to keep them",
            stacklevel=2,
        )
    if not known:
        return None
    free = np.ones((len(atoms), 3), dtype=bool)
    for each in known:
        free[each.index] &= False if isinstance(each, FixAtoms) else ~np.asarray(each.mask)
    return free if any(isinstance(each, FixCartesian) for each in known) else free[:, 0]


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "T" if value else "F"
    # The shortest text that reads back as the same number.
    return repr(value) if isinstance(value, float) else str(value)
