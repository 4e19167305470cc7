"""SOAP optimizer: Adam in the eigenbasis of Shampoo (N. Vyas et al., arXiv 2409.11321)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor


class SOAP(torch.optim.Optimizer):
    r"""SOAP optimizer: Adam in the principal axes of the gradients of each weight matrix.

    Invariants of an environment are strongly correlated: with one step size per weight, steps along
    their common directions are far too large or far too small. For a weight
    with axes d (rows, columns, …) and gradient G,

    .. math::
        C_d &\leftarrow \beta_2 C_d + (1 - \beta_2)\, G_{(d)} G_{(d)}^T
            = Q_d \Lambda_d Q_d^T, \qquad G' = G \times_1 Q_1^T \times_2 Q_2^T \dots \\
        M &\leftarrow \beta_1 M + (1 - \beta_1)\, G, \qquad
        V \leftarrow \beta_2 V + (1 - \beta_2)\, G'^2 \\
        W &\leftarrow (1 - \eta \lambda)\, W
            - \eta\, \big(M' / \sqrt{V}\big) \times_1 Q_1 \times_2 Q_2 \dots

    with the usual bias corrections of M and V. The bases are updated by one orthogonal iteration at
    intervals that increase with their size.

    ======================  =============================================
    Symbol                  Code
    ======================  =============================================
    :math:`\eta`            ``lr``
    :math:`\beta`           ``betas``
    :math:`\lambda`         ``weight_decay``
    :math:`C_d, Q_d`        ``covariance_d``, ``basis_d``
    :math:`M', V`           ``turned_mean`` (``mean`` of vectors), ``square``
    ======================  =============================================

    Parameters
    ----------
    betas : pair of float
        Decay factors of the mean, and of squares and covariances.

    References
    ----------
    .. [1] N. Vyas et al., SOAP: Improving and Stabilizing Shampoo using Adam, arXiv 2409.11321
       (unrelated to the descriptor of that name).
    """

    _SMALLEST = 1e-8
    # Longer axes are not rotated: the cost of a basis is cubic in its length.
    _LONGEST_AXIS = 4096
    # Covariances of axes of at least this length exceed the cache: they are updated with up to
    # `_MOST_WAITING` gradients at a time.
    _LARGE_AXIS = 256
    _MOST_WAITING = 8

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float,
        betas: tuple[float, float] = (0.95, 0.95),
        weight_decay: float = 0.0,
    ):
        defaults = {"lr": lr, "betas": betas, "weight_decay": weight_decay}
        super().__init__(list(parameters), defaults)

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Take one optimization step; the first one only initializes the state."""
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            new = [weight for weight in weights if not self.state[weight]]
            for weight in new:
                self._initialize(weight, group)
            self._step([weight for weight in weights if weight not in set(new)], group)

    def _initialize(self, weight: Tensor, group: dict[str, Any]) -> None:
        gradient, state = _gradient(weight), self.state[weight]
        state["step"] = torch.tensor(0.0)
        state["mean"], state["square"] = torch.zeros_like(weight), torch.zeros_like(weight)
        for axis in _rotated_axes(weight, self._LONGEST_AXIS):
            rows = _rows(gradient, axis)
            covariance = (1 - group["betas"][1]) * (rows @ rows.T)
            state[f"covariance_{axis}"] = covariance
            state[f"basis_{axis}"] = torch.linalg.eigh(covariance)[1].flip(1).contiguous()

    def _step(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        """Take a step for initialized weights; vectors have no bases, as in Adam."""
        if not weights:
            return
        states = [self.state[weight] for weight in weights]
        axes = [_rotated_axes(weight, self._LONGEST_AXIS) for weight in weights]
        bases = [
            {axis: state[f"basis_{axis}"] for axis in own}
            for own, state in zip(axes, states, strict=True)
        ]
        gradients = [_gradient(weight) for weight in weights]
        torch._foreach_add_([state["step"] for state in states], 1.0)
        n_steps = [int(state["step"]) for state in states]
        updates = [
            _rotated(update[None], {axis: basis.T for axis, basis in own.items()})[0]
            for update, own in zip(
                self._updates(states, gradients, bases, n_steps, group), bases, strict=True
            )
        ]
        torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(weights, updates, alpha=-group["lr"])
        for state, gradient, own, n in zip(states, gradients, axes, n_steps, strict=True):
            for axis in own:
                due = _is_due(n, gradient.shape[axis])
                self._update_covariance(state, axis, _rows(gradient, axis), group["betas"][1], due)
                if due:
                    self._update_basis(state, axis)

    def _updates(
        self,
        states: list[dict[str, Tensor]],
        gradients: list[Tensor],
        bases: list[dict[int, Tensor]],
        n_steps: list[int],
        group: dict[str, Any],
    ) -> Sequence[Tensor]:
        """Return M'/√V of all weights with bias corrections, in their bases."""
        memory, long_memory = group["betas"]
        for state, own in zip(states, bases, strict=True):
            if own and "mean" in state:
                # At the first step.
                state["turned_mean"] = _rotated(state.pop("mean")[None], own)[0]
        turned = [
            _rotated(gradient[None], own)[0] if own else gradient
            for gradient, own in zip(gradients, bases, strict=True)
        ]
        means = [
            state["turned_mean" if own else "mean"]
            for state, own in zip(states, bases, strict=True)
        ]
        squares = [state["square"] for state in states]
        torch._foreach_lerp_(means, turned, 1 - memory)
        torch._foreach_mul_(squares, long_memory)
        torch._foreach_addcmul_(squares, turned, turned, 1 - long_memory)
        roots = torch._foreach_div(squares, [1 - long_memory**n for n in n_steps])
        torch._foreach_sqrt_(roots)
        torch._foreach_add_(roots, self._SMALLEST)
        updates = torch._foreach_div(means, [1 - memory**n for n in n_steps])
        torch._foreach_div_(updates, roots)
        return list(updates)

    def _update_covariance(
        self, state: dict[str, Tensor], axis: int, rows: Tensor, memory: float, due: bool
    ) -> None:
        """Add a gradient to a covariance, for large covariances several gradients at a time.

        Pending gradients are stored multiplied by the square roots of their weights.
        """
        waiting = state.pop(f"waiting_{axis}", None)
        if len(rows) < self._LARGE_AXIS and waiting is None:
            state[f"covariance_{axis}"].addmm_(rows, rows.T, beta=memory, alpha=1 - memory)
            return
        new = rows.T * math.sqrt(1 - memory)
        if waiting is not None:
            new = torch.cat([waiting * math.sqrt(memory), new])
        n_waiting = len(new) // rows.shape[1]
        small = len(rows) < 2 * len(new)
        if due or small or n_waiting >= self._MOST_WAITING:
            state[f"covariance_{axis}"].addmm_(new.T, new, beta=memory**n_waiting)
        else:
            state[f"waiting_{axis}"] = new

    @staticmethod
    def _update_basis(state: dict[str, Tensor], axis: int) -> None:
        """Update a basis by one orthogonal iteration, with eigenvalues in descending order."""
        covariance, basis = state[f"covariance_{axis}"], state[f"basis_{axis}"]
        image = covariance @ basis
        order = (basis * image).sum(0).argsort(descending=True)
        state["square"] = state["square"].index_select(axis, order)
        # Same memory layout as after reading a checkpoint: rounding depends on it.
        new = torch.linalg.qr(image[:, order])[0].contiguous()
        mean = _rotated_back(state["turned_mean"][None], {axis: basis})
        state["turned_mean"] = _rotated(mean, {axis: new})[0].contiguous()
        state[f"basis_{axis}"] = new


def _rotated_axes(weight: Tensor, longest: int) -> list[int]:
    """Return the axes that are rotated; none for vectors."""
    if weight.dim() < 2:
        return []
    return [axis for axis, length in enumerate(weight.shape) if 1 < length <= longest]


def _is_due(n_steps: int, length: int) -> bool:
    """Return whether a basis is updated: first at powers of two, then at regular intervals."""
    interval = max(10, length // 8)
    if n_steps < interval:
        return n_steps & (n_steps - 1) == 0
    return n_steps % interval == 0


def _gradient(weight: Tensor) -> Tensor:
    assert weight.grad is not None
    return weight.grad


def _rows(gradient: Tensor, axis: int) -> Tensor:
    """Return the gradient as a matrix with an axis as rows."""
    return gradient.movedim(axis, 0).reshape(gradient.shape[axis], -1)


def _rotated(tensors: Tensor, bases: dict[int, Tensor]) -> Tensor:
    """Rotate tensors, stacked along the first axis, into the bases of their other axes."""
    shape = tensors.shape
    for axis, basis in bases.items():
        if axis + 2 == len(shape):
            tensors = torch.mm(tensors.reshape(-1, shape[-1]), basis).view(shape)
        else:
            flat = tensors.reshape(math.prod(shape[: axis + 1]), shape[axis + 1], -1)
            tensors = torch.matmul(basis.T, flat).view(shape)
    return tensors


def _rotated_back(tensors: Tensor, bases: dict[int, Tensor]) -> Tensor:
    return _rotated(tensors, {axis: basis.T for axis, basis in bases.items()})
