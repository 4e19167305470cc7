"""Repulsion of nuclei at distances shorter than bonds, where training data are rare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import torch
from ase.data import chemical_symbols
from torch import Tensor, nn

from ase_les.charges.bond_polarity import bond_lengths
from ase_les.configuration import Interval, configuration, renamed
from ase_les.graph import Graph, edge_vectors, edges_shorter_than
from ase_les.representation.radial import polynomial_cutoff
from ase_les.units import BOHR, COULOMB_CONSTANT

if TYPE_CHECKING:
    from ase_les.energy_terms import Context

# The universal screening function of reference 1: strengths, and decays in screening lengths.
_STRENGTHS = 0.18175, 0.50986, 0.28022, 0.02817
_DECAYS = 3.19980, 0.94229, 0.40290, 0.20162
_SCREENING, _EXPONENT = 0.88534, 0.23

# Order to which the switch is flat at r = 0.
_CUTOFF_EXPONENT = 6


@configuration
class CoreRepulsionConfig:
    """Repulsion of nuclei at short distances.

    Parameters
    ----------
    cutoff_scale : float
        Outer cutoff of the repulsion, in units of the sum of the two covalent radii. Keep it below
        the bond lengths of the data: the repulsion is steep there, and the network would have to
        learn to cancel it.
    """

    cutoff_scale: Annotated[float, Interval(gt=0, le=10)] = 0.8

    # Name in older model files and training configurations.
    _earlier = renamed(reach="cutoff_scale")


class CoreRepulsion(nn.Module):
    r"""Screened Coulomb repulsion of nuclei by Ziegler, Biersack and Littmark (ZBL).

    .. math::
        E = \frac{1}{2} \sum_{i \neq j} \frac{e^2}{4\pi\epsilon_0} \frac{Z_i Z_j}{r_{ij}}\,
        \phi\Big(\frac{r_{ij}}{a_{ij}}\Big)\, f_c\Big(\frac{r_{ij}}{\ell_{ij}}\Big), \qquad
        a_{ij} = \frac{0.88534\, a_0}{Z_i^{0.23} + Z_j^{0.23}}

    with the universal screening function :math:`\phi`, and the cutoff function :math:`f_c` of
    `ase_les.representation.radial`, zero beyond :math:`\ell`. It has no trainable parameters: the
    network learns the difference, and training data contain no colliding nuclei.

    =======================  =============================================
    Symbol                   Code
    =======================  =============================================
    :math:`\ell`             ``cutoffs(graph)`` in Å, of every edge
    =======================  =============================================

    Parameters
    ----------
    elements : sequence of int
        Atomic numbers.
    cutoff : float
        Cutoff of the edges in Å.

    Raises
    ------
    ValueError
        If the repulsion extends beyond the cutoff of the edges.

    References
    ----------
    .. [1] J. F. Ziegler, J. P. Biersack, U. Littmark, The Stopping and Range of Ions in Matter,
       vol. 1, Pergamon (1985).
    """

    def __init__(self, config: CoreRepulsionConfig, elements: Sequence[int], cutoff: float):
        super().__init__()
        self.kind: Tensor
        self.lengths: Tensor
        self.config = config
        lengths = bond_lengths(elements)
        longest = config.cutoff_scale * float(lengths.max())
        if longest > cutoff:
            first, second = divmod(int(lengths.argmax()), len(elements))
            raise ValueError(
                f"the repulsion of {chemical_symbols[elements[first]]} and "
                f"{chemical_symbols[elements[second]]} would extend to {longest:.2f} Å, but edges "
                f"end at {cutoff} Å. Reduce `cutoff_scale` of `core_repulsion` or increase the "
                "cutoff of the representation"
            )
        kind = torch.zeros(max(elements) + 1, dtype=torch.int64)
        kind[torch.tensor(elements)] = torch.arange(len(elements))
        self.register_buffer("kind", kind, persistent=False)
        # Rounded to float32 in both precisions, so that a model has the same energy in both.
        self.register_buffer("lengths", lengths, persistent=False)

    def cutoffs(self, graph: Graph) -> Tensor:
        """Return the cutoff of the repulsion along each edge (E,), in Å."""
        kind = self.kind[graph.numbers]
        lengths = self.lengths[kind[graph.receivers], kind[graph.senders]]
        return self.config.cutoff_scale * lengths.double()

    def forward(self, graph: Graph, context: Context | None = None) -> Tensor:
        """Return energies (N,) in eV, float64: half of each pair for either atom."""
        # Only few edges are that short: the rest is cheap.
        with torch.no_grad():
            near = edges_shorter_than(graph, self.cutoffs(graph))
        distances = torch.linalg.vector_norm(edge_vectors(near), dim=1)
        charges = graph.numbers.double()
        first, second = charges[near.receivers], charges[near.senders]
        repulsion = COULOMB_CONSTANT * first * second / distances
        relative = distances * (first**_EXPONENT + second**_EXPONENT) / (_SCREENING * BOHR)
        switch = polynomial_cutoff(distances / self.cutoffs(near), _CUTOFF_EXPONENT)
        energy = 0.5 * repulsion * screening(relative) * switch
        return torch.zeros_like(charges).index_add(0, near.receivers, energy)


def screening(relative_distances: Tensor) -> Tensor:
    """Return the universal screening function of distances in screening lengths; 1 at 0."""
    terms = [
        strength * torch.exp(-decay * relative_distances)
        for strength, decay in zip(_STRENGTHS, _DECAYS, strict=True)
    ]
    return torch.stack(terms).sum(0)
