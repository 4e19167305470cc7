"""Position and faces of a film in a cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms

from ase_les.properties.planar_potential import plane
from ase_les.simulation.slab_geometry import center_fraction


@dataclass(frozen=True)
class FilmFaces:
    """Faces of a film between two gaps, from its mass density.

    Attributes
    ----------
    density_g_per_cm3 : float
        Mean over the middle half.
    lower_A, upper_A : float
        Positions at which the density is half of this.
    lower_width_A, upper_width_A : float
        Distance between 10 % and 90 % of this density.
    """

    density_g_per_cm3: float
    lower_A: float
    upper_A: float
    lower_width_A: float
    upper_width_A: float

    @property
    def thickness_A(self) -> float:
        """Distance between the faces."""
        return self.upper_A - self.lower_A


def center_of_film(atoms: Atoms, axis: int, chosen: np.ndarray) -> float:
    """Return the center of mass of selected atoms along a cell vector, as a fraction of it.

    See `ase_les.simulation.slab_geometry.center_fraction`.

    Parameters
    ----------
    axis : int
        Cell vector.
    chosen : array of int
        Indices of the atoms.
    """
    normal, height, _ = plane(atoms, axis)
    fraction = (atoms.positions[chosen] * normal).sum(axis=1) / height
    center = center_fraction(fraction, atoms.get_masses()[chosen], bool(atoms.pbc[axis]))
    return center % 1.0 if atoms.pbc[axis] else center


def film_faces(position_A: np.ndarray, mass_g_per_cm3: np.ndarray) -> FilmFaces | None:
    """Return the faces of a film, or None if the density does not vanish on both sides.

    Parameters
    ----------
    position_A, mass_g_per_cm3 : array, shape (n,)
    """
    inside = np.flatnonzero(mass_g_per_cm3 > 0.5 * mass_g_per_cm3.max())
    if len(inside) < 4 or inside[0] == 0 or inside[-1] == len(position_A) - 1:
        return None
    quarter = (inside[-1] - inside[0]) // 4
    density = float(mass_g_per_cm3[inside[0] + quarter : inside[-1] - quarter + 1].mean())
    if density <= 0:
        return None
    sides: list[list[float]] = []
    for which in (slice(None), slice(None, None, -1)):
        z, rho = position_A[which], mass_g_per_cm3[which] / density
        found = [_first_above(z, rho, level) for level in (0.1, 0.5, 0.9)]
        crossings = [crossing for crossing in found if crossing is not None]
        if len(crossings) < len(found):
            return None
        sides.append(crossings)
    (low10, low50, low90), (high10, high50, high90) = sides
    return FilmFaces(density, low50, high50, abs(low90 - low10), abs(high10 - high90))


def _first_above(z: np.ndarray, values: np.ndarray, level: float) -> float | None:
    """Return the interpolated position at which the values first exceed a level."""
    above = np.flatnonzero(values >= level)
    if len(above) == 0 or above[0] == 0:
        return None
    n = above[0]
    share = (level - values[n - 1]) / (values[n] - values[n - 1])
    return float(z[n - 1] + share * (z[n] - z[n - 1]))
