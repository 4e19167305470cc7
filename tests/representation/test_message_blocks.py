"""Message passing in blocks of atoms: the same features and gradients as all at once."""

from __future__ import annotations

import pytest
import torch
from ase import Atoms

from ase_les.graph import graph_from_atoms
from ase_les.neighbors import NeighborList
from ase_les.representation import Cace, CaceConfig, message_blocks

LAYERS = {
    "memory": (("memory",),),
    "invariant": (("invariant",),),
    "radial": (("radial",),),
    "all, twice": (("memory", "radial", "invariant"), ("memory", "radial", "invariant")),
}


def representation(layers, separate_values) -> Cace:
    torch.manual_seed(1)
    config = CaceConfig(
        cutoff=3.0,
        n_radial=3,
        n_mixed=2,
        n_embedding=2,
        l_max=2,
        layers=layers,
        separate_values=separate_values,
    )
    found = Cace(config, [1, 8], []).double().requires_grad_(False)
    found.use_analytic_gradients()
    return found


@pytest.mark.parametrize("separate_values", [False, True])
@pytest.mark.parametrize("layers", LAYERS)
def test_features_and_gradients_do_not_depend_on_blocks(rng, monkeypatch, layers, separate_values):
    monkeypatch.setattr(message_blocks, "_SMALL_BLOCK", 5)
    atoms = Atoms("OH2" * 12, positions=6 * rng.random((36, 3)), cell=[6, 6.5, 7], pbc=True)
    # The last block has edges from one atom only, the one before it none.
    atoms += Atoms("H6", positions=[(60 + 9 * x, 0, 0) for x in range(5)] + [(97, 0, 0)])
    atoms.set_pbc((False, True, True))
    atoms.cell[0] = 200, 0, 0
    given = graph_from_atoms(atoms, NeighborList(3.5))
    model = representation(LAYERS[layers], separate_values)
    found = []
    for block in (None, 7):
        model._block = block
        positions = given.positions.clone().requires_grad_()
        cell = given.cell.clone().requires_grad_()
        features = model(given._replace(positions=positions, cell=cell))
        weights = torch.linspace(-1, 1, features.numel()).double().view(features.shape)
        gradients = torch.autograd.grad(features, [positions, cell], weights)
        found.append((features.detach(), *gradients))
    for one, other in zip(*found, strict=True):
        assert one.abs().max() > 0.01
        assert torch.allclose(one, other, rtol=1e-11, atol=1e-11)
    assert found[1][0].isfinite().all()
