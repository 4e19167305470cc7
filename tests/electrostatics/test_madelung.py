"""Lattice sums against Madelung constants: the literature knows these numbers to ten digits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from scipy.special import erf, erfc

from ase_les.units import COULOMB_CONSTANT


def rocksalt(a: float, charge: float = 1.0):
    return bulk("NaCl", "rocksalt", a=a), [charge, -charge]


def caesium_chloride(a: float):
    return bulk("CsCl", "cesiumchloride", a=a), [1.0, -1.0]


def zincblende(a: float):
    return bulk("ZnS", "zincblende", a=a), [1.0, -1.0]


def fluorite(a: float):
    return bulk("CaF2", "fluorite", a=a), [2.0, -1.0, -1.0]


def cuprite(a: float):
    oxygen = [[0, 0, 0], [2, 2, 2]]
    copper = [[1, 1, 1], [3, 3, 1], [3, 1, 3], [1, 3, 3]]
    atoms = Atoms("O2Cu4", a / 4 * np.array(oxygen + copper), cell=[a, a, a], pbc=True)
    return atoms, [-2.0] * 2 + [1.0] * 4


def wurtzite(bond: float):
    a = bond * math.sqrt(8 / 3)
    atoms = bulk("ZnS", "wurtzite", a=a, c=a * math.sqrt(8 / 3), u=3 / 8)
    return atoms, np.where(atoms.symbols == "Zn", 1.0, -1.0)


def smearing_correction(atoms: Atoms, charges, smearing: float) -> float:
    """Energy of point charges minus that of Gaussian ones: a direct sum over pairs of images."""
    reach = 9 * smearing
    inverse_spacing = np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0)
    n = np.ceil(reach * inverse_spacing).astype(int) + 1
    images = np.mgrid[-n[0] : n[0] + 1, -n[1] : n[1] + 1, -n[2] : n[2] + 1].reshape(3, -1).T
    translations = images @ atoms.cell.array
    energy = 0.0
    for i, q_i in enumerate(charges):
        for j, q_j in enumerate(charges):
            r = np.linalg.norm(atoms.positions[j] - atoms.positions[i] + translations, axis=1)
            r = r[(r > 1e-9) & (r < reach + 12)]
            energy += 0.5 * q_i * q_j * np.sum(erfc(r / (math.sqrt(2) * smearing)) / r)
    return COULOMB_CONSTANT * energy


CRYSTALS = [
    pytest.param(*rocksalt(5.6402), 1, -8.92319798, -8.77897641, -7.39648403, id="NaCl"),
    pytest.param(*caesium_chloride(4.123), 1, -7.10853363, -7.09782770, -6.67878120, id="CsCl"),
    pytest.param(*zincblende(5.4093), 1, -10.07021145, -9.60454764, -7.54086520, id="ZnS"),
    pytest.param(*rocksalt(4.212, 2), 1, -47.79546175, -42.65905480, -30.58717884, id="MgO"),
]


@pytest.mark.parametrize(("atoms", "charges", "units", "point", "narrow", "wide"), CRYSTALS)
def test_gaussian_charges_have_the_reference_lattice_energy(
    energy_of, atoms, charges, units, point, narrow, wide
):
    assert energy_of(atoms, charges, smearing=1.0) / units == pytest.approx(narrow, abs=6e-9)
    assert energy_of(atoms, charges, smearing=1.5) / units == pytest.approx(wide, abs=6e-9)


@pytest.mark.parametrize(("atoms", "charges", "units", "point", "narrow", "wide"), CRYSTALS)
def test_point_charges_have_the_reference_lattice_energy(
    energy_of, atoms, charges, units, point, narrow, wide
):
    for smearing in (0.6, 1.0, 1.5):
        gaussian = energy_of(atoms, charges, smearing=smearing)
        total = gaussian + smearing_correction(atoms, charges, smearing)
        assert total / units == pytest.approx(point, abs=6e-9)


@pytest.mark.parametrize(
    ("atoms", "charges", "units", "expected"),
    [
        pytest.param(*rocksalt(5.0), 1, 1.7475645946 / 2.5, id="rocksalt"),
        pytest.param(*caesium_chloride(4.0), 1, 1.7626747731 / (2 * math.sqrt(3)), id="CsCl"),
        pytest.param(*zincblende(5.0), 1, 1.6380550533 / (1.25 * math.sqrt(3)), id="zincblende"),
        pytest.param(*fluorite(5.46), 1, 11.6365752271 / 5.46, id="fluorite"),
        pytest.param(*cuprite(4.27), 2, 10.2594570331 / 4.27, id="cuprite"),
        pytest.param(*wurtzite(2.34), 2, 1.64132 / 2.34, id="wurtzite"),
    ],
)
def test_narrow_charges_give_the_madelung_energy(energy_of, atoms, charges, units, expected):
    # At σ = 0.25 Å neighbors overlap by erfc(2 / 0.35) < 1e-14: Gaussians act as points.
    energy = energy_of(atoms, charges, smearing=0.25, k_cutoff=30.0) / units
    # Wurtzite's constant is published to six digits, the others to eleven.
    digits = 4e-6 if len(atoms) == 4 else 1e-9
    assert energy == pytest.approx(-COULOMB_CONSTANT * expected, rel=digits)


def test_published_wave_numbers_give_the_published_lattice_energy(energy_of):
    atoms, charges = rocksalt(5.6402)
    k_cutoff = 2 * math.pi / 2.0
    narrow = energy_of(atoms, charges, smearing=1.0, k_cutoff=k_cutoff)
    wide = energy_of(atoms, charges, smearing=1.5, k_cutoff=k_cutoff)
    assert narrow == pytest.approx(-8.79444000, abs=6e-9)
    assert wide == pytest.approx(-7.39648706, abs=6e-9)


def test_the_conventional_cell_has_the_energy_of_the_primitive_one(energy_of):
    primitive, charges = rocksalt(5.6402)
    cubic = bulk("NaCl", "rocksalt", a=5.6402, cubic=True)
    cubic_charges = np.where(cubic.symbols == "Na", 1.0, -1.0)
    one = energy_of(primitive, charges, k_cutoff=None)
    four = energy_of(cubic, cubic_charges, k_cutoff=None)
    assert four == pytest.approx(4 * one, abs=1e-10)


def test_the_default_cutoff_is_converged(energy_of):
    atoms, charges = rocksalt(5.6402)
    for smearing in (0.5, 1.0, 1.5):
        default = energy_of(atoms, charges, smearing=smearing, k_cutoff=None)
        converged = energy_of(atoms, charges, smearing=smearing)
        assert default == pytest.approx(converged, abs=1e-6)


def point_energy(atoms: Atoms, charges, splitting: float) -> float:
    """Point charges by the sum of Ewald (1921), with a neutralizing background if needed."""
    charges = np.asarray(charges)
    volume = abs(np.linalg.det(atoms.cell.array))
    real = smearing_correction(atoms, charges, 1 / (math.sqrt(2) * splitting))
    n = np.ceil(9 * splitting * np.linalg.norm(atoms.cell.array, axis=1) / (2 * math.pi) * 1.3)
    n = n.astype(int)
    grid = np.mgrid[-n[0] : n[0] + 1, -n[1] : n[1] + 1, -n[2] : n[2] + 1].reshape(3, -1).T
    k = grid[(grid != 0).any(1)] @ (2 * math.pi * np.linalg.inv(atoms.cell.array).T)
    k_squared = np.sum(k**2, axis=1)
    structure_factor = np.exp(1j * k @ atoms.positions.T) @ charges
    reciprocal = np.sum(
        np.exp(-k_squared / (4 * splitting**2)) / k_squared * abs(structure_factor) ** 2
    )
    reciprocal *= 2 * math.pi / volume
    self_energy = splitting / math.sqrt(math.pi) * np.sum(charges**2)
    background = math.pi * charges.sum() ** 2 / (2 * volume * splitting**2)
    return real + COULOMB_CONSTANT * (reciprocal - self_energy - background)


@pytest.mark.parametrize("net", [0.0, 1.0])
def test_any_cell_obeys_ewalds_own_sum(energy_of, four, net):
    atoms, charges = four
    charges = charges + net / 4
    point = point_energy(atoms, charges, 0.5)
    assert point_energy(atoms, charges, 0.8) == pytest.approx(point, abs=1e-9)
    for smearing in (0.7, 1.0, 1.5):
        gaussian = energy_of(atoms, charges, smearing=smearing)
        correction = smearing_correction(atoms, charges, smearing)
        assert gaussian + correction == pytest.approx(point, abs=1e-9)


def test_a_lone_pair_interacts_by_the_reference_kernel(energy_of):
    reference = {
        0.5: 11.02796626,
        1: 9.83048666,
        2: 6.8722289,
        3: 4.78692312,
        5: 2.87992744,
        10: 1.43996455,
    }
    for r, expected in reference.items():
        pair = Atoms("X2", [[0, 0, 0], [r * 0.6, 0, r * 0.8]])
        assert energy_of(pair, [1.0, 1.0]) == pytest.approx(expected, abs=6e-9)
        assert energy_of(pair, [1.0, -2.0], smearing=1.3) == pytest.approx(
            -2 * COULOMB_CONSTANT * erf(r / (math.sqrt(2) * 1.3)) / r, abs=1e-12
        )
    touching = Atoms("X2", [[0, 0, 0], [1e-6, 0, 0]])
    assert energy_of(touching, [1.0, 1.0]) == pytest.approx(11.48925481, abs=6e-9)
