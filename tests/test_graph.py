"""The container: what goes in comes out, batches are sums of parts, strain moves everything."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, molecule

from ase_les.graph import (
    batch,
    check_geometry,
    edge_vectors,
    graph_from_atoms,
    strained,
    sum_per_structure,
    total_charge_of,
)
from ase_les.neighbors import NeighborList


@pytest.fixture
def salt() -> Atoms:
    atoms = bulk("NaCl", "rocksalt", a=5.64)
    atoms.rattle(0.2, seed=1)
    atoms.info["charge"] = 2
    return atoms


def graph_of(atoms: Atoms, cutoff: float = 4.0):
    return graph_from_atoms(atoms, NeighborList(cutoff))


def test_edge_vectors_are_the_distances_of_ase(salt):
    from ase.neighborlist import neighbor_list

    vectors = edge_vectors(graph_of(salt)).numpy()
    expected = neighbor_list("D", salt, 4.0)
    assert np.allclose(np.sort(vectors.round(9), axis=0), np.sort(expected.round(9), axis=0))


def test_a_graph_keeps_nothing_of_the_atoms_but_their_values(salt):
    graph = graph_of(salt)
    salt.positions += 1.0
    salt.cell[0, 0] += 1.0
    assert not np.allclose(graph.positions, salt.positions)
    assert not np.allclose(graph.cell[0], salt.cell.array)
    assert graph.total_charge.item() == 2.0
    assert graph.positions.dtype == graph.cell.dtype == graph.shifts.dtype == torch.float64


def test_a_batch_holds_its_graphs_side_by_side(salt):
    water = molecule("H2O")
    graphs = [graph_of(atoms) for atoms in (salt, water, Atoms("H"), salt)]
    joined = batch(graphs)
    assert joined.n_structures == 4
    assert joined.n_atoms == 2 + 3 + 1 + 2
    assert joined.structure.tolist() == [0, 0, 1, 1, 1, 2, 3, 3]
    assert joined.total_charge.tolist() == [2.0, 0.0, 0.0, 2.0]
    assert (joined.receivers.diff() >= 0).all()
    assert torch.equal(joined.structure[joined.receivers], joined.structure[joined.senders])
    expected = torch.cat([edge_vectors(graph) for graph in graphs])
    assert torch.allclose(edge_vectors(joined), expected, rtol=0, atol=1e-14)


def test_a_batch_of_batches_is_a_batch(salt):
    one, other = graph_of(salt), graph_of(molecule("H2O"))
    nested = batch([batch([one, other]), one])
    flat = batch([one, other, one])
    assert all(torch.equal(a, b) for a, b in zip(nested, flat, strict=True))


def test_strain_moves_atoms_edges_and_cell_alike(salt, rng):
    graph = batch([graph_of(salt), graph_of(salt.repeat((2, 1, 1)))])
    strain = torch.tensor(rng.normal(scale=0.05, size=(2, 3, 3)))
    moved = strained(graph, strain)
    deformation = torch.eye(3, dtype=torch.float64) + strain
    assert torch.allclose(moved.cell, graph.cell @ deformation)
    of_edge = deformation[graph.structure[graph.receivers]]
    expected = torch.einsum("ea,eab->eb", edge_vectors(graph), of_edge)
    assert torch.allclose(edge_vectors(moved), expected, rtol=0, atol=1e-13)


def test_no_strain_changes_nothing(salt):
    graph = graph_of(salt)
    same = strained(graph, torch.zeros(1, 3, 3, dtype=torch.float64))
    assert torch.equal(same.positions, graph.positions)
    assert torch.equal(same.cell, graph.cell)


def test_sums_per_structure_add_up(salt, rng):
    graph = batch([graph_of(salt), graph_of(Atoms("H")), graph_of(molecule("H2O"))])
    values = torch.tensor(rng.normal(size=(graph.n_atoms, 2)))
    sums = sum_per_structure(values, graph)
    assert torch.allclose(sums, torch.stack([values[:2].sum(0), values[2], values[3:].sum(0)]))


@pytest.mark.parametrize(("given", "expected"), [(None, 0.0), (-1, -1.0), (np.int64(2), 2.0)])
def test_the_total_charge_is_in_info(given, expected):
    atoms = Atoms("H", info={} if given is None else {"charge": given})
    assert total_charge_of(atoms) == expected


@pytest.mark.parametrize("given", ["one", "1", True, None, float("nan"), float("inf"), [1, 2]])
def test_a_total_charge_must_be_a_number(given):
    with pytest.raises(ValueError, match=r"atoms.info\['charge'\] must be a finite number"):
        total_charge_of(Atoms("H", info={"charge": given}))


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        (Atoms(), "no atoms"),
        (Atoms("HO", [[0, 0, 0], [np.nan, 0, 0]]), r"atom 1 \(O\)"),
        (Atoms("H", cell=[1, 2, np.inf], pbc=True), "cell must be finite"),
        (Atoms("H", pbc=True), "independent lattice vectors"),
        (Atoms("H", cell=[3, 3, 0], pbc=True), "independent lattice vectors"),
        (Atoms("H", cell=[[3, 0, 0], [6, 0, 0], [0, 0, 3]], pbc=True), "independent"),
    ],
)
def test_structures_without_meaning_are_refused(atoms, message):
    with pytest.raises(ValueError, match=message):
        check_geometry(atoms)


@pytest.mark.parametrize(
    "atoms",
    [
        Atoms("H"),
        Atoms("H", cell=[3, 3, 0], pbc=(True, True, False)),
        Atoms("H", cell=np.eye(3)[[1, 0, 2]], pbc=True),
        bulk("Cu"),
    ],
)
def test_structures_with_meaning_are_accepted(atoms):
    check_geometry(atoms)
