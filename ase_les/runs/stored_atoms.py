"""Exact conversion of atoms to arrays and JSON, without pickle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms
from ase.constraints import FixInternals, FixSymmetry, dict2constraint
from ase.io.jsonio import decode, encode


def atoms_as_arrays(atoms: Atoms) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    """Return pbc, info and constraints as JSON, and the arrays of the atoms including the cell."""
    for name, array in atoms.arrays.items():
        if array.dtype == object:
            raise ValueError(
                f"atoms.arrays['{name}'] contains Python objects, which a checkpoint cannot store; "
                "remove it or convert it to numbers or text"
            )
    facts: dict[str, object] = {
        "pbc": atoms.pbc.tolist(),
        "info": encode(_storable_info(atoms)),
        "constraints": encode([_constraint_as_dict(each) for each in atoms.constraints]),
    }
    arrays = {f"atoms/{name}": array for name, array in atoms.arrays.items()}
    return facts, {**arrays, "atoms_cell": atoms.cell.array}


def atoms_from_arrays(facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Atoms:
    """Return the atoms stored by :func:`atoms_as_arrays`."""
    atoms = Atoms(numbers=arrays["atoms/numbers"], cell=arrays["atoms_cell"], pbc=facts["pbc"])
    for name, array in arrays.items():
        # The setters of ASE would apply constraints and so change the last digits.
        if name.startswith("atoms/"):
            atoms.arrays[name.removeprefix("atoms/")] = array.copy()
    atoms.info.update(decode(facts["info"]))
    stored = decode(facts["constraints"])
    atoms.set_constraint([_constraint_from_dict(each, atoms) for each in stored])
    return atoms


def _storable_info(atoms: Atoms) -> dict[str, object]:
    """Return the entries of `atoms.info` that JSON can store, as ASE's trajectory does."""
    storable = {}
    for key, value in atoms.info.items():
        try:
            encode(value)
        except TypeError:
            continue
        storable[key] = value
    return storable


def _constraint_as_dict(constraint: Any) -> dict[str, Any]:
    """Return a constraint with the state that ASE's `todict` omits or that its class rounds.

    Examples are bond lengths, which `FixBondLengths` measures when it is first applied, and
    directions, which other classes normalize again.
    """
    if isinstance(constraint, FixSymmetry):
        described: dict[str, Any] = {"name": "FixSymmetry"}
    elif getattr(constraint, "todict", None) is None or constraint.todict() is None:
        raise ValueError(
            f"the constraint {type(constraint).__name__} cannot be stored in a checkpoint: it has "
            "no `todict` method. Use one of ASE's constraints, or add that method"
        )
    else:
        described = constraint.todict()
    if isinstance(constraint, FixInternals):
        return {**described, "kwargs": {**described["kwargs"], **_measured_targets(constraint)}}
    state = {name: value for name, value in vars(constraint).items() if _is_state(value)}
    return {**described, "state": state}


def _constraint_from_dict(stored: Mapping[str, Any], atoms: Atoms) -> Any:
    """Return the constraint stored by :func:`_constraint_as_dict`."""
    if stored["name"] == "FixSymmetry":
        # Not through `__init__`, which would search for the symmetry again.
        constraint: Any = FixSymmetry.__new__(FixSymmetry)
        constraint.atoms = atoms.copy()
    else:
        constraint = dict2constraint({name: stored[name] for name in ("name", "kwargs")})
    for name, value in stored.get("state", {}).items():
        if not name.startswith("__"):
            setattr(constraint, name, value)
    return constraint


def _is_state(value: object) -> bool:
    """Return whether an attribute consists of numbers, text and arrays only."""
    if isinstance(value, list | tuple):
        return all(map(_is_state, value))
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biuf"
    return value is None or isinstance(value, bool | int | float | str | np.number)


def _measured_targets(constraint: FixInternals) -> dict[str, list[list[Any]]]:
    """Return the definitions of fixed internal coordinates with the targets in use.

    Targets that were given as None are measured when the constraint is first applied.
    """
    targets = [each.targetvalue for each in constraint.constraints]
    definitions = {}
    for kind in ("bonds", "angles", "dihedrals", "bondcombos"):
        listed = getattr(constraint, kind)
        measured, targets = targets[: len(listed)], targets[len(listed) :]
        if measured:
            listed = [[float(t), *each[1:]] for t, each in zip(measured, listed, strict=True)]
        name = f"{kind}_deg" if kind in ("angles", "dihedrals") else kind
        definitions[name] = listed
    return definitions
