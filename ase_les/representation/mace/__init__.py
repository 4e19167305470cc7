"""Equivariant message passing with spherical harmonics, as in MACE models."""

from ase_les.representation.mace.config import MaceConfig
from ase_les.representation.mace.mace import Mace

__all__ = ["Mace", "MaceConfig"]
