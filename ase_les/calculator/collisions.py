"""Checks for unphysically short interatomic distances and for results that are not finite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from ase import Atoms
from torch import Tensor

from ase_les.graph import Graph, edge_vectors

#: Shortest distance in Å that is accepted; anything shorter is an error in the structure.
CLOSEST_CONTACT = 0.3


def check_contacts(graph: Graph, atoms: Atoms, lengths: Tensor | None = None) -> None:
    """Raise an error if atoms overlap.

    Parameters
    ----------
    graph : Graph
    atoms : ase.Atoms
        Used in the message.
    lengths : Tensor, shape (E,), or None
        Lengths of the edges in Å, if known.

    Raises
    ------
    ValueError
        If an edge is shorter than `CLOSEST_CONTACT`.
    """
    if lengths is not None and (not len(lengths) or float(lengths.min()) >= CLOSEST_CONTACT):
        return
    contact = _closest(graph)
    if contact is None or contact[2] >= CLOSEST_CONTACT:
        return
    raise ValueError(
        f"{_describe(contact, atoms)}; models need at least {CLOSEST_CONTACT} Å. "
        "Check positions, cell and pbc, or the time step if the atoms were moving"
    )


def check_finite(results: Mapping[str, Any], atoms: Atoms, graph: Graph) -> None:
    """Raise an error if results are not finite, with the closest pair of atoms.

    Raises
    ------
    ValueError
        If any result is not finite.
    """
    broken = [name for name, value in results.items() if not np.isfinite(value).all()]
    if not broken:
        return
    contact = _closest(graph)
    where = (
        f"the closest {_describe(contact, atoms)}" if contact else "no atoms are within the cutoff"
    )
    raise ValueError(
        f"the model gave {', '.join(broken)} that are not finite; {where}. "
        "The structure is far outside what the model was trained on"
    )


def _closest(graph: Graph) -> tuple[int, int, float] | None:
    """Return the indices of the closest two atoms and their distance in Å."""
    if not len(graph.senders):
        return None
    distances = torch.linalg.vector_norm(edge_vectors(graph), dim=1)
    edge = int(distances.argmin())
    return int(graph.receivers[edge]), int(graph.senders[edge]), float(distances[edge])


def _describe(contact: tuple[int, int, float], atoms: Atoms) -> str:
    first, second, distance = contact
    return (
        f"atoms {first} ({atoms.symbols[first]}) and {second} ({atoms.symbols[second]}) "
        f"are {distance:.3f} Å apart"
    )
