"""Compiled kernels of MACE and the torch definition give the same numbers."""

from __future__ import annotations

import copy

import pytest
import torch
from ase import Atoms
from ase.build import bulk
from torch import Tensor

from ase_les.graph import Graph, graph_from_atoms
from ase_les.kernels import UsesKernels, library
from ase_les.neighbors import NeighborList
from ase_les.representation import Mace, MaceConfig
from ase_les.representation.mace.radial_table import ExactRadial, RadialTable

pytestmark = pytest.mark.skipif(
    library.compiled_kernels() is None, reason="the kernels were not compiled here"
)

CASES = {
    "scalars": {},
    "vectors": {"l_hidden": 1},
    "quadrupoles": {"l_hidden": 2, "l_max": 2},
    "octupoles": {"l_hidden": 2, "correlation": 2},
    "three layers": {"l_hidden": 1, "l_max": 2, "n_layers": 3, "channels": 32},
    "sums mixed by element": {"residual_first": False, "l_hidden": 1, "correlation": 2},
    "cutoff on weights": {"cutoff_on_weights": True, "trainable_frequencies": True},
    "pairs only": {"correlation": 1, "l_max": 1},
    "densities": {"normalization": "density", "l_hidden": 1, "l_max": 2},
}


def mace(**settings) -> Mace:
    torch.manual_seed(2)
    small = {"cutoff": 3.2, "channels": 16, "n_radial": 5, "radial_hidden": (6, 7)}
    config = MaceConfig(**{**small, "mean_neighbors": 8.0, **settings})
    return Mace(config, (1, 8, 11), ()).double()


def crystal(repeat: int = 1) -> Atoms:
    atoms = bulk("NaO", "rocksalt", a=4.4)
    atoms += Atoms("H2", [[1.1, 0.7, 0.9], [1.9, 1.0, 1.2]])
    atoms *= (repeat, repeat, repeat)
    atoms.rattle(0.1, seed=3)
    return atoms


@pytest.fixture
def graph() -> Graph:
    return graph_from_atoms(crystal(), NeighborList(3.2))


def values_and_forces(model: Mace, graph: Graph, **options) -> tuple[Tensor, Tensor]:
    positions = graph.positions.clone().requires_grad_(True)
    found = model(graph._replace(positions=positions))
    weights = torch.cos(torch.arange(found.numel()).double()).view_as(found).to(found)
    return found, torch.autograd.grad((weights * found).sum(), positions, **options)[0]


# Inference with them has exact radial functions instead of tables.
TRANSFORMED = {"distance_transform": {"kind": "agnesi"}, "l_hidden": 1, "l_max": 2}


@pytest.mark.parametrize(
    "settings", [*CASES.values(), TRANSFORMED], ids=[*CASES, "transformed distances"]
)
def test_training_has_the_derivatives_of_the_definition(settings, graph):
    results = []
    for kernels in (None, library.compiled_kernels()):
        model = mace(**settings)
        model.use_training_kernels(kernels)
        values, forces = values_and_forces(model, graph, create_graph=True)
        loss = (forces**2).sum() + (values**3).sum()
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        results.append([values, forces, *torch.autograd.grad(loss, weights)])
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11)


def test_channels_that_fill_no_vector_are_left_to_torch(graph):
    model = mace(channels=6, l_hidden=1)
    expected = model(graph)
    model.use_training_kernels(library.compiled_kernels())
    assert torch.equal(model(graph), expected)


def with_tables(model: Mace) -> Mace:
    """Return the model for inference, its radial functions from tables in double precision."""
    model = copy.deepcopy(model).requires_grad_(False)
    model.use_analytic_gradients()
    weights = [None, *(interaction.radial_weights for interaction in model.layers)]
    exact = [
        ExactRadial(model._functions(layer, None), weight) for layer, weight in enumerate(weights)
    ]
    model.tables = torch.nn.ModuleList(
        RadialTable(functions, model.cutoff, torch.float64) for functions in exact
    )
    return model


def with_kernels(model: Mace) -> Mace:
    kernels = library.compiled_kernels()
    assert kernels is not None
    model = copy.deepcopy(model)
    for part in list(model.modules()):
        if isinstance(part, UsesKernels):
            part.use_kernels(kernels)
    return model


@pytest.mark.parametrize("settings", CASES.values(), ids=CASES.keys())
def test_inference_has_the_gradients_of_torch(settings, graph):
    torch_only = with_tables(mace(**settings))
    fused = with_kernels(torch_only)
    assert fused.sums_by_kernels is not None
    for expected, found in zip(
        values_and_forces(torch_only, graph), values_and_forces(fused, graph), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.fixture
def threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads_as_before")
def test_threads_share_the_atoms():
    graph = graph_from_atoms(crystal(5), NeighborList(3.2))
    fused = with_kernels(with_tables(mace(l_hidden=1)))
    results = []
    for n_threads in (1, 3):
        torch.set_num_threads(n_threads)
        results.append(values_and_forces(fused, graph))
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


def test_single_precision_is_that_of_the_definition(graph):
    model = mace(l_hidden=1, l_max=2)
    expected = values_and_forces(model, graph)
    single = copy.deepcopy(model).float().requires_grad_(False)
    single.use_analytic_gradients()
    for exact, found in zip(expected, values_and_forces(with_kernels(single), graph), strict=True):
        error = (found - exact).abs().max() / exact.abs().max()
        assert error < 1e-4
