"""Pairs of atoms within a cutoff, for analysis; force calls use `ase_les.neighbors`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import vesin

from ase_les.structure_limits import search_cutoff


def pairs_within(
    positions: np.ndarray,
    cell: np.ndarray,
    pbc: Sequence[bool] | np.ndarray,
    cutoff_A: float,
    quantities: str = "ijd",
    *,
    full_list: bool = True,
) -> list[np.ndarray]:
    """Return all pairs of atoms, including images, at most a cutoff apart.

    Parameters
    ----------
    positions : array, shape (N, 3)
        In Å.
    cell : array, shape (3, 3)
    pbc : array, shape (3,)
    quantities : str
        Returned arrays, as letters of vesin: ``i`` and ``j`` (indices), ``d`` (distance in Å,
        needed), ``S`` (lattice translation), ``D`` (vector).
    full_list : bool
        Whether to return each pair in both orders.
    """
    reach = search_cutoff(positions, cell, np.asarray(pbc, dtype=bool), cutoff_A)
    # One thread: vesin would use all cores by default.
    finder = vesin.NeighborList(cutoff=reach, full_list=full_list, sorted=False, n_threads=1)
    found = finder.compute(
        points=positions, box=cell, periodic=list(map(bool, pbc)), quantities=quantities
    )
    near = found[quantities.index("d")] <= cutoff_A
    return [each[near] for each in found]
