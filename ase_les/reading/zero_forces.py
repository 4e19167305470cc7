"""Find force labels that a constraint has set to zero."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms

from ase_les.reading.labels import LabelSources

# Share of structures; single ones may have atoms at rest by symmetry.
_LEAST_SHARE = 0.1


def question_zero_forces(frames: Sequence[Atoms], sources: LabelSources) -> list[str]:
    """Return a warning if forces of fixed atoms are exactly zero: they are not -dE/dr.

    Without constraints in the file, any atoms at rest beside others count.

    Parameters
    ----------
    frames : sequence of ase.Atoms
    sources : LabelSources
    """
    found = sum(_has_zero_forces(atoms, sources) for atoms in frames)
    if found == 0 or found < _LEAST_SHARE * len(frames):
        return []
    return [
        f"forces on some atoms are exactly zero in {found} of {len(frames)} structures, as a "
        "constraint (FixAtoms) makes them. Unless symmetry requires it, these labels are wrong: "
        "store atoms.get_forces(apply_constraint=False)"
    ]


def _has_zero_forces(atoms: Atoms, sources: LabelSources) -> bool:
    forces = sources.value(atoms, "forces")
    if forces is None or np.shape(forces) != (len(atoms), 3):
        return False
    at_rest = ~np.any(forces, axis=1)
    fixed = [
        index for each in atoms.constraints if isinstance(each, FixAtoms) for index in each.index
    ]
    suspected = at_rest[fixed] if fixed else at_rest[at_rest]
    return bool(len(suspected) and suspected.all() and not at_rest.all())
