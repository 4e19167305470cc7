"""The neighbor list against ASE's, and the promise of its skin: no pair is ever missing."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st

from ase_les import neighbors
from ase_les.neighbors import NeighborList


def edges_of(neighbor_list: NeighborList, atoms: Atoms) -> set[tuple[int, ...]]:
    """Edges as (receiver, sender, shift), those in the skin left out."""
    receivers, senders, shifts = (
        edge.numpy() for edge in neighbor_list.edges(atoms.positions, atoms.cell.array, atoms.pbc)
    )
    vectors = atoms.positions[senders] - atoms.positions[receivers] + shifts @ atoms.cell.array
    inside = np.linalg.norm(vectors, axis=1) < neighbor_list.cutoff
    table = np.column_stack([receivers, senders, shifts.astype(int)])[inside]
    edges = {tuple(row) for row in table.tolist()}
    assert len(edges) == len(table), "an edge appears twice"
    return edges


def edges_by_ase(atoms: Atoms, cutoff: float) -> set[tuple[int, ...]]:
    i, j, shifts = neighbor_list("ijS", atoms, cutoff)
    return {tuple(row) for row in np.column_stack([i, j, shifts]).tolist()}


def triclinic(n_atoms: int, seed: int, size: float = 6.0, pbc=True) -> Atoms:
    rng = np.random.default_rng(seed)
    cell = size * (np.eye(3) + rng.uniform(-0.3, 0.3, (3, 3)))
    return Atoms(f"X{n_atoms}", rng.uniform(-0.5, 1.5, (n_atoms, 3)) @ cell, cell=cell, pbc=pbc)


def open_box() -> Atoms:
    atoms = molecule("C6H6")
    atoms.set_cell([[8.0, 1, 0], [0, 9, 0], [0.5, 0, 7]])
    return atoms


STRUCTURES = {
    "triclinic, atoms outside the cell": triclinic(20, 0),
    "left-handed": triclinic(12, 1)[::-1].repeat((1, 1, 1)),
    "tiny cell": bulk("Cu", "fcc", a=2.0),
    "one flat cell": Atoms("X", cell=[[1.5, 0, 0], [1.2, 1.0, 0], [0.4, 0.3, 9]], pbc=True),
    "slab": fcc111("Al", (2, 2, 3), vacuum=7.0, periodic=False),
    "slab without a third vector": fcc111("Al", (2, 2, 3)),
    "slab along another direction": triclinic(10, 2, pbc=(True, False, True)),
    "wire": triclinic(10, 3, pbc=(False, False, True)),
    "molecule": molecule("C6H6"),
    "molecule in a box": open_box(),
    "lone atom": Atoms("X", [[5.0, 5.0, 5.0]]),
    "two far apart": Atoms("X2", [[0, 0, 0], [60.0, 0, 0]]),
}
STRUCTURES["left-handed"].cell = STRUCTURES["left-handed"].cell.array[[1, 0, 2]]


@pytest.mark.parametrize("cutoff", [1.7, 4.5])
@pytest.mark.parametrize("name", STRUCTURES)
def test_edges_are_those_of_ase(name, cutoff):
    atoms = STRUCTURES[name]
    assert edges_of(NeighborList(cutoff), atoms) == edges_by_ase(atoms, cutoff)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    n_atoms=st.integers(1, 8),
    size=st.floats(2.5, 9.0),
    pbc=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    skin=st.sampled_from([0.0, 0.7]),
)
def test_edges_of_any_structure_are_those_of_ase(seed, n_atoms, size, pbc, skin):
    atoms = triclinic(n_atoms, seed, size, pbc)
    assert edges_of(NeighborList(4.0, skin), atoms) == edges_by_ase(atoms, 4.0)


def test_receivers_ascend_and_every_edge_has_its_reverse():
    atoms = triclinic(20, 4)
    receivers, senders, shifts = NeighborList(4.0).edges(
        atoms.positions, atoms.cell.array, atoms.pbc
    )
    assert (receivers.diff() >= 0).all()
    there = np.column_stack([receivers, senders, shifts])
    back = np.column_stack([senders, receivers, -shifts])
    assert {tuple(row) for row in there.tolist()} == {tuple(row) for row in back.tolist()}


class CountedSearches:
    def __init__(self, monkeypatch):
        self.number = 0
        search = neighbors._find

        def counted(*arguments):
            self.number += 1
            return search(*arguments)

        monkeypatch.setattr(neighbors, "_find", counted)


@pytest.fixture
def searches(monkeypatch) -> CountedSearches:
    return CountedSearches(monkeypatch)


def walk(atoms, searches, rng, step, *, skin=1.0, steps=120) -> int:
    """Change atoms step by step, compare with ASE each time, return how often was searched."""
    kept = NeighborList(4.0, skin)
    for _ in range(steps):
        step(atoms)
        assert edges_of(kept, atoms) == edges_by_ase(atoms, 4.0)
    return searches.number


@pytest.mark.parametrize("pbc", [True, False, (True, True, False)])
def test_moving_atoms_never_lose_a_pair(searches, rng, pbc):
    def step(atoms):
        atoms.positions += rng.normal(scale=0.02, size=atoms.positions.shape)

    assert 2 <= walk(triclinic(15, 5, pbc=pbc), searches, rng, step) < 40


def test_a_straining_cell_never_loses_a_pair(searches, rng):
    def step(atoms):
        strain = rng.normal(scale=0.01, size=(3, 3))
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)

    assert 2 <= walk(triclinic(15, 6), searches, rng, step) < 60


def test_a_tiny_shrinking_cell_never_loses_a_pair(searches, rng):
    # Atoms never move by a skin here: distant images do, by lattice vectors times shifts.
    def step(atoms):
        atoms.set_cell(atoms.cell.array * 0.998, scale_atoms=True)

    assert 2 <= walk(triclinic(1, 7, size=2.5), searches, rng, step, steps=150) < 75


def test_a_growing_cell_with_still_atoms_never_loses_a_pair(searches, rng):
    def step(atoms):
        atoms.set_cell(atoms.cell.array * 1.002, scale_atoms=False)

    walk(triclinic(8, 8), searches, rng, step)


def test_everything_at_once_never_loses_a_pair(searches, rng):
    """Motion, strain, shear, drift, and atoms wrapped back into the cell now and then."""
    count = 0

    def step(atoms):
        nonlocal count
        count += 1
        strain = rng.normal(scale=0.002, size=(3, 3))
        strain[0, 1] += 0.003
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        atoms.positions += rng.normal(scale=0.02, size=atoms.positions.shape)
        if count % 40 == 0:
            atoms.wrap()

    assert 3 <= walk(triclinic(12, 9), searches, rng, step) < 60


def test_the_same_edges_come_back_while_the_list_holds(searches):
    atoms = triclinic(10, 10)
    kept = NeighborList(4.0, 0.5)
    first = kept.edges(atoms.positions, atoms.cell.array, atoms.pbc)
    atoms.positions[0, 1] += 0.2
    again = kept.edges(atoms.positions, atoms.cell.array, atoms.pbc)
    assert searches.number == 1
    assert all(old is new for old, new in zip(first, again, strict=True))


def test_another_structure_is_searched_anew(searches):
    atoms = triclinic(10, 11)
    kept = NeighborList(4.0, 1.0)
    edges_of(kept, atoms)
    other = atoms.copy()
    other.pbc = (True, True, False)
    for structure in (other, atoms, atoms[:9], atoms, atoms.repeat(2)):
        assert edges_of(kept, structure) == edges_by_ase(structure, 4.0)
    assert searches.number == 6


def test_a_relabeled_lattice_is_not_mistaken_for_a_deformed_one(searches):
    atoms = triclinic(8, 12)
    kept = NeighborList(4.0, 1.0)
    edges_of(kept, atoms)
    for rows in ([[0, 1, 0], [1, 0, 0], [0, 0, 1]], [[1, 0, 0], [1, 1, 0], [0, 0, 1]]):
        atoms.set_cell(np.array(rows) @ atoms.cell.array)
        assert edges_of(kept, atoms) == edges_by_ase(atoms, 4.0)


def test_without_a_skin_every_new_geometry_is_searched(searches):
    atoms = triclinic(5, 13)
    kept = NeighborList(4.0)
    for _ in range(3):
        atoms.positions[0, 0] += 1e-8
        edges_of(kept, atoms)
    assert searches.number == 3


@pytest.mark.parametrize(
    ("cutoff", "skin", "name"), [(0, 0, "cutoff"), (-1, 0, "cutoff"), (4, -1, "skin")]
)
def test_impossible_lengths_are_refused(cutoff, skin, name):
    with pytest.raises(ValueError, match=f"`{name}` must"):
        NeighborList(cutoff, skin)


@pytest.mark.parametrize(
    "idle", [[0, 0, 0], [0, 0, 1e-9], [1.0, 1.0, 0], [0, 0, 40.0], [90.0, 3.0, 0.1]]
)
def test_a_lattice_vector_that_does_not_repeat_means_nothing(idle):
    atoms = triclinic(10, 14, pbc=(True, True, False))
    atoms.cell[2] = [0, 0, 20.0]
    expected = edges_of(NeighborList(4.0), atoms)
    atoms.cell[2] = idle
    assert edges_of(NeighborList(4.0), atoms) == expected
