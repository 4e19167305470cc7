r"""Dipole and Born charges of charges that metal atoms share, and the state of electrodes.

The equilibrated charges :math:`p` are at :math:`\mathbf{r}_i` of one image of their piece of metal
(`ase_les.electrostatics.conductors`). With :math:`g_i = \partial E / \partial p_i`, constant over
the metal, and the response :math:`S` (the inverse of :math:`\partial g/\partial p` on charges that
keep the sums of :math:`p`),

.. math::
    \mathbf{M} = \sum_i p_i \mathbf{r}_i, \qquad
    \frac{\partial M_\alpha}{\partial r_{j\beta}} = p_j \delta_{\alpha\beta}
        - \sum_i \lambda_{\alpha i} \frac{\partial g_i}{\partial r_{j\beta}}\Big|_p, \qquad
    \lambda_\alpha = S r_\alpha

One solution per direction gives the derivatives by all positions. The energy is quadratic in the
charges, so that :math:`\lambda \cdot g` is half the difference of the energies of :math:`q + p \pm
\lambda`; its gradient includes that of the local charges :math:`q`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ase_les.electrostatics.conductors import conductors
from ase_les.electrostatics.energy import Plan
from ase_les.electrostatics.equilibration import Equilibrium, MetalBias
from ase_les.graph import Graph, slab_axes, sum_per_structure
from ase_les.model import LESModel
from ase_les.response.electrodes import ElectrodeState
from ase_les.response.field_enthalpy import FieldEnthalpy
from ase_les.units import COULOMB_CONSTANT

# Tolerance for zero components of projectors.
_ROUNDING = 1e-9


def metal_moments(model: LESModel, charges: Tensor, graph: Graph) -> Tensor:
    """Return moments (S, 3) in e Å of equilibrated charges (N,) in e."""
    metal = _metal(model, graph)
    moments = torch.zeros_like(graph.positions)
    arms = conductors(graph, metal).positions
    return sum_per_structure(moments.index_add(0, metal, charges[metal, None] * arms), graph)


def local_charges(model: LESModel, graph: Graph) -> Tensor:
    """Return the charges (N, 1) in e from environments, before equilibration."""
    long_range = model.latent_electrostatics
    latent = long_range.charges.latent(model.charge_representation(graph))
    return long_range.charges.neutrality(latent, graph)


def equilibrium_of(
    enthalpy: FieldEnthalpy, graph: Graph, local: Tensor, plan: Plan | None
) -> tuple[Equilibrium, MetalBias]:
    """Return the solution for the metal charges in a field and with electrodes."""
    bias, _ = enthalpy.bias(graph)
    assert bias is not None
    return enthalpy.model.latent_electrostatics.equilibrium(graph, local, plan, bias), bias


def equilibrated_charges(enthalpy: FieldEnthalpy, graph: Graph, plan: Plan | None) -> Tensor:
    """Return the equilibrated charges (N,) in e, without an energy."""
    with torch.no_grad():
        found, _ = equilibrium_of(enthalpy, graph, local_charges(enthalpy.model, graph), plan)
    metal = _metal(enthalpy.model, graph)
    none = torch.zeros_like(graph.positions[:, 0])
    return none.index_add(0, metal, found.charges[:, 0])


def metal_born_charges(enthalpy: FieldEnthalpy, graph: Graph, plan: Plan | None = None) -> Tensor:
    """Return derivatives (N, 3, 3) in e of the moment of metal charges, see this module.

    Parameters
    ----------
    enthalpy : FieldEnthalpy
        Model, field and electrodes.
    graph : Graph
    plan : Plan or None

    Returns
    -------
    Tensor, shape (N, 3, 3)
        [atom, polarization, displacement] in e; zero along directions in which all metal is
        periodic.
    """
    model = enthalpy.model
    sums = model.latent_electrostatics.electrostatics
    plan = sums.plan(graph) if plan is None else plan
    metal = _metal(model, graph)
    positions = graph.positions.detach().requires_grad_(True)
    given = graph._replace(positions=positions)
    with torch.enable_grad():
        local = local_charges(model, given)
        solution, bias = equilibrium_of(enthalpy, given, local, plan)
        pieces = conductors(graph, metal)
        arms, moved = pieces.positions.detach(), solution.charges
        tensor = graph.positions.new_zeros(graph.n_atoms, 3, 3)
        ends = pieces.open_directions.abs().amax((0, 1)) > _ROUNDING
        for component in torch.nonzero(ends).flatten().tolist():
            change = solution.respond(arms[:, component, None], f"response {component}")
            held = local.index_add(0, metal, moved)
            by_change = 0.5 * (
                sums(given, held.index_add(0, metal, change), plan)
                - sums(given, held.index_add(0, metal, -change), plan)
            )
            work = by_change.sum() + (bias.energies * change[:, 0]).sum()
            (gradient,) = torch.autograd.grad(work, positions, retain_graph=True)
            tensor[:, component] = -gradient
            tensor[metal, component, component] += moved[:, 0]
    return tensor


def metal_level(enthalpy: FieldEnthalpy, graph: Graph, plan: Plan | None) -> float:
    """Return the potential of the shared charges of one structure in V.

    Constants of the elements (their electronegativities) are included, so that only differences
    between structures with the same metals are meaningful. With electrodes it is that of the right
    one.
    """
    long_range = enthalpy.model.latent_electrostatics
    assert long_range.equilibration is not None
    plan = long_range.electrostatics.plan(graph) if plan is None else plan
    with torch.no_grad():
        local = local_charges(enthalpy.model, graph)
        solution, bias = equilibrium_of(enthalpy, graph, local, plan)
        levels = long_range.equilibration.levels(
            graph, local, solution.charges, long_range.electrostatics, plan, bias
        )
    if bias.electrode is not None:
        # The left electrode, of given charge, has another potential.
        levels = levels[bias.electrode == 0]
    return float(levels.mean())


def electrode_state(enthalpy: FieldEnthalpy, graph: Graph, plan: Plan | None) -> ElectrodeState:
    """Return charge, potential and response of the electrodes, in latent units.

    The conjugate charge of two faces of one metal does not depend on where its inside is divided
    between them, and equals the charge of an electrode if the metal is thick.

    Parameters
    ----------
    enthalpy : FieldEnthalpy
        With electrodes.
    graph : Graph
        From `electrode_graph`.
    plan : Plan or None
    """
    model, electrodes = enthalpy.model, enthalpy.electrodes
    assert electrodes is not None
    metal = _metal(model, graph)
    left = torch.isin(metal, electrodes.left)
    long_range = model.latent_electrostatics
    with torch.no_grad():
        latent = long_range.charges.latent(model.charge_representation(graph))
        local = long_range.charges.neutrality(latent, graph)
        solution, _ = equilibrium_of(enthalpy, graph, local, plan)
        p = solution.charges[:, 0]
        charge = float(p[left].sum())
        if not graph.pbc.all():
            unit = solution.response_of(left.double()[:, None])
            response = float(unit[left].sum())
            potential = electrodes.potential
            if potential is None:
                assert solution.potential_V is not None
                potential = solution.potential_V
            return ElectrodeState(charge, potential, charge, response, _area(graph))
        assert electrodes.potential is not None
        at_one_volt = _field_per_volt(enthalpy, graph)
        height = conductors(graph, metal).positions @ at_one_volt
        moment = sum_per_structure(long_range.charges.neutrality.moments(latent, graph), graph)[0]
        volume = torch.linalg.det(graph.cell[0]).abs()
        vacuum = float(at_one_volt @ at_one_volt * volume / (4 * math.pi * COULOMB_CONSTANT))
        potential = electrodes.potential
        conjugate = float(moment @ at_one_volt + p @ height) + potential * vacuum
        response = float(height @ solution.response_of(height[:, None])[:, 0]) + vacuum
        area = float(volume * torch.linalg.vector_norm(at_one_volt))
        return ElectrodeState(charge, potential, conjugate, response, area)


def _area(graph: Graph) -> float:
    """Return the area in Å² of a slab, nan for other structures."""
    if int(graph.pbc.sum()) != 2:
        return math.nan
    first, second, _ = slab_axes(graph.cell, graph.pbc)
    return float(torch.linalg.vector_norm(torch.linalg.cross(first, second)))


def _field_per_volt(enthalpy: FieldEnthalpy, graph: Graph) -> Tensor:
    """Return the field (3,) in V/Å that holds 1 V between the faces of one metal."""
    electrodes = enthalpy.electrodes
    assert electrodes is not None
    unit = FieldEnthalpy(
        enthalpy.model,
        torch.zeros_like(enthalpy.force_per_charge),
        electrodes._replace(potential=1.0),
    )
    return unit.bias(graph)[1]


def _metal(model: LESModel, graph: Graph) -> Tensor:
    equilibration = model.latent_electrostatics.equilibration
    assert equilibration is not None
    return equilibration.atoms(graph)
