"""Repulsion of nuclei in the form of published MACE models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Annotated, Literal

import torch
from ase.data import atomic_numbers, covalent_radii
from torch import Tensor, nn

from ase_les.configuration import Element, Interval, Number, Positive, Unit, configuration
from ase_les.core_repulsion import CoreRepulsion, CoreRepulsionConfig
from ase_les.graph import Graph, edge_vectors, edges_shorter_than
from ase_les.representation.radial import polynomial_cutoff

# Constants of the published form, not those of CODATA.
_COULOMB, _BOHR = 14.3996, 0.529
_DECAYS = 3.2, 0.9423, 0.4028, 0.2016


@configuration
class MaceRepulsionConfig:
    """Settings of `MaceRepulsion`.

    Parameters
    ----------
    kind : str
        "mace"; selects this form in a configuration file.
    scale : float
        Factor of the energy.
    strengths : tuple of float
        Weights of the four exponentials.
    screening, power : float
        Screening length in Bohr radii, and power of the nuclear charges.
    exponent : int
        Flatness of the cutoff function at r = 0.
    radii : mapping of str to float
        Covalent radii in Å that differ from ASE's, for example by the rounding of
        files in single precision.
    """

    kind: Literal["mace"] = "mace"
    scale: Number = 1.0
    strengths: tuple[Number, Number, Number, Number] = (0.1818, 0.5099, 0.2802, 0.02817)
    screening: Positive = 0.4543
    power: Annotated[float, Interval(gt=0, le=10)] = 0.3
    exponent: Annotated[int, Interval(ge=1, le=100)] = 6
    radii: Mapping[Element, Annotated[Positive, Unit("Å")]] = field(default_factory=dict)


class MaceRepulsion(nn.Module):
    r"""Screened Coulomb repulsion of nuclei (ZBL) as in published MACE models.

    .. math::
        E = \frac{s}{2} \sum_{i \neq j} k \frac{Z_i Z_j}{r_{ij}} \sum_{n=1}^4 c_n
        e^{-d_n r_{ij} / a_{ij}}\, f_c\Big(\frac{r_{ij}}{\ell_i + \ell_j}\Big), \qquad
        a_{ij} = \frac{0.4543 \cdot 0.529}{Z_i^{0.3} + Z_j^{0.3}}

    with covalent radii :math:`\ell`, and only for pairs that are edges.

    Parameters
    ----------
    elements : sequence of int
        Atomic numbers.
    cutoff : float
        Cutoff of the edges in Å.
    """

    def __init__(self, config: MaceRepulsionConfig, elements: Sequence[int], cutoff: float):
        super().__init__()
        self.config, self.cutoff = config, cutoff
        self._radii = torch.tensor(covalent_radii, dtype=torch.float64)
        for symbol, radius in config.radii.items():
            self._radii[atomic_numbers[symbol]] = radius
        self._longest = min(2 * float(self._radii[list(elements)].max()), cutoff)

    def forward(self, graph: Graph, context: object = None) -> Tensor:
        """Return energies (N,) in eV, float64: half of each pair for either atom."""
        config = self.config
        with torch.no_grad():
            near = edges_shorter_than(graph, self._longest)
        distances = torch.linalg.vector_norm(edge_vectors(near), dim=1)
        charges = graph.numbers.double()
        first, second = charges[near.receivers], charges[near.senders]
        lengths = config.screening * _BOHR / (first**config.power + second**config.power)
        screened = sum(
            strength * torch.exp(-decay * distances / lengths)
            for strength, decay in zip(config.strengths, _DECAYS, strict=True)
        )
        radii = self._radii.to(distances.device)[graph.numbers]
        outer = radii[near.receivers] + radii[near.senders]
        switch = polynomial_cutoff(distances / outer, config.exponent)
        energy = 0.5 * config.scale * _COULOMB * first * second / distances * screened * switch
        return torch.zeros_like(charges).index_add(0, near.receivers, energy)


def build_repulsion(
    config: CoreRepulsionConfig | MaceRepulsionConfig, elements: Sequence[int], cutoff: float
) -> CoreRepulsion | MaceRepulsion:
    """Return the core repulsion for the given type of settings."""
    if isinstance(config, MaceRepulsionConfig):
        return MaceRepulsion(config, elements, cutoff)
    return CoreRepulsion(config, elements, cutoff)
