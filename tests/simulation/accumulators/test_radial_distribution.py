"""Radial distribution functions against ideal gases, crystals and analytic curves."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from ase_les.simulation.accumulators import RadialDistribution, RadialDistributionResult
from ase_les.simulation.accumulators.pair_counts import PairCounts

TRICLINIC = np.array([[9.0, 0, 0], [2.5, 8.0, 0], [-1.5, 2.0, 7.0]])


def gas(rng, symbols: str, cell=TRICLINIC) -> Atoms:
    atoms = Atoms(symbols, cell=cell, pbc=True)
    atoms.positions = rng.random((len(atoms), 3)) @ cell
    return atoms


def counted(configurations, **arguments) -> RadialDistributionResult:
    accumulator = RadialDistribution(**arguments)
    for atoms in configurations:
        accumulator.add(atoms)
    return accumulator.result()


def test_an_ideal_gas_has_no_structure_even_beyond_half_the_cell(rng):
    n, frames = 30, 300
    # The heights of this cell are 6.3 to 7.4 Å; no image of an atom is closer than 7.5 Å.
    result = counted(
        (gas(rng, f"Ar{n}") for _ in range(frames)), pair=("Ar", "Ar"), r_max_A=7.0, bins=14
    )
    shells = 4 / 3 * np.pi * np.diff(np.linspace(0, 7.0, 15) ** 3)
    expected_pairs = frames * n * (n - 1) / 2 * shells / abs(np.linalg.det(TRICLINIC))
    poisson = (1 - 1 / n) / np.sqrt(expected_pairs)
    deviations = (result.g - (1 - 1 / n)) / poisson
    assert np.abs(deviations[1:]).max() < 4
    assert 0.5 < deviations[1:].std() < 1.6
    # The error band is that noise: the largest of three block levels lies a little above it.
    assert 0.9 < np.mean(result.g_standard_error[2:] / poisson[2:]) < 1.5


def test_unlike_atoms_of_an_ideal_gas_have_g_of_one(rng):
    result = counted(
        (gas(rng, "Na8Cl12") for _ in range(400)), pair=("Na", "Cl"), r_max_A=6.0, bins=6
    )
    assert np.allclose(result.g[1:], 1.0, atol=0.03)


@pytest.mark.parametrize("repeat", [(1, 1, 1), (2, 1, 3)])
def test_shells_of_a_crystal_are_counted_whatever_the_cell(repeat):
    crystal = bulk("Cu", "fcc", a=3.6).repeat(repeat)
    result = counted([crystal], pair=("Cu", "Cu"), r_max_A=6.5, bins=650)
    nearest = 3.6 / np.sqrt(2)
    shells = {
        nearest: 12,
        3.6: 6,
        nearest * np.sqrt(3): 24,
        2 * nearest: 12,
        3.6 * np.sqrt(2.5): 24,
    }
    total = 0
    for distance, number in shells.items():
        assert result.coordination_within(distance - 0.05) == pytest.approx(total)
        total += number
        assert result.coordination_within(distance + 0.05) == pytest.approx(total)
    assert result.first_peak.distance_A == pytest.approx(nearest, abs=0.01)
    assert result.first_minimum.distance_A == pytest.approx((nearest + 3.6) / 2, abs=0.02)
    assert result.first_minimum.height == 0


def test_ions_of_rock_salt_see_six_others_and_twelve_of_their_own():
    salt = bulk("NaCl", "rocksalt", a=5.64)
    unlike = counted([salt], pair=("Na", "Cl"), r_max_A=4.5, bins=90)
    reverse = counted([salt], pair=("Cl", "Na"), r_max_A=4.5, bins=90)
    like = counted([salt], pair=("Cl", "Cl"), r_max_A=4.5, bins=90)
    assert unlike.coordination_number[-1] == 6
    assert np.array_equal(unlike.g, reverse.g)
    assert like.coordination_number[-1] == 12


def test_the_peak_of_a_known_curve_is_found_between_the_bins():
    distance = np.linspace(0.025, 5.975, 120)
    curve = (
        2.5 * np.exp(-(((distance - 2.813) / 0.25) ** 2))
        + 0.5 * np.exp(-(((distance - 4.5) / 0.5) ** 2))
        + 0.6 / (1 + np.exp(-(distance - 3.0) / 0.1))
    )
    fine = np.linspace(2, 5, 300_001)
    exact = (
        2.5 * np.exp(-(((fine - 2.813) / 0.25) ** 2))
        + 0.5 * np.exp(-(((fine - 4.5) / 0.5) ** 2))
        + 0.6 / (1 + np.exp(-(fine - 3.0) / 0.1))
    )
    nothing = np.zeros(120)
    result = RadialDistributionResult(
        ("O", "O"), distance, curve, nothing, distance + 0.025, nothing, nothing, 100
    )
    top = exact[:200_000].argmax()
    assert result.first_peak.distance_A == pytest.approx(fine[top], abs=0.01)
    assert result.first_peak.height == pytest.approx(exact[top], rel=0.02)
    valley = top + exact[top:250_000].argmin()
    assert result.first_minimum.distance_A == pytest.approx(fine[valley], abs=0.05)
    assert result.first_minimum.height == pytest.approx(exact[valley], abs=0.02)


def test_a_slab_and_a_cluster_count_no_images_across_open_boundaries():
    pair = Atoms("Ar2", [[1, 1, 0.5], [1, 1, 9.5]], cell=[10, 10, 10], pbc=(True, True, False))
    assert counted([pair], pair=("Ar", "Ar"), r_max_A=5.0).coordination_number[-1] == 0
    pair.pbc = True
    assert counted([pair], pair=("Ar", "Ar"), r_max_A=5.0).coordination_number[-1] == 1
    free = Atoms("Ar2", [[0, 0, 0], [0, 0, 3.0]])
    result = counted([free], pair=("Ar", "Ar"), r_max_A=5.0, volume_A3=100.0)
    assert result.coordination_number[-1] == 1
    with pytest.raises(ValueError, match="has no volume: give `volume_A3`"):
        counted([free], pair=("Ar", "Ar"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pair": ("O", "Xx")}, "must be the symbols of two elements"),
        ({"r_max_A": 0.0}, "`r_max_A` must be positive"),
        ({"bins": 0}, "`bins` must be an integer of at least 1"),
    ],
)
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        RadialDistribution(**arguments)


def test_a_structure_without_the_pair_is_refused():
    with pytest.raises(ValueError, match="no pair O-O in Cu"):
        RadialDistribution().add(bulk("Cu"))
    with pytest.raises(ValueError, match="no configuration has been added"):
        RadialDistribution().result()


def test_distributions_that_share_a_search_are_those_found_alone(rng):
    pairs = [("O", "H"), ("H", "H"), ("O", "O"), ("H", "Na")]
    together = RadialDistribution.of_pairs(pairs, r_max_A=5.0, bins=25)
    alone = [RadialDistribution(pair, r_max_A=5.0, bins=25) for pair in pairs]
    # Distances of a cubic crystal lie on the edges of shells.
    crystal = bulk("NaCl", "rocksalt", a=4.0, cubic=True) * (2, 1, 1)
    crystal.symbols[:] = ["Na", "O", "H", "O"] * 4
    for atoms in (gas(rng, "OH2NaOH5"), crystal, gas(rng, "HO3Na2"), crystal):
        for distribution in (*together, *alone):
            distribution.add(atoms)
    for one, other in zip(together, alone, strict=True):
        assert one.result().n_configurations == 4
        assert np.array_equal(one.result().g, other.result().g)


def test_counts_are_those_of_all_distances_even_on_the_edges_of_shells():
    atoms = bulk("NaCl", "rocksalt", a=4.0, cubic=True)
    reach = range(-3, 4)
    shifts = np.array([(x, y, z) for x in reach for y in reach for z in reach]) * 4.0
    difference = atoms.positions[None, :] - atoms.positions[:, None]
    distances = np.linalg.norm(difference[:, :, None] + shifts, axis=-1)
    first = np.array(atoms.symbols) == "Na"
    counts = PairCounts([("Na", "Cl"), ("Na", "Na")], 6.0, 24)
    for pair, second in ((("Na", "Cl"), ~first), (("Cl", "Na"), ~first), (("Na", "Na"), first)):
        between = distances[first][:, second].ravel()
        edges = np.linspace(0, 6.0, 25)
        # What lies on an edge up to rounding belongs to the shell above.
        expected = np.histogram(between[between > 1e-6] + 1e-9, edges)[0]
        found = counts.of(atoms, pair)
        assert np.array_equal(np.cumsum(found)[:-1], np.cumsum(expected)[:-1])
