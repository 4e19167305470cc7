"""Immutable graph of atoms and edges, the input of every energy term."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from ase import Atoms
from torch import Tensor

from ase_les.neighbors import NeighborList
from ase_les.structure_limits import check_cell, check_positions


class Graph(NamedTuple):
    r"""One structure, or a batch of structures.

    Edge :math:`e` leads from its receiver :math:`i` to its sender :math:`j`:

    .. math::
        \mathbf{d}_e = \mathbf{r}_j + \mathbf{s}_e \cdot \mathrm{cell} - \mathbf{r}_i

    Geometry is always float64: differences of positions and sums of charges are more
    sensitive to rounding than the network.

    =================  ==========  ========================================================
    Field              Shape       Meaning
    =================  ==========  ========================================================
    ``positions``      (N, 3)      in Å
    ``numbers``        (N,)        atomic numbers
    ``cell``           (S, 3, 3)   in Å, rows are lattice vectors, zero rows if undefined
    ``pbc``            (S, 3)      which lattice vectors repeat
    ``total_charge``   (S,)        in e
    ``structure``      (N,)        the structure each atom belongs to, ascending
    ``receivers``      (E,)        atom at which the edge ends, ascending
    ``senders``        (E,)        atom from which the edge comes
    ``shifts``         (E, 3)      lattice translations of the sender, integers stored as float64
    =================  ==========  ========================================================
    """

    positions: Tensor
    numbers: Tensor
    cell: Tensor
    pbc: Tensor
    total_charge: Tensor
    structure: Tensor
    receivers: Tensor
    senders: Tensor
    shifts: Tensor

    @property
    def n_atoms(self) -> int:
        return self.positions.shape[0]

    @property
    def n_structures(self) -> int:
        return self.cell.shape[0]

    def to(self, device: str | torch.device) -> Graph:
        """Return a copy on another device."""
        return Graph(*(field.to(device) for field in self))


def total_charge_of(atoms: Atoms) -> float:
    """Total charge in e: ``atoms.info["charge"]``, 0 when absent."""
    given = atoms.info.get("charge", 0.0)
    try:
        charge = float("nan") if isinstance(given, str | bool | np.bool_) else float(given)
    except (TypeError, ValueError):
        charge = float("nan")
    if not np.isfinite(charge):
        raise ValueError(
            f"atoms.info['charge'] must be a finite number (total charge in e), got {given!r}"
        )
    return charge


def check_geometry(atoms: Atoms) -> None:
    """Raise an error for structures that no model can evaluate."""
    if len(atoms) == 0:
        raise ValueError("the structure has no atoms; at least one is needed")
    check_positions(atoms)
    check_cell(atoms.cell.array, atoms.pbc, independent=True)


def graph_from_atoms(atoms: Atoms, neighbors: NeighborList) -> Graph:
    """Graph of one structure, on the CPU.

    Parameters
    ----------
    atoms : ase.Atoms
        Structure; ``atoms.info["charge"]`` is its total charge.
    neighbors : NeighborList
        Source of the edges; it may include edges in the skin, beyond the cutoff, which
        do not contribute in any model.
    """
    receivers, senders, shifts = neighbors.edges(atoms.positions, atoms.cell.array, atoms.pbc)
    return Graph(
        positions=torch.tensor(atoms.positions, dtype=torch.float64),
        numbers=torch.tensor(atoms.numbers, dtype=torch.int64),
        cell=torch.tensor(atoms.cell.array, dtype=torch.float64)[None],
        pbc=torch.tensor(atoms.pbc)[None],
        total_charge=torch.tensor([total_charge_of(atoms)], dtype=torch.float64),
        structure=torch.zeros(len(atoms), dtype=torch.int64),
        receivers=receivers,
        senders=senders,
        shifts=shifts,
    )


def batch(graphs: Sequence[Graph]) -> Graph:
    """Combine several graphs into a batch, without edges between them."""
    sizes = torch.tensor([graph.n_atoms for graph in graphs])
    n_structures = torch.tensor([graph.n_structures for graph in graphs])
    atom_offset = torch.cumsum(sizes, 0) - sizes
    structure_offset = torch.cumsum(n_structures, 0) - n_structures

    def join(field: str, offsets: Tensor | None = None) -> Tensor:
        parts = [getattr(graph, field) for graph in graphs]
        if offsets is not None:
            parts = [part + offset for part, offset in zip(parts, offsets.tolist(), strict=True)]
        return torch.cat(parts)

    return Graph(
        positions=join("positions"),
        numbers=join("numbers"),
        cell=join("cell"),
        pbc=join("pbc"),
        total_charge=join("total_charge"),
        structure=join("structure", structure_offset),
        receivers=join("receivers", atom_offset),
        senders=join("senders", atom_offset),
        shifts=join("shifts"),
    )


def strained(graph: Graph, strain: Tensor) -> Graph:
    r"""Return the graph after a strain, :math:`\mathbf{r} \to \mathbf{r}(1 + \epsilon)`.

    Positions and lattice vectors are strained together, and with them edges, wave vectors
    and volumes: all energy terms use the strained geometry.

    Parameters
    ----------
    strain : Tensor, shape (S, 3, 3)
        Dimensionless strain of each structure.
    """
    deformation = torch.eye(3, dtype=strain.dtype, device=strain.device) + strain
    positions = torch.einsum("ia,iab->ib", graph.positions, deformation[graph.structure])
    return graph._replace(positions=positions, cell=graph.cell @ deformation)


def edge_vectors(graph: Graph) -> Tensor:
    """Vectors from receiver to sender in Å, shape (E, 3)."""
    vectors = graph.positions[graph.senders] - graph.positions[graph.receivers]
    if graph.n_structures == 1:
        return vectors + graph.shifts @ graph.cell[0]
    cells = graph.cell[graph.structure[graph.receivers]]
    return vectors + torch.einsum("ea,eab->eb", graph.shifts, cells)


def edges_to(graph: Graph, atoms: range) -> Graph:
    """Return the same atoms with only the edges that end at a range of them."""
    ends = torch.tensor([atoms.start, atoms.stop], device=graph.receivers.device)
    chosen = slice(*torch.searchsorted(graph.receivers, ends).tolist())
    return graph._replace(
        receivers=graph.receivers[chosen],
        senders=graph.senders[chosen],
        shifts=graph.shifts[chosen],
    )


def select_edges(graph: Graph, chosen: Tensor) -> Graph:
    """Return the same atoms with only the chosen edges (E,), boolean."""
    kept = torch.nonzero(chosen).squeeze(1)
    return graph._replace(
        receivers=graph.receivers[kept], senders=graph.senders[kept], shifts=graph.shifts[kept]
    )


def edges_shorter_than(graph: Graph, length: float | Tensor) -> Graph:
    """Return the same atoms with only the edges shorter than `length` in Å, one or per edge."""
    return select_edges(graph, torch.linalg.vector_norm(edge_vectors(graph), dim=1) < length)


def atoms_without_edges(graph: Graph, atoms: Tensor) -> Graph:
    """Return some atoms (M,), ascending, of the same structures, without edges."""
    return graph._replace(
        positions=graph.positions[atoms],
        numbers=graph.numbers[atoms],
        structure=graph.structure[atoms],
        receivers=graph.receivers[:0],
        senders=graph.senders[:0],
        shifts=graph.shifts[:0],
    )


def select_structures(graph: Graph, chosen: Tensor) -> Graph:
    """Return the chosen structures (S,), boolean, of a batch, without edges."""
    atoms = torch.nonzero(chosen[graph.structure]).squeeze(1)
    renumbered = torch.cumsum(chosen.long(), 0) - 1
    part = atoms_without_edges(graph, atoms)
    return part._replace(
        cell=graph.cell[chosen],
        pbc=graph.pbc[chosen],
        total_charge=graph.total_charge[chosen],
        structure=renumbered[part.structure],
    )


def slab_axes(cell: Tensor, pbc: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return both periodic vectors (S, 3) in Å and the unit normal (S, 3) of slabs."""
    # A stable sort: the periodic rows keep their order and come first.
    order = torch.argsort((~pbc).to(torch.uint8), dim=1, stable=True)
    first, second = (
        torch.gather(cell, 1, order[:, row, None, None].expand(-1, 1, 3)).squeeze(1)
        for row in (0, 1)
    )
    normal = torch.linalg.cross(first, second)
    return first, second, normal / torch.linalg.vector_norm(normal, dim=1, keepdim=True)


def sum_per_structure(values: Tensor, graph: Graph) -> Tensor:
    """Sum of per-atom values (N, ...) over the atoms of each structure, shape (S, ...)."""
    if graph.n_structures == 1:
        return values.sum(dim=0, keepdim=True)
    total = torch.zeros(
        (graph.n_structures, *values.shape[1:]), dtype=values.dtype, device=values.device
    )
    return total.index_add(0, graph.structure, values)
