r"""Dipole and potential step of a slab from the charges on its atoms.

Charges and dipoles are physical (`ase_les.screening`), and so is the potential: the energy of a
physical test charge divided by it. Between physical charges :math:`Q = s q` in a medium of
electronic dielectric constant :math:`\epsilon_\infty = s^2` the energy is :math:`k_e Q_1 Q_2 /
(\epsilon_\infty r)`, so that

.. math::
    \phi = \frac{k_e Q}{\epsilon_\infty r} = \frac{1}{s} \frac{k_e q}{r}
        = \epsilon_\infty^{-1/2} \phi_\mathrm{latent}, \qquad
    \Delta\phi = \frac{4\pi k_e}{A} \frac{M}{\epsilon_\infty}
        = \epsilon_\infty^{-1/2} \frac{4\pi k_e}{A} M_\mathrm{latent}

with the dipole :math:`M = s M_\mathrm{latent}` along the normal. It equals the voltage of a
plate capacitor with the charge :math:`\pm Q` on its plates and :math:`\epsilon_\infty` between
them, and that across an isolated slab of polarization :math:`P = M/V`, whose field is :math:`-P /
(\epsilon_0 \epsilon_\infty)` inside and zero outside. Calculators without a dielectric tensor have
:math:`s = 1`. The electrons of a molecule outside the slab screen differently; the step is
then an estimate.

These are *changes* of the potential upon adsorption or joining. They do not give absolute work
functions, which depend on the spill-out of electrons.
"""

from __future__ import annotations

import math

import numpy as np
from ase import Atoms

from ase_les.properties.atomic_charges import optional_charges
from ase_les.screening import recorded_scaling
from ase_les.simulation.slab_geometry import area_A2, unit_normal
from ase_les.units import COULOMB_CONSTANT

POTENTIAL_NOTE = (
    "charges on atoms give changes of the potential between structures, not absolute work "
    "functions; charges, dipoles and potentials are physical: potentials are 1/√ε∞ times those of "
    "latent charges"
)


def is_slab(atoms: Atoms) -> bool:
    """Return whether a structure is periodic along its first two cell vectors only."""
    return bool(atoms.pbc[0] and atoms.pbc[1] and not atoms.pbc[2])


def normal_dipole(atoms: Atoms, charges: np.ndarray) -> float:
    """Return the dipole in e Å along the normal of the first two cell vectors."""
    return float(charges @ (atoms.positions @ unit_normal(atoms, "c")))


def potential_step_V(atoms: Atoms) -> float:
    r"""Return the potential above minus that below a slab in V.

    See the equation of this module; nan without charges and for structures that are not slabs.
    """
    charges = optional_charges(atoms) if is_slab(atoms) else None
    if charges is None:
        return math.nan
    screened = charges / recorded_scaling(atoms) ** 2
    return 4 * math.pi * COULOMB_CONSTANT * normal_dipole(atoms, screened) / area_A2(atoms)
