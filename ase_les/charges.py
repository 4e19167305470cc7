r"""Latent charges from features, and what keeps their sum in order.

A readout gives every atom a few numbers :math:`a_i`, its *latent numbers*; a neutrality rule turns
them into charges and into the moment :math:`\mathbf{m}_i` of each atom, with
:math:`\sum_i \mathbf{m}_i` the dipole of the structure:

=========  ==================================================================  ====================
Rule       Charges                                                             Class
=========  ==================================================================  ====================
"none"     what the readout says                                               `Unconstrained`
"mean"     the excess is taken evenly from all atoms: exact sum, not local     `MeanShift`
"split"    transfers between neighbours: exact sum, local, size-consistent     `SplitTransfers`
=========  ==================================================================  ====================
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from ase.data import atomic_numbers, chemical_symbols
from torch import Tensor, nn

from ase_les.electronegativity import ELECTRONEGATIVITY
from ase_les.graph import Graph, edge_vectors, sum_per_structure
from ase_les.readout import Readout
from ase_les.representation.radial import polynomial_cutoff

# Charges are sums of a few numbers of order one: anything smaller than this is round-off.
_NO_CHARGE = 1e-12

_SCALE = {"none": 0.1, "mean": 0.1, "split": 0.02}

# Units of draw per unit of electronegativity: 0.2 e before training.
_PER_PAULING = 4.0


@dataclass(frozen=True)
class ChargesConfig:
    """Latent charges of a model.

    Parameters
    ----------
    n_channels : int
        Charges per atom; only a single channel has the meaning of charge.
    hidden : tuple of int
        Hidden widths of the readout.
    bias : bool
        Whether the readout has constant terms.
    linear : bool
        Whether the readout has a linear part beside its network.
    scale : float or None
        Factor between readout and charge, in e; None takes 0.02 for "split" and 0.1 otherwise.
        It sets how fast charges are learned, and split charges should be there from the start
        and change slowly.
    neutrality : str
        "split": atoms exchange charge with their neighbours, so that charge is
        conserved exactly and locally. "mean": the excess over the total charge
        is taken evenly from all atoms of the structure. "none": charges are what
        the readout says.
    formal_charges : mapping of str to float
        Charges in e that elements have before any transfer ("split" only); 0 for
        elements not named. Needed where ions lie farther apart than the cutoff, as
        +1 and −1 for Na and Cl in water.

    Raises
    ------
    ValueError
        If a setting is unknown or not positive.
    """

    n_channels: int = 1
    hidden: tuple[int, ...] = (24, 12)
    bias: bool = False
    linear: bool = True
    scale: float | None = None
    neutrality: str = "mean"
    formal_charges: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self):
        object.__setattr__(self, "hidden", tuple(self.hidden))
        formal = {symbol: float(charge) for symbol, charge in self.formal_charges.items()}
        object.__setattr__(self, "formal_charges", formal)
        if self.n_channels < 1:
            raise ValueError(f"`n_channels` must be at least 1, got {self.n_channels}")
        if self.neutrality not in NEUTRALITY:
            raise ValueError(
                f"`neutrality` must be one of {sorted(NEUTRALITY)}, got {self.neutrality!r}"
            )
        if self.scale is None:
            object.__setattr__(self, "scale", _SCALE[self.neutrality])
        unknown = sorted(set(formal) - set(atomic_numbers))
        if unknown:
            raise ValueError(f"`formal_charges` needs element symbols, got {unknown}")
        if formal and self.neutrality != "split":
            raise ValueError(
                f"`formal_charges` belong to neutrality 'split', got {self.neutrality!r}"
            )


class Unconstrained(nn.Module):
    """Charges as they are; their sum is whatever the environments say."""

    is_conserved = False
    is_local = True

    def n_numbers(self, n_channels: int) -> int:
        return n_channels

    def forward(self, latent: Tensor, graph: Graph) -> Tensor:
        return latent

    def moments(self, latent: Tensor, graph: Graph) -> Tensor:
        return self(latent, graph)[:, :1] * graph.positions

    def turn_sign(self) -> None:
        """The latent numbers say it all."""


class MeanShift(Unconstrained):
    r"""Charges shifted evenly within each structure, :math:`q_i = a_i + (Q - \sum_j a_j)/N`.

    The first channel sums to the total charge of the structure, the others to zero.
    """

    is_conserved = True
    is_local = False

    def forward(self, latent: Tensor, graph: Graph) -> Tensor:
        wanted = torch.zeros(graph.n_structures, latent.shape[1], dtype=latent.dtype)
        wanted = wanted.to(latent.device)
        wanted[:, 0] = graph.total_charge
        excess = sum_per_structure(latent, graph) - wanted
        size = torch.bincount(graph.structure, minlength=graph.n_structures)[:, None]
        return latent - (excess / size)[graph.structure]


class SplitTransfers(nn.Module):
    r"""Charges made of transfers between neighbours: exactly conserved and local.

    .. math::
        q_i &= q_0(Z_i) + \sum_j (p_{ij} - p_{ji}) + \Big(Q - \sum_j q_0(Z_j)\Big)
              \frac{e^{s_i}}{\sum_j e^{s_j}} \\
        p_{ij} &= (a_{Z_i} + a_i)\, \frac{g_{Z_i Z_j}(r_{ij})}{1 + \sum_k g_{Z_i Z_k}(r_{ik})},
              \qquad g_{ZZ'}(r) = f_c(r) \exp \sum_n W^{ZZ'}_n \cos\frac{n \pi r}{r_c}

    Every atom says how much charge it draws, and the smooth attraction :math:`g` of the pair of
    elements says from which of its neighbours: what one gains the others lose. One number per atom
    is enough for any charge a local environment can have, and keeps transfers and their derivatives
    cheap. Shares saturate, so that a bond that stretches a little does not lose its charge for
    that alone; yet every neighbour leaves smoothly.

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
    :math:`a_i, s_i`         columns of ``latent``; the affinity is the last
    :math:`a_Z`              ``element_draw``, in units of 0.05 e
    :math:`W`                ``pair_weights`` (receiver, sender, n)
    :math:`q_0`              ``formal_charges`` (e)
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

    # Before training, neighbours attract charge as exp(-(r - reach) / decay), in Å: bonds come
    # first, hydrogen bonds and ions next to each other count.
    _N_WAVES = 6
    _DECAY = 0.5
    _REACH = 2.5
    _CUTOFF_EXPONENT = 5
    # Charge per unit of `element_draw` in e. Small: see `_first_guess`.
    _DRAW_UNIT = 0.05

    def __init__(self, config: ChargesConfig, elements: Sequence[int], cutoff: float):
        super().__init__()
        elements = list(elements)
        self.cutoff = float(cutoff)
        start = _exponential(self._DECAY, self._REACH, self.cutoff, self._N_WAVES)
        noise = 0.02 * torch.randn(len(elements), len(elements), self._N_WAVES)
        self.pair_weights = nn.Parameter(start + noise)
        self.element_draw = nn.Parameter(_first_guess(elements))
        row = torch.zeros(max(atomic_numbers.values()) + 1, dtype=torch.int64)
        row[elements] = torch.arange(len(elements))
        self.register_buffer("_row", row, persistent=False)
        formal = torch.zeros(len(row), dtype=torch.float64)
        for symbol, charge in config.formal_charges.items():
            formal[atomic_numbers[symbol]] = charge
        self._formal = formal

    def n_numbers(self, n_channels: int) -> int:
        """Numbers per atom: one per channel, and the affinity."""
        return n_channels + 1

    def forward(self, latent: Tensor, graph: Graph) -> Tensor:
        """Charges (N, n_channels) in e from latent numbers (N, n_channels + 1), float64."""
        drawn = self._drawn(latent, graph)
        transfers = drawn[graph.receivers] * self._conductances(graph)[0][:, None]
        charges = torch.zeros_like(drawn)
        charges = charges.index_add(0, graph.receivers, transfers)
        charges = charges.index_add(0, graph.senders, -transfers)
        own = self._own_charges(latent, graph)
        return charges if own is None else charges + own

    def moments(self, latent: Tensor, graph: Graph) -> Tensor:
        conductances, vectors = self._conductances(graph)
        drawn = self._drawn(latent, graph)[:, :1]
        transfers = drawn[graph.receivers] * conductances[:, None]
        moments = torch.zeros_like(graph.positions)
        moments = moments.index_add(0, graph.receivers, -transfers * vectors)
        own = self._own_charges(latent, graph)
        return moments if own is None else moments + own[:, :1] * graph.positions

    def turn_sign(self) -> None:
        self.element_draw.neg_()

    def formal(self, graph: Graph) -> Tensor:
        """Charge before any transfer, (N,) in e."""
        return self._formal.to(graph.positions.device)[graph.numbers]

    def excess(self, graph: Graph) -> Tensor:
        """Total charge beyond the formal charges, (S,) in e; exactly 0 where there is none."""
        left = graph.total_charge - sum_per_structure(self.formal(graph), graph)
        return torch.where(left.abs() > _NO_CHARGE, left, 0.0)

    def _drawn(self, latent: Tensor, graph: Graph) -> Tensor:
        own = self._DRAW_UNIT * self.element_draw[self._row[graph.numbers]].double()
        return latent[:, :-1] + own[:, None]

    def _conductances(self, graph: Graph) -> tuple[Tensor, Tensor]:
        """p/a of every edge, and the edge vectors; edges beyond the cutoff conduct nothing."""
        vectors = edge_vectors(graph)
        distances = torch.linalg.vector_norm(vectors, dim=1).to(self.pair_weights.dtype)
        row = self._row[graph.numbers]
        pair = row[graph.receivers] * len(self.pair_weights) + row[graph.senders]
        weights = self.pair_weights.flatten(0, 1).T.index_select(1, pair)
        attraction = polynomial_cutoff(distances / self.cutoff, self._CUTOFF_EXPONENT) * torch.exp(
            (weights * self._waves(distances)).sum(0)
        )
        total = attraction.new_zeros(graph.n_atoms).index_add(0, graph.receivers, attraction)
        return (attraction / (1 + total)[graph.receivers]).double(), vectors

    def _waves(self, distances: Tensor) -> Tensor:
        order = torch.arange(self._N_WAVES, device=distances.device)[:, None]
        return torch.cos(order * (math.pi / self.cutoff) * distances)

    def _own_charges(self, latent: Tensor, graph: Graph) -> Tensor | None:
        """Formal charge and share of the excess, in the first channel; None if all are zero."""
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
        padding = latent.shape[1] - 2
        return nn.functional.pad(own[:, None], (0, padding))


def _first_guess(elements: Sequence[int]) -> Tensor:
    """Electronegativity of elements below their average, scaled: negative ones draw electrons.

    Energies do not depend on the sign of all charges, so that no charge at all is a saddle point
    of every fit. Charges that are there at once but change slowly let the short-range energy get
    used to them; fast ones are unlearned before it has.
    """
    symbols = [chemical_symbols[number] for number in elements]
    known = [ELECTRONEGATIVITY[symbol] for symbol in symbols if symbol in ELECTRONEGATIVITY]
    average = sum(known) / max(len(known), 1)
    guess = [_PER_PAULING * (average - ELECTRONEGATIVITY.get(s, average)) for s in symbols]
    return torch.tensor(guess)


def _exponential(decay: float, reach: float, cutoff: float, n_waves: int) -> Tensor:
    """Coefficients of cos(nπr/r_c) that make −(r − reach)/decay, the first `n_waves` of them."""
    order = torch.arange(n_waves)
    waves = 4 * cutoff / (math.pi * order.clamp(min=1)) ** 2 * (order % 2)
    waves[0] = reach - cutoff / 2
    return waves / decay


NEUTRALITY: dict[str, Callable[[ChargesConfig, Sequence[int], float], nn.Module]] = {
    "none": lambda config, elements, cutoff: Unconstrained(),
    "mean": lambda config, elements, cutoff: MeanShift(),
    "split": SplitTransfers,
}


class LatentCharges(nn.Module):
    r"""Charges :math:`q_i` from the features of the local environment.

    Parameters
    ----------
    n_features : int
    config : ChargesConfig
    elements : sequence of int
        Atomic numbers known to the model.
    cutoff : float
        Longest edge the charges depend on, in Å.

    References
    ----------
    .. [1] King, Kim, Zhong, Cheng, Nat. Commun. 16, 8763 (2025).
    """

    def __init__(
        self, n_features: int, config: ChargesConfig, elements: Sequence[int], cutoff: float
    ):
        super().__init__()
        self.config = config
        self.neutrality = NEUTRALITY[config.neutrality](config, elements, cutoff)
        self.readout = Readout(
            n_features,
            config.hidden,
            self.neutrality.n_numbers(config.n_channels),
            config.bias,
            config.linear,
        )

    def latent(self, features: Tensor) -> Tensor:
        """Latent numbers (N, n) of all atoms, float64.

        Sums of charges cancel: they are taken in float64 whatever the network's precision.
        """
        return self.config.scale * self.readout(features).double()

    @torch.no_grad()
    def turn_sign(self) -> None:
        """From now on q → −q, for structures without formal and total charge."""
        for layer in (self.readout.network[-1], self.readout.linear):
            for parameter in () if layer is None else layer.parameters():
                parameter.neg_()
        self.neutrality.turn_sign()

    def forward(self, features: Tensor, graph: Graph) -> Tensor:
        """Charges (N, n_channels) in e, float64."""
        return self.neutrality(self.latent(features), graph)
