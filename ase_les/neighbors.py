"""Neighbor list with a Verlet skin, valid for moving atoms and a changing cell."""

from __future__ import annotations

import numpy as np
import torch
import vesin
from torch import Tensor


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
    # One thread: vesin would use all cores by default.
    finder = vesin.NeighborList(cutoff=cutoff, full_list=True, sorted=True, n_threads=1)
    receivers, senders, shifts = finder.compute(
        points=positions, box=cell, periodic=list(map(bool, pbc)), quantities="ijS"
    )
    receivers, senders = receivers.astype(np.int64), senders.astype(np.int64)
    # A unique order: sums over neighbors are then independent of when the list was built,
    # to the last digit.
    order = _canonical_order(receivers, senders, shifts.astype(np.int64), len(positions))
    return (
        torch.from_numpy(receivers[order]),
        torch.from_numpy(senders[order]),
        torch.from_numpy(shifts[order].astype(np.float64)),
    )


def _canonical_order(
    receivers: np.ndarray, senders: np.ndarray, shifts: np.ndarray, n_atoms: int
) -> np.ndarray:
    """Return the order by receiver, sender and shift."""
    if not len(receivers):
        return np.zeros(0, dtype=np.int64)
    lowest = shifts.min(axis=0)
    extent = shifts.max(axis=0) - lowest + 1
    if n_atoms**2 * float(np.prod(extent.astype(float))) > 2**62:
        return np.lexsort((shifts[:, 2], shifts[:, 1], shifts[:, 0], senders, receivers))
    x, y, z = (shifts - lowest).T
    key = ((receivers * n_atoms + senders) * extent[0] + x) * extent[1] + y
    # Already sorted by receiver and sender: a stable sort is fast.
    return np.argsort(key * extent[2] + z, kind="stable")
