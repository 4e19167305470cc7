"""Direct sum in blocks of wave vectors, for few atoms in very large boxes."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ase_les.electrostatics.ewald import EwaldSum
from ase_les.electrostatics.layout import Layout
from ase_les.electrostatics.reciprocal import SumPlan, Waves
from ase_les.electrostatics.wave_vectors import multiplicity

#: Wave vectors per block, each with about twenty numbers in memory.
_BLOCK = 2**19
#: Maximum number of wave vectors, which takes minutes.
MOST_WAVES = 2**31


class BlockedEwaldSum(EwaldSum):
    """Direct sum, once differentiable with respect to positions, charges and cell.

    Plans have no weights: these are computed with every block. Memory does not grow with the box.
    """

    def forward(
        self,
        positions: Tensor,
        charges: Tensor,
        cell: Tensor,
        layout: Layout,
        plan: SumPlan | None = None,
    ) -> Tensor:
        """Return energies (S,) in eV, see `ReciprocalSum`.

        Raises
        ------
        ValueError
            If the box has more than `MOST_WAVES` wave vectors.
        """
        plan = plan or self.plan(cell, layout)
        n_waves = math.prod(map(len, plan.waves.axes))
        if n_waves > MOST_WAVES:
            raise ValueError(
                f"the long-range sum of a cell of {cell[0].tolist()} Å has {n_waves:.2g} wave "
                f"vectors, more than {MOST_WAVES:.2g}. Use a smaller cell, or pbc = False for a "
                "molecule"
            )
        fractional = layout.pad(positions) @ torch.linalg.inv(cell)
        return _BlockedSum.apply(fractional, layout.pad(charges), cell, self, plan)

    def energies_of(
        self, fractional: Tensor, charges: Tensor, cell: Tensor, first: Tensor, plan: SumPlan
    ) -> Tensor:
        """Return the part (S,) of the wave vectors with some of the first indices."""
        axes = first, *plan.waves.axes[1:]
        waves = Waves(axes, multiplicity(first)[:, None, None])
        weights = self.weights(cell, waves, plan.truncated)
        return self.power(fractional, charges, weights, waves)


class _BlockedSum(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        fractional: Tensor,
        charges: Tensor,
        cell: Tensor,
        method: BlockedEwaldSum,
        plan: SumPlan,
    ) -> Tensor:
        first, second, third = plan.waves.axes
        given = fractional, charges, cell
        total = cell.new_zeros(len(cell))
        slopes = [torch.zeros_like(each) for each in given]
        for block in first.split(max(_BLOCK // (len(second) * len(third)), 1)):
            inputs = [each.detach().requires_grad_() for each in given]
            with torch.enable_grad():
                energies = method.energies_of(inputs[0], inputs[1], inputs[2], block, plan)
                # The energy of a structure depends on its own inputs only.
                parts = torch.autograd.grad(energies.sum(), inputs)
            total += energies.detach()
            for slope, part in zip(slopes, parts, strict=True):
                slope += part
        ctx.save_for_backward(*slopes)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        fractional, charges, cell = (gradient[:, None, None] * slope for slope in ctx.saved_tensors)
        return fractional, charges, cell, None, None
