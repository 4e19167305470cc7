"""Derivatives of the energy, computed from one strained graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch
from torch import Tensor

from ase_les.energy_terms import Context
from ase_les.graph import Graph, slab_axes, strained
from ase_les.model import LESModel, Prediction

if TYPE_CHECKING:
    from ase_les.electrostatics.energy import Plan


class EnergyModel(Protocol):
    """Anything that returns the energy of a graph."""

    def __call__(self, graph: Graph, plan: Plan | None = None, /) -> Prediction:
        """Return energies and charges."""


class Derivatives(NamedTuple):
    """Energy and its first derivatives; float64.

    ``prediction``: energies and charges. ``forces`` (N, 3) in eV/Å. ``stress`` (S, 3, 3) in eV/Å³,
    tension positive, meaningful for structures with a cell volume and two or three periodic
    directions, or None. ``energies`` (N,): energy of each atom in eV, or None.
    """

    prediction: Prediction
    forces: Tensor
    stress: Tensor | None
    energies: Tensor | None


def differentiate(
    model: EnergyModel,
    graph: Graph,
    *,
    plan: Plan | None = None,
    stress: bool = False,
    energies: bool = False,
    create_graph: bool = False,
) -> Derivatives:
    r"""Return forces, stress and atomic energies of a graph.

    .. math::
        \mathbf{F}_i = -\frac{\partial E}{\partial \mathbf{r}_i}, \qquad
        \sigma = \frac{1}{V} \frac{\partial E}{\partial \epsilon}, \qquad
        E_i = E_0 + E_\theta(B_i) + \tfrac12 q_i \frac{\partial E_\mathrm{lr}}{\partial q_i}

    The last equation holds because the long-range energy is quadratic in the charges. The stress
    of a slab is :math:`P \sigma P` with :math:`P = 1 - \mathbf{n} \mathbf{n}^T`, without components
    along the normal :math:`\mathbf{n}`, and :math:`V` is the volume of the given cell including
    vacuum, so that :math:`\sigma V` does not depend on the vacuum.

    Parameters
    ----------
    model : EnergyModel
        An `LESModel` or a `FieldEnthalpy`.
    graph : Graph
        One structure or a batch; not modified.
    plan : Plan or None
        Plan of this graph, from `LESModel.plan`, or None.
    stress : bool
        Whether to compute the stress; cells need a volume.
    energies : bool
        Whether to compute atomic energies.
    create_graph : bool
        Whether the result must be differentiable (training).
    """
    given, variables = _with_variables(graph, stress)
    prediction = model(given) if plan is None else model(given, plan)
    return _derived(prediction, graph, variables, energies, create_graph=create_graph)


def differentiate_sharing(
    models: Sequence[LESModel],
    graph: Graph,
    plans: Sequence[Plan | None],
    *,
    stress: bool = False,
    energies: bool = False,
) -> list[Derivatives]:
    """Compute forces, stress and atomic energies of models with equal representations.

    The features of the atoms are computed once, their gradients once per model.

    Parameters
    ----------
    graph : Graph
        One structure.
    plans : sequence of Plan or None
        Plans of this graph, one per model.
    stress, energies : bool
        See `differentiate`.
    """
    given, variables = _with_variables(graph, stress)
    features = models[0].representation(given)
    found = []
    for number, (model, plan) in enumerate(zip(models, plans, strict=True), start=1):
        prediction = model.predict(given, Context(features, plan))
        keep = number < len(models)
        found.append(_derived(prediction, graph, variables, energies, retain_graph=keep))
    return found


def _with_variables(graph: Graph, stress: bool) -> tuple[Graph, list[Tensor]]:
    """Return a graph that depends on positions and, for the stress, on a strain; and both."""
    positions = graph.positions.detach().requires_grad_(True)
    given = graph._replace(positions=positions)
    if not stress:
        return given, [positions]
    strain = torch.zeros_like(graph.cell, requires_grad=True)
    return strained(given, 0.5 * (strain + strain.transpose(1, 2))), [positions, strain]


def _derived(
    prediction: Prediction,
    graph: Graph,
    variables: Sequence[Tensor],
    energies: bool,
    create_graph: bool = False,
    retain_graph: bool | None = None,
) -> Derivatives:
    share = prediction.short_range
    if energies and prediction.charges.shape[1]:
        (potential,) = torch.autograd.grad(
            prediction.long_range.sum(), prediction.charges, retain_graph=True
        )
        share = share + 0.5 * (prediction.charges * potential).sum(1)
    gradients = torch.autograd.grad(
        prediction.energy.sum(), variables, create_graph=create_graph, retain_graph=retain_graph
    )
    stress = _per_volume(gradients[1], graph) if len(variables) > 1 else None
    return Derivatives(prediction, -gradients[0], stress, share if energies else None)


def evaluate(
    model: EnergyModel,
    graph: Graph,
    plan: Plan | None,
    *,
    forces: bool,
    stress: bool,
    energies: bool,
) -> tuple[Prediction, Derivatives | None]:
    """Return the prediction for a graph, and its derivatives if forces are requested."""
    if not forces:
        with torch.no_grad():
            return model(graph, plan), None
    with torch.enable_grad():
        derivatives = differentiate(model, graph, plan=plan, stress=stress, energies=energies)
    return derivatives.prediction, derivatives


def _per_volume(by_strain: Tensor, graph: Graph) -> Tensor:
    """Stress (S, 3, 3) from the strain derivative, without components along a slab's normal."""
    volume = torch.linalg.det(graph.cell).abs()
    n_periodic = graph.pbc.sum(dim=1)
    # A structure without volume has no stress; dividing by zero would poison the others.
    volume = torch.where((n_periodic >= 2) & (volume > 0), volume, 1.0)
    stress = by_strain / volume[:, None, None]
    slabs = n_periodic == 2
    if slabs.any():
        _, _, normal = slab_axes(graph.cell[slabs], graph.pbc[slabs])
        in_plane = torch.eye(3).to(normal) - normal[:, :, None] * normal[:, None, :]
        stress = stress.index_copy(
            0, torch.nonzero(slabs).squeeze(1), in_plane @ stress[slabs] @ in_plane
        )
    return stress
