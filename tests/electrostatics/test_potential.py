"""Potential and field: what a small charge would feel, under any boundary conditions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from ase import Atoms
from scipy.special import erf

from ase_les.derivatives import differentiate
from ase_les.electrostatics import Electrostatics, ElectrostaticsConfig
from ase_les.electrostatics.potential import potential_at, potential_at_atoms
from ase_les.graph import batch
from ase_les.units import COULOMB_CONSTANT

BOUNDARIES = {
    "crystal": (True, True, True),
    "slab": (True, False, True),
    "molecule": (False, False, False),
}


@pytest.fixture(params=BOUNDARIES.values(), ids=BOUNDARIES.keys())
def structure(request, four) -> Atoms:
    atoms = four[0].copy()
    atoms.pbc = request.param
    return atoms


def test_a_lone_charge_has_the_potential_of_a_gaussian(graph_of, rng):
    points = torch.tensor(rng.normal(size=(7, 3)) * 3)
    sums = Electrostatics(ElectrostaticsConfig(smearing=1.3, remove_self_energy=True))
    found = potential_at(
        sums, graph_of(Atoms("X")), torch.tensor([[-0.7]], dtype=torch.float64), points
    )
    r = np.linalg.norm(points, axis=1)
    expected = -0.7 * COULOMB_CONSTANT * erf(r / (math.sqrt(2) * 1.3)) / r
    assert np.allclose(found.potential[:, 0], expected, rtol=1e-12)
    on_top = potential_at(
        sums,
        graph_of(Atoms("X")),
        torch.tensor([[-0.7]], dtype=torch.float64),
        torch.zeros(1, 3).double(),
    )
    limit = -0.7 * 2 * COULOMB_CONSTANT / (math.sqrt(2 * math.pi) * 1.3)
    assert on_top.potential.item() == pytest.approx(limit, abs=1e-10)
    assert on_top.field.abs().max() < 1e-10


def test_the_field_is_minus_the_slope_of_the_potential(graph_of, four, structure, rng):
    charges = torch.tensor(rng.normal(size=(4, 2)))
    graph = graph_of(structure)
    points = torch.tensor(rng.uniform(-3, 8, (5, 3)))
    for analytic in (False, True):
        sums = Electrostatics(
            ElectrostaticsConfig(weight=0.8, smearing=1.0, remove_self_energy=True)
        )
        if analytic:
            sums.use_analytic_gradients()
        field = potential_at(sums, graph, charges, points).field
        for axis in range(3):
            step = torch.zeros(3, dtype=torch.float64)
            step[axis] = 1e-4
            up = potential_at(sums, graph, charges, points + step).potential
            down = potential_at(sums, graph, charges, points - step).potential
            assert torch.allclose(field[..., axis], -(up - down) / 2e-4, rtol=0, atol=1e-6)


def test_charges_times_potential_and_field_are_energy_and_forces(
    fixed_charges, graph_of, four, structure
):
    charges = torch.tensor(four[1])[:, None] + 0.1
    model = fixed_charges(charges.numpy())
    graph = graph_of(structure)
    result = differentiate(model, graph)
    found = potential_at_atoms(model.electrostatics, graph, charges)
    energy = 0.5 * (charges * found.potential).sum()
    assert energy.item() == pytest.approx(result.prediction.energy.item(), abs=1e-8)
    assert torch.allclose(charges * found.field[:, 0], result.forces, rtol=0, atol=1e-8)


def test_points_do_not_see_each_other(graph_of, four, structure, rng, monkeypatch):
    from ase_les.electrostatics import potential

    charges = torch.tensor(four[1])[:, None]
    sums, graph = (
        Electrostatics(ElectrostaticsConfig(smearing=1.0, remove_self_energy=True)),
        graph_of(structure),
    )
    points = torch.tensor(rng.uniform(0, 6, (9, 3)))
    together = potential_at(sums, graph, charges, points)
    monkeypatch.setattr(potential, "_BLOCK", 1)
    alone = [potential_at(sums, graph, charges, point[None]) for point in points]
    for index, all_ in enumerate(together):
        one_by_one = torch.cat([found[index] for found in alone])
        assert torch.allclose(all_, one_by_one, rtol=0, atol=1e-8)


def test_the_step_of_the_potential_across_a_polar_slab_is_helmholtz(graph_of):
    """4π k_e M / A, whatever the slab looks like inside."""
    slab = Atoms("X2", [[1, 2, 0], [4, 1, 3.0]], cell=[5, 6, 0], pbc=(True, True, False))
    charges = torch.tensor([[-0.4], [0.4]], dtype=torch.float64)
    sums = Electrostatics(ElectrostaticsConfig(smearing=1.0, remove_self_energy=True))
    points = torch.tensor([[0, 0, 60.0], [0, 0, -60.0]]).double()
    above, below = potential_at(sums, graph_of(slab), charges, points).potential[:, 0].tolist()
    step = 4 * math.pi * COULOMB_CONSTANT * 0.4 * 3.0 / 30
    assert above - below == pytest.approx(step, abs=1e-6)
    assert above + below == pytest.approx(0, abs=1e-6)


def test_points_of_several_structures_are_refused(graph_of, four):
    atoms, charges = four
    charges, sums = (
        torch.tensor(charges)[:, None],
        Electrostatics(ElectrostaticsConfig(smearing=1.0, remove_self_energy=True)),
    )
    two = batch([graph_of(atoms), graph_of(atoms)])
    with pytest.raises(ValueError, match="one structure, got 2"):
        potential_at(sums, two, charges.repeat(2, 1), torch.zeros(1, 3))
