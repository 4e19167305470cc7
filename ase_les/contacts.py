"""The nearest two atoms of a structure: too near is a mistake, and tells where a model failed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from ase import Atoms

from ase_les.graph import Graph, edge_vectors

#: Atoms nearer to each other than this, in Å, are a mistake in the structure.
CLOSEST_CONTACT = 0.3


def check_contacts(graph: Graph, atoms: Atoms) -> None:
    """Refuse atoms that lie on top of each other.

    Raises
    ------
    ValueError
        If an edge is shorter than `CLOSEST_CONTACT`.
    """
    contact = _closest(graph)
    if contact and contact[2] < CLOSEST_CONTACT:
        raise ValueError(
            f"{_told(contact, atoms)}; models need at least {CLOSEST_CONTACT} Å. "
            "Check positions, cell and pbc, or the time step if the atoms were moving"
        )


def check_finite(results: Mapping[str, float | np.ndarray], atoms: Atoms, graph: Graph) -> None:
    """Refuse results that are not numbers, and say which atoms are nearest to each other.

    Raises
    ------
    ValueError
        If any result is not finite.
    """
    broken = [name for name, value in results.items() if not np.isfinite(value).all()]
    if not broken:
        return
    contact = _closest(graph)
    where = f"the closest {_told(contact, atoms)}" if contact else "no atoms are within the cutoff"
    raise ValueError(
        f"the model gave {', '.join(broken)} that are not finite; {where}. "
        "The structure is far outside what the model was trained on"
    )


def _closest(graph: Graph) -> tuple[int, int, float] | None:
    """Two atoms and their distance in Å, the shortest of all edges."""
    if not len(graph.senders):
        return None
    distances = torch.linalg.vector_norm(edge_vectors(graph), dim=1)
    edge = int(distances.argmin())
    return int(graph.receivers[edge]), int(graph.senders[edge]), float(distances[edge])


def _told(contact: tuple[int, int, float], atoms: Atoms) -> str:
    first, second, distance = contact
    return (
        f"atoms {first} ({atoms.symbols[first]}) and {second} ({atoms.symbols[second]}) "
        f"are {distance:.3f} Å apart"
    )
