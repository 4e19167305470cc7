"""Exact restart with a model: its neighbour list has a memory that a restart must not feel."""

import numpy as np
import pytest
from ase.build import molecule
from ase.io import read

from ase_les import LESCalculator
from ase_les.simulation import resume_dynamics, run_dynamics


def water_gas():
    """Eight water molecules, turned at random, in a periodic box."""
    rng = np.random.default_rng(3)
    gas = molecule("H2O")[:0]
    for corner in np.ndindex(2, 2, 2):
        water = molecule("H2O")
        water.rotate(360 * rng.random(), rng.normal(size=3))
        water.translate(3.2 * np.array(corner) - water.get_center_of_mass())
        gas += water
    gas.set_cell(np.eye(3) * 6.4)
    gas.pbc = True
    return gas


@pytest.mark.parametrize("ensemble", ["nve", "nvt-langevin", "nvt-bussi"])
def test_restart_continues_the_same_trajectory(ensemble, random_model, tmp_path):
    settings = {
        "ensemble": ensemble,
        "temperature_K": 600.0,
        "timestep_fs": 0.5,
        "checkpoint_stride": 10,
        "trajectory_stride": 5,
        "seed": 5,
        "quiet": True,
    }
    atoms = water_gas()
    # A narrow skin, so that the list is found again on the way, at steps of its own.
    atoms.calc = LESCalculator(random_model(), dtype="float32", skin=0.05)
    straight = run_dynamics(atoms, steps=60, output=tmp_path / "straight", **settings)
    run_dynamics(atoms, steps=30, output=tmp_path / "short", **settings)
    fresh = LESCalculator(random_model(), dtype="float32", skin=0.05)
    resumed = resume_dynamics(tmp_path / "short", fresh, steps=60, quiet=True)
    assert not any("differ" in note for note in resumed.notes)
    assert np.array_equal(straight.atoms.positions, resumed.atoms.positions)
    assert np.array_equal(straight.atoms.get_momenta(), resumed.atoms.get_momenta())
    frames = [read(tmp_path / f"{name}.traj", ":") for name in ("straight", "short")]
    assert len(frames[0]) == len(frames[1]) == 13
