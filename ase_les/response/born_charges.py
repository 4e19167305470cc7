r"""Born effective charges: derivatives of dipole and polarization with respect to positions.

Latent charges are screened. With :math:`\epsilon_\infty` the electronic dielectric tensor,

.. math::
    \mathbf{P} = \epsilon_\infty^{1/2} \mathbf{P}_\mathrm{les}, \qquad
    Z^*_i = \epsilon_\infty^{1/2}\, \frac{\partial (V \mathbf{P}_\mathrm{les})}
                                        {\partial \mathbf{r}_i};

all values here are latent; `ase_les.screening` has the factors to physical values.

How :math:`Z^*` is computed
---------------------------
*Where charge is conserved locally* (split charges, and every finite structure with its fixed
origin) the dipole is a function :math:`\mathbf{M} = \sum_i \mathbf{m}_i(a, \mathbf{r})` of latent
numbers and positions, and :math:`Z^*` is its gradient. *Otherwise* (free or evenly shifted charges
along periodic directions) no dipole exists, but a displaced atom changes the charges around it,
and the distance of a change is the edge vector along which it was caused:

.. math::
    Z^*_{i,\alpha\beta} = q_i \delta_{\alpha\beta}
        + \sum_j (\mathbf{r}_j - \mathbf{r}_i)_\alpha \frac{\partial a_j}{\partial r_{i\beta}}

The even shift is a uniform background without a distance from the displaced atom: it enters
:math:`q_i` only. Neither form uses differences of positions across a cell, so that neither depends
on the size of the cell.

Along the normal of a slab, where the dipole exists, the shift does have a distance: the charge it
takes from all atoms comes from their mean height :math:`\bar z`, and

.. math::
    Z^*_{i,n\beta} = \Big[ q_i \delta_{n\beta} + \sum_j (z_j - z_i)
        \frac{\partial a_j}{\partial r_{i\beta}} \Big]
        + (z_i - \bar z) \frac{\partial A}{\partial r_{i\beta}}, \qquad A = \sum_j a_j

The last term is not a surface property: it vanishes in bulk-like layers, and at a surface it
grows with the thickness of the slab, as do the surface energies of such models. It is absent for
split charges.

Sum over the atoms
------------------
The sum is zero (or the total charge) if the dipole is a function of positions: a translation does
not change charges. Otherwise the sum over :math:`i` of the second form contains edge vectors times
slopes of :math:`a_j`, which is the derivative of :math:`A` with respect to homogeneous strain:

.. math::
    \sum_i Z^*_{i,\alpha\beta} = Q\,\delta_{\alpha\beta}
        - \frac{\partial A}{\partial \epsilon_{\beta\alpha}}

with :math:`Q = \sum_i q_i` and the strain :math:`\mathbf{r} \to \mathbf{r}(1 + \epsilon)` of rows.
No term is missing: strain changes the unconstrained sum of charges of such a model, and the shift
removes the change from all atoms instead of its origin. The sum is zero for split charges, and
along the normal of a slab, where the dipole exists. Its size measures how well charge conservation
was learned; `acoustic_sum_rule` of `ase_les.properties.born_charges` removes it.

References
----------
.. [1] Zhong, Kim, King, Cheng, arXiv 2504.05169.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from ase_les.electrostatics.energy import Plan
from ase_les.graph import Graph
from ase_les.model import LESModel
from ase_les.representation.neighbor_sum import Neighborhoods
from ase_les.response.conditions import (
    check_local_polarization,
    check_polarization,
    finite_directions,
    open_directions,
)
from ase_les.response.field_enthalpy import FieldEnthalpy
from ase_les.response.metals import metal_born_charges


def born_charges(
    model: LESModel,
    graph: Graph,
    center: Tensor | None = None,
    create_graph: bool = False,
    enthalpy: FieldEnthalpy | None = None,
    plan: Plan | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Return latent charges and Born effective charges from edge vectors, exact in any cell.

    With metal atoms, which share electrons, the response of their charges is included
    (`ase_les.response.metals`). Along directions in which a metal is periodic the result is zero:
    the image of a charge that moves along a metal follows it.

    Parameters
    ----------
    model : LESModel
        Model with one charge per atom.
    graph : Graph
        Crystals, slabs and molecules. For a slab whose charges are not conserved locally, the
        dipole is used along the normal, and changes of charge in the plane.
    center : Tensor, shape (S, 3), or None
        Fixed origin of the dipole of finite structures in Å; relevant only if charges do not
        sum to zero. None for the origin of the coordinates.
    create_graph : bool
        Whether the result must be differentiable (training); not with metal atoms.
    enthalpy : FieldEnthalpy or None
        Field and electrodes that act on metal atoms.
    plan : Plan or None
        Plan of the sums for the charges of metal atoms.

    Returns
    -------
    charges : Tensor, shape (N,)
        In e; without charge equilibration.
    born_charges : Tensor, shape (N, 3, 3)
        [atom, polarization, displacement] in e.

    Raises
    ------
    ValueError
        If they are undefined (see `check_polarization`).
    """
    if not model.latent_electrostatics.shares_electrons(graph):
        check_polarization(model, graph)
        return local_born_charges(model, graph, center, create_graph)
    if create_graph:
        check_local_polarization(model, graph)
    opened = open_directions(model, graph)
    check_polarization(model, graph, opened)
    charges, tensor = local_born_charges(model, graph, center)
    if enthalpy is None:
        enthalpy = FieldEnthalpy(model, graph.cell.new_zeros(3))
    tensor = tensor + metal_born_charges(enthalpy, graph, plan)
    return charges, opened[graph.structure] @ tensor


def local_born_charges(
    model: LESModel,
    graph: Graph,
    center: Tensor | None = None,
    create_graph: bool = False,
) -> tuple[Tensor, Tensor]:
    """Compute charges and Born charges without charge equilibration of metals.

    Equal to `born_charges` without metal atoms. Otherwise it is the contribution of the local
    charges, used by the charge gauge in training.

    Parameters
    ----------
    model, graph, center, create_graph
        As in `born_charges`; structures must pass `local_charges_are_complete`.

    Returns
    -------
    charges : Tensor, shape (N,)
        Local charges in e.
    born_charges : Tensor, shape (N, 3, 3)
        [atom, polarization, displacement] in e.
    """
    rule = model.latent_electrostatics.charges.neutrality
    if rule.is_conserved and rule.is_local:
        return _from_the_dipole(model, graph, center, create_graph)
    if graph.pbc.all():
        return _from_changes_of_charge(model, graph, create_graph)
    charges, by_dipole = _from_the_dipole(model, graph, center, create_graph)
    if not graph.pbc.any():
        return charges, by_dipole
    _, by_changes = _from_changes_of_charge(model, graph, create_graph)
    finite = finite_directions(graph)[graph.structure].to(by_changes)
    return charges, by_changes + finite @ (by_dipole - by_changes)


def born_charges_by_phase(model: LESModel, graph: Graph) -> tuple[Tensor, Tensor]:
    r"""Return latent charges and Born charges by the published formula, for comparison.

    .. math::
        Z^*_{i,\alpha\beta} = q_i \delta_{\alpha\beta} + \sum_j \frac{L_\alpha}{2\pi}
            \sin\!\Big(\frac{2\pi (r_j - r_i)_\alpha}{L_\alpha}\Big)
            \frac{\partial q_j}{\partial r_{i\beta}}

    The sine underestimates all but the shortest distances, by a third at a quarter of the cell.

    Raises
    ------
    ValueError
        If the graph is not one orthorhombic periodic cell, or has no polarization (see
        `check_polarization`).
    """
    check_local_polarization(model, graph)
    cell = graph.cell[0]
    lengths = cell.diagonal()
    is_box = graph.n_structures == 1 and bool(graph.pbc.all())
    if not is_box or (cell - torch.diag(lengths)).abs().max() > 1e-8:
        raise ValueError(
            "method 'phase' needs one periodic cell with vectors along x, y, z, got pbc "
            f"{graph.pbc.tolist()}, cell {graph.cell.tolist()}. Use method 'edges'"
        )
    positions = graph.positions.detach().requires_grad_(True)
    charges = model(graph._replace(positions=positions)).charges[:, 0]
    tensor = _diagonal(charges.detach())
    angles = 2 * math.pi * graph.positions / lengths
    for component in range(3):
        angle = angles[:, component]
        by_sine, by_cosine = (
            torch.autograd.grad(charges, positions, weight, retain_graph=True)[0]
            for weight in (angle.sin(), angle.cos())
        )
        turned = angle.cos()[:, None] * by_sine - angle.sin()[:, None] * by_cosine
        tensor[:, component] += lengths[component] / (2 * math.pi) * turned
    return charges.detach(), tensor


def _diagonal(charges: Tensor) -> Tensor:
    return charges[:, None, None] * torch.eye(3).to(charges)


def _from_the_dipole(
    model: LESModel, graph: Graph, center: Tensor | None, create_graph: bool
) -> tuple[Tensor, Tensor]:
    """Return the gradient of the dipole: at fixed latent numbers, and through them."""
    representation, rule = (
        model.charge_representation,
        model.latent_electrostatics.charges.neutrality,
    )
    edges = representation.neighborhoods(graph)
    edges = edges._replace(vectors=edges.vectors.detach().requires_grad_(True))
    n_layers = representation.n_layers
    features = representation.features(graph, [edges] * (1 + n_layers))
    latent = model.latent_electrostatics.charges.latent(features)

    positions = graph.positions.detach()
    if center is not None:
        positions = positions - center[graph.structure]
    positions.requires_grad_(True)
    given = latent if create_graph else latent.detach().requires_grad_(True)
    moments = rule.moments(given, graph._replace(positions=positions))
    explicit, arms = zip(
        *(
            torch.autograd.grad(
                moments[:, component].sum(),
                [positions, given],
                retain_graph=True,
                create_graph=create_graph,
            )
            for component in range(3)
        ),
        strict=True,
    )

    def slope(weights: Tensor) -> Tensor:
        (gradient,) = torch.autograd.grad(
            latent, edges.vectors, weights, retain_graph=True, create_graph=create_graph
        )
        return gradient.double()

    if n_layers == 0 and not any(arm[:, 1:].any() for arm in arms):
        # Only the receiver uses an edge and multiplies it with its own three arms:
        # one pass for all nine components.
        first = torch.zeros_like(latent)
        first[:, 0] = 1.0
        arm = torch.stack([arm[:, 0] for arm in arms])
        by_edge = arm[:, None, :, None] * slope(first)
    else:
        by_edge = torch.stack([slope(arm) for arm in arms])
    tensor = torch.stack(explicit, dim=1)
    tensor = tensor - by_edge.sum(-1).permute(2, 0, 1)
    tensor = tensor.index_add(0, edges.senders.flatten(), by_edge.flatten(2).permute(2, 0, 1))
    return rule(latent, graph)[:, 0], tensor


def _from_changes_of_charge(
    model: LESModel, graph: Graph, create_graph: bool
) -> tuple[Tensor, Tensor]:
    """Return changes of charges caused by a displaced atom, and their range.

    Gradients are propagated backward layer by layer, together with their first moments: the
    gradient times the vector to the charge it belongs to. An edge vector is added whenever a
    gradient passes from a receiver to a sender.
    """
    representation, rule = (
        model.charge_representation,
        model.latent_electrostatics.charges.neutrality,
    )
    given = representation.neighborhoods(graph)
    stage = _Stage()
    layers = [_Layer(given, stage) for _ in range(1 + representation.n_layers)]
    # A layer has the attributes of `Neighborhoods` that representations use.
    edges = cast("list[Neighborhoods]", layers)
    latent = model.latent_electrostatics.charges.latent(representation.features(graph, edges))
    options: dict[str, Any] = {
        "retain_graph": True,
        "create_graph": create_graph,
        "allow_unused": True,
    }

    variables = [variable for layer in layers for variable in layer.variables]
    gradients = torch.autograd.grad(latent[:, 0].sum(), variables, **options)
    gradient = _Sums(variables, gradients)
    moment = [_Sums(variables, [None] * len(variables)) for _ in range(3)]
    for index in range(len(layers) - 1, 0, -1):
        layer = layers[index]
        earlier = [variable for below in layers[:index] for variable in below.variables]
        reached = [(message, gradient.of(message.cut)) for message in layer.sent]
        sent = [(message, value) for message, value in reached if value is not None]
        if not sent:
            continue
        outputs = [message.sent for message, _ in sent]
        at_edges = [value for _, value in sent]
        steps = -layer.vectors.detach()
        for component in range(3):
            carried = [
                moment[component].plus(message.cut, message.along(steps[component]) * value)
                for message, value in sent
            ]
            moment[component].add(
                earlier, torch.autograd.grad(outputs, earlier, carried, **options)
            )
        gradient.add(earlier, torch.autograd.grad(outputs, earlier, at_edges, **options))

    charges = rule(latent, graph)[:, 0]
    tensor = _diagonal(charges)
    senders = given.senders.flatten()
    for layer in layers:
        slope = gradient.of(layer.vectors)
        assert slope is not None
        way = -layer.vectors.detach().double()
        by_edge = way[:, None] * slope.double()
        for component in range(3):
            value = moment[component].of(layer.vectors)
            if value is not None:
                tensor[:, component] = tensor[:, component] - value.double().sum(-1).T
                by_edge[component] = by_edge[component] + value.double()
        tensor = tensor.index_add(0, senders, by_edge.flatten(2).permute(2, 0, 1))
    stage.is_complete = True
    return charges, tensor


class _Stage:
    """Whether the Born charges are complete; gradients pass afterwards, in training."""

    is_complete = False


class _Cut(torch.autograd.Function):
    """Identity; no gradient passes it until the Born charges are complete."""

    @staticmethod
    def forward(ctx: Any, sent: Tensor, stage: _Stage) -> Tensor:
        ctx.stage = stage
        return sent.view_as(sent)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, None]:
        return gradient if ctx.stage.is_complete else None, None


class _Layer:
    """Edges of one layer as separate variables, and the messages sent over them."""

    def __init__(self, edges: Neighborhoods, stage: _Stage):
        self._edges = edges
        self._stage = stage
        self.vectors = edges.vectors.detach().requires_grad_(True)
        self.senders = edges.senders
        self.sent: list[_Message] = []

    @property
    def variables(self) -> list[Tensor]:
        return [self.vectors, *(message.cut for message in self.sent)]

    def of_senders(self, values: Tensor, dim: int = -1) -> Tensor:
        """Return values at the edges as in `Neighborhoods`, cut from their origin."""
        sent = self._edges.of_senders(values, dim)
        if not sent.requires_grad:
            return sent
        message = _Message(sent, _Cut.apply(sent, self._stage), dim % values.dim())
        self.sent.append(message)
        return message.cut


class _Message(NamedTuple):
    """Message, the variable that replaces it, and its axis of edges (N, K)."""

    sent: Tensor
    cut: Tensor
    dim: int

    def along(self, lengths: Tensor) -> Tensor:
        """Lengths (N, K) in the shape and precision of the message."""
        trailing = self.cut.dim() - self.dim - 2
        return lengths.to(self.cut.dtype).view(*lengths.shape, *[1] * trailing)


class _Sums:
    """Accumulated gradients of each variable; None without contributions."""

    def __init__(self, variables: Sequence[Tensor], values: Sequence[Tensor | None]):
        self._values = {id(v): value for v, value in zip(variables, values, strict=True)}

    def of(self, variable: Tensor) -> Tensor | None:
        return self._values[id(variable)]

    def plus(self, variable: Tensor, more: Tensor) -> Tensor:
        """Add a contribution to the gradient of a variable."""
        value = self.of(variable)
        return more if value is None else value + more

    def add(self, variables: Sequence[Tensor], values: Sequence[Tensor | None]) -> None:
        for variable, value in zip(variables, values, strict=True):
            if value is not None:
                self._values[id(variable)] = self.plus(variable, value)
