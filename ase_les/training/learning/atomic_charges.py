"""Charges that a model predicts for labeled structures, by element."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase.data import chemical_symbols

from ase_les.model import LESModel
from ase_les.training.learning.dataset import Sample
from ase_les.training.learning.mean_charges import charges_of_atoms, mean_born_charges


@dataclass(frozen=True)
class AtomicCharges:
    r"""Charges of all atoms of several structures, in e.

    Attributes
    ----------
    by_element : mapping of str to array
        Charges of the atoms of each element.
    gapt : mapping of str to float
        Mean of :math:`\operatorname{tr} Z^*/3` over some of the structures; empty where Born
        charges are not defined.
    physical_over_latent : float
        Included factor √ε∞; 1 if there are finite structures.
    """

    by_element: Mapping[str, np.ndarray]
    gapt: Mapping[str, float]
    physical_over_latent: float


def atomic_charges(
    model: LESModel, samples: Sequence[Sample], dielectric: float = 1.0, batch_size: int = 4
) -> AtomicCharges:
    """Compute the charges of all atoms.

    Parameters
    ----------
    model : LESModel
        With one charge per atom.
    dielectric : float
        Electronic dielectric constant ε∞ of periodic structures.
    batch_size : int
        Structures evaluated together.
    """
    numbers, charges = charges_of_atoms(model, samples, batch_size)
    periodic = all(bool(sample.graph.pbc.any()) for sample in samples)
    factor = math.sqrt(dielectric) if periodic else 1.0
    born = mean_born_charges(model, samples)
    return AtomicCharges(
        {chemical_symbols[z]: factor * charges[numbers == z] for z in np.unique(numbers)},
        {symbol: factor * value for symbol, value in born.items()},
        factor,
    )
