"""Repulsion of nuclei that come nearer than any bond: what data hardly ever show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from ase.data import chemical_symbols
from torch import Tensor, nn

from ase_les.bond_polarity import bond_lengths
from ase_les.graph import Graph, edge_vectors, edges_shorter_than
from ase_les.representation.radial import polynomial_cutoff
from ase_les.units import BOHR, COULOMB_CONSTANT

# The universal screening function of reference 1: strengths, and decays in screening lengths.
_STRENGTHS = 0.18175, 0.50986, 0.28022, 0.02817
_DECAYS = 3.19980, 0.94229, 0.40290, 0.20162
_SCREENING, _EXPONENT = 0.88534, 0.23

# Order to which the switch is flat at r = 0.
_CUTOFF_EXPONENT = 6


@dataclass(frozen=True)
class CoreRepulsionConfig:
    """Repulsion of nuclei at short distances.

    Parameters
    ----------
    reach : float
        Distance at which it ends, in sums of covalent radii. Keep it below what the data have:
        where bonds lie its slope is steep, and a network has to learn it away.

    Raises
    ------
    ValueError
        If it is not positive.
    """

    reach: float = 0.8

    def __post_init__(self):
        if not self.reach > 0:
            raise ValueError(f"`reach` must be positive, got {self.reach}")


class CoreRepulsion(nn.Module):
    r"""Screened Coulomb repulsion of nuclei, as Ziegler, Biersack and Littmark fitted it,

    .. math::
        E = \frac{1}{2} \sum_{i \neq j} \frac{e^2}{4\pi\epsilon_0} \frac{Z_i Z_j}{r_{ij}}\,
        \phi\Big(\frac{r_{ij}}{a_{ij}}\Big)\, f_c\Big(\frac{r_{ij}}{\ell_{ij}}\Big), \qquad
        a_{ij} = \frac{0.88534\, a_0}{Z_i^{0.23} + Z_j^{0.23}}

    with the universal screening function :math:`\phi`, and :math:`f_c` of
    `ase_les.representation.radial`, which ends it at :math:`\ell`. Nothing of it is learned:
    a network learns what is left, and has no data of nuclei that meet.

    =======================  =============================================
    Symbol                   Code
    =======================  =============================================
    :math:`\ell`             ``reach(graph)`` in Å, of every edge
    =======================  =============================================

    Parameters
    ----------
    config : CoreRepulsionConfig
    elements : sequence of int
        Atomic numbers.
    cutoff : float
        Of the edges, in Å.

    Raises
    ------
    ValueError
        If it reaches farther than edges do.

    References
    ----------
    .. [1] J. F. Ziegler, J. P. Biersack, U. Littmark, The Stopping and Range of Ions in Matter,
       vol. 1, Pergamon (1985).
    """

    def __init__(self, config: CoreRepulsionConfig, elements: Sequence[int], cutoff: float):
        super().__init__()
        self.config = config
        lengths = bond_lengths(elements)
        longest = config.reach * float(lengths.max())
        if longest > cutoff:
            first, second = divmod(int(lengths.argmax()), len(elements))
            raise ValueError(
                f"the repulsion of {chemical_symbols[elements[first]]} and "
                f"{chemical_symbols[elements[second]]} would reach {longest:.2f} Å, and edges end "
                f"at {cutoff} Å. Take a smaller `reach` of `core_repulsion` or a longer cutoff"
            )
        kind = torch.zeros(max(elements) + 1, dtype=torch.int64)
        kind[torch.tensor(elements)] = torch.arange(len(elements))
        self.register_buffer("kind", kind, persistent=False)
        # Single precision as radii are known: a model says the same in either precision.
        self.register_buffer("lengths", lengths, persistent=False)

    def reach(self, graph: Graph) -> Tensor:
        """Where the repulsion along each edge (E,) ends, in Å."""
        kind = self.kind[graph.numbers]
        lengths = self.lengths[kind[graph.receivers], kind[graph.senders]]
        return self.config.reach * lengths.double()

    def forward(self, graph: Graph) -> Tensor:
        """Energy in eV that each atom (N,) has of it; float64."""
        # Hardly any edges are that short: what follows costs next to nothing.
        with torch.no_grad():
            near = edges_shorter_than(graph, self.reach(graph))
        distances = torch.linalg.vector_norm(edge_vectors(near), dim=1)
        charges = graph.numbers.double()
        first, second = charges[near.receivers], charges[near.senders]
        repulsion = COULOMB_CONSTANT * first * second / distances
        relative = distances * (first**_EXPONENT + second**_EXPONENT) / (_SCREENING * BOHR)
        switch = polynomial_cutoff(distances / self.reach(near), _CUTOFF_EXPONENT)
        energy = 0.5 * repulsion * screening(relative) * switch
        return torch.zeros_like(charges).index_add(0, near.receivers, energy)


def screening(relative_distances: Tensor) -> Tensor:
    """Universal screening function of distances in screening lengths; 1 at 0."""
    return sum(
        strength * torch.exp(-decay * relative_distances)
        for strength, decay in zip(_STRENGTHS, _DECAYS, strict=True)
    )
