"""Committees: means, spreads, files and calibration."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule
from ase.io import read

from ase_les import (
    Committee,
    LESCalculator,
    load_model,
    model_hash,
    save_committee,
    save_model,
)
from ase_les.cli import main
from ase_les.committee import CommitteeEngine, committee_hash, last_layers
from ase_les.configuration import read_yaml
from ase_les.model_io import load_single_model
from ase_les.reading.extended_xyz import write_labeled
from ase_les.reading.labels import LabelNames
from ase_les.reports import dynamics as report
from ase_les.simulation import run_dynamics
from ase_les.training.learning.calibration import (
    Calibration,
    CommitteeComparison,
    Reliability,
    compare_committee,
)
from ase_les.training.learning.dataset import labeled
from ase_les.training.learning.last_layers import last_layer_committee

SPLIT = {"neutrality": "split", "scale": 1.0}


def water(n: int = 2, pbc: bool = True) -> Atoms:
    rng = np.random.default_rng(3)
    atoms = Atoms()
    for corner in range(n):
        one = molecule("H2O")
        one.positions += rng.normal(0, 0.05, (3, 3))
        one.translate([3.1 * corner, 0.2 * corner, 0])
        atoms += one
    atoms.set_cell([3.1 * n, 5.0, 5.0])
    atoms.pbc = pbc
    return atoms


def changed(model, which, seed):
    member, rng = copy.deepcopy(model), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in member.named_parameters():
            if which(name):
                weight.mul_(1 + 0.05 * torch.randn(weight.shape, generator=rng))
    return member


@pytest.fixture
def members(random_model):
    """Three models with different cutoffs, two of them with the same representation."""
    first = random_model(charges=SPLIT)
    readout = changed(first, lambda name: not name.startswith("representation."), 1)
    return [first, readout, random_model(charges=SPLIT, seed=5, cutoff=4.0)]


@pytest.fixture
def last_layer_members(random_model):
    first = random_model(charges=SPLIT)
    linear = last_layers(first)
    return [changed(first, lambda name: name in linear, seed) for seed in range(3)]


NAMES = (
    *("energy", "forces", "stress", "energies", "charges"),
    *("polarization", "born_effective_charges"),
)


@pytest.mark.parametrize("field", [(0, 0, 0), (0.02, 0, 0.01)], ids=["plain", "field"])
def test_results_are_means_and_spreads_of_separate_models(members, field):
    atoms, settings = water(), {"dtype": "float64", "field_V_per_A": field, "dielectric": 1.8}
    calculator = LESCalculator(members, **settings)
    for name in NAMES:
        each = [LESCalculator(m, **settings).get_property(name, atoms) for m in members]
        found = calculator.get_property(name, atoms)
        np.testing.assert_allclose(found, np.mean(each, axis=0), atol=1e-9)
        spread = calculator.get_property(f"{name}_std", atoms)
        np.testing.assert_allclose(spread, np.std(each, axis=0, ddof=1), atol=1e-9)
        assert np.max(spread) > 1e-6


def test_getters_return_means(members):
    atoms = water()
    atoms.set_velocities(np.random.default_rng(0).normal(size=(len(atoms), 3)))
    calculator = LESCalculator(members, dtype="float64")
    for name in ("get_current", "get_cell_dipole", "get_local_charges", "get_latent_charges"):
        each = [getattr(LESCalculator(m, dtype="float64"), name)(atoms) for m in members]
        np.testing.assert_allclose(getattr(calculator, name)(atoms), np.mean(each, axis=0))
    potential, field = calculator.get_potential_and_field(atoms)
    each = [LESCalculator(m, dtype="float64").get_potential_and_field(atoms)[0] for m in members]
    np.testing.assert_allclose(potential, np.mean(each, axis=0))
    assert field.shape == (len(atoms), 3)


def test_forces_of_last_layers_are_those_of_the_mean_model(last_layer_members):
    atoms = water()
    committee = Committee(last_layer_members)
    central = LESCalculator(committee.central, dtype="float64")
    calculator = LESCalculator(committee, dtype="float64")
    # The signs of charges are compared once.
    calculator.get_potential_energy(water(3))
    np.testing.assert_allclose(calculator.get_forces(atoms), central.get_forces(atoms), atol=1e-12)
    assert "forces_std" not in calculator.results
    spread = calculator.get_property("forces_std", atoms)
    each = [LESCalculator(m, dtype="float64").get_forces(atoms) for m in last_layer_members]
    np.testing.assert_allclose(spread, np.std(each, axis=0, ddof=1), atol=1e-10)
    # The request has not moved the forces to another definition.
    assert np.array_equal(calculator.results["forces"], calculator.get_forces(atoms))
    charges = [LESCalculator(m, dtype="float64").get_charges(atoms) for m in last_layer_members]
    np.testing.assert_allclose(calculator.get_charges(atoms), np.mean(charges, axis=0), atol=1e-12)


def test_members_of_different_hidden_layers_have_no_mean_model(members):
    assert Committee(members).central is None


def test_a_file_gives_the_same_results_and_stores_equal_weights_once(last_layer_members, tmp_path):
    path, single = tmp_path / "committee.safetensors", tmp_path / "one.safetensors"
    save_committee(path, last_layer_members)
    save_model(single, last_layer_members[0])
    atoms = water()
    given, read = LESCalculator(last_layer_members), LESCalculator(path)
    assert np.array_equal(given.get_forces(atoms), read.get_forces(atoms))
    assert given.model_hash == read.model_hash
    assert isinstance(load_model(path), Committee)
    # Three copies would be three times as large.
    assert path.stat().st_size < 2 * single.stat().st_size
    copied = pickle.loads(pickle.dumps(read))
    assert np.array_equal(
        copied.get_property("forces_std", atoms), read.get_property("forces_std", atoms)
    )


def test_the_card_of_a_committee_has_the_strictest_limits_of_its_members(members):
    common = {
        "data": {"name": "A"},
        "dielectric": 2.0,
        "test_errors": {"forces_rmse_meV_per_A": 20.0},
        "hash": "0",
    }
    members[0].card = {
        "summary": "one",
        "limits": "no water",
        "closest_contact_A": 0.9,
        "closest_contacts_A": {"H-O": 0.9, "O-O": 2.5},
        "largest_force_eV_per_A": 3.0,
        "periodic_directions": [0, 3],
        "named_limits": {"slabs": "bulk only", "temperatures_K": [0, 400]},
        "charges": {"mean_by_element_e": {"H": 0.4, "O": -0.8}, "sign": "fixed"},
        **common,
    }
    members[1].card = {
        "summary": "other",
        "limits": "no ions",
        "closest_contact_A": 0.8,
        "closest_contacts_A": {"H-O": 0.95, "O-O": 2.4, "H-H": 1.5},
        "largest_force_eV_per_A": 5.0,
        "periodic_directions": [3],
        "named_limits": {"temperatures_K": [100, 500]},
        "charges": {"mean_by_element_e": {"H": 0.5, "O": -1.0}, "sign": "fixed"},
        **common,
    }
    found = Committee(members[:2]).card
    assert found.pop("members") == [model_hash(member) for member in members[:2]]
    assert found == {
        "data": {"name": "A"},
        "dielectric": 2.0,
        "limits": "no water; no ions",
        "closest_contact_A": 0.8,
        "closest_contacts_A": {"H-H": 1.5, "H-O": 0.9, "O-O": 2.4},
        "largest_force_eV_per_A": 5.0,
        "periodic_directions": [3],
        "named_limits": {"slabs": "bulk only", "temperatures_K": [100, 400]},
        "charges": {"mean_by_element_e": {"H": 0.45, "O": -0.9}, "sign": "fixed"},
    }


def test_the_scale_of_the_card_multiplies_the_spread(members, tmp_path):
    path, atoms = tmp_path / "committee.safetensors", water()
    plain = LESCalculator(members)
    save_committee(path, members, {"calibration": {"energy_scale": 2.0, "forces_scale": 3.0}})
    scaled = LESCalculator(path)
    for name, factor in (("energy", 2.0), ("forces", 3.0), ("stress", 3.0), ("charges", 1.0)):
        np.testing.assert_allclose(
            scaled.get_property(f"{name}_std", atoms),
            factor * plain.get_property(f"{name}_std", atoms),
            rtol=1e-6,
        )
    assert scaled.model_hash != plain.model_hash


def test_members_must_be_alike(random_model, tmp_path):
    model = random_model(charges=SPLIT)
    with pytest.raises(ValueError, match="at least 2 models, got 1"):
        LESCalculator([model])
    with pytest.raises(ValueError, match="charges per atom"):
        LESCalculator([model, random_model(long_range=False)])
    path = tmp_path / "committee.safetensors"
    save_committee(path, [model, random_model(charges=SPLIT, seed=1)])
    with pytest.raises(ValueError, match="a committee of 2 models, where one model is needed"):
        load_single_model(path)


def test_charges_of_opposite_sign_are_told(random_model):
    model = random_model(charges=SPLIT)
    opposite = copy.deepcopy(model)
    opposite.latent_electrostatics.charges.flip_sign()
    with pytest.warns(UserWarning, match=r"members \[2\] of the committee"):
        LESCalculator([model, model, opposite]).get_forces(water())


def test_the_scale_of_known_errors_is_recovered():
    rng = np.random.default_rng(0)
    spread = np.exp(rng.normal(0, 1, 4000))
    error = np.abs(rng.normal(0, 2.5 * spread))
    found = CommitteeComparison(None, spread, error, spread, error).calibration()
    assert found.forces_scale == pytest.approx(2.5, rel=0.1)
    assert found.forces.slope == pytest.approx(1.0, abs=0.05)
    np.testing.assert_allclose(found.forces.error / found.forces.spread, 1, rtol=0.3)


def test_a_spread_without_information_has_no_slope():
    rng = np.random.default_rng(0)
    spread, error = np.exp(rng.normal(0, 1, 4000)), np.abs(rng.normal(size=4000))
    assert Reliability.of(spread, error).slope == pytest.approx(0.0, abs=0.05)
    assert Reliability.of(spread[:10], error[:10]) is None
    assert isinstance(CommitteeComparison(None, *[np.zeros(0)] * 4).calibration(), Calibration)


def test_structures_without_labels_of_energies_are_not_evaluated(members, monkeypatch):
    frames = [water(), water(), water()]
    frames[1].info["REF_energy"] = -1.0
    for atoms in (frames[0], frames[2]):
        atoms.info["REF_polarizability"] = np.eye(3).ravel()
    samples = labeled(frames, members[0].config.cutoff, LabelNames())
    evaluated, evaluate = [], CommitteeEngine.evaluate

    def noted(engine, graph, *given, **parts):
        evaluated.append(graph)
        return evaluate(engine, graph, *given, **parts)

    monkeypatch.setattr(CommitteeEngine, "evaluate", noted)
    engine = Committee(members[:2]).for_inference("cpu", "float64")
    found = compare_committee(engine, samples)
    assert len(evaluated) == 1
    assert found.energy_std.shape == (1,)
    assert found.force_std.size == found.comparison.forces.size == 0
    nothing = compare_committee(engine, samples[:1])
    assert nothing.energy_std.size == nothing.comparison.force_elements.size == 0
    assert nothing.calibration().forces_scale is None


def test_command_combines_evaluates_and_calibrates(members, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for number, member in enumerate(members):
        save_model(f"{number}.safetensors", member)
    frames = []
    truth = LESCalculator(members[0])
    for seed in range(6):
        atoms = water()
        atoms.positions += np.random.default_rng(seed).normal(0, 0.05, (len(atoms), 3))
        atoms.info["REF_energy"] = truth.get_potential_energy(atoms)
        atoms.arrays["REF_forces"] = truth.get_forces(atoms)
        frames.append(atoms)
    write_labeled("data.extxyz", frames)
    names = [f"{number}.safetensors" for number in range(3)]
    run("committee", *names, "--output", "c.safetensors")
    with pytest.raises(SystemExit) as ended:
        main(["committee", *names, "--output", "c.safetensors"])
    assert ended.value.code == 2
    command = ["evaluate", "data.extxyz", "--model", "c.safetensors"]
    run(*command, "--calibrate", "--output", "first")
    scale = load_model("c.safetensors").card["calibration"]["forces_scale"]
    calculator = LESCalculator("c.safetensors")
    error = [calculator.get_forces(a) - a.arrays["REF_forces"] for a in frames]
    spread = [calculator.get_property("forces_std", a) for a in frames]
    assert np.sqrt(np.mean(np.square(error))) == pytest.approx(
        np.sqrt(np.mean(np.square(spread))), rel=1e-3
    )
    assert scale > 0
    assert (tmp_path / "first-reliability.png").is_file()
    with pytest.raises(SystemExit):
        main(["evaluate", "data.extxyz", "--model", names[0], "--calibrate"])
    assert "one model" in capsys.readouterr().err
    run("info", "c.safetensors")


def run(*arguments):
    with warnings.catch_warnings(), pytest.raises(SystemExit) as ended:
        warnings.simplefilter("ignore")
        main([*arguments])
    assert ended.value.code == 0


def test_dynamics_records_disagreement_and_stops_above_the_limit(members, tmp_path):
    atoms = water()
    atoms.calc = LESCalculator(members)
    settings = {"temperature_K": 50, "steps": 4, "timestep_fs": 0.1, "alarm_stride": 2}
    settings |= {"observe": {"spread": 2}, "trajectory_stride": 2, "max_force_eV_per_A": 1e3}
    result = run_dynamics(atoms, output=tmp_path / "free", **settings)
    assert result.stopped is None
    largest = result.spread.columns["spread"][:, 2]
    frames = read(tmp_path / "free.traj", ":")
    np.testing.assert_allclose([each.info["largest_force_std"] for each in frames], largest)
    for frame, value in zip(frames, largest, strict=True):
        spread = LESCalculator(members).get_property("forces_std", frame)
        assert np.linalg.norm(spread, axis=1).max() == pytest.approx(value, rel=1e-4)
    report.write(result)
    written = read_yaml(tmp_path / "free-summary.yml")["results"]["spread"]
    assert written["largest_force_std_eV_per_A"] == pytest.approx(largest.max())
    limit = 0.5 * float(largest.min())
    with pytest.raises(ValueError, match="the committee disagrees about the force on atom"):
        run_dynamics(atoms, output=tmp_path / "x", max_force_std_eV_per_A=limit, **settings)
    atoms.calc = LESCalculator(members[0])
    with pytest.raises(ValueError, match="needs a committee"):
        run_dynamics(atoms, output=tmp_path / "x", max_force_std_eV_per_A=limit, temperature_K=9)


def test_last_layers_vary_where_the_data_leave_them_open(random_model):
    """Spread is small on the structures of the regression, and larger away from them."""
    model = random_model(charges=SPLIT)
    frames = [water() for _ in range(4)]
    for seed, atoms in enumerate(frames):
        atoms.positions += np.random.default_rng(seed).normal(0, 0.02, (len(atoms), 3))
        atoms.info["REF_energy"] = LESCalculator(model).get_potential_energy(atoms) + 0.01 * seed
        atoms.arrays["REF_forces"] = LESCalculator(model).get_forces(atoms) + 0.01
    samples = labeled(frames, model.config.cutoff, LabelNames())
    committee = last_layer_committee(model, samples, 8, projections=30, regularization=1e-6)
    for name, weight in committee.central.named_parameters():
        torch.testing.assert_close(weight, dict(model.named_parameters())[name])
    calculator = LESCalculator(committee, dtype="float64")
    far = water()
    far.positions += np.random.default_rng(9).normal(0, 0.3, (len(far), 3))
    near, away = (
        np.sqrt(np.mean(np.square(calculator.get_property("forces_std", atoms))))
        for atoms in (frames[0], far)
    )
    assert away > 10 * near > 0
    assert calculator.get_property("charges_std", far).max() > 0
    again = last_layer_committee(model, samples, 8, projections=30, regularization=1e-6)
    assert committee_hash(again) == committee_hash(committee)
    with pytest.raises(ValueError, match="no structures"):
        last_layer_committee(model, [])
