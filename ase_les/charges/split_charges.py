"""Split charges: what each atom takes from its neighbours."""

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

# Charges are sums of a few numbers of order one: anything smaller than this is round-off.
_NO_CHARGE = 1e-12

# Charge moved through a bond before training, in e per unit of electronegativity.
_PER_PAULING = 0.3


class SplitCharges(NeutralityRule):
    r"""Charges that neighbours exchange (split-charge model): exactly conserved and local.

    .. math::
        q_i &= q_0(Z_i) + \sum_j (p_{ij} - p_{ji}) + \Big(Q - \sum_j q_0(Z_j)\Big)
              \frac{e^{s_i}}{\sum_j e^{s_j}} \\
        p_{ij} &= \sum_{n=0}^{4} \big(W^{Z_i Z_j}_n + a_{in}\big)\, \phi^{Z_i Z_j}_n(r_{ij})
                - w\, f_c(r_{ij})\, \hat{\mathbf{d}}_{ij} \cdot \mathbf{u}_i \\
        \mathbf{u}_i &= \sum_j \hat{\mathbf{d}}_{ij} \sum_{n=0}^{4}
                \big(V^{Z_i Z_j}_n + c_{in}\big)\, \phi^{Z_i Z_j}_n(r_{ij}) \\
        \phi^{ZZ'}_0(r) &= f_c(r)\, b(r / \ell_{ZZ'}), \qquad
        \phi_n(r) = w\, f_c(r) \cos\frac{(n - 1) \pi r}{r_c}

    Every atom says, function by function, how much charge it takes from neighbours at a distance.
    Through the first function it takes from those it is bonded to: :math:`b` is 1 up to 1.15 times
    the sum :math:`\ell` of covalent radii and 0 beyond 1.75 times, so that a bond that
    vibrates keeps its charge. The others reach through the whole environment, weakly.

    Besides, every atom moves charge through its environment along a vector
    :math:`\mathbf{u}_i`: it polarizes. Without it there would be no polarization on a coarser scale
    than bonds, which is nearly all that the long range sees: what atoms take alike from all sides
    has no dipole, and no field of scalars makes one, since conservation leaves of it
    only the second power of the wave vector.

    A transfer along an edge is a dipole along that edge, so the moments

    .. math::
        \mathbf{m}_i = -\sum_j p_{ij}\, \mathbf{d}_{ij} + \dots

    need no origin and do not change when atoms are wrapped into the cell.

    What total charge is left beyond the formal charges goes where the atoms attract it. Their
    affinities :math:`s_i` are local; only the normalisation, without which the sum could not be
    :math:`Q`, knows of the whole structure. The exponential keeps that as local as it can be:
    an atom far less attractive than another has no share at all, so that an ion keeps its charge
    however much solvent surrounds it, and equal sites share equally, as electrons do. Where the
    formal charges make up the total charge, above all in neutral structures without formal
    charges, nothing is left to share and charges are strictly local.

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
    config : ChargesConfig
    elements : sequence of int
        Atomic numbers known to the model.
    cutoff : float
        Longest edge along which charge moves, in Å.
    """

    is_conserved = True
    is_local = True

    _N_WAVES = 4
    # Some forty neighbours are within reach: their transfers are many, and must be small.
    _WAVE_HEIGHT = 0.1
    _CUTOFF_EXPONENT = 5
    # Steps of the optimiser are as large in all parameters; those of transfers should be small.
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
        # In float32, which the network's changes of precision leave as they are.
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
        """Return two per channel and function, and one for the affinity."""
        return n_channels * 2 * (1 + self._N_WAVES) + 1

    def forward(self, latent: Tensor, graph: Graph) -> Tensor:
        """Return charges (N, n_channels) in e from latent numbers (N, n_numbers), float64."""
        return self.with_exchanged(latent, graph, self.exchanged(latent, graph))

    def with_exchanged(self, latent: Tensor, graph: Graph, exchanged: Tensor | None) -> Tensor:
        assert exchanged is not None
        own = self._own_charges(latent, graph)
        return exchanged if own is None else exchanged + own

    def use_kernels(self, kernels: Kernels) -> None:
        """Exchange charge by compiled kernels in `forward` from now on (inference only)."""
        self._fused = FusedSplitCharges(self, kernels)

    def constants(self) -> SplitConstants:
        """Return what the kernels need to know."""
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
        """Return what every atom gains from its neighbors, (N, n_channels) in e."""
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
        """Return charges (E, n_channels) in e that edges move to their receivers; edge vectors.

        Computed in the precision of the network: both ends see the same rounded number.
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
            # Measured from the highest, or the exponential of a large affinity would overflow.
            highest = affinity.new_zeros(graph.n_structures).scatter_reduce(
                0, graph.structure, affinity.detach(), "amax", include_self=False
            )
            weight = torch.exp(affinity - highest[graph.structure])
            total = sum_per_structure(weight, graph)
            own = formal + (excess / total)[graph.structure] * weight
        return nn.functional.pad(own[:, None], (0, len(self.pair_charges) - 1))


def _first_guess(elements: Sequence[int], formal_charges: Mapping[str, float]) -> Tensor:
    """Return the charge (e) a bond brings its receiver before training.

    Energies do not depend on the sign of all charges, so that no charge at all is a saddle point
    of every fit; this starts beside it, on the side chemistry says. Between two elements with
    formal charges nothing moves at first: their electron has moved already, and where data lack
    such a pair in touch, no fit would take back what moved twice.
    """
    formal = torch.tensor([formal_charges.get(chemical_symbols[z], 0.0) != 0.0 for z in elements])
    # A bond counts twice, once from each of its ends.
    guess = 0.5 * _PER_PAULING * electronegativity_differences(elements)
    return torch.where(formal[:, None] & formal, 0.0, guess)
