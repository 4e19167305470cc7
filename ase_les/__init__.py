"""Latent Ewald Summation (LES) models for ASE: charges and electrostatics learned from forces.

>>> from ase.build import molecule
>>> from ase_les import LESCalculator
>>> atoms = molecule("H2O")
>>> atoms.calc = LESCalculator("water-rpbe-d3")  # doctest: +SKIP
>>> atoms.get_potential_energy(), atoms.get_charges()  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ase_les.calculator import LESCalculator
    from ase_les.committee import Committee
    from ase_les.committee_io import save_committee
    from ase_les.graph import Graph, graph_from_atoms
    from ase_les.model import LESModel, ModelConfig
    from ase_les.model_io import list_models, load_model, model_hash, save_model
else:
    from ase_les.lazy_names import lazy_names

    __all__, __getattr__ = lazy_names(
        __name__,
        {
            "calculator": ["LESCalculator"],
            "committee": ["Committee"],
            "committee_io": ["save_committee"],
            "graph": ["Graph", "graph_from_atoms"],
            "model": ["LESModel", "ModelConfig"],
            "model_io": ["list_models", "load_model", "model_hash", "save_model"],
        },
    )

    def __dir__() -> list[str]:
        """Return the names of the package, also those not yet imported."""
        return sorted([*globals(), *__all__])


__version__ = metadata.version("ase_les")
