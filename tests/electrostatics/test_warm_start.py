"""Charges of metals found with a factor and a start from before: those of the plain iteration."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import fcc111

from ase_les.electrostatics import (
    Electrostatics,
    ElectrostaticsConfig,
    Equilibration,
    EquilibrationConfig,
    warm_start,
)
from ase_les.electrostatics.equilibration import MetalBias
from ase_les.electrostatics.metal_solvers import Conductor, Potential
from ase_les.electrostatics.particle_mesh import AnalyticParticleMesh, MeshSettings
from ase_les.electrostatics.warm_start import Answer, conjugate_gradients
from ase_les.graph import graph_from_atoms
from ase_les.kernels.library import compiled_kernels
from ase_les.neighbors import NeighborList

PBC = {"crystal": True, "slab": (True, True, False), "cluster": False}


def film(kind: str, seed: int = 0, rattle: float = 0.05) -> Atoms:
    """Return platinum with an adsorbed ion pair; initial charges are those of the environment."""
    atoms = fcc111("Pt", (6, 6, 4), a=3.97, orthogonal=False)
    atoms += Atoms("KF", positions=atoms.positions[-1] + [(0, 0, 2.5), (4, 1, 3.5)])
    atoms.center(vacuum=6, axis=2)
    atoms.rattle(rattle, seed=seed)
    charges = 0.05 * np.random.default_rng(seed).standard_normal(len(atoms))
    charges[-2:] = 0.9, -0.9
    atoms.set_initial_charges(charges)
    atoms.pbc = PBC[kind]
    return atoms


@pytest.fixture(params=[True, False], ids=["self removed", "self kept"])
def sums(request) -> Electrostatics:
    found = Electrostatics(
        ElectrostaticsConfig(smearing=1.2, weight=1.3, remove_self_energy=request.param)
    )
    # The automatic choice for so few atoms would be the direct sum.
    settings = MeshSettings.reaching(1e-5, smearing=1.2)
    found.periodic_sum = AnalyticParticleMesh(found.config.kernel(), settings)
    return found


@pytest.fixture
def metal() -> Equilibration:
    equilibration = Equilibration(EquilibrationConfig(("Pt",), 1.5)).double()
    equilibration.log_hardness.data.fill_(math.log(1.5))
    return equilibration.frozen().requires_grad_(False)


def given(atoms: Atoms):
    return graph_from_atoms(atoms, NeighborList(1.0)), torch.tensor(atoms.get_initial_charges())


@pytest.mark.parametrize("kind", PBC)
def test_charges_are_those_of_the_plain_iteration_whatever_came_before(kind, sums, metal):
    plan = None
    solver = metal.warm_start(sums.config)
    for seed in range(4):
        graph, charges = given(film(kind, seed))
        plan = sums.plan(graph, plan)
        plain = metal(graph, charges[:, None], sums, plan._replace(metal=None)).charges
        warm = metal(graph, charges[:, None], sums, plan._replace(metal=solver)).charges
        assert plain.abs().max() > 0.05
        assert abs(warm.sum()) < 1e-10
        # The plain iteration ends at a residual of 1e-11.
        assert (warm - plain).abs().max() < 1e-9


@pytest.mark.parametrize("kind", PBC)
def test_few_sums_are_needed(kind, sums, metal, monkeypatch):
    found = []
    plain = warm_start.conjugate_gradients

    def counted(*arguments):
        found.append(plain(*arguments))
        return found[-1]

    monkeypatch.setattr(warm_start, "conjugate_gradients", counted)
    solver = metal.warm_start(sums.config)
    for seed in range(3):
        graph, charges = given(film(kind, seed, rattle=0.02))
        metal(graph, charges[:, None], sums, sums.plan(graph)._replace(metal=solver))
    assert all(solution.iterations <= 12 for solution in found)
    graph, charges = given(film(kind))
    potential = Potential(sums, sums.plan(graph))
    atoms = metal.atoms(graph)
    stiffness = metal._stiffness(sums)[metal._row[graph.numbers[atoms]], None]
    conductor = Conductor(graph, atoms, stiffness, potential)
    drive = torch.randn(144).double()
    answer = lambda charges: Answer(conductor.answer(charges[:, None])[:, 0])  # noqa: E731
    assert conjugate_gradients(answer, drive, 1e-12).iterations > 25


@pytest.mark.parametrize("kind", ["crystal", "slab"])
def test_the_mesh_gives_the_derivative_of_the_energy(kind, sums, metal):
    graph, _ = given(film(kind))
    atoms = metal.atoms(graph)
    plan = sums.plan(graph)
    stiffness = metal._stiffness(sums)[metal._row[graph.numbers[atoms]], None]
    conductor = Conductor(graph, atoms, stiffness, Potential(sums, plan, graph))
    by_mesh = conductor.answers()
    charges = torch.randn(len(atoms)).double()
    charges -= charges.mean()
    exact = conductor.answer(charges[:, None])[:, 0]
    difference = by_mesh(charges).potentials - exact
    assert exact.std() > 1.0
    assert (difference - difference.mean()).abs().max() < 1e-10


def test_a_factor_of_another_structure_does_not_change_the_charges(sums, metal):
    solver = metal.warm_start(sums.config)
    for kind, rattle in (("cluster", 0.0), ("crystal", 0.3), ("slab", 0.3)):
        graph, charges = given(film(kind, rattle=rattle))
        plan = sums.plan(graph)
        warm = metal(graph, charges[:, None], sums, plan._replace(metal=solver)).charges
        cold = metal(graph, charges[:, None], sums, plan._replace(metal=None)).charges
        assert (warm - cold).abs().max() < 1e-9


def test_after_a_reset_the_digits_are_those_of_a_new_solver(sums, metal):
    graph, charges = given(film("slab", seed=5))
    other, other_charges = given(film("slab", seed=6))
    plan = sums.plan(graph)

    def found(solver):
        return metal(graph, charges[:, None], sums, plan._replace(metal=solver)).charges

    used = metal.warm_start(sums.config)
    metal(other, other_charges[:, None], sums, sums.plan(other)._replace(metal=used))
    used.reset()
    assert torch.equal(found(used), found(metal.warm_start(sums.config)))


def test_an_energy_of_charges_that_is_not_positive_is_told():
    with pytest.raises(ArithmeticError, match="energy of charges is not positive"):
        conjugate_gradients(lambda charges: Answer(-charges), torch.arange(5.0), 1e-9)
    drive = torch.arange(5.0).double()
    solution = conjugate_gradients(lambda charges: Answer(2 * charges), drive, 1e-12)
    assert torch.allclose(solution.charges, (drive - 2) / 2)


@pytest.mark.parametrize("kind", ["crystal", "slab"])
def test_a_metal_at_rest_is_solved_by_its_inverse(kind, sums, metal, monkeypatch):
    monkeypatch.setattr(warm_start, "_AT_REST", 2)
    plan, solver = None, metal.warm_start(sums.config)
    atoms = film(kind)
    found = []
    for step in range(4):
        atoms.positions[-2:, :2] += 0.3
        graph, charges = given(atoms)
        plan = sums.plan(graph, plan)
        plain = metal(graph, charges[:, None], sums, plan._replace(metal=None)).charges
        warm = metal(graph, charges[:, None], sums, plan._replace(metal=solver)).charges
        assert (warm - plain).abs().max() < 1e-9, step
        found.append(solver._inverse is not None)
    assert not found[0]
    assert found[-1]
    # Another geometry does not use it.
    atoms.rattle(0.05, seed=5)
    graph, charges = given(atoms)
    plan = sums.plan(graph, plan)
    plain = metal(graph, charges[:, None], sums, plan._replace(metal=None)).charges
    warm = metal(graph, charges[:, None], sums, plan._replace(metal=solver)).charges
    assert solver._inverse is None
    assert (warm - plain).abs().max() < 1e-9


@pytest.mark.skipif(compiled_kernels() is None, reason="no compiled kernels")
@pytest.mark.parametrize("kind", ["crystal", "slab"])
@pytest.mark.parametrize("charge", [None, 0.3])
def test_the_potential_on_the_mesh_gives_energy_and_derivatives(kind, charge, sums, metal):
    sums.periodic_sum.use_kernels(compiled_kernels())
    solver = metal.warm_start(sums.config)
    for seed in range(3):
        graph, charges = given(film(kind, seed, rattle=0.02))
        bias = None
        if charge is not None:
            electrode = torch.zeros(144).double()
            electrode[:72] = 1.0
            bias = MetalBias(torch.zeros(144).double(), electrode, charge)
        plan = sums.plan(graph)._replace(metal=solver)
        moved = metal(graph, charges[:, None], sums, plan, bias)
    assert moved.surface is not None
    graph.positions.requires_grad_(True)
    whole = (charges[:, None] + moved.charges).requires_grad_(True)
    found = []
    for known in (plan, plan.with_surface(moved.surface)):
        energy = sums(graph, whole, known).sum()
        found.append((energy, *torch.autograd.grad(energy, (graph.positions, whole))))
    assert found[0][1].abs().max() > 0.1
    for full, fast in zip(*found, strict=True):
        assert torch.allclose(full, fast, rtol=0, atol=1e-9)
