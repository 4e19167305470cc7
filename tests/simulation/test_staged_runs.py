"""Stages, ramps and what is observed on the way; all of it comes back after a kill."""

import os
import re
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from analytic import BAR, ChargedCrystal, Volume, crystal
from ase import Atoms, units
from ase.io import read

from ase_les.reading.extended_xyz import read_extended_xyz, write_extended_xyz
from ase_les.reports import dynamics as report
from ase_les.reports import figures
from ase_les.reports import relaxation as relaxation_report
from ase_les.screening import latent_charges
from ase_les.simulation import Series, Stage, measuring, relax, resume_dynamics, run_dynamics
from ase_les.simulation.alarms import make_limits
from ase_les.simulation.ensembles import DynamicsSettings
from ase_les.simulation.observers import read_log
from ase_les.simulation.series import SeriesRecord, read_record

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import random_kills


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own_and_without_figures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(figures, "save_figure", lambda *_: None)


class MeanPosition:
    """The simplest accumulator there is."""

    def __init__(self):
        self.total, self.count = np.zeros(3), 0

    def add(self, atoms):
        self.total += atoms.positions.mean(axis=0)
        self.count += 1

    def state(self):
        return {"total": self.total.copy(), "count": np.array(self.count)}

    def restore(self, state):
        self.total, self.count = state["total"].copy(), int(state["count"])

    @property
    def has_result(self):
        return self.count > 0

    def result(self):
        return self

    def summary(self):
        return {"count": self.count}

    def arrays(self):
        return {"mean": self.total / self.count}


@pytest.fixture
def mean_positions(monkeypatch):
    """Stands in for radial distributions."""
    monkeypatch.setattr(measuring, "make_accumulators", lambda *_: {"rdf-mean": MeanPosition()})


def ions() -> Atoms:
    """Eight ions in a cell that may breathe."""
    return crystal(Volume(0.5, crystal().cell.volume), kind=ChargedCrystal)


def run_quietly(atoms: Atoms, **settings):
    defaults = {"temperature_K": 300.0, "timestep_fs": 2.0}
    return run_dynamics(atoms, **(defaults | settings))


# Ramps and stages


def test_temperature_follows_a_ramp():
    result = run_quietly(
        ions(), temperature_K=(50.0, 600.0), steps=400, thermostat_time_fs=4.0, log_stride=1
    )
    asked = np.linspace(50, 600, 401)
    followed = np.polyfit(asked[50:], result.series.temperature_K[50:], 1)
    assert followed[0] == pytest.approx(1.0, abs=0.25)


def test_volume_follows_a_ramp_of_pressure():
    atoms = ions()
    start = atoms.cell.volume
    result = run_quietly(
        atoms,
        ensemble="npt-isotropic",
        temperature_K=20.0,
        pressure_bar=(0.0, 30_000.0),
        steps=300,
        thermostat_time_fs=20.0,
        barostat_time_fs=20.0,
        compressibility_per_bar=BAR / 0.5,
        log_stride=1,
    )
    expected = start * (1 - 25_000 * BAR / 0.5)
    assert result.series.volume_A3[200:].mean() == pytest.approx(expected, rel=0.008)
    assert result.series.pressure_bar[200:].mean() == pytest.approx(25_000, rel=0.25)


def test_a_constant_field_shifts_ions_and_conserves_the_enthalpy():
    atoms = ions()
    result = run_quietly(atoms, ensemble="nve", field_V_per_A=(0, 0, 0.1), steps=200, log_stride=1)
    exchanged = np.ptp(result.series.kinetic_energy_eV)
    assert np.ptp(result.series.conserved_eV_per_atom) * len(atoms) < 0.02 * exchanged
    assert atoms.calc.field_V_per_A == (0, 0, 0.1)


def test_field_is_ramped_and_no_conserved_quantity_is_claimed_meanwhile():
    seen = []

    class Watched(ChargedCrystal):
        def calculate(self, *args, **kwargs):
            seen.append(self.field_V_per_A[2])
            super().calculate(*args, **kwargs)

    atoms = crystal(Volume(0.5, crystal().cell.volume), kind=Watched)
    ramp = Stage("ramp", 4, field_V_per_A=((0, 0, 0), (0, 0, 0.2)))
    hold = Stage("hold", 4, field_V_per_A=(0, 0, 0.2))
    result = run_quietly(atoms, stages=[ramp, hold], log_stride=1)
    assert sorted(set(np.round(seen, 6))) == [0, 0.05, 0.1, 0.15, 0.2]
    assert np.isnan(result.series.conserved_eV_per_atom[:5]).all()
    assert np.isfinite(result.series.conserved_eV_per_atom[5:]).all()


def test_stages_follow_each_other_and_are_reported_one_by_one():
    result = run_quietly(
        ions(),
        stages=[
            Stage("heat", 30, "nvt-langevin", temperature_K=(100, 300)),
            Stage("produce", 60, "nve", observe={"current": 5}),
        ],
    )
    report.write(result)
    summary = yaml.safe_load(Path("md-summary.yml").read_text())
    heat, produce = summary["results"]["stages"]
    assert (heat["name"], heat["steps"], produce["first_step"]) == ("heat", 30, 30)
    assert heat["drift_meV_per_atom_per_ps"] is None
    assert abs(produce["drift_meV_per_atom_per_ps"]) < 5
    assert summary["results"]["temperature_K"] == produce["temperature_K"]
    assert result.temperature_K == result.stages[1].temperature_K
    # Only the second stage observes.
    assert Series.load("md-current.npz").time_fs.tolist() == [2.0 * n for n in range(35, 91, 5)]


def test_a_ramp_cannot_be_lengthened():
    run_quietly(ions(), temperature_K=(100, 200), steps=10)
    with pytest.raises(ValueError, match=r"with a ramp \(temperature_K\) cannot be changed"):
        resume_dynamics("md", ions().calc, steps=20)


def test_the_last_stage_is_the_one_that_is_lengthened():
    stages = [Stage("a", 10, "nve"), Stage("b", 10)]
    settings = {"checkpoint_stride": 10}
    long = run_quietly(ions(), stages=[stages[0], Stage("b", 30)], output="long", **settings)
    run_quietly(ions(), stages=stages, output="short", **settings)
    resumed = resume_dynamics("short", ions().calc, steps=40)
    assert np.array_equal(long.atoms.positions, resumed.atoms.positions)
    assert resumed.steps == 40


def test_other_stages_are_another_run():
    run_quietly(ions(), stages=[Stage("a", 10, "nve")])
    with pytest.raises(ValueError, match=r"stages is .*given"):
        resume_dynamics("md", ions().calc, stages=[Stage("a", 10)])


# What is observed


def test_dipole_changes_by_the_integral_of_the_current():
    run_quietly(ions(), steps=60, timestep_fs=0.5, observe={"current": 1, "dipole": 3})
    current, dipole = Series.load("md-current.npz"), Series.load("md-dipole.npz")
    flow = current.columns["current_eA_per_fs"]
    moved = np.concatenate([np.zeros((1, 3)), np.cumsum(0.25 * (flow[1:] + flow[:-1]), axis=0)])
    change = dipole.columns["dipole_eA"] - dipole.columns["dipole_eA"][0]
    assert np.abs(change).max() > 0.1
    assert np.allclose(change, moved[::3], atol=2e-3)
    assert np.allclose(dipole.time_fs, 1.5 * np.arange(21))
    assert np.allclose(dipole.columns["volume_A3"], ions().cell.volume)


def test_the_dipole_stays_on_its_branch_where_a_polarization_jumps():
    class Wrapping(ChargedCrystal):
        """A polarization between 0 and 1 quanta; the crystal at rest is at the edge of both."""

        def calculate(self, atoms=None, *args, **kwargs):
            super().calculate(atoms, *args, **kwargs)
            parts = self.charges @ (atoms.get_scaled_positions(wrap=False) - self.sites)
            self.results["polarization"] = (parts % 1.0) @ atoms.cell.array / atoms.cell.volume

    atoms = crystal(kind=Wrapping)
    run_quietly(atoms, steps=100, observe={"dipole": 1}, temperature_K=600.0)
    dipole = Series.load("md-dipole.npz").columns["dipole_eA"]
    directly = []
    for frame in read("md.traj", ":"):
        displacements = frame.positions - atoms.calc.sites @ atoms.cell.array
        directly.append(atoms.calc.charges @ displacements)
    offset = np.linalg.solve(atoms.cell.array.T, dipole[0] - directly[0])
    assert np.allclose(offset, np.rint(offset))
    assert np.ptp(np.floor(directly), axis=0).max() == 1, "the edge must be crossed"
    assert np.allclose(dipole[::10] - dipole[0], directly - directly[0])


def test_pressure_of_a_run_at_constant_volume_is_that_of_the_gas_and_the_crystal():
    # Virial and kinetic part cancel on average: what remains is the elastic stress, none here.
    atoms = ions()
    result = run_quietly(atoms, steps=800, timestep_fs=4.0, log_stride=5, observe={"pressure": 5})
    kinetic = 7 * units.kB * 300 / atoms.cell.volume / BAR
    mean = result.pressure_bar
    assert abs(mean.mean) < 4 * mean.standard_error < kinetic
    assert np.isnan(run_quietly(atoms, steps=5, output="without").pressure_bar.mean)


def test_averages_are_kept_saved_and_summarized(mean_positions):
    report.write(run_quietly(ions(), steps=20, observe={"rdf": 4}, output="run"))
    assert np.load("run-rdf-mean.npz")["mean"].shape == (3,)
    summary = yaml.safe_load(Path("run-summary.yml").read_text())
    assert summary["results"]["averages"] == {"rdf-mean": {"count": 6}}
    assert summary["files"]["rdf-mean"] == "run-rdf-mean.npz"


def test_frames_hold_the_properties_asked_for():
    wanted = ["energy", "born_effective_charges"]
    run_quietly(ions(), steps=20, trajectory_properties=wanted)
    for frame in read("md.traj", ":"):
        assert set(frame.calc.results) == set(wanted)
        assert frame.calc.results["born_effective_charges"].shape == (8, 3, 3)


def test_extended_xyz_gives_born_charges_back():
    wanted = ["energy", "forces", "born_effective_charges"]
    run_quietly(ions(), steps=20, trajectory_properties=wanted)
    write_extended_xyz("md.xyz", read("md.traj", ":"))
    for ours, frame in zip(read_extended_xyz("md.xyz"), read("md.traj", ":"), strict=True):
        assert np.allclose(ours.positions, frame.positions, atol=1e-7)
        assert np.allclose(ours.get_velocities(), frame.get_velocities(), atol=1e-7)
        for name in wanted:
            assert np.allclose(ours.calc.results[name], frame.calc.results[name], atol=1e-7)
    # Anyone else's reader finds nine columns.
    assert read("md.xyz").calc.results["born_effective_charges"].shape == (8, 9)


def test_a_series_comes_back_from_its_file(tmp_path):
    series = Series(np.arange(3.0), {"dipole_eA": np.eye(3), "volume_A3": np.full(3, np.nan)})
    series.save(tmp_path / "series.npz")
    again = Series.load(tmp_path / "series.npz")
    assert np.array_equal(again.time_fs, series.time_fs)
    assert np.array_equal(again.columns["dipole_eA"], np.eye(3))
    with pytest.raises(ValueError, match="column `x` has 2 rows, but there are 3 times"):
        Series(np.arange(3.0), {"x": np.zeros(2)})


@pytest.mark.parametrize("pbc", [True, (True, True, False), False])
def test_only_a_bulk_has_a_volume_to_divide_by(pbc):
    atoms = ions()
    atoms.pbc = pbc
    run_quietly(atoms, steps=5, log_stride=1, observe={"current": 1})
    bulk, slab = atoms.pbc.all(), atoms.pbc.sum() == 2
    recorded = Series.load("md-current.npz").columns["volume_A3"]
    np.testing.assert_allclose(recorded, atoms.cell.volume if bulk else np.nan)
    # The log has the cell as it is given, vacuum included, for pressures refer to it.
    logged = read_log(Path("md.log")).volume_A3
    np.testing.assert_allclose(logged, atoms.cell.volume if bulk or slab else np.nan)


class Screened(ChargedCrystal):
    """Moments scaled with a dielectric constant, which forces know nothing of."""

    implemented_properties = (*ChargedCrystal.implemented_properties, "dielectric_tensor")
    dielectric = 4.0

    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        for name in ("polarization", "born_effective_charges"):
            self.results[name] = np.sqrt(self.dielectric) * self.results[name]
        self.results["dielectric_tensor"] = self.dielectric * np.eye(3)


def test_a_series_knows_the_dielectric_constant_in_its_moments_and_keeps_to_it():
    atoms = crystal(kind=Screened)
    settings = {"observe": {"current": 1, "dipole": 1}, "checkpoint_stride": 5}
    run_quietly(atoms, steps=10, **settings)
    for kind in ("current", "dipole"):
        np.testing.assert_array_equal(Series.load(f"md-{kind}.npz").dielectric, 4.0 * np.eye(3))
    resume_dynamics("md", atoms.calc, steps=15)
    assert len(Series.load("md-dipole.npz").time_fs) == 16
    atoms.calc.dielectric = 1.0
    with pytest.raises(ValueError, match="continue with the same `dielectric`"):
        resume_dynamics("md", atoms.calc, steps=20)


class WithCharges(Screened):
    implemented_properties = (*Screened.implemented_properties, "charges")

    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        self.results["charges"] = np.sqrt(self.dielectric) * self.charges


@pytest.mark.parametrize("wanted", [None, ["energy", "charges"]], ids=["all", "some"])
def test_frames_and_summary_tell_how_charges_are_scaled(wanted):
    atoms = crystal(kind=WithCharges)
    report.write(run_quietly(atoms, steps=10, trajectory_properties=wanted))
    for frame in read("md.traj", ":"):
        np.testing.assert_allclose(latent_charges(frame), atoms.calc.charges, atol=1e-14)
    summary = yaml.safe_load(Path("md-summary.yml").read_text())
    assert summary["charges"]["physical_over_latent"] == 2.0
    relaxation_report.write(relax(atoms, steps=2, output="relaxed"))
    summary = yaml.safe_load(Path("relaxed-summary.yml").read_text())
    assert summary["charges"]["physical_over_latent"] == 2.0


def test_a_record_of_earlier_versions_is_read_and_continued(tmp_path):
    path = tmp_path / "x.raw"
    head = b'{"time_fs": [], "current_eA_per_fs": [3]}\n'
    path.write_bytes(head + np.array([0.0, 1.0, 2.0, 3.0]).tobytes())
    record = SeriesRecord(path, {"current_eA_per_fs": (3,)}, np.eye(3))
    record.append(1.0, np.zeros(3))
    record.close()
    series = read_record(path)
    assert series.time_fs.tolist() == [0.0, 1.0]
    assert series.dielectric is None


def test_half_a_record_is_not_read(tmp_path):
    path = tmp_path / "x.raw"
    record = SeriesRecord(path, {"current_eA_per_fs": (3,)})
    for time in (0.0, 1.0):
        record.append(time, np.full(3, time))
    record.close()
    os.truncate(path, path.stat().st_size - 5)
    assert read_record(path).time_fs.tolist() == [0.0]


# Alarms


class Collapsing(ChargedCrystal):
    """Ions that are drawn together, gently."""

    def calculate(self, atoms=None, *args, **kwargs):
        super().calculate(atoms, *args, **kwargs)
        apart = atoms.positions[1] - atoms.positions[0]
        pull = 2.0 * apart / np.linalg.norm(apart)
        self.results["forces"][0] += pull
        self.results["forces"][1] -= pull


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"min_distance_A": 2.2}, r"atoms 0 \(Cu\) and 1 \(Cu\) are .* closer than 2.2 Å"),
        ({"max_force_eV_per_A": 0.5, "alarm_stride": 1}, r"the force on atom \d+ \(Cu\) is"),
        ({"max_dipole_change_eA": 0.3}, "the dipole has changed by .* max_dipole_change_eA = 0.3"),
        ({"max_temperature_jump_K": 5.0}, "the temperature jumped from"),
        ({"max_temperature_K": 320.0}, "exceeds max_temperature_K = 320 K"),
    ],
)
def test_an_alarm_stops_the_run_keeps_everything_and_says_why(settings, reason):
    kind = ChargedCrystal if "max_force_eV_per_A" in settings else Collapsing
    atoms = crystal(Volume(0.5, crystal().cell.volume), quartic=0.0, kind=kind)
    result = run_quietly(
        atoms, steps=2000, log_stride=1, observe={"dipole": 1}, checkpoint_stride=3, **settings
    )
    assert re.search(reason, result.stopped)
    assert 0 <= result.steps < 2000
    assert result.series.step[-1] == result.steps
    assert len(Series.load("md-dipole.npz").time_fs) == result.steps + 1
    assert result.summary()["results"]["stopped"] == result.stopped


def test_the_card_of_a_model_sets_the_closest_contact():
    atoms = ions()
    atoms.calc.model = type("Model", (), {"card": {"closest_contact_A": 3.5}})()
    with pytest.raises(ValueError, match=r"closer than 2.975 Å"):
        run_quietly(atoms, steps=10)


def test_a_card_without_contacts_leaves_the_limit_of_the_elements():
    card = {"closest_contact_A": 0.0, "largest_force_eV_per_A": 0.0}
    of_isolated_atoms = type("Calculator", (), {"model": type("Model", (), {"card": card})()})()
    settings = DynamicsSettings(temperature_K=300.0)
    found, usual = (make_limits(settings, each) for each in (of_isolated_atoms, None))
    assert (found.closest_A == usual.closest_A).all() and found.closest_A.min() > 0
    assert np.isinf(found.max_force_eV_per_A)


def test_forces_beyond_twice_those_of_the_training_stop_a_run():
    atoms = ions()
    atoms.rattle(0.1, seed=1)
    largest = np.linalg.norm(atoms.get_forces(), axis=1).max()
    trained = {"largest_force_eV_per_A": float(largest) / 2.1}
    atoms.calc.model = type("Model", (), {"card": trained})()
    with pytest.raises(ValueError, match=r"more than .* outside the domain of the model"):
        run_quietly(atoms, steps=10)
    run_quietly(atoms, steps=1, max_force_eV_per_A=100.0)
    atoms.calc.model.card = {"largest_force_eV_per_A": float(largest)}
    run_quietly(atoms, steps=1, output="allowed")


def test_a_model_of_one_density_refuses_constant_pressure_unless_told():
    atoms = ions()
    card = {"name": "one-density", "named_limits": {"constant-pressure": "one density"}}
    atoms.calc.model = type("Model", (), {"card": card})()
    with pytest.raises(ValueError, match=r"one-density.*`beyond_limits`"):
        run_quietly(atoms, ensemble="npt-isotropic", steps=2, output="refused")
    assert not list(Path().glob("refused*"))
    result = run_quietly(atoms, ensemble="npt-isotropic", steps=2, beyond_limits=True)
    assert any("exceeds the limits" in note and "one density" in note for note in result.notes)
    notes = run_quietly(atoms, steps=2, output="nvt").notes
    assert not any("exceeds" in note for note in notes)
    assert any("limits of the model: constant-pressure (one density)" in note for note in notes)


# Kills


def test_a_run_killed_again_and_again_ends_as_if_nothing_had_been(mean_positions, tmp_path):
    told = random_kills.measure(kills=5, seed=3, folder=tmp_path)
    assert told["kills"] >= 5
    assert told["different"] == []
    assert told["identical_runs"] == told["runs"]


def test_what_comes_between_two_files_of_a_checkpoint_does_not_matter(mean_positions, tmp_path):
    """Killed in the moment the new checkpoint is ready but not yet in its place."""
    settings = random_kills.protocol("nvt-nose-hoover", "npt-anisotropic")
    random_kills.in_a_process(tmp_path / "straight", settings, None)
    child = os.fork()
    if child == 0:
        replace, calls = os.replace, []

        def dying(*names):
            calls.append(names)
            if len(calls) == 20:
                os.kill(os.getpid(), signal.SIGKILL)
            replace(*names)

        os.replace = dying
        random_kills.run(tmp_path / "victim", settings)
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    assert list(tmp_path.glob(".*.unfinished"))
    random_kills.in_a_process(tmp_path / "victim", settings, None)
    assert random_kills.identical(tmp_path / "straight", tmp_path / "victim") == []
