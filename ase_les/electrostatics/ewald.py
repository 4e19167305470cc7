"""Direct reciprocal sum over wave vectors: exact, and fastest for small structures."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ase_les.electrostatics.reciprocal import Axes, ReciprocalSum, Waves
from ase_les.electrostatics.wave_vectors import ReciprocalKernel, half_space, multiplicity
from ase_les.kernels.ewald import FusedPower
from ase_les.kernels.library import Kernels

# Maximum size of a block of phase products, in complex numbers (16 bytes each).
_BLOCK = 2**21


class EwaldSum(ReciprocalSum):
    """Direct sum over one of each pair ±k of wave vectors, differentiable twice (training)."""

    def waves(self, cell: Tensor) -> Waves:
        axes = half_space(self.kernel.index_bounds(cell), like=cell)
        return Waves(axes, multiplicity(axes[0])[:, None, None])

    def power(self, fractional: Tensor, charges: Tensor, weights: Tensor, waves: Waves) -> Tensor:
        """Weighted sums (S,) of |S(k)|², differentiable to any order."""
        tables = _phase_tables(fractional, waves.axes)
        factors = _structure_factors(tables, charges)
        power = factors.real**2 + factors.imag**2
        return (power.sum(1) * weights).flatten(1).sum(1)


class AnalyticEwaldSum(EwaldSum):
    """Direct sum with hand-written gradients, once differentiable (inference)."""

    keeps_weights = True

    def __init__(self, kernel: ReciprocalKernel):
        super().__init__(kernel)
        self._kernels: Kernels | None = None

    def use_kernels(self, kernels: Kernels) -> None:
        """Switch to compiled kernels, which do not keep phases."""
        self._kernels = kernels

    def power(self, fractional: Tensor, charges: Tensor, weights: Tensor, waves: Waves) -> Tensor:
        if self._kernels is not None:
            return FusedPower.apply(fractional, charges, weights, self._kernels, *waves.axes)
        return _AnalyticPower.apply(fractional, charges, weights, *waves.axes)


def _phase_tables(fractional: Tensor, axes: Axes) -> list[Tensor]:
    """Return exp(2πi n f) for each direction, each (S, N, n)."""
    tables = []
    for direction, axis in enumerate(axes):
        phase = (2 * math.pi) * fractional[..., direction, None] * axis
        tables.append(torch.complex(torch.cos(phase), torch.sin(phase)))
    return tables


def _structure_factors(tables: list[Tensor], charges: Tensor) -> Tensor:
    """S(k) for every structure and channel, (S, n_q, n₁, n₂, n₃)."""
    first, second, third = tables
    n_structures, _, n_first = first.shape
    plane = first[..., :, None] * second[..., None, :]
    charged = charges.transpose(1, 2)[..., None] * plane.flatten(2)[:, None]
    factors = charged.transpose(-1, -2) @ third[:, None]
    return factors.view(n_structures, -1, n_first, second.shape[2], third.shape[2])


class _AnalyticPower(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        fractional: Tensor,
        charges: Tensor,
        weights: Tensor,
        first_index: Tensor,
        second_index: Tensor,
        third_index: Tensor,
    ) -> Tensor:
        axes = first_index, second_index, third_index
        tables = _phase_tables(fractional, axes)
        blocks = [
            _structure_factors([tables[0][..., rows], *tables[1:]], charges)
            for rows in _row_blocks(tables)
        ]
        factors = torch.cat(blocks, dim=2)
        power = (factors.real**2 + factors.imag**2).sum(1)
        ctx.axes = axes
        ctx.save_for_backward(charges, weights, factors, power, *tables)
        return (power * weights).flatten(1).sum(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None, None]:
        charges, weights, factors, power, *tables = ctx.saved_tensors
        n_structures, n_channels, _, n_second, _ = factors.shape
        n_atoms = charges.shape[1]
        first_index, second_index, third_index = ctx.axes
        first, second, third = tables
        # φ_i = Re Σ_k 2 w S*(k) e^{ik·r_i} and its derivatives along the three reciprocal axes.
        kernel = 2 * (gradient[:, None, None, None] * weights)[:, None] * factors.conj()
        third_both = torch.cat([third, third * third_index], dim=1)[:, None]
        potential = charges.new_zeros(n_structures, n_channels, n_atoms)
        slope = charges.new_zeros(n_structures, n_channels, n_atoms, 3)
        for rows in _row_blocks(tables):
            block = kernel[:, :, rows].flatten(2, 3)
            along_third = (third_both @ block.transpose(-1, -2)).view(
                n_structures, n_channels, 2, n_atoms, -1, n_second
            )
            # Contract the second axis for (1, n₂) of the plain sum and 1 of the n₃-weighted one.
            plain, tilted = along_third[:, :, 0], along_third[:, :, 1]
            twisted = plain * second[:, None, :, None, :]
            by_first = twisted.sum(-1)
            by_second = (twisted * second_index).sum(-1)
            by_third = (tilted * second[:, None, :, None, :]).sum(-1)
            row = first[:, None, :, rows]
            potential += (row * by_first).sum(-1).real
            slope[..., 0] -= (row * first_index[rows] * by_first).sum(-1).imag
            slope[..., 1] -= (row * by_second).sum(-1).imag
            slope[..., 2] -= (row * by_third).sum(-1).imag
        forces = 2 * math.pi * (charges.transpose(1, 2)[..., None] * slope).sum(1)
        return (
            forces,
            potential.transpose(1, 2),
            gradient[:, None, None, None] * power,
            None,
            None,
            None,
        )


def _row_blocks(tables: list[Tensor]) -> list[slice]:
    """Yield blocks of the first axis whose products of phases fit into memory."""
    first, second, _ = tables
    per_row = max(first.shape[0] * first.shape[1] * second.shape[2], 1)
    rows = max(_BLOCK // per_row, 1)
    return [slice(start, start + rows) for start in range(0, first.shape[2], rows)]
