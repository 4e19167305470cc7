r"""Check labels before training: energies, forces and stresses against each other.

Three tests, each independent of the level of theory:

- Energy differences of similar structures follow from forces and stresses,
  :math:`\Delta E \approx -\bar{\mathbf F} \cdot \Delta\mathbf r + \bar V \bar\sigma : \epsilon`;
- forces oppose the displacement of neighbors with a stiffness common to all materials
  (`ase_les.reading.stiffness`);
- nearest neighbors are about as far apart as the sum of their covalent radii.

If a ratio is far off and agrees with a unit or sign, the message names it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from ase import Atoms, units
from ase.data import chemical_symbols, covalent_radii

from ase_les.reading.labels import STRESS_UNITS, LabelSources, full_tensor
from ase_les.reading.stiffness import (
    NOBLE,
    Slope,
    energy_spread,
    groups_of_same_atoms,
    nearest_pairs,
    regression,
    stiffness_of_bonds,
    stiffness_of_neighbors,
)
from ase_les.reading.zero_forces import question_zero_forces

_ENERGY_UNITS = {
    "eV": 1.0,
    "Ha": units.Hartree,
    "Ry": units.Rydberg,
    "kcal/mol": units.kcal / units.mol,
    "kJ/mol": units.kJ / units.mol,
    "meV": 1e-3,
}
_FORCE_UNITS = {
    "eV/Å": (1.0, "eV"),
    "Ha/bohr": (units.Hartree / units.Bohr, "Ha"),
    "Ry/bohr": (units.Rydberg / units.Bohr, "Ry"),
    "Ha/Å": (units.Hartree, "Ha"),
    "Ry/Å": (units.Rydberg, "Ry"),
    "eV/bohr": (1 / units.Bohr, "eV"),
    "kcal/mol/Å": (units.kcal / units.mol, "kcal/mol"),
    "kcal/mol/bohr": (units.kcal / units.mol / units.Bohr, "kcal/mol"),
    "kJ/mol/Å": (units.kJ / units.mol, "kJ/mol"),
    "kJ/mol/nm": (0.1 * units.kJ / units.mol, "kJ/mol"),
    "meV/Å": (1e-3, "meV"),
}

# In Å³ per atom; solid hydrogen at 500 GPa has 1.4.
_LEAST_VOLUME = 1.0
_MOST_FRAMES = 60
_MOST_PAIRS = 40
_MOST_ATOMS = 2000
# In Å; mean forces do not give energy differences for larger displacements.
_NEAR = 0.45
# Median stresses (eV/Å³) beyond any experiment, and as large as in shock waves.
_IMPOSSIBLE_STRESS, _LARGE_STRESS = 5.0, 0.6
# Range of the energy spread relative to that of bonds; 1.0 to 8 in published data sets.
_LEAST_SPREAD, _MOST_SPREAD = 0.4, 20.0
# Range and usual value of K d³ / k_e; between 3.7 and 20 in published data sets.
_SOFTEST, _STIFFEST, _USUAL = 1.2, 60.0, 9.0


def check_density(atoms: Atoms) -> None:
    """Reject a crystal that is denser than any matter, before neighbors are searched.

    Raises
    ------
    ValueError
        If there is less than `_LEAST_VOLUME` per atom.
    """
    volume = atoms.cell.volume / max(len(atoms), 1)
    if atoms.pbc.all() and volume < _LEAST_VOLUME:
        raise ValueError(
            f"the cell has {volume:.3g} Å³ per atom (diamond: 5.7): are lengths in nm, or are "
            "scaled positions given as positions? They must be in Å"
        )


def question_labels(frames: Sequence[Atoms], sources: LabelSources) -> list[str]:
    """Return warnings about units and signs of the labels of one file; empty if there are none.

    Raises
    ------
    ValueError
        If stresses are larger than any material can sustain.
    """
    chosen = _evenly([atoms for atoms in frames if 1 < len(atoms) <= _MOST_ATOMS], _MOST_FRAMES)
    messages = _check_stress_size(frames, sources) + question_zero_forces(frames, sources)
    length, length_messages = _check_lengths(chosen)
    if length != "Å":
        # Other checks are meaningless with wrong lengths.
        return length_messages + messages
    slope = _energy_slope(chosen, sources)
    stiffness = stiffness_of_neighbors(chosen, sources) or stiffness_of_bonds(chosen, sources)
    messages += _check_energies_and_forces(slope, stiffness)
    if slope is None and not messages:
        messages += _check_energy_spread(energy_spread(chosen, sources))
    messages += _check_total_energies(chosen, sources, has_forces=slope is not None)
    if not messages:
        messages += _check_stress_sign(chosen, sources)
    return messages


@dataclass(frozen=True)
class _Pair:
    """Energy difference (eV) of two similar structures, from labels and from forces."""

    energy: float
    by_forces: float
    distance: float


def _energy_slope(frames: Sequence[Atoms], sources: LabelSources) -> Slope | None:
    """Fit energy differences against ``-F·dx`` of the most similar pairs of structures."""
    pairs = sorted(_near_pairs(frames, sources), key=lambda pair: pair.distance)[:_MOST_PAIRS]
    return regression([pair.by_forces for pair in pairs], [pair.energy for pair in pairs])


def _evenly(frames: Sequence[Atoms], most: int) -> list[Atoms]:
    if len(frames) <= most:
        return list(frames)
    # Consecutive frames are the most similar: keep groups of them.
    starts = np.linspace(0, len(frames) - 4, most // 4).astype(int)
    return [frames[i] for i in sorted({int(s) + k for s in starts for k in range(4)})]


def _displacement(first: Atoms, second: Atoms) -> tuple[np.ndarray, np.ndarray]:
    """Return internal displacements (N, 3) in Å across boundaries, and the strain (3, 3)."""
    if not first.pbc.any():
        return second.positions - first.positions, np.zeros((3, 3))
    cells = [atoms.cell.complete().array for atoms in (first, second)]
    mean = 0.5 * (cells[0] + cells[1])
    scaled = [
        np.linalg.solve(cell.T, atoms.positions.T).T
        for atoms, cell in zip((first, second), cells, strict=True)
    ]
    moved = scaled[1] - scaled[0]
    moved -= np.round(moved) * first.pbc
    strain = np.linalg.solve(mean, cells[1] - cells[0])
    return moved @ mean, 0.5 * (strain + strain.T)


def _near_pairs(frames: Sequence[Atoms], sources: LabelSources) -> Iterator[_Pair]:
    """Yield pairs of similar structures in the same cell."""
    for group in groups_of_same_atoms(frames):
        for first, second in combinations(group, 2):
            if first.pbc.any() and np.abs(first.cell.array - second.cell.array).max() > 1e-3:
                continue
            energies = [sources.value(atoms, "energy") for atoms in (first, second)]
            forces = [sources.value(atoms, "forces") for atoms in (first, second)]
            if any(each is None for each in (*energies, *forces)):
                continue
            moved, _ = _displacement(first, second)
            distance = float(np.abs(moved).max())
            if distance < _NEAR:
                mean = 0.5 * (np.asarray(forces[0]) + np.asarray(forces[1]))
                by_forces = -float((mean * moved).sum())
                yield _Pair(float(energies[1]) - float(energies[0]), by_forces, distance)


def _check_lengths(frames: Sequence[Atoms]) -> tuple[str, list[str]]:
    """Return the likely unit of lengths, and messages about it."""
    ratios: list[float] = []
    for atoms in _evenly(frames, 12):
        i, j, _, d = nearest_pairs(atoms, reach=2.4)
        radii = covalent_radii[atoms.numbers]
        usual = np.array(
            [
                not NOBLE & {int(atoms.numbers[a]), int(atoms.numbers[b])}
                for a, b in zip(i, j, strict=True)
            ],
            dtype=bool,
        )
        ratios += (d / (radii[i] + radii[j]))[usual].tolist()
    if not ratios:
        return "Å", []
    ratio = float(np.median(ratios))
    for unit, low, high in (("bohr", 1.55, 2.35), ("nm", 0.07, 0.14)):
        if low < ratio < high:
            return unit, [
                f"nearest neighbors are {ratio:.2f} times the sum of their covalent radii apart: "
                f"positions (and cell) are likely in {unit}, and must be in Å"
            ]
    return "Å", []


def _check_energies_and_forces(slope: Slope | None, stiffness: Slope | None) -> list[str]:
    messages: list[str] = []
    usable = slope is not None and slope.n >= 3
    if usable and slope is not None and abs(slope.correlation) < 0.6 and slope.n >= 6:
        return [
            "energy differences of similar structures do not follow from their forces (correlation "
            f"{slope.correlation:.2f} of {slope.n} pairs): energies and forces may belong to "
            "different structures, methods or orders of atoms"
        ]
    factor = slope.value if usable and slope is not None and abs(slope.correlation) > 0.9 else None
    force_scale = None
    if stiffness is not None and abs(stiffness.correlation) > 0.4:
        scaled = -stiffness.value
        if scaled < 0:
            messages.append(
                "forces push neighbors apart more strongly at larger distances: the forces likely "
                "have the wrong sign (gradients of the energy instead of forces)"
            )
            factor = None if factor is None else -factor
        if not _SOFTEST < abs(scaled) < _STIFFEST:
            force_scale = abs(scaled)
    if factor is not None and factor < 0:
        messages.append(
            "energy differences of similar structures have the sign opposite to -F·dx: the "
            "energies or the forces have the wrong sign"
        )
        factor = -factor
    return messages + _unit_messages(factor, force_scale)


def _check_energy_spread(spread: Slope | None) -> list[str]:
    """Compare the energy spread of dissimilar structures with that of their bonds."""
    if spread is None:
        return []
    certain = abs(spread.correlation) * np.sqrt(spread.n)
    if spread.correlation < -0.35 and certain > 4:
        return ["energies fall as bonds are stretched: their sign is likely wrong"]
    if _LEAST_SPREAD < spread.value < _MOST_SPREAD or (spread.value > 1 and certain < 3):
        return []
    found = [
        unit
        for unit, size in _ENERGY_UNITS.items()
        if unit != "eV" and 1.0 < spread.value * size < 9.0
    ]
    return [
        f"energies differ {spread.value:.2g} times as much between structures as the energies of "
        f"their bonds, which is usually between 1 and 8: likely energies in "
        f"{' or '.join(found) or 'another unit'} (needed: eV)"
    ]


def _unit_messages(factor: float | None, stiffness: float | None) -> list[str]:
    """Return messages about units from the energy–force ratio and the stiffness."""
    measured = []
    if factor is not None and not 0.8 < factor < 1.25:
        measured.append(f"energy differences of similar structures are {factor:.3g} times -F·dx")
    if stiffness is not None:
        measured.append(
            f"forces between neighbors change {stiffness / _USUAL:.2g} times as much with distance "
            "as in any material"
        )
    if not measured:
        return []
    costs = {
        (force, energy): cost
        for force in _FORCE_UNITS
        for energy in _ENERGY_UNITS
        if (cost := _cost(force, energy, factor, stiffness)) is not None
    }
    costs.pop(("eV/Å", "eV"), None)
    finding = " and ".join(measured)
    if not costs:
        return [f"{finding}: check the units (eV, eV/Å and Å are needed)"]
    least = min(costs.values())
    likely = sorted((pair for pair in costs if costs[pair] < least + 0.2), key=lambda p: costs[p])
    energies_known = factor is not None
    messages = dict.fromkeys(
        _describe_units(force, energy, energies_known) for force, energy in likely
    )
    return [f"{finding}: likely {', or '.join(list(messages)[:3])}"]


def _describe_units(force: str, energy: str, energies_known: bool) -> str:
    """Name the units of a pair that differ from the needed ones."""
    energies = f"energies in {energy} (needed: eV)" if energy != "eV" and energies_known else ""
    forces = f"forces in {force} (needed: eV/Å)" if force != "eV/Å" else ""
    return " and ".join(part for part in (energies, forces) if part)


def _cost(force: str, energy: str, factor: float | None, stiffness: float | None) -> float | None:
    """Return the misfit of two units to the measurement, None if they do not fit."""
    size, own = _FORCE_UNITS[force]
    energy_size = _ENERGY_UNITS[energy]
    # Most programs print both in the same system of units.
    cost = 0.0 if energy == own else 0.3
    if energy != own and energy != "eV" and force != "eV/Å":
        # Two mistakes of different kinds.
        cost += 0.3
    if factor is not None:
        off = abs(float(np.log(factor * energy_size / size)))
        if off > 0.2:
            return None
        cost += off
    elif energy != own:
        return None
    if stiffness is not None:
        off = abs(float(np.log(stiffness * size / _USUAL)))
        return None if off > 1.9 else cost + 0.2 * off
    # The stiffness is usual, so that forces off by a large factor are unlikely.
    return cost + 0.5 if abs(float(np.log(size))) > 1 else cost


def _all_electron_energy(numbers: np.ndarray) -> float:
    """Return the Thomas–Fermi–Scott–Schwinger energy (eV) of atoms with all electrons."""
    z = numbers.astype(float)
    hartree = -0.768745 * z ** (7 / 3) + 0.5 * z**2 - 0.269900 * z ** (5 / 3)
    return float(hartree.sum()) * units.Hartree


def _check_total_energies(
    frames: Sequence[Atoms], sources: LabelSources, *, has_forces: bool
) -> list[str]:
    """Compare total energies with all-electron energies, in eV and in hartree."""
    ratios = []
    for atoms in frames:
        energy = sources.value(atoms, "energy")
        if energy is not None:
            ratios.append(float(energy) / _all_electron_energy(atoms.numbers))
    if not ratios:
        return []
    ratio = float(np.median(ratios))
    if ratio > 1.15:
        return [
            f"total energies are {ratio:.3g} times those of atoms with all their electrons: check "
            "their unit (eV)"
        ]
    if not has_forces and abs(ratio * units.Hartree - 1) < 0.02:
        return [
            "total energies are those of all electrons if they are in Ha: convert them to eV "
            f"(factor {units.Hartree:.4f})"
        ]
    return []


def question_atomic_energies(energies: dict[str, float]) -> list[str]:
    """Return warnings about atomic energies below those of all electrons.

    Parameters
    ----------
    energies : dict of str to float
        In eV by symbol.
    """
    messages = []
    for symbol, energy in energies.items():
        bound = _all_electron_energy(np.array([chemical_symbols.index(symbol)]))
        if energy < 1.3 * bound - 20.0:
            messages.append(
                f"the atomic energy of {symbol}, {energy:.6g} eV, lies below that of all its "
                f"electrons, {bound:.6g} eV: check the unit of the energies, or give "
                "`atomic_energies`"
            )
    return messages


def _check_stress_size(frames: Sequence[Atoms], sources: LabelSources) -> list[str]:
    sizes = [
        float(np.abs(full_tensor(stress)).max())
        for atoms in frames
        if atoms.pbc.sum() >= 2 and (stress := sources.value(atoms, "stress")) is not None
    ]
    if not sizes:
        return []
    median = float(np.median(sizes))
    given = STRESS_UNITS[sources.names.stress_unit]
    finding = (
        f"half of the stresses have components above {median:.3g} eV/Å³ "
        f"({median / units.GPa:.4g} GPa)"
    )
    remedy = (
        "write `stress_unit` (GPa, kbar …) and, if compression is positive as in VASP's output, "
        "`stress_sign: compression` under `data: labels:` (--stress-unit, --stress-sign); a virial "
        "in eV has the name `virial` there (--virial-label)"
    )
    if median > _IMPOSSIBLE_STRESS:
        fitting = [
            unit for unit, size in STRESS_UNITS.items() if 1e-5 < median / given * size < 0.3
        ]
        raise ValueError(
            f"{finding}, which no material can sustain; likely units are "
            f"{', '.join(fitting)}: {remedy}"
        )
    if median > _LARGE_STRESS:
        return [f"{finding}: if they are not in {sources.names.stress_unit}, {remedy}"]
    return []


def _check_stress_sign(frames: Sequence[Atoms], sources: LabelSources) -> list[str]:
    """Compare energy differences of structures in different cells with their stresses."""
    x, y = [], []
    for group in groups_of_same_atoms(frames):
        if not group[0].pbc.all():
            continue
        for first, second in combinations(group, 2):
            point = _strain_point(first, second, sources)
            if point is not None:
                x.append(point[0])
                y.append(point[1])
    slope = regression(x, y)
    if slope is None or abs(slope.correlation) < 0.85 or 0.6 < slope.value < 1.6:
        return []
    finding = (
        f"energies of structures in different cells change by {slope.value:.3g} times what their "
        "stresses predict"
    )
    names = sources.names
    given = STRESS_UNITS[names.stress_unit] * (1 if names.stress_sign == "tension" else -1)
    for sign, direction in (("tension", 1.0), ("compression", -1.0)):
        for unit, size in STRESS_UNITS.items():
            if 0.7 < slope.value * given / (size * direction) < 1.4:
                return [f"{finding}: likely `stress_unit: {unit}`, `stress_sign: {sign}`"]
    return [f"{finding}: check unit and sign of the stress"]


def _strain_point(first: Atoms, second: Atoms, sources: LabelSources) -> tuple[float, float] | None:
    """Return the energy difference from stresses, and that of the labels minus ``-F·dx``."""
    values = [
        [sources.value(atoms, label) for atoms in (first, second)]
        for label in ("energy", "forces", "stress")
    ]
    if any(each is None for pair in values for each in pair):
        return None
    moved, strain = _displacement(first, second)
    if np.abs(moved).max() > _NEAR or not 1e-3 < np.abs(strain).max() < 0.08:
        return None
    energies, forces, stresses = values
    volume = 0.5 * (first.cell.volume + second.cell.volume)
    stress = 0.5 * (full_tensor(stresses[0]) + full_tensor(stresses[1]))
    force = 0.5 * (np.asarray(forces[0]) + np.asarray(forces[1]))
    left = float(energies[1]) - float(energies[0]) + float((force * moved).sum())
    return volume * float((stress * strain).sum()), left
