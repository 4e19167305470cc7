"""The graph of atoms that move: from step to step all of it but the geometry stays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from ase import Atoms
from torch import Tensor

from ase_les.contacts import CLOSEST_CONTACT, check_contacts
from ase_les.graph import Graph, edges_shorter_than, graph_from_atoms, total_charge_of
from ase_les.model import LESModel
from ase_les.neighbors import NeighborList


class MovingGraph:
    """Graphs of one structure after the other, made anew only when atoms or neighbours change.

    Parameters
    ----------
    model : LESModel
        Whose elements and charges are covered, and whose cutoff holds.
    skin : float
        In Å, of the neighbour list.
    device : torch.device
        Where the graphs are.
    """

    def __init__(self, model: LESModel, skin: float, device: torch.device):
        self._model = model
        self._device = device
        self._skin = skin
        self.forget()

    def forget(self) -> None:
        """Find the neighbours anew: what follows does not depend on what came before."""
        self._neighbors = NeighborList(self._model.config.cutoff, self._skin)
        self._held: _Held | None = None

    def at(self, atoms: Atoms) -> Graph:
        """Graph of the atoms, in float64.

        Raises
        ------
        ValueError
            If the model does not cover the atoms, or two of them collide.
        """
        charge = total_charge_of(atoms)
        held = self._held
        same_atoms = (
            held is not None
            and held.charge == charge
            and np.array_equal(held.numbers, atoms.numbers)
        )
        if not same_atoms:
            self._model.check_coverage(atoms.numbers, charge)
        edges = self._neighbors.edges(atoms.positions, atoms.cell.array, atoms.pbc)
        if not same_atoms or held.edges is not edges:
            graph = graph_from_atoms(atoms, self._neighbors).to(self._device)
            # Two skins: one for the atoms, one for a cell that grew meanwhile.
            close = edges_shorter_than(graph, CLOSEST_CONTACT + 2 * self._skin)
            held = _Held(atoms.numbers.copy(), charge, edges, graph, close)
        options = {"dtype": torch.float64, "device": self._device}
        geometry = {
            "positions": torch.tensor(atoms.positions, **options),
            "cell": torch.tensor(atoms.cell.array, **options)[None],
        }
        check_contacts(held.close._replace(**geometry), atoms)
        self._held = held
        return held.graph._replace(**geometry)


class _Held(NamedTuple):
    """What stays from step to step: the graph, and of it the few edges that may become contacts."""

    numbers: np.ndarray
    charge: float
    edges: tuple[Tensor, Tensor, Tensor]
    graph: Graph
    close: Graph
