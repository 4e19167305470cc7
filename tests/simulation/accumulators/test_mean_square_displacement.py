"""Mean square displacements against free flight, random walks and textbook numbers."""

import math

import numpy as np
import pytest
from ase import Atoms

from ase_les.simulation.accumulators import (
    MeanSquareDisplacement,
    finite_size_correction_cm2_per_s,
)


def walkers(rng, n, frames, step_A, symbols=None, wrapped=False, drift=0.0):
    """Atoms that take independent normal steps: MSD = 3 step² per frame."""
    atoms = Atoms(symbols or f"Ar{n}", cell=[[12, 0, 0], [3, 11, 0], [0, 1, 10]], pbc=True)
    atoms.positions = rng.random((n, 3)) @ atoms.cell.array
    for _ in range(frames):
        frame = atoms.copy()
        if wrapped:
            frame.wrap()
        yield frame
        atoms.positions += step_A * rng.normal(size=(n, 3)) + drift


def measured(frames, **arguments):
    accumulator = MeanSquareDisplacement(**arguments)
    for frame in frames:
        accumulator.add(frame)
    return accumulator.result()


def test_a_random_walk_has_its_diffusion_coefficient_inside_the_error_bar():
    deviations, errors = [], []
    exact = 3 * 0.1**2 / 2.0 / 6 * 0.1 * (1 - 1 / 64)
    for seed in range(12):
        frames = walkers(np.random.default_rng(seed), 64, 150, 0.1)
        result = measured(frames, frame_interval_fs=2.0, max_lag_fs=40.0, origin_interval_fs=2.0)
        estimate = result.diffusion_cm2_per_s("Ar")
        deviations.append(estimate.mean - exact)
        errors.append(estimate.standard_error)
    # Of a known size: neither too small nor generous.
    assert abs(np.mean(deviations)) < 4 * np.mean(errors) / math.sqrt(12)
    assert 0.5 < np.std(deviations) / np.mean(errors) < 1.7
    assert np.mean(errors) < 0.15 * exact


def test_every_lag_of_a_random_walk_grows_by_its_step():
    frames = walkers(np.random.default_rng(1), 200, 200, 0.1)
    result = measured(frames, frame_interval_fs=1.0, max_lag_fs=20.0, origin_interval_fs=1.0)
    assert np.allclose(result.mean_A2("Ar"), 3 * 0.01 * result.lag_fs * (1 - 1 / 200), rtol=0.04)
    assert result.n_origins[0] == 200 and result.n_origins[-1] == 180


def test_wrapped_positions_and_a_drifting_center_change_nothing():
    plain, wrapped, drifting = (
        measured(
            walkers(np.random.default_rng(4), 40, 60, 0.3, **how),
            frame_interval_fs=1.0,
            max_lag_fs=30.0,
        ).mean_A2("Ar")
        for how in ({}, {"wrapped": True}, {"drift": 0.2})
    )
    assert np.allclose(wrapped, plain, rtol=1e-10)
    assert np.allclose(drifting, plain, rtol=1e-10)


def test_free_flight_is_the_square_of_speed_times_time(rng):
    velocities = rng.normal(size=(20, 3))
    masses = np.array([1.0, 16.0] * 10)
    velocities -= masses @ velocities / masses.sum()
    flight = Atoms("HO" * 10, cell=np.eye(3) * 5, pbc=True)
    flight.set_masses(masses)

    def frames():
        for step in range(30):
            flight.positions = velocities * step * 0.2
            yield flight

    result = measured(frames(), frame_interval_fs=0.2, max_lag_fs=4.0)
    for element, own in (("H", velocities[::2]), ("O", velocities[1::2])):
        exact = (own**2).sum(axis=1).mean() * result.lag_fs**2
        assert np.allclose(result.mean_A2(element), exact, rtol=1e-9)


def test_motion_along_a_surface_does_not_see_motion_across():
    rng = np.random.default_rng(2)
    atoms = Atoms("Ar100", cell=np.eye(3) * 20, pbc=(True, True, False))

    def frames():
        for _ in range(200):
            yield atoms
            atoms.positions[:, :2] += 0.1 * rng.normal(size=(100, 2))
            atoms.positions[:, 2] = rng.normal(size=100)

    arguments = {"frame_interval_fs": 1.0, "max_lag_fs": 20.0, "origin_interval_fs": 1.0}
    result = measured(frames(), axes=(0, 1), **arguments)
    estimate = result.diffusion_cm2_per_s("Ar")
    exact = 0.01 / 2 * 0.1 * (1 - 1 / 100)
    assert abs(estimate.mean - exact) < 4 * estimate.standard_error < exact


def test_memory_is_bounded_by_the_largest_lag():
    accumulator = MeanSquareDisplacement(1.0, 20.0, origin_interval_fs=4.0)
    sizes = []
    for frame in walkers(np.random.default_rng(3), 4, 200, 0.1):
        accumulator.add(frame)
        sizes.append(sum(array.nbytes for array in accumulator.state().values()))
    assert max(sizes[30:]) == max(sizes[150:])
    assert accumulator.result().n_origins[-1] == 45


def test_one_atom_has_a_mean_but_no_error():
    frames = walkers(np.random.default_rng(5), 9, 50, 0.1, symbols="LiAr8")
    result = measured(frames, frame_interval_fs=1.0, max_lag_fs=20.0)
    assert np.isfinite(result.diffusion_cm2_per_s("Li").mean)
    assert np.isnan(result.diffusion_cm2_per_s("Li").standard_error)
    assert np.isfinite(result.diffusion_cm2_per_s("Ar").standard_error)


def test_finite_size_correction_is_that_of_yeh_and_hummer():
    # kB T / (6 π η L) at 298.15 K, 0.89 mPa s, 12.42 Å by hand, in m²/s.
    by_hand = 1.380649e-23 * 298.15 / (6 * math.pi * 0.89e-3 * 12.42e-10)
    value = finite_size_correction_cm2_per_s(
        temperature_K=298.15, viscosity_mPa_s=0.89, edge_A=12.42
    )
    assert value == pytest.approx(2.837297 * by_hand * 1e4, rel=1e-6)
    assert value == pytest.approx(0.56e-5, rel=0.01)
    with pytest.raises(ValueError, match="`edge_A` must be positive"):
        finite_size_correction_cm2_per_s(temperature_K=300, viscosity_mPa_s=1, edge_A=0)


def test_too_short_a_run_and_impossible_arguments_are_refused():
    with pytest.raises(ValueError, match="at least the interval"):
        MeanSquareDisplacement(2.0, 1.0)
    with pytest.raises(ValueError, match="different numbers"):
        MeanSquareDisplacement(1.0, 2.0, axes=(0, 0))
    result = measured(
        walkers(np.random.default_rng(5), 4, 1, 0.1), frame_interval_fs=1.0, max_lag_fs=9.0
    )
    with pytest.raises(ValueError, match="fewer than two lags"):
        result.diffusion_cm2_per_s("Ar")
    assert result.summary()["diffusion_cm2_per_s"] == {}
    accumulator = MeanSquareDisplacement(1.0, 5.0)
    accumulator.add(Atoms("H2"))
    with pytest.raises(ValueError, match="must contain the same atoms"):
        accumulator.add(Atoms("HO"))
