"""Models in torch-sim: dynamics and relaxation of many systems in one batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_sim.models.interface import ModelInterface
from torch_sim.state import SimState

from ase_les.calculator.collisions import CLOSEST_CONTACT
from ase_les.calculator.settings import dielectric_tensor
from ase_les.derivatives import differentiate
from ase_les.electrostatics.energy import Plan
from ase_les.graph import Graph
from ase_les.kernels.edges import edges_within
from ase_les.kernels.library import compiled_kernels
from ase_les.model import LESModel
from ase_les.model_io import load_single_model
from ase_les.neighbors import NeighborList
from ase_les.screening import charge_scaling


class LESTorchSimModel(ModelInterface):
    """Latent Ewald Summation model for torch-sim.

    Results are ``energy`` (S,) in eV, ``forces`` (N, 3) in eV/Å, ``stress`` (S, 3, 3) in eV/Å³
    (tension positive; zero without two or three periodic directions) and, if the model has one
    charge per atom, ``charges`` (N,) in e, scaled as in `LESCalculator`.

    Neighbor lists are built on the CPU and reused until an atom may have moved half the skin.

    Parameters
    ----------
    model : str, Path or LESModel
    device, dtype, accuracy
        As for `LESCalculator`.
    skin : float
        Skin of the neighbor lists in Å.
    total_charge : float
        Total charge of each system in e, which torch-sim does not store.
    open_systems : bool
        Whether systems without periodic directions may have a cell. Versions of torch-sim before
        0.4 convert slabs (``pbc`` true along two vectors) to open systems, which is rejected by
        default.
    compute_forces, compute_stress : bool

    Raises
    ------
    ValueError
        If the model does not exist.
    """

    def __init__(
        self,
        model: str | Path | LESModel,
        *,
        device: str | torch.device = "cpu",
        dtype: str = "float64",
        accuracy: float | None = 1e-4,
        skin: float = 0.5,
        total_charge: float = 0.0,
        open_systems: bool = False,
        compute_forces: bool = True,
        compute_stress: bool = True,
    ) -> None:
        super().__init__()
        loaded = model if isinstance(model, LESModel) else load_single_model(model)
        self.model = loaded.for_inference(str(device), dtype, accuracy)
        self._device = torch.device(device)
        self._dtype = self.model.precision
        self._compute_forces = compute_forces
        self._compute_stress = compute_stress
        self._memory_scales_with = "n_atoms_x_density"
        self._skin = skin
        self._total_charge = float(total_charge)
        self._open_systems = open_systems
        self._scaling = charge_scaling(dielectric_tensor(loaded.card.get("dielectric", 1.0)))
        self._lists: list[NeighborList] = []
        self._plan: Plan | None = None

    def forward(self, state: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Return energies, forces, stresses and charges of all systems.

        Raises
        ------
        ValueError
            If the model does not cover the systems, atoms collide, or an open system has a cell.
        """
        if isinstance(state, dict):
            state = SimState(**state, masses=torch.ones_like(state["positions"][:, 0]))
        graph = self._graph(state)
        self._plan = self.model.plan(graph, self._plan)
        with_stress = self._compute_stress and int(graph.pbc[0].sum()) >= 2
        if self._compute_forces or with_stress:
            with torch.enable_grad():
                derived = differentiate(self.model, graph, plan=self._plan, stress=with_stress)
            prediction = derived.prediction
        else:
            derived = None
            with torch.no_grad():
                prediction = self.model(graph, self._plan)
        results = {"energy": prediction.energy}
        if derived is not None and self._compute_forces:
            results["forces"] = derived.forces
        if self._compute_stress:
            found = None if derived is None else derived.stress
            results["stress"] = torch.zeros_like(graph.cell) if found is None else found
        if self.model.has_charges:
            scaling = self._scaling if graph.pbc.any() else 1.0
            results["charges"] = scaling * prediction.charges[:, 0]
        return {name: value.detach().to(state.dtype) for name, value in results.items()}

    def _graph(self, state: Any) -> Graph:
        positions = state.positions.detach().double()
        cells = state.row_vector_cell.detach().double()
        pbc = torch.as_tensor(state.pbc, device="cpu").expand(3)
        n_systems = len(cells)
        self._check(state, cells, pbc)
        counts = torch.bincount(state.system_idx, minlength=n_systems)
        parts = self._edges(positions.cpu(), cells.cpu(), pbc, counts.tolist())
        receivers, senders, shifts = (torch.cat(each).to(self._device) for each in parts)
        graph = Graph(
            positions=positions,
            numbers=state.atomic_numbers.long(),
            cell=cells,
            pbc=pbc.to(self._device).expand(n_systems, 3),
            total_charge=cells.new_full((n_systems,), self._total_charge),
            structure=state.system_idx,
            receivers=receivers,
            senders=senders,
            shifts=shifts,
        )
        kernels = compiled_kernels() if self._device.type == "cpu" else None
        graph, lengths = edges_within(graph, self.model.config.cutoff, kernels)
        if len(lengths) and float(lengths.min()) < CLOSEST_CONTACT:
            edge = int(lengths.argmin())
            raise ValueError(
                f"atoms {int(graph.receivers[edge])} and {int(graph.senders[edge])} of the batch "
                f"are {float(lengths[edge]):.3f} Å apart; models need at least {CLOSEST_CONTACT} Å"
            )
        return graph

    def _check(self, state: Any, cells: Tensor, pbc: Tensor) -> None:
        self.model.check_coverage(state.atomic_numbers.unique().tolist(), self._total_charge)
        if not pbc.any() and not self._open_systems and bool(cells.any()):
            raise ValueError(
                "the systems have a cell but no periodic direction, as slabs do after the "
                "conversion by torch-sim < 0.4: pass open_systems=True if they are molecules, or "
                "use a newer torch-sim (Python 3.12) for slabs"
            )

    def _edges(
        self, positions: Tensor, cells: Tensor, pbc: Tensor, counts: list[int]
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Return receivers, senders and shifts of each system, numbered through the batch."""
        while len(self._lists) < len(counts):
            self._lists.append(NeighborList(self.model.config.cutoff, self._skin))
        parts: tuple[list[Tensor], list[Tensor], list[Tensor]] = ([], [], [])
        first = 0
        systems = zip(self._lists, positions.split(counts), cells, counts, strict=False)
        for neighbors, places, cell, count in systems:
            found = neighbors.edges(places.numpy(), np.asarray(cell), pbc.numpy())
            for part, values, offset in zip(parts, found, (first, first, 0), strict=True):
                part.append(values + offset)
            first += count
        return parts
