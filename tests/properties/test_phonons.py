"""Phonons of rigid ions, whose splitting is known in closed form, and of DFT forces."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from ase import Atoms, units
from ase.build import bulk, fcc100, make_supercell, molecule
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.constraints import FixAtoms
from ase.io import read
from rigid_ions import COULOMB, magnesia, salt

from ase_les.properties.phonon_results import PER_CM_PER_THZ
from ase_les.properties.phonons import phonons

phonopy = pytest.importorskip("phonopy")
pytest.importorskip("seekpath")

QUICK = {"min_length_A": 8.0, "mesh_length_A": 10.0, "points_per_segment": 7}


def reduced_mass(atoms: Atoms) -> float:
    return 1 / (1 / atoms.get_masses()).sum()


def in_per_cm(stiffness: float) -> float:
    """Wave number in 1/cm of stiffness over mass in eV/(Å² amu)."""
    return np.sqrt(stiffness * units._e / units._amu) * 1e10 / (2 * np.pi * units._c * 100)


@pytest.mark.slow
@pytest.mark.parametrize(("crystal", "published"), [(salt, 192.8), (magnesia, 594.3)])
def test_longitudinal_modes_are_split_off_by_the_field_of_rigid_ions(crystal, published):
    """ω_LO² − ω_TO² = 4π k_e q² / (V μ); values of NaCl and MgO with their ε∞."""
    atoms = crystal()
    term = 4 * np.pi * COULOMB * atoms.calc.charge**2 / atoms.get_volume()
    exact = in_per_cm(term / reduced_mass(atoms))
    assert exact == pytest.approx(published, abs=0.1)
    found = phonons(atoms, directions=[(1, 0, 0), (1, 1, 1)], **QUICK)
    for splitting in found.splitting:
        assert splitting.splitting_term_per_cm == pytest.approx(exact, rel=1e-4)
        squares = splitting.with_field_THz**2 - splitting.without_field_THz**2
        # One longitudinal mode takes it all, two transverse ones nothing.
        np.testing.assert_allclose(squares[:5], 0.0, atol=1e-6)
        assert PER_CM_PER_THZ * np.sqrt(squares[5]) == pytest.approx(exact, rel=1e-4)


def dynamical_matrix(atoms: Atoms, layers: int, displacement: float = 1e-3) -> np.ndarray:
    """Brute force: D(q) in eV/(Å² amu) of the longest wave that a row of cells holds.

    The wave runs along the third reciprocal vector; every force in the row counts.
    """
    row = atoms * (1, 1, layers)
    row.calc = atoms.calc
    masses = atoms.get_masses()
    phase = np.exp(2j * np.pi * np.arange(layers) / layers)
    matrix = np.zeros((len(atoms), 3, len(atoms), 3), dtype=complex)
    for i in range(len(atoms)):
        for axis in range(3):
            forces = []
            for sign in (1, -1):
                moved = row.copy()
                moved.positions[i, axis] += sign * displacement
                forces.append(atoms.calc.get_property("forces", moved))
            constants = (forces[1] - forces[0]) / (2 * displacement)
            constants = constants.reshape(layers, len(atoms), 3)
            matrix[i, axis] = np.einsum("l,lja->ja", phase, constants)
    root = np.sqrt(masses)
    matrix /= root[:, None, None, None] * root[None, None, :, None]
    flat = matrix.reshape(3 * len(atoms), -1)
    return 0.5 * (flat + flat.conj().T)


@pytest.mark.slow
def test_small_wave_vectors_agree_with_brute_force_in_a_long_row_of_cells():
    """The row of 32 cells is 91 Å long; nothing but forces enters its frequencies."""
    atoms = salt()
    # Sheets of both ions above each other: the third reciprocal vector is along z.
    edge = 5.6903 / 2
    atoms.set_cell([[edge, edge, 0], [edge, -edge, 0], [edge, 0, edge]])
    layers = 32
    brute = np.array(
        [in_per_cm(max(w, 0)) for w in np.linalg.eigvalsh(dynamical_matrix(atoms, layers))]
    )
    found = phonons(atoms, directions=[(0, 0, 1)], **QUICK)
    crystal = found.phonopy
    # The same wave vector in the reciprocal vectors of phonopy's primitive cell.
    wave = np.linalg.inv(atoms.cell.array)[:, 2] / layers
    crystal.run_qpoints([crystal.primitive.cell @ wave])
    interpolated = PER_CM_PER_THZ * crystal.qpoints.frequencies[0]
    np.testing.assert_allclose(interpolated, brute, atol=0.02)
    # And the limit along z is what brute force comes close to: in a row of cells, not at Γ.
    gamma = found.splitting[0]
    assert brute[5] == pytest.approx(PER_CM_PER_THZ * gamma.with_field_THz[5], rel=0.01)
    assert brute[5] > 1.5 * PER_CM_PER_THZ * gamma.without_field_THz[5]


@pytest.mark.slow
def test_bands_do_not_depend_on_the_size_of_the_supercell():
    small, large = (phonons(salt(), **{**QUICK, "min_length_A": length}) for length in (8.0, 12.0))
    assert large.supercell_atoms > 2 * small.supercell_atoms
    for one, other in zip(small.segments, large.segments, strict=True):
        difference = np.abs(one.frequencies_THz - other.frequencies_THz).max()
        assert PER_CM_PER_THZ * difference < 0.1


@pytest.mark.slow
def test_constraints_are_not_used_and_that_is_noted():
    atoms = bulk("Cu")
    atoms.calc = EMT()
    free = phonons(atoms, **{**QUICK, "min_length_A": 4.0})
    atoms.set_constraint(FixAtoms([0]))
    fixed = phonons(atoms, **{**QUICK, "min_length_A": 4.0})
    assert fixed.notes[0].startswith("The constraints of the structure are not used")
    assert not any("constraints" in note for note in free.notes)
    for one, other in zip(fixed.segments, free.segments, strict=True):
        np.testing.assert_allclose(one.frequencies_THz, other.frequencies_THz, atol=1e-6)


def test_any_cell_of_the_crystal_gives_the_same_modes():
    """Primitive, cubic, left-handed, and a supercell that is no multiple of the cubic one."""
    reference = phonons(salt(), **QUICK)
    left = salt()
    left.set_cell(left.cell.array[[1, 0, 2]])
    assert np.linalg.det(left.cell.array) * np.linalg.det(salt().cell.array) < 0
    cubic = make_supercell(salt(), [[-1, 1, 1], [1, -1, 1], [1, 1, -1]])
    face_centered = [[0, 2, 2], [2, 0, 2], [2, 2, 0]]
    for atoms, supercell in ((left, None), (cubic, None), (cubic, face_centered)):
        atoms.calc = salt().calc
        found = phonons(atoms, supercell=supercell, **QUICK)
        assert len(found.phonopy.primitive) == 2
        for one, other in zip(reference.segments, found.segments, strict=True):
            difference = np.abs(one.frequencies_THz - other.frequencies_THz).max()
            assert PER_CM_PER_THZ * difference < 0.1


@pytest.mark.slow
def test_screened_and_unscreened_charges_give_the_same_phonons():
    screened = phonons(salt(), **QUICK)
    atoms = salt()
    atoms.calc.dielectric = 1.0
    bare = phonons(atoms, **QUICK)
    assert screened.non_analytic.born_charges_e[0, 0, 0] == pytest.approx(1.08703)
    assert bare.non_analytic.born_charges_e[0, 0, 0] == pytest.approx(1.08703 / np.sqrt(2.43534))
    np.testing.assert_allclose(
        screened.splitting[0].with_field_THz, bare.splitting[0].with_field_THz, atol=1e-5
    )
    for one, other in zip(screened.segments, bare.segments, strict=True):
        np.testing.assert_allclose(one.frequencies_THz, other.frequencies_THz, atol=1e-5)


@pytest.mark.slow
def test_dipoles_of_the_right_charges_explain_the_forces_between_distant_ions():
    """Were the long range counted twice, distant force constants would grow instead."""
    before, after = phonons(salt(), **QUICK).non_analytic.far_force_constants_eV_per_A2
    assert after < 1e-3 * before


def test_charges_that_are_inconsistent_with_the_forces_are_noted():
    atoms = salt()
    born = 2.0 * atoms.calc.get_property("born_effective_charges", atoms)
    found = phonons(atoms, born_effective_charges=born, **QUICK)
    assert not found.non_analytic.fits
    assert any("inconsistent with the forces" in note for note in found.notes)


def test_phonopy_reads_the_files_and_gives_the_same_bands(tmp_path):
    found = phonons(salt(), output=tmp_path / "nacl", **QUICK)
    from_yaml = phonopy.load(tmp_path / "nacl-phonopy.yaml")
    assert from_yaml.nac_params is not None
    from_files = phonopy.load(
        tmp_path / "nacl-phonopy.yaml",
        force_sets_filename=tmp_path / "nacl-FORCE_SETS",
        born_filename=tmp_path / "nacl-BORN",
    )
    lines = [segment.qpoints for segment in found.segments]
    for loaded in (from_yaml, from_files):
        loaded.run_band_structure(lines)
        for segment, frequencies in zip(
            found.segments, loaded.band_structure.frequencies, strict=True
        ):
            np.testing.assert_allclose(frequencies, segment.frequencies_THz, atol=2e-4)
    summary = yaml.safe_load((tmp_path / "nacl-summary.yml").read_text())
    assert summary["non_analytic"]["gamma"][0]["splitting_term_per_cm"] == pytest.approx(
        192.8, abs=0.1
    )
    series = np.load(tmp_path / "nacl-phonons.npz")
    assert series["frequencies_THz"].shape == (series["segment_lengths"].sum(), 6)


class RecordedForces(Calculator):
    """Forces of displaced supercells that someone else has calculated."""

    implemented_properties = ["forces", "born_effective_charges"]  # noqa: RUF012

    def __init__(self, crystal, born):
        super().__init__()
        self.crystal, self.born = crystal, born

    def calculate(self, atoms=None, properties=("forces",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.results = {"born_effective_charges": self.born, "forces": np.zeros((len(atoms), 3))}
        cells = self.crystal.supercells_with_displacements
        for cell, forces in zip(cells, self.crystal.forces, strict=True):
            if len(cell) == len(atoms) and np.allclose(cell.positions, atoms.positions, atol=1e-6):
                self.results["forces"] = forces


@pytest.mark.parametrize("name", ["NaCl", "MgO"])
def test_dft_forces_and_charges_give_what_phonopy_makes_of_them(name, shared):
    """Supercell forces, Born charges and ε∞ of phonopy's examples."""
    folder = shared / "data" / "phonopy" / name
    if not (folder / "FORCE_SETS").is_file():
        pytest.skip(f"no phonopy example at {folder}")
    reference = phonopy.load(
        folder / "phonopy_disp.yaml",
        force_sets_filename=folder / "FORCE_SETS",
        born_filename=folder / "BORN",
        primitive_matrix="F",
    )
    atoms = read(folder / "POSCAR-unitcell", format="vasp")
    born = reference.nac_params["born"]
    per_atom = np.array([born[0] if symbol == name[:2] else born[1] for symbol in atoms.symbols])
    atoms.calc = RecordedForces(reference, per_atom)
    found = phonons(
        atoms,
        supercell=(2, 2, 2),
        dielectric=reference.nac_params["dielectric"],
        directions=[(1, 0, 0)],
        **QUICK,
    )
    for direction, ours in zip(
        (None, reference.primitive.cell[:, 0]),
        (found.splitting[0].without_field_THz, found.splitting[0].with_field_THz),
        strict=True,
    ):
        reference.run_qpoints([[0, 0, 0]], nac_q_direction=direction)
        # phonopy's BORN of the example rounds the Coulomb constant to 14.4.
        np.testing.assert_allclose(ours[3:], reference.qpoints.frequencies[0][3:], rtol=2e-4)
    assert found.non_analytic.fits


def test_states_are_three_per_atom_and_heat_capacity_reaches_dulong_and_petit():
    found = phonons(salt(), **{**QUICK, "mesh_length_A": 40.0})
    dos = found.density_of_states
    assert np.trapezoid(dos.states_per_THz, dos.frequencies_THz) == pytest.approx(6.0, rel=0.01)
    thermal = found.thermal
    assert thermal.temperature_K[[0, -1]].tolist() == [0.0, 1000.0]
    gas_constant = units.kB * units.mol / units.kJ * 1000
    assert thermal.heat_capacity_J_per_K_mol[-1] == pytest.approx(6 * gas_constant, rel=0.01)
    # S = −dF/dT
    slope = -1000 * np.gradient(thermal.free_energy_kJ_per_mol, thermal.temperature_K)
    np.testing.assert_allclose(slope[20:-1], thermal.entropy_J_per_K_mol[20:-1], rtol=1e-3)


def test_a_structure_that_is_no_minimum_has_imaginary_modes_and_a_note():
    atoms = salt()
    atoms.calc.charge *= 2.0
    found = phonons(atoms, **QUICK)
    assert found.lowest[0] < -0.5
    assert any("Imaginary modes" in note for note in found.notes)


def test_forces_of_an_unrelaxed_structure_are_noted_and_subtracted():
    atoms = Atoms("Ar2", [[0, 0, 0], [2.4, 2.4, 2.6]], cell=[4.8] * 3, pbc=True)
    atoms.calc = LennardJones(sigma=3.4, epsilon=0.1, rc=8.0, smooth=True)
    largest = np.linalg.norm(atoms.get_forces(), axis=1).max()
    found = phonons(atoms, **QUICK)
    assert found.residual_force_eV_per_A == pytest.approx(largest, rel=1e-6)
    assert largest > 0.01
    told = " ".join(found.notes)
    assert "not relaxed" in told
    assert "there are no Born charges" in told
    assert found.non_analytic is None and found.splitting == ()


def test_a_crystal_under_pressure_is_noted_where_symmetry_hides_it():
    argon = bulk("Ar", a=4.7, cubic=True)
    argon.calc = LennardJones(sigma=3.4, epsilon=0.01, rc=8.0, smooth=True)
    pressure = -argon.get_stress()[0] / units.GPa
    found = phonons(argon, **QUICK)
    assert found.residual_force_eV_per_A < 1e-8
    assert found.pressure_GPa == pytest.approx(pressure, rel=1e-9)
    assert pressure > 1.0
    told = " ".join(found.notes)
    assert f"under {pressure:.2f} GPa" in told


@pytest.mark.slow
def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path):
    atoms = salt()
    born = atoms.calc.get_property("born_effective_charges", atoms)
    options = {"born_effective_charges": born, "dielectric": 2.43534}
    whole = phonons(atoms, **options, **QUICK)
    atoms.calc = salt().calc
    atoms.calc.die_after = 2
    with pytest.raises(KeyboardInterrupt):
        phonons(atoms, output=tmp_path / "run", **options, **QUICK)
    atoms.calc = salt().calc
    with pytest.raises(FileExistsError, match="resume"):
        phonons(atoms, output=tmp_path / "run", **options, **QUICK)
    resumed = phonons(atoms, output=tmp_path / "run", resume=True, **options, **QUICK)
    assert atoms.calc.calls == 1
    for one, other in zip(whole.segments, resumed.segments, strict=True):
        np.testing.assert_array_equal(one.frequencies_THz, other.frequencies_THz)


def test_a_record_serves_whatever_symmetry_is_found(tmp_path):
    """A crystal between two tolerances: 2 displacements, or 24 others."""
    atoms = bulk("Cu", cubic=True)
    atoms.symbols[0] = "Au"
    atoms.positions[1] += [0.003, 0.002, 0.001]
    atoms.calc = EMT()
    options = {**QUICK, "supercell": (2, 2, 2)}
    coarse, fine = ({**options, "symmetry_tolerance_A": each} for each in (1e-2, 1e-4))
    assert phonons(atoms, output=tmp_path / "run", **coarse).displacements == 2
    resumed = phonons(atoms, output=tmp_path / "run", resume=True, **fine)
    anew = phonons(atoms, **fine)
    assert resumed.displacements == anew.displacements == 24
    for one, other in zip(resumed.segments, anew.segments, strict=True):
        np.testing.assert_allclose(one.frequencies_THz, other.frequencies_THz, atol=1e-6)


def test_a_record_of_another_force_field_is_refused(tmp_path):
    atoms = bulk("Ar", "fcc", 5.3)
    options = {"supercell": (2, 2, 2), "output": tmp_path / "run", **QUICK}
    atoms.calc = LennardJones(sigma=3.4, epsilon=0.01, rc=6.0)
    phonons(atoms, **options)
    atoms.calc = LennardJones(sigma=3.4, epsilon=0.04, rc=6.0)
    with pytest.raises(ValueError, match=r"epsilon is 0\.01, given 0\.04"):
        phonons(atoms, resume=True, **options)


def copper_slab(order=(0, 1, 2)) -> Atoms:
    """Three layers of Cu(100) with residual forces removed by symmetry in the plane."""
    slab = fcc100("Cu", (1, 1, 3), a=3.6, vacuum=6.0)
    slab.set_cell(slab.cell.array[list(order)])
    slab.pbc = np.array([True, True, False])[list(order)]
    slab.calc = EMT()
    return slab


def frequencies_at_gamma(atoms: Atoms, displacement: float = 0.005) -> np.ndarray:
    """Wave numbers in 1/cm when all cells move alike, by central differences of forces."""
    hessian = np.zeros((len(atoms), 3, len(atoms), 3))
    for i, axis in np.ndindex(len(atoms), 3):
        forces = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[i, axis] += sign * displacement
            moved.calc = EMT()
            forces.append(moved.get_forces())
        hessian[i, axis] = (forces[1] - forces[0]) / (2 * displacement)
    root = np.repeat(np.sqrt(atoms.get_masses()), 3)
    matrix = hessian.reshape(len(root), -1) / np.outer(root, root)
    values = np.linalg.eigvalsh(0.5 * (matrix + matrix.T))
    return np.array([np.sign(value) * in_per_cm(abs(value)) for value in values])


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_a_slab_has_the_modes_of_its_hessian_at_gamma(order):
    slab = copper_slab(order)
    found = phonons(slab, **QUICK)
    assert "GAMMA" in found.labels and set(found.labels) <= {"GAMMA", "X", "M"}
    segment = next(segment for segment in found.segments if "GAMMA" in segment.labels)
    gamma = segment.frequencies_THz[0 if segment.labels[0] == "GAMMA" else -1]
    exact = frequencies_at_gamma(slab)
    np.testing.assert_allclose(PER_CM_PER_THZ * gamma[3:], exact[3:], atol=0.5)
    np.testing.assert_allclose(PER_CM_PER_THZ * gamma[:3], 0.0, atol=0.5)
    # Waves run in the plane: no frequency depends on the vector along the normal.
    axis = order.index(2)
    assert found.supercell[axis, axis] == 1 and not found.segments[0].qpoints[:, 2].any()
    assert any("two-dimensional" in note for note in found.notes)
    # A supercell is given in multiples of the vectors of the structure, whatever their order.
    given = [3, 3, 3]
    given[axis] = 1
    again = phonons(slab, supercell=given, **QUICK)
    assert again.supercell.tolist() == np.diag(given).tolist()
    assert again.supercell_atoms == 27


def test_a_slab_has_no_non_analytic_term():
    with pytest.raises(ValueError, match="bulk crystals only"):
        phonons(copper_slab(), non_analytic=True, **QUICK)
    with pytest.raises(ValueError, match="open direction"):
        phonons(copper_slab(), supercell=(2, 2, 2), **QUICK)


def test_a_crystal_with_vacuum_is_taken_for_a_slab():
    """Three directions repeat, but the field of a bulk does not reach through the vacuum."""
    slab = copper_slab()
    slab.pbc = True
    charges = np.zeros((3, 3, 3))
    found = phonons(slab, supercell=(2, 2, 1), born_effective_charges=charges, **QUICK)
    assert found.non_analytic is None
    assert any("gap of 12.0 Å along c" in note for note in found.notes)
    # Waves run in the plane, as in the same slab with two periodic directions.
    open_slab = phonons(copper_slab(), supercell=(2, 2, 1), **QUICK)
    for one, other in zip(found.segments, open_slab.segments, strict=True):
        assert one.labels == other.labels
        np.testing.assert_allclose(one.qpoints, other.qpoints, atol=1e-9)
        np.testing.assert_allclose(one.frequencies_THz, other.frequencies_THz, atol=1e-3)
    insisted = phonons(
        slab, supercell=(2, 2, 1), born_effective_charges=charges, non_analytic=True, **QUICK
    )
    assert insisted.non_analytic is not None


@pytest.mark.slow
def test_other_readers_take_the_born_file(tmp_path):
    """phonopy's own `write_BORN` begins with a comment, which `parse_BORN` and Euphonic refuse."""
    found = phonons(salt(), output=tmp_path / "nacl", **QUICK)
    parsed = phonopy.file_IO.parse_BORN(found.phonopy.primitive, filename=tmp_path / "nacl-BORN")
    assert parsed["factor"] == pytest.approx(14.39965, abs=1e-4)
    np.testing.assert_allclose(parsed["born"], found.non_analytic.born_charges_e, atol=1e-7)


def test_nine_columns_of_another_calculator_are_taken_as_tensors():
    atoms = salt()
    born = atoms.calc.get_property("born_effective_charges", atoms)
    found = phonons(atoms, born_effective_charges=born.reshape(2, 9), **QUICK)
    np.testing.assert_allclose(found.non_analytic.born_charges_e, born, atol=1e-6)


@pytest.mark.parametrize(
    ("structure", "settings", "message"),
    [
        (lambda: Atoms("Na", cell=[3] * 3, pbc=True), {}, "no calculator"),
        (lambda: molecule("H2O", calculator=EMT()), {}, "three \\(crystal\\) periodic directions"),
        (salt, {"displacement_A": 0.0}, "`displacement_A` must be positive"),
        (salt, {"supercell": (2, 0, 2)}, "three positive integers"),
        (salt, {"born_effective_charges": np.eye(3)}, r"needed are \(2, 3, 3\) or \(2, 9\)"),
    ],
)
def test_what_has_no_phonons_is_refused(structure, settings, message):
    with pytest.raises(ValueError, match=message):
        phonons(structure(), **settings, **QUICK)


def test_a_field_without_charges_is_refused():
    atoms = salt()
    atoms.calc = LennardJones()
    with pytest.raises(ValueError, match="LennardJones gives neither"):
        phonons(atoms, non_analytic=True, **QUICK)


def test_errors_of_born_charges_are_not_taken_for_their_absence(monkeypatch):
    """A failure on the way to LO–TO is an error, charges that do not exist are a note."""
    from ase.calculators.calculator import PropertyNotImplementedError

    from ase_les.properties import phonon_charges

    crystal = bulk("NaCl", "rocksalt", a=5.64)
    crystal.calc = EMT()
    monkeypatch.setattr(crystal.calc, "implemented_properties", ["born_effective_charges"])

    def fail(error):
        def born_charges(*_, **__):
            raise error

        monkeypatch.setattr(phonon_charges, "born_charges", born_charges)

    notes = []
    fail(ValueError("tensors are not finite"))
    with pytest.raises(ValueError, match="could not be computed: tensors are not finite"):
        phonon_charges.bulk_charges(crystal, None, None, None, 1e-4, notes)
    fail(PropertyNotImplementedError("not defined"))
    assert phonon_charges.bulk_charges(crystal, None, None, None, 1e-4, notes) is None
    assert "not defined" in notes[0]
