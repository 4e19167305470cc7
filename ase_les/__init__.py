"""Latent Ewald Summation (LES) models for ASE: charges and electrostatics learned from forces.

>>> from ase.build import molecule
>>> from ase_les import LESCalculator
>>> atoms = molecule("H2O")
>>> atoms.calc = LESCalculator("water-rpbe-d3")  # doctest: +SKIP
>>> atoms.get_potential_energy(), atoms.get_charges()  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module, metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ase_les.calculator import LESCalculator
    from ase_les.committee import Committee
    from ase_les.committee_io import save_committee
    from ase_les.graph import Graph, graph_from_atoms
    from ase_les.model import LESModel, ModelConfig
    from ase_les.model_io import list_models, load_model, model_hash, save_model

__all__ = [
    "Committee",
    "Graph",
    "LESCalculator",
    "LESModel",
    "ModelConfig",
    "graph_from_atoms",
    "list_models",
    "load_model",
    "model_hash",
    "save_committee",
    "save_model",
]

__version__ = metadata.version("ase_les")

# Loaded on first use: torch takes a second, and `ase-les --help` should not.
_HOMES = {
    "LESCalculator": "ase_les.calculator",
    "Committee": "ase_les.committee",
    "Graph": "ase_les.graph",
    "graph_from_atoms": "ase_les.graph",
    "LESModel": "ase_les.model",
    "ModelConfig": "ase_les.model",
    "list_models": "ase_les.model_io",
    "load_model": "ase_les.model_io",
    "model_hash": "ase_les.model_io",
    "save_committee": "ase_les.committee_io",
    "save_model": "ase_les.model_io",
}


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
