"""The liquid of known charges is what it is said to be, and charges are judged by all atoms."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units

from ase_les.configuration import from_mapping
from ase_les.reading.extended_xyz import write_labeled
from ase_les.training.learning.dataset import read_frames
from ase_les.training.learning.train import TrainingConfig

BENCHMARK = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "known_charges.py"))
KNOWN = BENCHMARK["KNOWN_CHARGES_E"]


def test_the_solution_is_neutral_and_its_molecules_have_the_geometry_of_the_force_field():
    atoms = BENCHMARK["random_solution"](3)
    assert atoms.get_chemical_formula() == "H120F5K5O60"
    assert abs(sum(KNOWN[symbol] for symbol in atoms.symbols)) < 1e-12
    for oxygen in range(0, 180, 3):
        assert np.allclose(atoms.get_distances(oxygen, [oxygen + 1, oxygen + 2]), 1.012)
        assert np.isclose(atoms.get_angle(oxygen + 1, oxygen, oxygen + 2), 113.24)
    density = atoms.get_masses().sum() / atoms.get_volume() * units._amu * 1e27
    assert 1.15 < density < 1.25


def test_ions_have_the_radii_of_joung_and_cheatham():
    # Rmin/2 in Å and ε in kcal/mol, as frcmod.ionsjc_spce prints them.
    for ion, (radius, depth) in {"K": (1.593, 0.4297054), "F": (2.257, 0.0074005)}.items():
        sigma, epsilon = BENCHMARK["LENNARD_JONES"][ion]
        assert np.isclose(sigma * 2 ** (1 / 6), 2 * radius, rtol=1e-5)
        assert epsilon == depth


def test_parts_of_the_data_are_as_large_as_published_and_share_no_structure(tmp_path):
    # The energy numbers the structures.
    frames = [Atoms("K", info={"REF_energy": float(n)}) for n in range(1809)]
    training, test = BENCHMARK["divide"](frames)
    write_labeled(tmp_path / "train.extxyz", training)
    numbers = {}
    for count in (181, 1628):
        (file,) = settings(4.5, count).data.training
        chosen = read_frames(tmp_path / file)
        numbers[count] = {atoms.info["REF_energy"] for atoms in chosen}
        assert len(numbers[count]) == count
    tested = {atoms.info["REF_energy"] for atoms in test}
    assert len(tested) == 181
    assert not tested & numbers[1628]
    assert numbers[181] < numbers[1628]
    # Test structures lie along the whole set, the small training set too.
    for chosen in (tested, numbers[181]):
        assert np.max(np.diff([0, *sorted(chosen), 1809])) < 22


@pytest.mark.parametrize("neutrality", ["mean", "split", "none"])
def test_a_training_is_told_no_charge(neutrality):
    config = settings(5.5, 1628, neutrality)
    assert config.model.long_range.charges.neutrality == neutrality
    assert not config.model.long_range.charges.formal_charges
    assert not config.fit.needs_response
    assert config.start is None
    assert not config.teachers


def test_charges_of_the_wrong_sign_are_wrong_by_twice_the_charges():
    atoms = BENCHMARK["random_solution"](0)
    known = np.array([KNOWN[symbol] for symbol in atoms.symbols])
    errors = BENCHMARK["charge_errors"](atoms.symbols, -known, known)
    # By hand: 60 × (0.82 + 2 × 0.41) + 10 × 1 over 190 atoms.
    assert np.isclose(errors.mae_e, 2 * (60 * 1.64 + 10) / 190)
    assert np.isclose(errors.mae_by_element_e["K"], 2.0)
    assert np.isclose(errors.mean_by_element_e["O"], 0.82)
    assert BENCHMARK["charge_errors"](atoms.symbols, known, known).mae_e == 0


def test_ions_alone_have_the_madelung_energy():
    pytest.importorskip("openmm")
    # Farther apart than the Lennard-Jones cutoff: a crystal of the CsCl structure.
    a = 12.42
    ions = Atoms("KF", [[0, 0, 0], [a / 2] * 3], cell=[a] * 3, pbc=True)
    energy, _ = BENCHMARK["labels"](BENCHMARK["reference_context"](ions), ions.positions)
    madelung = 1.76267477 * 14.399645 / (a * np.sqrt(3) / 2)
    assert np.isclose(energy, -madelung, atol=1e-5)


def test_a_stretched_molecule_has_the_energy_of_its_spring():
    pytest.importorskip("openmm")
    water = BENCHMARK["random_solution"](0)[:3]
    water.positions -= water.positions[0]
    context = BENCHMARK["reference_context"](water)
    start, _ = BENCHMARK["labels"](context, water.positions)
    water.positions[1] *= 1 + 0.1 / 1.012
    end, _ = BENCHMARK["labels"](context, water.positions)
    # Besides, the dipole meets its periodic images: about 1 meV.
    assert np.isclose(end - start, 0.5 * 1059.162 * 0.1**2 * units.kcal / units.mol, atol=2e-3)


def test_forces_are_the_slope_of_the_energy():
    pytest.importorskip("openmm")
    atoms = BENCHMARK["random_solution"](1)
    context = BENCHMARK["reference_context"](atoms)
    _, forces = BENCHMARK["labels"](context, atoms.positions)
    assert np.abs(forces.sum(0)).max() < 1e-6
    rng = np.random.default_rng(0)
    for atom in rng.integers(len(atoms), size=6):
        step = np.zeros_like(atoms.positions)
        step[atom] = 1e-4 * rng.normal(size=3)
        high, low = (
            BENCHMARK["labels"](context, atoms.positions + sign * step)[0] for sign in (1, -1)
        )
        # Molecules that have not been relaxed yet: forces are large.
        assert np.isclose(high - low, -2 * (forces * step).sum(), rtol=1e-4, atol=1e-8)


def settings(cutoff: float, frames: int, neutrality: str = "mean") -> TrainingConfig:
    return from_mapping(TrainingConfig, BENCHMARK["training_settings"](cutoff, frames, neutrality))
