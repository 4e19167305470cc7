r"""Normal, area, heights and atomic layers of slabs, and of interfaces in periodic boxes.

Heights are positions along the unit normal :math:`\mathbf{n}` of two cell vectors. A slab is open
along the third. In a periodic box, heights are wrapped into one period that begins after the widest
gap between atoms, so that no layer is divided.
"""

from __future__ import annotations

import math

import numpy as np
from ase import Atoms

from ase_les.arguments import require_one_of, require_positive

AXES = ("a", "b", "c")

# Modulus of the mean phase factor (0: even distribution, 1: one plane) below which atoms are not
# a film.
_MIN_PHASE_MODULUS = 0.05

LAYER_GAP_A = 0.5
"""Largest distance in Å between successive heights within one layer."""


def normal_axis(atoms: Atoms, axis: str | None = None) -> int:
    """Return the index of the cell vector (0, 1, 2) across the layers.

    Parameters
    ----------
    atoms : ase.Atoms
        With two or three periodic directions.
    axis : str or None
        "a", "b" or "c". By default the open direction of a slab, or the direction in which a
        box is longest.

    Raises
    ------
    ValueError
        If the structure has no layers, or a slab is not open along `axis`.
    """
    if axis is not None:
        require_one_of("axis", axis, AXES)
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
    """Return the unit normal (3,) of the layers, pointing to the top.

    Parameters
    ----------
    atoms, axis
        See `normal_axis`. The cell vector across the layers may be zero or tilted; it only
        determines which side is the top. If it is zero, the largest component of the normal is
        positive.
    """
    index = normal_axis(atoms, axis)
    across = _in_plane_product(atoms, index)
    across = across / np.linalg.norm(across)
    side = across @ atoms.cell.array[index]
    if abs(side) < 1e-6:
        side = across[np.argmax(np.abs(across))]
    return across if side > 0 else -across


def area_A2(atoms: Atoms, axis: str | None = None) -> float:
    """Return the area of the cell in the plane of the layers, in Å².

    Parameters
    ----------
    atoms, axis
        See `normal_axis`.
    """
    return float(np.linalg.norm(_in_plane_product(atoms, normal_axis(atoms, axis))))


def heights_A(atoms: Atoms, axis: str | None = None) -> np.ndarray:
    """Return the heights (N,) of atoms along the normal, in Å.

    Heights in a box lie within one period, which begins after the widest gap.
    """
    heights = atoms.positions @ unit_normal(atoms, axis)
    if not atoms.pbc.all():
        return heights
    period = _spacings(atoms)[normal_axis(atoms, axis)]
    wrapped = np.sort(heights % period)
    gaps = np.diff(wrapped, append=wrapped[0] + period)
    start = wrapped[(int(np.argmax(gaps)) + 1) % len(wrapped)]
    # Prevents rounding from moving the lowest atom up by one period.
    tiny = 1e-9 * period
    return start + (heights - start + tiny) % period - tiny


def center_fraction(
    fraction: np.ndarray, masses: np.ndarray, periodic: bool, check: bool = True
) -> float:
    r"""Return the center of mass of atoms along a cell vector, as a fraction of it.

    For a periodic axis, the mean direction :math:`\arg \sum_i m_i e^{2\pi i s_i}` locates the
    atoms even if they cross a cell face; the center of mass of the images nearest to it is exact.

    Parameters
    ----------
    fraction, masses : array, shape (n,)
        Positions along the cell vector in units of it, and masses.
    periodic : bool
        Whether the axis is periodic.
    check : bool
        Whether to refuse atoms without a clear center; False for later configurations of a run,
        whose first one was accepted.

    Raises
    ------
    ValueError
        If the atoms are spread over a periodic axis without a gap.
    """
    if not periodic:
        return float(masses @ fraction / masses.sum())
    direction = masses @ np.exp(2j * math.pi * fraction) / masses.sum()
    if check and abs(direction) < _MIN_PHASE_MODULUS:
        raise ValueError(
            "the atoms to center on are spread evenly along a periodic cell vector and have no "
            "center: center on the atoms of a film or solid, which leave a gap; a profile does "
            "not need a center (center_on=None)"
        )
    center = float(np.angle(direction)) / (2 * math.pi)
    for _ in range(2):
        offset = (fraction - center + 0.5) % 1.0 - 0.5
        center += float(masses @ offset / masses.sum())
    return center


def layer_numbers(heights: np.ndarray, gap_A: float = LAYER_GAP_A) -> np.ndarray:
    """Return the layer (N,) of each height; 0 is the lowest.

    Parameters
    ----------
    heights : array, shape (N,)
        In Å.
    gap_A : float
        Distance between successive heights that separates layers.

    Raises
    ------
    ValueError
        If the gap is not positive.
    """
    require_positive("gap_A", gap_A)
    order = np.argsort(heights, kind="stable")
    numbers = np.zeros(len(heights), dtype=int)
    numbers[order[1:]] = np.cumsum(np.diff(heights[order]) > gap_A)
    return numbers


def _in_plane_product(atoms: Atoms, index: int) -> np.ndarray:
    """Return the cross product of the two cell vectors in the plane."""
    product = np.cross(*np.delete(atoms.cell.array, index, axis=0))
    if not product.any():
        raise ValueError(
            f"the two cell vectors in the plane span no area, the cell is {atoms.cell.tolist()}"
        )
    return product


def _spacings(atoms: Atoms) -> np.ndarray:
    """Return the distances (3,) between opposite faces of the cell."""
    return 1 / np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0)
