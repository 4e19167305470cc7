"""Numbers of numpy are taken everywhere; magnitudes that cannot be meant are refused."""

import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.calculators.emt import EMT

from ase_les import LESCalculator
from ase_les.process_settings import set_threads
from ase_les.properties.born_charges import born_charges
from ase_les.properties.phonons import phonons
from ase_les.properties.surface_energy import surface_energy
from ase_les.simulation import (
    DynamicsSettings,
    relax,
    relax_many,
    resume_relaxations,
    run_dynamics,
)

N, F = np.int64, np.float32


def copper():
    atoms = bulk("Cu", cubic=True)
    atoms.calc = EMT()
    return atoms


def test_runs_take_numbers_of_numpy(tmp_path):
    result = run_dynamics(
        copper(),
        output=tmp_path / "md",
        temperature_K=F(300),
        timestep_fs=F(1),
        steps=N(4),
        seed=N(3),
        trajectory_stride=N(2),
        log_stride=np.int32(2),
        checkpoint_stride=N(2),
        observe={"pressure": N(2)},
    )
    assert result.steps == 4 and result.settings.seed == 3
    settings = {"fmax": F(0.5), "steps": N(3), "checkpoint_stride": N(1)}
    relax(copper(), output=tmp_path / "one", **settings)
    relax_many([copper()], EMT(), output=tmp_path / "many", **settings)
    assert resume_relaxations(tmp_path / "many", EMT(), steps=N(5)).converged


def test_properties_take_numbers_of_numpy(tmp_path, random_model):
    phonons(copper(), supercell=(N(1), N(1), N(1)), displacement_A=F(0.01), non_analytic=False)
    surface_energy(
        copper(),
        (N(1), N(0), N(0)),
        layers=(N(2),),
        vacuum_A=F(6),
        relaxation=None,
        output=tmp_path / "surface",
    )
    water = molecule("H2O")
    water.calc = LESCalculator(
        random_model(),
        dtype="float64",
        skin=F(0.5),
        threads=N(1),
        dielectric=F(1.5),
        field_V_per_A=np.zeros(3, np.float32),
    )
    assert born_charges(water, chosen=[N(0)]).atoms == (0,)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"timestep_fs": 1e-15}, "timestep_fs.*unit is fs"),
        ({"timestep_fs": 500.0}, "timestep_fs"),
        ({"timestep_fs": "0.5"}, "timestep_fs"),
        ({"field_V_per_A": (0, 0, 5e8)}, "at most 10 V/Å"),
        ({"field_V_per_A": ((0, 0, 0), (0, 0, 5e8))}, "at most 10 V/Å"),
    ],
)
def test_magnitudes_of_other_units_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        DynamicsSettings(**{"temperature_K": 300.0, **settings})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dielectric": 0.5}, "1 or larger"),
        ({"dielectric": np.diag([2.0, 2.0, 0.9])}, "1 or larger"),
        ({"dielectric": 78.4}, "electrons alone"),
        ({"field_V_per_A": (0, 0, 5e8)}, "V/m"),
    ],
)
def test_the_calculator_refuses_what_cannot_be_meant(settings, message, random_model):
    with pytest.raises(ValueError, match=message):
        LESCalculator(random_model(), **settings)


def test_more_threads_than_cores_are_told():
    try:
        with pytest.warns(UserWarning, match="99 threads on"):
            set_threads(99)
    finally:
        set_threads(1)


@pytest.mark.random_seed
def test_seeds_differ_from_run_to_run_and_are_recorded():
    seeds = {DynamicsSettings(temperature_K=300.0).seed for _ in range(5)}
    assert len(seeds) == 5
    assert DynamicsSettings(temperature_K=300.0, seed=7).seed == 7
