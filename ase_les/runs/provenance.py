"""Describe structures, calculators and software, and compare such descriptions."""

from __future__ import annotations

import hashlib
import math
import platform
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from importlib import metadata

import numpy as np
from ase import Atoms

REPORTED_PACKAGES = ("ase_les", "ase", "numpy", "torch")

# Calculator parameters that select where and how fast to compute, without effect on the results.
_WITHOUT_EFFECT = frozenset({"command", "device", "directory", "label", "skin", "txt"})


def describe_structure(atoms: Atoms) -> dict[str, object]:
    """Return formula, number of atoms, boundary conditions, cell and total charge."""
    return {
        "formula": atoms.get_chemical_formula(),
        "atoms": len(atoms),
        "pbc": atoms.pbc.tolist(),
        "cell_A": atoms.cell.tolist(),
        "charge_e": plain(atoms.info.get("charge", 0)),
    }


def describe_calculator(calculator: object) -> dict[str, object]:
    """Return class, name, model hash (None if there is none) and settings of a calculator.

    The settings are those of ASE's ``parameters`` that affect the results and consist of plain
    containers.
    """
    model_hash = getattr(calculator, "model_hash", None)
    # The hash identifies a model wherever its file is.
    left_out = _WITHOUT_EFFECT | ({"model"} if model_hash else set())
    settings = getattr(calculator, "parameters", None) or {}
    return {
        "class": type(calculator).__name__,
        "name": getattr(calculator, "name", None),
        "model_hash": model_hash,
        "settings": {
            str(name): plain(value)
            for name, value in settings.items()
            if name not in left_out and _is_plain(value)
        },
    }


def fingerprint(*structures: Atoms) -> str:
    """Return a hash of atomic numbers, positions, cells, pbc, total charges and spins.

    Parameters
    ----------
    *structures : ase.Atoms

    Returns
    -------
    str
        First 16 hexadecimal digits of the SHA-256.
    """
    digest = hashlib.sha256()
    for atoms in structures:
        for part in (atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc):
            digest.update(np.ascontiguousarray(part).tobytes())
        charge = atoms.info.get("charge", 0)
        # The charges 1 and 1.0 are the same.
        charge = f"{charge:g}" if isinstance(charge, int | float | np.number) else charge
        digest.update(f"{charge} {atoms.info.get('spin')}".encode())
    return digest.hexdigest()[:16]


def changed(
    before: Mapping[str, object], now: Mapping[str, object], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], object, object]]:
    """Yield path, old and new value of every entry that differs between two nested mappings."""
    for name in dict.fromkeys([*before, *now]):
        old, new = (side.get(name, "absent") for side in (before, now))
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from changed(old, new, (*path, name))
        elif old != new:
            yield (*path, name), old, new


def differences(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """Return a phrase for every entry that differs between two nested mappings."""
    return [f"{path[-1]} is {old}, given {new}" for path, old, new in changed(before, now)]


def software_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages in `REPORTED_PACKAGES`.

    Versions are read from the package metadata; nothing is imported.
    """
    versions = {"python": platform.python_version()}
    for package in REPORTED_PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def plain(value: object) -> object:
    """Convert a value to types that YAML and JSON have in common.

    Dataclasses become mappings, arrays and tuples become lists, numbers that are not finite become
    None, and objects of other types become text.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)


def plain_mapping(value: object) -> dict[str, object]:
    """Convert a mapping or dataclass as :func:`plain` does."""
    converted = plain(value)
    if not isinstance(converted, dict):
        raise TypeError(f"needed a mapping or dataclass, got {type(value).__name__}")
    return converted


def _is_plain(value: object) -> bool:
    """Return whether `plain` preserves a value; the text of other objects may contain addresses."""
    if isinstance(value, Mapping):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.kind in "biufUS"
    return value is None or isinstance(value, bool | int | float | str)
