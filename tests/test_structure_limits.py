"""Structures beyond any search for neighbors are refused before one is made."""

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from ase.calculators.lj import LennardJones

from ase_les import LESCalculator
from ase_les.electrostatics.auto_sum import AutoSum
from ase_les.electrostatics.blocked_ewald import BlockedEwaldSum
from ase_les.electrostatics.ewald import EwaldSum
from ase_les.electrostatics.layout import Layout
from ase_les.electrostatics.wave_vectors import ReciprocalKernel, converged_k_cutoff
from ase_les.neighbors import NeighborList
from ase_les.simulation import relax_many
from ase_les.simulation.accumulators.pair_counts import PairCounts
from ase_les.simulation.close_contacts import closest_contact
from ase_les.structure_limits import check_cell, check_extent, search_cutoff

IMPOSSIBLE = {
    "farther out than": Atoms("Ar2", [(0, 0, 0), (1e12, 0, 0)]),
    "positions must be finite": Atoms("Ar2", [(0, 0, 0), (np.nan, 0, 0)]),
    "cell must be finite": Atoms("Ar", cell=[np.inf, 5, 5], pbc=True),
    "at most 10000": Atoms("Ar", cell=[1e9] * 3, pbc=True),
    "0.001 Å thick": Atoms("Ar", cell=[1e-3] * 3, pbc=True),
    "Å thick": Atoms("Ar", cell=[[5, 0, 0], [5, 0.01, 0], [0, 0, 5]], pbc=True),
}


@pytest.mark.parametrize("told", IMPOSSIBLE)
def test_an_impossible_structure_is_refused_with_its_reason(told):
    with pytest.raises(ValueError, match=told):
        check_extent(IMPOSSIBLE[told])


@pytest.mark.parametrize("pbc", [(False,) * 3, (True, True, False), (True,) * 3])
def test_ordinary_structures_are_accepted(pbc):
    atoms = bulk("NaCl", "rocksalt", a=5.64)
    atoms.pbc = pbc
    check_extent(atoms)
    # The third vector of a slab does not count.
    atoms.cell[2] *= 1e6 if not pbc[2] else 1
    check_extent(atoms)


def test_a_batch_of_relaxations_records_impossible_structures_and_goes_on(tmp_path):
    good = Atoms("Ar2", [(0, 0, 0), (1.2, 0, 0)])
    structures = [good, *IMPOSSIBLE.values(), good]
    found = relax_many(structures, LennardJones(), output=tmp_path / "batch", fmax=0.1)
    problems = [outcome.problem for outcome in found.outcomes]
    assert problems[0] is None and problems[-1] is None
    for told, problem in zip(IMPOSSIBLE, problems[1:-1], strict=True):
        assert told.removeprefix("positions must be ") in problem


def test_the_calculator_refuses_them():
    atoms = Atoms("OH2", [(0, 0, 0), (0.96, 0, 0), (-0.24, 0.93, 1e13)])
    atoms.calc = LESCalculator("water-rpbe-d3")
    with pytest.raises(ValueError, match="farther out than"):
        atoms.get_potential_energy()


def test_the_sum_in_blocks_is_the_direct_sum(monkeypatch):
    monkeypatch.setattr("ase_les.electrostatics.blocked_ewald._BLOCK", 500)
    kernel = ReciprocalKernel(1.0, converged_k_cutoff(1.0))
    random = torch.Generator().manual_seed(0)
    cells = torch.eye(3, dtype=torch.float64) * 8 + 0.5 * torch.rand(2, 3, 3, generator=random)
    layout = Layout.of(torch.tensor([0] * 5 + [1] * 3), 2)
    found = []
    for method in (EwaldSum(kernel), BlockedEwaldSum(kernel)):
        inputs = [
            (8 * torch.rand(8, 3, generator=random.manual_seed(1)).double()).requires_grad_(),
            torch.randn(8, 2, generator=random.manual_seed(2)).double().requires_grad_(),
            cells.double().clone().requires_grad_(),
        ]
        energies = method(*inputs, layout)
        weights = torch.tensor([1.0, -2.0], dtype=torch.float64)
        found.append([energies, *torch.autograd.grad((weights * energies).sum(), inputs)])
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, rtol=1e-11, atol=1e-11)


def test_few_atoms_in_a_large_box_are_summed_in_blocks_and_many_on_the_mesh():
    sums = AutoSum(ReciprocalKernel(1.0, converged_k_cutoff(1.0)), 1e-4)

    def chosen(length: float, n_atoms: int):
        cell = torch.eye(3, dtype=torch.float64)[None] * length
        return sums.choose(cell, Layout.of(torch.zeros(n_atoms, dtype=torch.int64), 1))

    assert chosen(12, 3) is sums.direct
    assert chosen(200, 3) is sums.blocked
    assert chosen(200, 100_000) is sums.mesh
    cell = torch.eye(3, dtype=torch.float64)[None] * 5000
    positions, charges = torch.zeros(1, 3).double(), torch.ones(1, 1).double()
    with pytest.raises(ValueError, match="wave vectors"):
        sums(positions, charges, cell, Layout.of(torch.zeros(1, dtype=torch.int64), 1))


FLAT = {
    "crystal": Atoms("Ar2", [(0, 0, 0), (2.4, 0, 0)], cell=[5.7, 2000, 2000], pbc=True),
    "thin": Atoms("Ar2", [(0, 0, 0), (2.4, 0, 0)], cell=[1500, 4000, 12], pbc=True),
    "slab": Atoms(
        "Ar4", [(0, 0, 0), (3, 0, 0), (0, 1999, 0), (9, 9, 1)], cell=[2000, 2000, 0], pbc=(1, 1, 0)
    ),
    "cluster": Atoms("Ar4", [(0, 0, 0), (2000, 0, 0), (0, 2000, 0), (2000, 2003, 1)]),
    "chain": Atoms("Ar3", [(0, 0, 0), (1, 0, 9e5), (0, 1, 3)]),
}


@pytest.mark.parametrize("name", FLAT)
def test_neighbors_are_found_in_flat_and_thin_structures(name):
    """vesin 0.6.2 ends the interpreter for these with the cutoff itself."""
    atoms = FLAT[name]
    assert search_cutoff(atoms.positions, atoms.cell.array, atoms.pbc, 5.5) > 5.5
    receivers, senders, shifts = NeighborList(5.5).edges(
        atoms.positions, atoms.cell.array, atoms.pbc
    )
    found = sorted(zip(receivers.tolist(), senders.tolist(), shifts.tolist(), strict=True))
    # Distances between all pairs and images, without a search.
    images = np.array(np.meshgrid(*[range(-p, p + 1) for p in map(int, atoms.pbc)])).reshape(3, -1)
    by_hand = [
        (i, j, [float(x) for x in image])
        for i in range(len(atoms))
        for j in range(len(atoms))
        for image in images.T
        if 0
        < np.linalg.norm(atoms.positions[j] + image @ atoms.cell.array - atoms.positions[i])
        < 5.5
    ]
    assert found == sorted(by_hand)
    contact = closest_contact(atoms, 4.0)
    assert (contact is None) == (not by_hand)
    symbol = atoms.symbols[0]
    counted = PairCounts([(symbol, symbol)], 5.5, 11).of(atoms, (symbol, symbol))
    same = [atoms.symbols[i] == atoms.symbols[j] == symbol for i, j, _ in by_hand]
    assert counted.sum() == sum(same)


def test_vectors_that_almost_coincide_are_refused():
    cell = np.array([[100, 0, 0], [0, 100, 0], [100, 0, 5e-5]])
    with pytest.raises(ValueError, match="independent lattice vectors"):
        check_cell(cell, np.ones(3, bool), independent=True)


@pytest.mark.parametrize("size", [5.7, 60.0, 300.0])
def test_neighbors_of_other_structures_are_searched_within_the_cutoff(size):
    for cell, pbc in (([size] * 3, True), ([size, size, 0], (True, True, False))):
        atoms = Atoms("Ar2", [(0, 0, 0), (2, 0, 0)], cell=cell, pbc=pbc)
        assert search_cutoff(atoms.positions, atoms.cell.array, atoms.pbc, 5.5) == 5.5
