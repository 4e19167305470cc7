"""Infrared spectra from currents against oscillators that are solved by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from langevin_models import AMU, PER_CM, langevin_oscillators
from scipy.constants import (
    Avogadro,
    Boltzmann,
    atomic_mass,
    elementary_charge,
    epsilon_0,
    speed_of_light,
)

from ase_les.properties.infrared_dynamics import infrared_from_run, read_reference_spectrum
from ase_les.properties.infrared_spectrum import infrared_from_current
from ase_les.properties.spectral_peaks import Band, peaks, without_verlet_shift
from ase_les.simulation.series import Series

T = 300.0
CHARGE, MASS = 0.42, 7.3
"""Effective charge (e) and reduced mass (amu) of the diatomic."""


def diatomic_current(wavenumber: float, timestep_fs: float, periods: int) -> np.ndarray:
    """Exact harmonic vibration along (1, 2, 2)/3 with the mean kinetic energy kT/2."""
    omega = wavenumber * PER_CM
    n_steps = round(periods * 2 * np.pi / (omega * timestep_fs))
    speed = np.sqrt(2 * Boltzmann * T / (MASS * atomic_mass)) * 1e-5
    velocity = speed * np.cos(omega * timestep_fs * np.arange(n_steps) + 0.3)
    return CHARGE * velocity[:, None] * np.array([1, 2, 2]) / 3


def analytic_intensity_km_per_mol() -> float:
    """N_A (dμ/dQ)² / (12 ε0 c²), the double-harmonic intensity."""
    slope2 = (CHARGE * elementary_charge) ** 2 / (MASS * atomic_mass)
    return Avogadro * slope2 / (12 * epsilon_0 * speed_of_light**2) * 1e-3


def test_the_analytic_intensity_is_the_one_of_the_textbooks():
    """42.2561 km/mol per (D/Å)²/amu; 1 e = 4.80320 D/Å."""
    assert analytic_intensity_km_per_mol() == pytest.approx(
        42.2561 * (CHARGE * 4.80320) ** 2 / MASS, rel=1e-5
    )


@pytest.mark.parametrize("window", ["gaussian", "hann"])
@pytest.mark.parametrize("wavenumber", [1234.5, 3456.7])
def test_a_harmonic_diatomic_absorbs_at_its_frequency_with_its_intensity(wavenumber, window):
    current = diatomic_current(wavenumber, 0.5, periods=4000)
    spectrum = infrared_from_current(current, 0.5, None, T, window=window)
    (peak,) = peaks(spectrum, [Band("stretch", wavenumber - 300, wavenumber + 300)])
    assert peak.center_per_cm.mean == pytest.approx(wavenumber, abs=0.01)
    assert peak.intensity_km_per_mol.mean == pytest.approx(
        analytic_intensity_km_per_mol(), rel=1e-3
    )
    assert peak.width_per_cm.mean == pytest.approx(spectrum.resolution_per_cm, rel=0.01)


def test_a_peak_is_found_without_being_told_where():
    spectrum = infrared_from_current(diatomic_current(1650.0, 0.5, 2000), 0.5, None, T)
    (peak,) = peaks(spectrum)
    assert peak.center_per_cm.mean == pytest.approx(1650.0, abs=0.01)


def lorentz_absorption_per_cm(wavenumber, center, friction, strength):
    """ω ε''(ω)/c of ε = 1 + strength/(ω0² − ω² − iγω), strength and γ in rad/fs."""
    omega = wavenumber * PER_CM
    epsilon = 1 + strength / ((center * PER_CM) ** 2 - omega**2 - 1j * friction * omega)
    return omega * 1e15 * epsilon.imag / (100 * speed_of_light)


def test_damped_oscillators_absorb_as_lorentz_says_in_absolute_units(rng):
    center, friction, volume, number = 900.0, 0.02, 500.0, 40
    _, velocity = langevin_oscillators(300_000, 0.5, center, friction, MASS, T, (3,), rng)
    # The sum of N independent oscillators is one of √N times the charge.
    current = CHARGE * np.sqrt(number) * velocity
    spectrum = infrared_from_current(current, 0.5, volume, T, resolution_per_cm=20, blocks=20)
    charge2 = number * (CHARGE * elementary_charge) ** 2
    strength = charge2 / (epsilon_0 * volume * 1e-30 * MASS * atomic_mass) * 1e-30
    x = spectrum.wavenumber_per_cm
    exact = lorentz_absorption_per_cm(x, center, friction, strength)
    band = (x > 500) & (x < 1400)
    deviation = (spectrum.absorption_per_cm - exact)[band] / spectrum.absorption_error_per_cm[band]
    assert np.mean(np.abs(deviation) < 2.5) > 0.9
    assert np.sqrt(np.mean(deviation**2)) < 2.0
    # The error band means something: it is small where the absorption is large.
    assert spectrum.absorption_error_per_cm[band].max() < 0.1 * exact.max()
    integral = np.sum(spectrum.absorption_per_cm[band]) / np.sum(exact[band])
    assert integral == pytest.approx(1.0, abs=0.03)


def test_a_sample_every_two_femtoseconds_gives_the_same_spectrum():
    # Vibrations of water up to its stretch; 2 fs resolve 8340 1/cm.
    time_fs = 0.5 * np.arange(80_000)
    rng = np.random.default_rng(4)
    modes = [(60, 0.2), (600, 0.3), (1650, 0.2), (3400, 1.0), (3900, 0.3)]
    current = sum(
        strength * np.cos(center * PER_CM * time_fs[:, None] + 6.3 * rng.random(3))
        for center, strength in modes
    )
    options = {"resolution_per_cm": 30.0, "upto_per_cm": 4500.0}
    every, fourth, tenth = (
        infrared_from_current(current[::stride], 0.5 * stride, 1000.0, T, **options)
        for stride in (1, 4, 10)
    )
    x = every.wavenumber_per_cm

    def deviation(spectrum):
        other = np.interp(x, spectrum.wavenumber_per_cm, spectrum.absorption_per_cm)
        return np.abs(other - every.absorption_per_cm).max() / every.absorption_per_cm.max()

    assert deviation(fourth) < 0.02
    # Beyond 3340 1/cm a sample every 5 fs folds the stretch.
    assert deviation(tenth) > 0.2


def test_the_error_band_is_the_spread_of_independent_runs(rng):
    _, velocity = langevin_oscillators(40_000, 0.5, 800.0, 0.02, MASS, T, (12, 3), rng)
    spectra = [infrared_from_current(velocity[:, k], 0.5, 1000.0, T, blocks=8) for k in range(12)]
    x = spectra[0].wavenumber_per_cm
    band = (x > 600) & (x < 1000)
    spread = np.std([each.absorption_per_cm[band] for each in spectra], axis=0, ddof=1)
    told = np.mean([each.absorption_error_per_cm[band] for each in spectra], axis=0)
    assert np.mean(told) == pytest.approx(np.mean(spread), rel=0.25)


def test_without_quantum_correction_the_golden_rule_holds_with_classical_motion():
    """Q = x/(1 − e^−x), x = c2 ν/T with the second radiation constant 1.438777 cm K."""
    current = diatomic_current(3400.0, 0.5, 3000)
    harmonic = infrared_from_current(current, 0.5, None, T)
    none = infrared_from_current(current, 0.5, None, T, quantum_correction="none")
    top = np.argmax(harmonic.molar_absorption_km_per_mol_cm)
    ratio = harmonic.molar_absorption_km_per_mol_cm[top] / none.molar_absorption_km_per_mol_cm[top]
    x = 1.438777 * harmonic.wavenumber_per_cm[top] / T
    assert ratio == pytest.approx(x / (1 - np.exp(-x)), rel=1e-5)


def test_absorption_goes_with_density_and_molar_absorption_with_molecules():
    current = diatomic_current(1000.0, 0.5, 400)
    one = infrared_from_current(current, 0.5, 100.0, T)
    dilute = infrared_from_current(current, 0.5, 200.0, T)
    pair = infrared_from_current(current, 0.5, 100.0, T, molecules=2)
    np.testing.assert_allclose(one.absorption_per_cm, 2 * dilute.absorption_per_cm)
    np.testing.assert_allclose(one.absorption_per_cm, pair.absorption_per_cm)
    np.testing.assert_allclose(
        one.molar_absorption_km_per_mol_cm, 2 * pair.molar_absorption_km_per_mol_cm
    )
    with pytest.raises(ValueError, match="no volume"):
        _ = infrared_from_current(current, 0.5, None, T).absorption_per_cm


def test_velocity_verlet_moves_a_line_and_it_is_taken_back():
    wavenumber, timestep = 3400.0, 0.5
    omega = wavenumber * PER_CM
    x, v, velocities = 0.01, 0.0, []
    for _ in range(40_000):
        v -= 0.5 * timestep * omega**2 * x
        x += timestep * v
        v -= 0.5 * timestep * omega**2 * x
        velocities.append(v)
    current = np.outer(velocities, [0, 0, 1])
    (peak,) = peaks(infrared_from_current(current, timestep, None, T))
    # (ωΔt)²/24 to leading order.
    assert peak.center_per_cm.mean - wavenumber == pytest.approx(14.6, abs=0.3)
    back = without_verlet_shift(peak.center_per_cm.mean, timestep)
    assert back == pytest.approx(wavenumber, abs=0.02)


def test_a_run_too_short_is_told_what_it_is_long_enough_for():
    current = diatomic_current(1000.0, 0.5, 20)
    with pytest.raises(ValueError, match=r"needs 3\.33 ps.* has 0\.667 ps") as refused:
        infrared_from_current(current, 0.5, None, T, resolution_per_cm=15)
    coarser = float(str(refused.value).split("resolution of ")[-1].split()[0])
    infrared_from_current(current, 0.5, None, T, resolution_per_cm=coarser)


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": "boxcar"},
        {"quantum_correction": "schofield"},
        {"volume_A3": -1.0},
        {"temperature_K": 0.0},
        {"blocks": 0},
        {"molecules": 0},
        {"resolution_per_cm": 0.0},
        {"current_eA_per_fs": np.ones((1000, 2))},
        {"current_eA_per_fs": np.full((1000, 3), np.nan)},
    ],
)
def test_nonsense_is_refused(wrong):
    given = {
        "current_eA_per_fs": np.ones((20_000, 3)),
        "timestep_fs": 0.5,
        "volume_A3": 100.0,
        "temperature_K": T,
    }
    with pytest.raises(ValueError):  # noqa: PT011 -- a message for each case
        infrared_from_current(**{**given, **wrong})


@pytest.fixture
def recorded(tmp_path):
    """A run of 64 diatomics' worth of current in 1000 Å³."""
    current = diatomic_current(1650.0, 0.5, 2000)
    n = len(current)
    series = Series(
        0.5 * np.arange(n),
        {
            "current_eA_per_fs": current,
            "volume_A3": np.full(n, 1000.0),
            "temperature_K": np.full(n, T),
        },
    )
    series.save(tmp_path / "water-300.5K-current.npz")
    return tmp_path / "water-300.5K"


def test_a_run_gives_intensities_and_a_scaled_reference(recorded, tmp_path):
    reference = tmp_path / "measured.txt"
    x = np.linspace(4000, 1000, 500)
    np.savetxt(reference, np.column_stack([x, np.exp(-(((x - 1640) / 50) ** 2))]))
    result = infrared_from_run(
        recorded,
        epsilon_infinity=4.0,
        reference=reference,
        output=tmp_path / "ir",
        bands=[Band("bend", 1500, 1800)],
    )
    # √4 times the current absorbs four times as much.
    intensity = result.summary()["peaks"]["bend"]["intensity_km_per_mol"].mean
    assert intensity == pytest.approx(4 * analytic_intensity_km_per_mol(), rel=1e-3)
    with np.load(tmp_path / "ir.npz") as arrays:
        assert np.nanmax(arrays["reference_scaled"]) == pytest.approx(
            arrays["absorption_per_cm"].max()
        )
    with pytest.raises(FileExistsError, match="overwrite"):
        infrared_from_run(recorded, output=tmp_path / "ir")


def test_moments_recorded_as_physical_are_taken_as_they_are(recorded):
    result = infrared_from_run(recorded, epsilon_infinity=4.0, recorded="physical")
    (peak,) = result.peaks
    assert peak.intensity_km_per_mol.mean == pytest.approx(
        analytic_intensity_km_per_mol(), rel=1e-3
    )


def test_a_run_that_knows_its_dielectric_constant_is_not_scaled_again(recorded):
    path = recorded.with_name(recorded.name + "-current.npz")
    replace(Series.load(path), dielectric=4.0 * np.eye(3)).save(path)
    result = infrared_from_run(recorded)
    (peak,) = result.peaks
    assert peak.intensity_km_per_mol.mean == pytest.approx(
        analytic_intensity_km_per_mol(), rel=1e-3
    )
    assert result.summary()["input"]["epsilon_infinity"] == 4.0
    for wrong in ({"epsilon_infinity": 4.0, "recorded": "latent"}, {"epsilon_infinity": 1.78}):
        with pytest.raises(ValueError, match=r"dielectric constant 4, .* physical already"):
            infrared_from_run(recorded, **wrong)


def test_samples_too_far_apart_are_told_of_and_those_it_recommends_are_not(recorded):
    """Nyquist: 5000 1/cm, 150 THz, need samples every 1/(2 · 150 THz) = 3.34 fs."""
    path = recorded.with_name(recorded.name + "-current.npz")
    series = Series.load(path)
    for spacing_fs, told in ((4.0, True), (3.3, False)):
        replace(series, time_fs=spacing_fs * np.arange(len(series.time_fs))).save(path)
        notes = infrared_from_run(recorded).notes
        assert any("record at least every 3.3 fs" in note for note in notes) is told


def test_a_run_without_current_is_told_how_to_record_one(tmp_path):
    with pytest.raises(FileNotFoundError, match="--observe current "):
        infrared_from_run(tmp_path / "run")


def test_a_reference_that_is_no_spectrum_is_refused(tmp_path):
    (tmp_path / "words.txt").write_text("no numbers here\n")
    with pytest.raises(ValueError, match="two columns"):
        read_reference_spectrum(tmp_path / "words.txt")


def test_amu_in_the_models_is_that_of_si():
    assert pytest.approx(atomic_mass * 1e10 / elementary_charge, rel=1e-6) == AMU
