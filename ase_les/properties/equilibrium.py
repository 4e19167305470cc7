"""Whether a crystal is at its own volume."""

from __future__ import annotations

import math

from ase import Atoms, units
from ase.calculators.calculator import PropertyNotImplementedError

LARGE_PRESSURE_GPA = 1.0
"""Above, in either direction, results are those of a strained crystal."""


def pressure_GPa(atoms: Atoms) -> float:
    """Pressure in GPa, minus a third of the trace of the stress; nan without a stress."""
    try:
        return float(-atoms.get_stress()[:3].mean() / units.GPa)
    except PropertyNotImplementedError:
        return math.nan
