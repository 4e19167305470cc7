"""Direct Ewald sum with the fused kernels: structure factors, potentials and forces."""

from __future__ import annotations

from ctypes import c_int64
from functools import partial
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ase_les.kernels.library import EwaldArguments, Kernels, in_ranges, pointer, ranges, total


class FusedPower(torch.autograd.Function):
    """Weighted sums (S,) of |S(k)|² over half of the wave vectors, once differentiable.

    Arguments are those of `ase_les.electrostatics.reciprocal.ReciprocalSum.power` and the kernels.
    Phases are not kept: they are computed again for the gradient.
    """

    @staticmethod
    def forward(
        ctx: Any,
        fractional: Tensor,
        charges: Tensor,
        weights: Tensor,
        kernels: Kernels,
        *axes: Tensor,
    ) -> Tensor:
        fractional, charges = fractional.contiguous(), charges.contiguous()
        factors = _factors(kernels, fractional, charges, axes)
        power = torch.linalg.vecdot(factors, factors).sum(1)
        ctx.kernels, ctx.axes = kernels, axes
        ctx.save_for_backward(fractional, charges, weights, factors, power)
        return torch.linalg.vecdot(power.flatten(1), weights.flatten(1))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        fractional, charges, weights, factors, power = ctx.saved_tensors
        scale = gradient[:, None, None, None]
        pull = factors * (2 * scale * weights)[:, None, ..., None]
        potentials, slopes = _potentials(ctx.kernels, fractional, charges, pull, ctx.axes)
        by_weights = scale * power if ctx.needs_input_grad[2] else None
        return slopes, potentials, by_weights, *(1 + len(ctx.axes)) * [None]


def _factors(
    kernels: Kernels, fractional: Tensor, charges: Tensor, axes: tuple[Tensor, ...]
) -> Tensor:
    """Return the structure factors (S, n_q, n₁, n₂, n₃, 2), real and imaginary parts."""
    n_structures, n_atoms, n_channels = charges.shape
    arguments, kept = _arguments(axes)
    bounds = ranges(n_atoms)
    shape = len(bounds) - 1, n_structures, n_channels, *map(len, axes), 2
    parts = fractional.new_empty(shape)

    def add(structure: int, channel: int, part: int, first: int, last: int) -> None:
        kernels.call(
            "ewald_factors",
            torch.float64,
            arguments,
            first,
            last,
            pointer(fractional[structure]),
            pointer(charges[structure, :, channel]),
            n_channels,
            pointer(parts[part, structure, channel]),
        )

    for place in product(range(n_structures), range(n_channels)):
        in_ranges(bounds, partial(add, *place))
    del kept
    return total(parts)


def _potentials(
    kernels: Kernels,
    fractional: Tensor,
    charges: Tensor,
    factors: Tensor,
    axes: tuple[Tensor, ...],
) -> tuple[Tensor, Tensor]:
    """Return potentials (S, N, n_q) and gradients by fractional coordinates (S, N, 3)."""
    n_structures, n_atoms, n_channels = charges.shape
    arguments, kept = _arguments(axes)
    potentials, slopes = torch.empty_like(charges), torch.zeros_like(fractional)

    def add(structure: int, channel: int, _: int, first: int, last: int) -> None:
        kernels.call(
            "ewald_potentials",
            torch.float64,
            arguments,
            first,
            last,
            pointer(fractional[structure]),
            pointer(charges[structure, :, channel]),
            n_channels,
            pointer(factors[structure, channel]),
            pointer(potentials[structure, :, channel]),
            pointer(slopes[structure]),
        )

    for place in product(range(n_structures), range(n_channels)):
        in_ranges(ranges(n_atoms), partial(add, *place))
    del kept
    return potentials, slopes


def _arguments(axes: tuple[Tensor, ...]) -> tuple[EwaldArguments, Tensor]:
    """Return the arguments, and the indices they point to, which must outlive the calls."""
    first = axes[0].long()
    bounds = int(first.abs().max()), len(axes[1]) // 2, len(axes[2]) // 2
    return EwaldArguments(len(first), (c_int64 * 3)(*bounds), first.data_ptr()), first
