"""Properties that are defined for given boundary conditions."""

from __future__ import annotations

from collections.abc import Sequence

from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError

# In Å³: a cell with a smaller volume lacks its third vector.
_SMALLEST_VOLUME = 1e-6


def has_stress(atoms: Atoms) -> bool:
    """Return whether a stress is defined: at least two periodic directions, and a volume."""
    return bool(atoms.pbc.sum() >= 2 and atoms.cell.volume > _SMALLEST_VOLUME)


def check_boundaries(properties: Sequence[str], atoms: Atoms) -> None:
    """Raise an error for properties that are undefined under the boundary conditions.

    Raises
    ------
    PropertyNotImplementedError
        For a stress without a volume, a dipole of a periodic structure, or a polarization without
        three periodic directions.
    """
    if "stress" in properties and not has_stress(atoms):
        if atoms.pbc.sum() == 2:
            raise PropertyNotImplementedError(
                "the stress of a slab is per volume of its cell, and this cell has no volume: "
                f"{atoms.cell.array.tolist()}. Give it a third vector, for example by "
                "atoms.center(vacuum=10, axis=2); energy and forces do not depend on it"
            )
        raise PropertyNotImplementedError(
            f"stress needs two or three periodic directions, pbc is {atoms.pbc.tolist()}"
        )
    if "dipole" in properties and atoms.pbc.any():
        raise PropertyNotImplementedError(
            "the dipole is defined only without periodic directions, "
            f"pbc is {atoms.pbc.tolist()}. Use the polarization and its changes instead"
        )
    if "polarization" in properties and not atoms.pbc.all():
        raise PropertyNotImplementedError(
            f"the polarization needs three periodic directions, pbc is {atoms.pbc.tolist()}. "
            "Use the dipole of finite structures"
        )
