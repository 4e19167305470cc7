"""Diffusion, conductivity and viscosity against Langevin ions, which are solved by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms, units
from ase.io.trajectory import TrajectoryWriter
from langevin_models import AMU, langevin_ions, relaxing_noise
from scipy.constants import Boltzmann, elementary_charge

from ase_les.properties.conductivity import (
    conductivity_einstein_helfand,
    conductivity_green_kubo,
    conductivity_nernst_einstein,
)
from ase_les.properties.correlation import autocorrelation, mean_squared_displacement
from ase_les.properties.diffusion import (
    diffusion,
    diffusion_of_elements,
    unwrapped,
)
from ase_les.properties.transport import transport_from_run
from ase_les.properties.viscosity import viscosity_green_kubo
from ase_les.simulation.accumulators import finite_size_correction_cm2_per_s
from ase_les.simulation.series import Series

T, VOLUME, MASS, FRICTION = 300.0, 2000.0, 23.0, 0.02
TIMESTEP = 5.0


def exact_diffusion(friction: float = FRICTION) -> float:
    """kT/(mγ) in cm²/s."""
    return units.kB * T / (MASS * AMU * friction) * 0.1


def correction_of(viscosity_mPa_s: float) -> float:
    return finite_size_correction_cm2_per_s(
        temperature_K=T, viscosity_mPa_s=viscosity_mPa_s, edge_A=np.cbrt(VOLUME)
    )


def exact_conductivity(number: int, charge: float, coefficient: float) -> float:
    """n q² D/kT in S/m."""
    density = number / (VOLUME * 1e-30)
    return density * (charge * elementary_charge) ** 2 * coefficient * 1e-4 / (Boltzmann * T)


def within(estimate, exact: float, relative_error: float, errors: float = 3.0) -> bool:
    assert estimate.standard_error < relative_error * abs(exact)
    return abs(estimate.mean - exact) < errors * estimate.standard_error


@pytest.fixture(scope="module")
def salt():
    """40 cations and 40 anions that move independently, the anions twice as fast; 100 ps."""
    rng = np.random.default_rng(3)
    cations = langevin_ions(20_000, TIMESTEP, FRICTION, MASS, T, (40, 3), rng)
    anions = langevin_ions(20_000, TIMESTEP, FRICTION / 2, MASS, T, (40, 3), rng)
    return cations, anions


def test_correlations_are_those_of_their_definition(rng):
    walk = rng.normal(size=(50, 3)).cumsum(axis=0)
    for lag in (0, 1, 17, 49):
        origins = range(50 - lag)
        product = np.mean([walk[t] @ walk[t + lag] for t in origins])
        square = np.mean([np.sum((walk[t + lag] - walk[t]) ** 2) for t in origins])
        assert autocorrelation(walk, 50)[lag] == pytest.approx(product)
        assert mean_squared_displacement(walk, 50)[lag] == pytest.approx(square, abs=1e-9)


def test_displacements_far_from_the_origin_keep_their_digits(rng):
    walk = 1e-3 * rng.normal(size=(100, 3)).cumsum(axis=0)
    here, there = (mean_squared_displacement(walk + shift, 20) for shift in (0.0, 1e4))
    np.testing.assert_allclose(here, there, rtol=1e-5)


def test_langevin_ions_diffuse_as_einstein_says(salt):
    (cations, _), _ = salt
    found = diffusion(cations, TIMESTEP, fit_ps=(2.0, 6.0))
    assert within(found.diffusion_cm2_per_s, exact_diffusion(), 0.06)
    assert found.exponent == pytest.approx(1.0, abs=0.05)
    assert found.infinite_cm2_per_s is None


def test_ballistic_motion_is_no_diffusion():
    times = np.arange(200)[:, None, None] * np.ones((1, 5, 3))
    assert diffusion(times, 1.0).exponent == pytest.approx(2.0, abs=0.01)


def test_independent_ions_conduct_as_nernst_and_einstein_say_in_all_three_ways(salt):
    (cations, cation_speeds), (anions, anion_speeds) = salt
    exact = exact_conductivity(40, 0.9, exact_diffusion() + exact_diffusion(FRICTION / 2))
    current = 0.9 * (cation_speeds.sum(axis=1) - anion_speeds.sum(axis=1))
    dipole = 0.9 * (cations.sum(axis=1) - anions.sum(axis=1))
    green_kubo = conductivity_green_kubo(
        current, TIMESTEP, VOLUME, T, plateau_ps=(0.5, 1.0), blocks=20
    )
    assert within(green_kubo.value, exact, 0.15)
    assert green_kubo.running[0] == 0
    helfand = conductivity_einstein_helfand(dipole, TIMESTEP, VOLUME, T, fit_ps=(0.5, 1.5))
    assert within(helfand, exact, 0.25)
    ions = [
        diffusion(cations, TIMESTEP, species="Na", fit_ps=(2.0, 6.0)),
        diffusion(anions, TIMESTEP, species="Cl", fit_ps=(2.0, 6.0)),
    ]
    nernst = conductivity_nernst_einstein(ions, {"Na": 0.9, "Cl": -0.9}, VOLUME, T)
    assert within(nernst, exact, 0.06)


def test_the_running_integral_of_langevin_ions_saturates_with_the_friction(salt):
    (_, speeds), _ = salt
    found = conductivity_green_kubo(
        speeds.sum(axis=1), TIMESTEP, VOLUME, T, plateau_ps=(0.2, 0.4), blocks=20
    )
    saturation = 1 - np.exp(-FRICTION * found.lag_ps * 1e3)
    exact = exact_conductivity(40, 1.0, exact_diffusion()) * saturation
    deviation = (found.running - exact)[5:] / found.running_error[5:]
    assert np.abs(deviation).max() < 3


def test_ion_pairs_do_not_conduct_although_nernst_and_einstein_think_so(salt):
    """Cation and anion of a pair move as one: no current, but both diffuse."""
    (cations, speeds), _ = salt
    current = 0.9 * (speeds.sum(axis=1) - speeds.sum(axis=1))
    found = conductivity_green_kubo(current, TIMESTEP, VOLUME, T)
    assert found.value.mean == 0
    ions = [diffusion(cations, TIMESTEP, species=name) for name in ("Na", "Cl")]
    assert conductivity_nernst_einstein(ions, {"Na": 1, "Cl": -1}, VOLUME, T).mean > 0


def test_error_bars_of_the_conductivity_are_the_spread_of_independent_runs(rng):
    _, speeds = langevin_ions(10_000, TIMESTEP, FRICTION, MASS, T, (24, 3), rng)
    found = [
        conductivity_green_kubo(speeds[:, k], TIMESTEP, VOLUME, T, plateau_ps=(0.25, 0.5)).value
        for k in range(24)
    ]
    spread = np.std([each.mean for each in found], ddof=1)
    assert np.mean([each.standard_error for each in found]) == pytest.approx(spread, rel=0.4)


def test_a_small_cell_slows_water_as_yeh_and_hummer_found():
    """2.837297 kT/(6πηL) at 300 K, 0.85 mPa s, L = 12.43 Å: 0.59e-9 m²/s."""
    correction = finite_size_correction_cm2_per_s(
        temperature_K=300.0, viscosity_mPa_s=0.85, edge_A=12.43
    )
    by_hand = 2.837297 * 1.380649e-23 * 300 / (6 * np.pi * 0.85e-3 * 12.43e-10) * 1e4
    assert correction == pytest.approx(by_hand, rel=1e-6)
    assert correction == pytest.approx(5.9e-6, abs=1e-7)


def test_a_viscosity_adds_the_correction(salt):
    (cations, _), _ = salt
    found = diffusion(cations, TIMESTEP, temperature_K=T, viscosity_mPa_s=0.85, volume_A3=VOLUME)
    added = found.infinite_cm2_per_s.mean - found.diffusion_cm2_per_s.mean
    assert added == pytest.approx(correction_of(0.85))


def test_wrapped_atoms_are_followed_through_the_faces_of_a_tilted_cell(rng):
    cell = np.array([[8.0, 0, 0], [1.5, 7.0, 0], [-0.7, 1.1, 9.0]])
    path = rng.normal(scale=0.8, size=(300, 6, 3)).cumsum(axis=0)
    fractional = path @ np.linalg.inv(cell)
    wrapped = (fractional - np.floor(fractional)) @ cell
    cells = np.broadcast_to(cell, (300, 3, 3))
    followed = unwrapped(wrapped, cells)
    np.testing.assert_allclose(followed - followed[0], path - path[0], atol=1e-9)
    np.testing.assert_allclose(unwrapped(path, cells), path, atol=1e-9)


def test_an_open_direction_has_no_faces(rng):
    cells = np.broadcast_to(np.diag([8.0, 8.0, 1.0]), (50, 3, 3))
    path = np.zeros((50, 1, 3))
    path[:, 0, 2] = np.linspace(0, 40, 50)
    np.testing.assert_allclose(unwrapped(path, cells, (True, True, False)), path)


def test_relaxing_shear_stress_gives_its_viscosity(rng):
    """η = V ⟨P_xy²⟩ τ / kT for each shear component; the mean over all is what is taken."""
    tau, sigma = 200.0, 2e-3
    shear = sigma * relaxing_noise(100_000, 10.0, tau, (3,), rng)
    # An isotropic liquid: normal differences fluctuate so that ⟨(P_xx − P_yy)²⟩ = 4 ⟨P_xy²⟩.
    normal = np.sqrt(2) * sigma * relaxing_noise(100_000, 10.0, tau, (3,), rng)
    pressure = 0.05 * relaxing_noise(100_000, 10.0, tau, (1,), rng)
    stress = np.concatenate([normal + pressure, shear], axis=1)
    found = viscosity_green_kubo(stress, 10.0, VOLUME, T, plateau_ps=(1.2, 2.0), blocks=20)
    pascal = elementary_charge * 1e30
    exact = VOLUME * 1e-30 * (sigma * pascal) ** 2 * tau * 1e-15 / (Boltzmann * T) * 1e3
    assert within(found.value, exact, 0.06)


@pytest.fixture
def run(tmp_path, salt):
    """The salt as a run on disk: frames of wrapped atoms, current and dipole."""
    (cations, cation_speeds), (anions, anion_speeds) = salt
    n, edge = 4_000, VOLUME ** (1 / 3)
    start = np.random.default_rng(0).uniform(0, edge, size=(80, 3))
    with TrajectoryWriter(tmp_path / "salt.traj") as writer:
        writer.set_description({"timestep": TIMESTEP * units.fs, "interval": 10})
        for step in range(0, n, 10):
            positions = start + np.concatenate([cations[step], anions[step]])
            writer.write(Atoms("Na40Cl40", positions % edge, cell=[edge] * 3, pbc=True))
    times = TIMESTEP * np.arange(n)
    common = {"volume_A3": np.full(n, VOLUME), "temperature_K": np.full(n, T)}
    current = 0.5 * (cation_speeds.sum(axis=1) - anion_speeds.sum(axis=1))[:n]
    dipole = 0.5 * (cations.sum(axis=1) - anions.sum(axis=1))[:n]
    Series(times, {"current_eA_per_fs": current, **common}).save(tmp_path / "salt-current.npz")
    Series(times, {"dipole_eA": dipole, **common}).save(tmp_path / "salt-dipole.npz")
    return tmp_path / "salt"


CHARGES = {"Na": 1.0, "Cl": -1.0}


def test_a_run_gives_all_conductivities_side_by_side(run, tmp_path):
    # Latent charges of 0.5 e and ε∞ = 4: physical charges of 1 e.
    result = transport_from_run(
        run,
        charge_numbers=CHARGES,
        epsilon_infinity=4.0,
        viscosity_mPa_s=0.9,
        fit_ps=(0.5, 2.0),
        plateau_ps=(0.5, 1.0),
        output=tmp_path / "transport",
    )
    exact = exact_conductivity(40, 1.0, exact_diffusion() + exact_diffusion(FRICTION / 2))
    for found in (result.green_kubo.value, result.einstein_helfand):
        assert found.mean == pytest.approx(exact, rel=0.6)
        assert abs(found.mean - exact) < 4 * found.standard_error
    # Nernst–Einstein with the coefficients of the infinite cell.
    added = 2 * correction_of(0.9)
    infinite = exact + exact_conductivity(40, 1.0, added)
    assert result.nernst_einstein.mean == pytest.approx(infinite, rel=0.15)
    sodium = next(each for each in result.diffusion if each.species == "Na")
    assert sodium.diffusion_cm2_per_s.mean == pytest.approx(exact_diffusion(), rel=0.15)
    with np.load(tmp_path / "transport.npz") as arrays:
        assert len(arrays["msd_Na_A2"]) == len(arrays["msd_lag_ps"])


def test_lone_alkali_and_halide_atoms_are_known_as_ions_and_bonded_ones_are_not(tmp_path):
    def written(name: str, atoms: Atoms):
        with TrajectoryWriter(tmp_path / f"{name}.traj") as writer:
            writer.set_description({"timestep": units.fs, "interval": 1})
            for step in range(60):
                moved = atoms.copy()
                moved.positions[0] += 0.01 * np.sin(step)
                writer.write(moved)
        return transport_from_run(tmp_path / name, temperature_K=300.0)

    ions = Atoms("NaCl", [[0, 0, 0], [6, 6, 6]], cell=[12] * 3, pbc=True)
    molecule = Atoms("HCl", [[0, 0, 0], [1.27, 0, 0]], cell=[12] * 3, pbc=True)
    assert written("ions", ions).charge_numbers == CHARGES
    assert written("molecule", molecule).charge_numbers == {}
    # In contact, closer than covalent radii would allow two atoms that are not bonded.
    ions.positions[1] = [2.7, 0, 0]
    assert written("pair", ions).charge_numbers == CHARGES


def test_a_drift_of_the_whole_is_no_diffusion(salt):
    (cations, _), _ = salt
    frames = [Atoms("Na40", each) for each in cations[:2000:10]]
    (still,) = diffusion_of_elements(frames, 10 * TIMESTEP)
    for step, atoms in enumerate(frames):
        atoms.positions += [0.3 * step, 0, 0]
    (drifting,) = diffusion_of_elements(frames, 10 * TIMESTEP)
    np.testing.assert_allclose(drifting.msd_A2, still.msd_A2, rtol=1e-8)


def test_a_run_without_current_gives_diffusion_and_says_how_to_record_one(run):
    run.with_name("salt-current.npz").unlink()
    run.with_name("salt-dipole.npz").unlink()
    result = transport_from_run(run, temperature_K=T)
    assert result.green_kubo is None and len(result.diffusion) == 2
    assert any("--observe current`" in note for note in result.notes)


def test_a_slab_has_no_conductivity_per_volume_and_it_is_said(run):
    for kind in ("current", "dipole"):
        path = run.with_name(f"salt-{kind}.npz")
        series = Series.load(path)
        columns = {**series.columns, "volume_A3": np.full(len(series.time_fs), np.nan)}
        replace(series, columns=columns).save(path)
    run.with_name("salt.traj").unlink()
    result = transport_from_run(run)
    assert result.green_kubo is None and result.einstein_helfand is None
    assert any("no conductivity" in note for note in result.notes)


def test_no_run_at_all_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="no run"):
        transport_from_run(tmp_path / "nothing")


def test_charge_numbers_of_absent_elements_are_refused(run):
    with pytest.raises(ValueError, match="given for K"):
        transport_from_run(run, charge_numbers={"K": 1})


def test_a_fit_or_plateau_outside_the_run_is_refused(salt):
    (cations, speeds), _ = salt
    with pytest.raises(ValueError, match="fit_ps within the run"):
        diffusion(cations[:100], TIMESTEP, fit_ps=(0.1, 9.0))
    with pytest.raises(ValueError, match="does not fit"):
        conductivity_green_kubo(speeds[:100, 0], TIMESTEP, VOLUME, T, plateau_ps=(0.1, 9.0))
