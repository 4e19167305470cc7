"""Pressure of a crystal, to check that it is at its equilibrium volume."""

from __future__ import annotations

import math

from ase import Atoms, units
from ase.calculators.calculator import PropertyNotImplementedError

LARGE_PRESSURE_GPA = 1.0
"""Absolute pressure above which a crystal is reported as strained."""


def pressure_GPa(atoms: Atoms) -> float:
    """Return the pressure in GPa, minus a third of the trace of the stress; nan without stress."""
    try:
        return float(-atoms.get_stress()[:3].mean() / units.GPa)
    except PropertyNotImplementedError:
        return math.nan
