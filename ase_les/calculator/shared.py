"""Force calls shared by several processes, for the calculator."""

from __future__ import annotations

import zlib
from typing import Any

import torch
from ase import Atoms

from ase_les.calculator.graph_cache import GraphCache
from ase_les.derivatives import Derivatives
from ase_les.electrostatics.energy import Plan
from ase_les.graph import Graph, edges_to
from ase_les.model import LESModel, Prediction
from ase_les.ranks import Ranks
from ase_les.shared_model import SharedModel


class SharedEvaluation:
    """Evaluator of structures shared with the other processes of a group.

    Parameters
    ----------
    model : LESModel
        Prepared for inference, the same in all processes.
    group : torch.distributed.ProcessGroup or True
        True for the default group.
    device, skin, kernels
        As in `LESCalculator`.

    Raises
    ------
    ValueError
        If the model cannot be shared, or `torch.distributed` is not initialized.
    """

    def __init__(self, model: LESModel, group: Any, device: str, skin: float, kernels: bool):
        self._ranks = Ranks.of(None if group is True else group, device)
        self._model = SharedModel(model, self._ranks)
        self._graphs = GraphCache(model, skin, kernels, self._own_edges)
        self._atoms = range(0)

    def graph(self, atoms: Atoms) -> Graph:
        """Return the graph of the structure with the edges of this process.

        Raises
        ------
        ValueError
            In all processes, if one of them cannot evaluate the structure, or if their
            structures differ.
        """
        problem = None
        try:
            graph = self._graphs.at(atoms)
        except ValueError as error:
            problem = error
        parts = (atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc)
        charge = str(atoms.info.get("charge", 0)).encode()
        own = float(zlib.crc32(b"".join(part.tobytes() for part in parts) + charge))
        failed, total = self._ranks.sum_(
            torch.tensor([problem is not None, own], dtype=torch.float64)
        ).tolist()
        if problem is not None:
            raise problem
        if failed:
            raise ValueError("another process of the group cannot evaluate the structure")
        if total != self._ranks.size * own:
            raise ValueError(
                "the processes of the group have different structures: use the same file, the "
                "same seeds, and forces of this calculator in all of them"
            )
        return graph

    def derivatives(
        self, graph: Graph, plan: Plan | None, *, forces: bool, stress: bool, energies: bool
    ) -> tuple[Prediction, Derivatives | None]:
        """Return the prediction for a graph made by `graph`, and its derivatives if requested."""
        return self._model.derivatives(
            graph, self._atoms, plan, forces=forces, stress=stress, energies=energies
        )

    def _own_edges(self, graph: Graph) -> Graph:
        self._atoms = self._model.atoms_of(graph)
        return edges_to(graph, self._atoms)
