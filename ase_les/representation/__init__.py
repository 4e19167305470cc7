"""From a graph to features of each atom's environment."""

from __future__ import annotations

from collections.abc import Sequence

from ase_les.representation.cace import Cace, CaceConfig
from ase_les.representation.interface import Representation

#: Settings of any representation.
RepresentationConfig = CaceConfig

__all__ = [
    "Cace",
    "CaceConfig",
    "Representation",
    "RepresentationConfig",
    "build_representation",
]


def build_representation(
    config: RepresentationConfig, elements: Sequence[int], total_charges: Sequence[int]
) -> Cace:
    """Return a representation with initial weights.

    Parameters
    ----------
    config : RepresentationConfig
        Its type decides which representation it is.
    elements : sequence of int
        Atomic numbers known to the model.
    total_charges : sequence of int
        Total charges of structures the model tells apart; empty for none.
    """
    return Cace(config, elements, total_charges)
