"""What training on energies and forces alone must find out about charges.

Labels come from formulas written out here, not from the package.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from ase import Atoms
from scipy.spatial.transform import Rotation

from ase_les.charges import ChargesConfig
from ase_les.derivatives import differentiate
from ase_les.electrostatics import ElectrostaticsConfig
from ase_les.graph import batch, graph_from_atoms
from ase_les.model import LESModel, LongRangeConfig, ModelConfig
from ase_les.neighbors import NeighborList
from ase_les.representation import CaceConfig

COULOMB = 14.399645478


class Labeled:
    """Structures with energies and forces."""

    def __init__(self, structures: list[Atoms], energy_of):
        self.structures = structures
        self.sizes = [len(atoms) for atoms in structures]
        energies, self.forces = [], []
        for atoms in structures:
            positions = torch.tensor(atoms.positions, requires_grad=True)
            energy = energy_of(atoms, positions)
            (gradient,) = torch.autograd.grad(energy, positions)
            energies.append(energy.detach())
            self.forces.append(-gradient)
        self.energies = torch.stack(energies)

    def graphs(self, model: LESModel):
        neighbors = NeighborList(model.config.cutoff)
        return [graph_from_atoms(atoms, neighbors) for atoms in self.structures]


def build(elements, cutoff, *, long_range=True, seed=0, **sizes) -> LESModel:
    config = ModelConfig(
        atomic_energies=dict.fromkeys(elements, 0.0),
        representation=CaceConfig(cutoff, n_embedding=2, l_max=1, nu_max=2, **sizes),
        long_range=LongRangeConfig(
            ChargesConfig(scale=1.0, bias=True, neutrality="mean"),
            ElectrostaticsConfig(remove_self_energy=True),
        )
        if long_range
        else None,
    )
    return LESModel(config, seed=seed).double()


def train(model, data: Labeled, *, adam_steps, lbfgs_steps, force_weight, seed=0) -> None:
    """Stochastic steps to find the valley, then a quasi-Newton method to reach its floor."""
    graphs, rng = data.graphs(model), np.random.default_rng(seed)

    def loss(chosen) -> torch.Tensor:
        result = differentiate(model, batch([graphs[i] for i in chosen]), create_graph=True)
        energy_error = result.prediction.energy - data.energies[chosen]
        force_error = result.forces - torch.cat([data.forces[i] for i in chosen])
        return (energy_error**2).mean() / data.sizes[0] + force_weight * (force_error**2).mean()

    adam = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(adam_steps):
        adam.zero_grad()
        loss(rng.integers(len(graphs), size=2)).backward()
        adam.step()

    lbfgs = torch.optim.LBFGS(
        model.parameters(),
        max_iter=lbfgs_steps,
        history_size=50,
        line_search_fn="strong_wolfe",
        tolerance_grad=1e-12,
        tolerance_change=1e-14,
    )

    def closure():
        lbfgs.zero_grad()
        value = loss(np.arange(len(graphs)))
        value.backward()
        return value

    lbfgs.step(closure)


def disordered_salt(rng) -> Atoms:
    """Equally many ions of both signs, at random on a rattled grid."""
    sites = 2.8 * np.mgrid[0:4, 0:3, 0:3].reshape(3, -1).T
    positions = sites + rng.uniform(-0.3, 0.3, sites.shape)
    rng.shuffle(positions)
    return Atoms("Na18Cl18", positions, cell=[11.2, 8.4, 8.4], pbc=True)


def salt_energy(atoms: Atoms, positions: torch.Tensor) -> torch.Tensor:
    """Gaussian charges ±1 e with σ = 1 Å, and one repulsion between all pairs."""
    charges = torch.tensor(np.where(atoms.symbols == "Na", 1.0, -1.0))
    lengths = torch.tensor(atoms.cell.lengths())
    n = np.mgrid[-12:13, -9:10, -9:10].reshape(3, -1).T
    k = 2 * math.pi * torch.tensor(n[(n != 0).any(1)]) / lengths
    k_squared = (k**2).sum(1)
    phase = positions @ k.T
    power = (charges @ torch.cos(phase)) ** 2 + (charges @ torch.sin(phase)) ** 2
    coulomb = 2 * math.pi / atoms.get_volume() * (torch.exp(-k_squared / 2) / k_squared) @ power
    coulomb = coulomb - (charges**2).sum() / math.sqrt(2 * math.pi)
    i, j = torch.triu_indices(len(atoms), len(atoms), 1)
    separation = positions[i] - positions[j]
    separation = separation - lengths * torch.round(separation / lengths)
    return COULOMB * coulomb + (50 * torch.exp(-separation.norm(dim=1) / 0.4)).sum()


@pytest.mark.slow
def test_unit_charges_of_a_random_salt_are_found_from_energies_and_forces():
    rng = np.random.default_rng(5)
    data = Labeled([disordered_salt(rng) for _ in range(12)], salt_energy)
    model = build(("Na", "Cl"), 4.0, n_radial=6, n_mixed=4)
    train(model, data, adam_steps=200, lbfgs_steps=80, force_weight=1.0)

    unseen = Labeled([disordered_salt(rng) for _ in range(4)], salt_energy)
    charges = model(batch(unseen.graphs(model))).charges.detach().view(4, 36).numpy()
    sign = np.sign(charges[0, 0])  # the sign of all charges together changes nothing
    expected = sign * np.repeat([1.0, -1.0], 18)
    assert np.abs(np.abs(charges).mean() - 1) < 0.01
    assert np.sqrt(np.mean((charges - expected) ** 2)) < 0.01


CATION = np.array([[0, 0, 0.1], [0.95, 0, -0.2], [-0.5, 0.82, -0.2], [-0.5, -0.82, -0.2]])
ANION = np.array([[0, 0, 0], [1.1, 0, 0.55], [-1.1, 0, 0.55]])
SITE_CHARGES = np.array([-0.2, 0.4, 0.4, 0.4, 0.2, -0.6, -0.6])


def ion_pair(separation: float, rng) -> Atoms:
    """Two rigid ions, each turned at random."""
    turned = (Rotation.random(random_state=rng).apply(ion) for ion in (CATION, ANION))
    cation, anion = turned
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    return Atoms("NH3CO2", np.vstack([cation, anion + separation * direction]))


def ion_pair_energy(atoms: Atoms, positions: torch.Tensor) -> torch.Tensor:
    charges = torch.tensor(SITE_CHARGES)
    i, j = torch.triu_indices(7, 7, 1)
    distance = (positions[i] - positions[j]).norm(dim=1)
    pairs = charges[i] * charges[j] * torch.erf(distance / math.sqrt(2)) / distance
    return COULOMB * pairs.sum()


@pytest.fixture(scope="module")
def ion_pairs() -> tuple[Labeled, Labeled]:
    rng = np.random.default_rng(0)
    near = [ion_pair(separation, rng) for separation in rng.uniform(6, 12, 24)]
    far = [ion_pair(separation, rng) for separation in rng.uniform(13, 15, 24)]
    return Labeled(near, ion_pair_energy), Labeled(far, ion_pair_energy)


def errors_far_apart(ion_pairs, **settings) -> tuple[np.ndarray, torch.Tensor]:
    near, far = ion_pairs
    model = build(("N", "H", "C", "O"), 4.5, n_radial=4, n_mixed=2, **settings)
    train(model, near, adam_steps=0, lbfgs_steps=200, force_weight=0.01)
    prediction = model(batch(far.graphs(model)))
    return (prediction.energy - far.energies).detach().numpy(), prediction.charges.detach()


@pytest.mark.slow
def test_ions_seen_near_each_other_are_understood_far_apart(ion_pairs):
    errors, charges = errors_far_apart(ion_pairs)
    assert np.abs(errors).max() < 0.010
    # The ions' net charges are found, up to the sign that energies cannot tell.
    net = charges.view(-1, 7)[:, :4].sum(1).abs()
    assert torch.allclose(net, torch.ones_like(net), rtol=0, atol=0.01)


@pytest.mark.slow
def test_ions_far_apart_are_beyond_a_short_range_model(ion_pairs):
    errors, _ = errors_far_apart(ion_pairs, long_range=False)
    assert np.sqrt(np.mean(errors**2)) > 0.3
