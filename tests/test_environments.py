"""Summary of training environments, and warnings of structures far from them."""

import json
import warnings
from functools import partial

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from ase_les import LESCalculator
from ase_les.calculator.domain_warnings import DomainWarnings, edges_of
from ase_les.environments import (
    Edges,
    Environments,
    closest_contacts,
    coordination_numbers,
    summarize,
)
from ase_les.graph import graph_from_atoms
from ase_les.neighbors import NeighborList

CUTOFF = 5.0


def edges(atoms: Atoms) -> Edges:
    return edges_of(graph_from_atoms(atoms, NeighborList(CUTOFF)))


def salt(seed: int, stdev: float = 0.1, scale: float = 1.0) -> Atoms:
    atoms = bulk("NaCl", "rocksalt", a=5.64 * scale, cubic=True).repeat(2)
    atoms.rattle(stdev, seed=seed)
    return atoms


@pytest.fixture(scope="module")
def known():
    return summarize([edges(salt(seed)) for seed in range(10)], CUTOFF)


def test_coordination_numbers_are_sums_over_neighbors():
    atoms = Atoms("OHH", [(0, 0, 0), (1, 0, 0), (0, 2, 0)])
    found = coordination_numbers(edges(atoms), (1, 8), CUTOFF)
    weights = 1 - np.array([1.0, 2.0]) ** 2 / CUTOFF**2
    np.testing.assert_allclose(found[0], [(weights**2).sum(), 0, (weights**8).sum(), 0])
    far = 1 - 5 / CUTOFF**2
    np.testing.assert_allclose(found[1], [far**2, weights[0] ** 2, far**8, weights[0] ** 8])


def test_blocks_of_edges_change_nothing(monkeypatch):
    found = edges(salt(1))
    whole = coordination_numbers(found, (11, 17), CUTOFF)
    monkeypatch.setattr("ase_les.environments.BLOCK", 100)
    monkeypatch.setattr("ase_les.calculator.domain_warnings.BLOCK", 100)
    assert len(list(found.blocks())) > 10
    np.testing.assert_array_equal(edges(salt(1)).lengths, found.lengths)
    np.testing.assert_allclose(coordination_numbers(found, (11, 17), CUTOFF), whole, rtol=1e-13)


def test_atoms_of_other_elements_do_not_count():
    atoms = Atoms("OHNa", [(0, 0, 0), (1, 0, 0), (0, 2, 0)])
    with_sodium = coordination_numbers(edges(atoms), (1, 8), CUTOFF)
    without = coordination_numbers(edges(atoms[:2]), (1, 8), CUTOFF)
    np.testing.assert_allclose(with_sodium[:2], without)


def test_training_structures_are_within_and_others_are_not(known):
    for seed in range(10):
        assert known.distances(edges(salt(seed))).max() <= 1 + 1e-9
    for seed in range(10, 20):
        assert known.distances(edges(salt(seed))).max() < 1.5
    slab = salt(3)
    slab.center(vacuum=6, axis=2)
    for outside in (slab, salt(3, scale=0.85), salt(3, stdev=0.7)):
        assert known.distances(edges(outside)).max() > 1.5


def test_the_entry_of_a_card_is_small_and_gives_the_same(known):
    text = json.dumps(known.entry())
    assert len(text) < 500
    again = Environments.of_entry(json.loads(text))
    one, other = (each.distances(edges(salt(30))) for each in (known, again))
    np.testing.assert_allclose(one, other, rtol=2e-2, atol=5e-3)


@pytest.mark.parametrize(
    "entry",
    [None, [], {}, {"cutoff_A": 4, "elements": {"Xx": {}}}, {"cutoff_A": 4, "elements": 3}],
)
def test_damaged_entries_are_none(entry):
    assert Environments.of_entry(entry) is None


def test_closest_contacts_are_those_of_pairs():
    atoms = Atoms("OHH", [(0, 0, 0), (1, 0, 0), (0, 1.2, 0)])
    found = closest_contacts([edges(atoms), edges(Atoms("OO", [(0, 0, 0), (0, 0, 3)]))])
    assert found[1, 8] == pytest.approx(1.0)
    assert found[1, 1] == pytest.approx(np.sqrt(1 + 1.2**2))
    assert found[8, 8] == pytest.approx(3.0)


def graph_of(atoms):
    return graph_from_atoms(atoms, NeighborList(CUTOFF))


def told(card, *structures, forces=None):
    said = []
    domain = DomainWarnings(card, lambda kind, message: said.append((kind, message)))
    for atoms in structures:
        domain.check(atoms, partial(graph_of, atoms), forces)
    return said


def pair(distance: float) -> Atoms:
    return Atoms("NaCl", [(0, 0, 0), (distance, 0, 0)])


def test_contacts_are_compared_with_those_of_training():
    card = {"closest_contact_A": 2.0, "closest_contacts_A": {"Na-Cl": 2.5}}
    assert told(card, pair(2.2)) == []
    (kind, message), *more = told(card, pair(2.1), pair(0.5))
    assert kind == "contact" and "2.100 Å apart" in message and not more
    assert told({}, pair(0.5)) and not told({}, pair(2.0))


def test_forces_above_one_point_two_times_the_largest_are_told_once():
    forces = np.array([[0, 0, 0], [3.0, 4.0, 0]])
    ((kind, message),) = told({"largest_force_eV_per_A": 4.16}, pair(3), pair(3), forces=forces)
    assert kind == "force" and "atom 1 (Cl) is 5 eV/Å" in message and "4.16 eV/Å" in message
    for largest in (4.17, 4.9, 5.1):
        assert told({"largest_force_eV_per_A": largest}, pair(3), forces=forces) == []


def test_small_moves_are_not_compared_again(known):
    card = {"closest_contact_A": 1.0, "environments": known.entry()}
    said = []
    domain = DomainWarnings(card, lambda kind, message: said.append(kind))
    start = salt(3)
    calls = []
    for shift in (0.0, 0.05, 0.1, 0.3):
        atoms = start.copy()
        atoms.positions[0, 0] += shift
        before = domain._compared
        domain.check(atoms, partial(graph_of, atoms), None)
        calls.append(domain._compared is not before)
    assert calls == [True, False, False, True] and said == []


def test_a_new_structure_after_slow_motion_is_checked_at_once():
    said = []
    domain = DomainWarnings({"closest_contact_A": 2.0}, lambda kind, message: said.append(kind))
    atoms = pair(3.0)
    for _ in range(12):
        atoms.positions[0, 1] += 0.001
        domain.check(atoms, lambda: graph_of(atoms), None)
    assert said == []
    domain.check(pair(0.5), lambda: graph_of(pair(0.5)), None)
    assert said == ["contact"]


def test_sodium_chloride_at_half_an_angstrom_warns():
    for model in ("nacl", "nacl-cluster", "nacl-aq"):
        atoms = pair(0.5)
        atoms.info["charge"] = 0
        atoms.calc = LESCalculator(model)
        with pytest.warns(UserWarning, match="0.500 Å apart"):
            atoms.get_forces()


@pytest.mark.slow
@pytest.mark.parametrize("model", ["nacl", "mgo", "tio2-nacl-aq", "licl-gaf3", "nacl-cluster"])
def test_held_back_structures_of_shipped_models_are_within(model):
    from pathlib import Path

    from ase.io import read

    calculator = LESCalculator(model)
    for atoms in read(Path(__file__).parents[1] / "models" / model / "test.extxyz", "::3"):
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="the environment")
            warnings.filterwarnings("error", message="atoms .* apart")
            atoms.calc = calculator
            atoms.get_potential_energy()
