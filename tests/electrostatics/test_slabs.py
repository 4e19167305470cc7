"""Slabs: two periodic directions, and nothing the third lattice vector could change."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from scipy.special import erf
from scipy.stats import special_ortho_group

from ase_les.derivatives import differentiate
from ase_les.electrostatics import Electrostatics, ElectrostaticsConfig
from ase_les.electrostatics.ewald import AnalyticEwaldSum
from ase_les.electrostatics.particle_mesh import AnalyticParticleMesh, MeshSettings
from ase_les.graph import batch, graph_from_atoms, strained
from ase_les.neighbors import NeighborList
from ase_les.units import COULOMB_CONSTANT

PLANES = {"square": [[8.0, 0.0], [0.0, 8.0]], "triclinic": [[8.0, 0.0], [3.0, 7.0]]}


def slab_of(positions, plane, third, normal_axis=2) -> Atoms:
    """Charges in a cell whose third vector is `third`, turned so that the normal is an axis."""
    cell = np.zeros((3, 3))
    cell[:2, :2] = plane
    cell[2] = third
    turn = np.roll(np.arange(3), normal_axis + 1)
    pbc = np.array([True, True, False])[turn]
    return Atoms(
        f"X{len(positions)}", np.array(positions)[:, turn], cell=cell[turn][:, turn], pbc=pbc
    )


@pytest.fixture
def polar(rng):
    """Positions and charges with a dipole of 6 e Å along z."""
    positions = rng.uniform(0, 8, (6, 3)) * [1, 1, 0.8]
    positions[:2] = [[1, 2, 0.0], [1, 2, 6.4]]
    charges = np.array([-0.5, 0.5, 0.3, -0.4, 0.3, -0.2])
    charges[:2] += np.array([-1, 1]) * (6 - charges @ positions[:, 2]) / 6.4
    assert charges @ positions[:, 2] == pytest.approx(6.0)
    assert charges.sum() == pytest.approx(0.0)
    return positions, charges


def in_vacuum(energy_of, positions, plane, charges, vacuum: float) -> float:
    """The sum over a real cell with much vacuum plus the term of Yeh and Berkowitz."""
    area = abs(np.linalg.det(plane))
    height = np.ptp(positions[:, 2]) + vacuum
    atoms = slab_of(positions, plane, [0, 0, height])
    atoms.pbc = True
    z, net = positions[:, 2], charges.sum()
    term = (charges @ z) ** 2 - net * (charges @ z**2) - net**2 * height**2 / 12
    return energy_of(atoms, charges) + 2 * math.pi * COULOMB_CONSTANT / (area * height) * term


@pytest.mark.parametrize("normal_axis", [0, 1, 2])
@pytest.mark.parametrize("plane", PLANES.values(), ids=PLANES.keys())
@pytest.mark.parametrize("net", [0.0, 0.7], ids=["neutral", "charged"])
def test_polar_slab_energy_does_not_depend_on_vacuum(energy_of, polar, net, plane, normal_axis):
    positions, charges = polar
    charges = charges + net / 6
    expected = in_vacuum(energy_of, positions, plane, charges, vacuum=60.0)
    for third in ([0, 0, 0], [0, 0, 2], [0, 0, 15], [0, 0, 100], [0, 0, -30], [4, -3, 15]):
        atoms = slab_of(positions, plane, third, normal_axis)
        assert energy_of(atoms, charges) == pytest.approx(expected, abs=1e-6)
        assert energy_of(atoms, charges, k_cutoff=None) == pytest.approx(expected, abs=1e-5)


def test_without_the_dipole_term_the_vacuum_matters_as_the_literature_says(energy_of):
    """The size of the mistake that the term removes, M = 6 e Å over 8 × 8 Å."""
    positions, charges = np.array([[1, 2, 0.0], [1, 2, 6.0]]), np.array([-1.0, 1.0])
    exact = energy_of(slab_of(positions, PLANES["square"], [0, 0, 0]), charges)
    for height, mistake in ((15.0, 3.39), (100.0, 0.51)):
        atoms = slab_of(positions, PLANES["square"], [0, 0, height])
        atoms.pbc = True
        assert exact - energy_of(atoms, charges) == pytest.approx(mistake, abs=0.01)


@pytest.mark.parametrize("sheets", [1, 2])
def test_uniform_charged_planes_obey_gauss_law(energy_of, sheets):
    """Grids finer than their smearing are planes: E = -(π k_e / A) ΣΣ q q ⟨|z|⟩."""
    width, spacing = 4, 1.0
    grid = np.array([[x, y, 0.0] for x in range(width) for y in range(width)]) * spacing
    heights = np.array([0.0, 5.0])[:sheets]
    positions = np.concatenate([grid + np.array([0, 0, z]) for z in heights])
    per_sheet = np.array([1.0, -0.4])[:sheets]
    charges = np.repeat(per_sheet / width**2, width**2)
    smearing = 1.5
    atoms = Atoms(positions=positions, cell=[4.0, 4.0, 0], pbc=(True, True, False))
    distance = np.subtract.outer(heights, heights)
    smeared = distance * erf(distance / (math.sqrt(2) * smearing)) + smearing * math.sqrt(
        2 / math.pi
    ) * np.exp(-(distance**2) / (2 * smearing**2))
    expected = -math.pi * COULOMB_CONSTANT / 16 * per_sheet @ smeared @ per_sheet
    energy = energy_of(atoms, charges, smearing=smearing, remove_self_energy=False)
    # What the grid adds to the plane has weight exp(-σ²k²/2) at k = 2π/spacing.
    assert energy == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("width", [1, 2, 5])
def test_a_wide_slab_has_the_energy_of_its_cells(energy_of, polar, width):
    """Wide cells in thin vacuum are where copies of the slab feel each other's structure."""
    positions, charges = polar
    cell = slab_of(positions, PLANES["triclinic"], [0, 0, 0])
    wide = cell.repeat((width, width, 1))
    one = energy_of(cell, charges, k_cutoff=6.0)
    many = energy_of(wide, np.tile(charges, width**2), k_cutoff=6.0)
    assert many == pytest.approx(width**2 * one, abs=1e-6 * width**2)


def test_a_narrow_slab_of_gaussians_goes_over_into_points(energy_of):
    """One layer of rock salt: the Madelung constant of the square lattice, 1.6155426267."""
    atoms = Atoms("X2", [[0, 0, 0], [1, 0, 0.0]], cell=[[1, 1, 0], [1, -1, 0], [0, 0, 0]])
    atoms.pbc = (True, True, False)
    atoms.set_cell(3.0 * atoms.cell.array, scale_atoms=False)
    atoms.positions *= 3.0
    energy = energy_of(atoms, [1.0, -1.0], smearing=0.25, k_cutoff=28.0)
    assert energy == pytest.approx(-1.6155426267 * COULOMB_CONSTANT / 3.0, abs=1e-6)


def test_energy_ignores_where_and_how_the_slab_is_described(energy_of, polar, rng):
    positions, charges = polar
    charges = charges + 0.1
    atoms = slab_of(positions, PLANES["triclinic"], [0, 0, 0])
    expected = energy_of(atoms, charges)

    def same(other):
        return energy_of(other, charges) == pytest.approx(expected, abs=1e-9)

    moved = atoms.copy()
    moved.positions += [7.0, -30.0, 400.0]
    assert same(moved)
    hopped = atoms.copy()
    hopped.positions += rng.integers(-3, 4, (6, 3)) @ (atoms.cell.array)
    assert same(hopped)
    rotation = special_ortho_group.rvs(3, random_state=rng)
    turned = Atoms("X6", positions @ rotation, cell=atoms.cell.array @ rotation, pbc=atoms.pbc)
    assert same(turned)
    mirrored = Atoms("X6", positions * [1, 1, -1], cell=atoms.cell.array, pbc=atoms.pbc)
    assert same(mirrored)
    for combination in ([[0, 1, 0], [1, 0, 0], [0, 0, 1]], [[1, 0, 0], [1, 1, 0], [0, 0, 1]]):
        other = atoms.copy()
        other.set_cell(np.array(combination) @ atoms.cell.array)
        assert same(other)


@pytest.mark.parametrize("normal_axis", [0, 1, 2])
@pytest.mark.parametrize("net", [0.0, 0.7], ids=["neutral", "charged"])
@pytest.mark.parametrize("analytic", [False, True], ids=["plain", "analytic"])
def test_forces_and_the_stress_of_the_plane_are_derivatives(
    fixed_charges, graph_of, finite_differences, polar, net, normal_axis, analytic
):
    positions, charges = polar
    charges = np.stack([charges + net / 6, 0.3 * charges[::-1]], axis=1)
    atoms = slab_of(positions, PLANES["triclinic"], [2, 1, 15], normal_axis)
    model = fixed_charges(charges)
    if analytic:
        model.electrostatics.use_analytic_gradients()
    result = differentiate(model, graph_of(atoms), stress=True)

    forces, slopes = finite_differences(model, atoms)
    assert result.forces.numpy() == pytest.approx(forces, abs=1e-6)
    in_plane = np.ones((3, 3), dtype=bool)
    in_plane[normal_axis] = in_plane[:, normal_axis] = False
    stress = result.stress[0].numpy()
    assert stress[in_plane] == pytest.approx(slopes[in_plane], abs=1e-7)
    assert (stress[~in_plane] == 0).all()


def test_second_derivatives_are_those_of_finite_differences(graph_of, polar, rng):
    positions, _ = polar
    atoms = slab_of(positions[:3], PLANES["triclinic"], [0, 0, 0])
    graph = batch([graph_of(atoms), graph_of(Atoms("X2", positions[:2]))])
    sums = Electrostatics(ElectrostaticsConfig(k_cutoff=2.0, smearing=1.0, remove_self_energy=True))
    charge = torch.tensor(rng.normal(size=(5, 2)), requires_grad=True)

    def energy(positions, charge):
        return sums(graph._replace(positions=positions), charge)

    inputs = (graph.positions.requires_grad_(True), charge)
    assert torch.autograd.gradcheck(energy, inputs)
    assert torch.autograd.gradgradcheck(energy, inputs)


def test_crystals_slabs_and_molecules_in_a_batch_do_not_see_each_other(
    fixed_charges, graph_of, polar, four, rng
):
    positions, _ = polar
    structures = [
        slab_of(positions, PLANES["square"], [0, 0, 0]),
        four[0],
        slab_of(positions[:4], PLANES["triclinic"], [0, 0, 40], normal_axis=0),
        Atoms("X6", positions),
        slab_of([[0, 0, 0.0]], 3 * np.eye(2), [1, 2, 3], normal_axis=1),
    ]
    charges = [rng.normal(size=(len(structure), 2)) for structure in structures]
    for analytic in (False, True):
        together = fixed_charges(np.concatenate(charges))
        if analytic:
            together.electrostatics.use_analytic_gradients()
        graph = batch([graph_of(structure) for structure in structures])
        result = differentiate(together, graph, stress=True)
        for index, (structure, mine) in enumerate(zip(structures, charges, strict=True)):
            has_stress = structure.cell.volume > 0
            alone = differentiate(fixed_charges(mine), graph_of(structure), stress=has_stress)
            assert result.prediction.energy[index].item() == pytest.approx(
                alone.prediction.energy.item(), abs=1e-8
            )
            assert torch.allclose(
                result.forces[graph.structure == index], alone.forces, rtol=0, atol=1e-8
            )
            if has_stress:
                assert torch.allclose(result.stress[index], alone.stress[0], rtol=0, atol=1e-9)


def test_energy_is_smooth_while_a_slab_breathes(energy_of, polar):
    """The box grows in steps with the slab; none of them shows in the energy."""
    positions, charges = polar
    scales = np.linspace(0.9, 1.1, 41)
    energies = [
        energy_of(
            slab_of(positions * [1, 1, scale], PLANES["square"], [0, 0, 0]), charges, k_cutoff=None
        )
        for scale in scales
    ]
    smooth = np.polynomial.Polynomial.fit(scales, energies, 12)
    assert np.abs(smooth(scales) - energies).max() < 1e-6 * len(charges)


def test_two_surfaces_far_apart_add(energy_of):
    """A thick neutral slab: its energy is linear in the number of layers."""
    salt = bulk("NaCl", "rocksalt", a=5.6402, cubic=True)
    energies = []
    for layers in (2, 3, 4):
        slab = salt.repeat((1, 1, layers))
        slab.pbc = (True, True, False)
        energies.append(energy_of(slab, np.where(slab.symbols == "Na", 1.0, -1.0)))
    assert energies[2] - energies[1] == pytest.approx(energies[1] - energies[0], abs=1e-6)
    assert (energies[2] - energies[1]) / 4 == pytest.approx(-8.77897641, abs=1e-6)


@pytest.mark.parametrize("method", ["direct", "mesh"])
@pytest.mark.parametrize("net", [0.0, 1.0])
def test_a_short_box_in_which_the_interaction_ends_gives_the_same_derivatives(method, net, rng):
    """The definition repeats the slab far apart and corrects for its copies."""
    n = 50
    atoms = Atoms(f"H{n}", positions=rng.random((n, 3)) * [30, 28, 4], pbc=(True, True, False))
    atoms.cell = [[30, 0, 0], [9, 28, 0], [1, 2, 12]]
    charges = rng.normal(size=n)
    charges = torch.tensor(charges + (net - charges.sum()) / n)[:, None]
    definition, short = (Electrostatics(ElectrostaticsConfig(smearing=1.0)) for _ in range(2))
    kernel = short.config.kernel()
    short.periodic_sum = (
        AnalyticEwaldSum(kernel)
        if method == "direct"
        else AnalyticParticleMesh(kernel, MeshSettings(8, 0.3))
    )
    graph = graph_from_atoms(atoms, NeighborList(1.0))
    found = []
    for sums in (definition, short):
        plan = sums.plan(graph)
        strain = torch.zeros(1, 3, 3, dtype=torch.float64, requires_grad=True)
        variables = [graph.positions.clone().requires_grad_(), charges.clone().requires_grad_()]
        moved = strained(graph._replace(positions=variables[0]), strain)
        energy = sums(moved, variables[1], plan)
        by_place, by_charge, by_strain = torch.autograd.grad(energy.sum(), [*variables, strain])
        found.append((energy, by_place, by_charge, by_strain[:, :2, :2]))
        assert plan.groups[0].sum.truncated is (sums is short)
    assert plan.groups[0].box_lengths < 0.7 * definition.plan(graph).groups[0].box_lengths
    for one, other, tolerance in zip(*found, (1e-6, 1e-5, 1e-6, 1e-5), strict=True):
        assert (one - other).abs().max() < tolerance
        assert one.abs().max() > 1.0


def test_sums_with_a_cutoff_that_shows_keep_their_box():
    """Published models are defined by it."""
    atoms = Atoms("H2", positions=[[0, 0, 0], [9, 9, 1]], cell=[40, 40, 0], pbc=(1, 1, 0))
    graph = graph_from_atoms(atoms, NeighborList(1.0))
    for k_cutoff, truncated in ((3.0, False), (None, True)):
        sums = Electrostatics(ElectrostaticsConfig(smearing=1.0, k_cutoff=k_cutoff))
        sums.use_analytic_gradients(1e-4)
        assert sums.plan(graph).groups[0].sum.truncated is truncated
