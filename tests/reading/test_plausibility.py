"""Wrong units and signs of labels are noticed, right ones are not questioned."""

import numpy as np
import pytest
from ase import units
from ase.io import read

from ase_les.model_io import shipped_models
from ase_les.reading.labels import LabelNames, find_labels
from ase_les.reading.plausibility import (
    check_density,
    question_atomic_energies,
    question_labels,
)

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
