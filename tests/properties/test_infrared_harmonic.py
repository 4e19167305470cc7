"""Harmonic infrared spectra of molecules made of springs and fixed charges."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import molecule
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms, FixBondLength, FixCartesian
from ase.vibrations import Infrared
from scipy import constants

from ase_les.properties.infrared_harmonic import KM_PER_MOL, harmonic_infrared


class Springs(Calculator):
    """Springs at rest between pairs of atoms, and charges, fixed or flowing as springs stretch."""

    implemented_properties = [  # noqa: RUF012
        *("energy", "forces", "dipole", "born_effective_charges"),
    ]

    def __init__(self, atoms, stiffness, charges, without=(), flux=0.0):
        super().__init__()
        self.flux = flux
        self.lengths = {pair: atoms.get_distance(*pair) for pair in stiffness}
        self.stiffness = stiffness
        self.charges = np.array(charges)
        self.implemented_properties = [
            name for name in type(self).implemented_properties if name not in without
        ]
        self.calls = 0

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.calls += 1
        energy, forces = 0.0, np.zeros((len(self.atoms), 3))
        flow = np.zeros(len(self.atoms))
        for (i, j), stiffness in self.stiffness.items():
            bond = self.atoms.positions[j] - self.atoms.positions[i]
            length = np.linalg.norm(bond)
            stretch = length - self.lengths[i, j]
            energy += 0.5 * stiffness * stretch**2
            forces[i] += stiffness * stretch * bond / length
            forces[j] -= stiffness * stretch * bond / length
            # From the first to the last atom, whichever bond is long: Born charges of no symmetry.
            flow[[0, -1]] += self.flux * stretch * np.array([-1, 1])
        arms = self.atoms.positions - self.atoms.get_center_of_mass()
        self.results = {
            "energy": energy,
            "forces": forces,
            "dipole": (self.charges + flow) @ arms,
            "born_effective_charges": self.charges[:, None, None] * np.eye(3),
        }


STIFFNESS, CHARGE = 30.0, 0.2


def diatomic(charges=(CHARGE, -CHARGE), **settings) -> Atoms:
    atoms = Atoms("HCl", [[0, 0, 0], [0.5, 0.7, 0.9]])
    atoms.calc = Springs(atoms, {(0, 1): STIFFNESS}, charges, **settings)
    return atoms


def bent(**settings) -> Atoms:
    atoms = molecule("H2O")
    springs = {(0, 1): 50.0, (0, 2): 50.0, (1, 2): 8.0}
    atoms.calc = Springs(atoms, springs, [-0.6, 0.3, 0.3], **settings)
    return atoms


def wavenumber(stiffness: float, mass: float) -> float:
    """sqrt(k/m)/(2πc) in 1/cm, of eV/Å² and amu."""
    in_newton_per_m = stiffness * constants.e * 1e20
    omega = np.sqrt(in_newton_per_m / (mass * constants.atomic_mass))
    return omega / (2 * np.pi * constants.c) / 100


@pytest.mark.parametrize("method", ["analytic", "displacement"])
def test_a_diatomic_absorbs_at_its_frequency_with_the_intensity_of_its_charges(method):
    r"""dμ/dQ = q/√m_red, A = N_A q² / (12 ε0 c² m_red)."""
    atoms = diatomic()
    reduced = 1 / (1 / atoms.get_masses()).sum()
    found = harmonic_infrared(atoms, method, displacement_A=1e-3)
    assert found.wavenumbers_per_cm == pytest.approx([wavenumber(STIFFNESS, reduced)], rel=1e-6)
    charge, mass = CHARGE * constants.e, reduced * constants.atomic_mass
    absorbed = constants.N_A * charge**2 / (12 * constants.epsilon_0 * constants.c**2 * mass)
    assert found.intensities_km_per_mol == pytest.approx([absorbed / 1000], rel=1e-6)
    # The same in the unit of older tables: 42.2561 km/mol for 1 (D/Å)²/amu.
    debye = CHARGE * 4.80320
    assert found.intensities_km_per_mol[0] == pytest.approx(42.2561 * debye**2 / reduced, rel=1e-4)
    energy = 0.5 * constants.h * constants.c * 100 * found.wavenumbers_per_cm[0] / constants.e
    assert found.zero_point_energy_eV == pytest.approx(energy, rel=1e-6)


def test_lines_and_intensities_are_those_of_ase(tmp_path):
    atoms = bent(flux=0.5, without=["born_effective_charges"])
    fixed = harmonic_infrared(bent(), displacement_A=0.01)
    found = harmonic_infrared(atoms, displacement_A=0.01)
    changes = found.intensities_km_per_mol / fixed.intensities_km_per_mol
    assert np.abs(changes - 1).max() > 0.2
    theirs = Infrared(atoms, name=str(tmp_path / "ir"), delta=0.01)
    theirs.run()
    waves = theirs.get_frequencies().real[-3:]
    np.testing.assert_allclose(found.wavenumbers_per_cm, waves, rtol=1e-4)
    np.testing.assert_allclose(
        found.intensities_km_per_mol, 42.2561 * np.array(theirs.intensities[-3:]), rtol=1e-3
    )


def test_an_ion_absorbs_the_same_whatever_the_origin_of_its_dipole():
    """The springs' dipole is about the center of mass, their Born charges about a fixed point."""
    charges = (1.2, -0.2)
    by_dipole = harmonic_infrared(diatomic(charges), "displacement")
    by_charges = harmonic_infrared(diatomic(charges), "analytic")
    np.testing.assert_allclose(
        by_dipole.intensities_km_per_mol, by_charges.intensities_km_per_mol, rtol=1e-6
    )
    # Towards its center of mass each ion moves as the other mass: q_eff = (q1 m2 − q2 m1)/(m1+m2).
    m1, m2 = diatomic().get_masses()
    effective = (charges[0] * m2 - charges[1] * m1) / (m1 + m2)
    neutral = harmonic_infrared(diatomic((effective, -effective)))
    np.testing.assert_allclose(
        by_charges.intensities_km_per_mol, neutral.intensities_km_per_mol, rtol=1e-6
    )


def test_translations_and_rotations_are_no_vibrations():
    linear = Atoms("OCO", [[-1.16, 0, 0], [0, 0, 0], [1.16, 0, 0]])
    linear.rotate(33, (1, 2, 3))
    springs = {(0, 1): 90.0, (1, 2): 90.0}
    linear.calc = Springs(linear, springs, [-0.4, 0.8, -0.4])
    found = harmonic_infrared(linear, displacement_A=1e-3)
    assert len(found.wavenumbers_per_cm) == 4
    oxygen, carbon = linear.get_masses()[:2]
    symmetric = wavenumber(90.0, oxygen)
    antisymmetric = wavenumber(90.0, 1 / (1 / oxygen + 2 / carbon))
    np.testing.assert_allclose(found.wavenumbers_per_cm[2:], [symmetric, antisymmetric], rtol=1e-5)
    # Nothing holds the bend, and the symmetric stretch has no dipole.
    np.testing.assert_allclose(found.wavenumbers_per_cm[:2], 0.0, atol=15.0)
    assert found.intensities_km_per_mol[2] < 1e-6 * found.intensities_km_per_mol[3]
    assert len(harmonic_infrared(bent()).wavenumbers_per_cm) == 3
    # Bent by a relaxation that stopped early it is still linear, and no bend is lost.
    linear.positions[1] += [0.0, 0.003, -0.002]
    assert len(harmonic_infrared(linear).wavenumbers_per_cm) == 4


def test_a_saddle_has_imaginary_modes_and_they_do_not_absorb():
    atoms = bent()
    atoms.calc.stiffness[1, 2] = -4.0
    found = harmonic_infrared(atoms)
    assert found.imaginary.tolist() == [True, False, False]
    assert any(note.startswith("1 imaginary modes") for note in found.notes)
    grid = np.linspace(-3000, 1000, 200)
    alone = found.intensities_km_per_mol[0] / (np.pi * 5.0)
    assert found.spectrum(grid).max() < 0.01 * alone


def test_broadened_lines_keep_their_area(tmp_path):
    found = harmonic_infrared(bent(), width_per_cm=20.0, output=tmp_path / "water")
    # A Lorentzian loses 2/π × width/distance beyond the ends.
    grid = np.linspace(-40000, 48000, 200001)
    area = np.trapezoid(found.spectrum(grid, 20.0), grid)
    assert area == pytest.approx(found.intensities_km_per_mol.sum(), rel=1e-3)
    summary = yaml.safe_load((tmp_path / "water-summary.yml").read_text())
    assert summary["wavenumbers_per_cm"] == pytest.approx(found.wavenumbers_per_cm.tolist())
    saved = np.load(tmp_path / "water-infrared.npz")
    np.testing.assert_array_equal(saved["intensities_km_per_mol"], found.intensities_km_per_mol)
    with pytest.raises(FileExistsError, match="overwrite"):
        harmonic_infrared(bent(), output=tmp_path / "water")
    atoms = bent()
    harmonic_infrared(atoms, output=tmp_path / "water", resume=True)
    # Forces and Born charges of the molecule as it is; no displacement again.
    assert atoms.calc.calls == 1


def test_displacements_of_other_springs_are_refused(tmp_path):
    atoms = bent()
    atoms.calc.parameters["stiffness"] = 50.0
    harmonic_infrared(atoms, output=tmp_path / "water")
    atoms.calc.parameters["stiffness"] = 60.0
    with pytest.raises(ValueError, match=r"stiffness is 50\.0, given 60\.0"):
        harmonic_infrared(atoms, output=tmp_path / "water", resume=True)


def test_analytic_born_charges_of_a_model_give_the_intensities_of_its_dipole():
    pytest.importorskip("torch")
    from ase_les import LESCalculator, LESModel, ModelConfig
    from ase_les.charges import ChargesConfig
    from ase_les.model import LongRangeConfig
    from ase_les.representation import CaceConfig

    config = ModelConfig(
        {"H": 0.0, "O": 0.0},
        CaceConfig(4.0, n_radial=3, n_mixed=2, n_embedding=2, l_max=2),
        long_range=LongRangeConfig(ChargesConfig(neutrality="mean", scale=4.0)),
    )
    atoms = molecule("H2O")
    atoms.calc = LESCalculator(LESModel(config, seed=1), dtype="float64")
    options = {"displacement_A": 1e-3}
    analytic, displaced = (
        harmonic_infrared(atoms, method, **options) for method in ("analytic", "displacement")
    )
    assert analytic.intensities_km_per_mol.max() > 1.0
    np.testing.assert_allclose(
        analytic.intensities_km_per_mol, displaced.intensities_km_per_mol, rtol=1e-4
    )


def in_a_box():
    atoms = diatomic()
    atoms.set_cell([9, 9, 9])
    atoms.pbc = True
    return atoms


@pytest.mark.parametrize(
    ("structure", "settings", "message"),
    [
        (lambda: Atoms("HCl"), {}, "no calculator"),
        (in_a_box, {}, "without periodic directions"),
        (lambda: Atoms("H", calculator=EMT()), {}, "needs two atoms"),
        (diatomic, {"method": "guess"}, "`method` must be one of analytic, displacement"),
        (diatomic, {"displacement_A": -1.0}, "`displacement_A` must be positive"),
        (lambda: molecule("CO", calculator=EMT()), {}, "EMT gives no born_effective_charges or"),
        (
            lambda: diatomic(without=["born_effective_charges"]),
            {"method": "analytic"},
            "gives no born_effective_charges",
        ),
    ],
)
def test_what_has_no_spectrum_is_refused(structure, settings, message):
    with pytest.raises(ValueError, match=message):
        harmonic_infrared(structure(), **settings)


def test_dipoles_serve_where_there_are_no_born_charges():
    found = harmonic_infrared(diatomic(without=["born_effective_charges"]))
    assert found.method == "displacement"


def ring(**settings) -> Atoms:
    """Five atoms that hold each other in a plane, with a dipole."""
    angles = 2 * np.pi * np.arange(5) / 5
    positions = np.column_stack([np.cos(angles), np.sin(angles), 0.3 * np.cos(2 * angles)])
    atoms = Atoms("CNOFH", 1.3 * positions)
    pairs = [(i, j) for i in range(5) for j in range(i + 1, 5)]
    springs = {pair: 20.0 + 3 * number for number, pair in enumerate(pairs)}
    atoms.calc = Springs(atoms, springs, [0.3, -0.2, -0.4, -0.1, 0.4], **settings)
    return atoms


@pytest.mark.parametrize("method", ["analytic", "displacement"])
def test_fixed_atoms_leave_the_partial_hessian_of_ase(tmp_path, method):
    atoms = ring()
    atoms.set_constraint(FixAtoms([0, 2, 3]))
    found = harmonic_infrared(atoms, method, displacement_A=0.01)
    theirs = Infrared(ring(), name=str(tmp_path / "ir"), delta=0.01, indices=[1, 4])
    theirs.run()
    assert found.atoms == (1, 4)
    np.testing.assert_allclose(
        found.wavenumbers_per_cm, theirs.get_frequencies().real, rtol=1e-4, atol=0.1
    )
    np.testing.assert_allclose(
        found.intensities_km_per_mol, 42.2561 * np.array(theirs.intensities), rtol=2e-3
    )
    assert found.modes.shape == (6, 5, 3)
    assert not found.modes[:, [0, 2, 3]].any()
    # Mass-weighted, the modes are orthonormal.
    weighted = (found.modes * np.sqrt(atoms.get_masses())[:, None]).reshape(6, 15)
    np.testing.assert_allclose(weighted @ weighted.T, np.eye(6), atol=1e-9)
    assert any("2 of 5 atoms" in note for note in found.notes)


def test_chosen_atoms_vibrate_and_fixed_ones_among_them_do_not():
    atoms = ring()
    chosen = harmonic_infrared(atoms, chosen="N,H")
    atoms.set_constraint([FixAtoms([0]), FixBondLength(1, 2)])
    again = harmonic_infrared(atoms, chosen=[0, 1, 4])
    assert again.atoms == chosen.atoms == (1, 4)
    np.testing.assert_allclose(again.wavenumbers_per_cm, chosen.wavenumbers_per_cm)
    assert any("1 of the chosen atoms" in note for note in again.notes)
    assert any("FixBondLength" in note for note in again.notes)
    atoms.set_constraint(FixCartesian([0], (True, False, True)))
    with pytest.raises(ValueError, match="some directions"):
        harmonic_infrared(atoms)
    atoms.set_constraint(FixCartesian([0, 2, 3]))
    assert harmonic_infrared(atoms).atoms == (1, 4)


def adsorbate(dipole: str) -> Atoms:
    """Atoms on springs above a fixed one, with a dipole defined along z or in all directions."""
    atoms = ring(without=["born_effective_charges"])
    atoms.set_cell([8, 8, 20])
    atoms.pbc = (True, True, False)
    atoms.set_constraint(FixAtoms([0, 2, 3]))
    if dipole == "polarization":
        calculator = atoms.calc
        calculator.implemented_properties.append("polarization")
        before = calculator.calculate

        def with_polarization(structure, *rest):
            before(structure, *rest)
            # The charges are fixed, so that the origin is that of the cell.
            moment = calculator.charges @ structure.positions
            calculator.results["polarization"] = moment / structure.get_volume()
            calculator.results["dipole"] = moment * [0, 0, 1]

        calculator.calculate = with_polarization
    return atoms


def test_a_slab_with_a_dipole_along_its_normal_absorbs_by_that_component():
    free = ring()
    free.set_constraint(FixAtoms([0, 2, 3]))
    everything = harmonic_infrared(free)
    normal = KM_PER_MOL * everything.dipole_derivatives[:, 2] ** 2
    found = harmonic_infrared(adsorbate("dipole"))
    assert found.components == "normal"
    assert any("along the surface normal" in note for note in found.notes)
    np.testing.assert_allclose(found.intensities_km_per_mol, normal, rtol=1e-3, atol=1e-6)
    full = harmonic_infrared(adsorbate("polarization"))
    assert full.components == "all"
    np.testing.assert_allclose(
        full.intensities_km_per_mol, everything.intensities_km_per_mol, rtol=1e-3
    )


def test_fixed_atoms_of_an_ion_need_an_origin_that_stays():
    atoms = ring(without=["born_effective_charges"])
    atoms.calc.charges[0] += 1.0
    atoms.info["charge"] = 1
    atoms.set_constraint(FixAtoms([0]))
    with pytest.raises(ValueError, match="origin that moves"):
        harmonic_infrared(atoms)
