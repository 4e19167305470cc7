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
    charges = LatentCharges(features.shape[1], ChargesConfig(**settings), (1,), 3.0).double()
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


@pytest.mark.parametrize("neutrality", ["mean", "split"])
def test_charges_of_a_float32_network_sum_in_float64(graph, features, neutrality):
    readout = LatentCharges(6, ChargesConfig(neutrality=neutrality), (1,), 3.0)
    charges = readout(features.float(), graph)
    assert charges.dtype == torch.float64
    sums = sum_per_structure(charges, graph).squeeze(1)
    assert torch.allclose(sums, graph.total_charge, rtol=0, atol=1e-13)


SPLIT = {"neutrality": "split", "scale": 3.0}


def split_charges(atoms, features, total_charge=0.0, elements=(1, 8, 11, 17), **settings):
    """Split charges of one structure within 3 Å, from given features."""
    atoms.info["charge"] = total_charge
    graph = graph_from_atoms(atoms, NeighborList(3.0))
    torch.manual_seed(0)
    config = ChargesConfig(**{**SPLIT, **settings})
    charges = LatentCharges(features.shape[1], config, elements, 3.0).double()
    return charges(features, graph).detach().squeeze(1)


def test_transfers_conserve_the_charge_of_each_structure(graph, features):
    charges = charges_of(graph, features, **SPLIT)
    sums = sum_per_structure(charges, graph).squeeze(1)
    assert charges.abs().max() > 0.1
    assert torch.allclose(sums, graph.total_charge, rtol=0, atol=1e-12)


def test_only_the_first_of_several_split_channels_carries_the_total_charge(graph, features):
    charges = charges_of(graph, features, n_channels=3, **SPLIT)
    sums = sum_per_structure(charges, graph)
    assert torch.allclose(sums[:, 0], graph.total_charge, rtol=0, atol=1e-12)
    assert torch.allclose(sums[:, 1:], torch.zeros(3, 2).double(), rtol=0, atol=1e-12)


def test_what_an_atom_draws_comes_from_its_neighbors_alone(rng):
    features = torch.tensor(rng.normal(size=(4, 6)))
    atoms = Atoms("HOHO", [[0, 0, 0], [1, 0, 0], [2.5, 0, 0], [5.4, 0, 0]])
    before = split_charges(atoms, features)
    features[0] += 1.0
    change = split_charges(atoms, features) - before
    assert (change[:3].abs() > 1e-6).all()
    assert change[3] == 0.0
    assert abs(float(change.sum())) < 1e-14


def test_transfers_vanish_smoothly_at_the_cutoff(rng):
    features = torch.tensor(rng.normal(size=(2, 6)))
    step = 1e-3
    charge = [
        float(split_charges(Atoms("HO", [[0, 0, 0], [3.0 - d, 0, 0]]), features)[0])
        for d in (0.0, step, 2 * step, 1.0)
    ]
    assert charge[0] == 0.0
    # The cutoff function ends with the third power of the distance from the cutoff.
    assert charge[2] / charge[1] == pytest.approx(8, rel=0.02)
    assert abs(charge[3]) > 1e-3


def test_charges_before_training_follow_electronegativity():
    # The saddle point without charges is avoided, on the side chemistry says.
    features = torch.zeros(3, 6).double()
    water = Atoms("OHH", [[0, 0, 0], [0, 0.76, 0.59], [0, -0.76, 0.59]])
    charges = split_charges(water, features)
    assert charges[0] < -0.1
    assert (charges[1:] > 0.05).all()


def test_an_ion_polarizes_what_is_around_it():
    # An O atom between neighbors alike, off center: only a vector tells it where to move charge.
    charges = LatentCharges(6, ChargesConfig(**SPLIT), (2, 8), 3.0).double()
    rule = charges.neutrality
    with torch.no_grad():
        rule.pair_charges.zero_()
        rule.pair_charges[..., 1, 1] = 1.0
    atoms = Atoms("HeOHeHe", [[-2, 0, 0], [0.4, 0, 0], [2, 0, 0], [0.4, 2, 0]])
    graph = graph_from_atoms(atoms, NeighborList(3.0))
    latent = torch.zeros(4, rule.n_numbers(1)).double()
    moment = rule.moments(latent, graph)[1]
    assert abs(moment[2].item()) < 1e-15
    # The vector points to the crowded sides, here weighed by distance: +x and +y.
    assert moment[0].item() > 1e-4
    assert moment[1].item() > 1e-4
    charge = rule(latent, graph)[:, 0].detach()
    assert abs(float(charge.sum())) < 1e-15
    # Moments of all atoms are the dipole of the charges.
    dipole = (charge[:, None] * graph.positions).sum(0)
    assert torch.allclose(rule.moments(latent, graph).sum(0).detach(), dipole, atol=1e-14)


def test_ions_out_of_reach_of_each_other_keep_their_formal_charges(rng):
    features = torch.tensor(rng.normal(size=(2, 6)))
    formal = {"Na": 1.0, "Cl": -1.0}
    ions = Atoms("NaCl", [[0, 0, 0], [8.0, 0, 0]])
    assert split_charges(ions, features, formal_charges=formal).tolist() == [1.0, -1.0]
    ion = Atoms("Na", [[0, 0, 0]])
    charge = split_charges(ion, features[:1], total_charge=1.0, formal_charges=formal)
    assert charge.tolist() == [1.0]


def test_ions_in_touch_begin_with_their_formal_charges():
    # They have what a bond moves already.
    features = torch.zeros(3, 6).double()
    ions = Atoms("NaClH", [[0, 0, 0], [2.4, 0, 0], [2.4, 1.3, 0]])
    formal = {"Na": 1.0, "Cl": -1.0}
    sodium, chlorine, hydrogen = split_charges(ions, features, formal_charges=formal).tolist()
    assert sodium == pytest.approx(1.0, abs=0.05)
    # Hydrogen has no formal charge: its bond moves charge as without.
    assert hydrogen > 0.1
    assert chlorine < -1.1
    assert sodium + chlorine + hydrogen == pytest.approx(0.0, abs=1e-15)


def test_equal_sites_share_an_excess_charge_equally():
    features = torch.ones(2, 6).double()
    sites = Atoms("HH", [[0, 0, 0], [9.0, 0, 0]])
    shares = split_charges(sites, features, total_charge=1.0)
    assert torch.allclose(shares, torch.full((2,), 0.5).double(), rtol=0, atol=1e-15)


def test_an_excess_charge_stays_where_it_is_attracted_most():
    charges = LatentCharges(6, ChargesConfig(**SPLIT), (1,), 3.0).double()
    solvent = [[9.0 * (i + 1), 0, 0] for i in range(50)]
    attracted = []
    for n_solvent in (1, 50):
        atoms = Atoms(f"H{1 + n_solvent}", [[0, 0, 0], *solvent[:n_solvent]], info={"charge": 1})
        graph = graph_from_atoms(atoms, NeighborList(3.0))
        latent = torch.zeros(1 + n_solvent, charges.neutrality.n_numbers(1)).double()
        latent[0, -1] = 40.0
        attracted.append(charges.neutrality(latent, graph)[0].item())
    assert attracted == pytest.approx([1.0, 1.0], abs=1e-14)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"n_channels": 0}, "`n_channels`: given 0, needed: whole number ≥ 1"),
        ({"formal_charges": {"Xx": 1}}, "`formal_charges.Xx`: given 'Xx', needed: element symbol"),
        ({"formal_charges": {"Na": 1}, "neutrality": "mean"}, "belong to neutrality 'split'"),
        ({"neutrality": "magic"}, "`neutrality`: given 'magic', needed: one of"),
    ],
)
def test_impossible_settings_are_refused(setting, message):
    with pytest.raises(ValueError, match=message):
        ChargesConfig(**setting)
