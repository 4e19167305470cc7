"""Wave vectors of a cell and their kernel, used by all reciprocal sums."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

#: Weight exp(-σ²k²/2) at the default cutoff, small enough for E(V) without steps.
NEGLIGIBLE_WEIGHT = 1e-8

# A shell of wave vectors often lies exactly at a published cutoff: 2π/dl in a cubic cell whose edge
# is a multiple of dl. The whole shell is included, since otherwise round-off would select some of
# its vectors and the energy would depend on the orientation of the cell.
SHELL_TOLERANCE = 1e-9


def converged_k_cutoff(smearing: float) -> float:
    """Return the wave number in 1/Å at which the Gaussian weight is `NEGLIGIBLE_WEIGHT`."""
    return math.sqrt(-2 * math.log(NEGLIGIBLE_WEIGHT)) / smearing


@dataclass(frozen=True)
class ReciprocalKernel:
    r"""Interaction of Gaussian charges in reciprocal space.

    .. math::
        G(k) = \frac{e^{-\sigma^2 k^2 / 2}}{k^2} \quad (0 < k \le k_c), \qquad 0 \text{ elsewhere}

    Parameters
    ----------
    smearing : float
        :math:`\sigma` in Å.
    k_cutoff : float
        :math:`k_c` in 1/Å. When the cell changes, wave vectors enter and leave
        the sum with weight ``exp(-(smearing * k_cutoff)**2 / 2)``; keep that
        negligible before running at constant pressure.
    shell_tolerance : float
        Relative distance from the cutoff up to which wave numbers are included.

    Raises
    ------
    ValueError
        If ``smearing`` or ``k_cutoff`` is not positive.
    """

    smearing: float
    k_cutoff: float
    shell_tolerance: float = SHELL_TOLERANCE

    def __post_init__(self) -> None:
        for name in ("smearing", "k_cutoff"):
            if not getattr(self, name) > 0:
                raise ValueError(f"`{name}` must be positive, got {getattr(self, name)}")

    def __call__(self, k_squared: Tensor) -> Tensor:
        """G in Å² at squared wave numbers in 1/Å²."""
        counts = (k_squared > 0) & (k_squared <= self.k_cutoff**2 * (1 + self.shell_tolerance))
        safe = torch.where(counts, k_squared, 1.0)
        return torch.where(counts, torch.exp(-0.5 * self.smearing**2 * safe) / safe, 0.0)

    def index_bounds(self, cell: Tensor) -> tuple[int, int, int]:
        r"""Largest index of a wave vector along each reciprocal axis, over all cells (S, 3, 3).

        :math:`|n_a| \le k_c |a| / 2\pi` holds for a cell of any shape, because
        :math:`n_a = \mathbf{k} \cdot \mathbf{a} / 2\pi`.
        """
        lengths = torch.linalg.vector_norm(cell.detach(), dim=-1).amax(dim=0)
        # Round-off must not lose a shell at the cutoff.
        tolerance = max(self.shell_tolerance, SHELL_TOLERANCE)
        bounds = self.k_cutoff * (1 + tolerance) * lengths / (2 * math.pi)
        first, second, third = bounds.floor().long().tolist()
        return first, second, third


def half_space(bounds: tuple[int, int, int], like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return indices along three reciprocal axes, the first not negative (see `multiplicity`)."""
    first, second, third = bounds
    options: dict[str, Any] = {"dtype": like.dtype, "device": like.device}
    return (
        torch.arange(0, first + 1, **options),
        torch.arange(-second, second + 1, **options),
        torch.arange(-third, third + 1, **options),
    )


def multiplicity(first: Tensor) -> Tensor:
    """Return the number of wave vectors that each index of the first axis represents.

    Every wave vector represents itself and its negative, except in the plane
    where the first index is zero, which contains both.
    """
    return torch.where(first == 0, 1.0, 2.0).to(first.dtype)


def squared_wave_numbers(cell: Tensor, axes: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """k² in 1/Å² of all wave vectors n · 2π cell⁻ᵀ, shape (S, n₁, n₂, n₃)."""
    reciprocal = 2 * math.pi * torch.linalg.inv(cell).transpose(-1, -2)
    # Added component by component: without tolerance, round-off selects shells at the cutoff, and
    # published values use this order of additions.
    squared = cell.new_zeros(())
    for component in reciprocal.unbind(-1):
        first, second, third = (axis * component[:, row, None] for row, axis in enumerate(axes))
        k = (first[:, :, None] + second[:, None, :])[..., None] + third[:, None, None, :]
        squared = squared + k * k
    return squared
