"""Adam in the eigenbasis of the gradients' covariance."""

from __future__ import annotations

import pytest
import torch

from ase_les.training.eigenbasis_adam import EigenbasisAdam


def descend(optimizer_of, start, inputs, targets, steps) -> torch.Tensor:
    """Weights after least-squares steps, W x → y, over batches of rows."""
    weight = start.clone().requires_grad_(True)
    optimizer = optimizer_of([weight])
    for step in range(steps):
        rows = slice(20 * (step % 5), 20 * (step % 5) + 20)
        optimizer.zero_grad()
        ((inputs[rows] @ weight.T - targets[rows]) ** 2).mean().backward()
        optimizer.step()
    return weight.detach()


@pytest.fixture
def problem():
    """A linear map of six strongly correlated inputs."""
    torch.manual_seed(0)
    mixed = torch.randn(100, 6).double() * torch.logspace(0, -2, 6).double()
    inputs = mixed @ torch.linalg.qr(torch.randn(6, 6).double())[0]
    targets = inputs @ torch.randn(4, 6).double().T
    return inputs, targets


def test_correlated_inputs_are_learned_where_plain_adam_is_still_on_its_way(problem):
    inputs, targets = problem
    start = torch.zeros(4, 6).double()

    def error(optimizer_of):
        found = descend(optimizer_of, start, inputs, targets, 1000)
        return float(((inputs @ found.T - targets) ** 2).mean())

    turned = error(lambda weights: EigenbasisAdam(weights, lr=0.01))
    plain = error(lambda weights: torch.optim.Adam(weights, lr=0.01))
    assert turned < 0.1 * plain


def test_steps_do_not_depend_on_the_coordinates_of_the_inputs(problem):
    inputs, targets = problem
    start = torch.randn(4, 6).double()
    rotation = torch.linalg.qr(torch.randn(6, 6).double())[0]
    straight = descend(lambda w: EigenbasisAdam(w, lr=0.01), start, inputs, targets, 50)
    turned = descend(
        lambda w: EigenbasisAdam(w, lr=0.01), start @ rotation, inputs @ rotation, targets, 50
    )
    # The first gradient has rank four: its basis is a choice, soon forgotten.
    assert torch.allclose(turned, straight @ rotation, atol=2e-2)
    assert (straight - start).abs().max() > 0.2


def test_the_bases_stay_orthonormal(problem):
    inputs, targets = problem
    optimizers = []

    def made(weights):
        optimizers.append(EigenbasisAdam(weights, lr=0.01))
        return optimizers[-1]

    descend(made, torch.zeros(4, 6).double(), inputs, targets, 100)
    (state,) = optimizers[0].state.values()
    for axis, length in ((0, 4), (1, 6)):
        basis = state[f"basis_{axis}"]
        assert torch.allclose(basis.T @ basis, torch.eye(length).double(), atol=1e-12)
        turned = basis.T @ state[f"covariance_{axis}"] @ basis
        assert (turned - turned.diagonal().diag()).abs().max() < 0.05 * turned.abs().max()
