"""Wrong units and signs of labels are noticed, right ones are not questioned."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.morse import MorsePotential
from ase.io import read

from ase_les.model_io import shipped_models
from ase_les.reading.extended_xyz import write_labeled
from ase_les.reading.labels import LabelNames, find_labels
from ase_les.reading.plausibility import (
    check_density,
    question_atomic_energies,
    question_labels,
)
from ase_les.training.learning.labeled_files import read_labeled

HARTREE, BOHR, RYDBERG = units.Hartree, units.Bohr, units.Rydberg
KCAL, KJ = units.kcal / units.mol, units.kJ / units.mol


def salt(energy=1.0, forces=1.0, length=1.0):
    """The crystals and melts that `nacl` was trained on, in other units."""
    frames = read(shipped_models()["nacl"].parent / "data.extxyz", ":")
    for atoms in frames:
        atoms.info["REF_energy"] *= energy
        atoms.arrays["REF_forces"] *= forces
        atoms.set_cell(atoms.cell * length, scale_atoms=True)
    return frames


def questions(frames, **names):
    return " ".join(question_labels(frames, find_labels(frames, LabelNames(**names))))


@pytest.mark.parametrize("name", ["nacl", "mgo", "silver-cluster", "nacl-cluster", "pt-kf-aq"])
def test_right_labels_are_not_questioned(name):
    assert questions(read(shipped_models()[name].parent / "data.extxyz", ":")) == ""


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"energy": 1 / HARTREE}, "likely energies in Ha"),
        ({"energy": 1 / RYDBERG}, "likely energies in Ry"),
        ({"energy": 1 / KCAL}, "likely energies in kcal/mol"),
        ({"energy": 1 / KJ}, "likely energies in kJ/mol"),
        ({"forces": BOHR / HARTREE}, "likely forces in Ha/bohr"),
        ({"forces": BOHR / RYDBERG}, "likely forces in Ry/bohr"),
        ({"forces": BOHR}, "likely forces in eV/bohr"),
        ({"energy": 1 / HARTREE, "forces": BOHR / HARTREE}, "Ha/bohr"),
        ({"energy": 1 / RYDBERG, "forces": BOHR / RYDBERG}, "Ry/bohr"),
        ({"energy": 1 / KCAL, "forces": 1 / KCAL}, "kcal/mol/Å"),
        ({"energy": 1 / KJ, "forces": 10 / KJ}, "kJ/mol/nm"),
        ({"forces": -1.0}, "forces likely have the wrong sign"),
        ({"energy": -1.0}, "sign opposite"),
        ({"length": 1 / BOHR}, "likely in bohr"),
    ],
)
def test_wrong_units_and_signs_are_named(wrong, told):
    assert told in questions(salt(**wrong))


@pytest.mark.parametrize("unit", ["Ha", "Ry"])
def test_energies_of_structures_that_are_far_from_each_other_are_judged_by_their_spread(unit):
    frames = read(shipped_models()["pt-kf-aq"].parent / "data.extxyz", ":")
    for atoms in frames:
        atoms.info["REF_energy"] /= {"Ha": HARTREE, "Ry": RYDBERG}[unit]
    told = questions(frames)
    assert "likely energies in" in told
    assert unit in told


def test_stresses_of_the_wrong_sign_are_noticed_by_what_cells_cost():
    frames = []
    for index in range(8):
        atoms = bulk("NaCl", "rocksalt", a=5.3 + 0.06 * index, cubic=True)
        atoms.rattle(0.03, seed=index)
        atoms.calc = MorsePotential(epsilon=0.3, r0=2.8, rho0=4.0, rcut1=4.0, rcut2=4.5)
        atoms.info["REF_energy"] = atoms.get_potential_energy()
        atoms.arrays["REF_forces"] = atoms.get_forces()
        atoms.info["REF_stress"] = atoms.get_stress()
        atoms.calc = None
        frames.append(atoms)
    assert questions(frames) == ""
    for atoms in frames:
        atoms.info["REF_stress"] = -atoms.info["REF_stress"]
    assert "`stress_sign: compression`" in questions(frames)
    assert questions(frames, stress_sign="compression") == ""


def test_lengths_in_nm_are_refused_before_neighbors_are_searched():
    check_density(salt()[0])
    with pytest.raises(ValueError, match="are lengths in nm"):
        check_density(salt(length=0.1)[0])
    cluster = read(shipped_models()["nacl-cluster"].parent / "data.extxyz", ":")
    for atoms in cluster:
        atoms.positions *= 0.1
    assert "likely in nm" in questions(cluster)


def test_forces_of_other_structures_are_noticed():
    frames = salt()
    forces = [atoms.arrays["REF_forces"].copy() for atoms in frames]
    by_size = {}
    for index, atoms in enumerate(frames):
        by_size.setdefault(len(atoms), []).append(index)
    for indices in by_size.values():
        for to, other in zip(indices, np.roll(indices, 1), strict=True):
            frames[to].arrays["REF_forces"] = forces[other]
    assert "do not follow from their forces" in questions(frames) or "sign" in questions(frames)


def test_atomic_energies_below_all_electrons_are_questioned():
    assert question_atomic_energies({"O": -2043.0, "H": -13.6, "Na": -1.3}) == []
    (told,) = question_atomic_energies({"O": -75.0 * 627.5})
    assert "atomic energy of O" in told


def test_isolated_atoms_in_another_unit_are_questioned(tmp_path):
    atom = Atoms("O", cell=[9, 9, 9], info={"config_type": "IsolatedAtom"})
    atom.info["REF_energy"] = -75.0 * 627.5  # kcal/mol
    write_labeled(tmp_path / "frames.extxyz", [*salt()[:3], atom])
    (warning,) = [
        each
        for each in read_labeled(tmp_path / "frames.extxyz", 3.0, LabelNames()).warnings
        if "atomic energy" in each
    ]
    assert "check the unit" in warning
