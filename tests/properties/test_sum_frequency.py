"""Susceptibility of films of O–H bonds that vibrate as written down."""

import io

import numpy as np
import pytest
from langevin_models import PER_CM
from scipy.constants import Boltzmann, elementary_charge, epsilon_0
from vibrating_bonds import LENGTH_A, Bond, PointCharges, film, frames

from ase_les.properties.spectral_peaks import Band
from ase_les.properties.sum_frequency import (
    WATER_VAPOR,
    sum_frequency,
    sum_frequency_of_trajectory,
    susceptibility,
    transition_factor,
)
from ase_les.simulation.accumulators import SumFrequency
from ase_les.simulation.surface_layers import SurfaceLayers

T, INTERVAL = 300.0, 2.0
FREE, BONDED = 3700.0, 3300.0
UP, DOWN = (0, 0, 1), (0, 0, -1)
SURFACE = [
    Bond((2, 2, 21), UP, FREE, 0.1),
    Bond((6, 6, 19), DOWN, BONDED, 0.9),
    Bond((2, 2, 9), DOWN, FREE, 2.0),
    Bond((6, 6, 11), UP, BONDED, 0.4),
]


def correlated(bonds, n=450, **settings):
    settings = {"max_lag_fs": 400.0, "layers": SurfaceLayers((5.0,)), **settings}
    return sum_frequency_of_trajectory(
        frames(bonds, n, INTERVAL), SumFrequency(INTERVAL, **settings)
    )


def spectrum(bonds, **settings):
    return susceptibility(correlated(bonds, **settings), temperature_K=T)


@pytest.fixture(scope="module")
def surface():
    return spectrum(SURFACE)


def test_free_bonds_are_positive_and_those_into_the_liquid_negative(surface):
    bonded, free = surface.water_bands
    assert free.center_per_cm.mean == pytest.approx(FREE, abs=6)
    assert bonded.center_per_cm.mean == pytest.approx(BONDED, abs=6)
    assert free.height.mean > 0 > bonded.height.mean
    assert WATER_VAPOR[1].low_per_cm < FREE < WATER_VAPOR[1].high_per_cm


def test_layers_have_their_own_lines_and_add_up(surface):
    x = surface.wavenumber_per_cm
    assert surface.layers == ("|z| < 5 Å", "|z| > 5 Å")
    inner, outer = (surface.imaginary(layer=layer) for layer in range(2))
    assert x[outer.argmax()] == pytest.approx(FREE, abs=6)
    assert x[inner.argmin()] == pytest.approx(BONDED, abs=6)
    assert np.abs(outer[np.abs(x - BONDED) < 30]).max() < 0.01 * outer.max()
    assert np.abs(inner[np.abs(x - FREE) < 30]).max() < 0.01 * np.abs(inner).max()
    assert inner + outer == pytest.approx(surface.imaginary(), abs=1e-12)


def test_the_unit_is_square_metres_per_volt(surface):
    """∫ Im χ dω of a line at ω0: β µ' α' / (ε0 A ω0) · π/2 · v0²/2, per face."""
    omega, area = FREE * PER_CM * 1e15, 144e-20
    dipole, alpha = elementary_charge, 4 * np.pi * epsilon_0 * 1e-20
    exact = dipole * alpha / (Boltzmann * T * epsilon_0 * area * omega)
    exact *= 0.5 * np.pi * 0.5 * (0.02e5) ** 2
    x, height = surface.wavenumber_per_cm, surface.imaginary(layer=1)
    inside = np.abs(x - FREE) < 350
    found = np.trapezoid(height[inside], x[inside] * PER_CM * 1e15) * 1e-22
    assert found == pytest.approx(exact, rel=0.01)


def test_real_part_is_that_of_a_resonance(surface):
    """χ ∝ 1/(ω0 − ω − iγ): positive below the line, negative above."""
    x, real = surface.wavenumber_per_cm, surface.chi[1, 0].real
    assert real[np.argmin(np.abs(x - FREE + 60))] > 0 > real[np.argmin(np.abs(x - FREE - 60))]


def turned(bonds):
    return [
        Bond(b.oxygen, tuple(-np.array(b.direction)), b.wavenumber_per_cm, b.phase) for b in bonds
    ]


def test_bonds_turned_over_have_the_opposite_sign(surface):
    other = spectrum(turned(SURFACE))
    assert other.chi == pytest.approx(-surface.chi, abs=1e-9 * np.abs(surface.chi).max())


def test_a_film_upside_down_is_the_same(surface):
    mirrored = [
        Bond(
            (b.oxygen[0], b.oxygen[1], 30 - b.oxygen[2]),
            tuple(np.array(b.direction) * (1, 1, -1)),
            b.wavenumber_per_cm,
            b.phase,
        )
        for b in SURFACE
    ]
    assert spectrum(mirrored).chi == pytest.approx(
        surface.chi, abs=1e-6 * np.abs(surface.chi).max()
    )


def test_a_centrosymmetric_film_has_no_response(surface):
    both = SURFACE + [
        Bond(
            (b.oxygen[0] + 4, b.oxygen[1], b.oxygen[2]),
            tuple(-np.array(b.direction)),
            b.wavenumber_per_cm,
            b.phase,
        )
        for b in SURFACE
    ]
    nothing = spectrum(both)
    assert np.abs(nothing.chi).max() < 1e-9 * np.abs(surface.chi).max()
    # Ordered up on both faces, as in a ferroelectric film: the faces cancel.
    polar = [
        Bond((2, 2, 21), UP, FREE, 0.3),
        Bond((2, 2, 9), UP, FREE, 0.3),
    ]
    assert np.abs(spectrum(polar).chi).max() < 1e-9 * np.abs(surface.chi).max()


def test_the_middle_of_a_film_does_not_count():
    inside = [Bond((2, 2, 15.1), UP, FREE), Bond((2, 2, 14.9), UP, FREE)]
    anchor = [Bond((6, 6, 21), (1, 0, 0), 2000.0), Bond((6, 6, 9), (1, 0, 0), 2000.0)]
    found = spectrum(inside + anchor, inner_A=0.5, outer_A=2.5)
    assert np.abs(found.imaginary()).max() < 1e-9


def test_cross_correlations_within_the_cutoff_add():
    """Two bonds in phase, 4 Å apart: four times the response of one, half of it from pairs."""
    near = [Bond((2, 2, 21), UP, FREE), Bond((6, 2, 21), UP, FREE)]
    near += [Bond((2, 2, 9), DOWN, FREE), Bond((6, 2, 9), DOWN, FREE)]
    alone, pairs = (spectrum(near, cutoff_A=cutoff).imaginary() for cutoff in (3.9, 4.1))
    assert pairs == pytest.approx(2 * alone, abs=1e-9 * pairs.max())
    with pytest.raises(ValueError, match="cutoff_A"):
        SumFrequency(INTERVAL, cutoff_A=-1.0)


def test_polarization_tells_the_tilt_of_a_bond():
    """Bond polarizability: zzz, xxz and xzx of a bond at an angle to the normal."""
    sin2, p = 0.36, 0.3
    cos = np.sqrt(1 - sin2)
    tilted = [
        Bond((2, 2, 21), (0.36, 0.48, cos), FREE),
        Bond((2, 2, 9), (0.36, 0.48, -cos), FREE),
    ]
    found = spectrum(tilted, perpendicular=p)
    xxz, xzx, zzz = (found.imaginary(element).max() for element in ("xxz", "xzx", "zzz"))
    along = cos * (cos**2 + p * sin2)
    assert xxz / zzz == pytest.approx(cos * 0.5 * (sin2 + p * (2 - sin2)) / along, rel=1e-6)
    assert xzx / zzz == pytest.approx(0.5 * sin2 * cos * (1 - p) / along, rel=1e-6)
    isotropic = spectrum(tilted)
    assert isotropic.imaginary("xxz") == pytest.approx(isotropic.imaginary("zzz"))
    assert np.abs(isotropic.imaginary("xzx")).max() < 1e-12


@pytest.mark.parametrize("of", ["molecules", "structure", "atoms"])
def test_a_model_of_polarizability_gives_the_response_of_its_bonds(surface, of):
    """Charges 1 e and α = (r − r0) Å² have the derivatives of the bonds."""

    def polarizability(atoms):
        stretch = np.linalg.norm(atoms.positions[1::2] - atoms.positions[::2], axis=1) - LENGTH_A
        if of == "structure":
            return stretch.sum() * np.eye(3)
        if of == "atoms":
            return (0.5 * stretch.repeat(2))[:, None, None] * np.eye(3)
        return stretch[:, None, None] * np.eye(3)

    run = frames(SURFACE, 450, INTERVAL)
    calculator = PointCharges(1.0)
    for atoms in run:
        atoms.calc = calculator
    accumulator = SumFrequency(
        INTERVAL, 400.0, SurfaceLayers((5.0,)), cutoff_A=0.0, polarizability=polarizability
    )
    found = susceptibility(sum_frequency_of_trajectory(run, accumulator), temperature_K=T)
    # The polarizability of the structure is that of all pairs.
    expected = surface if of != "structure" else spectrum(SURFACE, cutoff_A=100.0)
    tolerance = 0.03 * np.abs(expected.imaginary()).max()
    assert found.imaginary() == pytest.approx(expected.imaginary(), abs=tolerance)
    accumulator = SumFrequency(INTERVAL, polarizability=lambda atoms: np.zeros((3, 3, 3)))
    with pytest.raises(ValueError, match="must have the shape"):
        accumulator.add(run[0])


def test_corrections_have_the_sizes_of_their_equations(surface):
    quanta = 1.4387769 * FREE / T
    classical = susceptibility(surface.correlation, temperature_K=T, quantum_correction="none")
    at = np.argmin(np.abs(surface.wavenumber_per_cm - FREE))
    ratio = surface.imaginary()[at] / classical.imaginary()[at]
    assert ratio == pytest.approx(quanta / (1 - np.exp(-quanta)), rel=0.01)
    # An isolated bond, as printed: 1.377 · 1.271 at 3737 1/cm; stronger where it is red-shifted.
    factors = transition_factor(np.array([3737.0, 3400.0, 1000.0, 2700.0]), "frequency")
    assert factors[0] == pytest.approx(1.377 * 1.271)
    assert factors[1] == pytest.approx(
        (1.377 + 53.03 * 337 / 6932.2) * (1.271 + 6.287 * 337 / 6932.2)
    )
    assert factors[2] == factors[3]


def through_a_file(state):
    file = io.BytesIO()
    np.savez(file, **state)
    file.seek(0)
    with np.load(file, allow_pickle=False) as content:
        return {name: content[name] for name in content.files}


@pytest.mark.parametrize("stop", [0, 1, 30, 60])
def test_restored_is_uninterrupted_bit_for_bit(stop):
    run = frames(SURFACE, 80, INTERVAL)

    def made():
        return SumFrequency(INTERVAL, 40.0, SurfaceLayers((5.0,)))

    whole, first, second = made(), made(), made()
    for atoms in run:
        whole.add(atoms)
    for atoms in run[:stop]:
        first.add(atoms)
    second.restore(through_a_file(first.state()))
    for atoms in run[stop:]:
        second.add(atoms)
    for name, array in whole.state().items():
        assert np.asarray(array).tobytes() == np.asarray(second.state()[name]).tobytes(), name
    with pytest.raises(ValueError, match="same arguments"):
        SumFrequency(INTERVAL, 40.0, cutoff_A=3.0).restore(first.state())


def test_errors_are_small_for_a_steady_motion_and_large_for_one_that_changes(surface):
    at = np.argmin(np.abs(surface.wavenumber_per_cm - FREE))
    assert surface.error()[at] < 0.02 * surface.imaginary()[at]
    run = frames(SURFACE, 450, INTERVAL)
    # Twice as fast in the second half.
    for atoms in run[325:]:
        atoms.set_velocities(2 * atoms.get_velocities())
    accumulator = SumFrequency(INTERVAL, 400.0, SurfaceLayers((5.0,)))
    changing = susceptibility(sum_frequency_of_trajectory(run, accumulator), temperature_K=T)
    assert changing.error()[at] > 0.1 * changing.imaginary()[at]


def test_results_are_stored_and_read_again(surface, tmp_path):
    np.savez(tmp_path / "film-sfg.npz", **surface.correlation.arrays())
    result = sum_frequency(tmp_path / "film", temperature_K=T, output=tmp_path / "film-chi")
    assert result.chi == pytest.approx(surface.chi)
    summary = (tmp_path / "film-chi-summary.yml").read_text()
    assert "free O–H, positive" in summary and "experiment_water_vapor_per_cm" in summary
    with np.load(tmp_path / "film-chi.npz") as arrays:
        assert arrays["chi_1e22_m2_per_V"].shape == surface.chi.shape
    with pytest.raises(FileExistsError):
        sum_frequency(tmp_path / "film", temperature_K=T, output=tmp_path / "film-chi")
    with pytest.raises(FileNotFoundError, match="--observe sfg"):
        sum_frequency(tmp_path / "other")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"resolution_per_cm": 5.0}, "or coarser"),
        ({"quantum_correction": "wigner"}, "must be one of"),
        ({"transition_moments": "some"}, "must be one of"),
        ({"temperature_K": -1.0}, "positive"),
        ({"blocks": 0}, "at least 1"),
    ],
)
def test_wrong_settings_are_refused(surface, settings, message):
    with pytest.raises(ValueError, match=message):
        susceptibility(surface.correlation, **settings)


def test_runs_that_cannot_be_used_are_refused():
    with pytest.raises(ValueError, match="velocities"):
        sum_frequency_of_trajectory([film(SURFACE)], SumFrequency(INTERVAL))
    with pytest.raises(ValueError, match="need 501 configurations, got 2"):
        sum_frequency_of_trajectory(frames(SURFACE, 2, INTERVAL), SumFrequency(INTERVAL))


def test_extrema_at_the_edge_have_no_center(surface):
    edge = surface.extremum(Band("edge", 3400.0, FREE - 20), 1.0)
    assert np.isnan(edge.center_per_cm.mean)
