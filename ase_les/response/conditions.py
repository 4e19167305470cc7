"""Conditions for a dipole, a polarization and an energy in a uniform field."""

from __future__ import annotations

import torch
from ase.calculators.calculator import PropertyNotImplementedError
from torch import Tensor

from ase_les.electrostatics.conductors import conductors
from ase_les.graph import Graph, slab_axes
from ase_les.model import LESModel

# Relative to the field: rounding of a field along the normal of a slab, in its plane.
_STRAY_FIELD = 1e-9


def has_dipole(model: LESModel, periodic: bool) -> bool:
    """Return whether the dipole depends on positions only; its derivative is then the current."""
    rule = model.latent_electrostatics.charges.neutrality
    return rule.is_conserved and (rule.is_local or not periodic)


class NoPolarizationError(ValueError, PropertyNotImplementedError):
    """Raised if a model does not define the polarization of a structure."""


def check_polarization(model: LESModel, graph: Graph, opened: Tensor | None = None) -> None:
    """Raise an error for structures without a polarization along any direction.

    Parameters
    ----------
    model : LESModel
    graph : Graph
    opened : Tensor, shape (S, 3, 3), or None
        `open_directions` of the graph, if known.

    Raises
    ------
    NoPolarizationError
        If atoms share electrons in a metal that is periodic along all directions, or if the
        formal charges of a periodic structure do not add up to its total charge: the excess is
        distributed without a path.
    """
    if model.latent_electrostatics.shares_electrons(graph):
        opened = open_directions(model, graph) if opened is None else opened
        closed = opened.flatten(1).abs().amax(1) < _STRAY_FIELD
        if closed.any():
            raise NoPolarizationError(
                f"{_sharing(model)}, and the metal is periodic along all three directions: "
                "polarization, Born charges, current and energy in a field are undefined. They "
                "need a direction along which the metal ends. Available: energy, forces, stress, "
                "charges and the potential"
            )
    excess = _excess(model, graph)
    if excess.any():
        raise NoPolarizationError(
            f"a periodic structure has {excess[excess != 0][0].item():+g} e beyond its formal "
            "charges, for which no polarization is defined. Set atoms.info['charge'], or "
            "use a model whose `formal_charges` add up to it"
        )


def check_local_polarization(model: LESModel, graph: Graph) -> None:
    """Raise an error for structures whose dipole is not defined by local charges alone.

    Raises
    ------
    NoPolarizationError
        If atoms share electrons, or see `check_polarization`.
    """
    if model.latent_electrostatics.shares_electrons(graph):
        raise NoPolarizationError(
            f"{_sharing(model)}: this quantity is defined for local charges only. Available for "
            "metals: Born charges from edges, and their current"
        )
    check_polarization(model, graph)


def _sharing(model: LESModel) -> str:
    long_range = model.config.long_range
    assert long_range is not None and long_range.equilibration is not None
    elements = ", ".join(long_range.equilibration.elements)
    return f"atoms of {elements} share electrons in this model, as in a metal"


def has_local_polarization(model: LESModel, graph: Graph) -> bool:
    """Return whether all structures pass `check_local_polarization`."""
    return not (model.latent_electrostatics.shares_electrons(graph) or _excess(model, graph).any())


def open_directions(model: LESModel, graph: Graph) -> Tensor:
    """Return projectors (S, 3, 3) on the directions along which charges do not pass between cells.

    Along the others a metal undoes any dipole: a charge that moves along its surface is followed
    by its image.
    """
    long_range = model.latent_electrostatics
    if not long_range.shares_electrons(graph):
        return torch.eye(3).to(graph.cell).expand(graph.n_structures, 3, 3)
    assert long_range.equilibration is not None
    return conductors(graph, long_range.equilibration.atoms(graph)).open_directions


def local_charges_are_complete(model: LESModel, graph: Graph) -> bool:
    """Return whether formal charges add up to the total charge of all periodic structures."""
    return not bool(_excess(model, graph).any())


def has_branches(model: LESModel, graph: Graph) -> bool:
    """Return whether the dipole changes when atoms are wrapped into the cell."""
    if model.latent_electrostatics.shares_electrons(graph):
        return True
    rule = model.latent_electrostatics.charges.neutrality
    return not rule.is_local or not rule.is_conserved or bool(rule.formal(graph).any())


def check_conserved_charges(model: LESModel) -> None:
    """Raise ValueError for a model whose charges do not sum to the total charge."""
    if model.long_range is None or not model.long_range.charges.neutrality.is_conserved:
        raise ValueError(
            "a field needs charges that sum to the total charge; this model has none or does not "
            "constrain their sum. Use a model with neutrality 'split' (or 'mean', for molecules)"
        )


def check_field(model: LESModel, graph: Graph, field: Tensor, opened: Tensor | None = None) -> None:
    """Raise an error for structures whose energy in a uniform field is undefined.

    Parameters
    ----------
    model : LESModel
    graph : Graph
    field : Tensor, shape (3,)
        Only its direction matters: slabs have a dipole along their normal for all conserved
        charges, in their plane for charges that are conserved locally.
    opened : Tensor, shape (S, 3, 3), or None
        `open_directions` of the graph, if known.

    Raises
    ------
    ValueError
        If charges are not conserved, or along periodic directions not conserved locally.
    """
    check_conserved_charges(model)
    opened = open_directions(model, graph) if opened is None else opened
    check_polarization(model, graph, opened)
    conducted = field - opened @ field.to(graph.cell)
    if conducted.abs().max() > _STRAY_FIELD * field.abs().max():
        raise ValueError(
            f"{_sharing(model)}: there is no field along a metal. Use a field along a direction in "
            "which the metal ends, such as the normal of a slab"
        )
    if model.latent_electrostatics.charges.neutrality.is_local:
        return
    along_periods = field - finite_directions(graph) @ field.to(graph.cell)
    if along_periods.abs().max() > _STRAY_FIELD * field.abs().max():
        raise ValueError(
            "charges that are neutralized by an even shift have no energy in a field along "
            "periodic directions. Use a model with neutrality 'split', or a slab and a field along "
            "its normal; Born charges by displacement are available for every model"
        )


def finite_directions(graph: Graph) -> Tensor:
    """Projectors (S, 3, 3) on the directions along which structures end and have a dipole."""
    n_periodic = graph.pbc.sum(dim=1)
    projectors = torch.zeros_like(graph.cell)
    projectors[n_periodic == 0] = torch.eye(3).to(graph.cell)
    slabs = n_periodic == 2
    normal = slab_axes(graph.cell[slabs], graph.pbc[slabs])[2]
    projectors[slabs] = normal[:, :, None] * normal[:, None, :]
    return projectors


def _excess(model: LESModel, graph: Graph) -> Tensor:
    """Return the charge (S,) in e of periodic structures beyond their formal charges.

    Zero unless charges are conserved locally.
    """
    rule = model.latent_electrostatics.charges.neutrality
    return torch.where(graph.pbc.any(dim=1), rule.excess(graph), 0.0)
