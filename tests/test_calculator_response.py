"""Electrical response as ASE sees it: properties, screening, and a field that may change."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import Trajectory, read, write
from ase.md.verlet import VelocityVerlet

from ase_les import LESCalculator, LESModel, ModelConfig
from ase_les.charges import ChargesConfig
from ase_les.graph import graph_from_atoms
from ase_les.model import LongRangeConfig, ShortRangeConfig
from ase_les.neighbors import NeighborList
from ase_les.representation import CaceConfig

ELEMENTS = {"H": -13.6, "O": -432.1, "Na": -5.0, "Cl": -405.0}
FIELD = (0.03, -0.05, 0.08)


def make_model(layers=(), long_range=True, total_charges=(), **charges) -> LESModel:
    part = LongRangeConfig(
        ChargesConfig(**{"hidden": (4,), "scale": 3.0, "neutrality": "split", **charges})
    )
    return LESModel(
        ModelConfig(
            ELEMENTS,
            CaceConfig(4.0, n_radial=3, n_mixed=2, n_embedding=2, l_max=2, layers=layers),
            ShortRangeConfig(hidden=(4,), scale=6.0),
            part if long_range else None,
            total_charges,
        ),
        seed=3,
    )


SPLIT = make_model()
FORMAL = make_model(formal_charges={"Na": 1, "Cl": -1})
MEAN = make_model(neutrality="mean")
NONE = make_model(neutrality="none")


def salt() -> Atoms:
    """Ions in a skewed, left-handed cell."""
    atoms = bulk("NaCl", "rocksalt", a=5.6) * (2, 1, 1)
    atoms.set_cell(atoms.cell[[1, 0, 2]] @ [[1.0, 0.03, 0], [0, 1.02, 0.05], [0, 0, 0.98]], True)
    atoms.rattle(0.1, seed=4)
    return atoms


def water() -> Atoms:
    atoms = molecule("H2O")
    atoms.rattle(0.05, seed=2)
    return atoms


def calculated(atoms: Atoms, model=SPLIT, **settings) -> Atoms:
    atoms.calc = LESCalculator(model, **{"dtype": "float64", **settings})
    return atoms


def born(atoms: Atoms) -> np.ndarray:
    return atoms.calc.get_property("born_effective_charges", atoms)


@pytest.fixture
def evaluations(monkeypatch) -> list[str]:
    """Names of what was evaluated, in order."""
    from ase_les.calculator import charge_methods

    seen = []
    forward, original = LESModel.forward, charge_methods.born_charges
    monkeypatch.setattr(
        LESModel, "forward", lambda *a, **b: (seen.append("energy"), forward(*a, **b))[1]
    )

    def counted(*arguments, **options):
        seen.append("born charges")
        return original(*arguments, **options)

    monkeypatch.setattr(charge_methods, "born_charges", counted)
    return seen


def test_only_what_is_asked_for_is_computed(evaluations):
    atoms = calculated(salt())
    forces = atoms.get_forces()
    assert evaluations == ["energy"]
    born(atoms)
    born(atoms)
    assert evaluations == ["energy", "born charges"]
    # The forces are still there, and nothing is computed again.
    np.testing.assert_array_equal(atoms.get_forces(), forces)
    assert evaluations == ["energy", "born charges"]


def test_new_positions_make_old_born_charges_stale():
    atoms = calculated(salt())
    before = born(atoms)
    atoms.rattle(0.1, seed=8)
    atoms.get_forces()
    assert "born_effective_charges" not in atoms.calc.results
    assert np.abs(born(atoms) - before).max() > 1e-4


@pytest.mark.parametrize("model", [SPLIT, FORMAL], ids=["split", "formal"])
def test_polarization_changes_by_born_charges_times_displacement_over_volume(model):
    atoms = calculated(salt(), model, dielectric=2.3)
    slope = born(atoms)[1] / atoms.get_volume()
    ends = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.calc = atoms.calc
        moved.positions[1, 2] += sign * 1e-4
        ends.append(moved.calc.get_property("polarization", moved))
    np.testing.assert_allclose((ends[0] - ends[1]) / 2e-4, slope[:, 2], atol=1e-8)


def test_the_square_root_of_the_dielectric_constant_scales_bulk_but_not_molecules():
    tensor = [[2.0, 0.2, 0.0], [0.2, 3.0, 0.0], [0.0, 0.0, 4.0]]
    plain, scalar, full = (calculated(salt(), dielectric=value) for value in (None, 1.78, tensor))
    np.testing.assert_allclose(born(scalar), np.sqrt(1.78) * born(plain), atol=1e-14)
    undone = np.linalg.inv(full.calc._screening) @ born(full)
    np.testing.assert_allclose(undone, born(plain), atol=1e-14)
    assert full.calc.parameters["dielectric"] == tensor
    used = full.calc.get_property("dielectric_tensor", full)
    np.testing.assert_array_equal(used, tensor)
    np.testing.assert_array_equal(
        scalar.calc.get_property("dielectric_tensor", scalar), 1.78 * np.eye(3)
    )

    free, bulk_setting = calculated(water()), calculated(water(), dielectric=1.78)
    np.testing.assert_array_equal(born(bulk_setting), born(free))
    np.testing.assert_array_equal(bulk_setting.get_dipole_moment(), free.get_dipole_moment())
    np.testing.assert_array_equal(
        bulk_setting.calc.get_property("dielectric_tensor", bulk_setting), np.eye(3)
    )


@pytest.mark.parametrize("value", [0.0, -1.78, [1, 2, 3], [[1, 1, 0], [0, 1, 0], [0, 0, 1]]])
def test_impossible_dielectric_constants_are_refused(value):
    with pytest.raises(ValueError, match="`dielectric` must be 1 or larger, or a symmetric"):
        LESCalculator(SPLIT, dielectric=value)


def test_polarization_needs_a_cell_and_quadrupoles_need_none():
    with pytest.raises(PropertyNotImplementedError, match="three periodic directions"):
        calculated(water()).calc.get_property("polarization", water())
    with pytest.raises(PropertyNotImplementedError, match="open boundaries"):
        calculated(salt()).calc.get_quadrupole(salt())


def test_quadrupole_has_no_trace_and_turns_with_the_molecule():
    atoms = calculated(water())
    before = atoms.calc.get_quadrupole(atoms)
    assert np.abs(before).max() > 1e-3
    assert np.trace(before) == pytest.approx(0.0, abs=1e-14)
    atoms.rotate(90, "z")
    turn = np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1.0]])
    np.testing.assert_allclose(atoms.calc.get_quadrupole(atoms), turn.T @ before @ turn, atol=1e-9)


def test_models_without_one_charge_per_atom_have_no_response():
    for model in (make_model(long_range=False), make_model(n_channels=2)):
        calculator = LESCalculator(model)
        for name in ("polarization", "born_effective_charges", "dielectric_tensor"):
            assert name not in calculator.implemented_properties
            with pytest.raises(PropertyNotImplementedError):
                calculator.get_property(name, salt())


def test_born_charges_travel_through_trajectories(tmp_path):
    atoms = calculated(salt())
    atoms.get_forces()
    tensor = born(atoms)
    atoms.calc.get_property("polarization", atoms)
    atoms.calc.get_property("dielectric_tensor", atoms)
    SinglePointCalculator(atoms, **atoms.calc.results)
    atoms.calc.export_properties()
    write(tmp_path / "salt.traj", atoms)
    stored = read(tmp_path / "salt.traj").calc.results
    np.testing.assert_array_equal(stored["born_effective_charges"], tensor)


def test_the_published_formula_is_at_hand_for_comparison():
    atoms = calculated(bulk("NaCl", "rocksalt", a=5.6, cubic=True), dielectric=1.78)
    atoms.rattle(0.1, seed=1)
    exact = atoms.calc.get_born_effective_charges(atoms)
    phase = atoms.calc.get_born_effective_charges(atoms, method="phase")
    np.testing.assert_array_equal(exact, born(atoms))
    assert np.abs(phase - exact).max() > 1e-3
    with pytest.raises(ValueError, match="'edges' or 'phase', got 'berry'"):
        atoms.calc.get_born_effective_charges(atoms, method="berry")


# In a field

CASES = {
    "crystal": (salt, SPLIT),
    "crystal of formal ions": (salt, FORMAL),
    "one layer": (salt, make_model((("memory", "radial", "invariant"),))),
    "molecule": (water, SPLIT),
    "molecule, mean shift": (water, MEAN),
}


@pytest.fixture(params=CASES, name="case")
def _case(request) -> Atoms:
    structure, model = CASES[request.param]
    return calculated(structure(), model, dielectric=1.78)


def test_forces_in_a_field_are_minus_the_slope_of_the_enthalpy(case):
    case.calc.field_V_per_A = FIELD
    np.testing.assert_allclose(
        case.get_forces(), calculate_numerical_forces(case, eps=1e-4), atol=1e-6
    )


def test_a_field_pulls_with_the_born_charges(case):
    without, tensor = case.get_forces(), born(case)
    energy = case.get_potential_energy()
    case.calc.field_V_per_A = FIELD
    pull = np.einsum("a,iab->ib", FIELD, tensor)
    assert np.abs(pull).max() > 1e-4
    np.testing.assert_allclose(case.get_forces() - without, pull, atol=1e-10)
    if not case.pbc.any():
        change = case.get_potential_energy() - energy
        assert change == pytest.approx(-np.dot(FIELD, case.get_dipole_moment()), abs=1e-10)
    assert case.get_potential_energies().sum() == pytest.approx(case.get_potential_energy())


def test_enthalpy_is_energy_minus_field_times_polarization():
    atoms = calculated(salt(), dielectric=1.78)
    energy = atoms.get_potential_energy()
    moment = atoms.get_volume() * atoms.calc.get_property("polarization", atoms)
    atoms.calc.field_V_per_A = FIELD
    change = atoms.get_potential_energy() - energy
    assert change == pytest.approx(-np.dot(FIELD, moment), abs=1e-10)


def test_an_ion_is_pulled_by_its_charge():
    atoms = calculated(water())
    atoms.info["charge"] = -1
    atoms.calc.field_V_per_A = FIELD
    np.testing.assert_allclose(atoms.get_forces().sum(0), -np.array(FIELD), atol=1e-10)


def test_stress_in_a_field_is_the_slope_of_the_enthalpy():
    atoms = calculated(salt(), dielectric=1.78, field_V_per_A=np.multiply(10, FIELD))
    plain = calculated(salt()).get_stress()
    assert np.abs(atoms.get_stress() - plain).max() > 1e-5
    slope = calculate_numerical_stress(atoms, eps=1e-5)
    np.testing.assert_allclose(atoms.get_stress(), slope, atol=1e-7)


def test_stress_of_formal_charges_in_a_field_is_refused():
    atoms = calculated(salt(), FORMAL)
    atoms.get_stress()
    atoms.calc.field_V_per_A = FIELD
    with pytest.raises(PropertyNotImplementedError, match="Keep the cell fixed"):
        atoms.get_stress()
    atoms.get_forces()
    assert "stress" not in atoms.calc.results


def test_a_field_may_change_during_a_run():
    atoms = calculated(salt())
    before = atoms.get_forces()
    assert atoms.calc.check_state(atoms) == []
    atoms.calc.field_V_per_A = FIELD
    assert atoms.calc.check_state(atoms) == ["field_V_per_A"]
    assert atoms.calc.parameters["field_V_per_A"] == list(FIELD)
    assert np.abs(atoms.get_forces() - before).max() > 1e-4
    assert atoms.calc.check_state(atoms) == []
    atoms.calc.field_V_per_A = (0, 0, 0)
    np.testing.assert_array_equal(atoms.get_forces(), before)


@pytest.mark.slow
def test_error_of_the_enthalpy_in_a_field_falls_with_the_square_of_the_time_step():
    spread = {}
    for steps, timestep in ((60, 1.0), (240, 0.25)):
        atoms = calculated(salt(), FORMAL, field_V_per_A=(0.0, 0.0, 0.5))
        atoms.set_momenta(np.random.default_rng(1).normal(0, 1.0, (len(atoms), 3)))
        # Atoms leave the cell on the way: the polarization must not jump.
        atoms.positions[0] = 0.999 * atoms.cell.array.sum(0)
        totals = []
        dynamics = VelocityVerlet(atoms, timestep=timestep * units.fs)
        dynamics.attach(lambda totals=totals, atoms=atoms: totals.append(atoms.get_total_energy()))
        start = atoms.positions.copy()
        dynamics.run(steps)
        assert np.abs(atoms.positions - start).max() > 0.1
        spread[timestep] = np.ptp(totals)
    assert spread[1.0] / spread[0.25] == pytest.approx(16, rel=0.2)


@pytest.mark.parametrize(
    ("model", "structure", "message"),
    [
        (NONE, salt, "does not constrain their sum"),
        (NONE, water, "does not constrain their sum"),
        (MEAN, salt, "no energy in a field along periodic directions"),
        (make_model(long_range=False), water, "has none"),
    ],
)
def test_fields_without_an_enthalpy_are_refused(model, structure, message):
    atoms = calculated(structure(), model)
    atoms.get_forces()
    atoms.calc.field_V_per_A = FIELD
    with pytest.raises(ValueError, match=message):
        atoms.get_forces()


@pytest.mark.parametrize("field", [(1, 2), (0, 0, np.nan), 0.1])
def test_what_is_no_field_is_refused(field):
    with pytest.raises(ValueError, match="field"):
        LESCalculator(SPLIT, field_V_per_A=field)


@pytest.mark.parametrize("layers", [(), (("memory", "radial", "invariant"),)])
@pytest.mark.parametrize(
    ("charges", "periodic"),
    [
        ({"neutrality": "split"}, True),
        ({"neutrality": "split"}, False),
        ({"neutrality": "mean"}, False),
        ({"neutrality": "mean"}, True),
        ({"neutrality": "none"}, False),
    ],
)
def test_current_is_born_charges_times_velocities(random_model, rng, layers, charges, periodic):
    corners = [[0, 0, 0], [2, 0, 0], [0, 2, 0], [0, 0, 2]]
    atoms = Atoms("NaOHH", corners + rng.uniform(-0.3, 0.3, (4, 3)))
    if periodic:
        atoms.set_cell([[5, 0, 0], [0.7, 5.5, 0], [0.3, -0.4, 6]])
        atoms.pbc = True
    atoms.set_velocities(rng.normal(0, 0.1, (4, 3)))
    model = random_model(layers=layers, charges=charges)
    atoms.calc = LESCalculator(model, dtype="float64", dielectric=1.8)
    born = atoms.calc.get_property("born_effective_charges", atoms)
    expected = np.einsum("iab,ib->a", born, atoms.get_velocities() * units.fs)
    assert np.abs(expected).max() > 1e-4
    assert atoms.calc.get_current(atoms) == pytest.approx(expected, abs=1e-14)


# One scale for charges and all that is made of them

TENSOR = [[2.0, 0.2, 0.0], [0.2, 3.0, 0.0], [0.0, 0.0, 4.0]]


def rigid_ions() -> LESModel:
    """Na and Cl carry +0.8 and -0.8 e, latent, wherever they are."""
    model = make_model(formal_charges={"Na": 0.8, "Cl": -0.8})
    with torch.no_grad():
        for parameter in model.long_range.charges.parameters():
            parameter.zero_()
    return model


def slab() -> Atoms:
    atoms = salt()
    atoms.set_cell([atoms.cell[0], atoms.cell[1], (0, 0, 20)])
    atoms.pbc = (True, True, False)
    return atoms


def free() -> Atoms:
    atoms = salt()
    atoms.pbc = False
    return atoms


@pytest.mark.parametrize("structure", [salt, slab, free])
@pytest.mark.parametrize("dielectric", [None, 2.3])
def test_rigid_charges_are_born_charges_and_make_polarization_and_current(structure, dielectric):
    """Z* = q 1, P = Σ q r / V, J = Σ q v, μ = Σ q r: in crystals, slabs and molecules."""
    atoms = calculated(structure(), rigid_ions(), dielectric=dielectric)
    atoms.set_velocities(np.random.default_rng(2).normal(0, 0.1, (len(atoms), 3)))
    charges = atoms.get_charges()
    screened = dielectric is not None and atoms.pbc.any()
    size = 0.8 * (np.sqrt(dielectric) if screened else 1.0)
    np.testing.assert_allclose(charges, np.where(atoms.numbers == 11, size, -size), atol=1e-12)
    np.testing.assert_allclose(born(atoms), charges[:, None, None] * np.eye(3), atol=1e-12)
    np.testing.assert_allclose(atoms.calc.get_gapt_charges(atoms), charges, atol=1e-12)
    current = charges @ (atoms.get_velocities() * units.fs)
    np.testing.assert_allclose(atoms.calc.get_current(atoms), current, atol=1e-12)
    if atoms.pbc.all():
        moment = atoms.get_volume() * atoms.calc.get_property("polarization", atoms)
        np.testing.assert_allclose(moment, charges @ atoms.positions, atol=1e-11)
    if not atoms.pbc.any():
        np.testing.assert_allclose(atoms.get_dipole_moment(), charges @ atoms.positions, atol=1e-11)


def test_rigid_charges_are_the_isotropic_part_of_born_charges_in_an_anisotropic_medium():
    atoms = calculated(salt(), rigid_ions(), dielectric=TENSOR)
    charges = atoms.get_charges()
    root = atoms.calc._screening
    np.testing.assert_allclose(root @ root, TENSOR, atol=1e-14)
    np.testing.assert_allclose(
        born(atoms), (charges / (np.trace(root) / 3))[:, None, None] * root, atol=1e-12
    )
    np.testing.assert_allclose(atoms.calc.get_charges(atoms, kind="gapt"), charges, atol=1e-12)


@pytest.mark.parametrize("model", [SPLIT, MEAN, NONE], ids=["split", "mean", "none"])
@pytest.mark.parametrize("structure", [salt, slab, free])
def test_the_dielectric_constant_scales_charges_and_born_charges_alike(structure, model):
    plain, scaled = (calculated(structure(), model, dielectric=value) for value in (None, 4.0))
    factor = 2.0 if plain.pbc.any() else 1.0
    np.testing.assert_allclose(scaled.get_charges(), factor * plain.get_charges(), atol=1e-12)
    np.testing.assert_allclose(born(scaled), factor * born(plain), atol=1e-12)
    for kind in ("physical", "gapt"):
        ratio = [each.calc.get_charges(each, kind=kind) for each in (scaled, plain)]
        np.testing.assert_allclose(ratio[0], factor * ratio[1], atol=1e-12)
    latent = [each.calc.get_latent_charges(each) for each in (scaled, plain)]
    np.testing.assert_allclose(*latent, atol=1e-12)
    np.testing.assert_allclose(scaled.get_forces(), plain.get_forces(), atol=1e-12)


def test_gapt_charges_are_a_third_of_the_slope_of_the_dipole():
    atoms = calculated(water(), MEAN)
    slope = 0.0
    for axis, step in enumerate(1e-4 * np.eye(3)):
        ends = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[0] += sign * step
            ends.append(atoms.calc.get_charges(moved) @ moved.positions[:, axis])
        slope += (ends[0] - ends[1]) / 2e-4 / 3
    assert abs(slope) > 0.01
    assert atoms.calc.get_gapt_charges(atoms)[0] == pytest.approx(slope, abs=1e-7)


def test_other_kinds_of_charge_are_not_known():
    atoms = calculated(water())
    np.testing.assert_array_equal(atoms.get_charges(), atoms.calc.get_charges())
    with pytest.raises(ValueError, match="'physical', 'latent' or 'gapt', got 'mulliken'"):
        atoms.calc.get_charges(atoms, kind="mulliken")
    wide = make_model(n_channels=2)
    for kind in ("physical", "latent", "gapt"):
        with pytest.raises(PropertyNotImplementedError):
            LESCalculator(wide).get_charges(atoms, kind=kind)


def test_recorded_charges_tell_how_they_are_scaled(tmp_path):
    from ase_les.reading.extended_xyz import read_extended_xyz, write_extended_xyz
    from ase_les.screening import latent_charges

    frames = [calculated(structure(), dielectric=TENSOR) for structure in (salt, slab, free)]
    with Trajectory(tmp_path / "run.traj", "w") as file:
        for atoms in frames:
            atoms.get_forces()
            file.write(atoms)
    write_extended_xyz(tmp_path / "run.extxyz", frames)
    for stored in (read(tmp_path / "run.traj", ":"), read_extended_xyz(tmp_path / "run.extxyz")):
        for frame, atoms in zip(stored, frames, strict=True):
            expected = atoms.calc.get_latent_charges(atoms)
            np.testing.assert_allclose(latent_charges(frame), expected, atol=1e-7)


def test_net_charge_is_told_of_in_the_scale_in_which_it_was_given():
    atoms = calculated(salt(), dielectric=4.0)
    atoms.info["charge"] = 1
    with pytest.warns(UserWarning, match=r"latent charges sum to \+1\.0000 e"):
        atoms.get_forces()


# Potential and field


@pytest.mark.parametrize("structure", [salt, water])
def test_the_field_is_minus_the_slope_of_the_potential(structure):
    atoms = calculated(structure(), MEAN)
    points = atoms.positions + np.array([0.4, -0.3, 0.2])
    _, field = atoms.calc.get_potential_and_field(atoms, points)
    assert field.shape == (len(atoms), 3)
    for axis, step in enumerate(1e-4 * np.eye(3)):
        up, _ = atoms.calc.get_potential_and_field(atoms, points + step)
        down, _ = atoms.calc.get_potential_and_field(atoms, points - step)
        assert field[:, axis] == pytest.approx(-(up - down) / 2e-4, abs=1e-6)


@pytest.mark.parametrize("structure", [salt, water])
def test_charges_in_their_potential_have_the_long_range_energy(structure):
    atoms = calculated(structure(), MEAN, dielectric=2.3)
    potential, _ = atoms.calc.get_potential_and_field(atoms)
    graph = graph_from_atoms(atoms, NeighborList(MEAN.config.cutoff))
    # Of the model and not of the calculator: no dielectric constant has touched it.
    energy = MEAN.double()(graph).long_range.item()
    charges = atoms.calc.get_latent_charges(atoms)
    # The potential at an atom is without its own charge, the energy of this model is with it.
    sums = MEAN.config.long_range.electrostatics
    assert not sums.remove_self_energy
    own = 14.399645478 / (math.sqrt(2 * math.pi) * sums.smearing) * (charges**2).sum()
    assert 0.5 * charges @ potential + own == pytest.approx(energy, abs=1e-8)


def test_looking_at_the_potential_changes_no_energy_that_follows():
    """Points are charges to the sums, and so many charges might be better off on a mesh."""
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True) * (2, 3, 3)
    atoms.rattle(0.05, seed=4)
    atoms.calc = LESCalculator(MEAN, dtype="float64", accuracy=1e-4)
    before = atoms.get_potential_energy(), atoms.get_forces()
    atoms.calc.get_potential_and_field(atoms, np.linspace((0, 0, 0), (11, 16, 16), 500))
    atoms.calc.results.clear()
    assert atoms.get_potential_energy() == before[0]
    assert (atoms.get_forces() == before[1]).all()


@pytest.mark.parametrize("layers", [(), (("radial", "invariant"),)])
def test_a_slab_of_shifted_charges_has_an_energy_in_a_field_along_its_normal(layers):
    atoms = salt()
    atoms.pbc = (True, False, True)
    normal = np.cross(atoms.cell[0], atoms.cell[2])
    normal /= np.linalg.norm(normal)
    calculated(atoms, make_model(layers, neutrality="mean"), dielectric=2.0)
    without = atoms.get_potential_energy()
    dipole = np.sqrt(2.0) * atoms.calc.get_local_charges(atoms) @ atoms.positions @ normal
    atoms.calc.field_V_per_A = 0.3 * normal
    assert atoms.get_potential_energy() - without == pytest.approx(-0.3 * dipole)
    forces = atoms.get_forces()
    np.testing.assert_allclose(forces, calculate_numerical_forces(atoms, 1e-4), atol=1e-6)
    atoms.calc.field_V_per_A = 0.3 * normal + 1e-3 * atoms.cell[0]
    with pytest.raises(ValueError, match="a slab and a field along its normal"):
        atoms.get_forces()


def test_the_dielectric_constant_is_that_of_the_card_unless_one_is_given():
    model = make_model()
    model.card = {"dielectric": 4.0}
    atoms = calculated(salt(), SPLIT)
    latent = born(atoms)
    assert born(calculated(salt(), model)) == pytest.approx(2 * latent, abs=1e-12)
    assert born(calculated(salt(), model, dielectric=1)) == pytest.approx(latent, abs=1e-12)
    assert calculated(salt(), model).calc.parameters["dielectric"] == 4.0
