"""Neighbor list with a Verlet skin, valid for moving atoms and a changing cell."""

from __future__ import annotations

import numpy as np
import torch
import vesin
from torch import Tensor

from ase_les.structure_limits import search_cutoff


class NeighborList:
    r"""Pairs within a cutoff, rebuilt only when a pair might be missing.

    Pairs up to :math:`r_c + s` are stored. If the cell has since been deformed by :math:`F`
    and the atoms have moved by :math:`\mathbf{u}` in addition, the distance of a pair that
    is not in the list is at least

    .. math::
        \sigma_\mathrm{min}(F)\,(r_c + s) - 2 \max_i |\mathbf{u}_i|

    with :math:`\sigma_\mathrm{min}` the smallest singular value. The list is rebuilt as soon
    as this falls below :math:`r_c`: exact at constant pressure too, for any number of
    lattice translations in an edge.

    Parameters
    ----------
    cutoff : float
        :math:`r_c` in Å.
    skin : float
        :math:`s` in Å; 0 rebuilds the list for every new geometry.

    Raises
    ------
    ValueError
        If the cutoff is not positive or the skin negative.
    """

    def __init__(self, cutoff: float, skin: float = 0.0):
        if not cutoff > 0:
            raise ValueError(f"`cutoff` must be positive (Å), got {cutoff}")
        if not skin >= 0:
            raise ValueError(f"`skin` must not be negative (Å), got {skin}")
        self.cutoff = float(cutoff)
        self.skin = float(skin)
        self._reference: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        self._edges: tuple[Tensor, Tensor, Tensor] | None = None

    def edges(
        self, positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Receivers (E,), senders (E,) and lattice shifts (E, 3) of all pairs, receivers ascending.

        The same tensors are returned until the list is rebuilt.
        """
        if self._edges is None or not self._still_complete(positions, cell, pbc):
            self._edges = _find(positions, cell, pbc, self.cutoff + self.skin)
            self._reference = positions.copy(), cell.copy(), np.array(pbc)
        return self._edges

    def _still_complete(self, positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray) -> bool:
        assert self._reference is not None
        old_positions, old_cell, old_pbc = self._reference
        if positions.shape != old_positions.shape or (pbc != old_pbc).any():
            return False
        moved_to, shrinkage = old_positions, 1.0
        if not np.array_equal(cell, old_cell):
            if not pbc.all():
                # Without a lattice vector the deformation is undefined.
                return False
            deformation = np.linalg.solve(old_cell, cell)
            moved_to = old_positions @ deformation
            shrinkage = np.linalg.svd(deformation, compute_uv=False)[-1]
        displacement = positions - moved_to
        farthest = np.sqrt(np.einsum("ia,ia->i", displacement, displacement).max())
        return shrinkage * (self.cutoff + self.skin) - 2 * farthest >= self.cutoff


def _find(
    positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, cutoff: float
) -> tuple[Tensor, Tensor, Tensor]:
    reach = search_cutoff(positions, cell, pbc, cutoff)
    # One thread: vesin would use all cores by default.
    finder = vesin.NeighborList(cutoff=reach, full_list=True, sorted=False, n_threads=1)
    pairs, shifts, *distances = finder.compute(
        points=positions,
        box=cell,
        periodic=list(map(bool, pbc)),
        quantities="PS" if reach == cutoff else "PSd",
        copy=False,
    )
    if distances:
        near = distances[0] < cutoff
        pairs, shifts = pairs[near], shifts[near]
    # The finder owns them and dies here, so that its memory is free for what follows.
    key, lowest, extent = _keys(pairs.view(np.int64), shifts, len(positions))
    del pairs, shifts, distances, finder
    # A unique order, by receiver, sender and shift: sums over neighbors are then independent of
    # when the list was built, to the last digit.
    key.sort()
    ordered = np.empty((len(key), 3))
    for axis in (2, 1, 0):
        ordered[:, axis] = key % extent[axis] + lowest[axis]
        key //= extent[axis]
    senders = key % len(positions)
    key //= len(positions)
    receivers, senders = (part.astype(np.int64, copy=False) for part in (key, senders))
    return torch.from_numpy(receivers), torch.from_numpy(senders), torch.from_numpy(ordered)


def _keys(
    pairs: np.ndarray, shifts: np.ndarray, n_atoms: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return edges encoded as one integer each, and the range of the shifts to decode them."""
    if not len(pairs):
        return np.zeros(0, np.int64), np.zeros(3, np.int64), np.ones(3, np.int64)
    lowest = shifts.min(axis=0).astype(np.int64)
    extent = shifts.max(axis=0) - lowest + 1
    key = pairs[:, 0] * n_atoms
    # Python's integers if 64 bits are not enough.
    if n_atoms**2 * float(np.prod(extent.astype(float))) > 2**62:
        key = key.astype(object)
    key += pairs[:, 1]
    for axis in range(3):
        key *= extent[axis]
        key += shifts[:, axis] - lowest[axis]
    return key, lowest, extent
