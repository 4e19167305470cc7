"""Born charges of slabs and interfaces: by displacement, in a field, and the exact derivative."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes

from ase_les.properties.atom_selection import selected_atoms
from ase_les.properties.born_charges import born_charges
from ase_les.properties.born_layers import born_layers
from ase_les.properties.crystal_symmetry import symmetry_operations
from ase_les.simulation.slab_geometry import heights_A, layer_numbers, unit_normal

CHARGE = {"Na": 1.1, "Cl": -1.1, "O": -1.1, "Mg": 1.1}
RULES = {
    "split": {"neutrality": "split"},
    "formal": {"neutrality": "split", "formal_charges": {"Na": 1.0, "O": -1.0}},
    "mean": {"neutrality": "mean"},
    "none": {"neutrality": "none"},
}
ORIENTATIONS = ("z", "x", "tilted")


def slab(orientation: str = "z", tall: int = 2) -> Atoms:
    """A skewed film of Na and O, rattled; its third vector leans and stands for nothing."""
    atoms = bulk("NaO", "rocksalt", a=4.6) * (1, 1, tall)
    atoms.rattle(0.1, seed=1)
    deformation = [[1.0, 0.1, 0.0], [0.0, 1.05, 0.05], [0.02, 0.0, 0.97]]
    atoms.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
    atoms.center(vacuum=3.0, axis=2)
    atoms.pbc = (True, True, False)
    return turned(atoms, orientation)


def turned(atoms: Atoms, orientation: str) -> Atoms:
    """The same structure: as it is, or its third vector first and along x, or anyhow."""
    if orientation == "z":
        return atoms
    atoms = atoms.copy()
    order = [2, 0, 1] if orientation == "x" else [0, 2, 1]
    pbc = atoms.pbc[order]
    atoms.set_cell(atoms.cell.array[order], scale_atoms=False)
    atoms.pbc = pbc
    if orientation == "x":
        atoms.rotate(unit_normal(atoms), "x", rotate_cell=True)
    else:
        atoms.rotate(70, (1, 2, 3), rotate_cell=True)
    return atoms


def interface() -> Atoms:
    """Two lattices face to face in a periodic box, no symmetry left."""
    atoms = bulk("NaO", "rocksalt", a=4.6, cubic=True)
    lower = atoms[atoms.positions[:, 2] < 1.0]
    lower.positions *= (1, 1, 1.1)
    upper = bulk("NaO", "rocksalt", a=4.6, cubic=True)
    upper.positions += (0.7, 0.3, 2.8)
    both = lower + upper[:4]
    both.set_cell([4.6, 4.7, 7.6])
    both.pbc = True
    both.rattle(0.08, seed=3)
    return both


def calculated(atoms: Atoms, random_model, rule: str, **settings) -> Atoms:
    from ase_les import LESCalculator

    model = random_model(l_max=2, charges=RULES[rule], **settings)
    atoms.calc = LESCalculator(model, dtype="float64", accuracy=None, dielectric=2.4)
    return atoms


def found(atoms: Atoms, method: str, **settings) -> np.ndarray:
    return born_charges(atoms, method, symmetrize=False, **settings).tensors


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("rule", RULES)
def test_displacements_of_a_slab_give_its_analytic_charges(random_model, rule, orientation):
    atoms = calculated(slab(orientation), random_model, rule)
    exact = found(atoms, "analytic")
    assert np.abs(exact - np.eye(3) * exact.trace(axis1=1, axis2=2)[:, None, None] / 3).max() > 0.1
    np.testing.assert_allclose(found(atoms, "displacement"), exact, atol=1e-5)


@pytest.mark.parametrize("rule", ["split", "mean"])
def test_messages_reach_as_far_as_their_layers(random_model, rule):
    layers = (("memory", "radial", "invariant"),)
    atoms = calculated(slab(), random_model, rule, layers=layers)
    exact = found(atoms, "analytic", chosen=[1])
    for source in ("auto", "charges"):
        by_step = found(atoms, "displacement", chosen=[1], source=source)
        np.testing.assert_allclose(by_step[1], exact[1], atol=1e-5)


@pytest.mark.parametrize("rule", ["split", "mean"])
@pytest.mark.parametrize("structure", [interface, lambda: bulk("NaO", "rocksalt", a=4.6)])
def test_displacements_in_a_box_give_its_analytic_charges(random_model, rule, structure):
    atoms = structure()
    atoms.rattle(0.05, seed=2)
    calculated(atoms, random_model, rule)
    np.testing.assert_allclose(found(atoms, "displacement"), found(atoms, "analytic"), atol=1e-5)


@pytest.mark.parametrize("source", ["dipole", "current", "charges"])
def test_every_source_of_local_charges_tells_the_same(random_model, source):
    atoms = calculated(slab("tilted"), random_model, "split")
    by_step = found(atoms, "displacement", source=source)
    np.testing.assert_allclose(by_step, found(atoms, "analytic"), atol=1e-5)


def test_a_current_along_a_long_way_adds_up_to_the_change_of_the_dipole(random_model):
    atoms = calculated(slab("x"), random_model, "split")
    exact = found(atoms, "analytic")
    long = {"displacement_A": 0.03, "chosen": [1]}
    by_dipole = found(atoms, "displacement", source="dipole", **long)[1]
    by_current = found(atoms, "displacement", source="current", **long)[1]
    # The way is so long that the slope in its middle is another.
    bend = np.abs(by_dipole - exact[1]).max()
    assert bend > 1e-3
    assert np.abs(by_current - by_dipole).max() < 0.05 * bend


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("rule", ["split", "formal"])
def test_forces_in_a_field_give_all_components_of_local_charges(random_model, rule, orientation):
    atoms = calculated(slab(orientation), random_model, rule)
    np.testing.assert_allclose(found(atoms, "field"), found(atoms, "analytic"), atol=1e-8)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_shifted_charges_of_a_slab_have_forces_in_a_field_along_its_normal(
    random_model, orientation
):
    atoms = calculated(slab(orientation), random_model, "mean")
    exact, along = (found(atoms, method, components="normal") for method in ("analytic", "field"))
    np.testing.assert_allclose(along, exact, atol=1e-8)
    with pytest.raises(ValueError, match="by displacement are available for every model"):
        found(atoms, "field")


@pytest.mark.parametrize("method", ["analytic", "displacement", "field"])
def test_local_charges_of_a_slab_sum_to_zero(random_model, method):
    atoms = calculated(slab("tilted"), random_model, "split")
    result = born_charges(atoms, method, symmetrize=False)
    assert np.abs(result.tensors).max() > 0.3
    np.testing.assert_allclose(result.sum_over_atoms_e, 0.0, atol=1e-6)


class Ions(Calculator):
    """Rigid ions whose program gives what is listed, on random branches."""

    def __init__(self, *properties, current=False, die_after=None):
        super().__init__()
        self.die_after = die_after
        self.implemented_properties = list(properties)
        self.calls = 0
        if current:
            self.get_current = self._current

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        if self.calls == self.die_after:
            raise KeyboardInterrupt
        self.calls += 1
        charges = np.array([CHARGE[symbol] for symbol in self.atoms.symbols])
        moment = charges @ self.atoms.positions
        branch = np.random.default_rng(self.calls).integers(-3, 4, 3) * self.atoms.pbc
        volume = abs(np.linalg.det(self.atoms.cell.array))
        everything = {
            "energy": 0.0,
            "charges": charges,
            # As programs give it, in the plane it means nothing.
            "dipole": moment + branch @ self.atoms.cell.array,
            "polarization": (moment + branch @ self.atoms.cell.array) / volume,
        }
        self.results = {name: everything[name] for name in self.implemented_properties}

    def _current(self, atoms):
        charges = np.array([CHARGE[symbol] for symbol in atoms.symbols])
        from ase import units

        return charges @ atoms.get_velocities() * units.fs


def rigid(atoms: Atoms) -> np.ndarray:
    charges = np.array([CHARGE[symbol] for symbol in atoms.symbols])
    return charges[:, None, None] * np.eye(3)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize(
    ("properties", "current", "source"),
    [
        (("dipole", "polarization"), False, "auto"),
        (("dipole",), True, "auto"),
        ((), True, "current"),
        (("charges",), False, "charges"),
    ],
)
def test_any_calculator_that_knows_a_moment_tells_the_charges_of_a_slab(
    properties, current, source, orientation
):
    atoms = slab(orientation)
    atoms.calc = Ions(*properties, current=current)
    by_step = found(atoms, "displacement", source=source, reach_A=3.0)
    np.testing.assert_allclose(by_step, rigid(atoms), atol=1e-9)


@pytest.mark.parametrize(("rule", "noted"), [("split", 0), ("mean", 2)])
def test_results_say_what_shifted_charges_do_to_them(random_model, rule, noted, tmp_path):
    atoms = calculated(slab(), random_model, rule)
    result = born_charges(atoms, symmetrize=False, output=tmp_path / "film")
    assert len(result.notes) == noted
    assert len(result.summary()["notes"]) == noted


def test_a_dipole_alone_tells_the_normal_component():
    atoms = slab("tilted")
    atoms.calc = Ions("dipole")
    normal = unit_normal(atoms)
    by_step = found(atoms, "displacement", components="normal")
    np.testing.assert_allclose(by_step, np.outer(normal, normal) @ rigid(atoms), atol=1e-9)
    with pytest.raises(ValueError, match=r"in the plane of a slab: needed is .* offers dipole"):
        found(atoms, "displacement")


def test_charges_of_a_program_are_taken_only_when_asked_for():
    atoms = slab()
    atoms.calc = Ions("charges")
    with pytest.raises(ValueError, match="it offers charges"):
        found(atoms, "displacement")


def test_charges_that_change_out_of_reach_are_refused(random_model):
    atoms = calculated(slab(), random_model, "mean")
    with pytest.raises(ValueError, match=r"change by different amounts .* larger `reach_A`"):
        found(atoms, "displacement", reach_A=2.0)


def rock_salt_film(layers: int) -> Atoms:
    """(001) in the smallest cell, flat, in a box that happens to be as high as it is wide."""
    edge = 4.6 / 2**0.5
    atoms = Atoms(cell=[edge, edge, edge], pbc=(True, True, False))
    for layer in range(layers):
        first, second = ("Na", "O") if layer % 2 else ("O", "Na")
        atoms += Atoms(first, [(0, 0, 2.3 * layer)])
        atoms += Atoms(second, [(edge / 2, edge / 2, 2.3 * layer)])
    return atoms


@pytest.mark.parametrize(("layers", "displaced"), [(1, 2), (3, 4), (4, 4)])
def test_symmetry_of_a_slab_saves_displacements_and_changes_nothing(
    random_model, layers, displaced
):
    atoms = calculated(rock_salt_film(layers), random_model, "mean")
    result = born_charges(atoms, "displacement")
    assert len(result.displaced_atoms) == displaced
    np.testing.assert_allclose(result.tensors, found(atoms, "analytic"), atol=1e-5)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_operations_of_a_slab_keep_its_normal(orientation):
    atoms = turned(rock_salt_film(1), orientation)
    normal = unit_normal(atoms)
    operations = symmetry_operations(atoms, 1e-3)
    # The point group of a flat square net with its mirror plane.
    assert len(operations) == 16
    for operation in operations:
        assert abs(normal @ operation.rotation @ normal) == pytest.approx(1, abs=1e-9)


def test_a_box_as_high_as_it_is_wide_makes_no_operations_of_a_slab():
    atoms = Atoms("Na", cell=[30, 30, 0], pbc=(True, True, False))
    assert len(symmetry_operations(atoms, 1e-3)) == 16


def test_only_chosen_atoms_are_displaced_and_reported(tmp_path):
    atoms = slab()
    atoms.calc = Ions("dipole", "polarization")
    options = {"chosen": "Na&top:2", "symmetrize": False}
    (index,) = selected_atoms(atoms, "Na&top:2")
    result = born_charges(atoms, "displacement", output=tmp_path / "film", **options)
    assert result.displaced_atoms == (index,)
    assert list(result.elements) == ["Na"]
    assert result.sum_over_atoms_e is None
    np.testing.assert_allclose(result.tensors[index], rigid(atoms)[index], atol=1e-9)
    assert np.isnan(np.delete(result.tensors, index, axis=0)).all()
    with np.load(tmp_path / "film-born.npz") as arrays:
        assert np.isfinite(arrays["normal_e"]).sum() == 1
    with pytest.raises(ValueError, match="`sum_rule` needs all atoms"):
        born_charges(atoms, sum_rule=True, **options)


def test_a_stopped_run_of_a_slab_goes_on_where_it_was(tmp_path):
    atoms = slab()
    options = {"chosen": "0:2", "symmetrize": False, "output": tmp_path / "film"}
    atoms.calc = Ions("dipole", "polarization", die_after=5)
    with pytest.raises(KeyboardInterrupt):
        born_charges(atoms, "displacement", **options)
    atoms.calc = Ions("dipole", "polarization")
    result = born_charges(atoms, "displacement", resume=True, **options)
    # Both moments of a structure are of one calculation.
    assert atoms.calc.calls == 12 - 5
    np.testing.assert_allclose(result.tensors[:2], rigid(atoms)[:2], atol=1e-9)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (None, [0, 1, 2, 3, 4, 5]),
        ("0:2,-1", [0, 1, 5]),
        ([4, 1], [1, 4]),
        ("O", [1, 3, 5]),
        ("top", [4, 5]),
        ("bottom:2", [0, 1, 2, 3]),
        ("O&top,bottom", [1, 5]),
        ("within:0.5", [0, 1, 4, 5]),
        ("tag:7", [2]),
        ("Na&near:O:2.31", [0, 2, 4]),
    ],
)
def test_atoms_are_chosen_in_words(words, expected):
    atoms = rock_salt_film(3)
    atoms = atoms[[1, 0, 2, 3, 5, 4]]
    atoms.set_tags([0, 0, 7, 0, 0, 0])
    assert atoms.get_chemical_symbols() == ["Na", "O"] * 3
    assert selected_atoms(atoms, words).tolist() == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("K", "selects no atom"),
        ("9", "has the index 9"),
        ("above:3", "unknown word 'above:3'; words are indices"),
        ("near:Ti:3", "near Ti, but the structure has none"),
        ("near:O", "invalid word 'near:O'"),
        ("top:x", "invalid word 'top:x'"),
    ],
)
def test_words_that_choose_nothing_are_refused(words, message):
    with pytest.raises(ValueError, match=message):
        selected_atoms(rock_salt_film(2), words)


def test_heights_in_a_box_do_not_depend_on_where_it_is_cut():
    atoms = interface()
    before = layer_numbers(heights_A(atoms, "c"))
    atoms.positions[:, 2] += 3.1
    atoms.wrap()
    after = layer_numbers(heights_A(atoms, "c"))
    np.testing.assert_array_equal(before, after)


def test_layers_separate_what_is_along_and_what_is_across():
    atoms = turned(rock_salt_film(3), "x")
    tensors = np.tile(np.diag([2.0, 0.5, 0.7]), (6, 1, 1))
    tensors[atoms.symbols == "O"] *= -1
    layers = born_layers(atoms, tensors, bulk={"Na": 1.0})
    top = layers.rows[0]
    assert (top.layer, top.atoms, top.height_A) == (2, 1, pytest.approx(4.6))
    assert {row.symbol for row in layers.rows} == {"Na", "O"}
    assert abs(top.normal_e) == pytest.approx(2.0)
    assert abs(top.in_plane_e) == pytest.approx(0.6)


def wire() -> Atoms:
    atoms = slab()
    atoms.pbc = (True, False, False)
    return atoms


@pytest.mark.parametrize(
    ("structure", "settings", "message"),
    [
        (wire, {}, "Put a wire into a box"),
        (slab, {"source": "guess"}, "`source` must be one of auto, dipole"),
        (slab, {"components": "xx"}, "`components` must be one of all, normal"),
        (lambda: bulk("NaCl", "rocksalt", a=5.6), {"components": "normal"}, "needs a slab"),
        (slab, {"axis": "a"}, "the slab is open along c"),
        (slab, {"reach_A": -1.0}, "`reach_A` must be positive"),
        (slab, {"layer_gap_A": 0.0}, "`gap_A` must be positive"),
    ],
)
def test_what_a_slab_does_not_have_is_refused(structure, settings, message):
    atoms = structure()
    atoms.calc = Ions("dipole", "polarization")
    with pytest.raises(ValueError, match=message):
        found(atoms, "displacement", **settings)


def test_bulk_values_come_from_an_earlier_run(tmp_path):
    crystal = bulk("NaCl", "rocksalt", a=5.6)
    crystal.calc = Ions("polarization")
    born_charges(crystal, "displacement", output=tmp_path / "bulk")
    atoms = slab()
    atoms.symbols[atoms.symbols == "O"] = "Cl"
    atoms.calc = Ions("dipole", "polarization")
    options = {"symmetrize": False, "output": tmp_path / "film"}
    result = born_charges(atoms, "displacement", bulk=tmp_path / "bulk-summary.yml", **options)
    assert result.layers.bulk_e == pytest.approx({"Na": 1.1, "Cl": -1.1})
    from ase.io import read

    saved = read(tmp_path / "film-born.extxyz").calc.results["born_effective_charges"]
    np.testing.assert_allclose(saved.reshape(-1, 3, 3), rigid(atoms), atol=1e-9)
    with pytest.raises(ValueError, match="not a summary of Born charges"):
        (tmp_path / "other.yml").write_text("a: 1\n")
        born_charges(atoms, "displacement", bulk=tmp_path / "other.yml")
