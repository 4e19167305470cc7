"""What every reciprocal-space sum shares: wave vectors, their weights, and the energy they give."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ase_les.electrostatics.layout import Layout
from ase_les.electrostatics.wave_vectors import ReciprocalKernel, squared_wave_numbers
from ase_les.units import COULOMB_CONSTANT


class Waves(NamedTuple):
    """The wave vectors of a sum: indices along the three reciprocal axes, and what each counts.

    ``axes``: three tensors of n₁, n₂ and n₃ indices. ``counts``: broadcasts to (n₁, n₂, n₃); how
    many wave vectors an entry stands for, times whatever factor the sum needs.
    """

    axes: tuple[Tensor, Tensor, Tensor]
    counts: Tensor


class ReciprocalSum(nn.Module):
    r"""Energy of Gaussian charges under periodic boundary conditions, their self terms included.

    .. math::
        E = \frac{2\pi k_e}{V} \sum_{0 < |\mathbf{k}| \le k_c}
            \frac{e^{-\sigma^2 k^2/2}}{k^2} |S(\mathbf{k})|^2, \qquad
        S(\mathbf{k}) = \sum_i q_i e^{i \mathbf{k} \cdot \mathbf{r}_i}

    There is no real-space part: the charges are Gaussians. Channels add, without cross terms.

    =================  ==========================
    Symbol             Code
    =================  ==========================
    :math:`k_e`        ``COULOMB_CONSTANT`` (eV Å)
    :math:`\sigma`     ``kernel.smearing`` (Å)
    :math:`k_c`        ``kernel.k_cutoff`` (1/Å)
    =================  ==========================

    A sum is defined by its `waves` and by the `power` it finds in them.

    Parameters
    ----------
    kernel : ReciprocalKernel

    References
    ----------
    .. [1] B. Cheng, npj Comput. Mater. 11, 80 (2025).
    """

    def __init__(self, kernel: ReciprocalKernel):
        super().__init__()
        self.kernel = kernel

    def forward(self, positions: Tensor, charges: Tensor, cell: Tensor, layout: Layout) -> Tensor:
        """Energies (S,) in eV.

        Parameters
        ----------
        positions : Tensor, shape (N, 3)
            In Å.
        charges : Tensor, shape (N, n_q)
            In e.
        cell : Tensor, shape (S, 3, 3)
            In Å.
        layout : Layout
            Which atoms belong to which of the S structures.
        """
        waves = self.waves(cell)
        weights = self.weights(cell, waves)
        # Strain leaves fractional coordinates alone: it acts through `weights` only.
        fractional = layout.pad(positions) @ torch.linalg.inv(cell)
        return self.power(fractional, layout.pad(charges), weights, waves.axes)

    def forget(self) -> None:
        """Drop what is kept between calls: what follows is as with a new sum. Here nothing is."""

    def waves(self, cell: Tensor) -> Waves:
        """Wave vectors of the cells (S, 3, 3)."""
        raise NotImplementedError

    def weights(self, cell: Tensor, waves: Waves) -> Tensor:
        """What |S(k)|² contributes to the energies of the cells, (S, n₁, n₂, n₃) in eV/e²."""
        prefactor = 2 * math.pi * COULOMB_CONSTANT / torch.linalg.det(cell).abs()
        kernel = self.kernel(squared_wave_numbers(cell, waves.axes))
        return kernel * waves.counts * prefactor[:, None, None, None]

    def power(self, fractional: Tensor, charges: Tensor, weights: Tensor, axes) -> Tensor:
        """Weighted sums (S,) of |S(k)|² with weights (S, n₁, n₂, n₃)."""
        raise NotImplementedError
