"""What every sum of Gaussian charges must obey, whatever the charges."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from scipy.stats import special_ortho_group

from ase_les.derivatives import differentiate
from ase_les.electrostatics import Electrostatics, ElectrostaticsConfig, ewald
from ase_les.graph import batch
from ase_les.units import COULOMB_CONSTANT


def test_coulombs_constant_is_that_of_the_reference_numbers():
    assert pytest.approx(14.399645478, abs=5e-10) == COULOMB_CONSTANT


def test_four_charges_in_free_space_have_the_reference_energy(energy_of, four):
    atoms, charges = four
    atoms = Atoms("X4", atoms.positions)
    assert energy_of(atoms, charges) == pytest.approx(-4.2858943453, abs=6e-11)
    assert energy_of(atoms, charges, smearing=1.5) == pytest.approx(-3.6496176838, abs=6e-11)


def test_four_charges_in_a_triclinic_cell_have_the_reference_energy(energy_of, four):
    assert energy_of(*four) == pytest.approx(-4.6813631597, abs=6e-11)
    assert energy_of(*four, smearing=1.5) == pytest.approx(-4.0460403222, abs=6e-11)


def test_published_settings_reproduce_published_numbers(energy_of, four):
    published = energy_of(*four, k_cutoff=2 * math.pi / 2)
    assert published == pytest.approx(-4.6983974990, abs=6e-11)
    with_self = energy_of(*four, k_cutoff=2 * math.pi / 1, remove_self_energy=False)
    assert with_self == pytest.approx(4.1653630396, abs=6e-11)


def test_a_lone_ion_feels_its_images_and_the_background(energy_of):
    ion = Atoms("X", cell=[10, 10, 10], pbc=True)
    assert energy_of(ion, [1.0], background=False) == pytest.approx(-1.99756607, abs=6e-9)
    assert energy_of(ion, [1.0]) == pytest.approx(-2.04280389, abs=6e-9)
    wigner = -COULOMB_CONSTANT * 2.8372974795 / (2 * 10)
    assert energy_of(ion, [1.0]) == pytest.approx(wigner, abs=6e-9)
    assert energy_of(ion, [-2.0]) == pytest.approx(4 * wigner, abs=3e-8)


def test_a_lone_ion_in_free_space_has_no_energy_but_its_own(energy_of):
    ion = Atoms("X")
    assert energy_of(ion, [1.5]) == 0
    own = COULOMB_CONSTANT * 1.5**2 / math.sqrt(2 * math.pi)
    assert energy_of(ion, [1.5], remove_self_energy=False) == pytest.approx(own, abs=1e-12)


def test_a_self_energy_can_be_removed_more_than_once(energy_of, four):
    atoms, charges = four
    own = COULOMB_CONSTANT * (charges @ charges) / math.sqrt(2 * math.pi)
    kept, once, twice = (
        energy_of(atoms, charges, remove_self_energy=False),
        energy_of(atoms, charges),
        energy_of(atoms, charges, self_energy_copies=2),
    )
    assert kept - once == pytest.approx(own, abs=1e-12)
    assert once - twice == pytest.approx(own, abs=1e-12)


def test_a_large_cell_differs_from_free_space_by_the_dipole_energy(energy_of, four):
    atoms, charges = four
    dipole = charges @ atoms.positions
    deviations = {}
    for length in (40.0, 60.0):
        boxed = Atoms("X4", atoms.positions, cell=[length] * 3, pbc=True)
        difference = energy_of(boxed, charges, k_cutoff=None) - energy_of(
            Atoms("X4", atoms.positions), charges
        )
        expected = -2 * math.pi / (3 * length**3) * COULOMB_CONSTANT * dipole @ dipole
        deviations[length] = difference / expected - 1
        if length == 40.0:
            assert difference == pytest.approx(-0.004012, abs=5e-7)
    # What is left falls with the next power of the size, 1/L².
    assert abs(deviations[40.0]) < 0.006
    assert deviations[60.0] == pytest.approx(deviations[40.0] * (40 / 60) ** 2, rel=0.05)


@pytest.mark.parametrize("net", [0.0, 0.8])
def test_eight_cells_have_eight_times_the_energy(energy_of, four, net):
    atoms, charges = four
    charges = charges + net / 4
    one = energy_of(atoms, charges)
    assert energy_of(atoms.repeat(2), np.tile(charges, 8)) == pytest.approx(8 * one, abs=1e-9)


def test_energy_ignores_where_and_how_the_crystal_is_described(energy_of, four, rng):
    atoms, charges = four
    charges = charges + 0.1
    expected = energy_of(atoms, charges)

    def same(other, order=slice(None)):
        return energy_of(other, charges[order]) == pytest.approx(expected, abs=1e-11)

    moved = atoms.copy()
    moved.positions += rng.uniform(-5, 5, 3)
    assert same(moved)
    hopped = atoms.copy()
    hopped.positions += rng.integers(-3, 4, (4, 3)) @ atoms.cell.array
    assert same(hopped)
    order = rng.permutation(4)
    assert same(atoms[order], order)
    turned = atoms.copy()
    rotation = special_ortho_group.rvs(3, random_state=rng)
    turned.set_cell(atoms.cell.array @ rotation)
    turned.positions = atoms.positions @ rotation
    assert same(turned)
    for combination in (
        [[0, 1, 0], [1, 0, 0], [0, 0, 1]],
        [[0, 0, 1], [1, 0, 0], [0, 1, 0]],
        [[-1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[1, 0, 0], [2, 1, 0], [-1, 1, 1]],
    ):
        other = atoms.copy()
        other.set_cell(np.array(combination) @ atoms.cell.array)
        assert same(other)


@pytest.mark.parametrize("length", [10.0, 14.0, 20.0])
def test_a_shell_of_wave_vectors_at_the_cutoff_counts_as_a_whole(energy_of, length, rng):
    # k = 2π/dl is a multiple of 2π/L here: round-off must not pick some vectors of the shell.
    positions = rng.random((6, 3)) * length
    charges = rng.normal(size=6)
    energies = []
    for turn in (np.eye(3), *special_ortho_group.rvs(3, size=4, random_state=rng)):
        atoms = Atoms("X6", positions @ turn, cell=length * turn, pbc=True)
        energies.append(energy_of(atoms, charges, k_cutoff=math.pi))
    assert np.ptp(energies) < 1e-10


def test_channels_add_without_cross_terms(energy_of, four, rng):
    atoms, _ = four
    charges = rng.normal(size=(4, 3))
    for structure in (atoms, Atoms("X4", atoms.positions)):
        together = energy_of(structure, charges)
        alone = sum(energy_of(structure, charges[:, channel]) for channel in range(3))
        assert together == pytest.approx(alone, abs=1e-12)


def test_energy_is_quadratic_in_the_charges_and_blind_to_their_sign(energy_of, four):
    atoms, charges = four
    assert energy_of(atoms, -charges) == pytest.approx(energy_of(atoms, charges), abs=1e-12)
    assert energy_of(atoms, 3 * charges) == pytest.approx(9 * energy_of(atoms, charges), abs=1e-10)
    assert energy_of(atoms, charges, weight=0.5) == pytest.approx(
        0.5 * energy_of(atoms, charges), abs=1e-12
    )


CONDITIONS = {
    "neutral": {},
    "charged": {"net": 1.0},
    "charged without background": {"net": 1.0, "background": False},
    "self energy kept": {"net": -0.5, "remove_self_energy": False},
    "wide": {"net": 0.3, "smearing": 1.5},
    "four channels": {"channels": 4, "net": 0.4},
}


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS.keys())
@pytest.mark.parametrize("analytic", [False, True], ids=["plain", "analytic"])
def test_forces_and_all_six_stresses_are_derivatives(
    fixed_charges, graph_of, finite_differences, four, rng, condition, analytic
):
    settings = dict(condition)
    net, channels = settings.pop("net", 0.0), settings.pop("channels", 1)
    atoms, charges = four
    charges = charges[:, None] + net / 4 + 0.3 * np.arange(channels)
    model = fixed_charges(charges, k_cutoff=6.0, **settings)
    if analytic:
        model.electrostatics.use_analytic_gradients()
    result = differentiate(model, graph_of(atoms), stress=True)

    forces, stress = finite_differences(model, atoms)
    assert result.forces.numpy() == pytest.approx(forces, abs=1e-7)
    assert result.stress[0].numpy() == pytest.approx(stress, abs=1e-8)


def test_forces_of_open_charges_are_derivatives(fixed_charges, graph_of, four):
    atoms, charges = four
    model = fixed_charges(charges)
    forces = differentiate(model, graph_of(Atoms("X4", atoms.positions))).forces
    pair = COULOMB_CONSTANT * np.multiply.outer(charges, charges)
    expected = np.zeros((4, 3))
    for i in range(4):
        for j in range(4):
            if i != j:
                d = atoms.positions[i] - atoms.positions[j]
                r = np.linalg.norm(d)
                slope = math.sqrt(2 / math.pi) * math.exp(-0.5 * r * r) / r
                slope -= math.erf(r / math.sqrt(2)) / r**2
                expected[i] -= pair[i, j] * slope * d / r
    assert np.allclose(forces, expected, atol=1e-12)


@pytest.mark.parametrize("boundary", ["periodic", "open", "batch"])
def test_second_derivatives_are_those_of_finite_differences(graph_of, four, rng, boundary):
    atoms, _ = four
    structures = {
        "periodic": [atoms],
        "open": [Atoms("X4", atoms.positions)],
        "batch": [atoms, Atoms("X4", atoms.positions), atoms[:2]],
    }[boundary]
    graph = batch([graph_of(structure) for structure in structures])
    sums = Electrostatics(ElectrostaticsConfig(k_cutoff=2.5, smearing=1.0, remove_self_energy=True))
    charge = torch.tensor(rng.normal(size=(graph.n_atoms, 2)), requires_grad=True)

    def energy(positions, cell, charge):
        return sums(graph._replace(positions=positions, cell=cell), charge)

    inputs = (graph.positions.requires_grad_(True), graph.cell.requires_grad_(True), charge)
    if boundary != "periodic":
        # Cells of open structures have no volume to differentiate by.
        cell = graph.cell.detach()
        inputs = (inputs[0], charge)
        assert torch.autograd.gradgradcheck(lambda r, q: energy(r, cell, q), inputs)
        return
    assert torch.autograd.gradcheck(energy, inputs)
    assert torch.autograd.gradgradcheck(energy, inputs)


def test_structures_in_a_batch_do_not_see_each_other(fixed_charges, graph_of, four, rng):
    atoms, _ = four
    structures = [
        atoms,
        Atoms("X4", atoms.positions),
        Atoms("X", cell=[5, 6, 7], pbc=True),
        Atoms("X6", rng.uniform(0, 12, (6, 3)), cell=[12, 13, 11], pbc=True),
        Atoms("X", [[3.0, 0, 0]]),
        Atoms("X3", rng.uniform(0, 5, (3, 3))),
    ]
    charges = [rng.normal(size=(len(structure), 2)) for structure in structures]
    for analytic in (False, True):
        together = fixed_charges(np.concatenate(charges))
        if analytic:
            together.electrostatics.use_analytic_gradients()
        graph = batch([graph_of(structure) for structure in structures])
        result = differentiate(together, graph, stress=True)
        for index, (structure, mine) in enumerate(zip(structures, charges, strict=True)):
            periodic = structure.pbc.all()
            alone = differentiate(fixed_charges(mine), graph_of(structure), stress=periodic)
            assert result.prediction.energy[index].item() == pytest.approx(
                alone.prediction.energy.item(), abs=1e-11
            )
            assert torch.allclose(
                result.forces[graph.structure == index], alone.forces, rtol=0, atol=1e-12
            )
            if periodic:
                assert torch.allclose(result.stress[index], alone.stress[0], rtol=0, atol=1e-13)


def test_hand_written_gradients_are_those_of_autograd(graph_of, four, rng, monkeypatch):
    # Small blocks, so that the loop over blocks is part of the test.
    monkeypatch.setattr(ewald, "_BLOCK", 500)
    atoms, _ = four
    charges = torch.tensor(rng.normal(size=(4, 3)))
    upstream = []
    for analytic in (False, True):
        sums = Electrostatics(ElectrostaticsConfig(smearing=0.8, remove_self_energy=True))
        if analytic:
            sums.use_analytic_gradients()
        graph = graph_of(atoms)
        inputs = [graph.positions.clone(), graph.cell.clone(), charges.clone()]
        positions, cell, q = (x.requires_grad_(True) for x in inputs)
        energy = 1.7 * sums(graph._replace(positions=positions, cell=cell), q).sum()
        upstream.append([energy, *torch.autograd.grad(energy, [positions, cell, q])])
    for plain, fast in zip(*upstream, strict=True):
        assert torch.allclose(plain, fast, rtol=0, atol=1e-11)


def test_atoms_share_the_energy_by_their_potentials(fixed_charges, graph_of, four):
    atoms, charges = four
    model = fixed_charges(charges + 0.1)
    model.charges.requires_grad_(True)
    for structure in (atoms, Atoms("X4", atoms.positions)):
        result = differentiate(model, graph_of(structure), energies=True)
        assert float(result.energies.detach().sum()) == pytest.approx(
            result.prediction.energy.item(), abs=1e-12
        )


def test_energy_is_smooth_when_the_volume_changes(energy_of):
    """Wave vectors that cross the cutoff leave a step unless their weight is negligible."""
    salt = bulk("NaCl", "rocksalt", a=5.6402, cubic=True).repeat(2)
    salt.rattle(0.1, seed=3)
    charges = np.where(salt.symbols == "Na", 1.0, -1.0)
    scales = np.linspace(0.98, 1.02, 31)

    def roughness(k_cutoff):
        energies = []
        for scale in scales:
            stretched = salt.copy()
            stretched.set_cell(scale * salt.cell.array, scale_atoms=True)
            energies.append(energy_of(stretched, charges, k_cutoff=k_cutoff))
        smooth = np.polynomial.Polynomial.fit(scales, energies, 6)
        return np.abs(smooth(scales) - energies).max()

    assert roughness(None) < 1e-6
    assert roughness(math.pi) > 1e-3


def test_no_step_of_a_volume_scan_jumps(energy_of):
    """10 % of the volume in 200 steps: the third difference shows jumps and nothing else."""
    salt = bulk("NaCl", "rocksalt", a=5.6402, cubic=True).repeat((2, 2, 1))
    salt.rattle(0.1, seed=3)
    charges = np.where(salt.symbols == "Na", 1.0, -1.0) + 0.01

    def largest_jump(k_cutoff):
        energies = []
        for volume in np.linspace(0.95, 1.05, 201):
            stretched = salt.copy()
            stretched.set_cell(volume ** (1 / 3) * salt.cell.array, scale_atoms=True)
            energies.append(energy_of(stretched, charges, k_cutoff=k_cutoff))
        return np.abs(np.diff(energies, 3)).max() / len(salt)

    assert largest_jump(None) < 1e-6
    assert largest_jump(math.pi) > 1e-4


def test_the_sum_is_the_same_for_atoms_far_outside_the_cell(energy_of, four):
    atoms, charges = four
    far = atoms.copy()
    far.positions += 1000 * atoms.cell.array[1]
    assert energy_of(far, charges) == pytest.approx(energy_of(atoms, charges), abs=1e-8)


def test_boundary_conditions_come_from_pbc_and_not_from_the_cell(energy_of, four):
    atoms, charges = four
    boxed = atoms.copy()
    boxed.pbc = False
    assert energy_of(boxed, charges) == energy_of(Atoms("X4", atoms.positions), charges)


def test_wires_are_refused_with_what_is_supported(energy_of, four):
    atoms, charges = four
    wire = atoms.copy()
    wire.pbc = (False, True, False)
    with pytest.raises(ValueError, match=r"pbc = \[False, True, False\]"):
        energy_of(wire, charges)


@pytest.mark.parametrize("name", ["smearing", "k_cutoff"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_smearing_and_cutoff_must_be_positive(name, value):
    with pytest.raises(ValueError, match=f"`{name}`: given {value}, needed: number"):
        ElectrostaticsConfig(**{name: value})
