"""Slabs cut from a bulk crystal: orientation, termination and smallest cell in the plane.

`ase.build.surface` orients the crystal. Here, the terminations with equal faces are selected, and
the slab is reduced to the smallest cell in the plane, optionally with a right angle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from ase import Atoms
from ase.build import make_supercell, surface
from ase.constraints import FixAtoms
from ase.formula import Formula
from ase.geometry import find_mic

from ase_les.arguments import require_positive
from ase_les.simulation.slab_geometry import area_A2

PLANE_TOLERANCE_A = 0.1
"""Largest difference of heights in Å within one atomic plane."""

_SAME_PLACE_A = 0.05
_LARGEST_MULTIPLE = 6


@dataclass(frozen=True)
class Slab:
    """Stoichiometric slab with its normal along z, open in this direction.

    Attributes
    ----------
    atoms : Atoms
        Tags count the layers from the top, starting from 1. Without calculator.
    indices : tuple of int
        Miller indices in the given bulk cell.
    layers : int
        Repeats of the bulk along the normal.
    termination : int
        Index in the list of `terminations`.
    gap_A : float
        Distance between the two planes at which the bulk was cut.
    symmetric : bool
        Whether spacing and composition of the planes are the same from both sides. Only then is the
        surface energy half the energy of both faces.
    bottom, top : str
        Composition of the outermost planes.
    """

    atoms: Atoms
    indices: tuple[int, int, int]
    layers: int
    termination: int
    gap_A: float
    symmetric: bool
    bottom: str
    top: str

    @property
    def area_A2(self) -> float:
        """Area of one face in Å²."""
        return area_A2(self.atoms)

    def summary(self) -> dict[str, object]:
        """Return the description as plain containers for YAML and JSON."""
        return {
            "miller_indices": list(self.indices),
            "layers": self.layers,
            "formula": self.atoms.get_chemical_formula(),
            "atoms": len(self.atoms),
            "area_A2": self.area_A2,
            "termination": self.termination,
            "bottom_plane": self.bottom,
            "top_plane": self.top,
            "symmetric": self.symmetric,
        }


def terminations(bulk: Atoms, indices: Sequence[int], layers: int = 1) -> list[Slab]:
    """Return all stoichiometric slabs of a surface, the widest gap between planes first.

    Parameters
    ----------
    bulk : Atoms
        Crystal with three periodic directions. Miller indices refer to its cell vectors, so it is
        usually the conventional cell.
    indices : three or four ints
        Miller indices (h, k, l), or (h, k, i, l) for a hexagonal cell.
    layers : int
        Repeats along the normal.

    Raises
    ------
    ValueError
        If the crystal is not periodic, or indices or layers are invalid.
    """
    chosen_indices = miller_indices(bulk, indices)
    if not isinstance(layers, int | np.integer) or layers < 1:
        raise ValueError(f"`layers` must be an integer of at least 1, got {layers!r}")
    crystal = bulk.copy()
    crystal.calc = None
    crystal.set_constraint()
    # The slab is cut from the inside of a thicker one, where each plane is complete. Atoms cannot
    # be moved across the cell instead: its third vector is along the normal and no translation
    # of the crystal.
    thick = surface(crystal, chosen_indices, layers + 3, periodic=True)
    repeat = thick.cell[2, 2] / (layers + 3)
    heights = thick.positions[:, 2]
    planes = _planes(heights)
    origin = heights.min() + repeat - 0.5 * PLANE_TOLERANCE_A
    chosen = [n for n, p in enumerate(planes) if origin <= p.mean() < origin + repeat]
    cuts = []
    for bottom, below in ((planes[n], planes[n - 1]) for n in chosen):
        start = bottom.min() - 0.5 * PLANE_TOLERANCE_A
        inside = (heights >= start) & (heights < start + layers * repeat)
        atoms = thick[inside]
        atoms.set_tags(layers - ((atoms.positions[:, 2] - start) / repeat).astype(int))
        atoms.pbc = (True, True, False)
        cuts.append((bottom.min() - below.max(), atoms))
    order = sorted(range(len(cuts)), key=lambda cut: (-round(cuts[cut][0], 3), cut))
    return [
        Slab(
            atoms=atoms,
            indices=chosen_indices,
            layers=layers,
            termination=number,
            gap_A=float(gap),
            symmetric=_has_equal_faces(atoms),
            bottom=_outer_plane(atoms, 0),
            top=_outer_plane(atoms, -1),
        )
        for number, (gap, atoms) in enumerate(cuts[cut] for cut in order)
    ]


def build_slab(
    bulk: Atoms,
    indices: Sequence[int],
    *,
    layers: int,
    vacuum_A: float = 10.0,
    termination: int | None = None,
    orthogonal: bool = False,
    repeat: Sequence[int] = (1, 1),
) -> Slab:
    """Return a stoichiometric slab with vacuum on both sides and pbc (True, True, False).

    Parameters
    ----------
    bulk, indices, layers
        See `terminations`.
    vacuum_A : float
        Vacuum on each side in Å. It has no effect on LES models, which do not repeat a slab along
        the normal; other calculators may need it.
    termination : int or None
        Index in the list of `terminations`; by default the first symmetric one, or the first.
    orthogonal : bool
        Use the smallest cell of the plane with a right angle instead of the smallest cell.
    repeat : two ints
        Repeats of this cell in the plane.

    Raises
    ------
    ValueError
        If there is no such termination, or no cell with a right angle within six repeats.
    """
    require_positive("vacuum_A", vacuum_A)
    if len(repeat) != 2 or min(repeat) < 1:
        raise ValueError(f"`repeat` must be two integers of at least 1, got {repeat}")
    found = terminations(bulk, indices, layers)
    if termination is None:
        slab = next((each for each in found if each.symmetric), found[0])
    elif 0 <= termination < len(found):
        slab = found[termination]
    else:
        raise ValueError(
            f"`termination` must be 0 to {len(found) - 1} for {tuple(indices)}, got {termination}"
        )
    atoms = _smallest_in_plane(slab.atoms)
    if orthogonal:
        atoms = _right_angled(atoms)
    atoms = atoms * (*repeat, 1)
    atoms.center(vacuum=vacuum_A, axis=2)
    return replace(slab, atoms=atoms[np.argsort(atoms.positions[:, 2], kind="stable")])


def fix_bottom(atoms: Atoms, layers: int) -> Atoms:
    """Return a copy with the lowest layers (highest tags) fixed.

    Raises
    ------
    ValueError
        If the slab has at most `layers` layers.
    """
    count = int(atoms.get_tags().max())
    if not 0 <= layers < max(count, 1):
        raise ValueError(
            f"`fixed_layers` must be 0 to {count - 1} for a slab of {count} layers, got {layers}"
        )
    fixed = atoms.copy()
    fixed.set_constraint(FixAtoms(mask=atoms.get_tags() > count - layers) if layers else None)
    return fixed


def miller_indices(bulk: Atoms, indices: Sequence[int]) -> tuple[int, int, int]:
    """Return three coprime Miller indices of a plane in a crystal.

    Parameters
    ----------
    indices : three or four ints
        (h, k, l), or Miller–Bravais indices (h, k, i, l) with i = −h − k of a hexagonal cell
        (a = b, γ = 120°).

    Raises
    ------
    ValueError
        If the crystal is not periodic, or the indices are invalid.
    """
    if not bulk.pbc.all() or bulk.cell.rank < 3:
        raise ValueError(
            f"a bulk crystal with three periodic directions is needed, pbc is {bulk.pbc.tolist()}"
        )
    if len(indices) not in (3, 4) or not np.any(indices) or any(int(i) != i for i in indices):
        raise ValueError(
            "`indices` must be three integers (h, k, l), not all zero, or four (h, k, i, l) for a "
            f"hexagonal cell, got {tuple(indices)}"
        )
    h, k, *redundant, l = (int(i) for i in indices)  # noqa: E741 - standard symbols
    if redundant:
        _check_bravais(bulk, h, k, redundant[0])
    divisor = int(np.gcd.reduce([h, k, l]))
    if divisor == 0:
        raise ValueError(f"`indices` must not be all zero, got {tuple(indices)}")
    return h // divisor, k // divisor, l // divisor


def _check_bravais(bulk: Atoms, h: int, k: int, i: int) -> None:
    if h + k + i != 0:
        raise ValueError(
            f"`indices` (h, k, i, l) need i = -(h + k) = {-(h + k)}, got i = {i}; use three "
            "indices otherwise"
        )
    a, b, _, alpha, beta, gamma = bulk.cell.cellpar()
    right = np.allclose([alpha, beta], 90, atol=0.1) and abs(gamma - 120) < 0.1
    if not (right and abs(a - b) < 1e-3 * a):
        raise ValueError(
            "`indices` with four numbers need a hexagonal cell (a = b, γ = 120°), but "
            f"a = {a:.4g} Å, b = {b:.4g} Å, γ = {gamma:.4g}°; use three indices"
        )


def _planes(heights: np.ndarray) -> list[np.ndarray]:
    """Return the heights grouped by plane, in ascending order."""
    ordered = np.sort(heights)
    return np.split(ordered, np.flatnonzero(np.diff(ordered) > PLANE_TOLERANCE_A) + 1)


def _by_plane(atoms: Atoms) -> tuple[np.ndarray, list[tuple[int, ...]]]:
    """Return mean height and atomic numbers of each plane."""
    order = np.argsort(atoms.positions[:, 2])
    ends = np.cumsum([len(plane) for plane in _planes(atoms.positions[:, 2])])[:-1]
    groups = np.split(order, ends)
    means = np.array([atoms.positions[group, 2].mean() for group in groups])
    return means, [tuple(sorted(atoms.numbers[group])) for group in groups]


def _has_equal_faces(atoms: Atoms) -> bool:
    means, contents = _by_plane(atoms)
    gaps = np.diff(means)
    return contents == contents[::-1] and np.allclose(gaps, gaps[::-1], atol=_SAME_PLACE_A)


def _outer_plane(atoms: Atoms, which: int) -> str:
    numbers = list(_by_plane(atoms)[1][which])
    return Formula(Atoms(numbers).get_chemical_formula()).reduce()[0].format("metal")


def _smallest_in_plane(atoms: Atoms) -> Atoms:
    """Return the slab in the smallest cell of the plane."""
    cell = _with_unit_height(atoms)
    kinds, counts = np.unique(atoms.numbers, return_counts=True)
    is_rarest = atoms.numbers == kinds[counts.argmin()]
    reference = atoms.positions[np.flatnonzero(is_rarest)[0]]
    in_plane = is_rarest & (np.abs(atoms.positions[:, 2] - reference[2]) < _SAME_PLACE_A)
    steps = [r - reference for r in atoms.positions[in_plane]]
    steps = [step * (1, 1, 0) for step in steps if _is_translation(atoms, cell, step)]
    if len(steps) == 1:
        return atoms
    vectors = [
        step + i * cell[0] + j * cell[1] for step in steps for i, j in product((-1, 0, 1), repeat=2)
    ]
    vectors = sorted((v for v in vectors if np.linalg.norm(v) > 1e-6), key=np.linalg.norm)
    first = vectors[0]
    smallest_area = area_A2(atoms) / len(steps)
    second = next(v for v in vectors if np.isclose(np.cross(first, v)[2], smallest_area, rtol=1e-3))
    reduced = _in_cell(atoms, first, second)
    kept: list[int] = []
    for i in range(len(reduced)):
        distances = find_mic(
            reduced.positions[kept] - reduced.positions[i], reduced.cell, reduced.pbc
        )[1]
        if not np.any(distances < _SAME_PLACE_A):
            kept.append(i)
    return reduced[kept]


def _is_translation(atoms: Atoms, cell: np.ndarray, step: np.ndarray) -> bool:
    for position, number in zip(atoms.positions + step * (1, 1, 0), atoms.numbers, strict=True):
        same = atoms.positions[atoms.numbers == number] - position
        if find_mic(same, cell, (True, True, False))[1].min() > _SAME_PLACE_A:
            return False
    return True


def _right_angled(atoms: Atoms) -> Atoms:
    """Return the smallest supercell of the plane with a right angle."""
    first, second = atoms.cell[0], atoms.cell[1]
    reach = range(-_LARGEST_MULTIPLE, _LARGEST_MULTIPLE + 1)
    rows = [(i, j) for i, j in product(reach, repeat=2) if (i, j) != (0, 0)]
    best = None
    for a, b in product(rows, repeat=2):
        size = a[0] * b[1] - a[1] * b[0]
        if size < 1 or (best is not None and size > best[0]):
            continue
        u, v = a[0] * first + a[1] * second, b[0] * first + b[1] * second
        lengths = np.linalg.norm(u), np.linalg.norm(v)
        if abs(u @ v) > 1e-4 * lengths[0] * lengths[1]:
            continue
        # Of equal areas, prefer the most compact cell, then the one that keeps the first vector.
        rank = (size, round(lengths[0] + lengths[1], 6), a != (1, 0))
        if best is None or rank < best[0:3]:
            best = (*rank, a, b)
    if best is None:
        raise ValueError(
            f"no cell with a right angle within {_LARGEST_MULTIPLE} repeats in this plane; omit "
            "`orthogonal`"
        )
    supercell = make_supercell(
        _in_cell(atoms, first, second), [[*best[3], 0], [*best[4], 0], [0, 0, 1]]
    )
    return _in_cell(supercell, supercell.cell[0], supercell.cell[1])


def _in_cell(atoms: Atoms, first: np.ndarray, second: np.ndarray) -> Atoms:
    """Return a copy wrapped into another cell of the plane, whose first vector is along x."""
    x = first / np.linalg.norm(first)
    rotation = np.array([x, np.cross((0, 0, 1), x), (0, 0, 1)])
    rotated = atoms.copy()
    rotated.positions = atoms.positions @ rotation.T
    rotated.set_cell([first @ rotation.T, second @ rotation.T, atoms.cell[2]])
    rotated.wrap(pbc=(True, True, False), eps=1e-6)
    return rotated


def _with_unit_height(atoms: Atoms) -> np.ndarray:
    cell = atoms.cell.array.copy()
    cell[2] = (0, 0, max(cell[2, 2], 1.0))
    return cell
