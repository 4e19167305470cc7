"""g(r), displacements and diffusion of trajectories of any program."""

import json

import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.emt import EMT
from ase.io import write
from ase.md.verlet import VelocityVerlet

from ase_les.cli import main
from ase_les.properties.recorded_run import FinishedTrajectory, joined_legs_notes, read_frames
from ase_les.properties.structure_of_trajectory import structure_of_trajectory


def walk(n: int, stdev: float, seed: int = 1) -> list[Atoms]:
    rng = np.random.default_rng(seed)
    start = rng.uniform(0, 10, size=(1, 12, 3))
    positions = start + rng.normal(scale=stdev, size=(n, 12, 3)).cumsum(axis=0)
    return [Atoms("Na6Cl6", each, cell=[10] * 3, pbc=True) for each in positions]


def code(*arguments):
    try:
        main([str(each) for each in arguments])
    except SystemExit as ended:
        return ended.code or 0
    return 0


def test_the_interval_of_ase_is_read_and_others_must_be_given(tmp_path):
    atoms = Atoms("Cu2", [(0, 0, 0), (0, 0, 2.4)], cell=[8] * 3, pbc=True, calculator=EMT())
    written = str(tmp_path / "ase.traj")
    VelocityVerlet(atoms, 2 * units.fs, trajectory=written, loginterval=5).run(50)
    frames, interval = read_frames(FinishedTrajectory(tmp_path / "ase.traj"))
    assert len(frames) == 11 and interval == pytest.approx(10.0)
    write(tmp_path / "any.xyz", walk(10, 0.1))
    with pytest.raises(ValueError, match="give `frame_interval_fs`"):
        read_frames(FinishedTrajectory(tmp_path / "any.xyz"))
    frames, interval = read_frames(FinishedTrajectory(tmp_path / "any.xyz", 4.0), skip_ps=0.008)
    assert len(frames) == 8 and interval == 4.0
    with pytest.raises(ValueError, match="positive"):
        FinishedTrajectory(tmp_path / "any.xyz", 0.0)


@pytest.mark.parametrize("ending", [".traj", ".xyz"])
def test_the_command_takes_pairs_a_skip_and_an_interval(ending, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(f"run{ending}", walk(40, 0.05))
    options = ("--pairs", "Na-Cl,Cl-Cl", "--skip", 8, "--frame-interval", 10, "--r-max", 4.5)
    assert code("structure", f"run{ending}", *options, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told["radial_distributions"]) == ["Na-Cl", "Cl-Cl"]
    assert told["input"]["frames"] == 32 and told["displacement"] is not None
    for name in ("rdf-Na-Cl.png", "rdf-Na-Cl.npz", "msd.png", "msd.npz", "summary.yml"):
        assert (tmp_path / f"run-structure-{name}").exists()
    assert code("transport", f"run{ending}", "--frame-interval", 10, "--json") == 0
    assert set(json.loads(capsys.readouterr().out)["diffusion"]) == {"Na", "Cl"}
    assert code("structure", f"run{ending}", "--pairs", "Na-O", "--overwrite") == 2
    assert "as O-H" in capsys.readouterr().err


def test_displacements_grow_as_the_walk_says(tmp_path):
    """6 D t = 3 σ² t / Δt."""
    write(tmp_path / "w.traj", walk(2000, 0.1))
    found = structure_of_trajectory(
        FinishedTrajectory(tmp_path / "w.traj", 10.0), pairs=["Na-Na"], max_lag_ps=0.2
    )
    displacement = found.displacement
    slope = displacement.mean_A2("Na")[10] / displacement.lag_fs[10]
    assert slope == pytest.approx(3 * 0.1**2 / 10.0, rel=0.15)


def test_without_an_interval_there_is_only_the_structure(tmp_path):
    write(tmp_path / "w.xyz", walk(20, 0.1))
    found = structure_of_trajectory(FinishedTrajectory(tmp_path / "w.xyz"))
    assert found.displacement is None and "give it in fs" in found.notes[0]


def test_joined_legs_and_changing_volumes_are_noticed():
    one, other = walk(30, 0.05), walk(30, 0.1, seed=2)
    assert joined_legs_notes(one) == []
    shifted = [atoms.copy() for atoms in other]
    for atoms in shifted:
        atoms.positions += one[-1].positions - other[0].positions
    (note,) = joined_legs_notes(one + shifted)
    assert "before frame" in note and "joined" in note
    squeezed = [atoms.copy() for atoms in one]
    squeezed[-1].set_cell([9.9] * 3)
    assert "the volume changes" in joined_legs_notes(squeezed)[0]
