"""Forces, stress and what training needs of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk

from ase_les.derivatives import differentiate
from ase_les.graph import batch, graph_from_atoms
from ase_les.neighbors import NeighborList
from ase_les.representation import cace
from ase_les.testing import example_structures


def graph_of(model, *atoms_list: Atoms):
    return batch(
        [graph_from_atoms(atoms, NeighborList(model.config.cutoff)) for atoms in atoms_list]
    )


@pytest.fixture
def model(random_model):
    return random_model(layers=(("memory", "invariant"),), l_max=2, nu_max=2).double()


def test_forces_sum_to_zero(model):
    for atoms in example_structures(model):
        total = differentiate(model, graph_of(model, atoms)).forces.sum(0)
        assert torch.allclose(total, torch.zeros(3).double(), rtol=0, atol=1e-10)


def test_an_open_structure_feels_no_torque(model):
    _, _, cluster, *_ = example_structures(model)
    forces = differentiate(model, graph_of(model, cluster)).forces.numpy()
    torque = np.cross(cluster.positions, forces).sum(0)
    assert np.abs(torque).max() < 1e-10


def test_stress_is_symmetric(model):
    crystal = example_structures(model)[0]
    stress = differentiate(model, graph_of(model, crystal), stress=True).stress
    assert torch.allclose(stress, stress.transpose(1, 2), rtol=0, atol=1e-14)


def test_stress_is_intensive(model):
    crystal = bulk("NaO", "rocksalt", a=4.6)
    crystal.rattle(0.1, seed=0)
    one = differentiate(model, graph_of(model, crystal), stress=True)
    many = differentiate(model, graph_of(model, crystal.repeat((3, 2, 1))), stress=True)
    assert torch.allclose(one.stress, many.stress, rtol=0, atol=1e-10)
    assert torch.allclose(one.forces.repeat(6, 1), many.forces, rtol=0, atol=1e-9)


def test_only_what_is_asked_for_is_there(model):
    graph = graph_of(model, example_structures(model)[0])
    plain = differentiate(model, graph)
    full = differentiate(model, graph, stress=True, energies=True)
    assert plain.stress is None
    assert plain.energies is None
    assert full.stress.shape == (1, 3, 3)
    assert full.energies.shape == (graph.n_atoms,)
    assert torch.allclose(plain.forces, full.forces, rtol=0, atol=1e-13)


def test_atomic_energies_sum_to_the_energy_in_a_batch(model):
    structures = example_structures(model)
    result = differentiate(model, graph_of(model, *structures), energies=True)
    sums = [
        part.sum().item() for part in result.energies.split([len(atoms) for atoms in structures])
    ]
    assert sums == pytest.approx(result.prediction.energy.tolist(), abs=1e-9)


def test_inference_copies_answer_the_same_questions(model):
    fast = model.for_inference()
    graph = graph_of(model, *example_structures(model)[:2])
    slow, quick = (differentiate(each, graph, stress=True, energies=True) for each in (model, fast))
    for name in ("forces", "stress", "energies"):
        assert torch.allclose(getattr(slow, name), getattr(quick, name), rtol=0, atol=1e-9)


def test_the_graph_stays_a_constant(model):
    graph = graph_of(model, example_structures(model)[0])
    differentiate(model, graph, stress=True)
    assert not any(field.requires_grad for field in graph)


def loss_of(model, graph):
    result = differentiate(model, graph, stress=True, create_graph=True)
    return (
        (result.prediction.energy**2).sum() * 1e-6
        + (result.forces**2).sum()
        + (result.stress[:2] ** 2).sum()
    )


@pytest.mark.parametrize(
    "settings",
    [{}, {"neutrality": "none", "n_channels": 2}, {"bias": True}],
    ids=["neutral", "two channels", "bias"],
)
def test_training_gradients_are_those_of_finite_differences(random_model, rng, settings):
    """The loss on forces and stress, differentiated with respect to every kind of weight."""
    model = random_model(
        charges=settings, l_max=2, layers=(("memory", "radial", "invariant"),), n_radial=3
    ).double()
    graph = graph_of(model, *example_structures(model)[:3])
    loss_of(model, graph).backward()
    step = 1e-5
    for name, weight in model.named_parameters():
        direction = torch.tensor(rng.normal(size=tuple(weight.shape)))
        direction /= direction.norm()
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                weight += sign * step * direction
            values.append(loss_of(model, graph).item())
            with torch.no_grad():
                weight -= sign * step * direction
        slope = (values[0] - values[1]) / (2 * step)
        assert (weight.grad * direction).sum().item() == pytest.approx(slope, rel=1e-5, abs=1e-6), (
            name
        )


def test_second_derivatives_of_the_energy_are_those_of_finite_differences(random_model):
    model = random_model(n_radial=2, n_mixed=1, l_max=2).double()
    cluster = Atoms("OHHNa", [[0, 0, 0], [0.9, 0.3, 0], [-0.4, 0.9, 0.2], [0.5, 0.4, 2.3]])
    cell = np.array([[4.1, 0, 0], [0.6, 4.4, 0], [0.2, -0.5, 4.8]])
    for atoms in (cluster, Atoms(cluster, cell=cell, pbc=True)):
        graph = graph_of(model, atoms)

        def energy(positions, graph=graph):
            return model(graph._replace(positions=positions)).energy

        positions = graph.positions.clone().requires_grad_(True)
        assert torch.autograd.gradgradcheck(energy, positions)


@pytest.mark.parametrize("layers", [(), (("memory", "radial"),)], ids=["local", "messages"])
def test_large_structures_in_blocks_of_atoms_have_the_same_energy(
    random_model, monkeypatch, layers
):
    model = random_model(layers=layers, l_max=2).double()
    graph = batch([graph_of(model, atoms) for atoms in example_structures(model)])
    whole = differentiate(model.for_inference(kernels=False), graph, stress=True, energies=True)
    # Bytes of about three atoms.
    monkeypatch.setattr(cace, "_BLOCK_BYTES", 3 * 8 * 10 * 2**2 * 3)
    blocks = differentiate(model.for_inference(kernels=False), graph, stress=True, energies=True)
    for name in ("forces", "stress", "energies"):
        one, other = getattr(whole, name), getattr(blocks, name)
        assert torch.allclose(one, other, rtol=0, atol=1e-12)
    assert torch.allclose(whole.prediction.charges, blocks.prediction.charges, rtol=0, atol=1e-13)
