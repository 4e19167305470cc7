"""Energy in a uniform electric field."""

from __future__ import annotations

from torch import Tensor, nn

from ase_les.electrostatics.energy import Plan
from ase_les.graph import Graph, sum_per_structure
from ase_les.model import LESModel, Prediction
from ase_les.response.conditions import check_field


class FieldEnthalpy(nn.Module):
    r"""Enthalpy of a model in a uniform electric field.

    .. math::
        F = E - \boldsymbol{\mathcal{E}} \cdot \epsilon_\infty^{1/2} \sum_i \mathbf{m}_i, \qquad
        -\frac{\partial F}{\partial \mathbf{r}_i} = \mathbf{F}_i + \boldsymbol{\mathcal{E}}
        \cdot Z^*_i

    An additional energy term: forces and stress in the field are its derivatives. The contribution
    of an atom to the field energy is included in the short-range energy.

    Parameters
    ----------
    model : LESModel
        Model whose charges sum to the total charge.
    force_per_charge : Tensor, shape (3,)
        :math:`\epsilon_\infty^{1/2} \boldsymbol{\mathcal{E}}` in V/Å: the force on a unit of
        latent charge.

    Raises
    ------
    ValueError
        On evaluation, for structures without a potential energy in the field: it is undefined along
        periodic directions for charges that are conserved only by an even shift.
    """

    def __init__(self, model: LESModel, force_per_charge: Tensor):
        super().__init__()
        self.force_per_charge: Tensor
        self.model = model
        self.register_buffer("force_per_charge", force_per_charge.double(), persistent=False)

    def forward(self, graph: Graph, plan: Plan | None = None) -> Prediction:
        """Return the enthalpy of every structure of a graph."""
        check_field(self.model, graph, self.force_per_charge)
        prediction = self.model(graph, plan)
        rule = self.model.latent_electrostatics.charges.neutrality
        share = -(rule.moments(prediction.latent, graph) @ self.force_per_charge)
        return prediction._replace(
            energy=prediction.energy + sum_per_structure(share, graph),
            short_range=prediction.short_range + share,
        )
