r"""Layers of a film or interface with smooth masks that add up to one.

The coordinate :math:`x` of a molecule is its distance from the middle of a group of atoms (planes)
or its depth below the instantaneous interface (`ase_les.simulation.instantaneous_interface`). With
edges :math:`e_1 < e_2 < \dots` and a smooth step :math:`s` that rises from 0 to 1 within
:math:`\pm w`,

.. math::
    m_L(x) = s(x - e_L) - s(x - e_{L+1}), \qquad \sum_L m_L(x) = 1 ,

where the first step is replaced by 1 and the last by 0. Atoms of a molecule have the mask of its
center of mass, so that no molecule is divided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from ase.neighborlist import natural_cutoffs
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ase_les.configuration import MinLen, Name, Number, Positive, Unit, configuration
from ase_les.pairs import pairs_within
from ase_les.simulation.instantaneous_interface import (
    WATER_LEVEL_PER_A3,
    WATER_WIDTH_A,
    InstantaneousInterface,
)
from ase_les.simulation.slab_geometry import AXES, center_fraction, normal_axis, unit_normal

#: Largest length of an O–H bond in Å; hydrogen bonds of liquid water are longer.
OH_BOND_A = 1.3

#: Molecules have at most this many atoms; larger clusters are a solid, whose atoms stand alone.
LARGEST_MOLECULE = 30


@configuration
class SurfaceLayers:
    """Layers of a film or interface.

    Parameters
    ----------
    edges_A : tuple of float
        Edges between layers, ascending: n edges make n + 1 layers.
    surface : {"planes", "instantaneous"}
        Whether edges are distances from the middle of `center_on`, or depths below the
        instantaneous interface of water.
    smoothing_A : float
        Half of the range in which a mask changes from 0 to 1.
    axis : {"a", "b", "c"} or None
        Cell vector across the layers; by default the open direction, or the longest.
    center_on : str
        "film" for all atoms, or elements such as "Ti". Along a periodic axis they must leave a gap.
        For planes only: depths are independent of the middle.
    folded : bool
        Whether layers on both sides of the middle are one layer. Depths always are.
    width_A, level_per_A3 : float
        See `InstantaneousInterface`.

    Raises
    ------
    ValueError
        If a setting is invalid.
    """

    edges_A: Annotated[tuple[Number, ...], MinLen(1), Unit("Å")] = (3.0, 6.0)
    surface: Literal["planes", "instantaneous"] = "planes"
    smoothing_A: Annotated[Positive, Unit("Å")] = 0.5
    axis: Literal["a", "b", "c"] | None = None
    center_on: Name = "film"
    folded: bool = True
    width_A: Annotated[Positive, Unit("Å")] = WATER_WIDTH_A
    level_per_A3: Annotated[Positive, Unit("1/Å³")] = WATER_LEVEL_PER_A3

    def __post_init__(self) -> None:
        if not np.all(np.diff(self.edges_A) > 0):
            raise ValueError(
                f"`edges_A` must be ascending numbers in Å such as 3,6, got {self.edges_A}"
            )
        if self.surface == "instantaneous" and (self.center_on != "film" or not self.folded):
            raise ValueError(
                "depths below the instantaneous interface have neither `center_on` nor `folded`: "
                "omit them, or use planes (`surface` 'planes')"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the layers in the order of the masks."""
        what = "depth" if self.surface == "instantaneous" else "|z|" if self.folded else "z"
        edges = [f"{edge:g}" for edge in self.edges_A]
        inner = [f"{a}–{b}" for a, b in pairwise(edges)]
        return tuple(f"{what} {each} Å" for each in (f"< {edges[0]}", *inner, f"> {edges[-1]}"))

    def masks(self, coordinate_A: np.ndarray) -> np.ndarray:
        """Return the masks (layers, M) at coordinates (M,); they add up to one."""
        offset = coordinate_A[None] - np.array(self.edges_A)[:, None]
        t = np.clip(0.5 + 0.5 * offset / self.smoothing_A, 0.0, 1.0)
        steps = t**2 * (3 - 2 * t)
        ones, zeros = np.ones_like(steps[:1]), np.zeros_like(steps[:1])
        return np.concatenate([ones, steps]) - np.concatenate([steps, zeros])


@dataclass(frozen=True)
class Placement:
    """Molecules of a configuration relative to the surface.

    Attributes
    ----------
    heights_A : array, shape (M,)
        Above the middle along the normal.
    side : array, shape (M,)
        1 above the middle and −1 below it.
    masks : array, shape (layers, M)
    """

    heights_A: np.ndarray
    side: np.ndarray
    masks: np.ndarray


class LayeredMolecules:
    """Molecules of a structure, and their layers in configurations of the same atoms.

    Bonds are those of the first configuration. Clusters of more than `LARGEST_MOLECULE` atoms are
    solids, and their atoms are placed one by one.

    Parameters
    ----------
    atoms : Atoms
        First configuration.

    Raises
    ------
    ValueError
        If the structure is not periodic in the plane, elements are missing, it has no water
        for an instantaneous interface, or its central atoms fill a periodic box without a gap.
    """

    def __init__(self, layers: SurfaceLayers, atoms: Atoms) -> None:
        self.layers = layers
        self.axis = normal_axis(atoms, layers.axis)
        self._masses = atoms.get_masses()
        self._set_label(molecule_labels(atoms))
        self._interface: InstantaneousInterface | None = None
        if layers.surface == "instantaneous":
            self._interface = InstantaneousInterface(layers.width_A, layers.level_per_A3)
            self._center = water_oxygens(atoms)
        else:
            self._center = chosen_atoms(atoms, layers.center_on)
        # Refuses central atoms without a center.
        normal = unit_normal(atoms, AXES[self.axis])
        self._centered(atoms, atoms.positions[:1], normal, check=True)

    def state(self) -> dict[str, np.ndarray]:
        """Return molecules and central atoms, which are those of the first configuration."""
        return {"label": self.label.copy(), "center": self._center.copy()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore a state returned by `state`."""
        self._set_label(np.array(state["label"]))
        self._center = np.array(state["center"])

    def _set_label(self, label: np.ndarray) -> None:
        self.label = label
        self._first = np.unique(label, return_index=True)[1]

    def centers(self, atoms: Atoms) -> np.ndarray:
        """Return the centers of mass (M, 3) of the molecules."""
        root = atoms.positions[self._first][self.label]
        arms = find_mic(atoms.positions - root, atoms.cell, atoms.pbc)[0]
        total = np.bincount(self.label, self._masses)
        shift = [np.bincount(self.label, self._masses * arms[:, axis]) for axis in range(3)]
        return atoms.positions[self._first] + np.stack(shift, axis=1) / total[:, None]

    def place(self, atoms: Atoms, centers: np.ndarray | None = None) -> Placement:
        """Return the layers of the molecules, with `centers` (M, 3) if they are known already."""
        normal = unit_normal(atoms, AXES[self.axis])
        centers = self.centers(atoms) if centers is None else centers
        centered = self._centered(atoms, centers, normal)
        heights = centered @ normal
        side = np.where(heights >= 0, 1.0, -1.0)
        if self._interface is None:
            coordinate = np.abs(heights) if self.layers.folded else heights
            return Placement(heights, side, self.layers.masks(coordinate))
        liquid = self._centered(atoms, atoms.positions[self._center], normal)
        plane = np.delete(atoms.cell.array, self.axis, axis=0)
        found = self._interface.depths(centered, liquid, plane, normal)
        return Placement(heights, side, self.layers.masks(found.depth_A))

    def _centered(
        self, atoms: Atoms, points: np.ndarray, normal: np.ndarray, check: bool = False
    ) -> np.ndarray:
        """Return points whose heights are relative to the middle of the central atoms."""
        heights = points @ normal
        periodic = bool(atoms.pbc[self.axis])
        period = abs(float(atoms.cell.array[self.axis] @ normal)) if periodic else 1.0
        reference = atoms.positions[self._center] @ normal / period
        masses = self._masses[self._center]
        middle = period * center_fraction(reference, masses, periodic, check)
        if not periodic:
            return points - middle * normal
        wrapped = (heights - middle + 0.5 * period) % period - 0.5 * period
        return points + (wrapped - heights)[:, None] * normal


def surface_frame(atoms: Atoms, axis: int) -> np.ndarray:
    """Return two unit vectors in the plane and the normal, rows of (3, 3), right-handed.

    The normal is `unit_normal` of the cell vector `axis`.
    """
    normal = unit_normal(atoms, AXES[axis])
    first = atoms.cell.array[(axis + 1) % 3]
    along = first / np.linalg.norm(first)
    return np.array([along, np.cross(normal, along), normal])


def chosen_atoms(atoms: Atoms, center_on: str) -> np.ndarray:
    """Return the indices of all atoms ("film") or of elements such as "Ti,O"."""
    if center_on == "film":
        return np.arange(len(atoms))
    symbols = [symbol.strip() for symbol in center_on.split(",")]
    missing = sorted(set(symbols) - set(atoms.symbols))
    if missing:
        raise ValueError(
            "`center_on` must be 'film' or elements of the structure, "
            f"{sorted(set(atoms.symbols))}; got {center_on!r}"
        )
    return np.flatnonzero([symbol in symbols for symbol in atoms.symbols])


def oxygen_hydrogen_bonds(atoms: Atoms) -> tuple[np.ndarray, np.ndarray]:
    """Return oxygen and hydrogen indices (n,) of O–H bonds shorter than `OH_BOND_A`.

    A hydrogen belongs to its closest oxygen.
    """
    first, second, distance = _neighbors(atoms, OH_BOND_A)
    bond = (atoms.numbers[first] == 8) & (atoms.numbers[second] == 1)
    first, second, distance = first[bond], second[bond], distance[bond]
    order = np.lexsort((distance, second))
    hydrogens, where = np.unique(second[order], return_index=True)
    return first[order][where], hydrogens


def water_oxygens(atoms: Atoms) -> np.ndarray:
    """Return the oxygens with two hydrogens.

    Raises
    ------
    ValueError
        If there are none.
    """
    oxygens = oxygen_hydrogen_bonds(atoms)[0]
    water = np.flatnonzero(np.bincount(oxygens, minlength=len(atoms)) == 2)
    if len(water) == 0:
        raise ValueError(
            "an instantaneous interface needs water molecules, and the structure has none: use "
            "planes (`surface` 'planes')"
        )
    return water


def molecule_labels(atoms: Atoms) -> np.ndarray:
    """Return the molecule (N,) of each atom; atoms of large clusters are their own molecules.

    Atoms are bonded if closer than 1.2 times the sum of their covalent radii; hydrogens only to
    their closest oxygen, where they have one.
    """
    radii = np.array(natural_cutoffs(atoms, mult=1.2))
    first, second, distance = _neighbors(atoms, 2 * float(radii.max()))
    bonded = distance < radii[first] + radii[second]
    oxygens, hydrogens = oxygen_hydrogen_bonds(atoms)
    held = np.isin(first, hydrogens) | np.isin(second, hydrogens)
    first, second = first[bonded & ~held], second[bonded & ~held]
    first, second = np.concatenate([first, oxygens]), np.concatenate([second, hydrogens])
    bonds = coo_array((np.ones(len(first)), (first, second)), shape=(len(atoms),) * 2)
    label = connected_components(bonds, directed=False)[1]
    large = np.bincount(label)[label] > LARGEST_MOLECULE
    label = np.where(large, len(atoms) + np.arange(len(atoms)), label)
    return np.unique(label, return_inverse=True)[1]


def _neighbors(atoms: Atoms, cutoff: float) -> Sequence[np.ndarray]:
    return pairs_within(atoms.positions, atoms.cell.array, atoms.pbc, cutoff)
