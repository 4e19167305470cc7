r"""Dipole and potential step of a slab from the charges on its atoms.

Charges and dipoles are physical; the potential is that of the latent charges, which are screened
(see `ase_les.screening`; both are equal for calculators without a dielectric tensor). They describe
how the potential *changes* upon adsorption or joining. They do not give absolute work functions,
which depend on the spill-out of electrons.
"""

from __future__ import annotations

import math

import numpy as np
from ase import Atoms

from ase_les.properties.atomic_charges import optional_charges
from ase_les.properties.layers import area_A2, unit_normal
from ase_les.screening import recorded_scaling
from ase_les.units import COULOMB_CONSTANT

POTENTIAL_NOTE = (
    "charges on atoms give changes of the potential between structures, not absolute work "
    "functions; charges and dipoles are physical, the potential is that of latent charges"
)


def is_slab(atoms: Atoms) -> bool:
    """Return whether a structure is periodic along its first two cell vectors only."""
    return bool(atoms.pbc[0] and atoms.pbc[1] and not atoms.pbc[2])


def normal_dipole(atoms: Atoms, charges: np.ndarray) -> float:
    """Return the dipole in e Å along the normal of the first two cell vectors."""
    return float(charges @ (atoms.positions @ unit_normal(atoms, "c")))


def potential_step_V(atoms: Atoms) -> float:
    """Return the potential above minus that below a slab in V.

    nan without charges and for structures that are not slabs.
    """
    charges = optional_charges(atoms) if is_slab(atoms) else None
    if charges is None:
        return math.nan
    latent = charges / recorded_scaling(atoms)
    return 4 * math.pi * COULOMB_CONSTANT * normal_dipole(atoms, latent) / area_A2(atoms)
