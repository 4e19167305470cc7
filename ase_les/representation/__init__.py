"""From a graph to features of each atom's environment."""

from ase_les.representation.cace import Cace, CaceConfig

__all__ = ["Cace", "CaceConfig"]
