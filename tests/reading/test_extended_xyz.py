"""What our writer writes, ASE reads as it was."""

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from ase.io import read, write

from ase_les import LESCalculator
from ase_les.reading.born_charges import born_tensors
from ase_les.reading.extended_xyz import read_extended_xyz, write_extended_xyz, write_labeled


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("writer", [write_labeled, write_extended_xyz])
@pytest.mark.parametrize("empty", ["", "  ", [], np.zeros(0), None])
@pytest.mark.parametrize("first", [True, False])
def test_an_empty_entry_costs_no_other(writer, empty, first):
    atoms = molecule("H2O")
    atoms.info = {"note": empty} if first else {"charge": 1, "note": empty}
    atoms.info |= {"charge": 1, "REF_energy": -10.0}
    writer("a.extxyz", [atoms])
    assert read("a.extxyz").info == {"charge": 1, "REF_energy": -10.0}


@pytest.mark.parametrize(
    "value",
    [
        *("a b", "1", "T", "1 2", 'say "x"', "a=b", "back\\slash", "two\nlines", "Å", "_JSON x"),
        *(1, -2, 1 / 3, 1e-300, True, False, np.float64(0.1), np.int64(3)),
        *([1, 2], [0.1], {"a": [1, "x"]}, np.array([0.1, 1 / 3]), np.eye(2), np.array([1.0])),
    ],
)
def test_entries_come_back_with_every_digit(value):
    atoms = molecule("H2O")
    atoms.info = {"it": value, "charge": 1}
    write_labeled("a.extxyz", [atoms])
    back = read("a.extxyz").info
    assert back["charge"] == 1
    assert np.array_equal(back["it"], value) if np.ndim(value) else back["it"] == value
    assert np.shape(back["it"]) == np.shape(value) or isinstance(value, dict)


def test_a_number_that_would_be_lost_is_an_error():
    atoms = molecule("H2O")
    atoms.info = {"my energy = ": 1.0}
    with pytest.raises(ValueError, match="would not be read back"):
        write_labeled("a.extxyz", [atoms])


def test_results_velocities_and_fixed_atoms_come_back():
    atoms = bulk("NaCl", "rocksalt", a=5.6) * (1, 1, 2)
    rng = np.random.default_rng(0)
    atoms.set_momenta(rng.normal(size=(4, 3)))
    atoms.set_constraint(FixAtoms([1, 2]))
    results = {
        "energy": -1 / 3,
        "free_energy": -1 / 3,
        "forces": rng.normal(size=(4, 3)),
        "stress": rng.normal(size=6),
        "dielectric_tensor": 2.5 * np.eye(3),
        "born_effective_charges": rng.normal(size=(4, 3, 3)),
    }
    atoms.calc = SinglePointCalculator(atoms, **results)
    write_extended_xyz("a.extxyz", [atoms] * 2)
    (back, _) = read_extended_xyz("a.extxyz")
    assert np.array_equal(back.get_momenta(), atoms.get_momenta())
    assert back.constraints[0].index.tolist() == [1, 2]
    for name, value in results.items():
        assert np.array_equal(back.calc.results[name], value), name


def test_a_failed_write_leaves_the_old_file():
    write_labeled("a.extxyz", [molecule("H2O")])
    before = Path("a.extxyz").read_text()

    def frames():
        yield molecule("CO")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_labeled("a.extxyz", frames())
    assert Path("a.extxyz").read_text() == before


def test_ase_writes_a_structure_whatever_was_asked_of_its_calculator(random_model):
    atoms = molecule("H2O")
    atoms.calc = LESCalculator(random_model())
    born = atoms.calc.get_property("born_effective_charges", atoms)
    forces = atoms.get_forces()
    write("a.extxyz", atoms)
    assert read("a.extxyz").get_forces() == pytest.approx(forces, abs=1e-7)
    # They are kept: for the binary trajectory, and without another calculation.
    kept = atoms.calc.get_property("born_effective_charges", atoms, allow_calculation=False)
    assert np.array_equal(kept, born)
    write("a.traj", atoms)
    assert np.array_equal(read("a.traj").calc.results["born_effective_charges"], born)
    atoms.positions[0, 0] += 0.1
    atoms.get_forces()
    assert not np.array_equal(atoms.calc.get_property("born_effective_charges", atoms), born)


def test_nine_numbers_per_atom_are_born_charges():
    tensors = np.arange(36.0).reshape(4, 3, 3)
    assert np.array_equal(born_tensors(tensors.reshape(4, 9), 4, "X"), tensors)
    with pytest.raises(ValueError, match=r"X gives Born charges of shape \(4, 6\)"):
        born_tensors(np.zeros((4, 6)), 4, "X")
