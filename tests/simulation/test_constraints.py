"""Constraints in dynamics and relaxation: exact restarts with each of ASE's, and FixSymmetry."""

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.constraints import (
    ExternalForce,
    FixAtoms,
    FixBondLengths,
    FixCartesian,
    FixCartesianParametricRelations,
    FixedLine,
    FixedMode,
    FixedPlane,
    FixInternals,
    FixLinearTriatomic,
    FixScaled,
    FixSubsetCom,
    FixSymmetry,
    Hookean,
    MirrorForce,
    MirrorTorque,
)
from ase.io import read
from ase.spacegroup.symmetrize import check_symmetry

from ase_les.runs.stored_atoms import atoms_as_arrays, atoms_from_arrays
from ase_les.simulation import relax, resume_dynamics, resume_relaxation, run_dynamics
from ase_les.simulation.velocities import count_degrees_of_freedom


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def cluster() -> Atoms:
    atoms = molecule("CH3CH2OH")
    atoms.rattle(0.03, seed=2)
    atoms.center(vacuum=5.0)
    atoms.calc = EMT()
    return atoms


DIRECTION = (1.0, 2.0, 3.3)
# Of atoms of the same mass: ASE projects momenta as it projects displacements.
MODE = np.vstack([np.random.default_rng(1).normal(size=(2, 3)), np.zeros((7, 3))])
CONSTRAINTS = {
    "FixAtoms": FixAtoms([0, 3]),
    "FixBondLengths": FixBondLengths([(0, 1), (1, 2)]),
    "FixCartesian": FixCartesian([1, 2], (True, False, True)),
    "FixScaled": FixScaled([1, 2], (True, False, True)),
    "FixedLine": FixedLine([1, 4], DIRECTION),
    "FixedPlane": FixedPlane([1, 4], DIRECTION),
    "FixedMode": FixedMode(MODE),
    "FixInternals": FixInternals(bonds=[[None, [0, 1]]], angles_deg=[[None, [0, 1, 2]]]),
    "FixLinearTriatomic": FixLinearTriatomic(triples=[(0, 1, 2)]),
    "FixSubsetCom": FixSubsetCom([0, 1, 2]),
    "Hookean": Hookean(0, 1, 5.0, rt=1.2),
    "Hookean to a point": Hookean(0, (1.0, 2.0, 3.0), 0.5, rt=0.2),
    "ExternalForce": ExternalForce(0, 2, 0.3),
}
ONLY_RELAXED = {
    "MirrorForce": MirrorForce(0, 2),
    "MirrorTorque": MirrorTorque(0, 1, 2, 3),
    "FixCartesianParametricRelations": FixCartesianParametricRelations.from_expressions(
        [0], ["x"], ["x", "0.5 * x", "1.0"]
    ),
}


def constrained(constraint) -> Atoms:
    """Nine atoms under a constraint that they meet."""
    atoms = cluster()
    if isinstance(constraint, FixLinearTriatomic):
        atoms.positions[2] = 2 * atoms.positions[1] - atoms.positions[0]
        atoms.positions[0] += 0.2 * (atoms.positions[0] - atoms.positions[1])
        atoms.positions[[0, 1, 2]] = atoms.positions[[0, 2, 1]]
    atoms.set_constraint(constraint.copy())
    return atoms


SETTINGS = {
    "ensemble": "nvt-langevin",
    "temperature_K": 200.0,
    "timestep_fs": 0.2,
    "checkpoint_stride": 7,
    "min_distance_A": 0.1,
    "max_temperature_jump_K": 1e5,
    "max_temperature_K": 1e6,
    "log_stride": 1,
}


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_dynamics_resumes_exactly_with_each_constraint(name):
    full = run_dynamics(constrained(CONSTRAINTS[name]), output="full", steps=30, **SETTINGS)
    run_dynamics(constrained(CONSTRAINTS[name]), output="part", steps=17, **SETTINGS)
    part = resume_dynamics("part", EMT(), steps=30)
    assert full.stopped is None
    assert np.array_equal(full.atoms.positions, part.atoms.positions)
    assert np.array_equal(full.atoms.get_momenta(), part.atoms.get_momenta())
    assert Path("full.log").read_bytes() == Path("part.log").read_bytes()
    assert not np.array_equal(full.atoms.positions, constrained(CONSTRAINTS[name]).positions)


@pytest.mark.parametrize("name", [*CONSTRAINTS, *ONLY_RELAXED])
def test_relaxations_resume_exactly_with_each_constraint(name):
    constraint = {**CONSTRAINTS, **ONLY_RELAXED}[name]
    settings = {"optimizer": "fire", "checkpoint_stride": 3, "fmax": 1e-4}
    relax(constrained(constraint), output="full", steps=9, **settings)
    relax(constrained(constraint), output="part", steps=5, **settings)
    resume_relaxation("part", EMT(), steps=9)
    assert Path("full.log").read_bytes() == Path("part.log").read_bytes()
    ends = [read(f"{each}.traj").positions for each in ("full", "part")]
    assert np.array_equal(*ends)


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_stored_constraints_act_identically(name):
    atoms = constrained(CONSTRAINTS[name])
    moved = atoms.positions + np.random.default_rng(3).normal(size=(9, 3)) * 0.01
    # Constraints measure their targets when they are first applied.
    atoms.set_positions(moved)
    stored = atoms_from_arrays(*atoms_as_arrays(atoms))
    for each in (atoms, stored):
        each.set_positions(moved + 0.003)
    assert np.array_equal(atoms.positions, stored.positions)


def test_constraints_without_degrees_of_freedom_are_refused():
    with pytest.raises(ValueError, match="dynamics does not support the constraint MirrorForce"):
        run_dynamics(constrained(ONLY_RELAXED["MirrorForce"]), **SETTINGS)
    assert list(Path().iterdir()) == []


def symmetric_crystal(fixed=()) -> Atoms:
    atoms = bulk("Cu", cubic=True) * (1, 1, 4)
    atoms.symbols[[0, 1]] = "Au"
    atoms.set_constraint([FixSymmetry(atoms), *([FixAtoms(fixed)] if len(fixed) else [])])
    atoms.calc = EMT()
    return atoms


def projector_rank(atoms: Atoms) -> int:
    """Number of independent displacements that the constraints leave unchanged."""
    basis = np.eye(3 * len(atoms)).reshape(-1, len(atoms), 3)
    columns = []
    for vector in basis:
        momenta = vector.copy()
        for constraint in atoms.constraints:
            constraint.adjust_momenta(atoms, momenta)
        columns.append(momenta.ravel())
    return int(np.linalg.matrix_rank(np.array(columns), tol=1e-8))


@pytest.mark.parametrize("fixed", [(), (0,)])
def test_degrees_of_freedom_under_symmetry_are_those_of_the_projector(fixed):
    atoms = symmetric_crystal(fixed)
    expected = projector_rank(atoms)
    assert 2 < expected < 3 * len(atoms) // 2
    assert count_degrees_of_freedom(atoms) == expected


def test_a_fixed_mode_removes_one_degree_of_freedom():
    atoms = constrained(CONSTRAINTS["FixedMode"])
    assert count_degrees_of_freedom(atoms) == 26 == projector_rank(atoms)


@pytest.mark.parametrize("ensemble", ["nve", "nvt-bussi", "nvt-langevin"])
def test_dynamics_preserves_the_symmetry_and_its_temperature(ensemble):
    atoms = symmetric_crystal()
    settings = {
        "ensemble": ensemble,
        "temperature_K": 300.0,
        "timestep_fs": 2.0,
        "checkpoint_stride": 15,
        "min_distance_A": 0.5,
        "max_temperature_jump_K": 1e5,
    }
    full = run_dynamics(atoms, output="full", steps=50, **settings)
    assert full.degrees_of_freedom == projector_rank(atoms)
    before, after = (check_symmetry(each, symprec=1e-5) for each in (atoms, full.atoms))
    assert before.number == after.number
    assert not np.allclose(full.atoms.positions, atoms.positions, atol=1e-3)
    kinetic = full.atoms.get_kinetic_energy()
    temperature = 2 * kinetic / (full.degrees_of_freedom * units.kB)
    assert temperature == pytest.approx(full.series.temperature_K[-1], abs=1e-3)
    run_dynamics(symmetric_crystal(), output="part", steps=33, **settings)
    part = resume_dynamics("part", EMT(), steps=50)
    assert np.array_equal(full.atoms.positions, part.atoms.positions)
    assert Path("full.traj").read_bytes() == Path("part.traj").read_bytes()
    assert isinstance(full.atoms.constraints[0], FixSymmetry)


@pytest.mark.parametrize("symmetry", [False, True])
def test_a_relaxation_takes_a_structure_with_a_symmetry_constraint(symmetry):
    def crystal() -> Atoms:
        atoms = bulk("Cu", a=3.7, cubic=True)
        atoms.symbols[0] = "Au"
        atoms.rattle(0.001, seed=1)
        atoms.set_constraint(FixSymmetry(atoms, symprec=0.02))
        atoms.calc = EMT()
        return atoms

    options = {"cell": "full", "symmetry": symmetry, "checkpoint_stride": 2, "fmax": 1e-3}
    full = relax(crystal(), output="full", **options)
    relax(crystal(), output="part", steps=3, **options)
    part = resume_relaxation("part", EMT(), steps=500)
    assert full.converged and part.converged
    assert np.array_equal(full.atoms.positions, part.atoms.positions)
    assert np.array_equal(full.atoms.cell, part.atoms.cell)
    assert check_symmetry(full.atoms, symprec=1e-6).international == "Pm-3m"
    assert [type(each) for each in full.atoms.constraints] == ([] if symmetry else [FixSymmetry])
    # The trajectory can be read and continued.
    assert read("full.traj").constraints == []


def test_structure_that_cannot_move_is_refused_with_a_remedy(tmp_path):
    atoms = bulk("NaCl", "rocksalt", a=5.6)
    atoms.set_constraint(FixSymmetry(atoms))
    atoms.calc = LennardJones(sigma=2.5, rc=6.0)
    with pytest.raises(ValueError, match=r"nothing can move.*set_constraint"):
        run_dynamics(atoms, temperature_K=300, steps=1, output=tmp_path / "m")
