"""Exact restart with a model: its neighbor list has a memory that a restart must not feel."""

import numpy as np
import pytest
from ase.build import molecule
from ase.io import read

from ase_les import LESCalculator
from ase_les.simulation import resume_dynamics, run_dynamics


def water_gas():
    """27 water molecules, turned at random, in a periodic box: enough for a cell list."""
    rng = np.random.default_rng(3)
    gas = molecule("H2O")[:0]
    for corner in np.ndindex(3, 3, 3):
        water = molecule("H2O")
        water.rotate(360 * rng.random(), rng.normal(size=3))
        water.translate(3.2 * np.array(corner) - water.get_center_of_mass())
        gas += water
    gas.set_cell(np.eye(3) * 9.6)
    gas.pbc = True
    return gas


@pytest.mark.parametrize("ensemble", ["nve", "nvt-langevin", "nvt-bussi"])
def test_restart_continues_the_same_trajectory(ensemble, random_model, tmp_path):
    settings = {
        "ensemble": ensemble,
        "temperature_K": 900.0,
        "timestep_fs": 0.1,
        "checkpoint_stride": 10,
        "trajectory_stride": 5,
        "seed": 5,
        # Random forces bring atoms nearer to each other than real ones would.
        "min_distance_A": 0.1,
    }
    atoms = water_gas()
    atoms.calc = LESCalculator(random_model(charges={"scale": 1.0}), dtype="float32", skin=0.3)
    straight = run_dynamics(atoms, steps=40, output=tmp_path / "straight", **settings)
    run_dynamics(atoms, steps=20, output=tmp_path / "short", **settings)
    fresh = LESCalculator(random_model(charges={"scale": 1.0}), dtype="float32", skin=0.3)
    resumed = resume_dynamics(tmp_path / "short", fresh, steps=40)
    assert not any("differ" in note for note in resumed.notes)
    assert np.array_equal(straight.atoms.positions, resumed.atoms.positions)
    assert np.array_equal(straight.atoms.get_momenta(), resumed.atoms.get_momenta())
    frames = [read(tmp_path / f"{name}.traj", ":") for name in ("straight", "short")]
    assert straight.stopped is None
    assert len(frames[0]) == len(frames[1]) == 9
