r"""Charges from bond polarities, used before training.

.. math::
    q_i = \kappa \sum_j b(r_{ij} / \ell_{ij})\, (\chi_j - \chi_i)

with Pauling electronegativities :math:`\chi`, sums :math:`\ell` of covalent radii, and
:math:`\kappa` in e per unit of electronegativity. One end of a bond gains what the other loses.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from ase.data import chemical_symbols, covalent_radii
from torch import Tensor

from ase_les.charges.electronegativity import ELECTRONEGATIVITY
from ase_les.graph import Graph, edge_vectors

# Range of the switch between bonded and nonbonded, in sums of covalent radii; hydrogen bonds
# are at its upper end.
BONDED, NOT_BONDED = 1.15, 1.75


def bonded(relative_distances: Tensor) -> Tensor:
    """Return 1 up to 1.15 times the sum of covalent radii, falling smoothly to 0 at 1.75 times.

    Vibrating bonds remain bonds.
    """
    x = ((relative_distances - BONDED) / (NOT_BONDED - BONDED)).clamp(0, 1)
    return 1 - x**3 * (10 - 15 * x + 6 * x * x)


def bond_lengths(elements: Sequence[int]) -> Tensor:
    """Return sums of covalent radii (n, n) in Å."""
    radii = torch.tensor(covalent_radii[list(elements)], dtype=torch.float32)
    return radii[:, None] + radii


def electronegativity_differences(elements: Sequence[int]) -> Tensor:
    """Return sender minus receiver, shape (receiver, sender), in Pauling units.

    Elements without an electronegativity get the average of the others.
    """
    symbols = [chemical_symbols[number] for number in elements]
    known = [ELECTRONEGATIVITY[symbol] for symbol in symbols if symbol in ELECTRONEGATIVITY]
    average = sum(known) / max(len(known), 1)
    scale = torch.tensor([ELECTRONEGATIVITY.get(symbol, average) for symbol in symbols])
    return scale - scale[:, None]


def bond_charges(graph: Graph, per_pauling: float) -> Tensor:
    """Return charges (N,) in e from bond polarities; they sum to zero.

    Parameters
    ----------
    per_pauling : float
        Charge through a bond in e per unit of electronegativity.
    """
    elements, kind = graph.numbers.unique(return_inverse=True)
    pairs = kind[graph.receivers], kind[graph.senders]
    lengths = bond_lengths(elements.tolist()).to(graph.positions)[pairs]
    differences = electronegativity_differences(elements.tolist()).to(graph.positions)[pairs]
    distances = torch.linalg.vector_norm(edge_vectors(graph), dim=1)
    gained = per_pauling * bonded(distances / lengths) * differences
    return torch.zeros_like(graph.positions[:, 0]).index_add(0, graph.receivers, gained)
