"""Reuse of neighbor list, topology and plan of the sums between MD steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from ase import Atoms
from torch import Tensor

from ase_les.calculator.collisions import check_contacts
from ase_les.committee import CommitteeEngine
from ase_les.graph import Graph, graph_from_atoms, total_charge_of
from ase_les.kernels.edges import edges_within
from ase_les.kernels.library import compiled_kernels
from ase_les.model import LESModel
from ase_les.neighbors import NeighborList


class GraphCache:
    """Graphs of structures, rebuilt only when atoms or neighbors change.

    Reuse does not change results: the order of edges is unique, and a plan is a function of the
    graph.

    Parameters
    ----------
    model : LESModel or CommitteeEngine
        Model that defines the supported elements, total charges, cutoff and device.
    skin : float
        Skin of the neighbor list in Å.
    kernels : bool
        Whether to use compiled kernels, on a CPU and if available.
    select : callable or None
        Returns a new graph with selected edges.
    """

    def __init__(
        self,
        model: LESModel | CommitteeEngine,
        skin: float,
        kernels: bool = True,
        select: Callable[[Graph], Graph] | None = None,
    ):
        self._select = select
        self._model = model
        self._skin = skin
        self._neighbors = NeighborList(model.config.cutoff, skin)
        self._topology: _Topology | None = None
        self._plan: Any = None
        on_cpu = model.device.type == "cpu"
        self._kernels = compiled_kernels() if kernels and on_cpu else None

    def at(self, atoms: Atoms) -> Graph:
        """Return the graph of the atoms, in float64.

        Raises
        ------
        ValueError
            If the model does not cover the atoms, or two of them collide.
        """
        charge = total_charge_of(atoms)
        known = self._topology
        if (
            known is None
            or known.charge != charge
            or not np.array_equal(known.numbers, atoms.numbers)
        ):
            self._model.check_coverage(atoms.numbers, charge)
            known = None
        edges = self._neighbors.edges(atoms.positions, atoms.cell.array, atoms.pbc)
        if known is None or known.edges is not edges:
            graph = graph_from_atoms(atoms, self._neighbors)
            if self._select is not None:
                graph = self._select(graph)
            graph = graph.to(self._model.device)
            known = _Topology(atoms.numbers.copy(), charge, edges, graph)
        place = self._model.device
        moved = known.graph._replace(
            positions=torch.tensor(atoms.positions, dtype=torch.float64, device=place),
            cell=torch.tensor(atoms.cell.array, dtype=torch.float64, device=place)[None],
        )
        # Without the skin: its edges depend on when the list was built.
        graph, lengths = edges_within(moved, self._model.config.cutoff, self._kernels)
        check_contacts(graph, atoms, lengths)
        self._topology = known
        return graph

    def plan(self, graph: Graph) -> Any:
        """Return the plan of the long-range sums of a graph, reusing the last one if it is valid.

        A tuple of plans for a committee, None for a short-range model.
        """
        self._plan = self._model.plan(graph, self._plan)
        return self._plan


class _Topology(NamedTuple):
    """Graph of a structure for current positions, including edges in the skin."""

    numbers: np.ndarray
    charge: float
    edges: tuple[Tensor, Tensor, Tensor]
    graph: Graph


def changes_of_positions(before: Atoms | None, now: Atoms, tol: float) -> list[str] | None:
    """Return the changes between structures that differ by positions at most; otherwise None.

    The same as `ase.calculators.calculator.compare_atoms` in a fraction of the time.
    """
    if before is None or not np.array_equal(before.numbers, now.numbers):
        return None
    cells_differ = (before.cell.array != now.cell.array).any()
    if cells_differ or (before.pbc != now.pbc).any():
        return None
    farthest = np.abs(before.positions - now.positions).max(initial=0.0)
    # Neither holds if there are numbers that are not finite.
    return ["positions"] if farthest > tol else [] if farthest <= tol else None
