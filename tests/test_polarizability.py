"""Polarizabilities of a model: laws, limits with known values, labels and training."""

from __future__ import annotations

import math
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.calculators.calculator import PropertyNotImplementedError
from ase.io import read, write

from ase_les import LESCalculator, load_model
from ase_les.configuration import from_mapping
from ase_les.graph import graph_from_atoms
from ase_les.model import LESModel
from ase_les.model_config import ArchitectureConfig, ModelConfig
from ase_les.model_io import read_model, save_model
from ase_les.neighbors import NeighborList
from ase_les.polarizability import (
    AtomicPolarizabilities,
    PolarizabilityConfig,
    local_polarizability,
    lorentz_polarizability,
    polarizability_of_structures,
)
from ase_les.reading.labels import LabelNames
from ase_les.reports.training import report
from ase_les.representation import MaceConfig
from ase_les.response import atomic_polarizabilities, polarizability
from ase_les.testing.polarizability import polarizability_findings
from ase_les.training.learning.dataset import Sample, labeled
from ase_les.training.learning.initial_model import model_from
from ase_les.training.learning.train import TrainingConfig, train

PARTS = {"channels": 3, "scale": 1.0}


def structures() -> list[Atoms]:
    crystal = bulk("NaO", "rocksalt", a=4.6, cubic=True)
    crystal.rattle(0.1, seed=1)
    return [molecule("H2O"), crystal]


def laws(model: LESModel, atoms: list[Atoms], rng):
    model = model.double()
    return polarizability_findings(model, model.for_inference(dtype="float64"), atoms, rng)


@pytest.mark.parametrize("local_field", ["none", "lorentz"])
def test_a_polarizability_turns_with_the_structure_and_has_exact_derivatives(
    random_model, rng, local_field
):
    model = random_model(polarizability=PARTS | {"local_field": local_field})
    found = laws(model, structures(), rng)
    assert {"polarizability, rotation", "polarizability, dα/dr"} <= {each.law for each in found}
    # The tensor is not a multiple of 1, for which rotations mean nothing.
    alpha = polarizability(model, graph_from_atoms(structures()[0], NeighborList(3.5)))[0]
    assert float((alpha - alpha.trace() / 3 * torch.eye(3)).abs().max().detach()) > 0.01


def test_the_laws_hold_on_features_of_mace(rng):
    config = ModelConfig(
        {"H": 0.0, "O": 0.0},
        MaceConfig(3.5, channels=4, n_radial=4, l_max=2, l_hidden=1, n_layers=2),
        long_range=None,
        polarizability=PolarizabilityConfig(**PARTS),
    )
    assert laws(LESModel(config, seed=0), [molecule("H2O")], rng)


def test_the_laws_notice_tensors_that_do_not_turn(random_model, rng, monkeypatch):
    original = AtomicPolarizabilities.forward

    def along_z(self, graph, features):
        broken = original(self, graph, features).clone()
        broken[:, 2, 2] += 0.01 * features[:, 0]
        return broken

    monkeypatch.setattr(AtomicPolarizabilities, "forward", along_z)
    with pytest.raises(AssertionError, match="rotation"):
        laws(random_model(polarizability=PARTS), [molecule("H2O")], rng)


def test_the_laws_notice_a_derivative_without_its_local_field(random_model, rng, monkeypatch):
    def frozen(atomic, graph, local_field):
        right = polarizability_of_structures(atomic, graph, local_field)
        plain = polarizability_of_structures(atomic, graph, "none")
        return right.detach() + plain - plain.detach()

    place = sys.modules["ase_les.response.polarizability"]
    monkeypatch.setattr(place, "polarizability_of_structures", frozen)
    model = random_model(polarizability=PARTS | {"local_field": "lorentz"})
    with pytest.raises(AssertionError, match="dα/dr"):
        laws(model, structures()[1:], rng)


def test_atoms_out_of_reach_have_the_sum_of_their_isotropic_polarizabilities(random_model):
    model = random_model(polarizability=PARTS).double()
    with torch.no_grad():
        model.polarizability.constants.copy_(torch.tensor([0.4, 1.1, 0.2]))
    neighbors = NeighborList(3.5)
    alone = [
        polarizability(model, graph_from_atoms(Atoms(symbol), neighbors))[0].detach().numpy()
        for symbol in ("O", "Na")
    ]
    apart = Atoms("ONa", [(0, 0, 0), (1.0, 2.0, 9.0)])
    both = polarizability(model, graph_from_atoms(apart, neighbors))[0].detach().numpy()
    np.testing.assert_allclose(both, sum(alone), atol=1e-12)
    for each in alone:
        np.testing.assert_allclose(each, each[0, 0] * np.eye(3), atol=1e-12)
    assert abs(alone[0][0, 0] - alone[1][0, 0]) > 1e-3


def test_a_cubic_crystal_of_independent_atoms_obeys_clausius_mossotti(random_model):
    model = random_model(polarizability=PARTS | {"local_field": "lorentz"}).double()
    with torch.no_grad():
        model.polarizability.constants.fill_(2.0)
    atoms = bulk("Na", "sc", a=5.0)
    graph = graph_from_atoms(atoms, NeighborList(3.5))
    local = float(atomic_polarizabilities(model, graph)[0, 0, 0].detach())
    epsilon = 1 + 4 * math.pi * float(polarizability(model, graph)[0, 0, 0].detach()) / 125.0
    assert (epsilon - 1) / (epsilon + 2) == pytest.approx(4 * math.pi * local / (3 * 125.0))
    assert epsilon - 1 > 1.05 * 4 * math.pi * local / 125.0


def test_the_local_polarizability_is_the_inverse_of_the_screened_one(rng):
    local = rng.normal(size=(3, 3))
    local = torch.tensor(local + local.T + 8 * np.eye(3))
    screened = lorentz_polarizability(local, 200.0)
    torch.testing.assert_close(local_polarizability(screened, 200.0), local)


# Cell length (Å), α and ε∞ of frames 1, 2 and 4 of bulk water in lab-cosmo/SA-GPR,
# example/water_bulk/{cell,alpha,epsilon}_1000.in, diagonal elements.
PUBLISHED = [
    (9.67446, (44.6509465746, 43.3603881834, 44.4678410713), (1.91562225, 1.88144886, 1.91080322)),
    (10.25055, (44.4182013382, 45.3935720149, 44.4768895263), (1.72930997, 1.74945301, 1.73062087)),
    (10.08227, (44.701673875, 45.3033144626, 45.7480052257), (1.78235904, 1.79565400, 1.80556253)),
]


@pytest.mark.parametrize(("length", "alpha", "epsilon"), PUBLISHED)
def test_published_labels_of_water_are_molar_refractions_in_atomic_units(length, alpha, epsilon):
    """V/N (ε∞ − 1)/(ε∞ + 2), not polarizabilities: the unit that the models use."""
    atoms = Atoms("O", [(0, 0, 0)], cell=3 * [length], pbc=True)
    atoms.info["REF_polarizability"] = np.diag(alpha).ravel()
    names = from_mapping(
        LabelNames,
        {"polarizability_unit_A3": 1.132063, "polarizability_kind": "clausius-mossotti"},
    )
    label = labeled([atoms], 3.0, names)[0].polarizability[0]
    found = 1 + 4 * np.pi * np.diag(label.numpy()) / length**3
    np.testing.assert_allclose(found, epsilon, atol=2e-3)


def test_a_calculator_offers_the_polarizability_and_the_rest_is_unchanged(random_model, tmp_path):
    config = random_model().config
    plain = LESModel(config, seed=3)
    more = LESModel(replace(config, polarizability=PolarizabilityConfig(**PARTS)), seed=3)
    atoms = structures()[1]
    atoms.calc = LESCalculator(more, dtype="float64", dielectric=1.0)
    other = LESCalculator(plain, dtype="float64", dielectric=1.0)
    assert atoms.get_potential_energy() == other.get_potential_energy(atoms)
    assert (atoms.get_forces() == other.get_forces(atoms)).all()
    alpha = atoms.calc.get_property("polarizability", atoms)
    assert alpha.shape == (3, 3)
    np.testing.assert_allclose(atoms.calc.get_atomic_polarizabilities().sum(0), alpha, atol=1e-12)
    epsilon = atoms.calc.get_learned_dielectric_tensor(atoms)
    np.testing.assert_allclose(epsilon, np.eye(3) + 4 * np.pi * alpha / atoms.cell.volume)
    # Results with a tensor can be written as any others.
    atoms.get_potential_energy()
    atoms.calc.get_property("polarizability", atoms)
    for name in ("a.xyz", "a.traj"):
        write(tmp_path / name, atoms)
        assert len(read(tmp_path / name)) == len(atoms)
    assert "polarizability" not in other.implemented_properties
    with pytest.raises(PropertyNotImplementedError, match="no polarizability"):
        other.get_polarizability(atoms)
    with pytest.raises(PropertyNotImplementedError, match="three periodic directions"):
        atoms.calc.get_learned_dielectric_tensor(molecule("H2O"))


def test_the_rate_is_the_change_along_the_motion(random_model, rng):
    atoms = molecule("H2O")
    atoms.calc = LESCalculator(random_model(polarizability=PARTS), dtype="float64")
    velocities = rng.normal(size=(3, 3))
    atoms.set_velocities(velocities / units.fs)
    rate = atoms.calc.get_polarizability_rate(atoms)
    values = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.positions += sign * 1e-4 * velocities
        values.append(atoms.calc.get_polarizability(moved))
    np.testing.assert_allclose(rate, (values[0] - values[1]) / 2e-4, atol=1e-6)


def test_files_keep_the_polarizability(random_model, tmp_path):
    model = random_model(polarizability=PARTS)
    save_model(tmp_path / "m.safetensors", model, {})
    again = read_model(tmp_path / "m.safetensors")
    assert again.config == model.config
    graph = graph_from_atoms(molecule("H2O"), NeighborList(3.5))
    assert (polarizability(again, graph) == polarizability(model, graph)).all()


def test_a_cutoff_beyond_the_features_is_refused(random_model):
    with pytest.raises(ValueError, match="longer than that of the features"):
        random_model(polarizability={"cutoff": 5.0})


def bond_polarizability(atoms: Atoms) -> np.ndarray:
    """Σ over bonds of parallel and perpendicular parts that grow with their length."""
    alpha = np.zeros((3, 3))
    for hydrogen in (1, 2):
        bond = atoms.positions[hydrogen] - atoms.positions[0]
        length = np.linalg.norm(bond)
        outer = np.outer(bond, bond) / length**2
        alpha += (0.8 + 1.2 * (length - 0.97)) * outer + 0.5 * (np.eye(3) - outer)
    return alpha


def labeled_waters(n: int) -> list[Atoms]:
    found = []
    rng = np.random.default_rng(0)
    for _ in range(n):
        atoms = molecule("H2O")
        atoms.positions += rng.normal(scale=0.06, size=(3, 3))
        atoms.rotate(rng.uniform(0, 360), rng.normal(size=3))
        atoms.info["REF_polarizability"] = bond_polarizability(atoms).ravel()
        found.append(atoms)
    return found


@pytest.mark.slow
def test_a_polarizability_is_added_to_a_trained_model(random_model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    start = random_model()
    save_model("start.safetensors", start, {"summary": "kept", "dielectric": 1.78})
    write("data.extxyz", labeled_waters(60))
    settings = {
        "data": {"training": ["data.extxyz"], "validation": 0.1, "test": 0.2},
        "start": "start.safetensors",
        "model": {"polarizability": {"channels": 4, "hidden": [8], "scale": 0.3}},
        "fit": {
            "epochs": 60,
            "batch_size": 6,
            "learning_rate": 0.01,
            "loss": {"energy": 0.0, "forces": 0.0, "polarizability": 100.0},
            "final_loss": {"energy": 0.0, "forces": 0.0, "polarizability": 100.0},
            "freeze": ["representation", "short_range", "long_range"],
            "average_decay": 0.9,
        },
    }
    result = train(from_mapping(TrainingConfig, settings))
    found = result.card["polarizability"]["test_response"]
    assert found["anisotropic_polarizability_A3"]["R2"] > 0.95
    assert found["isotropic_polarizability_A3"]["R2"] > 0.95
    assert result.card["summary"] == "kept"
    model = load_model("model.safetensors")
    before, after = start.state_dict(), model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert set(after) > set(before)


def architecture_of(model: LESModel) -> ArchitectureConfig:
    parts = {name: getattr(model.config, name) for name in vars(ArchitectureConfig())}
    return ArchitectureConfig(**parts)


def samples_for(model: LESModel) -> list[Sample]:
    frames = structures()
    for atoms in frames:
        atoms.info["REF_energy"] = sum(model.config.atomic_energies[s] for s in atoms.symbols)
    return labeled(frames, model.config.cutoff, LabelNames())


def test_added_charges_leave_the_polarizability_as_it_is(random_model):
    known = random_model(long_range=False, polarizability=PARTS).double()
    samples = samples_for(known)
    known.standardize_features([sample.graph for sample in samples[:1]])
    more = model_from(known, architecture_of(random_model(polarizability=PARTS)), samples)
    assert more.long_range is not None
    graph = graph_from_atoms(structures()[1], NeighborList(3.5))
    assert torch.equal(polarizability(more, graph), polarizability(known, graph))


def test_features_of_an_added_part_have_the_spread_of_the_trained_representation(random_model):
    known = random_model(seed=5)
    samples = samples_for(known)
    more = model_from(known, architecture_of(random_model(polarizability=PARTS)), samples)
    found = more.polarizability.readout.spread.clone()
    more.standardize_features([sample.graph for sample in samples])
    assert torch.equal(found, more.polarizability.readout.spread)


@pytest.mark.slow
def test_the_report_on_an_added_polarizability_is_of_its_own_training(
    random_model, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    # A card without an entry of a training.
    save_model("start.safetensors", random_model(), {"data": {"name": "data of the energies"}})
    frames = labeled_waters(5)
    # In a batch of its own this structure has a constant loss.
    del frames[0].info["REF_polarizability"]
    frames[0].info["REF_energy"] = -1.0
    write("training.extxyz", frames[:4])
    write("validation.extxyz", frames[4:])
    loss = {"energy": 0.0, "forces": 0.0, "polarizability": 1.0}
    settings = {
        "data": {"training": ["training.extxyz"], "validation": "validation.extxyz"},
        "start": "start.safetensors",
        "model": {"polarizability": {"channels": 2, "hidden": []}},
        "fit": {
            "epochs": 2,
            "batch_size": 1,
            "validate_every": 1,
            "loss": loss,
            "final_loss": loss,
            "freeze": ["representation", "short_range", "long_range"],
        },
        "card": {"data": {"name": "data of the polarizabilities"}},
    }
    result = train(from_mapping(TrainingConfig, settings))
    facts = report(result).facts
    assert facts["data"] == "data of the polarizabilities"
    assert facts["training"].startswith("2 epochs, best ")
    assert "threads" not in facts["training"]
    assert set(facts["elements"].split(", ")) == set(result.model.config.atomic_energies)
    table = np.genfromtxt(result.files.learning_table, delimiter=",", names=True)
    errors = [record.polarizability_rmse for record in result.fit.history]
    found = table["validation_polarizability_rmse_mA3_per_atom"]
    assert found == pytest.approx(np.array(errors, float), rel=1e-5)
    assert np.isfinite(found).all()


@pytest.mark.slow
def test_a_polarizability_is_trained_together_with_energies(tmp_path, monkeypatch):
    from ase.calculators.lj import LennardJones

    monkeypatch.chdir(tmp_path)
    frames = labeled_waters(12)
    for atoms in frames[:6]:
        atoms.calc = LennardJones(sigma=0.8, rc=5.0)
        atoms.info["REF_energy"] = atoms.get_potential_energy()
        atoms.arrays["REF_forces"] = atoms.get_forces()
        atoms.calc = None
    write("data.extxyz", frames)
    settings = {
        "data": {"training": ["data.extxyz"], "validation": 0.0},
        "model": {
            "representation": {"cutoff": 3.0, "n_radial": 3, "n_mixed": 2, "n_embedding": 1},
            "long_range": None,
            "polarizability": {"channels": 2},
        },
        "fit": {
            "epochs": 3,
            "loss": {"polarizability": 10.0},
            "final_loss": {"polarizability": 10.0},
        },
    }
    result = train(from_mapping(TrainingConfig, settings))
    curve = [record.training_loss for record in result.fit.history]
    assert curve[-1] < curve[0]
    assert result.errors["training"].forces_rmse_meV_per_A > 0
    assert "test_errors" not in result.card


def test_a_missing_label_of_a_weight_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frames = labeled_waters(4)
    write("data.extxyz", frames)
    settings = {
        "data": {"training": ["data.extxyz"], "validation": 0.0},
        "model": {"representation": {"cutoff": 3.0}, "polarizability": {}},
    }
    with pytest.raises(ValueError, match="the loss has a weight for `energy`"):
        train(from_mapping(TrainingConfig, settings))
