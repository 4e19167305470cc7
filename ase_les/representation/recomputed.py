"""Recompute intermediates for the gradient, to save memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def recomputed(function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """Evaluate a function of tensors without keeping intermediates for the gradient.

    Once differentiable. The parameters of `function` get no gradient.

    Parameters
    ----------
    *inputs : Tensor
        Its arguments, such as positions and cell.
    """
    value: Tensor = _Recomputed.apply(function, *inputs)
    return value


class _Recomputed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        ctx.function = function
        ctx.save_for_backward(*inputs)
        return function(*inputs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        wanted = ctx.needs_input_grad[1:]
        inputs = [
            saved.detach().requires_grad_(is_wanted)
            for saved, is_wanted in zip(ctx.saved_tensors, wanted, strict=True)
        ]
        with torch.enable_grad():
            value = ctx.function(*inputs)
        variables = [variable for variable in inputs if variable.requires_grad]
        gradients = iter(torch.autograd.grad(value, variables, gradient, allow_unused=True))
        return (None, *(next(gradients) if is_wanted else None for is_wanted in wanted))
