"""Graphs of moving atoms: the integers stay while no neighbor can be missing."""

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk

from ase_les import neighbors
from ase_les.calculator.graph_cache import GraphCache
from ase_les.graph import edge_vectors, graph_from_atoms
from ase_les.neighbors import NeighborList

CUTOFF = 3.5


@pytest.fixture
def crystal() -> Atoms:
    return bulk("NaO", "rocksalt", a=5.0, cubic=True)


@pytest.fixture
def graphs(random_model) -> GraphCache:
    return GraphCache(random_model(cutoff=CUTOFF), 0.5)


@pytest.fixture
def searches(monkeypatch) -> list[int]:
    """Grows by one entry with every search for neighbors."""
    seen, search = [], neighbors._find
    monkeypatch.setattr(neighbors, "_find", lambda *given: (seen.append(1), search(*given))[1])
    return seen


def test_neighbors_are_kept_while_the_skin_holds(graphs, crystal, searches):
    before = graphs.at(crystal)
    crystal.rattle(0.001)
    after = graphs.at(crystal)
    assert len(searches) == 1
    assert not torch.equal(after.positions, before.positions)


def test_a_step_longer_than_the_skin_finds_the_neighbors_anew(graphs, crystal, searches):
    graphs.at(crystal)
    crystal.positions[0] += (0.3, 0, 0)
    graphs.at(crystal)
    assert len(searches) == 2


def test_the_graph_is_the_same_whether_neighbors_were_kept_or_found_anew(graphs, crystal):
    graphs.at(crystal)
    crystal.rattle(0.05)
    kept = graphs.at(crystal)
    fresh = graph_from_atoms(crystal, NeighborList(CUTOFF))
    assert len(kept.senders) > 0
    for name, one, other in zip(kept._fields, kept, fresh, strict=True):
        assert torch.equal(one, other), name


def test_another_element_is_another_graph(graphs, crystal):
    before = graphs.at(crystal)
    crystal.symbols[0] = "H"
    after = graphs.at(crystal)
    assert not torch.equal(after.numbers, before.numbers)


def test_atoms_that_meet_while_the_skin_holds_collide(graphs, searches):
    atoms = Atoms("HH", [(0, 0, 0), (0, 0, 0.75)])
    graphs.at(atoms)
    atoms.positions[:, 2] = 0.235, 0.515
    with pytest.raises(ValueError, match=r"0\.280 Å apart"):
        graphs.at(atoms)
    atoms.positions[:, 2] = 0, 0.75
    graphs.at(atoms)
    assert len(searches) == 1


def test_no_neighbor_is_missing_after_moves_and_strain(graphs, crystal):
    graphs.at(crystal)
    crystal.rattle(0.05)
    crystal.set_cell(crystal.cell * 1.01, scale_atoms=True)
    lengths = edge_vectors(graphs.at(crystal)).norm(dim=1).numpy()
    alone = graph_from_atoms(crystal, NeighborList(CUTOFF))
    expected = edge_vectors(alone).norm(dim=1).numpy()
    np.testing.assert_allclose(np.sort(lengths[lengths < CUTOFF]), np.sort(expected), atol=1e-12)
