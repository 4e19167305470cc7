r"""Slabs: three-dimensional sums for charges with two periodic directions.

The slab is placed in a separate box with its two periodic lattice vectors and a vector along their
normal, long enough for vacuum. The third lattice vector of the structure is not used: it may be
missing, short, long or tilted. The box is also periodic along the normal, and `layer_correction`
removes the interaction with these copies exactly.
"""

from __future__ import annotations

import copy
import math
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from ase_les.electrostatics.layout import Layout
from ase_les.electrostatics.wave_vectors import half_space, multiplicity, squared_wave_numbers
from ase_les.graph import Graph, slab_axes
from ase_les.units import COULOMB_CONSTANT

# Vacuum in units of the smearing: Gaussians of neighboring copies interact as points, to 1e-10.
_VACUUM_PER_SMEARING = 6.5

# Box heights per factor of two: the box is the same for small fluctuations of the slab.
_HEIGHTS_PER_OCTAVE = 8

# exp(-27.6) = 1e-12: plane waves that decay more than this across the vacuum are neglected.
_DECAY = 27.6

# Of the logarithm of their largest wave number, for waves kept from step to step.
_CUTOFF_STEP = 0.1


class SlabBox(NamedTuple):
    r"""Boxes of S slabs: cells and positions of atoms along the normal.

    ``cell`` (S, 3, 3): the periodic vectors and :math:`L_n \mathbf{n}`, in Å. ``heights`` (N,):
    positions of the atoms along :math:`\mathbf{n}` from the middle of their slab, in Å.
    ``vacuum`` (S,): length of :math:`L_n` without atoms, in Å.
    """

    cell: Tensor
    heights: Tensor
    vacuum: Tensor

    @classmethod
    def of(cls, graph: Graph, lengths: Tensor) -> SlabBox:
        """Return the boxes of slabs for lengths (S,) along the normal, in Å (`box_lengths`)."""
        first, second, normal = slab_axes(graph.cell, graph.pbc)
        heights = (graph.positions * normal[graph.structure]).sum(1)
        top, bottom = _extent(heights, graph)
        return cls(
            cell=torch.stack([first, second, lengths[:, None] * normal], dim=1),
            heights=heights - (0.5 * (top + bottom))[graph.structure],
            vacuum=lengths - (top - bottom),
        )


def box_lengths(graph: Graph, smearing: float, truncated: bool = False) -> Tensor:
    """Return lengths (S,) in Å of boxes along the normals of slabs.

    Parameters
    ----------
    graph : Graph
    smearing : float
        In Å.
    truncated : bool
        True for the interaction of `truncate_along_normal`: the box is twice the thickness of the
        slab plus the reach of the Gaussians. False for `layer_correction`: the vacuum is at least
        as thick as the cell is wide in the plane, so that the correction needs few plane waves.
    """
    first, second, normal = slab_axes(graph.cell.detach(), graph.pbc)
    top, bottom = _extent((graph.positions.detach() * normal[graph.structure]).sum(1), graph)
    if truncated:
        needed = 2 * (top - bottom + _VACUUM_PER_SMEARING * smearing)
    else:
        area = torch.linalg.vector_norm(torch.linalg.cross(first, second), dim=1)
        needed = top - bottom + torch.clamp(area.sqrt(), min=_VACUUM_PER_SMEARING * smearing)
    return 2 ** (torch.ceil(_HEIGHTS_PER_OCTAVE * needed.log2()) / _HEIGHTS_PER_OCTAVE)


def _extent(heights: Tensor, graph: Graph) -> tuple[Tensor, Tensor]:
    """Return the heights (S,) of the highest and the lowest atom of each slab."""
    top, bottom = (
        heights.new_zeros(graph.n_structures).scatter_reduce(
            0, graph.structure, heights.detach(), reduce=extreme, include_self=False
        )
        for extreme in ("amax", "amin")
    )
    return top, bottom


def layer_correction(graph: Graph, charges: Tensor, box: SlabBox, layout: Layout) -> Tensor:
    r"""Return the correction (S,) in eV from the sum over the repeated box to a single slab.

    .. math::
        \Delta E = \frac{2\pi k_e}{V} \Big( M_n^2 - Q \sum_i q_i z_i^2 - \frac{Q^2 L_n^2}{12} \Big)
        - \frac{2\pi k_e}{A} \sum_{\mathbf{k}_\parallel \ne 0}
        \frac{\mathrm{Re}\,\chi_+ \chi_-^*}{k_\parallel (e^{k_\parallel L_n} - 1)}, \qquad
        \chi_\pm = \sum_i q_i e^{i \mathbf{k}_\parallel \cdot \mathbf{r}_i \pm k_\parallel z_i}

    The first term [1]_ is the average over the plane, the sum [2]_ the interaction of the
    slab's copies with its structure; it decays with the vacuum and needs a few dozen plane waves.
    Together with the sum and its background they give

    .. math::
        E = -\frac{\pi k_e}{A} \sum_{ij} q_i q_j \langle |z_i - z_j| \rangle
            + (\mathbf{k}_\parallel \ne 0)

    with the average over the Gaussians, without vacuum or background, also for charged slabs.

    =================  =======================================================
    Symbol             Code
    =================  =======================================================
    :math:`k_e`        ``COULOMB_CONSTANT`` (eV Å)
    :math:`z`          ``box.heights`` (Å)
    :math:`L_n`        length of the box along the normal (Å), :math:`V = A L_n`
    :math:`M_n, Q`     dipole :math:`\sum q z` (e Å) and net charge (e)
    =================  =======================================================

    Parameters
    ----------
    graph : Graph
        Graph of slabs only.
    charges : Tensor, shape (N, n_q)
        Charges in e; channels add.
    box : SlabBox
    layout : Layout

    References
    ----------
    .. [1] I.-C. Yeh, M. L. Berkowitz, J. Chem. Phys. 111, 3155 (1999); with net charge
           V. Ballenegger, A. Arnold, J. J. Cerdà, J. Chem. Phys. 131, 094107 (2009).
    .. [2] A. Arnold, J. de Joannis, C. Holm, J. Chem. Phys. 117, 2496 (2002).
    """
    charge = layout.pad(charges).transpose(1, 2)
    height = layout.pad(box.heights)[:, None]
    volume = torch.linalg.det(box.cell).abs()
    length = torch.linalg.vector_norm(box.cell[:, 2], dim=1)

    net = charge.sum(2)
    dipole = (charge * height).sum(2)
    spread = (charge * height**2).sum(2)
    average = dipole**2 - net * spread - net**2 * (length**2 / 12)[:, None]
    average = (2 * math.pi * COULOMB_CONSTANT / volume) * average.sum(1)

    k, weights, phase = _waves(box, length, layout.pad(graph.positions))
    phase = torch.complex(torch.cos(phase), torch.sin(phase))
    # With exp(-kL/2) in each χ there is no overflow: atoms are less than L/2 from the middle.
    k, half = k[:, None], 0.5 * length[:, None, None]
    above, below = (
        charge.to(phase.dtype) @ (phase * torch.exp(k * (sign * height.transpose(1, 2) - half)))
        for sign in (1, -1)
    )
    images = ((above * below.conj()).real.sum(1) * weights).sum(1)
    return average - (2 * math.pi * COULOMB_CONSTANT * length / volume) * images


class LayerPotential:
    """Derivative of the layer correction of one slab by its charges, for many sets of charges.

    A bilinear form of plane waves and powers of the height at the atoms, computed once.

    Parameters
    ----------
    graph : Graph
        One slab.
    box : SlabBox
    """

    def __init__(self, graph: Graph, box: SlabBox):
        cell, z = box.cell.detach()[0], box.heights.detach()[:, None]
        # In steps, so that the waves are the same for small fluctuations of the slab.
        steps = math.ceil(math.log(_DECAY / float(box.vacuum[0])) / _CUTOFF_STEP)
        vectors, k, half, self._coupling = _layer_waves(
            tuple(cell.flatten().tolist()), math.exp(_CUTOFF_STEP * steps), cell.device
        )
        phase = graph.positions.detach() @ vectors
        waves = torch.cos(phase), torch.sin(phase)
        sides = torch.exp(k * (z - half)), torch.exp(k * (-z - half))
        products = [wave * side for side in sides for wave in waves]
        self._basis = torch.cat([torch.ones_like(z), z, z**2, *products], dim=1)

    def of(self, atoms: Tensor) -> LayerPotential:
        """Return the same among some atoms (M,)."""
        other = copy.copy(self)
        other._basis = self._basis[atoms]
        return other

    def __call__(self, charges: Tensor) -> Tensor:
        """Return potentials (N,) in V of charges (N,) in e."""
        return self._basis @ (self._coupling @ (charges @ self._basis))


@lru_cache(maxsize=8)
def _layer_waves(
    rows: tuple[float, ...], k_cutoff: float, device: torch.device
) -> tuple[Tensor, Tensor, float, Tensor]:
    """Return what `LayerPotential` needs of a box with the given vectors.

    In-plane wave vectors (3, n) and numbers (n,) in 1/Å, half the height of the box in Å, and the
    matrix of the bilinear form in V/e: of charge, dipole and spread, and of the waves, cosines and
    sines, that grow with the height with those that decay.
    """
    cell = torch.tensor(rows, dtype=torch.float64, device=device).view(3, 3)
    lengths = torch.linalg.vector_norm(cell, dim=1)
    first, second = (k_cutoff * lengths[:2] / (2 * math.pi)).floor().long().tolist()
    axes = half_space((first, second, 0), like=cell)
    indices = torch.cartesian_prod(axes[0], axes[1])
    vectors = 2 * math.pi * torch.linalg.inv(cell)[:, :2] @ indices.T
    k = torch.linalg.vector_norm(vectors, dim=0)
    chosen = (k > 0) & (k <= k_cutoff)
    vectors, k = vectors[:, chosen], k[chosen]
    weights = lengths[2] * multiplicity(indices[chosen, 0]) / (k * -torch.expm1(-k * lengths[2]))
    n, of_waves = 3, 2 * len(k)
    coupling = cell.new_zeros(n + 2 * of_waves, n + 2 * of_waves)
    coupling[0, 0] = -(lengths[2] ** 2) / 6
    coupling[1, 1] = 2.0
    coupling[0, 2] = coupling[2, 0] = -1.0
    between = torch.diag(weights.repeat(2))
    coupling[n : n + of_waves, n + of_waves :] = -between
    coupling[n + of_waves :, n : n + of_waves] = -between
    volume = torch.linalg.det(cell).abs()
    coupling = (2 * math.pi * COULOMB_CONSTANT / volume) * coupling
    return vectors, k, 0.5 * float(lengths[2]), coupling


def _waves(box: SlabBox, length: Tensor, positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return wave numbers (S, W), weights of their images (S, W), and phases (S, M, W).

    Parameters
    ----------
    box : SlabBox
    length : Tensor, shape (S,)
        Length of the box along the normal in Å.
    positions : Tensor, shape (S, M, 3)
        In Å.
    """
    axes = _plane_waves(box)
    k_squared = squared_wave_numbers(box.cell, axes)[..., 0]
    counts = k_squared > 0
    k = torch.where(counts, k_squared, 1.0).sqrt()
    weights = multiplicity(axes[0])[:, None] * torch.where(counts, 1 / k, 0.0)
    weights = weights / -torch.expm1(-k * length[:, None, None])
    fractional = positions @ torch.linalg.inv(box.cell)
    phase = (2 * math.pi) * (
        fractional[:, :, 0, None, None] * axes[0][:, None]
        + fractional[:, :, 1, None, None] * axes[1]
    )
    return k.flatten(1), weights.flatten(1), phase.flatten(2)


def _plane_waves(box: SlabBox) -> tuple[Tensor, Tensor, Tensor]:
    """Return indices of the in-plane wave vectors that contribute across the vacuum."""
    k_cutoff = float((_DECAY / box.vacuum).max())
    lengths = torch.linalg.vector_norm(box.cell.detach()[:, :2], dim=2).amax(0)
    first, second = (k_cutoff * lengths / (2 * math.pi)).floor().long().tolist()
    return half_space((first, second, 0), like=box.cell)
