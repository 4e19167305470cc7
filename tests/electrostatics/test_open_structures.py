"""Large structures in free space: pairs in blocks, and a mesh without periodic copies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms

from ase_les.electrostatics import Electrostatics, ElectrostaticsConfig, open_boundary
from ase_les.electrostatics.layout import Layout
from ase_les.electrostatics.open_boundary import AnalyticOpenSum, OpenSum, smeared_coulomb
from ase_les.electrostatics.open_mesh import OpenMesh, OpenMeshPlan, convolved
from ase_les.electrostatics.particle_mesh import MeshSettings
from ase_les.graph import batch, graph_from_atoms
from ase_les.neighbors import NeighborList


def cluster(rng, n: int, extent=(14.0, 18.0, 9.0), channels: int = 1):
    """Return positions in Å and charges in e of a charged cluster that is no cube."""
    positions = torch.tensor(rng.random((n, 3)) * extent - [3.0, 50.0, 7.0])
    return positions.requires_grad_(), torch.tensor(rng.normal(size=(n, channels))).requires_grad_()


def derivatives(energy, positions, charges):
    return energy.detach(), *torch.autograd.grad(energy.sum(), [positions, charges])


@pytest.mark.parametrize("channels", [1, 2])
def test_pairs_in_blocks_are_all_pairs(rng, monkeypatch, channels):
    monkeypatch.setattr(open_boundary, "_PAIRS", 300)
    positions, charges = cluster(rng, 43, channels=channels)
    with torch.no_grad():
        positions[7] = positions[8]
    for sizes in ([43], [1, 20, 22]):
        structure = torch.repeat_interleave(torch.tensor(sizes))
        layout = Layout.of(structure, len(sizes))
        plain, blocks = (
            derivatives(sum_(positions, charges, layout), positions, charges)
            for sum_ in (OpenSum(1.3), AnalyticOpenSum(1.3))
        )
        for one, other in zip(plain, blocks, strict=True):
            assert torch.allclose(one, other, rtol=1e-11, atol=1e-11)
        assert plain[0].shape == (len(sizes),)


def test_the_convolution_has_no_copies(rng):
    nx, ny, nz = size = (3, 4, 5)
    density = torch.tensor(rng.normal(size=size))
    interaction = torch.tensor(rng.normal(size=(nx + 1, ny + 1, nz + 1)))
    mirrored = [torch.cat([torch.arange(n + 1), torch.arange(n - 1, 0, -1)]) for n in size]
    whole = interaction[mirrored[0]][:, mirrored[1]][:, :, mirrored[2]]
    kernel = torch.fft.fftn(whole).real[: nx + 1, : ny + 1, : nz + 1] / whole.numel()
    found = convolved(density, kernel)
    x, y, z = (torch.arange(n) for n in size)
    dx, dy, dz = (abs(i[:, None] - i) for i in (x, y, z))
    pairs = interaction[
        dx[:, None, None, :, None, None],
        dy[None, :, None, None, :, None],
        dz[None, None, :, None, None, :],
    ]
    assert torch.allclose(found, torch.einsum("abcdef,def->abc", pairs, density))


@pytest.mark.parametrize(("settings", "tolerance"), [("1e-4", 1e-4), (MeshSettings(8, 0.4), 2e-7)])
def test_the_mesh_gives_the_sum_over_pairs(rng, settings, tolerance):
    smearing = 1.3
    if settings == "1e-4":
        settings = MeshSettings.reaching(1e-4, smearing)
    positions, charges = cluster(rng, 120, channels=2)
    layout = Layout(1, 120, None)
    own = smeared_coulomb(torch.tensor(1e-7, dtype=torch.float64), smearing)
    exact = OpenSum(smearing)(positions, charges, layout) + 0.5 * own * (charges**2).sum()
    mesh = OpenMesh(smearing, settings)
    found = mesh.energy(positions, charges, mesh.plan(positions))
    exact, found = (derivatives(energy, positions, charges) for energy in (exact, found))
    for one, other in zip(found, exact, strict=True):
        assert (one - other).norm() < tolerance * other.norm()


def test_the_energy_does_not_depend_on_where_the_mesh_ends(rng):
    positions, charges = cluster(rng, 60)
    mesh = OpenMesh(1.0, MeshSettings.reaching(1e-4, 1.0))
    small = mesh.plan(positions)
    farther = torch.cat([positions, positions[:1] + torch.tensor([20.0, -15.0, 9.0])])
    large = mesh.plan(farther)
    assert isinstance(large, OpenMeshPlan)
    assert np.prod(large.size) > 2 * np.prod(small.size)
    one, other = (mesh.energy(positions, charges, plan) for plan in (small, large))
    assert abs(one - other) < 1e-9 * abs(one)


@pytest.mark.parametrize("removed", [True, False])
def test_structures_are_summed_on_a_mesh_as_by_pairs(rng, monkeypatch, removed):
    n = 80
    config = ElectrostaticsConfig(smearing=1.2, weight=1.4, remove_self_energy=removed)
    definition, fast = Electrostatics(config), Electrostatics(config)
    fast.use_analytic_gradients(1e-6)
    drop = Atoms(f"H{n}", positions=rng.random((n, 3)) * 12)
    crystal = Atoms("H", cell=[5, 5, 5], pbc=True)
    graphs = [graph_from_atoms(atoms, NeighborList(1.0)) for atoms in (drop, crystal)]
    charges = torch.tensor(rng.normal(size=(n + 1, 1)))
    together = batch(graphs)
    expected = definition(together, charges)
    assert torch.allclose(fast(together, charges), expected, rtol=1e-9)
    assert fast.plan(graphs[0]).groups[0].open_mesh is None
    monkeypatch.setattr(OpenMesh, "is_cheaper", lambda *_: True)
    assert fast.plan(graphs[0]).groups[0].open_mesh is not None
    # By pairs and by mesh, alone and in a batch.
    assert torch.allclose(fast(graphs[0], charges[:n]), expected[:1], rtol=1e-6)
    assert torch.allclose(fast(together, charges), expected, rtol=1e-6)


def test_small_structures_are_summed_by_pairs_and_large_ones_on_a_mesh(rng):
    mesh = OpenMesh(1.0, MeshSettings.reaching(1e-4, 1.0))
    for n, cheaper in ((200, False), (20_000, True)):
        positions = torch.tensor(rng.random((n, 3)) * (n / 0.1) ** (1 / 3))
        assert mesh.is_cheaper(positions) is cheaper
