r"""Dimensionless stiffness of forces between neighbors, similar in all materials.

The slope :math:`-K` of the relative force of two neighbors along their distance :math:`d` obeys
:math:`K d^3 / k_e \approx 4 \dots 20` in water, molecules, ionic crystals, oxides, metals and
clusters alike (3.7 to 20 in thirty published data sets).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms, units
from ase.data import covalent_radii

from ase_les.pairs import pairs_within
from ase_les.reading.labels import LabelSources

COULOMB = units.Hartree * units.Bohr
NOBLE = frozenset({2, 10, 18, 36, 54, 86})
"""Atoms without bonds."""

_REACH = 1.4


@dataclass(frozen=True)
class Slope:
    """Slope of a regression through the origin, its correlation and number of points."""

    value: float
    correlation: float
    n: int


def regression(x: Sequence[float], y: Sequence[float]) -> Slope | None:
    """Return the regression of y on x through the origin; None for fewer than three points."""
    a, b = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    norm = float((a @ a) * (b @ b)) if len(a) else 0.0
    if len(a) < 3 or norm == 0:
        return None
    return Slope(float(a @ b / (a @ a)), float(a @ b / np.sqrt(norm)), len(a))


def groups_of_same_atoms(frames: Sequence[Atoms]) -> list[list[Atoms]]:
    """Return structures of the same atoms in the same order."""
    groups: dict[tuple, list[Atoms]] = defaultdict(list)
    for atoms in frames:
        key = (tuple(atoms.numbers), tuple(atoms.pbc), atoms.info.get("charge", 0))
        groups[key].append(atoms)
    return [group for group in groups.values() if len(group) > 1]


def stiffness_of_neighbors(frames: Sequence[Atoms], sources: LabelSources) -> Slope | None:
    """Return ``-K d³ / k_e`` of neighbors, from the same pairs in different structures."""
    distances: list[float] = []
    pulls: list[float] = []
    for group in groups_of_same_atoms(frames):
        forces = [sources.value(atoms, "forces") for atoms in group]
        if any(each is None for each in forces) or NOBLE & set(group[0].numbers.tolist()):
            continue
        first, second, shift, length = nearest_pairs(group[0])
        if not len(first):
            continue
        lengths, relative = [], []
        for atoms, force in zip(group, forces, strict=True):
            vectors = atoms.positions[second] - atoms.positions[first] + shift @ atoms.cell.array
            r = np.linalg.norm(vectors, axis=1)
            f = np.asarray(force, dtype=float)
            lengths.append(r)
            relative.append(((f[second] - f[first]) * vectors).sum(axis=1) / r)
        r, f = np.array(lengths), np.array(relative)
        # Exclude pairs that separated, or seem to because atoms were wrapped.
        kept = (np.abs(r - length) < 0.3 * length).all(axis=0)
        r, f = r[:, kept], f[:, kept]
        if not r.size:
            continue
        cubed = length[kept] ** 3 / COULOMB
        f = (f - f.mean(axis=0)) * cubed
        r = r - r.mean(axis=0)
        # Uniform compression changes all distances without forces.
        if r.shape[1] > 1:
            r, f = r - r.mean(axis=1)[:, None], f - f.mean(axis=1)[:, None]
        distances += r.ravel().tolist()
        pulls += f.ravel().tolist()
    if len(distances) < 12 or np.std(distances) < 2e-3:
        return None
    return regression(distances, pulls)


def stiffness_of_bonds(frames: Sequence[Atoms], sources: LabelSources) -> Slope | None:
    """Return ``-K d³ / k_e`` from bonds of the same two elements, for dissimilar structures."""
    kinds: dict[tuple[int, int], list[tuple[float, float]]] = defaultdict(list)
    for atoms in frames:
        force = sources.value(atoms, "forces")
        if force is None:
            continue
        first, second, shift, length = nearest_pairs(atoms)
        nearest = dict(zip(first.tolist(), second.tolist(), strict=True))
        vectors = atoms.positions[second] - atoms.positions[first] + shift @ atoms.cell.array
        relative = np.asarray(force, dtype=float)[second] - np.asarray(force, dtype=float)[first]
        pulls = (relative * vectors).sum(axis=1) / length
        for i, j, r, f in zip(first.tolist(), second.tolist(), length, pulls, strict=True):
            a, b = sorted((int(atoms.numbers[i]), int(atoms.numbers[j])))
            # Each pair once, and only those that are nearest to each other.
            if nearest.get(j) == i and i <= j and not NOBLE & {a, b}:
                kinds[a, b].append((r, f))
    distances: list[float] = []
    pulled: list[float] = []
    for points in kinds.values():
        r, f = np.array(points).T
        usual = np.abs(r - np.median(r)) < 0.1 * np.median(r)
        if usual.sum() >= 4:
            r, f = r[usual], f[usual]
            distances += (r - r.mean()).tolist()
            pulled += ((f - f.mean()) * r.mean() ** 3 / COULOMB).tolist()
    if len(distances) < 12 or np.std(distances) < 2e-3:
        return None
    slope = regression(distances, pulled)
    return slope if slope is not None and abs(slope.correlation) > 0.6 else None


def nearest_pairs(
    atoms: Atoms, reach: float = _REACH
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the nearest neighbor of each atom that has one.

    Parameters
    ----------
    reach : float
        Search radius in units of twice the largest covalent radius.

    Returns
    -------
    arrays of shapes (M,), (M,), (M, 3) and (M,)
        Indices of atom and neighbor, lattice translation of the neighbor, distance in Å.
    """
    cutoff = 2 * reach * float(covalent_radii[atoms.numbers].max())
    i, j, d, shift = pairs_within(atoms.positions, atoms.cell.array, atoms.pbc, cutoff, "ijdS")
    order = np.lexsort((*shift.T, j, d, i))
    i, j, d, shift = i[order], j[order], d[order], shift[order]
    _, nearest = np.unique(i, return_index=True)
    return i[nearest].astype(int), j[nearest].astype(int), shift[nearest].astype(float), d[nearest]


def energy_spread(frames: Sequence[Atoms], sources: LabelSources) -> Slope | None:
    r"""Return energy differences of structures against those of their bonds.

    For dissimilar structures, such as frames of a liquid: in cells of the same size, energies
    spread :math:`1 \dots 8` times as much as the harmonic energies of nearest neighbors,
    :math:`-\tfrac12 \sum_i F_i (d_i - \bar d)`, and with the same sign.

    Returns
    -------
    Slope or None
        ``value`` is the ratio of the two spreads; None for fewer than twelve structures.
    """
    usual: dict[tuple[int, int], list[float]] = defaultdict(list)
    bonds = []
    for atoms in frames:
        energy, force = sources.value(atoms, "energy"), sources.value(atoms, "forces")
        if energy is None or force is None or NOBLE & set(atoms.numbers.tolist()):
            continue
        i, j, shift, d = nearest_pairs(atoms)
        vectors = atoms.positions[j] - atoms.positions[i] + shift @ atoms.cell.array
        pulls = (np.asarray(force, dtype=float)[i] * vectors).sum(axis=1) / d
        kinds = list(zip(atoms.numbers[i].tolist(), atoms.numbers[j].tolist(), strict=True))
        for kind, length in zip(kinds, d.tolist(), strict=True):
            usual[kind].append(length)
        bonds.append((atoms, float(energy), kinds, d, pulls))
    middle = {kind: float(np.median(lengths)) for kind, lengths in usual.items()}
    groups: dict[tuple, list[tuple[float, float]]] = defaultdict(list)
    for atoms, energy, kinds, d, pulls in bonds:
        mean = np.array([middle[kind] for kind in kinds])
        near = np.abs(d - mean) < 0.25 * mean
        harmonic = 0.5 * float((pulls * (d - mean))[near].sum())
        key = (atoms.get_chemical_formula(), round(float(atoms.cell.volume), 1))
        groups[key].append((energy, harmonic))
    energies: list[float] = []
    harmonics: list[float] = []
    for points in groups.values():
        if len(points) >= 8:
            e, w = np.array(points).T
            energies += (e - e.mean()).tolist()
            harmonics += (w - w.mean()).tolist()
    slope = regression(harmonics, energies)
    if slope is None or len(energies) < 12:
        return None
    return Slope(float(np.std(energies) / np.std(harmonics)), slope.correlation, len(energies))
