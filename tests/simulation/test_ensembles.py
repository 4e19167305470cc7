"""What each ensemble samples, against distributions that can be written down.

``benchmarks/canonical_sampling.py`` runs the same comparisons longer.
"""

import numpy as np
import pytest
from analytic import BAR, Lengths, Volume, crystal, sample
from ase import Atoms, units
from ase.build import bulk, fcc111
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms, FixBondLength, FixCom
from ase.md.nose_hoover_chain import NoseHooverChainNVT
from scipy import stats

from ase_les.simulation import DynamicsSettings, Stage, run_dynamics
from ase_les.simulation.checks import sampling_notes, unit_notes
from ase_les.simulation.integrators import make_integrator

TEMPERATURE = 300.0
KT = units.kB * TEMPERATURE
COMMON = {"temperature_K": TEMPERATURE, "thermostat_time_fs": 50.0}
MODULUS = 0.05
"""eV/Å³, about 80 kbar."""


@pytest.mark.slow
@pytest.mark.parametrize("ensemble", ["nvt-bussi", "nvt-langevin", "nvt-nose-hoover"])
def test_kinetic_energy_is_distributed_canonically(ensemble):
    # Samples some correlation times (10, 4 and 6 steps) apart.
    energies, freedom = sample(
        crystal(),
        lambda atoms: atoms.get_kinetic_energy(),
        steps=4500,
        every=24,
        skip=200,
        ensemble=ensemble,
        **COMMON,
    )
    expected = stats.gamma(freedom / 2, scale=KT)
    assert freedom == 21
    assert stats.kstest(energies, expected.cdf).pvalue > 1e-3


@pytest.mark.slow
def test_volume_fluctuates_as_the_equation_of_state_says():
    # U = B (V − V0)² / 2 V0: V is normal with mean V0 (1 − P/B) and variance kT V0 / B, which is
    # kT κ V with the compressibility κ of this equation of state.
    start = crystal().cell.volume
    pressure = 4000.0
    volumes, _ = sample(
        crystal(Volume(MODULUS, start)),
        lambda atoms: atoms.cell.volume,
        steps=7000,
        every=40,
        skip=400,
        ensemble="npt-isotropic",
        pressure_bar=pressure,
        barostat_time_fs=60.0,
        compressibility_per_bar=BAR / MODULUS,
        **COMMON,
    )
    mean, spread = start * (1 - pressure * BAR / MODULUS), np.sqrt(KT * start / MODULUS)
    n = len(volumes)
    assert abs(volumes.mean() - mean) < 4 * spread / np.sqrt(n)
    assert abs(volumes.var() / spread**2 - 1) < 4 * np.sqrt(2 / n)
    assert stats.kstest(volumes, stats.norm(mean, spread).cdf).pvalue > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ensemble", "pbc"), [("npt-anisotropic", (1, 1, 1)), ("npt-in-plane", (1, 0, 1))]
)
def test_lengths_fluctuate_each_for_itself_and_the_vacuum_stays(ensemble, pbc):
    chosen = np.array(pbc)
    lengths = crystal().cell.lengths()
    atoms = crystal(Lengths(6 * MODULUS, lengths, chosen))
    atoms.pbc = pbc
    stiffness = 6 * MODULUS * atoms.cell.volume
    strains, _ = sample(
        atoms,
        lambda atoms: np.log(atoms.cell.lengths() / lengths),
        steps=4400,
        every=40,
        skip=400,
        ensemble=ensemble,
        barostat_time_fs=60.0,
        compressibility_per_bar=BAR / (2 * MODULUS),
        **COMMON,
    )
    n = len(strains)
    spread = np.sqrt(KT / stiffness)
    for axis in range(3):
        if chosen[axis]:
            assert abs(strains[:, axis].mean() - spread**2) < 4 * spread / np.sqrt(n)
            assert abs(strains[:, axis].var() / spread**2 - 1) < 5 * np.sqrt(2 / n)
        else:
            assert np.ptp(strains[:, axis]) == 0
    first, second = np.flatnonzero(chosen)[:2]
    correlation = np.corrcoef(strains[:, first], strains[:, second])[0, 1]
    assert abs(correlation) < 4 / np.sqrt(n)
    assert np.allclose(atoms.cell.angles(), 90)


@pytest.mark.parametrize("ensemble", ["nvt-bussi", "nvt-nose-hoover"])
def test_energy_and_what_the_thermostat_gave_are_conserved(ensemble, tmp_path):
    atoms = bulk("Cu", cubic=True) * (2, 1, 1)
    atoms.rattle(0.05, seed=1)
    atoms.calc = EMT()
    result = run_dynamics(
        atoms,
        ensemble=ensemble,
        temperature_K=600.0,
        timestep_fs=2.0,
        steps=250,
        thermostat_time_fs=40.0,
        log_stride=1,
        output=tmp_path / "md",
    )
    given = np.ptp(result.series.total_energy_eV)
    assert given > 0.1
    assert np.ptp(result.series.conserved_eV_per_atom) * len(atoms) < 0.03 * given


def test_slab_with_fixed_atoms_breathes_in_its_plane_and_they_stay_within_the_cell(tmp_path):
    slab = fcc111("Cu", (2, 2, 3), vacuum=5.0)
    slab.set_constraint(FixAtoms(mask=slab.positions[:, 2] < slab.positions[:, 2].mean() - 0.5))
    slab.calc = EMT()
    held = slab.constraints[0].index
    result = run_dynamics(
        slab,
        ensemble="npt-in-plane",
        temperature_K=500.0,
        timestep_fs=4.0,
        steps=60,
        barostat_time_fs=100.0,
        compressibility_per_bar=1e-5,
        output=tmp_path / "md",
    )
    after = result.atoms
    assert not np.allclose(after.cell[:2], slab.cell[:2], rtol=1e-4)
    assert np.array_equal(after.cell[2], slab.cell[2])
    assert np.allclose(after.cell.angles(), slab.cell.angles())
    assert np.allclose(
        after.get_scaled_positions(wrap=False)[held], slab.get_scaled_positions(wrap=False)[held]
    )
    assert np.isfinite(result.pressure_bar.mean)


class CountedEMT(EMT):
    """EMT that counts how often it computes forces."""

    calls = 0

    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        self.calls += 1


@pytest.mark.parametrize(
    "ensemble", ["nve", "nvt-bussi", "nvt-langevin", "nvt-nose-hoover", "npt-isotropic"]
)
def test_a_step_costs_one_force_call(ensemble, tmp_path):
    # The center of mass of such a structure is off by more than ASE's tolerance for positions.
    atoms = bulk("Cu", cubic=True) * (3, 1, 1)
    atoms.numbers[::3] = 79
    atoms.positions += 17.3
    atoms.rattle(0.05, seed=1)
    calls = {}
    for steps in (20, 70):
        atoms.calc = CountedEMT()
        run_dynamics(
            atoms,
            ensemble=ensemble,
            temperature_K=600.0,
            timestep_fs=2.0,
            steps=steps,
            output=tmp_path / f"md{steps}",
        )
        calls[steps] = atoms.calc.calls
    # The difference leaves out what start and end cost.
    assert 50 <= calls[70] - calls[20] <= 53


def nose_hoover(atoms, timestep_fs=2.0):
    """Integrator of atoms with momenta."""
    stage = DynamicsSettings(ensemble="nvt-nose-hoover", **COMMON).protocol[0]
    freedom = atoms.get_number_of_degrees_of_freedom()
    return make_integrator(atoms, stage, timestep_fs, np.random.default_rng(), freedom)


def test_nose_hoover_steps_are_those_of_ase():
    moved = []
    for of_ase in (False, True):
        atoms = bulk("Cu", cubic=True) * (2, 1, 1)
        atoms.set_constraint(FixCom())
        atoms.calc = EMT()
        atoms.set_momenta(2.0 * np.random.default_rng(2).standard_normal((len(atoms), 3)))
        integrator = nose_hoover(atoms)
        for _ in range(50):
            NoseHooverChainNVT.step(integrator) if of_ase else integrator.step()
        moved.append((atoms.positions, atoms.get_momenta(), integrator.given_energy()))
    assert moved[0][2] != 0
    for ours, theirs in zip(*moved, strict=True):
        assert np.abs(ours - theirs).max() < 1e-11


def test_a_force_on_a_held_atom_does_not_reach_the_thermostat():
    # These atoms know of each other by the thermostat only.
    moved = []
    for displaced_A in (0.0, 1.0):
        atoms = crystal()
        atoms.set_constraint(FixAtoms([0]))
        atoms.positions[0, 0] += displaced_A
        atoms.set_momenta(2.0 * np.random.default_rng(2).standard_normal((len(atoms), 3)))
        integrator = nose_hoover(atoms)
        for _ in range(20):
            integrator.step()
        moved.append(atoms.positions[1:])
    assert np.array_equal(*moved)


@pytest.mark.parametrize("ensemble", ["nvt-nose-hoover", "npt-isotropic"])
def test_constraints_that_an_integrator_would_ignore_are_refused(ensemble):
    atoms = bulk("Cu", cubic=True)
    atoms.set_constraint(FixBondLength(0, 1))
    stage = DynamicsSettings(ensemble=ensemble, temperature_K=300.0).protocol[0]
    with pytest.raises(ValueError, match="FixAtoms only, the structure has FixBondLength"):
        make_integrator(atoms, stage, 1.0, np.random.default_rng(), 9)


def test_integrators_refuse_what_has_no_meaning_under_the_boundary_conditions():
    slab, solid = fcc111("Cu", (1, 1, 2), vacuum=5.0), bulk("Cu", cubic=True)
    for atoms, ensemble, message in (
        (slab, "npt-isotropic", "needs three periodic directions"),
        (solid, "npt-in-plane", "is for slabs: two periodic directions"),
    ):
        stage = DynamicsSettings(ensemble=ensemble, temperature_K=300.0).protocol[0]
        with pytest.raises(ValueError, match=message):
            make_integrator(atoms, stage, 1.0, np.random.default_rng(), 9)


# Settings of stages


def test_a_ramp_goes_evenly_from_start_to_end():
    stage = Stage(temperature_K=[100, 300], field_V_per_A=[[0, 0, 0], [0, 0, 0.1]])
    assert stage.targets(0.25).temperature_K == 150
    assert stage.targets(1.0).temperature_K == 300
    assert stage.targets(0.5).field_V_per_A == (0, 0, 0.05)
    assert stage.ramped == ("temperature_K", "field_V_per_A")


def test_a_stage_takes_from_the_run_what_it_leaves_open():
    settings = DynamicsSettings(
        temperature_K=300.0,
        thermostat_time_fs=50.0,
        observe={"dipole": 5},
        stages=[Stage("heat", 10, "nvt-langevin", temperature_K=(50, 300)), {"steps": 20}],
    )
    heat, produce = settings.protocol
    assert (heat.ensemble, heat.temperature_K, heat.steps) == ("nvt-langevin", (50, 300), 10)
    assert (produce.name, produce.ensemble, produce.temperature_K) == ("stage 2", "nvt-bussi", 300)
    assert heat.thermostat_time_fs == produce.thermostat_time_fs == 50.0
    assert produce.observe == {"dipole": {"stride": 5}}
    assert settings.total_steps == 30


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stages": [{"name": "a", "steps": -1}]}, "a: `steps` must be an integer"),
        ({"stages": [{"temperature": 3}]}, "a stage has no setting temperature"),
        ({"temperature_K": (1, 2, 3)}, "must be a number, or a pair"),
        ({"field_V_per_A": (1, 2)}, "must be three finite numbers, or a pair"),
        ({"observe": ["energy:3"]}, "cannot observe 'energy'; observables are current, dipole"),
        ({"observe": ["current:x"]}, "such as current:4, got 'current:x'"),
        ({"observe": {"current": {"stride": 1, "bins": 3}}}, "has a stride but no options"),
        ({"observe": {"current": 0}}, "stride of 'current' must be an integer of at least 1"),
        ({"ensemble": "npt-isotropic", "barostat_time_fs": 0.0}, "`barostat_time_fs` must be"),
    ],
)
def test_settings_without_meaning_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        DynamicsSettings(**({"temperature_K": 300.0} | settings))


@pytest.mark.parametrize(
    ("timestep_fs", "current", "rdf"), [(0.5, 4, 40), (0.3, 6, 66), (3.0, 1, 6)]
)
def test_without_a_stride_the_current_is_measured_every_two_femtoseconds(timestep_fs, current, rdf):
    settings = DynamicsSettings(
        temperature_K=300.0,
        timestep_fs=timestep_fs,
        observe=["current", "dipole", {"rdf": {"r_max_A": 5.0}}],
        stages=[{"steps": 1}, {"steps": 1, "observe": ["current:1", {"rdf": {"r_max_A": 5.0}}]}],
    )
    assert settings.protocol[0].observe == {
        "current": {"stride": current},
        "dipole": {"stride": 1},
        "rdf": {"stride": rdf, "r_max_A": 5.0},
    }
    assert settings.stages[1].observe == {
        "current": {"stride": 1},
        "rdf": {"stride": rdf, "r_max_A": 5.0},
    }


@pytest.mark.parametrize(
    ("symbols", "observe", "remedy"),
    [
        ("OH2", ["current"], None),
        ("OH2", ["current:7"], None),
        ("OH2", ["current:8"], "every 7 steps or more often"),
        ("CO2", ["current:8"], None),
        ("CO2", ["current:14"], "every 13 steps or more often"),
        ("OH2", ["dipole:50"], None),
        ("OH2", ["polarizability:8"], "every 7 steps or more often"),
        ("OH2", [{"layers": {"stride": 8, "edges_A": [3.0]}}], "every 7 steps or more often"),
    ],
)
def test_a_current_recorded_too_rarely_for_the_fastest_vibration_is_noted(symbols, observe, remedy):
    # Sampled every 4 fs, 4170 1/cm are the highest that can be told apart.
    settings = DynamicsSettings(temperature_K=300.0, timestep_fs=0.5, observe=observe)
    notes = sampling_notes(Atoms(symbols), settings)
    assert len(notes) == (remedy is not None)
    assert remedy is None or (remedy in notes[0] and "WARNING" in notes[0])


def test_a_timestep_too_long_for_the_fastest_vibration_is_noted():
    settings = DynamicsSettings(temperature_K=300.0, timestep_fs=4.0, observe=["current"])
    (note,) = sampling_notes(Atoms("OH2"), settings)
    assert "time step of at most 3.8 fs" in note


@pytest.mark.parametrize(("timestep", "warned"), [(0.001, True), (0.0005, True), (0.01, False)])
def test_a_timestep_that_was_meant_in_ps_is_noted(timestep, warned):
    notes = unit_notes(DynamicsSettings(temperature_K=300.0, timestep_fs=timestep))
    assert [f"write {1000 * timestep:g}" in note for note in notes] == [True] * warned


@pytest.mark.parametrize(
    ("pressure", "warned"), [(101325, True), ((1.0, 101325.0), True), (1, False)]
)
def test_a_pressure_that_was_meant_in_pascal_is_noted(pressure, warned):
    settings = DynamicsSettings(
        temperature_K=300.0, ensemble="npt-isotropic", pressure_bar=pressure
    )
    assert ["write 1.01325" in note for note in unit_notes(settings)] == [True] * warned
