"""Born charges by finite differences: exact for rigid ions, equal to the analytic ones."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.lj import LennardJones

from ase_les.properties.born_charges import acoustic_sum_rule, born_charges
from ase_les.reports.terminal import TerminalProgress
from ase_les.runs.processes import Jobs

CHARGE = {"Na": 1.1, "Cl": -1.1, "H": 0.4, "O": -0.8, "Ti": 7.0, "Ba": 2.7}


class RigidIons(Calculator):
    """Fixed charges; the polarization lies on a random branch, as it does after a Berry phase."""

    implemented_properties = ["energy", "forces", "dipole", "polarization"]  # noqa: RUF012
    field_V_per_A = (0.0, 0.0, 0.0)

    def __init__(self, die_after=None):
        super().__init__()
        self.die_after = die_after
        self.calls = 0

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        if self.calls == self.die_after:
            raise KeyboardInterrupt
        self.calls += 1
        charges = np.array([CHARGE[symbol] for symbol in self.atoms.symbols])
        moment = charges @ self.atoms.positions
        self.results = {
            "energy": 0.0,
            "forces": charges[:, None] * np.array(self.field_V_per_A),
            "dipole": moment,
        }
        if self.atoms.pbc.all():
            branch = np.random.default_rng(self.calls).integers(-3, 4, 3) @ self.atoms.cell.array
            self.results["polarization"] = (moment + branch) / self.atoms.get_volume()

    def check_state(self, atoms, tol=1e-15):
        # The field is not part of the atoms.
        return [*super().check_state(atoms, tol), "field"]


class Given(Calculator):
    """Born charges that someone wrote down."""

    implemented_properties = ["born_effective_charges", "dielectric_tensor"]  # noqa: RUF012

    def __init__(self, tensors, dielectric=1.0):
        super().__init__()
        self.given = {
            "born_effective_charges": tensors,
            "dielectric_tensor": dielectric * np.eye(3),
        }

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.results = dict(self.given)


def salt() -> Atoms:
    atoms = bulk("NaCl", "rocksalt", a=5.6)
    atoms.calc = RigidIons()
    return atoms


def rigid(atoms: Atoms) -> np.ndarray:
    charges = np.array([CHARGE[symbol] for symbol in atoms.symbols])
    return charges[:, None, None] * np.eye(3)


@pytest.mark.parametrize("structure", ["crystal", "molecule"])
def test_rigid_ions_have_their_charges_on_every_branch(structure):
    atoms = salt() if structure == "crystal" else molecule("H2O", calculator=RigidIons())
    before = atoms.positions.copy()
    found = born_charges(atoms, "displacement")
    np.testing.assert_allclose(found.tensors, rigid(atoms), atol=1e-10)
    np.testing.assert_array_equal(atoms.positions, before)


def test_forces_in_small_fields_give_the_same_and_leave_the_field_as_it_was():
    atoms = salt()
    atoms.calc.field_V_per_A = (0.0, 0.2, 0.0)
    np.testing.assert_allclose(born_charges(atoms, "field").tensors, rigid(atoms), atol=1e-10)
    np.testing.assert_array_equal(atoms.calc.field_V_per_A, (0.0, 0.2, 0.0))


def les_calculator(**settings):
    pytest.importorskip("torch")
    from ase_les import LESCalculator, LESModel, ModelConfig
    from ase_les.charges import ChargesConfig
    from ase_les.model import LongRangeConfig
    from ase_les.representation import CaceConfig

    charges = ChargesConfig(neutrality="split", formal_charges={"Na": 1, "Cl": -1}, scale=20.0)
    representation = CaceConfig(4.0, n_radial=3, n_mixed=2, n_embedding=2, l_max=2)
    config = ModelConfig(
        {"Na": 0.0, "Cl": 0.0}, representation, long_range=LongRangeConfig(charges)
    )
    return LESCalculator(LESModel(config, seed=3), dtype="float64", **settings)


def test_three_ways_to_born_charges_agree():
    atoms = bulk("NaCl", "rocksalt", a=5.6) * (2, 1, 1)
    atoms.set_cell(atoms.cell.array @ [[1, 0.05, 0], [0, 1.02, 0.05], [0, 0, 0.98]], True)
    atoms.rattle(0.1, seed=1)
    atoms.calc = les_calculator(dielectric=2.4)
    analytic = atoms.calc.get_property("born_effective_charges", atoms)
    assert np.abs(analytic - np.sqrt(2.4) * rigid(atoms) / 1.1).max() > 1e-3
    options = {"symmetrize": False}
    displaced = born_charges(atoms, "displacement", displacement_A=2e-4, **options)
    np.testing.assert_allclose(displaced.tensors, analytic, atol=1e-6)
    np.testing.assert_array_equal(born_charges(atoms, **options).tensors, analytic)
    by_field = born_charges(atoms, "field", **options)
    np.testing.assert_allclose(by_field.tensors, analytic, atol=1e-9)
    np.testing.assert_array_equal(by_field.dielectric, 2.4 * np.eye(3))


@pytest.mark.parametrize(
    ("neutrality", "charge"), [("none", 0), ("mean", 1), ("split", 1), ("split", -2)]
)
def test_the_origin_of_a_charged_molecule_moves_and_its_born_charges_do_not(
    neutrality, charge, random_model
):
    from ase_les import LESCalculator

    atoms = molecule("H2O")
    atoms.info["charge"] = charge
    model = random_model(charges={"neutrality": neutrality})
    atoms.calc = LESCalculator(model, dtype="float64")
    analytic = born_charges(atoms).tensors
    net = atoms.get_charges().sum()
    assert abs(net) > 0.1
    displaced = born_charges(atoms, "displacement", displacement_A=1e-4)
    np.testing.assert_allclose(displaced.tensors, analytic, atol=1e-6)
    np.testing.assert_allclose(displaced.sum_over_atoms_e, net * np.eye(3), atol=1e-6)


def test_an_origin_that_stays_needs_no_correction():
    class WithCharges(RigidIons):
        implemented_properties = (*RigidIons.implemented_properties, "charges")

        def calculate(self, *args, **kwargs):
            super().calculate(*args, **kwargs)
            charges = [CHARGE[symbol] for symbol in self.atoms.symbols]
            self.results["charges"] = np.array(charges)

    atoms = Atoms("NaClNa", [[0, 0, 0], [2.4, 0, 0], [4.8, 0, 0]], calculator=WithCharges())
    atoms.info["charge"] = 1
    found = born_charges(atoms, "displacement")
    np.testing.assert_allclose(found.tensors, rigid(atoms), atol=1e-10)


def bent() -> Atoms:
    """Two chlorides around a sodium, mirror images of each other."""
    atoms = Atoms("NaCl2", [[0, 0, 0], [1.7, 1.2, 0], [-1.7, 1.2, 0]])
    atoms.set_cell([7.0, 8.0, 6.0])
    return atoms


def trigonal() -> Atoms:
    """Three chlorides around a sodium in a hexagonal cell, turned into each other."""
    angles = np.radians([20.0, 140.0, 260.0])
    around = 2.3 * np.column_stack([np.cos(angles), np.sin(angles), [0.1, 0.1, 0.1]])
    atoms = Atoms("NaCl3", [[0, 0, 0], *around])
    atoms.set_cell([[7.0, 0, 0], [-3.5, 3.5 * np.sqrt(3), 0], [0, 0, 6.0]])
    return atoms


@pytest.mark.parametrize("structure", [bent, trigonal])
def test_symmetry_saves_displacements_and_changes_nothing(structure):
    atoms = structure()
    atoms.pbc = True
    atoms.info["charge"] = 2 - len(atoms)
    atoms.calc = les_calculator()
    options = {"displacement_A": 1e-3}
    every = born_charges(atoms, "displacement", symmetrize=False, **options)
    few = born_charges(atoms, "displacement", **options)
    assert few.displaced_atoms == (0, 1)
    # Equivalent atoms differ in orientation: something has to be turned.
    assert np.abs(every.tensors[1] - every.tensors[2]).max() > 1e-3
    np.testing.assert_allclose(few.tensors, every.tensors, atol=1e-6)


def test_symmetrizing_takes_away_noise_that_breaks_the_symmetry(rng):
    atoms = trigonal()
    atoms.pbc = True
    atoms.calc = les_calculator()
    atoms.info["charge"] = -2
    exact = born_charges(atoms, symmetrize=False).tensors
    noise = rng.normal(scale=0.01, size=exact.shape)
    atoms.calc = Given(exact + noise)
    found = born_charges(atoms).tensors
    assert 0 < np.abs(found - exact).max() < np.abs(noise).max()
    # What is left obeys the threefold axis: the two tensors are turned into each other.
    third = 2 * np.pi / 3
    turn = np.array(
        [[np.cos(third), -np.sin(third), 0], [np.sin(third), np.cos(third), 0], [0, 0, 1]]
    )
    np.testing.assert_allclose(turn @ found[1] @ turn.T, found[2], atol=1e-10)


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path):
    atoms = salt()
    atoms.calc = RigidIons(die_after=5)
    with pytest.raises(KeyboardInterrupt):
        born_charges(atoms, "displacement", output=tmp_path / "nacl")
    record = tmp_path / "nacl-displacements.jsonl"
    with open(record, "a") as file:
        file.write('{"name": "atom 0 -z", "res')
    atoms.calc = RigidIons()
    with pytest.raises(FileExistsError, match="resume=True"):
        born_charges(atoms, "displacement", output=tmp_path / "nacl")
    options = {"output": tmp_path / "nacl"}
    found = born_charges(atoms, "displacement", resume=True, **options)
    assert atoms.calc.calls == 12 - 5
    np.testing.assert_allclose(found.tensors, rigid(atoms), atol=1e-10)
    assert "born_effective_charges_e" in (tmp_path / "nacl-summary.yml").read_text()
    atoms.rattle(0.01)
    with pytest.raises(ValueError, match="fingerprint of the structure is"):
        born_charges(atoms, "displacement", resume=True, **options)


def test_a_record_goes_on_with_the_settings_it_was_made_with_only(tmp_path):
    atoms = bulk("NaCl", "rocksalt", a=5.6)
    atoms.calc = les_calculator()
    options = {"output": tmp_path / "nacl"}
    latent = born_charges(atoms, "displacement", **options).tensors
    atoms.calc = les_calculator(dielectric=2.4)
    with pytest.raises(ValueError, match=r"different calculations: dielectric is 1.0, given 2\.4"):
        born_charges(atoms, "displacement", resume=True, **options)
    # How far ahead it looks for neighbors changes nothing.
    atoms.calc = les_calculator(skin=1.0)
    resumed = born_charges(atoms, "displacement", resume=True, **options)
    np.testing.assert_array_equal(resumed.tensors, latent)


def test_the_acoustic_sum_rule_shifts_all_atoms_alike_and_copies(rng):
    tensors = rng.normal(size=(5, 3, 3))
    before = tensors.copy()
    corrected = acoustic_sum_rule(tensors)
    np.testing.assert_array_equal(tensors, before)
    np.testing.assert_allclose(corrected.sum(0), 0.0, atol=1e-14)
    assert np.ptp(corrected - tensors, axis=0).max() < 1e-14
    charged = acoustic_sum_rule(tensors, total_charge=-2.0)
    np.testing.assert_allclose(charged.sum(0), -2 * np.eye(3), atol=1e-14)


def test_the_sum_is_reported_as_found_and_taken_out_on_request():
    atoms = salt()
    tensors = rigid(atoms) + 0.05 * np.eye(3)
    atoms.calc = Given(tensors)
    left, out = (born_charges(atoms, sum_rule=rule) for rule in (False, True))
    np.testing.assert_allclose(left.tensors, tensors, atol=1e-14)
    np.testing.assert_allclose(left.sum_over_atoms_e, 0.1 * np.eye(3), atol=1e-14)
    np.testing.assert_allclose(out.tensors, rigid(atoms), atol=1e-14)
    np.testing.assert_allclose(out.sum_over_atoms_e, 0.1 * np.eye(3), atol=1e-14)


def test_the_table_has_mean_eigenvalues_and_spread_of_every_element():
    atoms = salt() * (2, 1, 1)
    tensors = rigid(atoms)
    tensors[0] += np.diag([0.3, 0.0, 0.0])
    atoms.calc = Given(tensors)
    elements = born_charges(atoms, symmetrize=False).elements
    assert list(elements) == ["Na", "Cl"]
    assert elements["Na"].atoms == 2
    assert elements["Na"].eigenvalues_e == pytest.approx((1.1, 1.1, 1.25))
    assert elements["Na"].isotropic_e == pytest.approx(1.15)
    assert elements["Na"].spread_e == pytest.approx(0.05)
    assert elements["Cl"].spread_e == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("cubic", [False, True])
def test_phonopy_reads_the_born_file_of_the_primitive_cell(cubic, tmp_path):
    """Anisotropic charges of rutile, whose equivalent oxygens have turned tensors."""
    file_io = pytest.importorskip("phonopy.file_IO")
    from phonopy.structure.atoms import PhonopyAtoms

    atoms = rutile() * ((2, 1, 1) if cubic else (1, 1, 1))
    oxygen = np.array([[-3.2, 1.1, 0], [1.1, -3.2, 0], [0, 0, -3.6]])
    mirrored = oxygen * np.array([[1, -1, 1], [-1, 1, 1], [1, 1, 1]])
    tensors = np.array([*2 * [np.diag([6.4, 6.4, 7.2])], oxygen, oxygen, mirrored, mirrored])
    tensors[:2, 0, 1] = tensors[:2, 1, 0] = np.array([0.9, -0.9])
    dielectric = np.diag([6.8, 6.8, 8.4])
    atoms.calc = Given(np.concatenate([tensors] * (len(atoms) // 6)))
    born_charges(atoms, dielectric=dielectric, output=tmp_path / "tio2")
    primitive = PhonopyAtoms(
        rutile().symbols, cell=rutile().cell.array, scaled_positions=rutile().get_scaled_positions()
    )
    lines = (tmp_path / "tio2-BORN").read_text().splitlines()
    assert len(lines) == 2 + 2
    read = file_io.parse_BORN(primitive, filename=tmp_path / "tio2-BORN")
    np.testing.assert_allclose(read["born"], tensors, atol=1e-8)
    np.testing.assert_allclose(read["dielectric"], dielectric, atol=1e-8)
    saved = np.load(tmp_path / "tio2-born.npz")
    np.testing.assert_allclose(saved["born_effective_charges_e"][:6], tensors, atol=1e-12)
    with pytest.raises(FileExistsError, match="overwrite"):
        born_charges(atoms, output=tmp_path / "tio2")


def rutile() -> Atoms:
    u = 0.305
    fractional = [
        *([0, 0, 0], [0.5, 0.5, 0.5], [u, u, 0], [-u, -u, 0]),
        *([0.5 + u, 0.5 - u, 0.5], [0.5 - u, 0.5 + u, 0.5]),
    ]
    return Atoms("Ti2O4", cell=[4.6, 4.6, 2.96], scaled_positions=fractional, pbc=True)


@pytest.mark.slow
def test_several_processes_give_the_same_charges():
    atoms = salt()
    one = born_charges(atoms, "displacement")
    two = born_charges(atoms, "displacement", jobs=Jobs(2, RigidIons, threads=2))
    np.testing.assert_allclose(two.tensors, one.tensors, atol=1e-12)


class Dying(RigidIons):
    """Takes its process with it, the first time or always."""

    def __init__(self, once: Path | None = None):
        super().__init__()
        self.once = once

    def calculate(self, *args, **kwargs):
        if self.once is None or not self.once.exists():
            if self.once is not None:
                self.once.touch()
            os._exit(1)
        super().calculate(*args, **kwargs)


@pytest.mark.slow
def test_a_process_killed_once_costs_nothing_but_time(tmp_path):
    atoms = salt()
    atoms.calc = Dying()
    jobs = Jobs(2, partial(Dying, tmp_path / "died"))
    found = born_charges(atoms, "displacement", jobs=jobs)
    np.testing.assert_allclose(found.tensors, rigid(atoms), atol=1e-10)


@pytest.mark.slow
def test_a_process_killed_twice_is_no_process_that_did_not_start():
    atoms = salt()
    atoms.calc = Dying()
    with pytest.raises(RuntimeError, match=r"that calculated 'atom 0 .x' died repeatedly"):
        born_charges(atoms, "displacement", jobs=Jobs(2, Dying))


@pytest.mark.slow
def test_processes_with_another_calculator_are_refused():
    atoms = salt()
    atoms.calc = RigidIons()
    atoms.calc.parameters["dielectric"] = 2.4
    with pytest.raises(ValueError, match=r"calculator that differs .* dielectric is 2\.4, given"):
        born_charges(atoms, "displacement", jobs=Jobs(2, RigidIons))


def test_work_goes_on_in_one_process_when_others_do_not_start(capfd):
    atoms = salt()
    jobs = Jobs(2, lambda: RigidIons())
    found = born_charges(atoms, "displacement", jobs=jobs, progress=TerminalProgress())
    np.testing.assert_allclose(found.tensors, rigid(atoms), atol=1e-10)
    assert "continuing in one process" in capfd.readouterr().err.replace("\n", " ")
    with pytest.raises(ValueError, match="2 processes need `make_calculator`"):
        Jobs(2)


def no_calculator():
    return Atoms("Na")


def a_slab():
    atoms = salt()
    atoms.pbc = (True, True, False)
    return atoms


def an_ion():
    atoms = Atoms("Na", calculator=RigidIons())
    atoms.info["charge"] = 1
    return atoms


@pytest.mark.parametrize(
    ("structure", "settings", "message"),
    [
        (no_calculator, {}, "no calculator"),
        (a_slab, {}, "lists dipole, polarization but does not give it"),
        (an_ion, {}, "depends on an origin"),
        (salt, {"displacement_A": 0.0}, "`displacement_A` must be positive"),
        (salt, {"symmetry_tolerance_A": -1.0}, "positive `symmetry_tolerance_A`"),
        (salt, {"method": "guess"}, "`method` must be one of analytic, displacement, field"),
        (salt, {"method": "analytic"}, "RigidIons gives no born_effective_charges"),
        (salt, {"dielectric": -2.0}, "`dielectric` must be a positive"),
        (lambda: molecule("H2O", calculator=RigidIons()), {"symmetrize": True}, "three periodic"),
    ],
)
def test_what_cannot_be_differentiated_is_refused(structure, settings, message):
    with pytest.raises(ValueError, match=message):
        born_charges(structure(), **{"method": "displacement", **settings})


def test_a_calculator_without_field_is_refused():
    with pytest.raises(ValueError, match="LennardJones has no `field_V_per_A`"):
        born_charges(Atoms("Ar", calculator=LennardJones()), "field")


@pytest.mark.slow
def test_finite_differences_do_not_need_torch():
    code = (
        "import sys; import ase_les.properties.born_charges, ase_les.properties.phonons, "
        "ase_les.properties.infrared_harmonic; "
        "sys.exit(any(name.startswith('torch') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
