"""Coulomb energy of smeared charges in free space."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ase_les.electrostatics.layout import Layout
from ase_les.units import COULOMB_CONSTANT

# In Å: lost in the round-off of any distance between atoms.
_NO_DISTANCE = 1e-8


def smeared_coulomb(distance: Tensor, smearing: float) -> Tensor:
    r"""Energy of two unit Gaussian charges, :math:`k_e\,\mathrm{erf}(r/\sqrt2\sigma)/r`, in eV.

    Finite at every positive distance; its limit at zero is
    :math:`2 k_e/(\sqrt{2\pi}\,\sigma)`.
    """
    return COULOMB_CONSTANT * torch.erf(distance / (math.sqrt(2) * smearing)) / distance


class OpenSum(nn.Module):
    r"""Energy of Gaussian charges without periodicity, their self terms left out.

    .. math::
        E = \frac{1}{2} \sum_{i \ne j} k_e q_i q_j
            \frac{\mathrm{erf}(r_{ij}/\sqrt2\sigma)}{r_{ij}}

    Parameters
    ----------
    smearing : float
        :math:`\sigma` in Å.
    """

    def __init__(self, smearing: float):
        super().__init__()
        self.smearing = smearing

    def forward(self, positions: Tensor, charges: Tensor, layout: Layout) -> Tensor:
        """Energies (S,) in eV of charges (N, n_q) in e at positions (N, 3) in Å."""
        block, charge = layout.pad(positions), layout.pad(charges)
        filled = layout.filled(positions)
        upper = torch.ones(layout.width, layout.width, dtype=torch.bool, device=positions.device)
        pairs = torch.triu(upper, diagonal=1) & filled[:, :, None] & filled[:, None, :]
        structure, first, second = torch.nonzero(pairs, as_tuple=True)
        separation = block[structure, first] - block[structure, second]
        # Charges may sit on top of each other: a norm would have no derivative there.
        distance = torch.sqrt((separation * separation).sum(-1) + _NO_DISTANCE**2)
        product = (charge[structure, first] * charge[structure, second]).sum(-1)
        energies = positions.new_zeros(layout.n_structures)
        return energies.index_add(0, structure, product * smeared_coulomb(distance, self.smearing))
