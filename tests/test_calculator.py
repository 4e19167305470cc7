"""What ASE and its users may rely on: one energy, its derivatives, and nothing stale."""

from __future__ import annotations

import copy
import json
import runpy
from pathlib import Path

import ase.io
import numpy as np
import pytest
import torch
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.calculators.calculator import (
    Calculator,
    PropertyNotImplementedError,
    compare_atoms,
    get_calculator_class,
)
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from ase.calculators.lj import LennardJones
from ase.constraints import FixAtoms, FixBondLength
from ase.db import connect
from ase.filters import FrechetCellFilter, UnitCellFilter
from ase.md.bussi import Bussi
from ase.md.langevin import Langevin
from ase.md.melchionna import MelchionnaNPT
from ase.md.nose_hoover_chain import IsotropicMTKNPT
from ase.md.nptberendsen import NPTBerendsen
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS, FIRE, LBFGS

from ase_les import LESCalculator, LESModel, ModelConfig, save_model
from ase_les.charges import ChargesConfig
from ase_les.model import LongRangeConfig, ShortRangeConfig
from ase_les.representation import CaceConfig

ROOT = Path(__file__).parents[1]
ELEMENTS = {"H": -13.6, "O": -432.1, "Na": -5.0, "Cl": -405.0}


def make_model(n_channels=1, **settings) -> LESModel:
    """Random weights, scaled so that forces and charges are of the size they have in matter."""
    charges = ChargesConfig(hidden=(4,), scale=2.0, n_channels=n_channels, neutrality="mean")
    settings = {"long_range": LongRangeConfig(charges), **settings}
    representation = CaceConfig(cutoff=4.0, n_radial=3, n_mixed=2, n_embedding=2, l_max=2)
    short_range = ShortRangeConfig(hidden=(4,), scale=6.0)
    return LESModel(ModelConfig(ELEMENTS, representation, short_range, **settings), seed=3)


MODEL = make_model()
SHORT_RANGED = make_model(long_range=None)


def exact(model=MODEL, **settings) -> LESCalculator:
    return LESCalculator(model, **{"dtype": "float64", **settings})


def water_pair() -> Atoms:
    pair = molecule("H2O")
    other = molecule("H2O")
    other.rotate(70, "x")
    other.translate((0.4, 0.3, 2.9))
    return pair + other


def salt(rattled=0.1) -> Atoms:
    """Eight ions in a skewed, left-handed cell."""
    atoms = bulk("NaCl", "rocksalt", a=5.6) * (2, 2, 1)
    atoms.set_cell(atoms.cell[[1, 0, 2]] @ [[1.0, 0.03, 0], [0, 1.02, 0.05], [0, 0, 0.98]], True)
    atoms.rattle(rattled, seed=4)
    assert np.linalg.det(atoms.cell) < 0
    return atoms


STRUCTURES = {"molecules": water_pair, "crystal": salt}


@pytest.fixture(params=STRUCTURES, name="atoms")
def _atoms(request) -> Atoms:
    atoms = STRUCTURES[request.param]()
    atoms.calc = exact()
    return atoms


@pytest.fixture
def crystal() -> Atoms:
    atoms = salt()
    atoms.calc = exact()
    return atoms


@pytest.fixture
def evaluations(monkeypatch) -> list[int]:
    """Grows by one entry with every evaluation of a model."""
    seen = []
    forward = LESModel.forward

    def counted(self, graph, plan=None):
        seen.append(graph.n_atoms)
        return forward(self, graph, plan)

    monkeypatch.setattr(LESModel, "forward", counted)
    return seen


def warm(atoms: Atoms, temperature_K=300.0) -> Atoms:
    widths = np.sqrt(units.kB * temperature_K * atoms.get_masses())[:, None]
    atoms.set_momenta(widths * np.random.default_rng(1).normal(size=(len(atoms), 3)))
    return atoms


def afresh(atoms: Atoms, model=MODEL, **settings) -> Atoms:
    """The same structure with a calculator that has seen nothing."""
    other = atoms.copy()
    other.calc = exact(model, **settings)
    return other


# The energy and its derivatives


def test_forces_are_minus_the_slope_of_the_energy(atoms):
    slope = calculate_numerical_forces(atoms, eps=1e-4)
    assert np.abs(slope).max() > 0.1
    np.testing.assert_allclose(atoms.get_forces(), slope, atol=2e-6)


def test_stress_is_the_slope_of_the_energy_with_strain(crystal):
    slope = calculate_numerical_stress(crystal, eps=1e-5)
    assert np.abs(slope).min() > 1e-5
    np.testing.assert_allclose(crystal.get_stress(), slope, atol=1e-7)


def test_shares_of_the_atoms_make_up_the_energy(atoms):
    energies = atoms.get_potential_energies()
    assert energies.shape == (len(atoms),)
    assert energies.sum() == pytest.approx(atoms.get_potential_energy(), rel=1e-12)


def test_free_energy_is_the_energy(atoms):
    assert atoms.get_potential_energy(force_consistent=True) == atoms.get_potential_energy()


def test_both_precisions_tell_the_same(atoms):
    single = atoms.copy()
    single.calc = LESCalculator(MODEL)
    np.testing.assert_allclose(single.get_forces(), atoms.get_forces(), atol=1e-4)
    # Geometry and sums stay float64: the total energy must not be rounded to float32.
    assert single.get_potential_energy() == pytest.approx(atoms.get_potential_energy(), abs=1e-4)
    assert single.calc.results["forces"].dtype == np.float64


def test_whole_lattice_vectors_change_nothing(crystal):
    energy, forces = crystal.get_potential_energy(), crystal.get_forces()
    crystal.positions[2] += crystal.cell[0] - 2 * crystal.cell[2]
    assert crystal.get_potential_energy() == pytest.approx(energy, abs=1e-9)
    np.testing.assert_allclose(crystal.get_forces(), forces, atol=1e-9)


def test_error_of_verlet_dynamics_falls_with_the_square_of_the_time_step():
    spread = {}
    for steps, timestep in ((40, 0.1), (160, 0.025)):
        atoms = warm(afresh(water_pair()))
        totals = []
        dynamics = VelocityVerlet(atoms, timestep=timestep * units.fs)
        dynamics.attach(lambda totals=totals, atoms=atoms: totals.append(atoms.get_total_energy()))
        dynamics.run(steps)
        spread[timestep] = np.ptp(totals)
    assert spread[0.1] / spread[0.025] == pytest.approx(16, rel=0.05)


# Charges and dipole


def test_charges_sum_to_the_charge_of_the_structure(atoms):
    for charge in (0, 1, -2):
        atoms.info["charge"] = charge
        assert atoms.get_charges().sum() == pytest.approx(charge, abs=1e-12)


def test_dipole_of_a_neutral_molecule_is_the_first_moment_of_its_charges():
    atoms = afresh(water_pair())
    moment = atoms.get_charges() @ atoms.positions
    assert np.linalg.norm(moment) > 1e-3
    np.testing.assert_allclose(atoms.get_dipole_moment(), moment, atol=1e-12)


def test_dipole_of_an_ion_does_not_depend_on_where_it_is():
    atoms = afresh(water_pair())
    atoms.info["charge"] = 1
    dipole = atoms.get_dipole_moment()
    arms = atoms.positions - atoms.get_center_of_mass()
    np.testing.assert_allclose(dipole, atoms.get_charges() @ arms, atol=1e-12)
    atoms.translate((30, -20, 10))
    np.testing.assert_allclose(atoms.get_dipole_moment(), dipole, atol=1e-9)


def test_dipole_of_an_ion_follows_its_isotopes():
    atoms = afresh(water_pair())
    atoms.info["charge"] = 1
    light = atoms.get_dipole_moment()
    atoms.set_masses([2.014 if symbol == "H" else 15.999 for symbol in atoms.symbols])
    assert np.linalg.norm(atoms.get_dipole_moment() - light) > 1e-3


# What is implemented, and what is not


def test_the_class_keeps_a_list_of_its_own():
    assert LESCalculator.implemented_properties is not Calculator.implemented_properties
    exact(SHORT_RANGED)
    assert "charges" in LESCalculator.implemented_properties
    assert "charges" not in LennardJones.implemented_properties
    assert "charges" in exact().implemented_properties


@pytest.mark.parametrize("model", [SHORT_RANGED, make_model(n_channels=2)], ids=["none", "two"])
def test_without_one_charge_per_atom_there_are_neither_charges_nor_dipole(model):
    atoms = afresh(water_pair(), model)
    atoms.get_forces()
    assert not {"charges", "dipole"} & {*atoms.calc.results, *atoms.calc.implemented_properties}
    for name in ("charges", "dipole"):
        with pytest.raises(PropertyNotImplementedError):
            atoms.calc.get_property(name, atoms)


@pytest.mark.parametrize("pbc", [(False, False, False), (False, True, False)])
def test_stress_needs_two_or_three_periodic_directions(pbc):
    atoms = afresh(salt(), SHORT_RANGED)
    atoms.get_stress()
    atoms.pbc = pbc
    with pytest.raises(PropertyNotImplementedError, match="two or three periodic directions"):
        atoms.get_stress()
    atoms.get_forces()
    assert "stress" not in atoms.calc.results


@pytest.mark.parametrize("vector", [(0, 0, 20.0), (3.0, -2.0, 14.0)], ids=["upright", "tilted"])
@pytest.mark.parametrize("model", [MODEL, SHORT_RANGED], ids=["LES", "short-ranged"])
def test_a_slab_has_the_stress_of_its_plane_per_volume_of_its_cell(model, vector):
    slab = afresh(salt(), model)
    cell = slab.cell.array @ [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    slab.set_cell([cell[0], cell[1], vector])
    slab.pbc = (True, True, False)
    stress = slab.get_stress()
    assert (stress[[2, 3, 4]] == 0).all()
    numerical = calculate_numerical_stress(slab, eps=1e-5)
    np.testing.assert_allclose(stress[[0, 1, 5]], numerical[[0, 1, 5]], atol=1e-7)
    doubled = slab.copy()
    doubled.set_cell([cell[0], cell[1], 2 * np.array(vector)])
    doubled.calc = exact(model)
    np.testing.assert_allclose(2 * doubled.get_stress(), stress, atol=1e-12)


def test_a_slab_without_a_third_vector_has_forces_but_no_stress():
    slab = afresh(salt())
    slab.set_cell([slab.cell[0], slab.cell[1], (0, 0, 0)])
    slab.pbc = (True, True, False)
    with pytest.raises(PropertyNotImplementedError, match=r"atoms\.center\(vacuum=10, axis=2\)"):
        slab.get_stress()
    assert np.isfinite(slab.get_forces()).all()


def test_a_total_charge_that_was_never_trained_on_is_told_of_once(recwarn):
    model = make_model()
    model.card = {"total_charges_e": [0.0, 1.0]}
    ion = afresh(water_pair(), model)
    ion.info["charge"] = 1
    ion.get_forces()
    assert not recwarn
    ion.info["charge"] = -1
    with pytest.warns(UserWarning, match=r"is -1 e, .* trained on 0, \+1 e only"):
        ion.get_forces()
    recwarn.clear()
    ion.rattle(0.01)
    ion.get_forces()
    assert not recwarn


def test_a_charged_periodic_cell_is_told_of_once(recwarn):
    crystal = afresh(salt())
    crystal.get_forces()
    assert not recwarn
    crystal.info["charge"] = 1.0
    with pytest.warns(UserWarning, match=r"latent charges sum to \+1\.0000 e.*depend on the size"):
        crystal.get_forces()
    recwarn.clear()
    crystal.rattle(0.01)
    crystal.get_forces()
    assert not recwarn
    for pbc in ((False, False, False), (True, True, False)):
        other = afresh(crystal)
        other.pbc = pbc
        other.get_forces()
    assert not recwarn


def test_a_model_that_leaves_its_charges_free_warns_of_what_is_not_its_habit(recwarn):
    free = make_model(long_range=LongRangeConfig(ChargesConfig(neutrality="none", scale=1e-3)))
    atoms = afresh(salt(), free)
    assert abs(atoms.get_charges().sum()) > 1e-4
    assert not recwarn
    wild = make_model(long_range=LongRangeConfig(ChargesConfig(neutrality="none", scale=8.0)))
    with pytest.warns(UserWarning, match="the periodic cell is charged"):
        afresh(salt(), wild).get_forces()


def test_a_slab_whose_charges_need_not_sum_to_zero_is_told_of(recwarn):
    free = make_model(long_range=LongRangeConfig(ChargesConfig(neutrality="none", scale=0.1)))
    slab = afresh(salt(), free)
    slab.get_forces()
    assert not recwarn
    slab.pbc = (True, True, False)
    with pytest.warns(UserWarning, match=r"this slab sum to .* 'none'.* pbc = True"):
        slab.get_forces()
    kept = afresh(slab, make_model(long_range=LongRangeConfig(ChargesConfig(neutrality="mean"))))
    recwarn.clear()
    kept.get_forces()
    assert not recwarn


def test_dipole_needs_open_boundaries(crystal):
    with pytest.raises(PropertyNotImplementedError, match="without periodic directions"):
        crystal.get_dipole_moment()
    crystal.get_forces()
    assert "dipole" not in crystal.calc.results


# Nothing stale, nothing twice


def test_one_evaluation_gives_forces_and_all_that_comes_with_them(evaluations):
    atoms = afresh(water_pair())
    atoms.get_forces()
    atoms.get_potential_energy()
    atoms.get_charges()
    atoms.get_dipole_moment()
    atoms.get_forces()
    assert len(evaluations) == 1


def test_energy_alone_takes_no_gradient(atoms, monkeypatch):
    monkeypatch.setattr(torch.autograd, "grad", lambda *_, **__: pytest.fail("a gradient"))
    atoms.get_potential_energy()
    atoms.get_charges()
    assert "forces" not in atoms.calc.results


def test_stress_comes_when_asked_and_then_from_the_pass_of_the_forces(crystal, evaluations):
    crystal.get_forces()
    assert "stress" not in crystal.calc.results
    crystal.get_stress()
    assert len(evaluations) == 2
    for step in range(3):
        crystal.rattle(0.01, seed=step)
        crystal.get_forces()
        crystal.get_stress()
    assert len(evaluations) == 5


def test_asking_for_the_stress_leaves_every_bit_of_the_forces(crystal):
    without = crystal.get_forces()
    crystal.get_stress()
    np.testing.assert_array_equal(crystal.calc.results["forces"], without)


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        (lambda atoms: atoms.positions.__setitem__((0, 0), atoms.positions[0, 0] + 1e-8), True),
        (lambda atoms: atoms.set_cell(atoms.cell * 1.01), True),
        (lambda atoms: atoms.numbers.__setitem__(0, 1), True),
        (lambda atoms: atoms.info.__setitem__("charge", 1), True),
        (lambda atoms: atoms.info.__setitem__("spin", 3), True),
        (lambda atoms: atoms.set_pbc(False), True),
        (lambda atoms: atoms.set_initial_charges(np.ones(len(atoms))), False),
        (lambda atoms: atoms.set_initial_magnetic_moments(np.ones(len(atoms))), False),
        (lambda atoms: atoms.info.__setitem__("label", "x"), False),
        (lambda atoms: atoms.set_momenta(np.ones((len(atoms), 3))), False),
    ],
    ids=[
        *("position", "cell", "element", "charge", "spin", "pbc"),
        *("initial charges", "magnetic moments", "label", "momenta"),
    ],
)
def test_what_the_model_reads_makes_results_stale_and_nothing_else(
    crystal, evaluations, change, counts
):
    crystal.get_forces()
    change(crystal)
    assert bool(crystal.calc.calculation_required(crystal, ["energy"])) == counts
    forces = crystal.get_forces()
    assert len(evaluations) == 1 + counts
    np.testing.assert_array_equal(forces, afresh(crystal).get_forces())


def test_a_model_of_charge_states_follows_the_charge():
    atoms = afresh(water_pair(), make_model(total_charges=(0, 1)))
    neutral = atoms.get_potential_energy()
    atoms.info["charge"] = 1
    assert abs(atoms.get_potential_energy() - neutral) > 1e-3
    atoms.info["charge"] = 2
    with pytest.raises(ValueError, match=r"total charge \[0, 1\]"):
        atoms.get_potential_energy()
    assert not atoms.calc.results
    atoms.info["charge"] = 0
    assert atoms.get_potential_energy() == neutral


def test_a_direct_calculation_leaves_nothing_of_the_one_before(crystal):
    crystal.calc.calculate(crystal, ["forces"])
    crystal.rattle(0.01)
    crystal.calc.calculate(crystal, ["energy"])
    assert "forces" not in crystal.calc.results


def test_changing_a_result_does_not_change_the_calculator(crystal):
    forces = crystal.get_forces()
    crystal.get_forces()[:] = 0
    np.testing.assert_array_equal(crystal.get_forces(), forces)


def test_structures_that_share_a_calculator_do_not_mix(evaluations):
    shared = exact()
    structures = [water_pair(), salt(), molecule("H2O"), salt(0.2), water_pair()[::-1]]
    own = [afresh(atoms).get_forces() for atoms in structures]
    for _ in range(2):
        for atoms, forces in zip(structures, own, strict=True):
            atoms.calc = shared
            np.testing.assert_allclose(atoms.get_forces(), forces, atol=1e-12)


@pytest.mark.parametrize("skin", [0.0, 0.3, 2.0])
def test_the_skin_never_shows(skin):
    atoms = afresh(salt(), skin=skin)
    random = np.random.default_rng(2)
    for step in range(12):
        atoms.positions += random.normal(scale=0.03, size=(len(atoms), 3))
        if step % 3 == 2:
            strain = np.eye(3) + random.normal(scale=0.01, size=(3, 3))
            atoms.set_cell(atoms.cell @ strain, scale_atoms=True)
        fresh = afresh(atoms, skin=0.0)
        np.testing.assert_allclose(atoms.get_stress(), fresh.get_stress(), atol=1e-11)
        np.testing.assert_allclose(atoms.get_forces(), fresh.get_forces(), atol=1e-10)


def test_no_more_than_two_hundred_python_calls_before_the_network(crystal):
    counter = runpy.run_path(str(ROOT / "benchmarks" / "python_calls.py"))
    assert 10 < counter["calls_before_the_network"](crystal).total() <= 200


# With the rest of ASE


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", [BFGS, FIRE, LBFGS])
@pytest.mark.parametrize("cell_filter", [None, FrechetCellFilter, UnitCellFilter])
def test_the_first_step_of_an_optimizer_goes_downhill(crystal, optimizer, cell_filter):
    before, cell = crystal.get_potential_energy(), crystal.cell.copy()
    relaxed = cell_filter(crystal) if cell_filter else crystal
    optimization = optimizer(relaxed, logfile=None, maxstep=0.02)
    optimization.run(steps=1)
    assert crystal.get_potential_energy() < before - 1e-4
    assert (crystal.cell == cell).all() == (cell_filter is None)
    optimization.run(steps=4)
    np.testing.assert_allclose(crystal.get_forces(), afresh(crystal).get_forces(), atol=1e-10)


STEP = {"timestep": 0.5 * units.fs}
COLD = {**STEP, "temperature_K": 100}


@pytest.mark.parametrize(
    "dynamics",
    [
        lambda atoms: VelocityVerlet(atoms, **STEP),
        lambda atoms: Langevin(atoms, friction=0.01 / units.fs, fixcm=False, **COLD),
        lambda atoms: Bussi(atoms, taut=50 * units.fs, **COLD),
        lambda atoms: NPTBerendsen(
            atoms, pressure_au=0.0, compressibility_au=0.5, taut=50, taup=500, **COLD
        ),
        lambda atoms: IsotropicMTKNPT(atoms, pressure_au=0.0, tdamp=50.0, pdamp=500.0, **COLD),
        lambda atoms: MelchionnaNPT(atoms, externalstress=0.0, ttime=25.0, pfactor=50.0, **COLD),
    ],
    ids=["verlet", "langevin", "bussi", "berendsen", "mtk", "npt"],
)
def test_results_after_dynamics_are_those_of_the_last_geometry(dynamics):
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    atoms.rattle(0.05, seed=1)
    atoms.calc = exact()
    warm(atoms, 100.0)
    start = atoms.positions.copy()
    dynamics(atoms).run(5)
    assert 1e-4 < np.abs(atoms.positions - start).max() < 1
    np.testing.assert_allclose(atoms.get_forces(), afresh(atoms).get_forces(), atol=1e-10)


def test_constraints_hold():
    atoms = afresh(water_pair())
    atoms.set_constraint([FixAtoms([5]), FixBondLength(0, 1)])
    warm(atoms)
    bond, fixed = atoms.get_distance(0, 1), atoms.positions[5].copy()
    VelocityVerlet(atoms, timestep=0.5 * units.fs).run(10)
    assert atoms.get_distance(0, 1) == pytest.approx(bond, abs=1e-8)
    np.testing.assert_array_equal(atoms.positions[5], fixed)
    assert not atoms.get_forces()[5].any()
    assert atoms.get_forces(apply_constraint=False)[5].any()


@pytest.mark.parametrize("suffix", ["traj", "extxyz"])
def test_written_results_are_read_back(atoms, tmp_path, suffix):
    atoms.get_forces()
    atoms.get_potential_energies()
    atoms.write(tmp_path / f"frame.{suffix}")
    back = ase.io.read(tmp_path / f"frame.{suffix}")
    assert back.get_potential_energy() == pytest.approx(atoms.get_potential_energy(), abs=1e-7)
    np.testing.assert_allclose(back.get_forces(), atoms.get_forces(), atol=1e-7)
    np.testing.assert_allclose(back.get_charges(), atoms.get_charges(), atol=1e-7)


def test_a_copied_structure_brings_its_calculator_along(atoms):
    forces = atoms.get_forces()
    twin = copy.deepcopy(atoms)
    twin.positions[0] += 0.1
    assert np.abs(twin.get_forces() - forces).max() > 1e-3
    np.testing.assert_array_equal(atoms.get_forces(), forces)


def test_a_calculator_is_rebuilt_from_what_a_database_remembers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_model("model.safetensors", MODEL)
    atoms = water_pair()
    atoms.calc = LESCalculator("model.safetensors", dtype="float64", skin=0.3)
    energy = atoms.get_potential_energy()
    with connect("structures.db") as database:
        database.write(atoms)
        row = database.get(1)
    assert row.calculator == "les"
    assert row.charges == pytest.approx(atoms.get_charges())
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    settings = json.loads(json.dumps(row.calculator_parameters))
    atoms.calc = get_calculator_class("les")(**settings)
    assert atoms.calc.todict() == settings
    assert atoms.get_potential_energy() == energy


def test_settings_cannot_change_under_the_results(crystal):
    with pytest.raises(TypeError, match="Create a new LESCalculator"):
        crystal.calc.set(dtype="float32")
    with pytest.raises(ValueError, match="dtype"):
        exact(dtype="float16")
    with pytest.raises(ValueError, match="skin"):
        exact(skin=-1.0)


def test_training_on_does_not_reach_a_calculator():
    model = make_model()
    atoms = afresh(water_pair(), model)
    before, hash_ = atoms.get_potential_energy(), atoms.calc.model_hash
    model.short_range.readout.linear.weight.data += 1.0
    atoms.calc.reset()
    assert atoms.get_potential_energy() == before
    assert atoms.calc.model_hash == hash_ != exact(model).model_hash


def test_torch_is_left_as_it_was(crystal):
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    with torch.no_grad():
        forces = crystal.get_forces()
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()
    assert (torch.get_num_threads(), torch.get_default_dtype()) == (threads, dtype)
    np.testing.assert_array_equal(forces, afresh(crystal).get_forces())


# Structures that cannot be calculated


def _set(field, index, value):
    def change(atoms):
        getattr(atoms, field)[index] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("positions", (1, 2), np.nan), r"atom 1 \(Na|atom 1 \(Cl"),
        (_set("cell", (0, 0), np.inf), "cell must be finite"),
        (_set("cell", 1, 0.0), "independent lattice vectors"),
        (_set("numbers", 3, 26), "also has Fe"),
        (lambda atoms: atoms.__delitem__(slice(None)), "no atoms"),
        (lambda atoms: atoms.info.__setitem__("charge", "two"), r"info\['charge'\]"),
        (lambda atoms: atoms.set_pbc((True, False, False)), "periodic"),
    ],
    ids=["nan", "infinite cell", "flat cell", "element", "empty", "charge", "wire"],
)
def test_a_structure_no_model_can_take_is_refused_and_leaves_no_results(crystal, change, message):
    crystal.get_forces()
    change(crystal)
    for _ in range(2):
        with pytest.raises(ValueError, match=message):
            crystal.get_forces()
        assert not crystal.calc.results


def test_colliding_atoms_are_named_with_their_distance():
    atoms = afresh(water_pair())
    atoms.positions[4] = atoms.positions[2] + (0.1, 0, 0)
    with pytest.raises(ValueError, match=r"atoms 2 \(H\) and 4 \(H\) are 0\.100 Å apart"):
        atoms.get_potential_energy()


def test_atoms_that_meet_across_the_cell_boundary_collide(crystal):
    crystal.positions[5] = crystal.positions[0] + crystal.cell[0] - crystal.cell[2]
    with pytest.raises(ValueError, match=r"atoms 0 \(\w+\) and 5 \(\w+\) are 0\.000 Å apart"):
        crystal.get_forces()


def test_atoms_that_meet_while_the_skin_holds_collide(evaluations):
    atoms = afresh(Atoms("HH", [(0, 0, 0), (0, 0, 0.75)]))
    atoms.get_forces()
    atoms.positions[:, 2] = 0.235, 0.515
    with pytest.raises(ValueError, match=r"0\.280 Å apart"):
        atoms.get_forces()
    assert len(evaluations) == 1


def test_results_that_are_not_finite_are_refused():
    model = make_model()
    model.short_range.readout.linear.weight.data[:] = torch.inf
    atoms = afresh(water_pair(), model)
    with pytest.raises(ValueError, match=r"not finite; the closest atoms \d \(O\) and \d \(H\)"):
        atoms.get_forces()
    assert not atoms.calc.results


def test_a_lone_atom_has_its_own_energy_and_no_forces():
    atoms = afresh(Atoms("Na"))
    assert np.isfinite(atoms.get_potential_energy())
    assert not atoms.get_forces().any()


def test_repr_names_the_model_its_elements_and_limits():
    model = make_model()
    model.card["limits"] = "no surfaces"
    path_free = repr(LESCalculator(model, dielectric=4.0))
    assert f"LESModel {LESCalculator(model).model_hash}" in path_free
    for part in ("H O Na Cl", "no surfaces", "cutoff: 4 Å", "dielectric=4.0", "dtype='float32'"):
        assert part in path_free
    assert "none stated" in repr(LESCalculator(make_model()))


def test_assigned_dielectric_rescales_charges_and_discards_results():
    atoms = bulk("NaCl", "rocksalt", a=5.6)
    atoms.rattle(0.1, seed=1)
    calculator = atoms.calc = LESCalculator(make_model(), dielectric=1.0)
    charges, born = atoms.get_charges(), calculator.get_property("born_effective_charges", atoms)
    energy = atoms.get_potential_energy()
    calculator.dielectric = 4.0
    np.testing.assert_allclose(atoms.get_charges(), 2 * charges)
    now = calculator.get_property("born_effective_charges", atoms)
    np.testing.assert_allclose(now, 2 * born)
    np.testing.assert_allclose(calculator.get_property("dielectric_tensor", atoms), 4 * np.eye(3))
    assert atoms.get_potential_energy() == energy
    assert calculator.parameters["dielectric"] == 4.0
    with pytest.raises(ValueError, match="positive"):
        calculator.dielectric = -1.0
    np.testing.assert_allclose(calculator.dielectric, 4 * np.eye(3))
    calculator.dielectric = None
    np.testing.assert_allclose(atoms.get_charges(), charges)


def _with(atoms: Atoms, **changed) -> Atoms:
    other = atoms.copy()
    for name, value in changed.items():
        setattr(other, name, value)
    return other


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"positions": 1.0},
        {"positions": 3e-16},
        {"positions": 2e-15},
        {"positions": np.nan},
        {"numbers": [1, 1, 1]},
        {"pbc": (True, False, True)},
        {"cell": [5, 5, 5.1]},
        {"cell": [5, 5, 5 + 1e-15]},
    ],
)
def test_changes_of_a_structure_are_those_of_ase(changed):
    water = molecule("H2O", vacuum=1.0, pbc=True)
    water.positions = np.arange(9.0).reshape(3, 3) / 4
    water.cell = [5.0] * 3
    if "positions" in changed:
        changed = {"positions": water.positions + np.eye(3) * changed["positions"]}
    calculator = LESCalculator("water-rpbe-d3")
    calculator.atoms = water.copy()
    now = _with(water, **changed)
    assert calculator.check_state(now) == compare_atoms(
        water, now, excluded_properties=calculator.ignored_changes
    )
