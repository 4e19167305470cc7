"""Latent charges: their sum, their reach, their precision."""

from __future__ import annotations

import pytest
import torch
from ase import Atoms

from ase_les.charges import ChargesConfig, LatentCharges
from ase_les.graph import batch, graph_from_atoms, sum_per_structure
from ase_les.neighbors import NeighborList


@pytest.fixture
def graph(rng):
    structures = []
    for size, charge in ((3, 0), (1, 1), (5, -2)):
        atoms = Atoms(f"H{size}", rng.uniform(0, 4, (size, 3)), info={"charge": charge})
        structures.append(graph_from_atoms(atoms, NeighborList(3.0)))
    return batch(structures)


def charges_of(graph, features, **settings) -> torch.Tensor:
    torch.manual_seed(0)
    charges = LatentCharges(features.shape[1], ChargesConfig(**settings)).double()
    return charges(features, graph).detach()


@pytest.fixture
def features(graph, rng):
    return torch.tensor(rng.normal(size=(graph.n_atoms, 6)))


def test_shifted_charges_sum_to_the_total_charge_of_each_structure(graph, features):
    charges = charges_of(graph, features, neutrality="mean", scale=3.0)
    sums = sum_per_structure(charges, graph).squeeze(1)
    assert torch.allclose(sums, graph.total_charge, rtol=0, atol=1e-13)


def test_only_the_first_channel_carries_the_total_charge(graph, features):
    charges = charges_of(graph, features, neutrality="mean", n_channels=3, scale=3.0)
    sums = sum_per_structure(charges, graph)
    assert torch.allclose(sums[:, 0], graph.total_charge, rtol=0, atol=1e-13)
    assert torch.allclose(sums[:, 1:], torch.zeros(3, 2).double(), rtol=0, atol=1e-13)


def test_the_shift_is_the_same_for_all_atoms_of_a_structure(graph, features):
    free = charges_of(graph, features, neutrality="none")
    shift = charges_of(graph, features, neutrality="mean") - free
    for index in range(graph.n_structures):
        mine = shift[graph.structure == index]
        assert torch.allclose(mine, mine[:1].expand_as(mine), rtol=0, atol=1e-14)


def test_free_charges_depend_on_their_own_environment_only(graph, features):
    before = charges_of(graph, features, neutrality="none")
    features[0] += 1.0
    after = charges_of(graph, features, neutrality="none")
    assert not torch.equal(after[0], before[0])
    assert torch.allclose(after[1:], before[1:], rtol=0, atol=1e-15)


def test_charges_scale_with_their_unit(graph, features):
    one = charges_of(graph, features, neutrality="none", scale=0.1)
    ten = charges_of(graph, features, neutrality="none", scale=1.0)
    assert torch.allclose(10 * one, ten)


def test_without_bias_an_atom_without_features_has_no_charge(graph, features):
    nothing = torch.zeros_like(features)
    assert (charges_of(graph, nothing, neutrality="none", bias=False) == 0).all()
    assert (charges_of(graph, nothing, neutrality="none", bias=True) != 0).all()


def test_charges_of_a_float32_network_sum_in_float64(graph, features):
    charges = LatentCharges(6, ChargesConfig(neutrality="mean"))(features.float(), graph)
    assert charges.dtype == torch.float64
    sums = sum_per_structure(charges, graph).squeeze(1)
    assert torch.allclose(sums, graph.total_charge, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    "setting, message",
    [
        ({"n_channels": 0}, "`n_channels` must be at least 1, got 0"),
        ({"neutrality": "magic"}, "`neutrality` must be one of .* got 'magic'"),
    ],
)
def test_impossible_settings_are_refused(setting, message):
    with pytest.raises(ValueError, match=message):
        ChargesConfig(**setting)
