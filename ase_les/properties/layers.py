r"""Heights and atomic layers of slabs and of interfaces in periodic boxes, for any orientation.

Heights are positions along the unit normal :math:`\mathbf{n}` of two lattice vectors. A slab is
open along the third. A periodic box repeats: its heights are wrapped into one period that begins
after the widest gap between atoms, so that no layer is cut in two.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms

AXES = ("a", "b", "c")

LAYER_GAP_A = 0.5
"""Atoms belong to one layer unless the next height is farther away than this."""


def normal_axis(atoms: Atoms, axis: str | None = None) -> int:
    """Return which lattice vector (0, 1, 2) leads from layer to layer.

    Parameters
    ----------
    atoms : ase.Atoms
        With two or three periodic directions.
    axis : str or None
        "a", "b" or "c": the vector that is not in the plane of the layers. None is the open
        direction of a slab, and of a box the one in which it is tallest.

    Raises
    ------
    ValueError
        If the structure has no layers, or a slab is not open along `axis`.
    """
    if axis is not None and axis not in AXES:
        raise ValueError(f"`axis` must be one of {', '.join(AXES)}, got {axis!r}")
    if atoms.pbc.sum() < 2:
        raise ValueError(
            f"layers need two or three periodic directions, pbc is {atoms.pbc.tolist()}"
        )
    if atoms.pbc.all():
        return int(np.argmax(_spacings(atoms))) if axis is None else AXES.index(axis)
    found = int(np.flatnonzero(~atoms.pbc)[0])
    if axis is not None and AXES.index(axis) != found:
        raise ValueError(
            f"the slab is open along {AXES[found]} (pbc {atoms.pbc.tolist()}), got `axis` {axis!r}"
        )
    return found


def gap_A(atoms: Atoms, axis: str | None = None) -> float:
    """Return the widest gap between heights of atoms in a periodic box, in Å.

    Parameters
    ----------
    atoms, axis
        See `normal_axis`.
    """
    period = float(_spacings(atoms)[normal_axis(atoms, axis)])
    wrapped = np.sort((atoms.positions @ unit_normal(atoms, axis)) % period)
    return float(np.diff(wrapped, append=wrapped[0] + period).max())


def unit_normal(atoms: Atoms, axis: str | None = None) -> np.ndarray:
    """Return the unit normal (3,) of the layers, on the side to which the open vector points.

    Parameters
    ----------
    atoms, axis
        See `normal_axis`. The vector along the normal may be missing or tilted; it only decides
        which side is the top. Without it the top is where the largest component is positive.
    """
    index = normal_axis(atoms, axis)
    across = np.cross(*np.delete(atoms.cell.array, index, axis=0))
    across = across / np.linalg.norm(across)
    side = across @ atoms.cell.array[index]
    if abs(side) < 1e-6:
        side = across[np.argmax(np.abs(across))]
    return across if side > 0 else -across


def heights_A(atoms: Atoms, axis: str | None = None) -> np.ndarray:
    """Return the heights (N,) of atoms along the normal, in Å.

    Those of a box lie within one period, which begins after the widest gap.
    """
    heights = atoms.positions @ unit_normal(atoms, axis)
    if not atoms.pbc.all():
        return heights
    period = _spacings(atoms)[normal_axis(atoms, axis)]
    wrapped = np.sort(heights % period)
    gaps = np.diff(wrapped, append=wrapped[0] + period)
    start = wrapped[(int(np.argmax(gaps)) + 1) % len(wrapped)]
    # Rounding must not send the lowest atom one period up.
    tiny = 1e-9 * period
    return start + (heights - start + tiny) % period - tiny


def layer_numbers(heights: np.ndarray, gap_A: float = LAYER_GAP_A) -> np.ndarray:
    """Return the layer (N,) of every height, 0 is the lowest.

    Parameters
    ----------
    heights : array, shape (N,)
        In Å.
    gap_A : float
        A new layer begins where the next height is farther than this.

    Raises
    ------
    ValueError
        If the gap is not positive.
    """
    if not gap_A > 0:
        raise ValueError(f"`gap_A` must be positive, got {gap_A}")
    order = np.argsort(heights, kind="stable")
    numbers = np.zeros(len(heights), dtype=int)
    numbers[order[1:]] = np.cumsum(np.diff(heights[order]) > gap_A)
    return numbers


def _spacings(atoms: Atoms) -> np.ndarray:
    """Distances (3,) between the faces of the cell."""
    return 1 / np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0)
