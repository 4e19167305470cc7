r"""Atomic polarizabilities: the electronic response of a structure to an electric field.

.. math::
    \alpha_i = \bigl(a_i + a_0(Z_i)\bigr)\, 1
        + \sum_k c_{ik} \Bigl[\sum_j w^k_{ij}
          \bigl(\hat{\mathbf d}_{ij} \otimes \hat{\mathbf d}_{ij} - \tfrac13\bigr)\Bigr]
        + \sum_k e_{ik} \bigl[\mathbf v_{ik} \otimes \mathbf v_{ik} - \tfrac13 v_{ik}^2\bigr],
    \qquad A = \sum_i \alpha_i

    w^k_{ij} = \sum_n W^k_n(Z_i, Z_j)\, R_n(r_{ij}), \qquad
    \mathbf v_{ik} = \sum_j \hat{\mathbf d}_{ij} \sum_n V^k_n(Z_i, Z_j)\, R_n(r_{ij})

The numbers :math:`a, c, e` are a readout of the invariant features of the model. The brackets are
symmetric traceless tensors of the neighbors, so that :math:`\alpha_i` rotates exactly with the
structure for any representation.

**Finite structures.** :math:`A` is the polarizability :math:`\alpha = \partial\mu/\partial
\mathcal{E}` in Å³ (Gaussian units: divided by :math:`4\pi\varepsilon_0`).

**Periodic structures.** The polarizability of a cell is the response to the *macroscopic* field,

.. math::
    \alpha = \frac{V}{4\pi} (\epsilon_\infty - 1), \qquad
    \epsilon_\infty = 1 + \frac{4\pi}{V} \alpha .

With ``local_field="none"``, :math:`\alpha = A`: the atomic polarizabilities include the fields of
all other induced dipoles. With ``local_field="lorentz"`` the field that acts on the atoms is the
field :math:`\mathcal{E} + \frac{4\pi}{3} \mathbf{P}` of Lorentz in a cavity, where
:math:`\mathbf{P} = A (\mathcal{E} + \frac{4\pi}{3}\mathbf{P}) / V`; solving for
:math:`\mathbf{P} = \alpha \mathcal{E} / V` gives the relation of Clausius and Mossotti,

.. math::
    \alpha = A \Bigl(1 - \frac{4\pi}{3V} A\Bigr)^{-1}, \qquad
    (\epsilon_\infty - 1)(\epsilon_\infty + 2)^{-1} = \frac{4\pi}{3V} A .

:math:`A` then depends little on the density, and molecules in vacuum are described with the same
atoms. It is meant for liquids and cubic crystals. Slabs and wires have no volume: :math:`\alpha=A`,
the response to the field that acts on the atoms.

References
----------
.. [1] A. Grisafi, D. M. Wilkins, G. Csányi, M. Ceriotti, Phys. Rev. Lett. 120, 036002 (2018).
.. [2] J. D. Jackson, Classical Electrodynamics, 3rd ed., section 4.5 (1999).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from ase_les.charges.readout import Readout
from ase_les.configuration import Cutoff, Interval, Positive, Unit, Width, Widths, configuration
from ase_les.graph import Graph, edge_vectors, sum_per_structure
from ase_les.representation.radial import BesselBasis

LocalField = Literal["none", "lorentz"]
_LARGEST_ATOMIC_NUMBER = 118
_CUTOFF_EXPONENT = 5
# Position of each element of a 3 × 3 tensor among xx, yy, zz, yz, xz, xy.
_FULL = [0, 5, 4, 5, 1, 3, 4, 3, 2]


@configuration
class PolarizabilityConfig:
    """Atomic polarizabilities.

    Parameters
    ----------
    channels : int
        Traceless tensors of each kind per atom.
    n_radial : int
        Radial functions of the neighbor sums.
    cutoff : float or None
        Radius of the neighbor sums in Å; None uses that of the features.
    hidden : tuple of int
        Hidden widths of the readout.
    scale : float
        Size of an atomic polarizability.
    local_field : str
        Field that acts on the atoms of a crystal or liquid: "none" (the macroscopic field) or
        "lorentz" (relation of Clausius and Mossotti).
    """

    channels: Annotated[int, Interval(ge=1, le=64)] = 8
    n_radial: Width = 6
    cutoff: Cutoff | None = None
    hidden: Widths = (24, 12)
    scale: Annotated[Positive, Unit("Å³")] = 0.1
    local_field: LocalField = "none"


class AtomicPolarizabilities(nn.Module):
    """Polarizabilities of atoms from features and neighbors.

    Parameters
    ----------
    elements : sequence of int
        Atomic numbers known to the model.
    cutoff : float
        Longest edge of the features in Å.

    Raises
    ------
    ValueError
        If the cutoff of the configuration is longer than that of the features.
    """

    _row: Tensor

    def __init__(
        self, n_features: int, config: PolarizabilityConfig, elements: Sequence[int], cutoff: float
    ):
        super().__init__()
        radius = config.cutoff or cutoff
        if radius > cutoff:
            raise ValueError(
                f"the cutoff of the polarizability, {radius:g} Å, is longer than that of the "
                f"features, {cutoff:g} Å"
            )
        self.config = config
        n_elements = len(elements)
        self.readout = Readout(n_features, config.hidden, 1 + 2 * config.channels, bias=True)
        self.radial = BesselBasis(config.n_radial, radius, _CUTOFF_EXPONENT, trainable=False)
        # By receiver: weights of the sums over each element of the senders.
        size = (n_elements, n_elements * config.n_radial, 2 * config.channels)
        self.weights = nn.Parameter(torch.randn(size) / config.n_radial**0.5)
        #: Mean isotropic polarizability of each element, in units of `scale`.
        self.constants = nn.Parameter(torch.zeros(n_elements))
        row = torch.zeros(_LARGEST_ATOMIC_NUMBER + 1, dtype=torch.int64)
        row[list(elements)] = torch.arange(n_elements)
        self.register_buffer("_row", row, persistent=False)

    def forward(self, graph: Graph, features: Tensor) -> Tensor:
        """Return atomic polarizabilities (N, 3, 3) in Å³, symmetric, float64."""
        row = self._row[graph.numbers]
        channels = self.config.channels
        numbers = self.readout(features)
        isotropic, of_tensors, of_vectors = numbers.split([1, channels, channels], dim=1)
        tensors, vectors = self._neighbor_sums(graph, row, features.dtype)
        weights = self.weights[row]
        tensors = (tensors @ weights[..., :channels]).transpose(1, 2)
        vectors = (vectors @ weights[..., channels:]).transpose(1, 2)
        traceless = (of_tensors[..., None] * tensors).sum(1)
        traceless = traceless + (of_vectors[..., None] * _squares(vectors)).sum(1)
        trace = traceless[:, :3].mean(1)
        own = isotropic[:, 0] + self.constants[row]
        # A shift of the diagonal only: exactly covariant.
        diagonal = traceless[:, :3] + (own - trace)[:, None]
        components = torch.cat([diagonal, traceless[:, 3:]], dim=1).double()
        return self.config.scale * components[:, _FULL].view(-1, 3, 3)

    def _neighbor_sums(
        self, graph: Graph, row: Tensor, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """Return sums over neighbors, by component, and element times radial function.

        Of squares (N, 6, n) and vectors (N, 3, n) of directions.
        """
        edges = edge_vectors(graph).to(dtype)
        distances = torch.linalg.vector_norm(edges, dim=1)
        directions = edges / distances[:, None]
        radial = self.radial(distances).T[:, None]
        n_elements = len(self.constants)
        place = graph.receivers * n_elements + row[graph.senders]
        functions = torch.cat([_squares(directions), directions], dim=1)[..., None] * radial
        sums = functions.new_zeros(graph.n_atoms * n_elements, *functions.shape[1:])
        sums = sums.index_add(0, place, functions)
        sums = sums.view(graph.n_atoms, n_elements, *functions.shape[1:])
        return tuple(sums.transpose(1, 2).flatten(2).split([6, 3], dim=1))


def polarizability_of_structures(atomic: Tensor, graph: Graph, local_field: LocalField) -> Tensor:
    r"""Return polarizabilities (S, 3, 3) in Å³ from those of atoms, see the module.

    Parameters
    ----------
    atomic : Tensor, shape (N, 3, 3)
        In Å³.
    local_field : str
        As in `PolarizabilityConfig`.
    """
    total = sum_per_structure(atomic, graph)
    if local_field == "none":
        return total
    bulk = graph.pbc.all(dim=1)
    if not bulk.any():
        return total
    volume = torch.linalg.det(graph.cell).abs()
    return lorentz_polarizability(total, torch.where(bulk, volume, torch.inf)[:, None, None])


def lorentz_polarizability(local: Tensor, volume: Tensor | float) -> Tensor:
    r"""Return :math:`\alpha = A (1 - \frac{4\pi}{3V} A)^{-1}`, with the Lorentz local field.

    Parameters
    ----------
    local : Tensor, shape (..., 3, 3)
        :math:`A` in Å³, symmetric.
    volume : Tensor or float
        In Å³, broadcast with `local`.
    """
    screened = torch.linalg.solve(_unit(local) - (4 * math.pi / 3) / volume * local, local)
    # Symmetric apart from round-off: A and (1 − cA)⁻¹ commute.
    return 0.5 * (screened + screened.transpose(-1, -2))


def local_polarizability(alpha: Tensor, volume: Tensor | float) -> Tensor:
    r"""Return :math:`A = \alpha (1 + \frac{4\pi}{3V}\alpha)^{-1}`, see `lorentz_polarizability`.

    Parameters
    ----------
    alpha : Tensor, shape (..., 3, 3)
        In Å³.
    volume : Tensor or float
        In Å³, broadcast with `alpha`.
    """
    return torch.linalg.solve(_unit(alpha) + (4 * math.pi / 3) / volume * alpha, alpha)


def _unit(like: Tensor) -> Tensor:
    return torch.eye(3, dtype=like.dtype, device=like.device)


def _squares(vectors: Tensor) -> Tensor:
    """Return products of components (..., 6) of vectors (..., 3): xx, yy, zz, yz, xz, xy."""
    x, y, z = vectors.unbind(-1)
    return torch.stack([x * x, y * y, z * z, y * z, x * z, x * y], dim=-1)
