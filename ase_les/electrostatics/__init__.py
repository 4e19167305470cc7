"""Electrostatic energy of charges under any boundary conditions."""

from ase_les.electrostatics.energy import Electrostatics, ElectrostaticsConfig
from ase_les.electrostatics.equilibration import Equilibration, EquilibrationConfig

__all__ = ["Electrostatics", "ElectrostaticsConfig", "Equilibration", "EquilibrationConfig"]
