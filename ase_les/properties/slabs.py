"""Slabs cut from a bulk crystal: orientation, termination, the smallest cell in the plane.

ASE's `ase.build.surface` turns the crystal; here it is cut where the two faces come out alike, and
reduced to the smallest cell in the plane, right-angled if asked for.
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

PLANE_TOLERANCE_A = 0.1
"""Atoms whose heights differ by less belong to one atomic plane."""

_SAME_PLACE_A = 0.05
_LARGEST_MULTIPLE = 6


@dataclass(frozen=True)
class Slab:
    """A slab of whole bulk cells, its normal along z, open in that direction.

    Attributes
    ----------
    atoms : Atoms
        Tags count the layers from the top, 1, 2, …; no calculator.
    indices : tuple of int
        Miller indices of the surface in the bulk cell given.
    layers : int
        Repeats of the bulk along the normal.
    termination : int
        Which of the possible cuts, see `terminations`.
    gap_A : float
        Distance of the two planes between which the bulk was cut.
    symmetric : bool
        Whether the planes, by spacing and composition, read the same from both sides. Only then
        half the energy of the two faces is the energy of a surface.
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
        """Area of one face."""
        return area(self.atoms)

    def summary(self) -> dict[str, object]:
        """Plain containers for YAML and JSON."""
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


def area(atoms: Atoms) -> float:
    """Area of the cell in the plane of its first two vectors, in Å²."""
    return float(np.linalg.norm(np.cross(atoms.cell[0], atoms.cell[1])))


def terminations(bulk: Atoms, indices: Sequence[int], layers: int = 1) -> list[Slab]:
    """All ways to cut a stoichiometric slab, the widest gap between planes first.

    Parameters
    ----------
    bulk : Atoms
        A crystal cell, periodic in three directions; Miller indices refer to its vectors, so it
        is usually the conventional cell.
    indices : three int
    layers : int
        Repeats along the normal.

    Raises
    ------
    ValueError
        If the crystal is not periodic, or indices or layers are impossible.
    """
    indices = _checked(bulk, indices, layers)
    crystal = bulk.copy()
    crystal.calc = None
    crystal.set_constraint()
    # More repeats than needed: from the inside, where every plane is complete, a window of the
    # right height can be taken anywhere, with no atom to be moved across the cell (whose third
    # vector, upright now, is no translation of the crystal).
    thick = surface(crystal, indices, layers + 3, periodic=True)
    repeat = thick.cell[2, 2] / (layers + 3)
    heights = thick.positions[:, 2]
    planes = _planes(heights)
    origin = heights.min() + repeat - 0.5 * PLANE_TOLERANCE_A
    chosen = [n for n, p in enumerate(planes) if origin <= p.mean() < origin + repeat]
    cuts = []
    for bottom, under in ((planes[n], planes[n - 1]) for n in chosen):
        start = bottom.min() - 0.5 * PLANE_TOLERANCE_A
        inside = (heights >= start) & (heights < start + layers * repeat)
        atoms = thick[inside]
        atoms.set_tags(layers - ((atoms.positions[:, 2] - start) / repeat).astype(int))
        atoms.pbc = (True, True, False)
        cuts.append((bottom.min() - under.max(), atoms))
    order = sorted(range(len(cuts)), key=lambda cut: (-round(cuts[cut][0], 3), cut))
    return [
        Slab(
            atoms=atoms,
            indices=indices,
            layers=layers,
            termination=number,
            gap_A=float(gap),
            symmetric=_reads_the_same(atoms),
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
    """A stoichiometric slab with vacuum on both sides and pbc (True, True, False).

    Parameters
    ----------
    bulk, indices, layers
        See `terminations`.
    vacuum_A : float
        On each side. Without meaning for LES models, which sum a slab without repeats of it along
        the normal; others may need it.
    termination : int or None
        Number in the list of `terminations`. None is the first symmetric one, or the first if
        none is.
    orthogonal : bool
        Take the smallest right-angled cell of the plane instead of the smallest cell.
    repeat : two int
        Copies of that cell in the plane.

    Raises
    ------
    ValueError
        If there is no such termination, or no right-angled cell of up to six repeats.
    """
    if not vacuum_A > 0:
        raise ValueError(f"`vacuum_A` must be positive, got {vacuum_A}")
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
    """A copy with the lowest layers (highest tags) held in place; 0 holds none.

    Raises
    ------
    ValueError
        If no layer would be left free, or there are no such layers.
    """
    count = int(atoms.get_tags().max())
    if not 0 <= layers < max(count, 1):
        raise ValueError(
            f"`fixed_layers` must be 0 to {count - 1} for a slab of {count} layers, got {layers}"
        )
    held = atoms.copy()
    held.set_constraint(FixAtoms(mask=atoms.get_tags() > count - layers) if layers else None)
    return held


def _checked(bulk: Atoms, indices: Sequence[int], layers: int) -> tuple[int, int, int]:
    if not bulk.pbc.all() or bulk.cell.rank < 3:
        raise ValueError(
            f"a bulk crystal with three periodic directions is needed, pbc is {bulk.pbc.tolist()}"
        )
    if len(indices) != 3 or not np.any(indices) or any(int(i) != i for i in indices):
        raise ValueError(f"`indices` must be three integers, not all zero, got {indices}")
    if not isinstance(layers, int | np.integer) or layers < 1:
        raise ValueError(f"`layers` must be an integer of at least 1, got {layers!r}")
    divisor = np.gcd.reduce([int(i) for i in indices])
    return tuple(int(i) // int(divisor) for i in indices)


def _planes(heights: np.ndarray) -> list[np.ndarray]:
    """Heights grouped into planes, from the lowest up."""
    ordered = np.sort(heights)
    return np.split(ordered, np.flatnonzero(np.diff(ordered) > PLANE_TOLERANCE_A) + 1)


def _by_plane(atoms: Atoms) -> tuple[np.ndarray, list[tuple[int, ...]]]:
    """Mean height of every plane, and the atomic numbers in it."""
    order = np.argsort(atoms.positions[:, 2])
    ends = np.cumsum([len(plane) for plane in _planes(atoms.positions[:, 2])])[:-1]
    groups = np.split(order, ends)
    means = np.array([atoms.positions[group, 2].mean() for group in groups])
    return means, [tuple(sorted(atoms.numbers[group])) for group in groups]


def _reads_the_same(atoms: Atoms) -> bool:
    means, contents = _by_plane(atoms)
    gaps = np.diff(means)
    return contents == contents[::-1] and np.allclose(gaps, gaps[::-1], atol=_SAME_PLACE_A)


def _outer_plane(atoms: Atoms, which: int) -> str:
    numbers = list(_by_plane(atoms)[1][which])
    return Formula(Atoms(numbers).get_chemical_formula()).reduce()[0].format("metal")


def _smallest_in_plane(atoms: Atoms) -> Atoms:
    """The same slab in the smallest cell of the plane."""
    cell = _with_unit_height(atoms)
    kinds, counts = np.unique(atoms.numbers, return_counts=True)
    rarest = atoms.numbers == kinds[counts.argmin()]
    reference = atoms.positions[np.flatnonzero(rarest)[0]]
    level = rarest & (np.abs(atoms.positions[:, 2] - reference[2]) < _SAME_PLACE_A)
    steps = [r - reference for r in atoms.positions[level]]
    steps = [step * (1, 1, 0) for step in steps if _is_translation(atoms, cell, step)]
    if len(steps) == 1:
        return atoms
    vectors = [
        step + i * cell[0] + j * cell[1] for step in steps for i, j in product((-1, 0, 1), repeat=2)
    ]
    vectors = sorted((v for v in vectors if np.linalg.norm(v) > 1e-6), key=np.linalg.norm)
    first = vectors[0]
    wanted = area(atoms) / len(steps)
    second = next(v for v in vectors if np.isclose(np.cross(first, v)[2], wanted, rtol=1e-3))
    small = _in_cell(atoms, first, second)
    kept: list[int] = []
    for i in range(len(small)):
        apart = find_mic(small.positions[kept] - small.positions[i], small.cell, small.pbc)[1]
        if not np.any(apart < _SAME_PLACE_A):
            kept.append(i)
    return small[kept]


def _is_translation(atoms: Atoms, cell: np.ndarray, step: np.ndarray) -> bool:
    for position, number in zip(atoms.positions + step * (1, 1, 0), atoms.numbers, strict=True):
        same = atoms.positions[atoms.numbers == number] - position
        if find_mic(same, cell, (True, True, False))[1].min() > _SAME_PLACE_A:
            return False
    return True


def _right_angled(atoms: Atoms) -> Atoms:
    """The smallest supercell of the plane with a right angle."""
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
        # Of equal areas the most compact, then the one that keeps the first vector.
        rank = (size, round(lengths[0] + lengths[1], 6), a != (1, 0))
        if best is None or rank < best[0:3]:
            best = (*rank, a, b)
    if best is None:
        raise ValueError(
            "no right-angled cell of up to "
            f"{_LARGEST_MULTIPLE} repeats in this plane; leave out `orthogonal`"
        )
    big = make_supercell(_in_cell(atoms, first, second), [[*best[3], 0], [*best[4], 0], [0, 0, 1]])
    return _in_cell(big, big.cell[0], big.cell[1])


def _in_cell(atoms: Atoms, first: np.ndarray, second: np.ndarray) -> Atoms:
    """A copy in another cell of the plane, its first vector turned to x, wrapped in the plane."""
    x = first / np.linalg.norm(first)
    turn = np.array([x, np.cross((0, 0, 1), x), (0, 0, 1)])
    turned = atoms.copy()
    turned.positions = atoms.positions @ turn.T
    turned.set_cell([first @ turn.T, second @ turn.T, atoms.cell[2]])
    turned.wrap(pbc=(True, True, False), eps=1e-6)
    return turned


def _with_unit_height(atoms: Atoms) -> np.ndarray:
    cell = atoms.cell.array.copy()
    cell[2] = (0, 0, max(cell[2, 2], 1.0))
    return cell
