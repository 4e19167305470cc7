"""Raman spectra of molecules made of springs and polarizable bonds, and of known motions."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import molecule
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes
from ase.calculators.emt import EMT
from scipy import constants

from ase_les.properties.infrared_harmonic import harmonic_infrared
from ase_les.properties.raman_dynamics import (
    _significant_bands,
    raman_from_polarizability,
    raman_from_run,
)
from ase_les.properties.raman_harmonic import harmonic_raman
from ase_les.properties.raman_intensity import Invariants, cross_section_factor
from ase_les.simulation.dynamics import resume_dynamics, run_dynamics

# Bond polarizability in Å³ and Å²: parallel and perpendicular, and their slopes with the length.
PARALLEL, ACROSS, PARALLEL_SLOPE, ACROSS_SLOPE = 1.5, 0.6, 2.0, 0.4


class PolarizableBonds(Calculator):
    """Springs between pairs of atoms; bonds add up to the polarizability; fixed charges."""

    implemented_properties = ["energy", "forces", "dipole", "polarizability"]  # noqa: RUF012

    def __init__(self, atoms, springs, bonds, charges=None, angles=()):
        super().__init__()
        self.springs = {pair: (atoms.get_distance(*pair), k) for pair, k in springs.items()}
        self.lengths = {pair: atoms.get_distance(*pair) for pair in bonds}
        self.charges = np.zeros(len(atoms)) if charges is None else np.array(charges)
        # Transverse springs: k |component of (r_i + r_j − 2 r_center) across the axis|²/2.
        self.angles = angles

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        positions = self.atoms.positions
        energy, forces = 0.0, np.zeros_like(positions)
        for (i, j), (length, stiffness) in self.springs.items():
            bond = positions[j] - positions[i]
            now = np.linalg.norm(bond)
            energy += 0.5 * stiffness * (now - length) ** 2
            force = stiffness * (now - length) * bond / now
            forces[i] += force
            forces[j] -= force
        for center, i, j, axis, stiffness in self.angles:
            bent = positions[i] + positions[j] - 2 * positions[center]
            bent = bent - axis * (bent @ axis)
            energy += 0.5 * stiffness * bent @ bent
            forces[[i, j]] -= stiffness * bent
            forces[center] += 2 * stiffness * bent
        alpha = self.get_polarizability(self.atoms)
        dipole = self.charges @ positions
        self.results = {"energy": energy, "forces": forces, "dipole": dipole}
        self.results["polarizability"] = alpha

    def get_polarizability(self, atoms):
        alpha = np.zeros((3, 3))
        for (i, j), length in self.lengths.items():
            bond = atoms.positions[j] - atoms.positions[i]
            now = np.linalg.norm(bond)
            outer, change = np.outer(bond, bond) / now**2, now - length
            alpha += (PARALLEL + PARALLEL_SLOPE * change) * outer
            alpha += (ACROSS + ACROSS_SLOPE * change) * (np.eye(3) - outer)
        return alpha


def diatomic() -> Atoms:
    atoms = Atoms("HCl", [[0, 0, 0], [0.5, 0.7, 0.9]])
    atoms.calc = PolarizableBonds(atoms, {(0, 1): 30.0}, [(0, 1)])
    return atoms


def carbon_dioxide() -> Atoms:
    atoms = Atoms("OCO", [[-1.16, 0, 0], [0, 0, 0], [1.16, 0, 0]])
    springs = {(0, 1): 100.0, (1, 2): 100.0, (0, 2): 8.0}
    bend = [(1, 0, 2, np.array([1.0, 0, 0]), 0.6)]
    atoms.calc = PolarizableBonds(atoms, springs, [(0, 1), (1, 2)], [-0.4, 0.8, -0.4], bend)
    return atoms


def methane() -> Atoms:
    atoms = molecule("CH4")
    springs = {(0, i): 30.0 for i in range(1, 5)}
    springs |= {(i, j): 4.0 for i in range(1, 5) for j in range(i + 1, 5)}
    atoms.calc = PolarizableBonds(atoms, springs, [(0, i) for i in range(1, 5)])
    return atoms


def test_a_diatomic_scatters_as_the_slopes_of_its_bond():
    r"""a' = (α'∥ + 2α'⊥)/3 and γ' = α'∥ − α'⊥, divided by √m_red."""
    atoms = diatomic()
    reduced = 1 / (1 / atoms.get_masses()).sum()
    found = harmonic_raman(atoms, displacement_A=1e-3)
    mean, difference = (PARALLEL_SLOPE + 2 * ACROSS_SLOPE) / 3, PARALLEL_SLOPE - ACROSS_SLOPE
    activity = (45 * mean**2 + 7 * difference**2) / reduced
    assert found.method == "displacement"
    assert found.activities_A4_per_amu == pytest.approx([activity], rel=1e-5)
    ratio = 3 * difference**2 / (45 * mean**2 + 4 * difference**2)
    assert found.depolarization_ratios == pytest.approx([ratio], rel=1e-5)


def test_a_center_of_inversion_excludes_raman_and_infrared():
    atoms = carbon_dioxide()
    raman = harmonic_raman(atoms, displacement_A=1e-3)
    infrared = harmonic_infrared(atoms, displacement_A=1e-3)
    activities, absorption = raman.activities_A4_per_amu, infrared.intensities_km_per_mol
    np.testing.assert_allclose(raman.wavenumbers_per_cm, infrared.wavenumbers_per_cm)
    is_raman = activities > 1e-6 * activities.max()
    is_infrared = absorption > 1e-6 * absorption.max()
    assert len(activities) == 4
    assert is_raman.sum() == 1
    assert (is_raman == ~is_infrared).all()
    # The symmetric stretch is polarized.
    assert 0 < raman.depolarization_ratios[is_raman][0] < 0.75


def test_vibrations_that_lower_the_symmetry_are_depolarized_by_three_quarters():
    """Of the modes of CH4, A1 keeps the cubic symmetry (ratio 0); E and T2 do not (3/4)."""
    found = harmonic_raman(methane(), displacement_A=1e-3)
    ratios, activities = found.depolarization_ratios, found.activities_A4_per_amu
    assert (activities > 1e-3 * activities.max()).all()
    assert np.isclose(ratios, 0, atol=1e-6).sum() == 1
    assert np.isclose(ratios, 0.75, atol=1e-4).sum() == 8
    # And the table of levels: E twice, T2 three times.
    levels = np.round(found.wavenumbers_per_cm, 1)
    assert sorted(np.unique(levels, return_counts=True)[1]) == [1, 2, 3, 3]


def test_a_planted_error_of_the_anisotropy_is_noticed(monkeypatch):
    """With the trace left in γ'², the breathing of CH4 would not be polarized."""
    right = Invariants.of

    def wrong(tensors):
        found = right(tensors)
        return Invariants(found.isotropic, found.anisotropic + 0.1 * found.isotropic)

    monkeypatch.setattr(Invariants, "of", wrong)
    with pytest.raises(AssertionError):
        test_vibrations_that_lower_the_symmetry_are_depolarized_by_three_quarters()


def test_invariants_do_not_depend_on_the_orientation(rng):
    tensor = rng.normal(size=(3, 3))
    tensor = tensor + tensor.T
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    one, other = Invariants.of(tensor), Invariants.of(rotation @ tensor @ rotation.T)
    assert one.activity == pytest.approx(other.activity)
    xx, yy, zz = np.diag(tensor)
    gamma = 0.5 * ((xx - yy) ** 2 + (yy - zz) ** 2 + (zz - xx) ** 2)
    gamma += 3 * (tensor[0, 1] ** 2 + tensor[0, 2] ** 2 + tensor[1, 2] ** 2)
    assert one.anisotropic == pytest.approx(gamma)


def test_cross_sections_are_those_of_placzek_in_si_units():
    """π²/ε0² ν̃_s⁴ h/(8π²cν̃) (45a² + 7γ²)/45, polarizabilities times 4πε0 (Long, eq. 5.8)."""
    shift, laser, activity = 2331e2, 1 / 514.5e-9, 1e-40 / constants.atomic_mass
    si = (4 * np.pi * constants.epsilon_0) ** 2 * activity
    expected = np.pi**2 / constants.epsilon_0**2 * (laser - shift) ** 4
    expected *= constants.h / (8 * np.pi**2 * constants.c * shift) * si / 45
    assert cross_section_factor(np.array([2331.0]), 514.5, 0.0)[0] == pytest.approx(1e36 * expected)
    hot = cross_section_factor(np.array([200.0]), 514.5, 300.0)[0]
    cold = cross_section_factor(np.array([200.0]), 514.5, 0.0)[0]
    quanta = constants.h * constants.c * 2e4 / (constants.k * 300)
    assert hot / cold == pytest.approx(1 / (1 - np.exp(-quanta)))
    classical = cross_section_factor(np.array([200.0]), 514.5, 300.0, quantum=False)[0]
    assert classical / cold == pytest.approx(1 / quanta)
    assert cross_section_factor(np.array([0.0, 3e4]), 514.5, 300.0).tolist() == [0, 0]


def test_files_of_a_harmonic_spectrum(tmp_path):
    stem = tmp_path / "raman"
    found = harmonic_raman(methane(), output=stem)
    summary = yaml.safe_load((tmp_path / "raman-summary.yml").read_text())
    assert summary["activities_A4_per_amu"] == pytest.approx(found.activities_A4_per_amu)
    with np.load(tmp_path / "raman-raman.npz") as arrays:
        x, total = arrays["spectrum_wavenumbers_per_cm"], arrays["spectrum_total"]
    assert np.trapezoid(total, x) == pytest.approx(found.cross_sections.sum(), rel=0.05)
    with pytest.raises(FileExistsError):
        harmonic_raman(methane(), output=stem)
    again = harmonic_raman(methane(), output=stem, resume=True)
    np.testing.assert_array_equal(again.tensors, found.tensors)


def test_a_calculator_without_polarizability_is_refused():
    atoms = molecule("H2O")
    atoms.calc = EMT()
    with pytest.raises(ValueError, match="needed for Raman intensities"):
        harmonic_raman(atoms)


@pytest.mark.slow
def test_a_crystal_has_its_modes_at_gamma_and_both_methods_agree(random_model):
    from ase.build import bulk

    from ase_les import LESCalculator

    atoms = bulk("NaO", "rocksalt", a=4.6)
    atoms.rattle(0.05, seed=1)
    model = random_model(polarizability={"channels": 3, "scale": 1.0, "local_field": "lorentz"})
    atoms.calc = LESCalculator(model, dtype="float64", accuracy=None)
    analytic = harmonic_raman(atoms)
    by_steps = harmonic_raman(atoms, "displacement", displacement_A=1e-3)
    assert len(analytic.wavenumbers_per_cm) == 3
    np.testing.assert_allclose(
        analytic.activities_A4_per_amu, by_steps.activities_A4_per_amu, rtol=1e-3
    )
    with pytest.raises(PropertyNotImplementedError, match="no polarizability"):
        atoms.calc = LESCalculator(random_model(), dtype="float64")
        harmonic_raman(atoms)


# Lines at 300, 1600 and 3400 1/cm and their Raman tensors in Å²/√amu.
LINES = (300.0, 1600.0, 3400.0)
TEMPERATURE_K, STEP_FS, N_STEPS = 310.0, 1.0, 40000


def oscillators(rng) -> tuple[np.ndarray, np.ndarray]:
    """Raman tensors, and polarizabilities of classical oscillators with ⟨Q²⟩ = kT/ω²."""
    tensors = rng.normal(size=(3, 3, 3))
    tensors = tensors + tensors.transpose(0, 2, 1)
    time = STEP_FS * 1e-15 * np.arange(N_STEPS)
    alpha = np.tile(np.diag([5.0, 6.0, 7.0]), (N_STEPS, 1, 1))
    for line, tensor in zip(LINES, tensors, strict=True):
        omega = 2 * np.pi * constants.c * 100 * line
        size = np.sqrt(2 * constants.k * TEMPERATURE_K / omega**2 / constants.atomic_mass) * 1e10
        alpha += size * np.cos(omega * time + line)[:, None, None] * tensor
    return tensors, alpha


def test_known_oscillators_scatter_with_the_activities_of_their_tensors(rng):
    tensors, alpha = oscillators(rng)
    found = raman_from_polarizability(alpha, STEP_FS, TEMPERATURE_K, upto_per_cm=4000)
    expected = Invariants.of(tensors)
    for line, activity, ratio in zip(
        LINES, expected.activity, expected.depolarization, strict=True
    ):
        band = line - 100, line + 100
        assert found.integrated_activity(*band).mean == pytest.approx(activity, rel=0.01)
        assert found.depolarization(*band).mean == pytest.approx(ratio, rel=0.01)
    x, (total, error) = found.wavenumber_per_cm, found.activity()
    for line in LINES:
        near = np.abs(x - line) < 100
        assert x[near][total[near].argmax()] == pytest.approx(line, abs=3)
    assert (error < 0.05 * total.max()).all()
    parts = [found.activity(part)[0] for part in ("isotropic", "anisotropic")]
    np.testing.assert_allclose(sum(parts), total)


def test_dynamics_and_normal_modes_give_one_cross_section(rng):
    """The same oscillators, quantum corrected, and as lines of a harmonic spectrum."""
    tensors, alpha = oscillators(rng)
    found = raman_from_polarizability(alpha, STEP_FS, TEMPERATURE_K, laser_nm=633.0)
    factor = cross_section_factor(np.array(LINES), 633.0, TEMPERATURE_K)
    sections = factor * Invariants.of(tensors).activity
    x, (value, _) = found.wavenumber_per_cm, found.cross_section()
    for line, section in zip(LINES, sections, strict=True):
        inside = np.abs(x - line) < 100
        assert np.trapezoid(value[inside], x[inside]) == pytest.approx(section, rel=0.02)


def test_molecules_and_settings_of_a_spectrum(rng):
    _, alpha = oscillators(rng)
    one = raman_from_polarizability(alpha, STEP_FS, 300.0)
    four = raman_from_polarizability(alpha, STEP_FS, 300.0, molecules=4)
    np.testing.assert_allclose(4 * four.activity()[0], one.activity()[0])
    with pytest.raises(ValueError, match="shape"):
        raman_from_polarizability(alpha[:, 0], STEP_FS, 300.0)
    with pytest.raises(ValueError, match="needs"):
        raman_from_polarizability(alpha[:50], STEP_FS, 300.0)
    with pytest.raises(ValueError, match="`quantum_correction`"):
        raman_from_polarizability(alpha, STEP_FS, 300.0, quantum_correction="yes")


def run(stem, steps, **settings):
    atoms = diatomic()
    atoms.set_velocities([[0.05, 0, 0], [-0.01, 0.02, 0]])
    return run_dynamics(
        atoms,
        ensemble="nve",
        timestep_fs=0.5,
        steps=steps,
        observe={"polarizability": 2},
        output=stem,
        **settings,
    )


def test_a_run_records_its_polarizability_and_resumes_exactly(tmp_path):
    run(tmp_path / "whole", 600)
    run(tmp_path / "parts", 350)
    resume_dynamics(tmp_path / "parts", diatomic().calc, steps=600)
    series = [np.load(tmp_path / f"{name}-polarizability.npz") for name in ("whole", "parts")]
    alpha = series[0]["polarizability_A3"]
    assert alpha.shape == (301, 3, 3)
    np.testing.assert_array_equal(alpha, series[1]["polarizability_A3"])
    result = raman_from_run(
        tmp_path / "whole", resolution_per_cm=200.0, output=tmp_path / "spectrum"
    )
    assert result.dielectric_tensor is None
    assert (tmp_path / "spectrum-summary.yml").exists()
    stiffness = 30.0 * constants.e * 1e20
    mass = constants.atomic_mass / (1 / diatomic().get_masses()).sum()
    expected = np.sqrt(stiffness / mass) / (2 * np.pi * constants.c * 100)
    # The rotation scatters below.
    heights, x = result.spectrum.activity()[0], result.spectrum.wavenumber_per_cm
    top = x[x > 1500][heights[x > 1500].argmax()]
    assert top == pytest.approx(expected, abs=20)
    with pytest.raises(FileNotFoundError, match="--observe polarizability"):
        raman_from_run(tmp_path / "none")


def test_a_calculator_without_polarizability_cannot_be_observed():
    atoms = molecule("H2O")
    atoms.calc = EMT()
    with pytest.raises(ValueError, match="polarizability"):
        run_dynamics(atoms, temperature_K=300, steps=2, observe=["polarizability"])


@pytest.mark.parametrize("blocks", [1, 3])
def test_a_spectrum_of_isotropic_noise_has_no_bands(blocks, rng):
    alpha = rng.normal(size=4000)[:, None, None] * np.eye(3)
    noise = raman_from_polarizability(alpha, 2.0, 300.0, blocks=blocks)
    assert _significant_bands(noise) == []


def test_a_spectrum_of_noise_has_no_bands(rng):
    alpha = rng.normal(size=(1500, 3, 3))
    noise = raman_from_polarizability(alpha + alpha.transpose(0, 2, 1), 2.0, 300.0, upto_per_cm=50)
    assert _significant_bands(noise) == []
