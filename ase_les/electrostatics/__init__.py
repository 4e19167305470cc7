"""From charges to energy, for any charges and boundary conditions."""

from ase_les.electrostatics.energy import Electrostatics, ElectrostaticsConfig

__all__ = ["Electrostatics", "ElectrostaticsConfig"]
