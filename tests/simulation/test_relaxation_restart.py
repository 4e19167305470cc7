"""A relaxation that was stopped, in whatever way, takes the steps it would have taken."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms
from ase.io import read

from ase_les import LESCalculator
from ase_les.reports import figures
from ase_les.runs.output import RunFiles
from ase_les.simulation import relax, resume_relaxation
from ase_les.simulation.checkpoint import read_relaxation_checkpoint


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(figures, "save_figure", lambda *_: None)


def alloy(calculator=None) -> Atoms:
    atoms = bulk("Cu", cubic=True)
    atoms.symbols[1] = "Au"
    atoms.rattle(0.15, seed=3)
    atoms.set_cell(atoms.cell.array @ [[1.03, 0.02, 0], [0, 0.98, 0], [0.01, 0, 1]], True)
    atoms.calc = EMT() if calculator is None else calculator
    return atoms


def slab() -> Atoms:
    atoms = fcc111("Cu", (2, 2, 3), vacuum=6.0)
    atoms.rattle(0.1, seed=1)
    atoms.set_constraint(FixAtoms([0, 1]))
    atoms.info["name"] = "Cu(111)"
    atoms.calc = EMT()
    return atoms


def same_run(straight, resumed):
    assert straight.steps == resumed.steps
    assert straight.converged == resumed.converged
    assert straight.energy_eV == resumed.energy_eV
    assert straight.energy_change_eV == resumed.energy_change_eV
    assert np.array_equal(straight.atoms.positions, resumed.atoms.positions)
    assert np.array_equal(straight.atoms.cell, resumed.atoms.cell)
    for ending in (".log", ".traj"):
        one, other = (Path(str(each.files.stem) + ending) for each in (straight, resumed))
        if straight.atoms.constraints and ending == ".traj":
            # ASE repeats its header, constraints and all, in frames added to an old file.
            assert read(one, ":") == read(other, ":")
        else:
            assert one.read_bytes() == other.read_bytes()


class Stops(EMT):
    """Receives Ctrl-C at one of its evaluations."""

    name = "emt"

    def __init__(self, at):
        super().__init__()
        self.left = at

    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("optimizer", "cell", "stop"),
    [
        ("bfgs", "fixed", 4),
        ("bfgs", "full", 14),
        ("bfgs", "isotropic", 9),
        ("lbfgs", "fixed", 9),
        ("lbfgs", "full", 14),
        ("fire", "fixed", 9),
        ("fire", "full", 14),
    ],
)
def test_after_ctrl_c_the_steps_are_those_of_an_uninterrupted_run(optimizer, cell, stop):
    settings = {
        "optimizer": optimizer,
        "cell": cell,
        "fmax": 1e-4,
        "steps": 25,
        "checkpoint_stride": 4,
    }
    straight = relax(alloy(), output="straight", **settings)
    first = relax(alloy(Stops(stop)), output="stopped", **settings)
    assert first.stopped is not None and "SIGINT received" in first.stopped
    assert first.steps < straight.steps
    same_run(straight, resume_relaxation("stopped", EMT()))


@pytest.mark.slow
def test_a_checkpoint_grows_with_the_atoms_and_not_with_their_square():
    """A Hessian of 108 atoms alone takes 840 kB."""
    atoms = bulk("Cu", cubic=True) * (3, 3, 3)
    atoms.rattle(0.1, seed=1)
    atoms.calc = EMT()
    settings = {"optimizer": "bfgs", "fmax": 1e-4, "checkpoint_stride": 2}
    straight = relax(atoms, output="straight", steps=6, **settings)
    relax(atoms, output="short", steps=4, **settings)
    assert Path("short.checkpoint").stat().st_size < 100_000
    same_run(straight, resume_relaxation("short", EMT(), steps=6))


@pytest.mark.slow
def test_a_longer_search_continues_a_shorter_one():
    settings = {"fmax": 1e-6, "cell": "full", "checkpoint_stride": 7}
    straight = relax(alloy(), output="straight", steps=30, **settings)
    relax(alloy(), output="short", steps=13, **settings)
    resumed = resume_relaxation("short", EMT(), steps=30)
    same_run(straight, resumed)
    assert "resumed at step 7" in resumed.notes


@pytest.mark.slow
def test_constraints_and_info_come_back():
    settings = {"fmax": 0.03, "checkpoint_stride": 3, "cell": "in-plane"}
    straight = relax(slab(), output="straight", **settings)
    relax(slab(), output="short", steps=5, **settings)
    resumed = resume_relaxation("short", EMT(), steps=500)
    same_run(straight, resumed)
    assert resumed.converged
    assert resumed.atoms.constraints[0].index.tolist() == [0, 1]
    assert resumed.atoms.info["name"] == "Cu(111)"


def test_symmetry_comes_back():
    def crystal():
        atoms = bulk("Cu", cubic=True) * (2, 1, 1)
        atoms.symbols[0] = "Au"
        atoms.set_cell(atoms.cell.array * [1.05, 0.98, 0.98], True)
        atoms.calc = EMT()
        return atoms

    settings = {"symmetry": True, "cell": "full", "fmax": 1e-4, "checkpoint_stride": 3}
    straight = relax(crystal(), output="straight", **settings)
    relax(crystal(), output="short", steps=5, **settings)
    resumed = resume_relaxation("short", EMT(), steps=500)
    same_run(straight, resumed)
    assert straight.converged and straight.steps > 6


def test_a_model_with_a_neighbor_list_that_remembers_takes_the_same_steps(random_model):
    def water():
        rng = np.random.default_rng(3)
        gas = Atoms(cell=np.eye(3) * 6.4, pbc=True)
        for corner in np.ndindex(2, 2, 2):
            one = molecule("H2O")
            one.rotate(360 * rng.random(), rng.normal(size=3))
            one.translate(3.2 * np.array(corner) - one.get_center_of_mass())
            gas += one
        gas.calc = LESCalculator(random_model(), dtype="float32", skin=0.3)
        return gas

    settings = {"fmax": 1e-6, "checkpoint_stride": 5, "optimizer": "lbfgs"}
    straight = relax(water(), output="straight", steps=17, **settings)
    relax(water(), output="short", steps=8, **settings)
    fresh = LESCalculator(random_model(), dtype="float32", skin=0.3)
    same_run(straight, resume_relaxation("short", fresh, steps=17))


class SlowEMT(EMT):
    """Leaves time to be killed in."""

    name = "emt"

    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        time.sleep(2e-3)


CHECKPOINT = Path("killed.checkpoint")


def steps_kept() -> int:
    return read_relaxation_checkpoint(CHECKPOINT).step if CHECKPOINT.exists() else 0


def begin_or_resume(**settings) -> None:
    if CHECKPOINT.exists():
        resume_relaxation("killed", SlowEMT())
    else:
        relax(alloy(SlowEMT()), output="killed", overwrite=True, **settings)


def kill_when_it_got_on(rng: np.random.Generator, **settings) -> None:
    """Let a process do some steps and kill it at a moment of chance after a checkpoint."""
    before = steps_kept()
    child = os.fork()
    if child == 0:
        try:
            begin_or_resume(**settings)
            os._exit(0)
        finally:
            os._exit(1)
    deadline = time.monotonic() + 60
    while steps_kept() == before and time.monotonic() < deadline:
        time.sleep(1e-2)
    time.sleep(0.01 * rng.random())
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)


@pytest.mark.slow
def test_kill_9_at_any_moment_loses_no_step_and_doubles_none(rng):
    settings = {
        "optimizer": "lbfgs",
        "fmax": 1e-9,
        "cell": "full",
        "steps": 40,
        "checkpoint_stride": 3,
    }
    straight = relax(alloy(), output="straight", **settings)
    for _ in range(2):
        kill_when_it_got_on(rng, **settings)
    assert 6 <= steps_kept() < 40
    # Half a frame, as a kill while writing leaves it.
    with open("killed.traj", "ab") as file:
        file.write(b"half a frame")
    same_run(straight, resume_relaxation("killed", EMT()))
    assert len(read("killed.traj", ":")) == 41


def test_another_run_is_refused_saying_what_differs():
    relax(alloy(), output="run", steps=2)
    with pytest.raises(ValueError, match=r"fmax is 0.01, given 0.5"):
        resume_relaxation("run", EMT(), fmax=0.5)
    with pytest.raises(ValueError, match="the atoms are"):
        resume_relaxation("run", EMT(), atoms=slab())
    with pytest.raises(ValueError, match="a relaxation has no setting f_max"):
        resume_relaxation("run", EMT(), f_max=0.5)
    with pytest.raises(FileNotFoundError, match="no checkpoint at other"):
        resume_relaxation("other", EMT())

    class Other(EMT):
        def calculate(self, *args, **kwargs):
            super().calculate(*args, **kwargs)
            self.results["forces"] = 1.5 * self.results["forces"]

    with pytest.raises(ValueError, match="the model or its settings are different"):
        resume_relaxation("run", Other())
    Path("run.log").write_text("")
    with pytest.raises(ValueError, match="bytes but had"):
        resume_relaxation("run", EMT())


def test_a_damaged_checkpoint_is_said_to_be_one():
    Path("run.checkpoint").write_bytes(b"PK not really")
    with pytest.raises(ValueError, match="is not a checkpoint of a relaxation"):
        read_relaxation_checkpoint(RunFiles(Path("run")).checkpoint)
