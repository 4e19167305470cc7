"""Exact conversion of atoms to arrays and JSON, without pickle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms
from ase.constraints import dict2constraint
from ase.io.jsonio import decode, encode


def atoms_as_arrays(atoms: Atoms) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    """Return pbc, info and constraints as JSON, and the arrays of the atoms including the cell.

    Raises
    ------
    ValueError
        If an array contains Python objects, or a constraint cannot be stored.
    """
    for name, array in atoms.arrays.items():
        if array.dtype == object:
            raise ValueError(
                f"atoms.arrays['{name}'] contains Python objects, which a checkpoint cannot store; "
                "remove it or convert it to numbers or text"
            )
    for constraint in atoms.constraints:
        if not hasattr(constraint, "todict"):
            raise ValueError(
                f"the constraint {type(constraint).__name__} cannot be stored in a checkpoint: it "
                "has no `todict` method. Use one of ASE's constraints, or add that method"
            )
    facts: dict[str, object] = {
        "pbc": atoms.pbc.tolist(),
        "info": encode(_storable_info(atoms)),
        "constraints": encode([each.todict() for each in atoms.constraints]),
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
    atoms.set_constraint([dict2constraint(each) for each in decode(facts["constraints"])])
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
