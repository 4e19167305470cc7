"""Derivatives of the energy, all from one strained graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch
from torch import Tensor

from ase_les.graph import Graph, slab_axes, strained
from ase_les.model import Prediction

if TYPE_CHECKING:
    from ase_les.electrostatics.energy import Plan


class EnergyModel(Protocol):
    """What gives the energy of a graph."""

    def __call__(self, graph: Graph, plan: Plan | None = None, /) -> Prediction:
        """Return energies and charges."""


class Derivatives(NamedTuple):
    """Energy and its first derivatives; float64.

    ``prediction``: energies and charges. ``forces`` (N, 3) in eV/Å. ``stress`` (S, 3, 3) in eV/Å³,
    tension positive, meaningful for structures with a cell volume and two or three periodic
    directions, or None. ``energies`` (N,): the share of each atom in the energy, in eV, or None.
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
    r"""Forces, stress and atomic energies of a graph.

    .. math::
        \mathbf{F}_i = -\frac{\partial E}{\partial \mathbf{r}_i}, \qquad
        \sigma = \frac{1}{V} \frac{\partial E}{\partial \epsilon}, \qquad
        E_i = E_0 + E_\theta(B_i) + \tfrac12 q_i \frac{\partial E_\mathrm{lr}}{\partial q_i}

    The last holds because the long-range energy is quadratic in the charges. The stress of a slab
    is :math:`P \sigma P` with :math:`P = 1 - \mathbf{n} \mathbf{n}^T`: it has no component along
    the normal :math:`\mathbf{n}`, and :math:`V` is the volume of the cell as it is given, vacuum
    included, so that :math:`\sigma V` is the derivative whatever the vacuum.

    Parameters
    ----------
    model : EnergyModel
        An `LESModel`, or a `FieldEnthalpy` of one.
    graph : Graph
        One structure or a batch; left as it is.
    plan : Plan or None
        Of this graph, if there is one (`LESModel.plan`).
    stress : bool
        Whether the stress is wanted; needs cells with a volume.
    energies : bool
        Whether the atomic energies are wanted.
    create_graph : bool
        Whether the result must be differentiable (training).
    """
    positions = graph.positions.detach().requires_grad_(True)
    given = graph._replace(positions=positions)
    variables = [positions]
    if stress:
        strain = torch.zeros_like(graph.cell, requires_grad=True)
        variables.append(strain)
        given = strained(given, 0.5 * (strain + strain.transpose(1, 2)))
    prediction = model(given) if plan is None else model(given, plan)

    share = prediction.short_range
    if energies and prediction.charges.shape[1]:
        (potential,) = torch.autograd.grad(
            prediction.long_range.sum(), prediction.charges, retain_graph=True
        )
        share = share + 0.5 * (prediction.charges * potential).sum(1)

    gradients = torch.autograd.grad(prediction.energy.sum(), variables, create_graph=create_graph)
    tensor = None
    if stress:
        tensor = _per_volume(gradients[1], graph)
    return Derivatives(prediction, -gradients[0], tensor, share if energies else None)


def evaluate(
    model: EnergyModel,
    graph: Graph,
    plan: Plan | None,
    *,
    forces: bool,
    stress: bool,
    energies: bool,
) -> tuple[Prediction, Derivatives | None]:
    """Return the prediction for a graph, and its derivatives if forces are wanted."""
    if not forces:
        with torch.no_grad():
            return model(graph, plan), None
    with torch.enable_grad():
        derivatives = differentiate(model, graph, plan=plan, stress=stress, energies=energies)
    return derivatives.prediction, derivatives


def _per_volume(by_strain: Tensor, graph: Graph) -> Tensor:
    """Stress (S, 3, 3) from the derivative by strain, without what a slab has along its normal."""
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
