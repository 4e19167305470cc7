"""Where the atoms of metals are: contiguous pieces, and the directions along which they end.

A moment of metal charges needs positions of one image of each atom. Bonded atoms are taken as one
piece, also across the faces of the cell. Along lattice vectors by which a piece is bonded to its
own image there is no such moment: charges pass from cell to cell.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from ase.data import covalent_radii
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components
from torch import Tensor

from ase_les.graph import Graph, edge_vectors

# Bonds between metal atoms, in sums of covalent radii: nearest neighbors have 0.9 to 1.1, second
# ones of a body-centered metal 1.2.
_BONDED = 1.5

_ROUNDING = 1e-8


class Conductors(NamedTuple):
    """Pieces of metal in a graph.

    ``positions`` (M, 3): of metal atoms in Å, in one image of their piece, differentiable.
    ``piece`` (M,): number of the piece of each atom. ``open_directions`` (S, 3, 3): projectors on
    the directions along which no piece is bonded to its own image.
    """

    positions: Tensor
    piece: Tensor
    open_directions: Tensor


def conductors(graph: Graph, metal: Tensor) -> Conductors:
    """Return the pieces of metal.

    Parameters
    ----------
    graph : Graph
        Its edges contain the bonds.
    metal : Tensor, shape (M,)
        Indices of metal atoms, ascending.
    """
    structure = graph.structure[metal]
    bonds, shifts = _bonds(graph, metal)
    pieces = _pieces(structure.cpu().numpy().tobytes(), bonds.tobytes(), shifts.tobytes())
    projectors = np.repeat(np.eye(3)[None], graph.n_structures, axis=0)
    for index, windings in pieces.windings.items():
        vectors = windings @ graph.cell[index].detach().cpu().numpy()
        _, sizes, rows = np.linalg.svd(vectors, full_matrices=False)
        along = rows[sizes > _ROUNDING * sizes[0]]
        projectors[index] -= along.T @ along
    cell = graph.cell[structure]
    moved = torch.einsum("ia,iab->ib", torch.tensor(pieces.offsets).to(cell), cell)
    return Conductors(
        graph.positions[metal] + moved,
        torch.tensor(pieces.piece).to(metal),
        torch.tensor(projectors).to(graph.cell),
    )


def has_bond(graph: Graph, first: Tensor, second: Tensor) -> bool:
    """Return whether one of some atoms (m,) is bonded to one of others (n,)."""
    ends, _ = _bonds_between(graph, *(mask_of(each, graph.n_atoms) for each in (first, second)))
    return len(ends[0]) > 0


def mask_of(atoms: Tensor, n_atoms: int) -> Tensor:
    """Return whether each of a number of atoms is among some, (N,), boolean."""
    return torch.zeros(n_atoms, dtype=torch.bool, device=atoms.device).index_fill(0, atoms, True)


def _bonds(graph: Graph, metal: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return bonds (2, B) between the M atoms, receiver first, and lattice shifts (B, 3)."""
    number = torch.full((graph.n_atoms,), -1).to(metal)
    number[metal] = torch.arange(len(metal)).to(metal)
    is_metal = number >= 0
    ends, shifts = _bonds_between(graph, is_metal, is_metal)
    return number[ends].cpu().numpy(), shifts.double().cpu().numpy()


def _bonds_between(graph: Graph, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return bonds (2, B) from some atoms to others, both (N,), and lattice shifts (B, 3)."""
    chosen = torch.nonzero(first[graph.receivers] & second[graph.senders]).squeeze(1)
    part = graph._replace(
        positions=graph.positions.detach(),
        cell=graph.cell.detach(),
        receivers=graph.receivers[chosen],
        senders=graph.senders[chosen],
        shifts=graph.shifts[chosen],
    )
    ends = torch.stack([part.receivers, part.senders])
    if not len(chosen):
        return ends, part.shifts
    radii = torch.tensor(covalent_radii).to(graph.positions)[graph.numbers]
    lengths = torch.linalg.vector_norm(edge_vectors(part), dim=1)
    bonded = lengths < _BONDED * radii[ends].sum(0)
    return ends[:, bonded], part.shifts[bonded]


class _Pieces(NamedTuple):
    """Pieces of metal by their bonds: ``piece`` (M,), lattice ``offsets`` (M, 3) of the images.

    ``windings``: by structure, lattice vectors (n, 3) by which a piece is bonded to its own image.
    """

    piece: np.ndarray
    offsets: np.ndarray
    windings: dict[int, np.ndarray]


@lru_cache(maxsize=8)
def _pieces(of_atoms: bytes, of_bonds: bytes, of_shifts: bytes) -> _Pieces:
    """Return the pieces of bonds that are the same in most steps of a trajectory."""
    structure = np.frombuffer(of_atoms, np.int64)
    bonds = np.frombuffer(of_bonds, np.int64).reshape(2, -1)
    shifts = np.frombuffer(of_shifts, np.float64).reshape(-1, 3)
    piece, offsets = _offsets(len(structure), bonds, shifts)
    windings = offsets[bonds[0]] + shifts - offsets[bonds[1]]
    wound = np.flatnonzero(windings.any(axis=1))
    of_bond = structure[bonds[0, wound]]
    found = {
        int(index): np.unique(windings[wound[of_bond == index]], axis=0)
        for index in np.unique(of_bond)
    }
    return _Pieces(piece, offsets, found)


def _offsets(n_atoms: int, bonds: np.ndarray, shifts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the piece (M,) of each atom, and the lattice offset (M, 3) of its image."""
    # Atoms may be bonded to several images of one another: one bond of each pair is enough.
    pairs, first = np.unique(bonds[0] * n_atoms + bonds[1], return_index=True)
    ends = pairs // n_atoms, pairs % n_atoms
    matrix = csr_matrix((np.ones(len(pairs)), ends), shape=(n_atoms, n_atoms))
    _, piece = connected_components(matrix, directed=False)
    offsets = np.zeros((n_atoms, 3))
    for root in np.unique(piece, return_index=True)[1].tolist():
        order, parents = breadth_first_order(matrix, root, directed=False)
        parents = parents[order[1:]]
        # Every bond is listed from both of its ends.
        steps = shifts[first[np.searchsorted(pairs, parents * n_atoms + order[1:])]]
        for atom, parent, step in zip(order[1:].tolist(), parents.tolist(), steps, strict=True):
            offsets[atom] = offsets[parent] + step
    return piece, offsets
