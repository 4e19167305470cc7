"""Dynamics: what nature conserves, what the thermostats promise, and exact restarts."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase import Atoms, units
from ase.build import bulk, fcc111
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.constraints import FixAtoms
from ase.io import read

from ase_les.reports import dynamics as report
from ase_les.reports import figures
from ase_les.reports.terminal import TerminalProgress
from ase_les.runs.lock import OutputInUseError
from ase_les.simulation import DynamicsError, DynamicsSettings, resume_dynamics, run_dynamics
from ase_les.simulation.checkpoint import read_checkpoint
from ase_les.simulation.ensembles import ENSEMBLES
from ase_les.simulation.observers import read_log


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def no_figures(monkeypatch, request):
    """Drawing takes longer than all else; one test below draws."""
    if "draws" not in request.fixturenames:
        monkeypatch.setattr(figures, "save_figure", lambda *_: None)


@pytest.fixture
def draws():
    """Asked for by tests that look at the figure."""


class Interrupting(EMT):
    """EMT during whose n-th evaluation someone presses Ctrl-C."""

    name = "emt"

    def __init__(self, evaluation: int):
        super().__init__()
        self.left = evaluation

    def calculate(self, *args, **kwargs):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)
        super().calculate(*args, **kwargs)


class Springs(Calculator):
    """A spring between every two atoms, at rest at the lengths it is given."""

    implemented_properties = ("energy", "forces")

    def __init__(self, rest: np.ndarray, stiffness: float):
        super().__init__()
        self.rest = rest
        self.stiffness = stiffness

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        vectors = atoms.positions[:, None] - atoms.positions
        lengths = np.linalg.norm(vectors, axis=2) + np.eye(len(atoms))
        stretch = lengths - self.rest - np.eye(len(atoms))
        self.results = {
            "energy": 0.25 * self.stiffness * np.sum(stretch**2),
            "forces": -self.stiffness * np.sum((stretch / lengths)[:, :, None] * vectors, axis=1),
        }


class Breaking(EMT):
    """EMT whose results go wrong at the n-th evaluation, in a way of choice."""

    def __init__(self, evaluation: int, spoil):
        super().__init__()
        self.left = evaluation
        self.spoil = spoil

    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        self.left -= 1
        if self.left <= 0:
            self.spoil(self.results)


class NoForces(Calculator):
    """Atoms that do not know of each other."""

    implemented_properties = ("energy", "forces")

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.results = {"energy": 0.0, "forces": np.zeros((len(atoms), 3))}


def ideal_gas() -> Atoms:
    gas = Atoms("Ar400", np.random.default_rng(0).uniform(0, 60, (400, 3)))
    gas.calc = NoForces()
    return gas


def copper() -> Atoms:
    atoms = bulk("Cu", cubic=True) * (2, 1, 1)
    atoms.rattle(0.05, seed=1)
    atoms.info["charge"] = 1
    masses = atoms.get_masses()
    masses[3] = 64.9278
    atoms.set_masses(masses)
    atoms.calc = EMT()
    return atoms


def triatomic() -> Atoms:
    atoms = Atoms("ArNeAr", [[0, 0, 0], [1.6, 0, 0], [0.5, 1.4, 0]])
    atoms.calc = Springs(atoms.get_all_distances(), stiffness=20.0)
    return atoms


def run_quietly(atoms: Atoms, **settings):
    defaults = {"temperature_K": 300.0, "timestep_fs": 4.0}
    if isinstance(atoms.calc, NoForces):
        defaults["min_distance_A"] = 1e-6
    return run_dynamics(atoms, **(defaults | settings))


# Energy and temperature


def test_nve_conserves_energy_of_a_copper_crystal():
    result = run_quietly(copper(), ensemble="nve", steps=100, log_stride=1)
    energy = result.series.total_energy_eV
    exchanged = np.ptp(result.series.kinetic_energy_eV)
    assert np.ptp(energy) < 0.01 * exchanged
    assert abs(result.drift_meV_per_atom_per_ps) < 0.05


def test_what_the_bussi_thermostat_gives_is_accounted_for():
    result = run_quietly(
        copper(), ensemble="nvt-bussi", steps=100, log_stride=1, thermostat_time_fs=40.0
    )
    given = np.ptp(result.series.total_energy_eV)
    assert given > 0.1
    assert np.ptp(result.series.conserved_eV_per_atom) * 8 < 0.03 * given


def test_langevin_dynamics_claim_no_conserved_quantity():
    result = run_quietly(copper(), ensemble="nvt-langevin", steps=20)
    assert np.isnan(result.series.conserved_eV_per_atom).all()
    assert np.isnan(result.drift_meV_per_atom_per_ps)


@pytest.mark.parametrize("ensemble", ["nvt-bussi", "nvt-langevin"])
def test_each_vibration_of_an_isolated_molecule_holds_half_kT(ensemble):
    # The potential energy knows nothing of how degrees of freedom were counted.
    result = run_quietly(
        triatomic(),
        ensemble=ensemble,
        temperature_K=200.0,
        timestep_fs=6.0,
        thermostat_time_fs=150.0,
        steps=3500,
        log_stride=4,
        trajectory_stride=3500,
        checkpoint_stride=3500,
    )
    expected = 3 * 0.5 * units.kB * 200.0
    measured = result.potential_energy_eV
    assert measured.standard_error < 0.15 * expected
    assert abs(measured.mean - expected) < 4 * measured.standard_error
    assert abs(result.temperature_K.mean - 200.0) < 4 * result.temperature_K.standard_error


def test_langevin_velocities_are_forgotten_within_the_thermostat_time():
    gas = run_quietly(ideal_gas(), ensemble="nve", steps=0, output="start").atoms
    gas.calc = NoForces()
    later = run_quietly(gas, ensemble="nvt-langevin", thermostat_time_fs=200.0, steps=50).atoms
    before, after = gas.get_velocities().ravel(), later.get_velocities().ravel()
    assert before @ after / (before @ before) == pytest.approx(np.exp(-1), abs=0.1)


def test_bussi_kinetic_energy_relaxes_within_the_thermostat_time():
    gas = run_quietly(ideal_gas(), ensemble="nve", steps=0, output="start").atoms
    gas.calc = NoForces()
    result = run_quietly(gas, temperature_K=3000.0, thermostat_time_fs=200.0, steps=50)
    first, last = result.series.temperature_K[[0, -1]]
    assert (3000.0 - last) / (3000.0 - first) == pytest.approx(np.exp(-1), abs=0.1)


def test_log_agrees_with_the_trajectory():
    result = run_quietly(copper(), steps=20, trajectory_stride=5, log_stride=5)
    frames = read("md.traj", index=":")
    series = result.series
    assert series.step.tolist() == [0, 5, 10, 15, 20]
    assert np.allclose(series.time_ps, 0.004 * series.step)
    for frame, potential, kinetic in zip(
        frames, series.potential_energy_eV, series.kinetic_energy_eV, strict=True
    ):
        assert frame.get_potential_energy() == pytest.approx(potential, abs=1e-7)
        assert frame.get_kinetic_energy() == pytest.approx(kinetic, abs=1e-7)
        fresh = frame.copy()
        fresh.calc = EMT()
        assert np.allclose(frame.get_forces(), fresh.get_forces(), atol=1e-8)


# How atoms start


def test_drawn_velocities_have_the_temperature_and_neither_drift_nor_rotation():
    start = run_quietly(ideal_gas(), ensemble="nve", steps=0).atoms
    assert np.abs(start.get_momenta().sum(axis=0)).max() < 1e-10
    assert np.abs(start.get_angular_momentum()).max() < 1e-8
    temperature = 2 * start.get_kinetic_energy() / (units.kB * (3 * 400 - 6))
    assert temperature == pytest.approx(300.0, rel=4 * np.sqrt(2 / 1194))


def test_given_velocities_are_kept():
    atoms = copper()
    momenta = np.random.default_rng(5).normal(size=(len(atoms), 3))
    momenta -= atoms.get_masses()[:, None] * momenta.sum(axis=0) / atoms.get_masses().sum()
    atoms.set_momenta(momenta)
    result = run_quietly(atoms, ensemble="nve", temperature_K=None, steps=0)
    assert np.allclose(result.atoms.get_momenta(), momenta, atol=1e-12)
    assert not any("drawn" in note for note in result.notes)


def test_same_seed_same_trajectory_other_seed_another():
    one, again, other = (
        run_quietly(copper(), steps=10, seed=seed, output=name).atoms.positions
        for seed, name in ((7, "one"), (7, "again"), (8, "other"))
    )
    assert np.array_equal(one, again)
    assert not np.allclose(one, other)


def test_given_atoms_are_not_moved():
    atoms = copper()
    before = atoms.copy()
    run_quietly(atoms, steps=5)
    assert atoms == before
    assert not atoms.constraints


def test_fixed_atoms_stay_and_are_not_counted():
    slab = fcc111("Cu", (2, 2, 3), vacuum=5.0)
    slab.set_constraint(FixAtoms(mask=slab.positions[:, 2] < slab.positions[:, 2].mean() - 0.5))
    slab.calc = EMT()
    result = run_quietly(slab, steps=20)
    held = slab.constraints[0].index
    assert np.array_equal(result.atoms.positions[held], slab.positions[held])
    assert result.degrees_of_freedom == 3 * (len(slab) - len(held))
    assert read("md.traj").constraints[0].index.tolist() == held.tolist()


# Restarts

IN_A_PERIODIC_CELL = [name for name in ENSEMBLES if name != "npt-in-plane"]


def full_and_interrupted(ensemble, interrupt, atoms=copper, **more):
    settings = {
        "ensemble": ensemble,
        "temperature_K": 900.0,  # hot enough to make neighbor lists be rebuilt
        "steps": 50,
        "checkpoint_stride": 20,
        "trajectory_stride": 3,
        "log_stride": 2,
        "seed": 0,
    } | more
    full = run_quietly(atoms(), output="full", **settings)
    interrupt(settings)
    return full, resume_dynamics("part", EMT())


def assert_identical(full, resumed):
    assert resumed.stopped is None
    assert resumed.steps == full.steps
    assert np.array_equal(resumed.atoms.positions, full.atoms.positions)
    assert np.array_equal(resumed.atoms.get_momenta(), full.atoms.get_momenta())
    assert np.array_equal(resumed.atoms.cell, full.atoms.cell)
    assert resumed.atoms == full.atoms
    assert Path("part.log").read_bytes() == Path("full.log").read_bytes()
    assert Path("part.traj").read_bytes() == Path("full.traj").read_bytes()
    assert resumed.drift_meV_per_atom_per_ps == pytest.approx(
        full.drift_meV_per_atom_per_ps, nan_ok=True
    )


@pytest.mark.parametrize("evaluation", [3, 24, 47])
@pytest.mark.parametrize("ensemble", IN_A_PERIODIC_CELL)
def test_restart_continues_the_same_trajectory(ensemble, evaluation):
    def press_ctrl_c(settings):
        atoms = copper()
        atoms.calc = Interrupting(evaluation)
        part = run_quietly(atoms, output="part", **settings)
        assert part.stopped.startswith("SIGINT") and 0 < part.steps < 50

    assert_identical(*full_and_interrupted(ensemble, press_ctrl_c))


def test_restart_after_restart_continues_the_same_trajectory():
    def press_ctrl_c_twice(settings):
        atoms = copper()
        atoms.calc = Interrupting(24)
        run_quietly(atoms, output="part", **settings)
        assert resume_dynamics("part", Interrupting(27)).stopped is not None

    assert_identical(*full_and_interrupted("nvt-bussi", press_ctrl_c_twice))


@pytest.mark.slow
@pytest.mark.parametrize("ensemble", ["nvt-bussi", "npt-isotropic"])
def test_restart_after_a_kill_in_the_middle_of_a_frame(ensemble):
    def kill(settings):
        # The process dies when positions of a frame are on the disk, its index entry is not.
        script = f"""
            import os, signal, sys
            sys.path[:0] = {sys.path!r}
            from ase.io import ulm
            from test_dynamics import copper, run_quietly
            finish, frames = ulm.Writer.sync, [0]
            def sync(writer):
                frames[0] += 1
                if frames[0] == 12:
                    writer.fd.flush()
                    os.kill(os.getpid(), signal.SIGKILL)
                finish(writer)
            ulm.Writer.sync = sync
            run_quietly(copper(), output="part", **{settings!r})
        """
        # All of the environment: it may say which kernels linear algebra uses, to the last digit.
        here = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
        killed = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], env=here)
        assert killed.returncode == -signal.SIGKILL
        assert Path("part.log").stat().st_size < Path("full.log").stat().st_size

    assert_identical(*full_and_interrupted(ensemble, kill))


def test_restart_under_constraints_continues_the_same_trajectory():
    def held():
        atoms = copper()
        atoms.set_constraint(FixAtoms([0, 1]))
        return atoms

    def press_ctrl_c(settings):
        atoms = held()
        atoms.calc = Interrupting(30)
        run_quietly(atoms, output="part", **settings)

    full, resumed = full_and_interrupted("nvt-langevin", press_ctrl_c, atoms=held)
    assert np.array_equal(resumed.atoms.positions, full.atoms.positions)
    assert np.array_equal(resumed.atoms.get_momenta(), full.atoms.get_momenta())
    assert Path("part.log").read_bytes() == Path("full.log").read_bytes()


class Remembering(EMT):
    """EMT whose forces depend on how often it was called, as those of a neighbor list do."""

    name = "emt"
    calls = 0

    def reset(self):
        super().reset()
        self.calls = 0

    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        self.calls += 1
        self.results["forces"] = self.results["forces"] * (1 + 1e-9 * self.calls)


@pytest.mark.parametrize("stop", [4, 20, 23])
def test_a_run_lengthened_between_checkpoints_is_the_long_run(stop):
    def remembering():
        atoms = copper()
        atoms.calc = Remembering()
        return atoms

    settings = {"checkpoint_stride": 10, "temperature_K": 900.0}
    long = run_quietly(remembering(), output="full", steps=37, **settings)
    run_quietly(remembering(), output="part", steps=stop, **settings)
    assert_identical(long, resume_dynamics("part", Remembering(), steps=37))


def test_a_lengthened_run_keeps_its_length_between_checkpoints():
    """The new number of steps is stored, although the next checkpoint is far away."""
    settings = {"checkpoint_stride": 1000, "temperature_K": 900.0}
    run_quietly(copper(), output="part", steps=10, **settings)
    resume_dynamics("part", EMT(), steps=25)
    again = resume_dynamics("part", EMT())
    assert again.steps == 25
    assert_identical(run_quietly(copper(), output="full", steps=25, **settings), again)


def test_a_second_resume_is_refused_while_the_run_goes_on():
    class Resuming(EMT):
        """EMT during whose evaluation the same run is resumed again."""

        name = "emt"
        calls = 0

        def calculate(self, *args, **kwargs):
            super().calculate(*args, **kwargs)
            self.calls += 1
            if self.calls == 15:
                with pytest.raises(OutputInUseError, match=f"process {os.getpid()} on"):
                    resume_dynamics("part", EMT())
                with pytest.raises(OutputInUseError):
                    run_quietly(copper(), output="part", steps=5, overwrite=True)

    atoms = copper()
    atoms.calc = Resuming()
    settings = {"steps": 50, "checkpoint_stride": 5}
    part = run_quietly(atoms, output="part", **settings)
    assert atoms.calc.calls > 15
    assert_identical(run_quietly(copper(), output="full", **settings), part)


def test_a_lengthened_run_is_the_long_run():
    settings = {"checkpoint_stride": 10, "temperature_K": 900.0}
    long = run_quietly(copper(), output="full", steps=40, **settings)
    run_quietly(copper(), output="part", steps=20, **settings)
    assert_identical(long, resume_dynamics("part", EMT(), steps=40))


def test_checkpoint_gives_the_state_back_bit_for_bit():
    result = run_quietly(copper(), steps=7, checkpoint_stride=7)
    stored = read_checkpoint(result.files.checkpoint)
    assert stored.step == 7
    assert np.array_equal(stored.atoms.positions, result.atoms.positions)
    assert np.array_equal(stored.atoms.get_momenta(), result.atoms.get_momenta())
    assert np.array_equal(stored.atoms.get_masses(), result.atoms.get_masses())
    assert np.array_equal(stored.atoms.cell, result.atoms.cell)
    assert stored.atoms.info == {"charge": 1}
    assert DynamicsSettings(**stored.settings) == result.settings


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"temperature_K": 310.0}, "temperature_K is 300.0, given 310.0"),
        ({"ensemble": "nve"}, "ensemble is 'nvt-bussi', given 'nve'"),
        ({"atoms": bulk("Ag", cubic=True) * (2, 1, 1)}, "the atoms are Cu8, given Ag8"),
        ({"calculator": LennardJones()}, "differ by up to"),
        ({"steps": 3}, "is already at step 10"),
    ],
)
def test_another_run_is_not_resumed(change, named):
    run_quietly(copper(), steps=10)
    before = {path.name: path.read_bytes() for path in Path().iterdir()}
    with pytest.raises(ValueError, match=named):
        resume_dynamics("md", **({"calculator": EMT()} | change))
    assert before == {path.name: path.read_bytes() for path in Path().iterdir()}


def test_another_charge_is_another_run():
    run_quietly(copper(), steps=10)
    neutral = copper()
    neutral.info["charge"] = 0
    with pytest.raises(ValueError, match="charge is 1, given 0"):
        resume_dynamics("md", EMT(), atoms=neutral)


def test_a_trajectory_that_lost_frames_is_not_continued():
    result = run_quietly(copper(), steps=20, checkpoint_stride=20)
    os.truncate(result.files.trajectory, 2000)
    with pytest.raises(ValueError, match="it was truncated, replaced or moved"):
        resume_dynamics("md", EMT())


def test_resuming_nothing_says_so():
    with pytest.raises(FileNotFoundError, match=r"no checkpoint at nothing\.checkpoint"):
        resume_dynamics("nothing", EMT())


def test_an_earlier_run_is_replaced_only_when_allowed():
    first = run_quietly(copper(), steps=10)
    with pytest.raises(FileExistsError, match=r"--resume.*--overwrite"):
        run_quietly(copper(), steps=5)
    assert read_log(first.files.log).step[-1] == 10
    run_quietly(copper(), steps=20, overwrite=True)
    assert read_log(first.files.log).step.tolist() == [0, 10, 20]


# What goes wrong


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda results: results.update(energy=np.nan), "the energy is nan"),
        (lambda results: results["forces"].__setitem__((4, 1), np.inf), "the forces on atoms 4"),
        (lambda results: results.update(forces=results["forces"] * 1e5), "the temperature"),
    ],
)
def test_a_run_that_leaves_physics_stops_and_keeps_what_it_has(spoil, reason):
    atoms = copper()
    # One evaluation for the check, one for the checkpoint, one per step: this is step 14.
    atoms.calc = Breaking(1 + 1 + 14, spoil)
    result = run_quietly(atoms, steps=100, log_stride=1, trajectory_stride=1)
    assert reason in result.stopped
    assert result.steps in (13, 14)
    assert read_log("md.log").step.tolist() == list(range(result.steps + 1))
    frames = read("md.traj", index=":")
    assert len(frames) == result.steps + 1
    assert all(np.isfinite(frame.positions).all() for frame in frames)
    assert result.summary()["results"]["stopped"] == result.stopped
    assert resume_dynamics("md", EMT()).stopped is None


def test_an_error_of_the_calculator_is_raised_after_the_files_are_in_order():
    def fail(_):
        raise RuntimeError("out of memory")

    atoms = copper()
    atoms.calc = Breaking(10, fail)
    with pytest.raises(DynamicsError, match="out of memory") as raised:
        run_quietly(atoms, steps=100, log_stride=1)
    assert isinstance(raised.value.__cause__, RuntimeError)
    result = raised.value.result
    assert result.stopped == f"step {read_log('md.log').step[-1] + 1}: out of memory"
    assert resume_dynamics("md", EMT()).stopped is None


def doubled():
    atoms = copper()
    atoms.positions[5] = atoms.positions[6] + atoms.cell[0] + [0.1, 0, 0]
    return atoms


def charged_by_half():
    atoms = copper()
    atoms.info["charge"] = 0.5
    return atoms


def lost():
    atoms = copper()
    atoms.positions[2, 1] = np.nan
    return atoms


def without_cell():
    return Atoms("Cu2", [[0, 0, 0], [0, 0, 2.5]], pbc=True, calculator=EMT())


def without_calculator():
    return bulk("Cu")


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (doubled, {}, r"atoms 5 \(Cu\) and 6 \(Cu\) are 0.100 Å apart"),
        (lost, {}, "positions of atoms 2 are not finite"),
        (without_cell, {}, "every periodic direction needs its own cell vector"),
        (without_calculator, {}, "no calculator"),
        (copper, {"temperature_K": None}, "needs `temperature_K`"),
        (copper, {"ensemble": "nve", "temperature_K": None}, "the structure has no velocities"),
        (copper, {"ensemble": "npt"}, "`ensemble` must be one of"),
        (charged_by_half, {}, "the total charge must be an integer in e"),
        (copper, {"observe": ["current:1"]}, "the current needs the property 'born_effective_ch"),
        (copper, {"field_V_per_A": (0, 0, 1)}, "needs a calculator with an attribute of that name"),
        (copper, {"trajectory_properties": ["charges"]}, "EMT does not provide 'charges'"),
        (copper, {"min_distance_A": 2.8}, r"would stop the run immediately: atoms \d+ \(Cu\)"),
        (copper, {"timestep_fs": -1.0}, "`timestep_fs` must be positive and finite, got -1.0"),
        (copper, {"log_stride": 0}, "`log_stride` must be an integer of at least 1, got 0"),
        (copper, {"ensemble": "nvt-langevin", "thermostat_time_fs": 5.0}, "at least 10 time"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_is_written(make, settings, message):
    with pytest.raises(ValueError, match=message):
        run_quietly(make(), **settings)
    assert list(Path().iterdir()) == []


# What is told


def test_summary_says_what_was_run_and_what_came_out():
    atoms = copper()
    atoms.calc.model_hash = "abc123"
    result = run_quietly(atoms, steps=20, provenance={"model": "some-model"})
    report.write(result)
    summary = yaml.safe_load(Path("md-summary.yml").read_text())
    assert DynamicsSettings(**summary["input"]["settings"]) == result.settings
    assert summary["input"]["calculator"]["model_hash"] == "abc123"
    assert summary["input"]["provenance"] == {"model": "some-model"}
    assert summary["input"]["structure"]["charge_e"] == 1
    assert {"ase", "numpy"} <= set(summary["versions"])
    assert summary["results"]["time_ps"] == pytest.approx(0.08)
    assert summary["results"]["temperature_K"]["mean"] == result.temperature_K.mean
    assert summary["results"]["ns_per_day"] == pytest.approx(
        summary["results"]["steps_per_second"] * 86400 * 4e-6
    )


def test_a_log_that_no_one_watches_stays_short(capsys):
    report.show(run_quietly(copper(), steps=60, progress=TerminalProgress()))
    told = capsys.readouterr()
    assert told.out == ""
    assert 5 < len(told.err.splitlines()) < 20
    assert "velocities drawn" in told.err


def test_a_quiet_run_is_silent(capsys):
    result = run_quietly(copper(), steps=10)
    report.show(result, quiet=True)
    report.show(run_quietly(copper(), overwrite=True, progress=TerminalProgress(True)), quiet=True)
    assert capsys.readouterr() == ("", "")


def test_an_interrupted_run_tells_how_to_go_on(capsys):
    atoms = copper()
    atoms.calc = Interrupting(5)
    report.show(run_quietly(atoms, steps=50, output="my run", provenance={"model": "m"}))
    assert "ase-les md --resume 'my run'" in capsys.readouterr().err


def test_a_run_that_would_fail_again_is_not_told_to_go_on(capsys):
    result = run_quietly(copper(), timestep_fs=100.0, provenance={"model": "m"})
    report.show(result)
    assert result.stopped is not None
    told = capsys.readouterr().err
    assert "--resume" not in told
    assert "a shorter time step" in told


def test_after_a_run_ctrl_c_means_what_it_meant_before():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    atoms = copper()
    atoms.calc = Interrupting(5)
    run_quietly(atoms, steps=50)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_figure_is_drawn(draws):
    result = run_quietly(copper(), steps=20)
    report.write(result)
    assert result.files.figure.read_bytes().startswith(b"\x89PNG")
