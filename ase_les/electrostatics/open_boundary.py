"""Coulomb energy of smeared charges in free space."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ase_les.electrostatics.layout import Layout
from ase_les.units import COULOMB_CONSTANT

# In Å: below the round-off of interatomic distances.
_NO_DISTANCE = 1e-8

# Pairs per block: a block and its intermediates fit into the cache of one core.
_PAIRS = 2**15


def smeared_coulomb(distance: Tensor, smearing: float) -> Tensor:
    r"""Energy of two unit Gaussian charges, :math:`k_e\,\mathrm{erf}(r/\sqrt2\sigma)/r`, in eV.

    Finite at every positive distance; its limit at zero is
    :math:`2 k_e/(\sqrt{2\pi}\,\sigma)`.
    """
    return COULOMB_CONSTANT * torch.erf(distance / (math.sqrt(2) * smearing)) / distance


class OpenSum(nn.Module):
    r"""Energy of Gaussian charges without periodicity and self terms (training).

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
        """Return energies (S,) in eV of charges (N, n_q) in e at positions (N, 3) in Å."""
        block, charge = layout.pad(positions), layout.pad(charges)
        filled = layout.filled(positions)
        upper = torch.ones(layout.width, layout.width, dtype=torch.bool, device=positions.device)
        pairs = torch.triu(upper, diagonal=1) & filled[:, :, None] & filled[:, None, :]
        structure, first, second = torch.nonzero(pairs, as_tuple=True)
        separation = block[structure, first] - block[structure, second]
        # Charges may coincide, where a norm has no derivative.
        distance = torch.sqrt((separation * separation).sum(-1) + _NO_DISTANCE**2)
        product = (charge[structure, first] * charge[structure, second]).sum(-1)
        energies = positions.new_zeros(layout.n_structures)
        return energies.index_add(0, structure, product * smeared_coulomb(distance, self.smearing))


class AnalyticOpenSum(OpenSum):
    """Sum with hand-written gradients in blocks of pairs, once differentiable.

    Memory grows with the number of atoms, not of pairs.
    """

    def forward(self, positions: Tensor, charges: Tensor, layout: Layout) -> Tensor:
        """Return energies (S,) in eV of charges (N, n_q) in e at positions (N, 3) in Å."""
        if layout.slots is None:
            found: Tensor = _AnalyticPairs.apply(positions, charges, self.smearing)
            return found
        structure = torch.div(layout.slots, layout.width, rounding_mode="floor")
        energies = []
        for index in range(layout.n_structures):
            atoms = torch.nonzero(structure == index).squeeze(1)
            energies.append(_AnalyticPairs.apply(positions[atoms], charges[atoms], self.smearing))
        return torch.cat(energies)


class _AnalyticPairs(torch.autograd.Function):
    """Compute the energy (1,) of all pairs of one structure, and its gradients."""

    @staticmethod
    def forward(ctx: Any, positions: Tensor, charges: Tensor, smearing: float) -> Tensor:
        n_atoms = len(positions)
        potential, slope = torch.zeros_like(charges), torch.zeros_like(positions)
        rows = max(_PAIRS // max(n_atoms, 1), 1)
        for start in range(0, n_atoms, rows):
            # Each pair once: these atoms with each other and with all later atoms.
            some, later = slice(start, start + rows), slice(start, n_atoms)
            separation = positions[some, None] - positions[later]
            unit, pull = _pair_terms(separation, smearing)
            pull *= charges[some] @ charges[later].T
            n_some = len(unit)
            potential[some] += unit @ charges[later]
            potential[start + n_some :] += unit[:, n_some:].T @ charges[some]
            forces = pull[..., None] * separation
            slope[some] += forces.sum(1)
            slope[start + n_some :] -= forces[:, n_some:].sum(0)
        ctx.save_for_backward(potential, slope)
        return 0.5 * (charges * potential).sum()[None]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        potential, slope = ctx.saved_tensors
        return gradient * slope, gradient * potential, None


def _pair_terms(separation: Tensor, smearing: float) -> tuple[Tensor, Tensor]:
    """Return u and u'/r (rows, columns) of unit charges; zero on the leading diagonal."""
    distance = torch.sqrt((separation * separation).sum(-1) + _NO_DISTANCE**2)
    scaled = distance / (math.sqrt(2) * smearing)
    unit = COULOMB_CONSTANT * torch.erf(scaled) / distance
    bell = (COULOMB_CONSTANT * math.sqrt(2 / math.pi) / smearing) * torch.exp(-scaled * scaled)
    pull = (bell - unit) / (distance * distance)
    unit.fill_diagonal_(0.0)
    pull.fill_diagonal_(0.0)
    return unit, pull
