"""Structure and diffusion from trajectory files."""

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write

from ase_les.properties.structure import (
    axis_profile,
    mean_square_displacement,
    radial_distribution,
)


@pytest.fixture(scope="module")
def walk() -> list[Atoms]:
    """An ideal gas that walks at random, preceded by five frames of a crystal."""
    rng = np.random.default_rng(8)
    frames = [
        Atoms("Ar27", np.argwhere(np.ones((3, 3, 3))) * 4.0, cell=np.eye(3) * 12, pbc=True)
    ] * 5
    gas = frames[0].copy()
    gas.positions = 12 * rng.random((27, 3))
    for _ in range(200):
        gas.positions += 0.2 * rng.normal(size=(27, 3))
        frame = gas.copy()
        frame.wrap()
        frame.calc = SinglePointCalculator(frame, charges=np.full(27, 0.1))
        frames.append(frame)
    return frames


@pytest.mark.parametrize("ending", ["traj", "extxyz"])
def test_the_equilibration_is_left_out_of_a_trajectory_file(walk, ending, tmp_path):
    path = tmp_path / f"walk.{ending}"
    write(path, walk)
    result = radial_distribution(path, ("Ar", "Ar"), r_max_A=5.0, bins=2, skip=5, every=2)
    assert result.n_configurations == 100
    # An ideal gas of 27 atoms; the crystal would add a shell of six at 4 Å.
    assert result.g[1] == pytest.approx(1 - 1 / 27, abs=0.08)
    crystal = radial_distribution(walk[:1], ("Ar", "Ar"), r_max_A=5.0, bins=100)
    assert crystal.coordination_number[-1] == 6


def test_diffusion_is_the_same_whether_frames_are_thinned_out_or_not(walk):
    # D = step² / (2 Δt), without the share of the center of mass; Å²/fs to cm²/s is 0.1.
    exact = 0.2**2 / (2 * 5.0) * 0.1 * (1 - 1 / 27)
    for every in (1, 3):
        result = mean_square_displacement(
            walk,
            frame_interval_fs=5.0,
            max_lag_fs=150.0,
            origin_interval_fs=15.0,
            skip=5,
            every=every,
        )
        estimate = result.diffusion_cm2_per_s("Ar")
        assert abs(estimate.mean - exact) < 4 * estimate.standard_error < exact


def test_stored_charges_give_the_charge_profile(walk):
    result = axis_profile(walk, quantities=("charge",), bin_A=3.0, skip=5)
    assert result.curves["charge_e_per_A3"].mean() == pytest.approx(0.1 * 27 / 12**3)
    with pytest.raises(ValueError, match="does not provide"):
        axis_profile(walk, quantities=("charge",))


def test_nothing_left_to_average_is_said(walk):
    with pytest.raises(ValueError, match="no frame is left in the trajectory after skipping 1000"):
        radial_distribution(walk, ("Ar", "Ar"), skip=1000)
    with pytest.raises(ValueError, match="`every` at least 1"):
        radial_distribution(walk, ("Ar", "Ar"), every=0)
