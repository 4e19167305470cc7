"""Own reference data: the same structures every time, held-back ones apart."""

from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from ase.build import bulk
from ase.io import read, write

from ase_les.reading.extended_xyz import write_labeled
from ase_les.training.labeling import labeling_plan
from ase_les.training.labeling.labeling_plan import make_data, read_labeling_plan

PLAN = {
    "engine": "emt",
    "stress": False,
    "sets": {
        "rattled": {
            "start": "crystal.extxyz",
            "repeat": [2, 1, 1],
            "volume": 1.1,
            "test": 0.25,
            "sample": {
                "include_start": False,
                "moves": [{"kind": "rattle", "structures": 8, "stdev_A": 0.05}],
            },
        },
        "response": {"start": "born.extxyz", "test": 1.0},
    },
}


@pytest.fixture
def folder(tmp_path):
    crystal = bulk("Cu", cubic=True)
    write(tmp_path / "crystal.extxyz", crystal)
    crystal.rattle(0.05, seed=5)
    crystal.arrays["REF_born_effective_charges"] = np.arange(36.0).reshape(4, 9)
    write_labeled(tmp_path / "born.extxyz", [crystal])
    (tmp_path / "label.yml").write_text(yaml.safe_dump(PLAN))
    return tmp_path


def test_structures_to_test_with_are_not_among_those_to_train_on(folder):
    make_data(folder, folder / "work")
    training, test = read(folder / "data.extxyz", ":"), read(folder / "test.extxyz", ":")
    assert [len(training), len(test)] == [6, 3]
    assert {atoms.info["set"] for atoms in training} == {"rattled"}
    seen = [atoms.positions for atoms in training]
    for atoms in test:
        assert not any(
            atoms.positions.shape == each.shape and np.allclose(atoms.positions, each)
            for each in seen
        )


def test_a_plan_gives_the_cell_it_says(folder):
    make_data(folder, folder / "work")
    atoms = read(folder / "data.extxyz", 0)
    crystal = bulk("Cu", cubic=True)
    assert len(atoms) == 8
    assert atoms.get_volume() == pytest.approx(2 * 1.1 * crystal.get_volume())
    assert "REF_stress" not in atoms.info


def test_born_charges_stand_beside_the_labels(folder):
    make_data(folder, folder / "work")
    (atoms,) = (a for a in read(folder / "test.extxyz", ":") if a.info["set"] == "response")
    assert np.array_equal(atoms.arrays["REF_born_effective_charges"].ravel(), np.arange(36.0))
    assert np.isfinite(atoms.info["REF_energy"])


def test_data_made_twice_are_the_same(folder):
    make_data(folder, folder / "work")
    first = (folder / "data.extxyz").read_bytes()
    make_data(folder, folder / "work elsewhere")
    assert (folder / "data.extxyz").read_bytes() == first


def test_an_interruption_is_an_interruption(folder, monkeypatch):
    stopped = SimpleNamespace(stopped=True)
    monkeypatch.setattr(labeling_plan, "label_structures", lambda *given, **settings: stopped)
    with pytest.raises(KeyboardInterrupt, match="'rattled'; start again to continue"):
        make_data(folder, folder / "work")
    assert not (folder / "data.extxyz").exists()


def test_an_unknown_entry_of_a_plan_is_refused(folder):
    (folder / "label.yml").write_text(yaml.safe_dump({**PLAN, "k-points": 3}))
    with pytest.raises(ValueError, match=r"label\.yml: `k-points` \(line \d+\): unknown key"):
        read_labeling_plan(folder / "label.yml")
