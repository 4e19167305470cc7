"""Many structures: one that fails does not stop the others, and what is done is not done again."""

import signal
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import read

from ase_les.reports import figures
from ase_les.reports import relaxation as report
from ase_les.reports.terminal import TerminalProgress
from ase_les.simulation import relax, relax_many, resume_relaxations


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(figures, "save_figure", lambda *_: None)


class CountingEMT(EMT):
    name = "emt"

    def __init__(self, stop_at=0):
        super().__init__()
        self.evaluations = 0
        self.stop_at = stop_at

    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        self.evaluations += 1
        if self.evaluations == self.stop_at:
            signal.raise_signal(signal.SIGINT)


def crystal(metal: str) -> Atoms:
    atoms = bulk(metal, cubic=True)
    atoms.rattle(0.1, seed=4)
    return atoms


def test_each_structure_relaxes_as_it_would_alone():
    metals = ("Cu", "Ag", "Au")
    structures = [crystal(metal) for metal in metals]
    result = relax_many(structures, EMT(), names=metals, on_result=report.write)
    report.write_batch(result)
    assert all(result.files.of(index).summary.exists() for index in range(3))
    assert result.converged
    for metal, outcome, last in zip(
        metals, result.outcomes, read("relaxed-relaxed.traj", ":"), strict=True
    ):
        alone = crystal(metal)
        alone.calc = EMT()
        expected = relax(alone, output=f"alone-{metal}")
        assert outcome.name == metal
        assert outcome.energy_eV == expected.energy_eV
        assert outcome.steps == expected.steps
        assert np.array_equal(last.positions, expected.atoms.positions)
    table = yaml.safe_load(Path("relaxed-summary.yml").read_text())["results"]["table"]
    assert [row["formula"] for row in table] == ["Cu4", "Ag4", "Au4"]


def test_a_structure_that_fails_is_written_down_and_the_rest_goes_on(capsys):
    broken = Atoms("Cu2", np.zeros((2, 3)), cell=np.eye(3) * 5, pbc=True)
    foreign = bulk("Fe")
    structures = [crystal("Cu"), broken, foreign, crystal("Ag")]
    result = relax_many(structures, EMT(), progress=TerminalProgress())
    report.write_batch(result)
    assert [each.converged for each in result.outcomes] == [True, False, False, True]
    assert "0.000 Å apart" in result.outcomes[1].problem
    assert "Fe" in result.outcomes[2].problem
    assert not result.converged
    assert len(read("relaxed-relaxed.traj", ":")) == 2
    results = yaml.safe_load(Path("relaxed-summary.yml").read_text())["results"]
    assert results["converged"] == 2 and results["failed"] == 2
    assert "2/4 2: FAILED" in capsys.readouterr().err


@pytest.mark.parametrize("stop", [3, 9, 14, 22])
def test_a_stopped_batch_goes_on_in_the_middle_of_a_structure(stop):
    metals = ("Cu", "Ag", "Au")
    settings = {"checkpoint_stride": 3, "fmax": 1e-3}
    structures = [crystal(metal) for metal in metals]
    straight = relax_many(structures, CountingEMT(), output="straight", **settings)
    stopped = relax_many(structures, CountingEMT(stop), output="stopped", **settings)
    assert "SIGINT received" in stopped.stopped
    calculator = CountingEMT()
    resumed = resume_relaxations("stopped", calculator)
    assert resumed.stopped is None
    for one, other in zip(straight.outcomes, resumed.outcomes, strict=True):
        assert one.energy_eV == other.energy_eV
        assert one.steps == other.steps
    for number in (1, 2, 3):
        logs = [Path(f"{stem}-000{number}.log").read_bytes() for stem in ("straight", "stopped")]
        assert logs[0] == logs[1]
    # No step is done again but those after the last checkpoint and the one it stands on.
    done = sum(each.steps for each in stopped.outcomes)
    total = sum(each.steps + 2 for each in straight.outcomes)
    assert calculator.evaluations <= total - done
    again = CountingEMT()
    resume_relaxations("stopped", again)
    assert again.evaluations == 0


def test_structures_that_ran_out_of_steps_go_on_when_given_more():
    structures = [crystal("Cu"), crystal("Ag")]
    straight = relax_many(structures, EMT(), output="straight")
    short = relax_many(structures, EMT(), output="short", steps=2)
    assert not short.converged and short.stopped is None
    longer = resume_relaxations("short", EMT(), steps=500)
    assert [each.energy_eV for each in longer.outcomes] == [
        each.energy_eV for each in straight.outcomes
    ]


def test_a_batch_is_replaced_only_when_allowed_and_leaves_nothing_of_the_old_one():
    relax_many([crystal("Cu")] * 3, EMT(), steps=1)
    with pytest.raises(FileExistsError, match="exists already"):
        relax_many([crystal("Cu")], EMT())
    relax_many([crystal("Cu")], EMT(), overwrite=True)
    assert not Path("relaxed-0002.traj").exists()


def test_mistakes_are_refused_before_anything_is_written():
    with pytest.raises(ValueError, match="no structure to relax"):
        relax_many([], EMT())
    with pytest.raises(ValueError, match="`fmax` must be positive"):
        relax_many([crystal("Cu")], EMT(), fmax=-1.0)
    with pytest.raises(ValueError, match="1 structures but 2 `names`"):
        relax_many([crystal("Cu")], EMT(), names=("a", "b"))
    with pytest.raises(FileNotFoundError, match="no relaxations at"):
        resume_relaxations("nothing", EMT())
    assert list(Path().iterdir()) == []
    relax_many([crystal("Cu")], EMT())
    with pytest.raises(ValueError, match=r"fmax is 0\.01, given 0\.2"):
        resume_relaxations("relaxed", EMT(), fmax=0.2)
