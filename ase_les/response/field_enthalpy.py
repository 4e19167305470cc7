"""Energy in a uniform electric field, and of electrodes at a potential."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ase_les.electrostatics.conductors import Conductors
from ase_les.electrostatics.energy import Plan
from ase_les.electrostatics.equilibration import MetalBias
from ase_les.graph import Graph, sum_per_structure
from ase_les.model import LESModel, Prediction
from ase_les.response.conditions import check_field
from ase_les.response.electrodes import Electrodes, metal_bias
from ase_les.units import COULOMB_CONSTANT


class FieldEnthalpy(nn.Module):
    r"""Enthalpy of a model in a uniform electric field, and with electrodes.

    .. math::
        F = E - \boldsymbol{\mathcal{E}} \cdot \epsilon_\infty^{1/2}
            \Big[ \sum_i \mathbf{m}_i + \sum_{i \in \mathrm{metal}} p_i \mathbf{r}_i \Big], \qquad
        -\frac{\partial F}{\partial \mathbf{r}_i} = \mathbf{F}_i + \boldsymbol{\mathcal{E}}
        \cdot Z^*_i

    An additional energy term: forces and stress in the field are its derivatives. The contribution
    of an atom to the field energy is included in the short-range energy. Charges :math:`p` of
    metal atoms minimize :math:`F`, see `ase_les.response.electrodes`.

    Parameters
    ----------
    model : LESModel
        Model whose charges sum to the total charge.
    force_per_charge : Tensor, shape (3,)
        :math:`\epsilon_\infty^{1/2} \boldsymbol{\mathcal{E}}` in V/Å: the force on a unit of
        latent charge.
    electrodes : Electrodes or None
        For graphs returned by `electrode_graph`.

    Raises
    ------
    ValueError
        On evaluation, for structures without a potential energy in the field: it is undefined along
        periodic directions for charges that are conserved only by an even shift, and along metals.
    """

    def __init__(
        self, model: LESModel, force_per_charge: Tensor, electrodes: Electrodes | None = None
    ):
        super().__init__()
        self.force_per_charge: Tensor
        self.model = model
        self.electrodes = electrodes
        self.register_buffer("force_per_charge", force_per_charge.double(), persistent=False)

    def bias(self, graph: Graph) -> tuple[MetalBias | None, Tensor]:
        """Return bias and field, both for latent charges.

        The bias contains the potentials or charges imposed on metal atoms; None without metal. The
        field (3,) in V/Å acts on all charges.
        """
        bias, field, _ = self._conditions(graph)
        return bias, field

    def _conditions(self, graph: Graph) -> tuple[MetalBias | None, Tensor, Conductors | None]:
        """Return `bias` and the pieces of metal, None without metal or field."""
        field = self.force_per_charge
        long_range = self.model.latent_electrostatics
        if not long_range.shares_electrons(graph):
            return None, field, None
        assert long_range.equilibration is not None
        return metal_bias(graph, long_range.equilibration.atoms(graph), field, self.electrodes)

    def forward(self, graph: Graph, plan: Plan | None = None) -> Prediction:
        """Return the enthalpy of every structure of a graph."""
        bias, field, pieces = self._conditions(graph)
        if field.any():
            check_field(
                self.model, graph, field, None if pieces is None else pieces.open_directions
            )
        prediction = self.model(graph, plan, bias)
        if not field.any():
            return prediction
        rule = self.model.latent_electrostatics.charges.neutrality
        share = -(rule.moments(prediction.latent, graph) @ field)
        vacuum = self._energy_of_vacuum(graph, field)
        return prediction._replace(
            energy=prediction.energy + sum_per_structure(share, graph) + vacuum,
            short_range=prediction.short_range + share,
        )

    def _energy_of_vacuum(self, graph: Graph, field: Tensor) -> Tensor | float:
        """Return the energy of the field that holds electrodes at the faces of one metal.

        With it the energy is the same as that of two electrodes with vacuum outside.
        """
        if self.electrodes is None or not graph.pbc.all():
            return 0.0
        holding = field - self.force_per_charge
        volume = torch.linalg.det(graph.cell).abs()
        return -(holding @ holding) * volume / (8 * math.pi * COULOMB_CONSTANT)
