"""Compiled kernels and the torch definition give the same numbers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk, molecule

from ase_les import LESCalculator, load_model
from ase_les.derivatives import Derivatives, differentiate
from ase_les.electrostatics.ewald import AnalyticEwaldSum
from ase_les.electrostatics.layout import Layout
from ase_les.electrostatics.particle_mesh import AnalyticParticleMesh, MeshSettings
from ase_les.electrostatics.wave_vectors import ReciprocalKernel
from ase_les.graph import Graph, batch, graph_from_atoms
from ase_les.kernels import covers, generate, library
from ase_les.kernels.edges import edges_within
from ase_les.kernels.representation import radial_polynomials
from ase_les.model import LESModel
from ase_les.model_io import list_models
from ase_les.neighbors import NeighborList
from ase_les.representation import CaceConfig
from ase_les.representation.radial import BesselBasis
from ase_les.response import born_charges, born_charges_by_phase
from ase_les.testing import example_structures

REPOSITORY = Path(__file__).parents[2]

compiled = pytest.mark.skipif(
    library.compiled_kernels() is None, reason="the kernels were not compiled here"
)

# Relative to the largest value; what round-off leaves of float64.
EXACT = 1e-10

MODELS = {
    "as it comes": {},
    "no angles": {"l_max": 0, "nu_max": 4},
    "dipolar": {"l_max": 1, "nu_max": 2},
    "pairs of quadrupoles": {"l_max": 2, "nu_max": 2},
    "quadrupolar": {"l_max": 2, "nu_max": 3},
    "first order": {"l_max": 3, "nu_max": 1},
    "fourth order": {"l_max": 3, "nu_max": 4},
    "the largest": {"l_max": 4, "nu_max": 4},
    "l_max 4, third order": {"l_max": 4, "nu_max": 3},
    "many functions": {"n_radial": 11, "n_mixed": 9, "n_embedding": 3},
    "one of each": {"n_radial": 1, "n_mixed": 1, "n_embedding": 1},
    "another cutoff function": {"cutoff_exponent": 6, "trainable_frequencies": False},
    "total charge embedded": {"total_charges": (-1, 0, 2)},
    "charges see farther": {"charge_representation": CaceConfig(4.5, 3, 2, 2, 1, 2)},
    "split charges": {"charges": {"neutrality": "split"}},
    "two channels of split charge": {"charges": {"neutrality": "split", "n_channels": 2}},
    "formal charges": {
        "charges": {"neutrality": "split", "formal_charges": {"Na": 1, "H": 1, "O": -2}}
    },
    "free charges of four channels": {"charges": {"neutrality": "none", "n_channels": 4}},
    "shared electrons": {
        "equilibration": {"elements": ("Na", "O"), "hardness": 4.0},
        "charges": {"neutrality": "split"},
    },
    "short range only": {"long_range": False},
}


def graph_of(model: LESModel, *structures: Atoms) -> Graph:
    """A batch whose neighbor lists have a skin, so that some edges are longer than the cutoff."""
    return batch([graph_from_atoms(s, NeighborList(model.config.cutoff, 0.4)) for s in structures])


def examples(model: LESModel) -> Graph:
    return graph_of(model, *example_structures(model))


def results(model: LESModel, graph: Graph, dtype: str, kernels: bool) -> dict[str, torch.Tensor]:
    # A mesh, so that its kernels are compared as well.
    engine = model.for_inference(dtype=dtype, accuracy=1e-4, kernels=kernels)
    assert kernels == covers(engine)
    found: Derivatives = differentiate(engine, graph, stress=True, energies=True)
    values = {
        "energy": found.prediction.energy,
        "forces": found.forces,
        "stress": found.stress,
        "energies": found.energies,
    }
    if found.prediction.charges.numel():
        values["charges"] = found.prediction.charges
    return {name: value.detach() for name, value in values.items()}


def assert_same(model: LESModel, graph: Graph) -> None:
    definition = results(model, graph, "float64", kernels=False)
    exact = results(model, graph, "float64", kernels=True)
    single = results(model, graph, "float32", kernels=False)
    fused = results(model, graph, "float32", kernels=True)
    for name, expected in definition.items():
        size = expected.abs().max()
        assert (exact[name] - expected).abs().max() <= EXACT * size, name
        noise = (single[name] - expected).abs().max()
        assert (fused[name] - expected).abs().max() <= 6 * noise + 2e-7 * size, name


@compiled
@pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS.keys())
def test_random_models_are_the_same_with_kernels(random_model, settings):
    model = random_model(**settings)
    assert_same(model, examples(model))


@compiled
@pytest.mark.parametrize("name", list_models())
def test_shipped_models_are_the_same_with_kernels(name):
    model = load_model(name)
    # MACE has its own tests, `test_mace_kernels.py`.
    if getattr(model.config.representation, "layers", True):
        assert not covers(model.for_inference())
        return
    assert_same(model, examples(model))


@compiled
@pytest.mark.parametrize("name", ["water-bec-v1", "tio2-nacl-aq", "water-mp1-nq4"])
def test_published_models_are_the_same_with_kernels(shared, name):
    model = load_model(shared / "published" / name / "checkpoint.pth")
    if model.config.representation.layers:
        assert not covers(model.for_inference())
        return
    assert_same(model, examples(model))


@compiled
@pytest.mark.parametrize("settings", [{"n_radial": 11, "n_mixed": 9}, {"l_max": 4, "nu_max": 4}])
def test_all_instruction_sets_of_this_processor_agree(random_model, monkeypatch, settings):
    model = random_model(charges={"neutrality": "split"}, **settings)
    graph = examples(model)
    kernels = library.compiled_kernels()
    for level in range(kernels.level + 1):
        monkeypatch.setattr(
            "ase_les.kernels.compiled_kernels", lambda level=level: kernels._replace(level=level)
        )
        assert_same(model, graph)


@compiled
def test_threads_share_the_atoms(random_model, monkeypatch):
    model = random_model(charges={"neutrality": "split", "n_channels": 2})
    graph = examples(model)
    monkeypatch.setattr(library, "_ATOMS_PER_THREAD", 1)
    alone = results(model, graph, "float64", kernels=True)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert len(library.ranges(graph.n_atoms)) == 4
        together = results(model, graph, "float64", kernels=True)
    finally:
        torch.set_num_threads(threads)
    for name, value in alone.items():
        assert torch.allclose(value, together[name], rtol=1e-12, atol=1e-12)


@compiled
def test_atoms_without_neighbors_and_with_many(random_model):
    model = random_model(l_max=2, charges={"neutrality": "split"})
    alone = Atoms("Na", pbc=False)
    far = Atoms("NaHO", [[0, 0, 0], [9, 0, 0], [0, 8, 3.4]])
    # Two atoms and their copies.
    dense = bulk("NaO", "rocksalt", a=2.4)
    dense.rattle(0.02, seed=1)
    graph = graph_of(model, alone, far, dense)
    assert torch.bincount(graph.receivers).max() > 140
    assert_same(model, graph)


@compiled
def test_response_is_the_same_with_kernels(random_model):
    model = random_model(charges={"neutrality": "split"})
    crystal = bulk("NaO", "rocksalt", a=5.0, cubic=True)
    crystal.rattle(0.05, seed=3)
    graph = graph_of(model, crystal)
    engines = [model.for_inference(kernels=kernels) for kernels in (False, True)]
    for method in (born_charges, born_charges_by_phase):
        plain, fused = (method(engine, graph)[1] for engine in engines)
        assert torch.allclose(plain, fused, rtol=0, atol=1e-10)


@compiled
def test_field_current_and_polarization_are_the_same_with_kernels(random_model):
    model = random_model(charges={"neutrality": "split"})
    crystal = bulk("NaO", "rocksalt", a=5.0, cubic=True)
    crystal.rattle(0.05, seed=3)
    crystal.set_velocities(np.random.default_rng(0).normal(size=(len(crystal), 3)))
    found = []
    for kernels in (False, True):
        crystal.calc = LESCalculator(
            model, dtype="float64", field_V_per_A=(0.01, 0.02, -0.03), kernels=kernels
        )
        found.append(
            [
                crystal.get_forces(),
                crystal.get_stress(),
                crystal.calc.get_property("polarization", crystal),
                crystal.calc.get_current(crystal),
            ]
        )
    for plain, fused in zip(*found, strict=True):
        np.testing.assert_allclose(fused, plain, rtol=0, atol=1e-10)


@compiled
def test_the_edges_within_a_cutoff_are_the_same_with_kernels(random_model):
    model = random_model()
    graph = examples(model)
    cutoff = 0.8 * model.config.cutoff
    plain, lengths = edges_within(graph, cutoff, None)
    fused, same_lengths = edges_within(graph, cutoff, library.compiled_kernels())
    assert 0 < len(lengths) < len(graph.senders)
    for one, other in zip(plain, fused, strict=True):
        assert torch.equal(one, other)
    assert torch.allclose(lengths, same_lengths, rtol=1e-14, atol=0)


@compiled
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("level", range(3))
def test_the_direct_sum_is_the_same_with_kernels(level, threads, monkeypatch):
    kernels = library.compiled_kernels()
    if level > kernels.level:
        pytest.skip("this processor does not have these instructions")
    monkeypatch.setattr(library, "_ATOMS_PER_THREAD", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    generator = torch.Generator().manual_seed(1)
    cell = torch.tensor([[9.0, 0, 0], [1.5, 6.0, 0], [-0.7, 1.1, 4.0]], dtype=torch.float64)
    cells = torch.stack([cell, 1.1 * cell])
    fractional = 5 * torch.rand(2, 11, 3, dtype=torch.float64, generator=generator) - 2
    charges = torch.randn(2, 11, 2, dtype=torch.float64, generator=generator)
    sums = AnalyticEwaldSum(ReciprocalKernel(1.0, 4.0, 1e-9))
    layout = Layout.of(torch.arange(2).repeat_interleave(11), 2)
    plan = sums.plan(cells, layout)
    found = []
    for _ in range(2):
        for part in (plan, plan.part(1, 2)):
            positions = (fractional @ cells).flatten(0, 1).requires_grad_(True)
            own, box = charges.flatten(0, 1).clone().requires_grad_(True), cells.clone()
            energy = sums(positions, own, box, layout, part)
            found.append([energy.detach(), *torch.autograd.grad(energy.sum(), [positions, own])])
        strained = cells.clone().requires_grad_(True)
        energy = sums(positions.detach(), own.detach(), strained, layout)
        found.append([energy.detach(), *torch.autograd.grad(energy.sum(), [strained])])
        sums.use_kernels(kernels._replace(level=level))
    for plain, fused in zip(found[:3], found[3:], strict=True):
        for one, other in zip(plain, fused, strict=True):
            assert torch.allclose(one, other, rtol=1e-12, atol=1e-12 * one.abs().max().item())


@compiled
@pytest.mark.parametrize("order", range(4, 9))
def test_the_mesh_is_the_same_with_kernels(order):
    generator = torch.Generator().manual_seed(order)
    cell = torch.tensor([[7.0, 0, 0], [1.5, 6.0, 0], [-0.7, 1.1, 8.0]], dtype=torch.float64)
    cells = torch.stack([cell, 1.1 * cell])
    # Outside the cell as well, and one atom on its corner.
    fractional = 3 * torch.rand(2, 9, 3, dtype=torch.float64, generator=generator) - 1
    fractional[0, 0] = torch.tensor([0.0, 1.0, -1e-18])
    charges = torch.randn(2, 9, 2, dtype=torch.float64, generator=generator)
    sums = AnalyticParticleMesh(ReciprocalKernel(1.0, 6.0, 1e-9), MeshSettings(order, 0.8))
    structure = torch.arange(2).repeat_interleave(9)
    layout = Layout.of(structure, 2)
    found = []
    for _ in range(2):
        positions = (fractional @ cells).flatten(0, 1).requires_grad_(True)
        own, box = charges.flatten(0, 1).clone().requires_grad_(True), cells.clone()
        box.requires_grad_(True)
        energy = sums(positions, own, box, layout)
        found.append([energy.detach(), *torch.autograd.grad(energy.sum(), [positions, own, box])])
        sums.use_kernels(library.compiled_kernels())
    for plain, fused in zip(*found, strict=True):
        assert torch.allclose(plain, fused, rtol=1e-12, atol=1e-12 * plain.abs().max().item())


@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 3e-7), (torch.float64, 1e-13)])
def test_polynomials_are_the_radial_functions(dtype, error):
    basis = BesselBasis(9, 4.5, 6, trainable=False)
    table = radial_polynomials(basis, dtype).double()
    distances = torch.linspace(1e-3, 4.5 - 1e-9, 5000, dtype=torch.float64)
    place = distances / 4.5 * len(table)
    interval = place.long()
    t = 2 * (place - interval) - 1
    powers = t[:, None] ** torch.arange(table.shape[1])
    values = torch.einsum("ep,epn->ne", powers, table[interval])
    expected = basis.double()(distances)
    assert (values[:9] - expected).abs().max() < error * expected.abs().max()
    assert not values[9:].any()


def test_the_source_is_what_the_generator_writes():
    assert generate.OUTPUT.read_text(encoding="utf-8") == generate.source()


# Without kernels


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """In place of the folder where the shared object is looked for."""
    monkeypatch.setattr(library, "_FOLDER", tmp_path)
    library.compiled_kernels.cache_clear()
    yield tmp_path
    library.compiled_kernels.cache_clear()


def forces_of_water(**settings) -> np.ndarray:
    water = molecule("H2O")
    water.calc = LESCalculator("water-rpbe-d3", dtype="float64", **settings)
    return water.get_forces()


def test_torch_computes_where_nothing_was_compiled(folder):
    assert library.compiled_kernels() is None
    assert not covers(load_model("water-rpbe-d3").for_inference())
    np.testing.assert_allclose(forces_of_water(), forces_of_water(kernels=False), atol=1e-12)


@pytest.mark.parametrize("content", [b"", b"not a shared object"])
def test_torch_computes_where_the_shared_object_is_damaged(folder, content):
    (folder / f"_fused{library.EXTENSION_SUFFIXES[0]}").write_bytes(content)
    assert library.compiled_kernels() is None


def test_kernels_can_be_switched_off(random_model):
    assert not covers(random_model().for_inference(kernels=False))


@compiled
def test_message_passing_is_computed_by_torch(random_model):
    model = random_model(layers=(("memory",),))
    assert not covers(model.for_inference())
    assert covers(random_model().for_inference())


def test_the_package_builds_without_a_compiler(tmp_path):
    for name in ("setup.py", "README.rst", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, tmp_path)
    for package in ("ase_les/kernels", "models"):
        (tmp_path / package).mkdir(parents=True)
    (tmp_path / "ase_les" / "__init__.py").touch()
    shutil.copy(generate.OUTPUT, tmp_path / "ase_les" / "kernels")
    done = subprocess.run(
        [sys.executable, "setup.py", "build", "--build-base", "without"],
        cwd=tmp_path,
        env={**os.environ, "CC": "false"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("without/**/__init__.py"))
    assert not list(tmp_path.glob("without/**/_fused*"))


@compiled
def test_large_structures_are_the_same_in_blocks(random_model, monkeypatch):
    model = random_model(charges={"neutrality": "split"})
    engine = model.for_inference()
    graph = examples(model)
    kept = differentiate(engine, graph, stress=True, energies=True)
    monkeypatch.setattr("ase_les.kernels.representation._MOST_KEPT", 2)
    monkeypatch.setattr("ase_les.kernels.representation._BLOCK", 3)
    blocks = []
    forward = engine.representation._fused.forward
    monkeypatch.setattr(
        engine.representation._fused,
        "forward",
        lambda graph, atoms, keep: (blocks.append(atoms), forward(graph, atoms, keep))[1],
    )
    found = differentiate(engine, graph, stress=True, energies=True)
    assert len(blocks) == 2 * -(-graph.n_atoms // 3)
    for name in ("forces", "stress", "energies"):
        expected = getattr(kept, name)
        assert (getattr(found, name) - expected).abs().max() <= EXACT * expected.abs().max()
    torch.testing.assert_close(found.prediction.charges, kept.prediction.charges)
