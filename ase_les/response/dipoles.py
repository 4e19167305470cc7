"""Dipoles, quadrupoles and currents of latent charges."""

from __future__ import annotations

from threading import Lock

import torch
from torch import Tensor
from torch.autograd import forward_ad

from ase_les.electrostatics.energy import Plan
from ase_les.graph import Graph, sum_per_structure
from ase_les.model import LESModel, Prediction
from ase_les.response.conditions import (
    check_local_polarization,
    check_polarization,
    open_directions,
)
from ase_les.response.field_enthalpy import FieldEnthalpy
from ase_les.response.metals import equilibrated_charges, metal_moments

# Forward differentiation has one global level for all threads of a process.
_FORWARD_DIFFERENTIATION = Lock()


def quadrupoles(charges: Tensor, arms: Tensor, graph: Graph) -> Tensor:
    r"""Return traceless quadrupoles of structures, (S, 3, 3) in e Å².

    .. math::
        \Theta = \tfrac12 \sum_i q_i (3\,\mathbf{x}_i \otimes \mathbf{x}_i - x_i^2 1)

    Parameters
    ----------
    charges : Tensor, shape (N,)
        In e.
    arms : Tensor, shape (N, 3)
        Positions from the origin of the moment, in Å.
    graph : Graph
    """
    outer = 3 * arms[:, :, None] * arms[:, None, :]
    trace = (arms**2).sum(1)[:, None, None] * torch.eye(3).to(arms)
    return sum_per_structure(0.5 * charges[:, None, None] * (outer - trace), graph)


def dipoles(model: LESModel, prediction: Prediction, graph: Graph) -> Tensor:
    """Return latent dipoles (S, 3) in e Å of structures; positions are not wrapped.

    Relative to the origin of the coordinates, which is relevant if charges do not sum to zero.
    For a periodic structure this is volume times polarization. With metal atoms, which share
    electrons, components along the metal are zero (`open_directions`).

    Raises
    ------
    ValueError
        If they are undefined (see `check_polarization`).
    """
    opened = open_directions(model, graph)
    check_polarization(model, graph, opened)
    local = sum_per_structure(
        model.latent_electrostatics.charges.neutrality.moments(prediction.latent, graph), graph
    )
    if not model.latent_electrostatics.shares_electrons(graph):
        return local
    assert prediction.metal is not None
    total = local + metal_moments(model, prediction.metal, graph)
    return torch.einsum("sab,sb->sa", opened, total)


def cell_dipole(
    model: LESModel,
    graph: Graph,
    enthalpy: FieldEnthalpy | None = None,
    plan: Plan | None = None,
) -> Tensor:
    """Return latent dipoles (S, 3) of cells in e Å as `dipoles`, without computing energies.

    Parameters
    ----------
    model : LESModel
    graph : Graph
    enthalpy : FieldEnthalpy or None
        Field and electrodes that act on metal atoms.
    plan : Plan or None
        Plan of the sums for the charges of metal atoms.

    Raises
    ------
    ValueError
        If they are undefined (see `check_polarization`).
    """
    opened = open_directions(model, graph)
    check_polarization(model, graph, opened)
    moments = model.latent_electrostatics.charges.neutrality.moments(
        latent_numbers(model, graph), graph
    )
    local = sum_per_structure(moments, graph)
    if not model.latent_electrostatics.shares_electrons(graph):
        return local
    if enthalpy is None:
        enthalpy = FieldEnthalpy(model, graph.cell.new_zeros(3))
    charges = equilibrated_charges(enthalpy, graph, plan)
    total = local + metal_moments(model, charges, graph)
    return torch.einsum("sab,sb->sa", opened, total)


def latent_charges(model: LESModel, graph: Graph) -> Tensor:
    """Return latent charges (N,) in e of the first channel without computing energies.

    Raises
    ------
    ValueError
        If charges equilibrate, which requires the energy (see `check_local_polarization`).
    """
    check_local_polarization(model, graph)
    return model.latent_electrostatics.charges.neutrality(latent_numbers(model, graph), graph)[:, 0]


def currents(model: LESModel, graph: Graph, velocities: Tensor) -> Tensor:
    r"""Latent currents :math:`\sum_i Z^*_i \mathbf{v}_i = d\mathbf{M}/dt` of structures, (S, 3).

    The dipole is differentiated along the motion in one forward pass, without computing the nine
    components of the Born charges of every atom.

    Parameters
    ----------
    model : LESModel
        Model with conserved charges; locally conserved under periodic boundary conditions.
    graph : Graph
    velocities : Tensor, shape (N, 3)
        In Å per unit of time; the current is in e Å per the same unit.

    Raises
    ------
    ValueError
        If it is not defined by local charges alone (see `check_local_polarization`).
    """
    check_local_polarization(model, graph)
    rule = model.latent_electrostatics.charges.neutrality
    representation = model.charge_representation
    with _FORWARD_DIFFERENTIATION, forward_ad.dual_level():
        moving = graph._replace(positions=forward_ad.make_dual(graph.positions, velocities))
        edges = representation.neighborhoods(moving)
        layers = [edges] * (1 + representation.n_layers)
        latent = model.latent_electrostatics.charges.latent(representation.features(moving, layers))
        dipole = sum_per_structure(rule.moments(latent, moving), moving)
        return forward_ad.unpack_dual(dipole).tangent


def charge_reach_A(model: LESModel) -> float:
    """Return the distance in Å beyond which a displacement only shifts all charges uniformly.

    One cutoff for the environment, one for every message-passing layer, and one more if charge is
    transferred along edges.
    """
    representation = model.charge_representation
    rule = model.latent_electrostatics.charges.neutrality
    along_edges = rule.is_conserved and rule.is_local
    long_range = model.config.long_range
    assert long_range is not None
    cutoff = (long_range.representation or model.config.representation).cutoff
    return cutoff * (1 + representation.n_layers + along_edges)


def latent_numbers(model: LESModel, graph: Graph) -> Tensor:
    """Return the latent numbers (N, n) of all atoms."""
    features = model.charge_representation(graph)
    return model.latent_electrostatics.charges.latent(features)
