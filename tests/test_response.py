"""Dipoles, Born charges and fields: derivatives of one dipole, blind to the size of the cell."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, molecule

from ase_les.graph import batch, graph_from_atoms, strained
from ase_les.model import LESModel
from ase_les.neighbors import NeighborList
from ase_les.response import (
    born_charges,
    born_charges_by_phase,
    dipoles,
    quadrupoles,
)

LAYERS = {
    "no layer": (),
    "one layer": (("memory", "radial", "invariant"),),
    "two layers": (("radial", "invariant"), ("memory", "invariant")),
}
RULES = {
    "split": {"neutrality": "split"},
    "formal": {"neutrality": "split", "formal_charges": {"Na": 1.0, "O": -1.0}},
    "mean": {"neutrality": "mean"},
    "none": {"neutrality": "none"},
}
STENCIL = ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12))
STEP = 1e-3


def graph_of(model: LESModel, *structures: Atoms):
    return batch([graph_from_atoms(a, NeighborList(model.config.cutoff)) for a in structures])


def water_pair() -> Atoms:
    pair = molecule("H2O")
    other = molecule("H2O")
    other.rotate(70, "x")
    other.translate((0.4, 0.3, 2.9))
    return pair + other


def box() -> Atoms:
    atoms = bulk("NaO", "rocksalt", a=4.6, cubic=True)
    atoms.set_cell(atoms.cell.array * [1.0, 1.05, 0.97], scale_atoms=True)
    atoms.rattle(0.1, seed=1)
    return atoms


def skewed() -> Atoms:
    atoms = bulk("NaO", "rocksalt", a=4.6) * (2, 1, 1)
    atoms.rattle(0.1, seed=1)
    deformation = [[1.0, 0.1, 0.0], [0.0, 1.05, 0.05], [0.02, 0.0, 0.97]]
    atoms.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
    return atoms


def dipole_of(model: LESModel, atoms: Atoms) -> np.ndarray:
    graph = graph_of(model, atoms)
    with torch.no_grad():
        return dipoles(model, model(graph), graph)[0].numpy()


def slope(of, atoms: Atoms, index: int) -> np.ndarray:
    """∂(a vector of the structure)/∂r of one atom by central differences of fourth order."""
    result = np.zeros((3, 3))
    for axis in range(3):
        for offset, weight in STENCIL:
            moved = atoms.copy()
            moved.positions[index, axis] += offset * STEP
            result[:, axis] += weight * of(moved) / STEP
    return result


def born(model: LESModel, atoms: Atoms, **settings) -> np.ndarray:
    return born_charges(model, graph_of(model, atoms), **settings)[1].detach().numpy()


@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("rule", ["split", "formal"])
@pytest.mark.parametrize("structure", [box, skewed])
def test_born_charges_are_the_slope_of_the_polarization(random_model, structure, rule, layers):
    model = random_model(layers=layers, l_max=2, charges=RULES[rule]).double()
    tensor = born(model, structure())
    assert np.abs(tensor - np.eye(3) * np.trace(tensor[0]) / 3).max() > 1e-3
    expected = slope(lambda atoms: dipole_of(model, atoms), structure(), 1)
    np.testing.assert_allclose(tensor[1], expected, atol=1e-9)


@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("rule", ["split", "mean", "none"])
def test_born_charges_of_a_molecule_are_the_slope_of_its_dipole(random_model, rule, layers):
    model = random_model(layers=layers, l_max=2, charges=RULES[rule]).double()
    tensor = born(model, water_pair())
    expected = slope(lambda atoms: dipole_of(model, atoms), water_pair(), 1)
    np.testing.assert_allclose(tensor[1], expected, atol=1e-9)


@pytest.mark.parametrize("charge", [-1, 2])
def test_born_charges_of_an_ion_hold_the_origin_and_sum_to_its_charge(random_model, charge):
    model = random_model(charges=RULES["split"]).double()
    atoms = water_pair()
    atoms.info["charge"] = charge
    origin = torch.tensor(atoms.get_center_of_mass()[None])
    tensor = born(model, atoms, center=origin)
    expected = slope(lambda moved: dipole_of(model, moved), atoms, 1)
    np.testing.assert_allclose(tensor[1], expected, atol=1e-9)
    np.testing.assert_allclose(tensor.sum(0), charge * np.eye(3), atol=1e-10)


@pytest.mark.parametrize("layers", [LAYERS["no layer"], LAYERS["one layer"]], ids=["0", "1"])
@pytest.mark.parametrize("rule", ["none", "mean"])
def test_charge_that_is_not_conserved_moves_by_its_distance_from_the_displaced_atom(
    random_model, rule, layers
):
    # In a cell so large that every change lies nearer than half of it, distances are unambiguous.
    model = random_model(layers=layers, l_max=2, charges=RULES[rule]).double()
    free = random_model(layers=layers, l_max=2, charges=RULES["none"]).double()
    atoms = skewed()
    large = atoms * ((4, 6, 6) if not layers else (5, 7, 7))
    arms = large.get_distances(1, range(len(large)), mic=True, vector=True)

    def first_moment(moved: Atoms) -> np.ndarray:
        with torch.no_grad():
            return free(graph_of(free, moved)).charges[:, 0].numpy() @ arms

    graph = graph_of(model, atoms)
    charges, tensor = born_charges(model, graph)
    expected = charges[1].item() * np.eye(3) + slope(first_moment, large, 1)
    np.testing.assert_allclose(tensor[1].detach(), expected, atol=1e-9)


@pytest.mark.parametrize("rule", ["none", "mean"])
def test_a_slab_answers_by_its_dipole_along_the_normal_and_like_a_crystal_in_its_plane(
    random_model, rule
):
    model = random_model(layers=LAYERS["one layer"], l_max=2, charges=RULES[rule]).double()
    slab = skewed() * (1, 1, 2)
    slab.center(vacuum=10, axis=2)
    repeated = born(model, slab)
    slab.pbc = (True, True, False)
    normal = np.cross(slab.cell[0], slab.cell[1])
    normal /= np.linalg.norm(normal)
    tensor = born(model, slab)

    along = slope(lambda moved: dipole_of(model, moved), slab, 1).T @ normal
    np.testing.assert_allclose(tensor[1].T @ normal, along, atol=1e-9)
    in_plane = np.eye(3) - np.outer(normal, normal)
    np.testing.assert_allclose(in_plane @ tensor, in_plane @ repeated, atol=1e-12)
    assert np.abs(tensor - repeated).max() > 1e-3


@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("rule", RULES)
def test_born_charges_do_not_know_how_large_the_cell_is(random_model, rule, layers):
    model = random_model(layers=layers, l_max=2, charges=RULES[rule]).double()
    small, large = born(model, skewed()), born(model, skewed() * (2, 1, 2))
    np.testing.assert_allclose(large, np.tile(small, (4, 1, 1)), atol=1e-8)


@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("rule", ["split", "formal"])
def test_born_charges_of_conserved_charges_sum_to_zero(random_model, rule, layers):
    model = random_model(layers=layers, l_max=2, charges=RULES[rule]).double()
    tensor = born(model, skewed())
    assert np.abs(tensor).max() > 1e-2
    np.testing.assert_allclose(tensor.sum(0), 0.0, atol=1e-10)


@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("rule", ["mean", "none"])
@pytest.mark.parametrize("pbc", [(True, True, True), (True, True, False)])
def test_born_charges_sum_to_the_charge_that_a_strain_makes(random_model, pbc, rule, layers):
    model = random_model(layers=layers, l_max=2, charges=RULES[rule]).double()
    atoms = skewed()
    atoms.pbc = pbc
    graph = graph_of(model, atoms)
    charges, tensor = born_charges(model, graph, torch.tensor(atoms.get_center_of_mass()[None]))
    strain = np.zeros((3, 3))
    for row, column in np.ndindex(3, 3):
        for offset, weight in STENCIL:
            deformation = torch.zeros(1, 3, 3).double()
            deformation[0, row, column] = offset * STEP
            with torch.no_grad():
                free = model(strained(graph, deformation)).latent[:, 0].sum().item()
            strain[row, column] += weight * free / STEP
    assert np.abs(strain).max() > 1e-2
    expected = charges.sum().item() * np.eye(3) - strain.T
    if not all(pbc):
        normal = np.cross(atoms.cell[0], atoms.cell[1])
        across = np.outer(normal, normal) / (normal @ normal)
        # Along it there is a dipole, which a translation changes by the charge alone.
        expected = expected + across @ strain.T
    np.testing.assert_allclose(tensor.sum(0).detach(), expected, atol=1e-8)


@pytest.mark.parametrize("layers", [LAYERS["no layer"], LAYERS["one layer"]], ids=["0", "1"])
def test_an_even_shift_brings_charge_from_the_mean_height_of_a_slab(random_model, layers):
    model = random_model(layers=layers, l_max=2, charges=RULES["mean"]).double()
    slab = skewed() * (1, 1, 2)
    slab.center(vacuum=10, axis=2)
    unshifted = born(model, slab)
    slab.pbc = (True, True, False)
    normal = np.cross(slab.cell[0], slab.cell[1])
    normal /= np.linalg.norm(normal)

    def free_sum(moved: Atoms) -> np.ndarray:
        with torch.no_grad():
            return np.full(3, model(graph_of(model, moved)).latent[:, 0].sum().item())

    heights = slab.positions @ normal
    atom = int(heights.argmax())
    expected = (heights[atom] - heights.mean()) * slope(free_sum, slab, atom)[0]
    assert np.abs(expected).max() > 1e-2
    change = (born(model, slab) - unshifted)[atom]
    np.testing.assert_allclose(normal @ change, expected, atol=1e-8)


@pytest.mark.parametrize("structure", [water_pair, box, skewed])
def test_rigid_charges_are_their_own_born_charges(random_model, structure):
    formal = {"Na": 1.0, "O": -1.0, "H": 0.5}
    rigid = {"neutrality": "split", "scale": 0.0, "formal_charges": formal}
    model = random_model(charges=rigid).double()
    torch.nn.init.zeros_(model.long_range.charges.neutrality.pair_charges)
    atoms = structure()
    charge = np.array([{"Na": 1.0, "O": -1.0, "H": 0.5}[symbol] for symbol in atoms.symbols])
    np.testing.assert_array_equal(born(model, atoms), charge[:, None, None] * np.eye(3))
    if structure is box:
        _, phase = born_charges_by_phase(model, graph_of(model, atoms))
        np.testing.assert_allclose(phase, charge[:, None, None] * np.eye(3), atol=1e-12)


@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("rule", RULES)
def test_gradients_by_hand_give_the_same_born_charges(random_model, rule, layers):
    model = random_model(layers=layers, l_max=2, charges=RULES[rule])
    atoms = skewed()
    expected = born(model.double(), atoms)
    np.testing.assert_allclose(born(model.for_inference(), atoms), expected, atol=1e-10)
    single = model.for_inference(dtype="float32")
    np.testing.assert_allclose(born(single, atoms), expected, atol=1e-4)


@pytest.mark.parametrize("rule", ["split", "mean", "none"])
def test_structures_side_by_side_have_the_born_charges_of_each(random_model, rule):
    model = random_model(charges=RULES[rule]).double()
    parts = [skewed(), water_pair(), box()]
    together = born_charges(model, graph_of(model, *parts))[1].detach().numpy()
    np.testing.assert_allclose(together, np.vstack([born(model, a) for a in parts]), atol=1e-12)


@pytest.mark.parametrize("layers", [(), (("invariant",),)], ids=["0", "1"])
@pytest.mark.parametrize("rule", RULES)
def test_every_weight_of_born_charges_can_be_trained(random_model, rng, rule, layers):
    model = random_model(layers=layers, charges=RULES[rule]).double()
    graph = graph_of(model, skewed())

    def size() -> torch.Tensor:
        charges, tensor = born_charges(model, graph, create_graph=True)
        return (tensor**2).sum() + (charges**3).sum()

    weights = dict(model.named_parameters())
    gradients = torch.autograd.grad(size(), weights.values(), allow_unused=True)
    for (name, weight), gradient in zip(weights.items(), gradients, strict=True):
        direction = torch.tensor(rng.normal(size=weight.shape))
        step = 1e-5 * direction / direction.norm()
        values = []
        for factor in (1, -2):
            with torch.no_grad():
                weight += factor * step
            values.append(size().item())
        with torch.no_grad():
            weight += step
        expected = (values[0] - values[1]) / 2e-5
        if gradient is None:
            assert expected == 0, name
            continue
        along = float((gradient * step).sum() / step.norm())
        assert along == pytest.approx(expected, rel=1e-5, abs=1e-7), name


def test_the_published_formula_shortens_distances_by_a_sine(random_model):
    model = random_model(charges=RULES["none"]).double()
    atoms = Atoms("OH", [[0.5, 1.0, 2.0], [2.0, 1.2, 1.8]], cell=[9.0, 10.0, 11.0], pbc=True)
    graph = graph_of(model, atoms)
    charges, exact = born_charges(model, graph)
    _, phase = born_charges_by_phase(model, graph)
    own = charges[:, None, None] * torch.eye(3).double()
    lengths, distance = np.array([9.0, 10.0, 11.0]), np.array([1.5, 0.2, -0.2])
    ratio = (lengths / (2 * np.pi) * np.sin(2 * np.pi * distance / lengths)) / distance
    shortened = (exact - own) * torch.tensor(ratio)[None, :, None]
    np.testing.assert_allclose((phase - own).detach(), shortened.detach(), atol=1e-12)


@pytest.mark.parametrize("structure", [skewed, water_pair])
def test_the_published_formula_needs_an_orthorhombic_cell(random_model, structure):
    model = random_model(charges=RULES["split"]).double()
    with pytest.raises(ValueError, match="needs one periodic cell with vectors along x, y, z"):
        born_charges_by_phase(model, graph_of(model, structure()))


def test_wrapping_atoms_leaves_the_dipole_of_transfers_as_it_is(random_model):
    model = random_model(charges=RULES["split"]).double()
    atoms = skewed()
    before = dipole_of(model, atoms)
    atoms.positions[1] += atoms.cell[0] - 2 * atoms.cell[2]
    assert np.abs(before).max() > 1e-4
    np.testing.assert_allclose(dipole_of(model, atoms), before, atol=1e-12)


def test_the_dipole_of_neutral_split_charges_is_their_first_moment(random_model):
    model = random_model(charges=RULES["split"]).double()
    atoms = water_pair()
    with torch.no_grad():
        charges = model(graph_of(model, atoms)).charges[:, 0].numpy()
    np.testing.assert_allclose(dipole_of(model, atoms), charges @ atoms.positions, atol=1e-13)


def test_charge_that_may_go_anywhere_defines_no_polarization(random_model):
    model = random_model(charges=RULES["split"]).double()
    atoms = skewed()
    atoms.info["charge"] = 1
    with pytest.raises(ValueError, match=r"\+1 e beyond its formal charges"):
        born(model, atoms)


def test_quadrupole_of_two_charges_has_its_textbook_value():
    atoms = Atoms("HHO", [[0, 0, 1.5], [0, 0, -1.5], [0, 0, 0]])
    graph = graph_from_atoms(atoms, NeighborList(1.0))
    charges = torch.tensor([0.5, 0.5, -1.0]).double()
    expected = 0.5 * 1.5**2 * np.diag([-1.0, -1.0, 2.0])
    np.testing.assert_allclose(quadrupoles(charges, graph.positions, graph)[0], expected)
