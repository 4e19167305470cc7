"""Selection of the atoms that vibrate, from constraints and a choice of atoms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms, FixCartesian

from ase_les.properties.atom_selection import selected_atoms

# Constraints that do not affect normal modes.
_WITHOUT_EFFECT = ("FixCom", "FixSymmetry")


@dataclass(frozen=True)
class VibratingAtoms:
    """Atoms that vibrate.

    Parameters
    ----------
    indices : list of int
        Ascending.
    free_molecule : bool
        Whether these are all atoms of a molecule, whose translations and rotations are free.
    notes : tuple of str
        Remarks on fixed atoms and ignored constraints.
    """

    indices: list[int]
    free_molecule: bool
    notes: tuple[str, ...]


def vibrating_atoms(atoms: Atoms, chosen: str | Sequence[int] | None = None) -> VibratingAtoms:
    """Return the atoms that vibrate.

    Parameters
    ----------
    atoms : ase.Atoms
        Atoms of `FixAtoms`, and of `FixCartesian` with all three directions, are fixed.
    chosen : str, sequence of int, or None
        See `ase_les.properties.atom_selection`; by default all atoms that are not fixed.
    """
    fixed, ignored = _fixed_atoms(atoms)
    selected = selected_atoms(atoms, chosen)
    indices = np.setdiff1d(selected, fixed).tolist()
    if not indices:
        raise ValueError("all atoms, or all chosen ones, are fixed; none is left to vibrate")
    all_atoms = len(indices) == len(atoms)
    if all_atoms and atoms.pbc.any() and chosen is None:
        raise ValueError(
            "normal modes need a molecule without periodic directions; with periodic directions, "
            "some atoms must be fixed (FixAtoms), or the vibrating ones selected (`chosen`). pbc "
            f"is {atoms.pbc.tolist()}. "
            "For all atoms of a crystal or slab use `phonons`, for liquids the spectrum of a "
            "trajectory"
        )
    if all_atoms and len(atoms) < 2:
        raise ValueError("a molecule or crystal needs two atoms to vibrate, got 1")
    free = all_atoms and not atoms.pbc.any()
    notes = []
    if not all_atoms:
        notes.append(
            f"partial Hessian of {len(indices)} of {len(atoms)} atoms; the others are fixed"
        )
    n_fixed = 0 if chosen is None else len(selected) - len(indices)
    if n_fixed:
        notes.append(f"{n_fixed} of the chosen atoms are fixed by a constraint and do not vibrate")
    if ignored:
        notes.append(
            f"the constraints {', '.join(ignored)} are ignored: the atoms vibrate in all directions"
        )
    return VibratingAtoms(indices, free, tuple(notes))


def _fixed_atoms(atoms: Atoms) -> tuple[list[int], list[str]]:
    """Return indices of fixed atoms and names of constraints that are ignored."""
    fixed: set[int] = set()
    ignored = []
    for constraint in atoms.constraints:
        if isinstance(constraint, FixAtoms):
            fixed.update(constraint.index.tolist())
        elif isinstance(constraint, FixCartesian):
            if not np.all(constraint.mask):
                raise ValueError(
                    "FixCartesian fixes some directions of an atom; normal modes support atoms "
                    "that are free or fixed (FixAtoms)"
                )
            fixed.update(np.atleast_1d(constraint.index).tolist())
        elif type(constraint).__name__ not in _WITHOUT_EFFECT:
            ignored.append(type(constraint).__name__)
    return sorted(fixed), list(dict.fromkeys(ignored))
