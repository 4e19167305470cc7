"""Base class of reciprocal-space sums: wave vectors, their weights, and the energy."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ase_les.electrostatics.layout import Layout
from ase_les.electrostatics.wave_vectors import ReciprocalKernel, squared_wave_numbers
from ase_les.units import COULOMB_CONSTANT

Axes = tuple[Tensor, Tensor, Tensor]


class Waves(NamedTuple):
    """Wave vectors of a sum: indices along the three reciprocal axes, and their multiplicity.

    ``axes``: three tensors of n₁, n₂ and n₃ indices. ``counts``: broadcasts to (n₁, n₂, n₃); the
    number of wave vectors that an entry represents, times any factor of the sum. ``mesh``: steps of
    a mesh along the lattice vectors, whose wave vectors these are, or None.
    """

    axes: Axes
    counts: Tensor
    mesh: tuple[int, int, int] | None = None


class SumPlan(NamedTuple):
    """Plan of a reciprocal sum for given cells.

    ``method``: the sum itself. ``waves``: its wave vectors. ``weights`` (S, n₁, n₂, n₃) in eV/e²:
    see `ReciprocalSum.weights`, or None where they are computed with every sum. ``truncated``:
    whether the interaction ends at half the third lattice vector (`truncate_along_normal`).
    ``inverse`` (S, 3, 3) of the cells in 1/Å, or None like the weights. ``surface``: potential of
    the charges on all points of a mesh, in V, if it is known.
    """

    method: ReciprocalSum
    waves: Waves
    weights: Tensor | None
    truncated: bool = False
    inverse: Tensor | None = None
    surface: Tensor | None = None

    def part(self, index: int, count: int) -> SumPlan | None:
        """Return one of several plans that share the wave vectors; None if it has none.

        For direct sums over wave vectors.
        """
        first, second, third = self.waves.axes
        # All rows cost the same: take every count-th.
        rows = torch.arange(index, len(first), count, device=first.device)
        if not len(rows):
            return None
        counts = self.waves.counts
        if len(counts) == len(first):
            counts = counts[rows]
        weights = None if self.weights is None else self.weights[:, rows].contiguous()
        return self._replace(waves=Waves((first[rows], second, third), counts), weights=weights)


class ReciprocalSum(nn.Module):
    r"""Energy of Gaussian charges under periodic boundary conditions, including self terms.

    .. math::
        E = \frac{2\pi k_e}{V} \sum_{0 < |\mathbf{k}| \le k_c}
            \frac{e^{-\sigma^2 k^2/2}}{k^2} |S(\mathbf{k})|^2, \qquad
        S(\mathbf{k}) = \sum_i q_i e^{i \mathbf{k} \cdot \mathbf{r}_i}

    There is no real-space part, because charges are Gaussians. Channels add without cross terms.

    =================  ==========================
    Symbol             Code
    =================  ==========================
    :math:`k_e`        ``COULOMB_CONSTANT`` (eV Å)
    :math:`\sigma`     ``kernel.smearing`` (Å)
    :math:`k_c`        ``kernel.k_cutoff`` (1/Å)
    =================  ==========================

    A sum is defined by its `waves` and their `power`. Evaluation does not change the object:
    everything that depends only on the cell is in a `SumPlan`, which the caller may keep.

    Parameters
    ----------
    kernel : ReciprocalKernel

    References
    ----------
    .. [1] B. Cheng, npj Comput. Mater. 11, 80 (2025).
    """

    #: Whether a plan holds the weights of the wave vectors (inference in a fixed cell).
    keeps_weights = False

    def __init__(self, kernel: ReciprocalKernel):
        super().__init__()
        self.kernel = kernel

    def plan(self, cell: Tensor, layout: Layout, truncated: bool = False) -> SumPlan:
        """Return the wave vectors for cells (S, 3, 3) and, for inference, their weights."""
        waves = self.waves(cell)
        if not self.keeps_weights:
            return SumPlan(self, waves, None, truncated)
        given = cell.detach()
        weights = self.weights(given, waves, truncated)
        return SumPlan(self, waves, weights, truncated, torch.linalg.inv(given))

    def forward(
        self,
        positions: Tensor,
        charges: Tensor,
        cell: Tensor,
        layout: Layout,
        plan: SumPlan | None = None,
    ) -> Tensor:
        """Return energies (S,) in eV.

        Parameters
        ----------
        positions : Tensor, shape (N, 3)
            In Å.
        charges : Tensor, shape (N, n_q)
            In e.
        cell : Tensor, shape (S, 3, 3)
            In Å.
        layout : Layout
            Assignment of atoms to the S structures.
        plan : SumPlan or None
            Plan for the same cells; None creates one.
        """
        plan = plan or self.plan(cell, layout)
        weights, inverse = plan.weights, plan.inverse
        if weights is None or inverse is None or cell.requires_grad:
            weights = self.weights(cell, plan.waves, plan.truncated)
            inverse = torch.linalg.inv(cell)
        # Strain does not change fractional coordinates: it acts through `weights` only.
        fractional = layout.pad(positions) @ inverse
        if plan.surface is not None and not cell.requires_grad:
            return self.power_of_surface(fractional, layout.pad(charges), plan.surface, plan.waves)
        return self.power(fractional, layout.pad(charges), weights, plan.waves)

    def waves(self, cell: Tensor) -> Waves:
        """Return the wave vectors that the sum includes, for cells (S, 3, 3) in Å."""
        raise NotImplementedError

    def weights(self, cell: Tensor, waves: Waves, truncated: bool = False) -> Tensor:
        """Return the factors of |S(k)|² in the energies of the cells, (S, n₁, n₂, n₃) in eV/e²."""
        prefactor = 2 * math.pi * COULOMB_CONSTANT / torch.linalg.det(cell).abs()
        kernel = self.kernel(squared_wave_numbers(cell, waves.axes))
        if truncated:
            kernel = truncate_along_normal(kernel, cell, waves.axes)
        return kernel * waves.counts * prefactor[:, None, None, None]

    def power(self, fractional: Tensor, charges: Tensor, weights: Tensor, waves: Waves) -> Tensor:
        """Return the sums (S,) of squared structure factors |S(k)|² times weights.

        The weights (S, n₁, n₂, n₃) are those of `weights`; energies follow in eV.
        """
        raise NotImplementedError

    def power_of_surface(
        self, fractional: Tensor, charges: Tensor, surface: Tensor, waves: Waves
    ) -> Tensor:
        """Return the same (1,) for one structure from the potential of its charges on a mesh."""
        raise NotImplementedError


def truncate_along_normal(kernel: Tensor, cell: Tensor, axes: Axes) -> Tensor:
    r"""Return the kernel of an interaction that ends at half the cell along its third vector.

    .. math::
        G(\mathbf{k}) \to G(\mathbf{k})\,
            \big(1 - (-1)^{n_3} e^{-k_\parallel L/2}\big), \qquad
        G(0) \to -\tfrac18 L^2

    is the transform of the Coulomb interaction times a step :math:`|z| < L/2`: between charges
    whose heights differ by less than that, less the reach of their Gaussians, the sum over the
    repeated cell equals the sum over a single slab exactly [1]_.

    Parameters
    ----------
    kernel : Tensor, shape (S, n₁, n₂, n₃)
        :math:`G` in Å².
    cell : Tensor, shape (S, 3, 3)
        Its third vector, of length :math:`L`, is normal to the others.
    axes : Axes
        Indices :math:`n_1, n_2, n_3` of the wave vectors.

    References
    ----------
    .. [1] C. A. Rozzi et al., Phys. Rev. B 73, 205119 (2006).
    """
    first, second, third = axes
    length = torch.linalg.vector_norm(cell[:, 2], dim=1)[:, None, None, None]
    in_plane = squared_wave_numbers(cell, (first, second, torch.zeros_like(third[:1])))
    is_level = in_plane == 0
    k = torch.where(is_level, 1.0, in_plane).sqrt()
    decay = torch.where(is_level, 1.0, torch.exp(-0.5 * k * length))
    sign = 1 - 2 * torch.remainder(third, 2)
    origin = is_level & (third == 0)
    return torch.where(origin, -0.125 * length**2, kernel * (1 - sign * decay))
