"""Split charges: charge transfers between neighboring atoms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from ase.data import atomic_numbers, chemical_symbols
from torch import Tensor, nn

from ase_les.charges.bond_polarity import (
    BONDED,
    NOT_BONDED,
    bond_lengths,
    bonded,
    electronegativity_differences,
)
from ase_les.charges.config import ChargesConfig
from ase_les.charges.neutrality import NeutralityRule
from ase_les.graph import Graph, edge_vectors, sum_per_structure
from ase_les.kernels.library import Kernels
from ase_les.kernels.split import FusedSplitCharges, SplitConstants
from ase_les.representation.radial import polynomial_cutoff

# Charges are sums of a few numbers of order one: smaller values are round-off.
_NO_CHARGE = 1e-12

# Charge transferred through a bond before training, in e per unit of electronegativity.
_PER_PAULING = 0.3


class SplitCharges(NeutralityRule):
    r"""Charges exchanged between neighbors (split-charge model), conserved exactly and locally.

    .. math::
        q_i &= q_0(Z_i) + \sum_j (p_{ij} - p_{ji}) + \Big(Q - \sum_j q_0(Z_j)\Big)
              \frac{e^{s_i}}{\sum_j e^{s_j}} \\
        p_{ij} &= \sum_{n=0}^{4} \big(W^{Z_i Z_j}_n + a_{in}\big)\, \phi^{Z_i Z_j}_n(r_{ij})
                - w\, f_c(r_{ij})\, \hat{\mathbf{d}}_{ij} \cdot \mathbf{u}_i \\
        \mathbf{u}_i &= \sum_j \hat{\mathbf{d}}_{ij} \sum_{n=0}^{4}
                \big(V^{Z_i Z_j}_n + c_{in}\big)\, \phi^{Z_i Z_j}_n(r_{ij}) \\
        \phi^{ZZ'}_0(r) &= f_c(r)\, b(r / \ell_{ZZ'}), \qquad
        \phi_n(r) = w\, f_c(r) \cos\frac{(n - 1) \pi r}{r_c}

    The latent numbers of an atom are coefficients of functions of distance for the charge taken
    from neighbors. The first function covers bonded atoms: :math:`b` is 1 up to 1.15 times the
    sum :math:`\ell` of covalent radii and 0 beyond 1.75 times, so that a vibrating bond keeps its
    charge. The other functions, with small weight, extend over the whole environment.

    In addition, every atom polarizes: it moves charge through its environment along a vector
    :math:`\mathbf{u}_i`. Without this term there would be no polarization on length scales above
    bonds, which dominate the long range: isotropic transfers have no dipole, and transfers from
    scalars contribute only at second order in the wave vector because charge is conserved.

    A transfer along an edge is a dipole along that edge, so the moments

    .. math::
        \mathbf{m}_i = -\sum_j p_{ij}\, \mathbf{d}_{ij} + \dots

    do not depend on an origin or on wrapping of atoms into the cell.

    The total charge beyond the formal charges is distributed according to affinities
    :math:`s_i`. These are local; only the normalization, which makes the sum equal to :math:`Q`,
    depends on the whole structure. The exponential keeps the distribution as local as possible:
    an atom with a much lower affinity gets no share, so that an ion keeps its charge in any amount
    of solvent, and equal sites get equal shares. If the formal charges add up to the total charge,
    as in neutral structures without formal charges, all charges are strictly local.

    =======================  ==================================================
    Symbol                   Code
    =======================  ==================================================
    :math:`a, c, s`          columns of ``latent``; the affinity is the last
    :math:`W, V`             ``pair_charges`` (channel, receiver, sender,
                             W or V, n), in units of 0.05 e
    :math:`w`                0.1
    :math:`q_0`              ``formal_charges`` (e)
    :math:`\ell_{ZZ'}`       sums of covalent radii (Å), `ase.data`
    :math:`\mathbf{d}_{ij}`  edge vector from i to j (Å)
    =======================  ==================================================

    Parameters
    ----------
    elements : sequence of int
        Atomic numbers known to the model.
    cutoff : float
        Longest edge along which charge moves, in Å.
    """

    is_conserved = True
    is_local = True

    _N_WAVES = 4
    # Some forty neighbors are within the cutoff: their transfers must be small.
    _WAVE_HEIGHT = 0.1
    _CUTOFF_EXPONENT = 5
    # Optimizer steps are equally large in all parameters; those of transfers should be small.
    _UNIT = 0.05

    _lengths: Tensor
    _row: Tensor

    def __init__(self, config: ChargesConfig, elements: Sequence[int], cutoff: float):
        super().__init__()
        elements = list(elements)
        self.cutoff = float(cutoff)
        n_functions = 1 + self._N_WAVES
        start = torch.zeros(config.n_channels, len(elements), len(elements), 2, n_functions)
        start[0, ..., 0, 0] = _first_guess(elements, config.formal_charges) / self._UNIT
        start[1:] = torch.randn(start[1:].shape)
        self.pair_charges = nn.Parameter(start)
        # In float32, which is not affected by changes of the network's precision.
        self.register_buffer("_lengths", bond_lengths(elements), persistent=False)
        row = torch.zeros(max(atomic_numbers.values()) + 1, dtype=torch.int64)
        row[elements] = torch.arange(len(elements))
        self.register_buffer("_row", row, persistent=False)
        formal = torch.zeros(len(row), dtype=torch.float64)
        for symbol, charge in config.formal_charges.items():
            formal[atomic_numbers[symbol]] = charge
        self._formal = formal
        self._fused: FusedSplitCharges | None = None

    def n_numbers(self, n_channels: int) -> int:
        """Return two latent numbers per channel and function, and one for the affinity."""
        return n_channels * 2 * (1 + self._N_WAVES) + 1

    def forward(self, latent: Tensor, graph: Graph) -> Tensor:
        """Return charges (N, n_channels) in e from latent numbers (N, n_numbers), float64."""
        return self.with_exchanged(latent, graph, self.exchanged(latent, graph))

    def with_exchanged(self, latent: Tensor, graph: Graph, exchanged: Tensor | None) -> Tensor:
        assert exchanged is not None
        own = self._own_charges(latent, graph)
        return exchanged if own is None else exchanged + own

    def use_kernels(self, kernels: Kernels) -> None:
        """Switch `forward` to compiled kernels (inference only)."""
        self._fused = FusedSplitCharges(self, kernels)

    def constants(self) -> SplitConstants:
        """Return the constants that the kernels need."""
        weights = self._UNIT * self.pair_charges.detach().double()
        return SplitConstants(
            self.cutoff,
            self._WAVE_HEIGHT,
            BONDED,
            NOT_BONDED,
            weights.permute(1, 2, 0, 3, 4).contiguous(),
            self._lengths.double().reciprocal().contiguous(),
            self._row,
        )

    def exchanged(self, latent: Tensor, graph: Graph) -> Tensor:
        """Return the charge every atom gains from its neighbors, (N, n_channels) in e."""
        if self._fused is not None:
            return self._fused(latent, graph)
        split, _ = self._split_charges(latent, graph)
        charges = split.new_zeros(graph.n_atoms, split.shape[1])
        charges = charges.index_add(0, graph.receivers, split)
        return charges.index_add(0, graph.senders, -split)

    def moments(self, latent: Tensor, graph: Graph) -> Tensor:
        """Return moments (N, 3) in e Å: dipoles along edges, and own charges at their positions."""
        split, vectors = self._split_charges(latent, graph)
        moments = torch.zeros_like(graph.positions)
        moments = moments.index_add(0, graph.receivers, -split[:, :1] * vectors)
        own = self._own_charges(latent, graph)
        return moments if own is None else moments + own[:, :1] * graph.positions

    def flip_sign(self) -> None:
        """Reverse the sign of the pair charges."""
        self.pair_charges.neg_()

    def formal(self, graph: Graph) -> Tensor:
        """Return the charges (N,) in e before any charge moves."""
        return self._formal.to(graph.positions.device)[graph.numbers]

    def excess(self, graph: Graph) -> Tensor:
        """Return the total charge beyond the formal charges, (S,) in e; exactly 0 if none."""
        left = graph.total_charge - sum_per_structure(self.formal(graph), graph)
        return torch.where(left.abs() > _NO_CHARGE, left, 0.0)

    def _split_charges(self, latent: Tensor, graph: Graph) -> tuple[Tensor, Tensor]:
        """Return charges (E, n_channels) in e moved along edges to their receivers; edge vectors.

        Computed in the precision of the network, with the same rounded number for both ends.
        """
        vectors = edge_vectors(graph)
        dtype, receivers = self.pair_charges.dtype, graph.receivers
        row = self._row[graph.numbers]
        pair = row[receivers] * len(self._lengths) + row[graph.senders]
        distances = torch.linalg.vector_norm(vectors, dim=1).to(dtype)
        functions = self._functions(distances, self._lengths.flatten()[pair])
        directions = vectors.to(dtype) / distances[:, None]
        of_pairs = self._UNIT * self.pair_charges.flatten(1, 2)
        of_atoms = latent[:, :-1].to(dtype).view(graph.n_atoms, *of_pairs[:, 0].shape)
        split = []
        for channel, by_pair in enumerate(of_pairs):
            # `index_select` and not [...]: its gradient is a plain sum.
            weights = of_atoms[:, channel].index_select(0, receivers)
            weights = weights + by_pair.index_select(0, pair)
            taken, pull = (weights * functions[:, None]).sum(2).unbind(1)
            polarized = directions.new_zeros(graph.n_atoms, 3)
            polarized = polarized.index_add(0, receivers, pull[:, None] * directions)
            along = (polarized.index_select(0, receivers) * directions).sum(1)
            # The first wave is w f_c.
            split.append(taken - functions[:, 1] * along)
        return torch.stack(split, dim=1).double(), vectors

    def _functions(self, distances: Tensor, lengths: Tensor) -> Tensor:
        """Return the functions of distance (E, n); zero beyond the cutoff."""
        order = torch.arange(self._N_WAVES, device=distances.device, dtype=distances.dtype)
        waves = torch.cos(order * (math.pi / self.cutoff) * distances[:, None])
        within = polynomial_cutoff(distances / self.cutoff, self._CUTOFF_EXPONENT)
        bonds = bonded(distances / lengths)
        return within[:, None] * torch.cat([bonds[:, None], self._WAVE_HEIGHT * waves], dim=1)

    def _own_charges(self, latent: Tensor, graph: Graph) -> Tensor | None:
        """Return formal charges plus shares of the excess, first channel; None if all are zero."""
        formal, excess = self.formal(graph), self.excess(graph)
        if not excess.any():
            if not formal.any():
                return None
            own = formal
        else:
            affinity = latent[:, -1]
            # Relative to the highest, so that the exponential does not overflow.
            highest = affinity.new_zeros(graph.n_structures).scatter_reduce(
                0, graph.structure, affinity.detach(), "amax", include_self=False
            )
            weight = torch.exp(affinity - highest[graph.structure])
            total = sum_per_structure(weight, graph)
            own = formal + (excess / total)[graph.structure] * weight
        return nn.functional.pad(own[:, None], (0, len(self.pair_charges) - 1))


def _first_guess(elements: Sequence[int], formal_charges: Mapping[str, float]) -> Tensor:
    """Return the charge (e) that the receiver gains through a bond before training.

    Energies do not depend on the overall sign of charges, so that zero charges are a saddle point
    of every fit; the initial charges are displaced from it in the direction of electronegativity.
    Between two elements with formal charges the initial transfer is zero: their electron has been
    transferred already, and without such pairs in contact in the data, no fit would correct it.
    """
    formal = torch.tensor([formal_charges.get(chemical_symbols[z], 0.0) != 0.0 for z in elements])
    # A bond counts twice, once for each atom.
    guess = 0.5 * _PER_PAULING * electronegativity_differences(elements)
    return torch.where(formal[:, None] & formal, 0.0, guess)
