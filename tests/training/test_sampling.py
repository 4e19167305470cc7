"""Sampled structures are what was asked for, the same under one seed, and never collide."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase import Atoms, units
from ase.build import bulk, fcc111, molecule
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.data import covalent_radii
from ase.io import read

from ase_les import LESCalculator
from ase_les.cli import main
from ase_les.configuration import from_mapping
from ase_les.model_io import save_model
from ase_les.training.structures.motion import CommitteeMD, Dynamics
from ase_les.training.structures.moves import (
    DisplaceIon,
    Dissociate,
    MoveFragment,
    Rattle,
    RigidBodies,
    Strain,
    collision,
    repeated,
)
from ase_les.training.structures.sampling import SamplingRecipe, sample_structures
from ase_les.training.structures.selection import (
    disagreements,
    farthest_points,
    select_by_disagreement,
    structure_features,
)


def salt() -> Atoms:
    return bulk("NaCl", "rocksalt", a=5.64, cubic=True)


def test_strained_crystals_have_the_volumes_asked_for_and_keep_their_shape_factor():
    atoms = salt()
    move = Strain(structures=5, volume=(0.8, 1.2), shear=0.05)
    found = sample_structures([atoms], [move], include_start=False).frames
    ratios = [each.cell.volume / atoms.cell.volume for each in found]
    np.testing.assert_allclose(ratios, [0.8, 0.9, 1.0, 1.1, 1.2], rtol=1e-12)
    for each in found:
        # Atoms move with the cell, and the cell is sheared: no longer a cube.
        np.testing.assert_allclose(
            each.get_scaled_positions(wrap=False), atoms.get_scaled_positions(wrap=False), atol=1e-9
        )
        assert np.ptp(each.cell.lengths()) > 0.01


def test_a_strained_slab_changes_its_area_and_not_its_thickness():
    slab = fcc111("Cu", (2, 2, 2), vacuum=5)
    slab.pbc = (True, True, False)
    found = sample_structures([slab], [Strain(3, (0.9, 1.1), 0.02)], include_start=False).frames

    def area(atoms):
        return np.linalg.norm(np.cross(atoms.cell[0], atoms.cell[1]))

    np.testing.assert_allclose([area(each) / area(slab) for each in found], [0.9, 1.0, 1.1])
    for each in found:
        np.testing.assert_allclose(each.positions[:, 2], slab.positions[:, 2], atol=1e-12)


def test_one_ion_is_displaced_by_the_distance_asked_for():
    atoms = salt()
    move = DisplaceIon(6, distance_A=(0.5, 0.8), elements=("Na",))
    for each in sample_structures([atoms], [move], include_start=False).frames:
        shift = np.linalg.norm(each.positions - atoms.positions, axis=1)
        (moved,) = np.flatnonzero(shift)
        assert atoms.symbols[moved] == "Na"
        assert 0.5 <= shift[moved] <= 0.8


def test_a_fragment_leaves_along_the_line_between_the_centers_of_mass():
    dimer = molecule("H2O") + molecule("H2O")
    dimer.positions[3:, 0] += 3.0
    dimer.info["charge"] = 1
    found = sample_structures(
        [dimer], [Dissociate(fragment=(3, 4, 5), distances_A=(1.0, 5.0))], include_start=False
    ).frames
    for each, distance in zip(found, (1.0, 5.0), strict=True):
        expected = dimer.positions.copy()
        expected[3:, 0] += distance
        np.testing.assert_allclose(each.positions, expected, atol=1e-9)
        assert each.info["charge"] == 1


def test_a_fragment_moves_as_a_whole_and_leaves_the_rest_alone():
    slab = fcc111("Cu", (2, 2, 2), vacuum=8)
    x, y, z = slab.positions.max(axis=0)
    slab += Atoms("Au2", [(x, y, z + 3.0), (x, y, z + 5.5)])
    move = MoveFragment((8, 9), 40, shift_A=(0.0, 0.0, 0.3), turn_degrees=20, stretch=(0.9, 1.2))
    found = sample_structures([slab], [move], include_start=False).frames
    bonds = [each.get_distance(8, 9) / 2.5 for each in found]
    assert 0.9 <= min(bonds) < 0.95 and 1.15 < max(bonds) <= 1.2
    moved = np.array([each.positions for each in found]) - slab.positions
    assert not moved[:, :8].any()
    center = moved[:, 8:].mean(axis=1)
    np.testing.assert_allclose(center[:, :2], 0, atol=1e-12)
    assert 0.2 < center[:, 2].std() < 0.4
    tilt = [each.positions[9] - each.positions[8] for each in found]
    angles = [np.degrees(np.arccos(each[2] / np.linalg.norm(each))) for each in tilt]
    # Two of three axes tilt it.
    assert np.sqrt(np.square(angles).mean()) == pytest.approx(20 * np.sqrt(2 / 3), rel=0.3)
    with pytest.raises(ValueError, match="must name atoms 0 to 9"):
        sample_structures([slab], [MoveFragment((10,))])


class Spring(Calculator):
    """Atoms from number 1 on are drawn to the first, each for itself."""

    implemented_properties = ("energy",)

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        distances = np.linalg.norm(self.atoms.positions[1:] - self.atoms.positions[0], axis=1)
        self.results = {"energy": 0.5 * STIFFNESS * (distances**2).sum()}


STIFFNESS = 0.02


@pytest.mark.slow
def test_rigid_bodies_share_out_energy_as_temperature_says_and_keep_their_shape():
    atoms = Atoms("HeF2", [(0, 0, 0), (3, 0, 0), (3, 1.4, 0)])
    move = RigidBodies([(1, 2)], 1500, temperature_K=500, stride=4, shift_A=1.5, turn_degrees=40)
    found = sample_structures([atoms], [move], calculator=Spring(), include_start=False).frames
    centers = []
    for each in found:
        assert not each.positions[0].any()
        assert each.get_distance(1, 2) == pytest.approx(1.4)
        centers.append(each.positions[1:].mean(axis=0))
    # Two springs on one body.
    assert np.mean(np.square(centers)) == pytest.approx(units.kB * 500 / (2 * STIFFNESS), rel=0.15)


def test_rigid_bodies_need_a_calculator():
    with pytest.raises(ValueError, match="need a calculator"):
        sample_structures([molecule("H2O")], [RigidBodies([(0, 1, 2)])])


def test_hotter_dynamics_stray_farther():
    atoms = bulk("Cu", cubic=True)
    move = Dynamics((100.0, 1500.0), structures=3, timestep_fs=5.0, stride=20)
    found = sample_structures([atoms], [move], calculator=EMT(), include_start=False).frames
    assert [each.info["temperature_K"] for each in found] == [100.0] * 3 + [1500.0] * 3
    strayed = [np.square(each.positions - atoms.positions).mean() for each in found]
    assert np.mean(strayed[3:]) > 3 * np.mean(strayed[:3])


def test_held_elements_stay_and_the_others_move():
    atoms = bulk("Cu", cubic=True)
    atoms.symbols[0] = "Au"
    move = Dynamics((600.0,), structures=1, stride=20, held=("Au",))
    (found,) = sample_structures([atoms], [move], calculator=EMT(), include_start=False).frames
    strayed = np.abs(found.positions - atoms.positions).max(axis=1)
    assert strayed[0] == 0
    assert (strayed[1:] > 0.01).all()


def test_exploring_stops_where_models_first_disagree(random_model, tmp_path):
    """Two models of the same weights but for what one thinks of squeezed bonds."""
    files = [str(tmp_path / name) for name in ("one.safetensors", "other.safetensors")]
    for file, repulsion in zip(files, (None, {"cutoff_scale": 1.0}), strict=True):
        save_model(file, random_model(seed=3, core_repulsion=repulsion))
    water, committee = molecule("H2O"), [LESCalculator(file) for file in files]
    # Bonds of the molecule are longer than sums of covalent radii: nothing is disputed there.
    water.positions[1:] *= 1.3
    assert disagreements([water], committee)[0] < 1e-9
    move = CommitteeMD(files, (2000.0,), runs=3, stride=2, steps=400, disagreement_eV_per_A=0.05)
    found = sample_structures([water], [move], include_start=False).frames
    assert 1 <= len(found) <= 3
    assert (disagreements(found, committee) > 0.05).all()
    # Met on its way there, and not after it.
    assert (disagreements(found, committee) < 2.0).all()
    for met in found:
        assert met.get_all_distances()[0, 1:].min() < covalent_radii[[1, 8]].sum()


def test_exploring_among_models_that_agree_finds_nothing(random_model, tmp_path):
    file = str(tmp_path / "one.safetensors")
    save_model(file, random_model())
    move = CommitteeMD((file, file), (300.0,), steps=50)
    assert sample_structures([molecule("H2O")], [move], include_start=False).frames == ()


def test_exploring_says_so_if_the_models_do_not_cover_the_structure(random_model, tmp_path):
    file = str(tmp_path / "one.safetensors")
    save_model(file, random_model())
    with pytest.raises(ValueError, match="covers H, O, Na; the structure also has C"):
        sample_structures([molecule("CH4")], [CommitteeMD((file, file), steps=20)])


def test_dynamics_say_so_if_the_calculator_does_not_cover_the_start(random_model):
    calculator = LESCalculator(random_model())
    with pytest.raises(ValueError, match="covers H, O, Na; the structure also has C"):
        sample_structures([molecule("CH4")], [Dynamics((300.0,), 1)], calculator=calculator)


def test_exploring_needs_somebody_to_disagree():
    with pytest.raises(ValueError, match=r"`models`: given \('one',\), needed: .*at least 2"):
        CommitteeMD(("one",))
    with pytest.raises(
        ValueError, match=r"`disagreement_eV_per_A`: given 0\.0, needed: number > 0"
    ):
        CommitteeMD(("one", "other"), disagreement_eV_per_A=0.0)


def test_colliding_atoms_are_refused():
    atoms = molecule("H2O")
    move = Rattle(40, stdev_A=0.35)
    found = sample_structures([atoms], [move], include_start=False).frames
    assert found
    for each in found:
        for i, j in ((0, 1), (0, 2), (1, 2)):
            radii = covalent_radii[each.numbers[i]] + covalent_radii[each.numbers[j]]
            assert each.get_distance(i, j) >= 0.6 * radii
    # Such noise does let atoms collide: without the refusal some would.
    noise = np.random.default_rng(0).normal(0, 0.35, (200, 3, 3))
    assert any(collision(Atoms("OH2", atoms.positions + each)) for each in noise)
    pushed = Dissociate(fragment=(1,), distances_A=(-0.9,))
    assert not sample_structures([molecule("H2")], [pushed], include_start=False).frames
    with pytest.raises(ValueError, match=r"atoms 0 .* collide"):
        sample_structures([Atoms("Cu2", np.zeros((2, 3)))], [move])


def test_an_image_of_an_atom_counts_as_another_atom():
    assert collision(Atoms("Cu", cell=np.eye(3) * 1.5, pbc=True)) is not None
    assert collision(Atoms("Cu", cell=np.eye(3) * 1.5)) is None


def test_the_seed_decides_every_digit():
    moves = [
        Rattle(2),
        Strain(2),
        DisplaceIon(2),
        MoveFragment((0, 1), 2),
        Dynamics((300.0,), 2, stride=3),
    ]
    atoms = bulk("Cu", cubic=True)

    def positions(seed, moves):
        found = sample_structures([atoms], moves, seed=seed, calculator=EMT()).frames
        return np.array([each.positions for each in found])

    assert np.array_equal(positions(1, moves), positions(1, moves))
    assert not np.array_equal(positions(1, moves)[1], positions(2, moves)[1])


def test_farthest_points_find_the_outlier_and_cover_the_rest():
    line = np.array([[0.0], [0.1], [0.2], [0.3], [10.0]])
    # The point next to the mean (2.12) is 0.3; then the far one; then the other end.
    assert farthest_points(line, 3) == [3, 4, 0]
    assert farthest_points(line, 2, known=np.array([[9.9]])) == [0, 3]
    # Copies are worth nothing.
    assert farthest_points(np.zeros((4, 2)), 3) == [0]


def test_features_of_a_model_tell_the_odd_structure(random_model):
    model = random_model()
    frames = []
    for seed in range(8):
        atoms = molecule("H2O")
        atoms.rattle(0.02, seed=seed)
        frames.append(atoms)
    frames[5].positions[1] += (0.0, 0.8, -0.6)
    features = structure_features(frames, model)
    assert farthest_points(features, 2)[1] == 5
    # What a model sees does not depend on where atoms stand in the list, or which way they look.
    turned = frames[0][[2, 0, 1]]
    turned.rotate(40, (1, 2, 3))
    np.testing.assert_allclose(structure_features([turned], model)[0], features[0], atol=1e-5)


class FittedPair(Calculator):
    """Force of a dimer as a polynomial, fitted to noisy distances between 2.2 and 3 Å."""

    implemented_properties = ("energy", "forces")

    def __init__(self, seed):
        super().__init__()
        rng = np.random.default_rng(seed)
        r = rng.uniform(2.2, 3.0, 12)
        labels = 4 * np.exp(-2 * (r - 2.5)) - 4 + rng.normal(0, 0.01, r.size)
        self.fit = np.polynomial.Polynomial.fit(r, labels, 3)

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        d = atoms.positions[1] - atoms.positions[0]
        force = self.fit(np.linalg.norm(d)) * d / np.linalg.norm(d)
        self.results = {"energy": 0.0, "forces": np.array([-force, force])}


def test_a_committee_disputes_the_structure_far_from_its_training():
    committee = [FittedPair(seed) for seed in range(4)]
    distances = [2.3, 2.5, 4.5, 2.7, 2.9, 1.8]
    frames = [Atoms("Cu2", [(0, 0, 0), (0, 0, d)]) for d in distances]
    assert set(select_by_disagreement(frames, committee, 2)) == {2, 5}
    forces = [each.fit(2.5) for each in committee]
    assert disagreements(frames, committee)[1] == pytest.approx(np.std(forces, ddof=1), rel=1e-12)
    with pytest.raises(ValueError, match="at least 2"):
        select_by_disagreement(frames, committee[:1], 1)


def test_a_recipe_reads_as_it_is_written_and_refuses_what_it_does_not_know():
    given = {
        "seed": 3,
        "moves": [{"kind": "strain", "volume": [0.9, 1.1]}, {"kind": "rattle", "stdev_A": 0.2}],
    }
    recipe = from_mapping(SamplingRecipe, given)
    assert recipe.moves == (Strain(volume=(0.9, 1.1)), Rattle(stdev_A=0.2))
    assert from_mapping(SamplingRecipe, asdict(recipe)) == recipe
    for wrong, message in {
        "shake": r"`moves\[0\]`: unknown kind 'shake'; known are rattle, strain",
        "ratle": "did you mean `rattle`",
        None: r"`moves\[0\]`: `kind` is missing; known are rattle",
    }.items():
        with pytest.raises(ValueError, match=message):
            from_mapping(SamplingRecipe, {"moves": [{"kind": wrong} if wrong else {}]})
    with pytest.raises(
        ValueError, match=r"`moves\[0\]\.stdev`: unknown key \(did you mean `stdev_A`"
    ):
        from_mapping(SamplingRecipe, {"moves": [{"kind": "rattle", "stdev": 0.2}]})


def test_the_command_samples_labels_and_goes_on_with_the_same_samples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bulk("Cu", cubic=True).write("start.xyz")
    recipe = {
        "moves": [
            {"kind": "dynamics", "temperatures_K": [300], "structures": 2, "stride": 2},
            {"kind": "strain", "structures": 3},
        ],
        "calculator": {"engine": "emt"},
    }
    Path("recipe.yml").write_text(yaml.safe_dump(recipe))
    command = ["label", "start.xyz", "--sample", "recipe.yml", "--quiet"]
    run(command)
    assert not Path("labeled.extxyz").exists()
    sampled = Path("labeled-sampled.extxyz").read_bytes()
    run([*command, "--engine", "emt", "--resume"])
    assert Path("labeled-sampled.extxyz").read_bytes() == sampled
    found = read("labeled.extxyz", ":")
    assert [each.info["sampled"] for each in found] == ["start"] + ["dynamics"] * 2 + ["strain"] * 3
    for each in found:
        each.calc = EMT()
        assert each.info["REF_energy"] == each.get_potential_energy()


def run(arguments: list[str]) -> None:
    try:
        main(arguments)
    except SystemExit as end:
        assert not end.code


def test_repeated_structures_have_their_whole_charge_along_periodic_directions():
    slab = Atoms("Na", cell=[4, 4, 20], pbc=[True, True, False], info={"charge": 1, "kept": "yes"})
    made = repeated(slab, (2, 3, 5))
    assert len(made) == 6
    assert made.cell.lengths().tolist() == [8, 12, 20]
    assert made.info == {"charge": 6, "kept": "yes"}
    assert repeated(Atoms("Na", info={"charge": 1}), (2, 2, 2)).info["charge"] == 1
