"""The model as a whole: what it is made of, what it covers, what it says of atoms far apart."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, molecule

from ase_les.graph import batch, graph_from_atoms
from ase_les.model import LESModel, LongRangeConfig, ModelConfig
from ase_les.neighbors import NeighborList
from ase_les.representation import CaceConfig
from ase_les.testing import example_structures
from ase_les.units import COULOMB_CONSTANT


def predict(model: LESModel, *atoms_list: Atoms):
    neighbors = (NeighborList(model.config.cutoff) for _ in atoms_list)
    graphs = [graph_from_atoms(*pair) for pair in zip(atoms_list, neighbors, strict=True)]
    with torch.no_grad():
        return model(batch(graphs))


def pair_of_dimers(separation: float) -> Atoms:
    one = np.array([[0, 0, 0], [0.3, 0.9, 0.1]])
    return Atoms("OHOH", np.vstack([one, one + np.array([separation, 0, 0])]))


def test_the_energy_is_the_sum_of_its_parts(random_model):
    model = random_model().double()
    structures = example_structures(model)
    prediction = predict(model, *structures)
    first = 0
    for index, atoms in enumerate(structures):
        last = first + len(atoms)
        parts = prediction.short_range[first:last].sum() + prediction.long_range[index]
        assert prediction.energy[index].item() == pytest.approx(parts.item(), abs=1e-9)
        first = last
    assert torch.isfinite(prediction.energy).all()


@pytest.mark.parametrize("neutrality", ["none", "split"])
def test_far_parts_interact_by_coulombs_law_alone(random_model, neutrality):
    model = random_model(charges={"neutrality": neutrality}).double()
    alone = predict(model, pair_of_dimers(8.0)[:2])
    for separation in (8.0, 20.0, 100.0):
        atoms = pair_of_dimers(separation)
        together = predict(model, atoms)
        q = alone.charges.squeeze(1).numpy()
        assert np.allclose(together.charges.squeeze(1), np.tile(q, 2), rtol=0, atol=1e-12)
        distances = atoms.get_all_distances()[:2, 2:]
        coulomb = COULOMB_CONSTANT * np.sum(np.outer(q, q) / distances)
        interaction = together.energy.item() - 2 * alone.energy.item()
        assert interaction == pytest.approx(coulomb, abs=1e-9)


@pytest.mark.parametrize("layers", [(), (("memory", "radial", "invariant"),)])
def test_two_molecules_30_A_apart_keep_the_charges_each_has_alone(random_model, layers):
    model = random_model(layers=layers, charges={"neutrality": "split"}).double()
    water, ion = molecule("H2O"), molecule("OH")
    ion.rattle(0.1, seed=1)
    ion.translate((30.0, 3.0, -2.0))
    both = predict(model, water + ion)
    parts = [predict(model, atoms) for atoms in (water, ion)]
    charges = torch.cat([part.charges for part in parts])
    assert charges.abs().min() > 1e-3
    assert torch.allclose(both.charges, charges, rtol=0, atol=1e-12)
    q = charges.squeeze(1).numpy()
    distances = (water + ion).get_all_distances()[:3, 3:]
    coulomb = COULOMB_CONSTANT * np.sum(np.outer(q[:3], q[3:]) / distances)
    interaction = both.energy.item() - sum(part.energy.item() for part in parts)
    assert interaction == pytest.approx(coulomb, abs=1e-11)


def test_charge_states_of_one_molecule_differ_in_energy_and_charges(random_model):
    model = random_model(total_charges=(-1, 0, 1)).double()
    energies, charges = [], []
    for state in (-1, 0, 1):
        atoms = molecule("H2O")
        atoms.info["charge"] = state
        prediction = predict(model, atoms)
        assert prediction.charges.sum().item() == pytest.approx(state, abs=1e-12)
        energies.append(prediction.energy.item())
        charges.append(prediction.charges.squeeze(1).numpy())
    assert np.ptp(energies) > 0.1
    # More than the extra charge moves: the network knows the state.
    assert np.abs(charges[2] + charges[0] - 2 * charges[1]).max() > 1e-3


def test_without_electrostatics_far_parts_do_not_interact(random_model):
    model = random_model(long_range=False).double()
    near, far = predict(model, pair_of_dimers(8.0)), predict(model, pair_of_dimers(50.0))
    assert near.energy.item() == pytest.approx(far.energy.item(), abs=1e-10)
    assert near.charges.shape == (4, 0)
    assert (near.long_range == 0).all()


@pytest.mark.parametrize("neutrality", ["none", "mean", "split"])
def test_eight_cells_have_eight_times_the_energy(random_model, neutrality):
    model = random_model(charges={"neutrality": neutrality}).double()
    crystal = bulk("NaO", "rocksalt", a=4.6)
    crystal.rattle(0.1, seed=0)
    one, eight = predict(model, crystal), predict(model, crystal.repeat(2))
    assert eight.energy.item() == pytest.approx(8 * one.energy.item(), abs=1e-8)


def test_a_lone_atom_has_an_energy_anywhere(random_model):
    model = random_model(layers=(("memory", "radial", "invariant"),)).double()
    here, there = (
        predict(model, Atoms("O", [position])) for position in ([0, 0, 0], [3.0, -7.0, 1e3])
    )
    assert torch.isfinite(here.energy).all()
    assert here.energy.item() == there.energy.item()


def test_one_atom_in_a_periodic_cell_has_an_energy(random_model):
    model = random_model().double()
    for edge in (2.0, 3.0, 30.0):
        assert torch.isfinite(predict(model, Atoms("O", cell=[edge] * 3, pbc=True)).energy).all()


def test_atomic_energies_are_exact_in_any_precision():
    atomic = {"O": -2041.8396123456789, "H": -13.123456789012345}
    models = [
        LESModel(ModelConfig(energies, CaceConfig(3.0)), seed=0)
        for energies in (atomic, dict.fromkeys(atomic, 0.0))
    ]
    atoms = Atoms("OHH", [[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    difference = predict(models[0], atoms).energy - predict(models[1], atoms).energy
    assert difference.item() == pytest.approx(atomic["O"] + 2 * atomic["H"], abs=1e-11)


def test_equal_seeds_give_equal_models_and_leave_the_generator_alone(random_model):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, same, other = (random_model(seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    weights = one.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in same.state_dict().items())
    assert not torch.equal(
        one.short_range.readout.linear.weight, other.short_range.readout.linear.weight
    )


def test_a_config_survives_json(random_model):
    for settings in (
        {},
        {"long_range": False},
        {"layers": (("memory",), ("radial", "invariant")), "total_charges": (-1, 0)},
        {"charge_representation": CaceConfig(4.5), "electrostatics": {"k_cutoff": 3.0}},
        {"core_repulsion": {"cutoff_scale": 0.9}},
    ):
        config = random_model(**settings).config
        assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_unknown_and_missing_entries_of_a_config_are_refused(random_model):
    given = random_model().config.to_dict()
    with pytest.raises(ValueError, match=r"ModelConfig: `color`: unknown key"):
        ModelConfig.from_dict({**given, "color": "red"})
    nested = {**given, "representation": {**given["representation"], "l_maxx": 3}}
    with pytest.raises(
        ValueError, match=r"`representation.l_maxx`: unknown key \(did you mean `l_max`"
    ):
        ModelConfig.from_dict(nested)
    del nested["representation"]["l_maxx"], nested["representation"]["cutoff"]
    with pytest.raises(ValueError, match=r"`representation.cutoff`: missing; needed: number"):
        ModelConfig.from_dict(nested)
    with pytest.raises(ValueError, match=r"`representation`: given None, needed: mapping"):
        ModelConfig.from_dict({**given, "representation": None})
    deeper = {**given, "long_range": {"charges": {"color": "red"}}}
    with pytest.raises(ValueError, match=r"`long_range.charges.color`: unknown key"):
        ModelConfig.from_dict(deeper)
    del given["representation"]
    with pytest.raises(ValueError, match=r"ModelConfig: `representation`: missing"):
        ModelConfig.from_dict(given)


@pytest.mark.parametrize("energies", [{}, {"Xx": 0.0}, {"h": 0.0}])
def test_a_config_needs_elements_that_exist(energies):
    with pytest.raises(ValueError, match=r"`atomic_energies.*needed: (mapping of )?element symbol"):
        ModelConfig(energies, CaceConfig(4.0))


def test_the_cutoff_is_that_of_the_farthest_sighted_part(random_model):
    assert random_model(cutoff=3.5).config.cutoff == 3.5
    assert random_model(charge_representation=CaceConfig(4.5)).config.cutoff == 4.5
    assert random_model(charge_representation=CaceConfig(2.5)).config.cutoff == 3.5


def test_elements_the_model_does_not_cover_are_named(random_model):
    with pytest.raises(ValueError, match=r"covers H, O, Na; the structure also has C, Cl"):
        random_model().check_coverage([8, 17, 6, 1])
    random_model().check_coverage([1, 8, 11, 1])


def test_charge_states_the_model_does_not_know_are_refused(random_model):
    model = random_model(total_charges=(0, 1))
    model.check_coverage([1], 1.0)
    with pytest.raises(ValueError, match=r"total charge \[0, 1\] e, got -1"):
        model.check_coverage([1], -1.0)
    random_model().check_coverage([1], -1.0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_inference_copy_keeps_every_digit_of_the_weights(random_model, rng, dtype):
    model = random_model().double()
    with torch.no_grad():
        for weight in model.parameters():
            weight *= 1 + 1e-3 * rng.normal()
    fast = model.for_inference(dtype=dtype)
    assert fast.precision == getattr(torch, dtype)
    for name, value in model.state_dict().items():
        assert torch.equal(fast.state_dict()[name], value.to(fast.precision))
    assert not any(weight.requires_grad for weight in fast.parameters())
    assert all(weight.requires_grad for weight in model.parameters())


def test_an_unknown_precision_is_refused(random_model):
    with pytest.raises(ValueError, match=r"`dtype` must be one of .* got 'float16'"):
        random_model().for_inference(dtype="float16")


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(device, random_model):
    with pytest.raises(ValueError, match=rf"`device` must be one .* cpu.* got '{device}'"):
        random_model().for_inference(device=device)


def test_a_short_range_model_has_no_electrostatics(random_model):
    model = random_model(long_range=False)
    assert model.long_range is None
    with_charges = random_model().config.long_range
    assert isinstance(with_charges, LongRangeConfig)


def test_standardized_readouts_see_features_of_unit_spread(random_model):
    model = random_model().double()
    neighbors = NeighborList(model.config.cutoff)
    graph = batch(
        [graph_from_atoms(atoms, neighbors) for atoms in example_structures(model, seed=2)]
    )
    model.standardize_features([graph])
    features = model.representation(graph).detach()
    for readout in (model.short_range.readout, model.long_range.charges.readout):
        scaled = features / readout.spread
        largest = features.std(0, correction=0) > features.std()
        spreads = scaled.std(0, correction=0)[largest]
        assert torch.allclose(spreads, torch.ones_like(spreads), atol=2e-3)
        seen = readout.network(scaled) + readout.linear(scaled)
        assert torch.allclose(readout(features), seen, rtol=0, atol=1e-12)
