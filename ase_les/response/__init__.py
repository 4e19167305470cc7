"""Response of charges: dipole, polarization, Born effective charges, energy in a uniform field.

All values here are latent; `ase_les.screening` has the factors to physical values.
"""

from ase_les.response.born_charges import (
    born_charges,
    born_charges_by_phase,
    local_born_charges,
)
from ase_les.response.conditions import (
    check_conserved_charges,
    check_field,
    check_local_polarization,
    check_polarization,
    has_branches,
    has_dipole,
    has_local_polarization,
    local_charges_are_complete,
)
from ase_les.response.dipoles import (
    cell_dipole,
    charge_reach_A,
    currents,
    dipoles,
    latent_charges,
    quadrupoles,
)
from ase_les.response.electrodes import Electrodes, electrode_graph
from ase_les.response.field_enthalpy import FieldEnthalpy
from ase_les.response.metals import electrode_state, metal_level
from ase_les.response.polarizability import (
    atomic_polarizabilities,
    polarizability,
    polarizability_derivatives,
)

__all__ = [
    "Electrodes",
    "FieldEnthalpy",
    "atomic_polarizabilities",
    "born_charges",
    "born_charges_by_phase",
    "cell_dipole",
    "charge_reach_A",
    "check_conserved_charges",
    "check_field",
    "check_local_polarization",
    "check_polarization",
    "currents",
    "dipoles",
    "electrode_graph",
    "electrode_state",
    "has_branches",
    "has_dipole",
    "has_local_polarization",
    "latent_charges",
    "local_born_charges",
    "local_charges_are_complete",
    "metal_level",
    "polarizability",
    "polarizability_derivatives",
    "quadrupoles",
]
