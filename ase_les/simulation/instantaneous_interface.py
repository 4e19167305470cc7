r"""Instantaneous interface of a liquid and the depth of points below it.

The density of the liquid is coarse-grained with normalized Gaussians of width :math:`\xi`,

.. math::
    \bar\rho(\mathbf{r}) = \sum_i (2\pi\xi^2)^{-3/2}\, e^{-|\mathbf{r} - \mathbf{r}_i|^2/2\xi^2},
    \qquad \bar\rho(\mathbf{s}) = c ,

and the interface is the surface at which it has the value :math:`c`, half the density of the bulk.
The depth of a point is :math:`(\mathbf{s} - \mathbf{r}) \cdot \mathbf{n}(\mathbf{s})` at the
closest point :math:`\mathbf{s}` of the interface, with its outward normal
:math:`\mathbf{n} = -\nabla\bar\rho/|\nabla\bar\rho|`; it is positive in the liquid.

References
----------
.. [1] A. P. Willard, D. Chandler, J. Phys. Chem. B 114, 1954 (2010).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.spatial import cKDTree

#: Coarse-graining width (Å) and level (1/Å³) for oxygens of water, from reference [1].
WATER_WIDTH_A, WATER_LEVEL_PER_A3 = 2.4, 0.016

# The Gaussian is 3e-4 of its maximum at this distance, in widths.
_REACH = 4.0
_SCAN_STEP = 0.5
_BISECTIONS, _REFINEMENTS, _TOLERANCE_A = 5, 12, 0.01


@dataclass(frozen=True)
class InterfaceDepth:
    """Depth of points below the closer of the two interfaces of a film.

    Attributes
    ----------
    depth_A : array, shape (M,)
        Positive inside the liquid.
    normals : array, shape (M, 3)
        Outward unit normals at the closest points of the interface.
    """

    depth_A: np.ndarray
    normals: np.ndarray


class InstantaneousInterface:
    """Instantaneous interfaces of a film that is periodic in its plane.

    Parameters
    ----------
    width_A : float
        Coarse-graining width ξ.
    level_per_A3 : float
        Density c at the interface.

    Raises
    ------
    ValueError
        If a parameter is not positive.
    """

    def __init__(
        self, width_A: float = WATER_WIDTH_A, level_per_A3: float = WATER_LEVEL_PER_A3
    ) -> None:
        if not (width_A > 0 and level_per_A3 > 0):
            raise ValueError(
                "width and level of an interface must be positive, got "
                f"{width_A} Å and {level_per_A3} 1/Å³"
            )
        self.width_A, self.level_per_A3 = float(width_A), float(level_per_A3)

    def depths(
        self, points: np.ndarray, liquid: np.ndarray, plane: np.ndarray, normal: np.ndarray
    ) -> InterfaceDepth:
        """Return the depth of points below the closer interface.

        Parameters
        ----------
        points : array, shape (M, 3)
        liquid : array, shape (n, 3)
            Atoms that make up the liquid. Not divided by a cell face along the normal.
        plane : array, shape (2, 3)
            Cell vectors in the plane.
        normal : array, shape (3,)
            Unit normal of the film, pointing up.
        """
        density = _Density(self.width_A, liquid, plane, normal)
        points = density.wrapped(points)
        surface = np.concatenate([self._columns(side, density, points) for side in (1.0, -1.0)])
        images = (surface[None] + density.shifts[:, None]).reshape(-1, 3)
        closest, normals = self._refined(density, points, images[cKDTree(images).query(points)[1]])
        return InterfaceDepth(((closest - points) * normals).sum(axis=1), normals)

    def _columns(self, side: float, density: _Density, points: np.ndarray) -> np.ndarray:
        """Return the outermost point of the interface (M, 3) in the column of each point."""
        up = side * density.normal
        low, high = density.extent(up)
        step = _SCAN_STEP * density.width_A
        base = points - (points @ up)[:, None] * up
        height = high + 2 * density.width_A
        while height < high + _REACH * density.width_A and np.any(
            density.at(base + height * up)[0] >= self.level_per_A3
        ):
            height += density.width_A
        inner = np.full(len(points), np.nan)
        missing = np.arange(len(points))
        while len(missing) and height > low - step:
            height -= step
            values, _ = density.at(base[missing] + height * up)
            found = values >= self.level_per_A3
            inner[missing[found]] = height
            missing = missing[~found]
        if len(missing):
            raise ValueError(
                f"the density of the liquid stays below {self.level_per_A3:g} 1/Å³ in the columns "
                f"of {len(missing)} of {len(points)} molecules: there is a hole in the film, or "
                "the level does not fit this liquid; use planes, or a lower level"
            )
        outer = inner + step
        for _ in range(_BISECTIONS):
            middle = 0.5 * (inner + outer)
            inside = density.at(base + middle[:, None] * up)[0] >= self.level_per_A3
            inner, outer = np.where(inside, middle, inner), np.where(inside, outer, middle)
        return base + (0.5 * (inner + outer))[:, None] * up

    def _refined(
        self, density: _Density, points: np.ndarray, closest: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the points of the interface closest to `points`, and the normals there."""
        closest = self._projected(density, closest)
        distance = np.linalg.norm(closest - points, axis=1)
        step = np.ones(len(points))
        left = np.arange(len(points))
        for _ in range(_REFINEMENTS):
            normals = density.normals(closest[left])
            way = points[left] - closest[left]
            along = way - (way * normals).sum(axis=1)[:, None] * normals
            # Steps of at most one width keep the point on the same sheet.
            longest = density.width_A / np.maximum(np.linalg.norm(along, axis=1), 1e-30)
            along *= np.minimum(step[left], longest)[:, None]
            trial = self._projected(density, closest[left] + along)
            reached = np.linalg.norm(trial - points[left], axis=1)
            better = reached < distance[left]
            closest[left[better]] = trial[better]
            distance[left[better]] = reached[better]
            step[left] *= np.where(better, 2.0, 0.25)
            left = left[np.linalg.norm(along, axis=1) > _TOLERANCE_A]
            if len(left) == 0:
                break
        return closest, density.normals(closest)

    def _projected(self, density: _Density, points: np.ndarray) -> np.ndarray:
        """Return points moved to the interface along the gradient by Newton's method."""
        for _ in range(2):
            values, slopes = density.at(points)
            squares = np.maximum((slopes**2).sum(axis=1), 1e-30)
            moves = ((values - self.level_per_A3) / squares)[:, None] * slopes
            length = np.linalg.norm(moves, axis=1, keepdims=True)
            points = points - moves * np.minimum(1.0, density.width_A / np.maximum(length, 1e-30))
        return points


class _Density:
    """Coarse-grained density of a film with its periodic images in the plane."""

    def __init__(self, width_A: float, liquid: np.ndarray, plane: np.ndarray, normal: np.ndarray):
        self.width_A, self.normal, self._plane = width_A, normal, plane
        self._inverse = np.linalg.pinv(plane)
        reach = _REACH * width_A
        counts = np.ceil(reach * np.linalg.norm(self._inverse, axis=0)).astype(int)
        ranges = [range(-count, count + 1) for count in counts]
        self.shifts = np.array(list(product(*ranges))) @ plane
        self._liquid = self.wrapped(liquid)
        self._images = (self._liquid[None] + self.shifts[:, None]).reshape(-1, 3)
        self._tree = cKDTree(self._images)
        self._reach = reach
        self._norm = (2 * math.pi * width_A**2) ** -1.5

    def wrapped(self, points: np.ndarray) -> np.ndarray:
        """Return points in the cell of the plane; heights do not change."""
        fractions = points @ self._inverse
        return points - np.floor(fractions) @ self._plane

    def extent(self, up: np.ndarray) -> tuple[float, float]:
        heights = self._liquid @ up
        return float(heights.min()), float(heights.max())

    def at(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return density (M,) and gradient (M, 3)."""
        points = self.wrapped(points)
        pairs = cKDTree(points).sparse_distance_matrix(
            self._tree, self._reach, output_type="ndarray"
        )
        weights = self._norm * np.exp(-0.5 * (pairs["v"] / self.width_A) ** 2)
        density = np.bincount(pairs["i"], weights, len(points))
        ways = (self._images[pairs["j"]] - points[pairs["i"]]) / self.width_A**2
        slopes = [
            np.bincount(pairs["i"], weights * ways[:, axis], len(points)) for axis in range(3)
        ]
        return density, np.stack(slopes, axis=1)

    def normals(self, points: np.ndarray) -> np.ndarray:
        """Return outward unit normals (M, 3)."""
        slopes = self.at(points)[1]
        return -slopes / np.maximum(np.linalg.norm(slopes, axis=1, keepdims=True), 1e-30)
