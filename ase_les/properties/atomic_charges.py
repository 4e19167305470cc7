"""Charges on atoms, from calculators or recorded results."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError


def optional_charges(atoms: Atoms) -> np.ndarray | None:
    """Return the charges (N,) in e, or None if neither calculator nor recorded results have any."""
    calculator = atoms.calc
    implemented = getattr(calculator, "implemented_properties", ())
    if "charges" not in implemented and "charges" not in getattr(calculator, "results", {}):
        return None
    return np.asarray(atoms.get_charges(), dtype=float)


def required_charges(atoms: Atoms) -> np.ndarray:
    """Return the charges (N,) in e of a configuration."""
    try:
        return np.asarray(atoms.get_charges(), dtype=float)
    except (PropertyNotImplementedError, RuntimeError) as error:
        raise ValueError(
            "the potential needs charges, but this configuration has none: record them in the "
            "trajectory, or give a calculator (--model)"
        ) from error
