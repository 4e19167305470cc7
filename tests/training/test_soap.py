"""Adam in the eigenbasis of the gradients' covariance."""

from __future__ import annotations

import pytest
import torch

from ase_les.training.learning.checkpoint import optimizer_tensors, restore_optimizer
from ase_les.training.learning.soap import SOAP


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

    turned = error(lambda weights: SOAP(weights, lr=0.01))
    plain = error(lambda weights: torch.optim.Adam(weights, lr=0.01))
    assert turned < 0.1 * plain


def test_steps_do_not_depend_on_the_coordinates_of_the_inputs(problem):
    inputs, targets = problem
    start = torch.randn(4, 6).double()
    rotation = torch.linalg.qr(torch.randn(6, 6).double())[0]
    straight = descend(lambda w: SOAP(w, lr=0.01), start, inputs, targets, 50)
    turned = descend(lambda w: SOAP(w, lr=0.01), start @ rotation, inputs @ rotation, targets, 50)
    # The first gradient has rank four: its basis is a choice, soon forgotten.
    assert torch.allclose(turned, straight @ rotation, atol=2e-2)
    assert (straight - start).abs().max() > 0.2


def test_the_bases_stay_orthonormal(problem):
    inputs, targets = problem
    optimizers = []

    def made(weights):
        optimizers.append(SOAP(weights, lr=0.01))
        return optimizers[-1]

    descend(made, torch.zeros(4, 6).double(), inputs, targets, 100)
    (state,) = optimizers[0].state.values()
    for axis, length in ((0, 4), (1, 6)):
        basis = state[f"basis_{axis}"]
        assert torch.allclose(basis.T @ basis, torch.eye(length).double(), atol=1e-12)
        turned = basis.T @ state[f"covariance_{axis}"] @ basis
        assert (turned - turned.diagonal().diag()).abs().max() < 0.05 * turned.abs().max()


def plain_steps(weights, gradients, lr, betas, smallest=1e-8) -> list[torch.Tensor]:
    """Return weights after steps written as in the class's equations, one weight at a time."""
    memory, long_memory = betas
    found = []
    for index, start in enumerate(weights):
        weight, mean, square = start.clone(), torch.zeros_like(start), torch.zeros_like(start)
        axes = [a for a, length in enumerate(weight.shape) if weight.dim() > 1 and length > 1]

        def rows(gradient, axis):
            return gradient.movedim(axis, 0).reshape(gradient.shape[axis], -1)

        def turn(tensor, bases, back=False):
            for axis, basis in bases.items():
                matrix = basis.T if back else basis
                tensor = torch.tensordot(tensor, matrix, dims=([axis], [0])).movedim(-1, axis)
            return tensor

        for n_steps, of_all in enumerate(gradients):
            gradient = of_all[index]
            products = {axis: rows(gradient, axis) @ rows(gradient, axis).T for axis in axes}
            if n_steps == 0:
                covariances = {a: (1 - long_memory) * product for a, product in products.items()}
                bases = {a: torch.linalg.eigh(c)[1].flip(1) for a, c in covariances.items()}
                continue
            mean = memory * mean + (1 - memory) * gradient
            square = long_memory * square + (1 - long_memory) * turn(gradient, bases) ** 2
            root = (square / (1 - long_memory**n_steps)).sqrt() + smallest
            step = turn(mean / (1 - memory**n_steps), bases) / root
            weight = weight - lr * turn(step, bases, back=True)
            for axis in axes:
                covariances[axis] = (
                    long_memory * covariances[axis] + (1 - long_memory) * products[axis]
                )
                interval = max(10, weight.shape[axis] // 8)
                young = n_steps < interval and n_steps & (n_steps - 1) == 0
                if young or (n_steps >= interval and n_steps % interval == 0):
                    image = covariances[axis] @ bases[axis]
                    order = (bases[axis] * image).sum(0).argsort(descending=True)
                    square = square.index_select(axis, order)
                    bases[axis] = torch.linalg.qr(image[:, order])[0]
        found.append(weight)
    return found


def test_steps_are_those_of_the_equations():
    generator = torch.Generator().manual_seed(3)
    shapes = [(5, 5), (3, 2, 5), (7,), ()]  # whose first covariances have full rank

    def drawn():
        return [torch.randn(shape, generator=generator).double() for shape in shapes]

    start, gradients = drawn(), [drawn() for _ in range(45)]
    weights = [weight.clone().requires_grad_(True) for weight in start]
    optimizer = SOAP(weights, lr=0.01, betas=(0.9, 0.95))
    for of_all in gradients:
        for weight, gradient in zip(weights, of_all, strict=True):
            weight.grad = gradient.clone()
        optimizer.step()
    expected = plain_steps(start, gradients, 0.01, (0.9, 0.95))
    for weight, other, before in zip(weights, expected, start, strict=True):
        assert (weight - before).abs().max() > 0.01
        assert torch.allclose(weight, other, rtol=0, atol=1e-6)


def test_gradients_that_wait_enter_the_covariance_as_if_they_had_not():
    generator = torch.Generator().manual_seed(5)
    weight = torch.zeros(2, 300).double().requires_grad_(True)
    optimizer = SOAP([weight], lr=0.01, betas=(0.9, 0.8))
    expected = torch.zeros(300, 300).double()
    waited = 0
    for _ in range(75):
        weight.grad = torch.randn(2, 300, generator=generator).double()
        optimizer.step()
        expected = 0.8 * expected + 0.2 * weight.grad.T @ weight.grad
        waited += "waiting_1" in optimizer.state[weight]
    # The last gradient is of a step at which the basis is updated.
    assert int(optimizer.state[weight]["step"]) == 74
    assert waited > 30
    assert torch.allclose(optimizer.state[weight]["covariance_1"], expected, rtol=0, atol=1e-12)


def test_a_restart_in_the_middle_continues_the_same_steps():
    generator = torch.Generator().manual_seed(4)
    gradients = [torch.randn(4, 300, generator=generator) for _ in range(30)]

    def run(stop):
        weight = torch.ones(4, 300, requires_grad=True)
        optimizer = SOAP([weight], lr=0.01)
        for step, gradient in enumerate(gradients):
            if step == stop:
                tensors = {name: x.clone() for name, x in optimizer_tensors(optimizer).items()}
                assert any("waiting" in name for name in tensors)
                optimizer = SOAP([weight], lr=0.01)
                restore_optimizer(optimizer, tensors)
            weight.grad = gradient.clone()
            optimizer.step()
        return weight.detach()

    assert torch.equal(run(stop=22), run(stop=None))


def test_a_checkpoint_with_means_in_the_coordinates_of_the_weights_is_continued():
    generator = torch.Generator().manual_seed(6)
    gradients = [torch.randn(4, 5, generator=generator).double() for _ in range(20)]

    def run(stop):
        weight = torch.ones(4, 5).double().requires_grad_(True)
        optimizer = SOAP([weight], lr=0.01)
        for step, gradient in enumerate(gradients):
            if step == stop:
                state = optimizer.state[weight]
                mean = state.pop("turned_mean")
                state["mean"] = state["basis_0"] @ mean @ state["basis_1"].T
            weight.grad = gradient.clone()
            optimizer.step()
        return weight.detach()

    assert torch.allclose(run(stop=12), run(stop=None), rtol=0, atol=1e-12)
