"""The approximate inverse of the matrix of metal charges, beside the matrix in full."""

from __future__ import annotations

import pytest
import torch
from ase import Atoms
from ase.build import fcc111
from torch import Tensor

from ase_les.electrostatics import (
    Electrostatics,
    ElectrostaticsConfig,
    Equilibration,
    EquilibrationConfig,
)
from ase_les.electrostatics import metal_solvers as solvers
from ase_les.electrostatics.metal_preconditioner import Preconditioner, pair_potentials
from ase_les.graph import graph_from_atoms
from ase_les.neighbors import NeighborList

PBC = {"crystal": True, "slab": (True, True, False), "cluster": False}
SUMS = Electrostatics(ElectrostaticsConfig(smearing=1.2, weight=1.3, remove_self_energy=True))


def film(kind: str) -> Atoms:
    atoms = fcc111("Pt", (3, 3, 3), a=3.97, vacuum=6.0)
    atoms.rattle(0.05, seed=1)
    atoms.pbc = PBC[kind]
    return atoms


def matrix_of(atoms: Atoms) -> tuple[solvers.Warm, Tensor]:
    """Return the solver, and H in full on neutral charges."""
    graph = graph_from_atoms(atoms, NeighborList(1.0))
    metal = Equilibration(EquilibrationConfig(("Pt",), 1.5)).double().frozen()
    plan = SUMS.plan(graph)._replace(metal=metal.warm_start(SUMS.config))
    stiffness = metal._stiffness(SUMS)[metal._row[graph.numbers], None].detach()
    potential = solvers.Potential(SUMS, plan, graph)
    conductor = solvers.Conductor(graph, metal.atoms(graph), stiffness, potential)
    neutral = torch.eye(len(atoms)).double() - 1 / len(atoms)
    return solvers.Warm(conductor, plan), neutral @ conductor.answer(neutral)


@pytest.mark.parametrize("kind", PBC)
def test_pair_potentials_and_their_gradients_are_those_of_the_sums(kind):
    atoms = film(kind)
    solver, exact = matrix_of(atoms)
    metal, kernel = solver._metal, SUMS.config.kernel()
    neutral = torch.eye(len(atoms)).double() - 1 / len(atoms)
    values, slopes = pair_potentials(metal, kernel)
    found = neutral @ (1.3 * values + torch.diag(metal.hardness)) @ neutral
    assert (found - exact).abs().max() < 1e-3 * exact.abs().max()
    step = 1e-3
    for axis in range(3):
        moved = metal.positions.clone()
        moved[4, axis] += step
        ahead, _ = pair_potentials(metal._replace(positions=moved), kernel)
        moved[4, axis] -= 2 * step
        behind, _ = pair_potentials(metal._replace(positions=moved), kernel)
        expected = (ahead - behind)[4] / (2 * step)
        assert expected.abs().max() > 0.1
        assert torch.allclose(slopes[axis, 4], expected, atol=1e-4 * expected.abs().max())


@pytest.mark.parametrize("kind", PBC)
def test_the_inverse_follows_the_atoms(kind):
    atoms = film(kind)
    solver, _ = matrix_of(atoms)
    inverse = Preconditioner(solver._metal, SUMS.config.kernel(), 1.3)
    atoms.rattle(0.03, seed=2)
    moved, exact = matrix_of(atoms)
    charges = torch.randn(len(atoms), generator=torch.Generator().manual_seed(0)).double()
    charges -= charges.mean()

    def error(positions: Tensor) -> float:
        found = inverse.at(positions)(exact @ charges)
        return float((found - charges).norm() / charges.norm())

    assert error(solver._metal.positions) > 0.01
    assert error(moved._metal.positions) < 0.2 * error(solver._metal.positions)


def test_only_close_geometries_are_covered():
    solver, _ = matrix_of(film("slab"))
    metal = solver._metal
    inverse = Preconditioner(metal, SUMS.config.kernel(), 1.3)
    assert inverse.covers(metal)
    # Translations and other images are the same geometry.
    assert inverse.covers(metal._replace(positions=metal.positions + 3.0))
    wrapped = metal.positions.clone()
    wrapped[3] += metal.cell[0]
    assert inverse.covers(metal._replace(positions=wrapped))
    wrapped[3] += 0.5 * metal.cell[0]
    assert not inverse.covers(metal._replace(positions=wrapped))
    assert not inverse.covers(metal._replace(hardness=2 * metal.hardness))
