r"""Dipole and potential step of a slab from the charges on its atoms.

Charges and dipoles are physical; the potential is that of latent charges, which are screened
(`ase_les.screening`; the two are the same for calculators without a dielectric tensor). They tell
how the potential *changes* when something is adsorbed or joined; they give no absolute work
function, which depends on electrons that no charge on a nucleus stands for.
"""

from __future__ import annotations

import math

import numpy as np
from ase import Atoms

from ase_les.properties.slabs import area
from ase_les.screening import recorded_scaling
from ase_les.units import COULOMB_CONSTANT

POTENTIAL_NOTE = (
    "charges on atoms give changes of the potential between structures, not absolute work "
    "functions; charges and dipoles are physical, the potential is that of latent charges"
)


def is_slab(atoms: Atoms) -> bool:
    return bool(atoms.pbc[0] and atoms.pbc[1] and not atoms.pbc[2])


def normal(atoms: Atoms) -> np.ndarray:
    """Unit vector along the normal of the two periodic vectors."""
    across = np.cross(atoms.cell[0], atoms.cell[1])
    return across / np.linalg.norm(across)


def charges_of(atoms: Atoms) -> np.ndarray | None:
    """(N,) charges in e, or None where the calculator has none."""
    if "charges" not in getattr(atoms.calc, "implemented_properties", ()):
        return None
    return np.asarray(atoms.get_charges(), dtype=float)


def normal_dipole(atoms: Atoms, charges: np.ndarray) -> float:
    return float(charges @ (atoms.positions @ normal(atoms)))


def potential_step_V(atoms: Atoms) -> float:
    charges = charges_of(atoms) if is_slab(atoms) else None
    if charges is None:
        return math.nan
    latent = charges / recorded_scaling(atoms)
    return 4 * math.pi * COULOMB_CONSTANT * normal_dipole(atoms, latent) / area(atoms)
