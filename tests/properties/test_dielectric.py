"""Dielectric constant and spectrum against oscillators that are solved by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io.trajectory import TrajectoryWriter
from langevin_models import PER_CM, langevin_ions, langevin_oscillators
from scipy.constants import atomic_mass, elementary_charge, epsilon_0

from ase_les.properties.dielectric import (
    dielectric_from_current,
    dielectric_from_dipole,
    dielectric_from_run,
    rotational_dipole,
    static_dielectric,
)
from ase_les.simulation.series import Series

T, VOLUME, MASS, CHARGE, NUMBER = 300.0, 800.0, 5.0, 0.8, 30
CENTER, FRICTION = 300.0, 0.03
"""Of the oscillators: 1/cm, 1/fs."""


def strength() -> float:
    """ε(0) − 1 of Drude oscillators, N q²/(ε_vac V k)."""
    spring = MASS * atomic_mass * (CENTER * PER_CM * 1e15) ** 2
    return NUMBER * (CHARGE * elementary_charge) ** 2 / (epsilon_0 * VOLUME * 1e-30 * spring)


def lorentz(wavenumber: np.ndarray) -> np.ndarray:
    omega, omega0 = wavenumber * PER_CM, CENTER * PER_CM
    return 1 + strength() * omega0**2 / (omega0**2 - omega**2 - 1j * FRICTION * omega)


def drude(n_steps: int, rng, timestep_fs: float = 2.0, shape=(3,)):
    """Dipole and current of N independent oscillators, together one of √N times the charge."""
    position, velocity = langevin_oscillators(
        n_steps, timestep_fs, CENTER, FRICTION, MASS, T, shape, rng
    )
    return CHARGE * np.sqrt(NUMBER) * position, CHARGE * np.sqrt(NUMBER) * velocity


def test_drude_oscillators_have_their_static_dielectric_constant(rng):
    dipole, _ = drude(200_000, rng)
    found = static_dielectric(dipole, 2.0, VOLUME, T)
    assert found.epsilon.standard_error < 0.02 * strength()
    deviation = found.epsilon.mean - (1 + strength())
    assert abs(deviation) < 3 * found.epsilon.standard_error
    assert found.notes == ()
    off_diagonal = ~np.eye(3, dtype=bool)
    assert np.all(np.abs(found.tensor[off_diagonal]) < 4 * found.tensor_error[off_diagonal])


def test_the_error_bar_is_the_spread_of_independent_runs(rng):
    dipole, _ = drude(10_000, rng, shape=(24, 3))
    found = [static_dielectric(dipole[:, k], 2.0, VOLUME, T).epsilon for k in range(24)]
    spread = np.std([each.mean for each in found], ddof=1)
    assert np.mean([each.standard_error for each in found]) == pytest.approx(spread, rel=0.5)


def test_short_runs_are_right_on_average(rng):
    """Fluctuations about the mean of a run of ten correlation times are too small."""
    slow = 1 / 40.0  # overdamped: relaxes with γ/ω0² = 9.4 fs · 40
    position, _ = langevin_oscillators(
        200, 20.0, CENTER, (CENTER * PER_CM) ** 2 / slow, MASS, T, (2000, 3), rng
    )
    dipole = CHARGE * np.sqrt(NUMBER) * position
    found = [static_dielectric(dipole[:, k], 20.0, VOLUME, T).epsilon.mean for k in range(600)]
    plain = 1 + strength() * np.mean(
        [dipole[:, k].var(axis=0).mean() for k in range(600)]
    ) / np.mean(dipole**2)
    standard_error = np.std(found) / np.sqrt(600)
    assert np.mean(found) == pytest.approx(1 + strength(), abs=4 * standard_error)
    assert plain < 1 + strength() - 4 * standard_error


def test_an_anisotropic_medium_has_a_tensor(rng):
    dipole, _ = drude(100_000, rng)
    found = static_dielectric(dipole * [1.0, 2.0, 3.0], 2.0, VOLUME, T)
    np.testing.assert_allclose(
        np.diag(found.tensor) - 1, strength() * np.array([1, 4, 9]), rtol=0.08
    )


def test_the_branch_of_the_dipole_does_not_matter(rng):
    dipole, _ = drude(5_000, rng)
    here = static_dielectric(dipole, 2.0, VOLUME, T)
    there = static_dielectric(dipole + np.array([12.4, -24.8, 0.0]), 2.0, VOLUME, T)
    np.testing.assert_allclose(here.tensor, there.tensor)
    spectra = [
        dielectric_from_dipole(each, 2.0, VOLUME, T, resolution_per_cm=20)
        for each in (dipole, dipole + np.array([12.4, -24.8, 0.0]))
    ]
    np.testing.assert_allclose(spectra[0].loss, spectra[1].loss, atol=1e-8)


@pytest.mark.parametrize("source", ["dipole", "current"])
def test_damped_oscillators_have_the_spectrum_of_lorentz(source, rng):
    dipole, current = drude(300_000, rng)
    function, series = {
        "dipole": (dielectric_from_dipole, dipole),
        "current": (dielectric_from_current, current),
    }[source]
    spectrum = function(series, 2.0, VOLUME, T, resolution_per_cm=15, blocks=20, upto_per_cm=900)
    x = spectrum.wavenumber_per_cm
    exact = lorentz(x)
    band = x > 60
    for found, error, expected in (
        (spectrum.real, spectrum.real_error, exact.real),
        (spectrum.loss, spectrum.loss_error, exact.imag),
    ):
        # Where nothing absorbs the error is smaller than what steps of 2 fs cost.
        deviation = ((found - expected) / np.hypot(error, 0.005 * strength()))[band]
        assert np.mean(np.abs(deviation) < 2.5) > 0.85
        np.testing.assert_allclose(found[band], expected[band], atol=0.1 * strength())
    # Absorption, not gain: the sign of the imaginary part.
    assert spectrum.loss[np.argmin(np.abs(x - CENTER))] > 0.5 * exact.imag.max()


def test_the_spectrum_of_the_dipole_ends_at_the_static_constant(rng):
    dipole, _ = drude(100_000, rng)
    spectrum = dielectric_from_dipole(dipole, 2.0, VOLUME, T, resolution_per_cm=10)
    static = static_dielectric(dipole, 2.0, VOLUME, T)
    assert spectrum.real[0] == pytest.approx(static.epsilon.mean, rel=0.03)


def test_diffusing_charge_has_no_static_dielectric_constant_and_it_is_said(rng):
    position, _ = langevin_ions(20_000, 2.0, 0.05, 23.0, T, (10, 3), rng)
    found = static_dielectric(position.sum(axis=1), 2.0, VOLUME, T)
    assert any("diffuse" in note for note in found.notes)


def test_a_change_between_the_halves_is_said(rng):
    dipole, _ = drude(40_000, rng)
    dipole[20_000:] *= 1.5
    assert any("not converged" in note for note in static_dielectric(dipole, 2.0, VOLUME, T).notes)


def charged(atoms: Atoms, charges: dict[str, float]) -> Atoms:
    values = [charges[symbol] for symbol in atoms.symbols]
    atoms.calc = SinglePointCalculator(atoms, energy=0.0, charges=np.array(values))
    return atoms


CHARGES = {"H": 0.4, "O": -0.8, "Na": 0.9, "Cl": -0.9}


def water_and_ions(angle: float, ion_shift: float) -> Atoms:
    water = molecule("H2O")
    water.rotate(angle, "x")
    water.translate([1.0, 5.0, 5.0])
    ions = Atoms("NaCl", [[5.0 + ion_shift, 1.0, 1.0], [2.0, 8.0, 8.0 - ion_shift]])
    atoms = water + ions
    atoms.set_cell([10, 10, 10])
    atoms.pbc = True
    return charged(atoms, CHARGES)


def test_ions_that_walk_leave_the_rotational_dipole_alone_and_rotation_turns_it():
    still, walked = (rotational_dipole([water_and_ions(0, shift)])[0] for shift in (0, 3.3))
    np.testing.assert_allclose(still, walked, atol=1e-12)
    turned = rotational_dipole([water_and_ions(90, 0)])[0]
    np.testing.assert_allclose(turned, [0, -still[2], 0], atol=1e-12)


def test_a_cation_does_not_tie_the_water_around_it_into_one_molecule():
    """Na–O is 2.4 Å in solution, below 1.2 times the sum of covalent radii."""
    far, near = water_and_ions(0, 0), water_and_ions(0, 0)
    near.positions[3] = near.positions[0] + [0, 2.4, 0]
    moments = [rotational_dipole([charged(atoms, CHARGES)])[0] for atoms in (far, near)]
    np.testing.assert_allclose(*moments, atol=1e-12)


@pytest.fixture
def recorded(tmp_path, rng):
    dipole, current = drude(60_000, rng)
    common = {"volume_A3": np.full(60_000, VOLUME), "temperature_K": np.full(60_000, T)}
    times = 2.0 * np.arange(60_000)
    Series(times, {"dipole_eA": dipole, **common}).save(tmp_path / "run-dipole.npz")
    Series(times, {"current_eA_per_fs": current, **common}).save(tmp_path / "run-current.npz")
    return tmp_path / "run"


def test_latent_moments_give_the_ratio_to_the_electronic_constant(recorded):
    """ε0/ε∞ = 1 + ⟨δM²⟩/(3 ε_vac V kT) with latent moments; ε∞ + … with physical ones."""
    plain = dielectric_from_run(recorded).static.epsilon.mean
    latent = dielectric_from_run(recorded, epsilon_infinity=1.78)
    physical = dielectric_from_run(recorded, epsilon_infinity=1.78, recorded="physical")
    assert latent.static.epsilon.mean == pytest.approx(1.78 * plain)
    assert physical.static.epsilon.mean == pytest.approx(0.78 + plain)


def test_a_run_that_knows_its_dielectric_constant_needs_none(recorded):
    given = dielectric_from_run(recorded, epsilon_infinity=1.78, recorded="physical")
    for kind in ("dipole", "current"):
        path = recorded.with_name(f"run-{kind}.npz")
        replace(Series.load(path), dielectric=1.78 * np.eye(3)).save(path)
    found = dielectric_from_run(recorded)
    assert found.static.epsilon.mean == pytest.approx(given.static.epsilon.mean)
    np.testing.assert_allclose(found.spectrum.real, given.spectrum.real)


def test_the_spectrum_of_a_run_is_stored(recorded, tmp_path):
    result = dielectric_from_run(recorded, output=tmp_path / "eps")
    assert result.spectrum.source == "current"
    with np.load(tmp_path / "eps.npz") as arrays:
        assert arrays["epsilon_loss"].shape == arrays["wavenumber_per_cm"].shape


def test_the_integral_of_a_current_gives_the_static_constant_of_its_dipole(recorded):
    # Means of neighboring dipoles are what the trapezoidal rule sees of a current of differences.
    path, current = (recorded.with_name(f"run-{kind}.npz") for kind in ("dipole", "current"))
    series = Series.load(path)
    common = {name: series.columns[name] for name in ("volume_A3", "temperature_K")}
    slope = np.gradient(series.columns["dipole_eA"], 2.0, axis=0)
    Series(series.time_fs, {"current_eA_per_fs": slope, **common}).save(current)
    expected = dielectric_from_run(recorded).static.epsilon.mean
    path.unlink()
    result = dielectric_from_run(recorded)
    assert result.static.epsilon.mean == pytest.approx(expected, rel=0.1)
    assert any("recorded no dipole" in note for note in result.notes)


def test_a_dipole_that_is_not_the_integral_of_the_current_is_not_believed(recorded, rng):
    path = recorded.with_name("run-dipole.npz")
    series = Series.load(path)
    jumping = {**series.columns, "dipole_eA": rng.normal(0, 50, (len(series.time_fs), 3))}
    believed = dielectric_from_run(recorded)
    assert not any("integral" in note for note in believed.notes)
    Series(series.time_fs, jumping).save(path)
    result = dielectric_from_run(recorded)
    assert any("differ by" in note and "integral" in note for note in result.notes)
    assert result.static.epsilon.mean < 20


def test_a_run_that_recorded_nothing_is_told_how_to(tmp_path):
    with pytest.raises(FileNotFoundError, match="--observe dipole "):
        dielectric_from_run(tmp_path / "run")


def test_a_molecule_has_no_dielectric_constant(recorded):
    path = recorded.with_name("run-dipole.npz")
    series = Series.load(path)
    columns = {**series.columns, "volume_A3": np.full(len(series.time_fs), np.nan)}
    Series(series.time_fs, columns).save(path)
    with pytest.raises(ValueError, match="no volume"):
        dielectric_from_run(recorded)


def test_the_rotational_part_comes_from_the_trajectory(recorded, tmp_path):
    with TrajectoryWriter(recorded.with_name("run.traj")) as writer:
        writer.set_description({"timestep": 0.1, "interval": 10})
        for step in range(40):
            writer.write(water_and_ions(9.0 * step, 0.05 * step))
    turning = rotational_dipole([water_and_ions(9.0 * step, 0.0) for step in range(40)])
    expected = static_dielectric(turning, 1.0, VOLUME, T)
    result = dielectric_from_run(recorded, rotational=True)
    assert result.static.epsilon.mean == pytest.approx(expected.epsilon.mean)
    # Charges that do not tell how they are scaled are latent, also where moments are not.
    options = {"epsilon_infinity": 1.78, "recorded": "physical"}
    physical = dielectric_from_run(recorded, rotational=True, **options)
    assert physical.static.epsilon.mean == pytest.approx(1.78 * expected.epsilon.mean)


def test_physical_charges_are_not_scaled_a_second_time(recorded):
    """ε0 of a run does not depend on the scale in which its charges were written down."""
    found = []
    for dielectric in (None, 1.78 * np.eye(3)):
        scale = 1.0 if dielectric is None else np.sqrt(1.78)
        with TrajectoryWriter(recorded.with_name("run.traj"), "w") as writer:
            writer.set_description({"timestep": 0.1, "interval": 10})
            for step in range(40):
                atoms = water_and_ions(9.0 * step, 0.05 * step)
                results = {"charges": scale * atoms.get_charges(), "dielectric_tensor": dielectric}
                atoms.calc = SinglePointCalculator(atoms, **results)
                writer.write(atoms)
        options = {"epsilon_infinity": 1.78, "recorded": "physical"}
        result = dielectric_from_run(recorded, rotational=True, **options)
        found.append(result.static.epsilon.mean)
    assert found[0] > 1.9
    assert found[1] == pytest.approx(found[0], rel=1e-12)


@pytest.mark.parametrize("wrong", [{"volume_A3": 0.0}, {"temperature_K": -1.0}])
def test_nonsense_is_refused(wrong):
    given = {"volume_A3": 100.0, "temperature_K": T, **wrong}
    with pytest.raises(ValueError, match="must be positive"):
        static_dielectric(np.ones((100, 3)), 1.0, **given)
