"""Compiled kernels in training have the values and derivatives of the torch definition."""

from __future__ import annotations

import copy

import pytest
import torch
from ase import Atoms
from ase.build import bulk

from ase_les.derivatives import differentiate
from ase_les.graph import Graph, batch, graph_from_atoms
from ase_les.kernels import library, use_training_kernels
from ase_les.neighbors import NeighborList
from ase_les.response import born_charges
from ase_les.testing import example_structures

pytestmark = pytest.mark.skipif(
    library.compiled_kernels() is None, reason="the kernels were not compiled here"
)

CASES = {
    "as it comes": {},
    "no angles": {"l_max": 0, "nu_max": 4},
    "dipolar": {"l_max": 1, "nu_max": 2},
    "quadrupolar": {"l_max": 2, "nu_max": 3},
    "first order": {"l_max": 3, "nu_max": 1},
    "fourth order": {"l_max": 3, "nu_max": 4},
    "the largest": {"l_max": 4, "nu_max": 4},
    "many functions": {"n_radial": 11, "n_mixed": 9, "n_embedding": 3},
    "one of each": {"n_radial": 1, "n_mixed": 1, "n_embedding": 1},
    "a flat cutoff": {"cutoff_exponent": 2},
    "fixed frequencies": {"cutoff_exponent": 6, "trainable_frequencies": False},
    "total charge embedded": {"total_charges": (-1, 0, 2)},
    "split charges": {"charges": {"neutrality": "split"}},
    "no neighbors in reach": {"cutoff": 0.5},
}


@pytest.fixture
def random_model(random_model):
    return lambda **settings: random_model(**settings).double()


def examples(model) -> Graph:
    """A batch with edges beyond the cutoff and an atom without edges."""
    alone = Atoms("H", cell=[30, 30, 30], pbc=True)
    neighbors = [NeighborList(model.config.cutoff, 0.4) for _ in range(9)]
    structures = [*example_structures(model), alone]
    return batch([graph_from_atoms(s, n) for s, n in zip(structures, neighbors, strict=False)])


def training_results(model, graph: Graph) -> list[torch.Tensor]:
    """Energies, forces, stress, and gradients of a loss of all of them."""
    derived = differentiate(model, graph, stress=True, create_graph=True)
    found = [derived.prediction.energy, derived.forces, derived.stress]
    loss = sum((part * torch.cos(torch.arange(part.numel()).view_as(part))).sum() for part in found)
    loss = loss + sum(part.square().sum() for part in found[1:])
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    return [*found, *torch.autograd.grad(loss, weights, allow_unused=True)]


def assert_equal(expected: list, found: list) -> None:
    for a, b in zip(expected, found, strict=True):
        if a is None or b is None:
            assert a is b is None
            continue
        assert (a - b).abs().max() <= 1e-10 * a.abs().max().clamp_min(1e-30)


@pytest.mark.parametrize("settings", CASES.values(), ids=CASES.keys())
def test_gradients_of_the_loss_are_those_of_the_definition(random_model, settings):
    model = random_model(**settings)
    graph = examples(model)
    expected = training_results(model, graph)
    use_training_kernels(model)
    assert model.representation._training_kernels is not None
    assert_equal(expected, training_results(model, graph))


@pytest.mark.parametrize("level", [0, 1, 2])
def test_all_instruction_sets_agree(random_model, level):
    kernels = library.compiled_kernels()
    if level > kernels.level:
        pytest.skip("this processor does not have these instructions")
    model = random_model(n_radial=11, n_mixed=9)
    graph = examples(model)
    expected = training_results(model, graph)
    model.representation.use_training_kernels(kernels._replace(level=level))
    assert_equal(expected, training_results(model, graph))


def test_threads_add_up_the_gradients(random_model):
    model = random_model()
    crystal = bulk("NaCl", "rocksalt", a=4.4, cubic=True) * (4, 4, 3)
    crystal.numbers[::2] = 8
    crystal.numbers[1::2] = 11
    crystal.rattle(0.1, seed=2)
    graph = graph_from_atoms(crystal, NeighborList(model.config.cutoff))
    expected = training_results(model, graph)
    use_training_kernels(model)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert len(library.ranges(graph.n_atoms)) == 3
        assert_equal(expected, training_results(model, graph))
    finally:
        torch.set_num_threads(before)


def test_second_derivatives_by_positions(random_model):
    model = random_model()
    graph = examples(model)
    hessians = []
    for kernels in (None, library.compiled_kernels()):
        model.representation.use_training_kernels(kernels)
        positions = graph.positions.clone().requires_grad_(True)
        energy = model(graph._replace(positions=positions)).energy.sum()
        (forces,) = torch.autograd.grad(energy, positions, create_graph=True)
        weights = torch.cos(torch.arange(forces.numel()).view_as(forces))
        hessians.append(torch.autograd.grad((weights * forces).sum(), positions)[0])
    assert_equal(hessians[:1], hessians[1:])


def test_born_charges_and_their_gradients(random_model):
    model = random_model(charges={"neutrality": "split"})
    graph = examples(model)
    results = []
    for kernels in (None, library.compiled_kernels()):
        model.representation.use_training_kernels(kernels)
        _, born = born_charges(model, graph, create_graph=True)
        weights = list(model.representation.parameters())
        results.append([born, *torch.autograd.grad(born.square().sum(), weights)])
    assert_equal(*results)


def test_message_passing_is_left_to_torch(random_model):
    model = random_model(layers=(("memory", "radial"),))
    graph = examples(model)
    expected = training_results(model, graph)
    use_training_kernels(model)
    assert model.representation._training_kernels is None
    assert_equal(expected, training_results(model, graph))


def test_second_derivatives_by_two_parameters_are_refused(random_model):
    model = random_model()
    use_training_kernels(model)
    features = model.representation(examples(model))
    weight = model.representation.mixing
    (gradient,) = torch.autograd.grad(features.square().sum(), weight, create_graph=True)
    with pytest.raises(RuntimeError, match="use_training_kernels"):
        torch.autograd.grad(gradient.square().sum(), weight)


def test_elements_that_are_not_covered_are_refused(random_model):
    model = random_model()
    use_training_kernels(model)
    graph = examples(model)
    numbers = graph.numbers.clone()
    numbers[0] = 79
    with pytest.raises(IndexError, match="does not cover"):
        model.representation(graph._replace(numbers=numbers))


def test_models_in_training_can_be_copied(random_model):
    model = random_model()
    use_training_kernels(model)
    graph = examples(model)
    assert torch.equal(copy.deepcopy(model)(graph).energy, model(graph).energy)
