"""The mesh is the direct sum, to the error that its spacing and order promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from ase.build import bulk

from ase_les.electrostatics import Electrostatics, ElectrostaticsConfig
from ase_les.electrostatics import mesh as mesh_points
from ase_les.electrostatics.auto_sum import AutoSum
from ase_les.electrostatics.ewald import AnalyticEwaldSum, EwaldSum
from ase_les.electrostatics.layout import Layout
from ase_les.electrostatics.particle_mesh import (
    AnalyticParticleMesh,
    MeshSettings,
    ParticleMesh,
    good_size,
)
from ase_les.electrostatics.wave_vectors import ReciprocalKernel, converged_k_cutoff

CONVERGED = ReciprocalKernel(1.0, converged_k_cutoff(1.0))
KERNELS = {
    "converged": CONVERGED,
    "published cutoff": ReciprocalKernel(1.0, math.pi),
    "wide": ReciprocalKernel(1.6, converged_k_cutoff(1.6)),
}
TRICLINIC = np.array([[1, 0, 0], [0.3, 1, 0], [-0.2, 0.25, 1.1]])


class System:
    """Random charges in a cell, and what a sum says about them."""

    def __init__(self, rng, n_atoms=60, density=0.1, n_channels=1, shape=TRICLINIC):
        length = (n_atoms / density / abs(np.linalg.det(shape))) ** (1 / 3)
        self.cell = torch.tensor(length * shape)[None]
        self.fractional = torch.tensor(rng.uniform(-1, 2, (n_atoms, 3)))
        self.charges = torch.tensor(rng.normal(size=(n_atoms, n_channels)))
        self.layout = Layout(1, n_atoms, None)

    def evaluate(self, sum_, strain=None):
        """Energy, its gradient by positions and charges, and by strain."""
        strain = torch.zeros(1, 3, 3, dtype=torch.float64) if strain is None else strain
        strain = strain.clone().requires_grad_(True)
        positions = (self.fractional @ self.cell[0]).requires_grad_(True)
        charges = self.charges.clone().requires_grad_(True)
        deformation = torch.eye(3, dtype=torch.float64) + strain
        energy = sum_(positions @ deformation[0], charges, self.cell @ deformation, self.layout)
        gradients = torch.autograd.grad(energy.sum(), [positions, charges, strain])
        return energy.detach(), *gradients


def deviation(found, expected) -> float:
    return float((found - expected).square().mean().sqrt() / expected.square().mean().sqrt())


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS.keys())
@pytest.mark.parametrize("order", [4, 5, 6, 7, 8])
def test_the_mesh_converges_to_the_direct_sum(rng, kernel, order):
    """With the power of the order at least, for energies, forces, potentials and stress."""
    system = System(rng, n_channels=2)
    exact = system.evaluate(EwaldSum(kernel))
    coarse, fine = (
        [
            deviation(found, expected)
            for found, expected in zip(
                system.evaluate(ParticleMesh(kernel, MeshSettings(order, spacing))),
                exact,
                strict=True,
            )
        ]
        for spacing in (0.8 * kernel.smearing, 0.4 * kernel.smearing)
    )
    energy, forces, potentials, stress = fine
    assert forces < 1.5e-3 * 10 ** (4 - order) + 2e-6
    assert potentials < forces
    assert stress < forces
    assert energy < forces
    assert fine[1] < coarse[1] * 2 ** -(order - 1.5)


@pytest.mark.parametrize("order", [5, 6])
def test_hand_written_gradients_are_those_of_autograd(rng, monkeypatch, order):
    # Small blocks, so that the loop over blocks is part of the test.
    monkeypatch.setattr(mesh_points, "_BLOCK", 7 * order**3)
    system = System(rng, n_channels=3)
    settings = MeshSettings(order, 0.6)
    plain = system.evaluate(ParticleMesh(CONVERGED, settings))
    analytic = system.evaluate(AnalyticParticleMesh(CONVERGED, settings))
    for slow, fast in zip(plain, analytic, strict=True):
        assert torch.allclose(slow, fast, rtol=0, atol=1e-10)


@pytest.mark.parametrize("n_waves", [(10, 12, 8), (9, 11, 5), (10, 11, 8)])
def test_a_transform_of_the_whole_mesh_is_that_axis_by_axis(n_waves, monkeypatch):
    points = mesh_points.Mesh(2, (10, 12, 14), 5, n_waves)
    values = torch.randn(points.with_margin).double().flatten()
    found = []
    for most in (2**18, 0):
        monkeypatch.setattr(mesh_points, "_MOST_AT_ONCE", most)
        waves = points.transform(values.clone())
        found.append((waves, points.transform_back(waves.clone())))
    assert found[0][1].std() > 100
    for whole, by_axis in zip(*found, strict=True):
        assert torch.allclose(whole, by_axis, rtol=0, atol=1e-10)


def test_second_derivatives_are_those_of_finite_differences(rng):
    system = System(rng, n_atoms=3, density=0.03, n_channels=2)
    mesh = ParticleMesh(CONVERGED, MeshSettings(4, 0.9))

    def energy(positions, charges, cell):
        return mesh(positions, charges, cell, system.layout)

    inputs = (
        (system.fractional @ system.cell[0]).requires_grad_(True),
        system.charges.requires_grad_(True),
        system.cell.requires_grad_(True),
    )
    assert torch.autograd.gradcheck(energy, inputs)
    assert torch.autograd.gradgradcheck(energy, inputs)


@pytest.mark.parametrize("accuracy", [1e-3, 1e-4, 1e-5, 1e-6])
def test_the_accuracy_asked_for_is_reached_without_waste(rng, accuracy):
    salt = bulk("NaCl", "rocksalt", a=5.6402, cubic=True).repeat(2)
    salt.rattle(0.2, seed=1)
    crystal = System(rng, n_atoms=len(salt))
    crystal.cell = torch.tensor(salt.cell.array)[None]
    crystal.fractional = torch.tensor(salt.get_scaled_positions())
    crystal.charges = torch.tensor(np.where(salt.symbols == "Na", 1.0, -1.0))[:, None]
    reached = []
    for system in (crystal, System(rng, n_atoms=200), System(rng, n_atoms=50, density=0.02)):
        for smearing in (0.8, 1.0, 1.5):
            kernel = ReciprocalKernel(smearing, converged_k_cutoff(smearing))
            mesh = AnalyticParticleMesh(kernel, MeshSettings.reaching(accuracy, smearing))
            forces = system.evaluate(mesh)[1]
            reached.append(deviation(forces, system.evaluate(AnalyticEwaldSum(kernel))[1]))
    assert max(reached) < accuracy
    assert max(reached) > 0.2 * accuracy


def test_a_structure_has_the_same_energy_wherever_its_atoms_are_unwrapped(rng):
    system = System(rng)
    mesh = ParticleMesh(CONVERGED, MeshSettings(6, 0.5))
    before = system.evaluate(mesh)
    system.fractional = system.fractional + torch.tensor(rng.integers(-3, 4, (60, 3)))
    after = system.evaluate(mesh)
    for one, other in zip(before[:3], after[:3], strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-10)
    # On the faces of the cell, where a coordinate is a whole number of periods to round-off.
    system.fractional[:4] = torch.tensor([[0, 0, 0], [-1e-17] * 3, [-1e-300, 2, 0.5], [1, 1, 1]])
    exact = system.evaluate(EwaldSum(CONVERGED))
    assert deviation(system.evaluate(mesh)[1], exact[1]) < 1e-4


def test_structures_in_a_batch_do_not_see_each_other(rng):
    systems = [System(rng, n_atoms=n, n_channels=2) for n in (5, 40, 17)]
    # One mesh size for all: with cells of one size that is the mesh of each.
    for system in systems:
        system.cell = systems[1].cell
    layout = Layout.of(torch.tensor([0] * 5 + [1] * 40 + [2] * 17), 3)
    for mesh in (
        ParticleMesh(CONVERGED, MeshSettings(6, 0.5)),
        AnalyticParticleMesh(CONVERGED, MeshSettings(6, 0.5)),
    ):
        positions = torch.cat([s.fractional @ s.cell[0] for s in systems]).requires_grad_(True)
        charges = torch.cat([s.charges for s in systems]).requires_grad_(True)
        energy = mesh(positions, charges, torch.cat([s.cell for s in systems]), layout)
        together = torch.autograd.grad(energy.sum(), [positions, charges])
        alone = [system.evaluate(mesh) for system in systems]
        assert torch.allclose(energy, torch.cat([a[0] for a in alone]), rtol=0, atol=1e-10)
        for index, gradient in enumerate(together, start=1):
            expected = torch.cat([a[index] for a in alone])
            assert torch.allclose(gradient, expected, rtol=0, atol=1e-10)


def test_slabs_are_summed_on_the_mesh_as_well(fixed_charges, graph_of, rng):
    salt = bulk("NaCl", "rocksalt", a=5.6402, cubic=True).repeat((2, 2, 1))
    salt.rattle(0.1, seed=2)
    salt.pbc = (True, True, False)
    from ase_les.derivatives import differentiate

    charges = np.where(salt.symbols == "Na", 1.0, -0.9)
    exact, fast = fixed_charges(charges), fixed_charges(charges)
    fast.electrostatics.periodic_sum = AnalyticParticleMesh(
        CONVERGED, MeshSettings.reaching(1e-6, 1.0)
    )
    expected, found = (differentiate(m, graph_of(salt), stress=True) for m in (exact, fast))
    assert deviation(found.forces, expected.forces) < 1e-6
    assert deviation(found.stress, expected.stress) < 1e-5


def choice(sums: AutoSum, n_atoms: int, cell) -> str:
    chosen = sums.choose(cell, Layout(1, n_atoms, None))
    return {sums.direct: "direct", sums.mesh: "mesh"}[chosen]


def test_small_structures_are_summed_directly_and_large_ones_on_the_mesh(rng):
    sums = AutoSum(CONVERGED, 1e-4)
    sizes = {n: System(rng, n_atoms=n) for n in (2, 100, 5000, 20000)}
    choices = {n: choice(sums, n, system.cell) for n, system in sizes.items()}
    assert choices == {2: "direct", 100: "direct", 5000: "mesh", 20000: "mesh"}
    # A lone ion in a huge box needs no mesh either.
    assert choice(sums, 1, 60 * torch.eye(3, dtype=torch.float64)[None]) == "direct"
    exact = sizes[100].evaluate(EwaldSum(CONVERGED))
    assert deviation(sizes[100].evaluate(sums)[1], exact[1]) < 1e-12


def test_a_breathing_cell_has_steps_in_its_energy_far_below_the_accuracy(rng):
    """10 % of the volume in 200 steps, as in a run at constant pressure, with the default mesh."""
    settings = MeshSettings.reaching(1e-4, 1.0)
    system = System(rng, n_atoms=100)
    # A cell that just fits its mesh: the next larger one needs another.
    system.cell = 23.999 * settings.spacing * torch.eye(3, dtype=torch.float64)[None]
    scales = np.linspace(0.95, 1.05, 201) ** (1 / 3)
    mesh = AnalyticParticleMesh(CONVERGED, settings)
    energies, sizes = [], set()
    for scale in scales:
        strain = (scale - 1) * torch.eye(3, dtype=torch.float64)[None]
        energies.append(system.evaluate(mesh, strain)[0].item())
        sizes.add(mesh.mesh_size(scale * system.cell))
    assert len(sizes) > 1, "the mesh never changed: this test shows nothing"
    # Third differences are free of the smooth change with the volume.
    assert np.abs(np.diff(energies, 3)).max() / 100 < 2e-6


@pytest.mark.parametrize("pbc", [(True, True, True), (True, True, False), False])
def test_a_plan_changes_no_digit(rng, pbc, graph_of, fixed_charges):
    from ase import Atoms

    from ase_les.derivatives import differentiate

    n_atoms = 600
    cell = 18.0 * np.array(TRICLINIC)
    atoms = Atoms(f"H{n_atoms}", rng.uniform(0, 1, (n_atoms, 3)) @ cell, cell=cell, pbc=pbc)
    model = fixed_charges(rng.normal(size=n_atoms))
    sums = model.electrostatics
    sums.use_analytic_gradients(1e-4)
    graph = graph_of(atoms)
    plan = sums.plan(graph)
    # Plans of open structures are made anew, which costs next to nothing.
    assert pbc is False or sums.plan(graph, plan) is plan
    stress = bool(graph.pbc.any())
    without = differentiate(model, graph, stress=stress)
    for _ in range(2):
        found = differentiate(model, graph, plan=plan, stress=stress)
        assert torch.equal(found.prediction.energy, without.prediction.energy)
        assert torch.equal(found.forces, without.forces)
        assert not stress or torch.equal(found.stress, without.stress)


@pytest.mark.parametrize(
    "changed",
    [
        lambda graph: graph._replace(cell=1.001 * graph.cell),
        lambda graph: graph._replace(pbc=torch.tensor([[True, False, True]])),
        lambda graph: graph._replace(
            positions=graph.positions[1:], structure=graph.structure[1:], numbers=graph.numbers[1:]
        ),
        lambda graph: graph._replace(positions=graph.positions * torch.tensor([1.0, 1.0, 3.0])),
    ],
    ids=["cell", "pbc", "atoms", "height of the slab"],
)
def test_a_plan_is_not_reused_for_another_structure(rng, graph_of, changed):
    from ase import Atoms

    atoms = Atoms("H9", rng.uniform(0, 8, (9, 3)), cell=[8.0, 8.0, 8.0], pbc=(True, True, False))
    sums = Electrostatics(ElectrostaticsConfig(smearing=1.0))
    sums.use_analytic_gradients(1e-4)
    graph = graph_of(atoms)
    plan = sums.plan(graph)
    assert sums.plan(changed(graph), plan) is not plan


def test_accuracy_is_a_setting_of_the_evaluation(rng):
    sums = Electrostatics(ElectrostaticsConfig(smearing=1.0, remove_self_energy=True))
    sums.use_analytic_gradients(accuracy=1e-6)
    assert sums.periodic_sum.mesh.settings == MeshSettings.reaching(1e-6, 1.0)
    sums.use_analytic_gradients()
    assert isinstance(sums.periodic_sum, AnalyticEwaldSum)


def test_mesh_sizes_are_even_and_products_of_small_primes():
    assert [good_size(n) for n in (1, 6, 6.1, 11, 13, 22, 97.5, 121)] == [
        *(2, 6, 8, 12, 14, 24, 98, 126)
    ]


def test_impossible_meshes_are_refused_with_what_is_possible():
    for settings, message in (
        (MeshSettings(3, 0.5), "`order` must be 4 to 8, got 3"),
        (MeshSettings(6, -0.5), "`spacing` must be positive"),
    ):
        with pytest.raises(ValueError, match=message):
            ParticleMesh(CONVERGED, settings)
    for accuracy in (0.0, 0.5, float("nan")):
        with pytest.raises(ValueError, match="`accuracy` must be between"):
            MeshSettings.reaching(accuracy, 1.0)
