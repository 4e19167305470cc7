"""Representations: features of each atom's environment from a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from ase_les.configuration import ByKind
from ase_les.representation.cace import Cace, CaceConfig
from ase_les.representation.interface import Representation
from ase_les.representation.mace import Mace, MaceConfig

#: Settings of any representation.
RepresentationConfig = Annotated[CaceConfig | MaceConfig, ByKind()]

__all__ = [
    "Cace",
    "CaceConfig",
    "Mace",
    "MaceConfig",
    "Representation",
    "RepresentationConfig",
    "build_representation",
]


def build_representation(
    config: RepresentationConfig, elements: Sequence[int], total_charges: Sequence[int]
) -> Cace | Mace:
    """Return a representation with initial weights.

    Parameters
    ----------
    config : RepresentationConfig
        Settings, whose type selects the representation.
    elements : sequence of int
        Atomic numbers known to the model.
    total_charges : sequence of int
        Total charges of structures that the model distinguishes; empty for none.
    """
    if isinstance(config, MaceConfig):
        return Mace(config, elements, total_charges)
    return Cace(config, elements, total_charges)
