r"""Electrodes: two groups of metal atoms at a difference of potential, or with given charges.

At constant potential the energy is the grand potential of the electrons,

.. math::
    \Omega = \min_p \big[ E(p) - V Q \big], \qquad Q = \sum_{i \in \mathrm{left}} p_i,
    \qquad \sum_i p_i = 0

with :math:`V = \phi_\mathrm{left} - \phi_\mathrm{right}` [1]_. It is stationary in :math:`p`, so
that forces are its derivatives at fixed charges, and kinetic energy plus :math:`\Omega` is
conserved. At constant charge :math:`E` is minimized with :math:`Q` fixed, and :math:`V` follows.

Three arrangements are possible:

- *Two periodic directions* (or none): the electrodes are separate pieces of metal, with open
  space outside.
- *Three periodic directions and vacuum* across the layers: summed as two periodic directions, as
  no edge leads through the vacuum.
- *Three periodic directions and one metal*: the electrodes are its two faces, with the solution
  between them. A field :math:`\mathcal{E} = V/L` along the normal acts on all
  charges [2]_, with L the height of the cell; the potential is level in the metal and changes by
  V across the solution. Only at constant potential.

References
----------
.. [1] J. I. Siepmann, M. Sprik, J. Chem. Phys. 102, 511 (1995); S. K. Reed, O. J. Lanning,
       P. A. Madden, J. Chem. Phys. 126, 084704 (2007).
.. [2] T. Dufils, G. Jeanmairet, B. Rotenberg, M. Sprik, M. Salanne, Phys. Rev. Lett. 123, 195501
       (2019).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from ase.calculators.calculator import PropertyNotImplementedError
from torch import Tensor

from ase_les.electrostatics.conductors import Conductors, conductors, has_bond, mask_of
from ase_les.electrostatics.equilibration import MetalBias
from ase_les.graph import Graph
from ase_les.model import LESModel

_ROUNDING = 1e-6


class ElectrodesError(ValueError, PropertyNotImplementedError):
    """Raised if a structure cannot have the given electrodes."""


class Electrodes(NamedTuple):
    """Electrodes of one structure, in latent units.

    ``left``, ``right``: indices of their atoms, ascending. ``potential``: of the left one relative
    to the right one in V, or None with a fixed ``charge`` of the left one in e.
    """

    left: Tensor
    right: Tensor
    potential: float | None
    charge: float | None


def electrode_graph(model: LESModel, graph: Graph, electrodes: Electrodes) -> Graph:
    """Return the graph with the periodic directions of the sums; check the electrodes.

    Raises
    ------
    ElectrodesError
        If the groups are not all metal atoms of the structure, or their arrangement is none of
        those in `ase_les.response.electrodes`.
    """
    metal = _check_groups(model, graph, electrodes)
    # All metal atoms belong to one of them: a piece of both has a bond between them.
    is_one = has_bond(graph, electrodes.left, electrodes.right)
    if graph.pbc.all():
        axis = _axis_across(graph, conductors(graph, metal))
        if is_one:
            if electrodes.charge is not None:
                raise ElectrodesError(
                    "a fixed charge needs two separate electrodes; these are faces of one metal: "
                    "give `potential_V`"
                )
            return graph
        if graph.shifts[:, axis].any():
            raise ElectrodesError(
                "in a cell with three periodic directions the electrodes need vacuum outside, "
                "or must be the faces of one metal with the solution between them; here they "
                "are separate and there is no vacuum. Add vacuum with atoms.center(vacuum=10, "
                "axis=2), or set pbc = (True, True, False)"
            )
        pbc = graph.pbc.clone()
        pbc[0, axis] = False
        return graph._replace(pbc=pbc)
    if is_one:
        raise ElectrodesError(
            "an atom of the left electrode is bonded to one of the right: a metal has one "
            "potential. Select separate pieces, or use three periodic directions without vacuum "
            "for the two faces of one metal"
        )
    return graph


def _check_groups(model: LESModel, graph: Graph, electrodes: Electrodes) -> Tensor:
    """Return the metal atoms, which must be those of both electrodes."""
    long_range = model.long_range
    if long_range is None or long_range.equilibration is None:
        raise ElectrodesError(
            "electrodes need a model whose metal atoms share electrons (`long_range: "
            "equilibration`), such as pt-kf-aq"
        )
    metal = long_range.equilibration.atoms(graph)
    groups = torch.cat([electrodes.left, electrodes.right])
    if groups.max() >= graph.n_atoms:
        raise ElectrodesError(
            f"electrodes contain atom {int(groups.max())}; the structure has {graph.n_atoms} atoms"
        )
    others = groups[~mask_of(metal, graph.n_atoms)[groups]]
    assert model.config.long_range is not None
    assert model.config.long_range.equilibration is not None
    elements = ", ".join(model.config.long_range.equilibration.elements)
    if len(others):
        raise ElectrodesError(
            f"electrodes consist of atoms that share electrons ({elements}); atom "
            f"{int(others[0])} does not. Select for example 'Pt & bottom:3'"
        )
    missing = metal[~mask_of(groups, graph.n_atoms)[metal]]
    if len(missing):
        raise ElectrodesError(
            f"every atom that shares electrons ({elements}) must belong to an electrode; "
            f"{len(missing)} do not, the first is {int(missing[0])}"
        )
    return metal


def _axis_across(graph: Graph, pieces: Conductors) -> int:
    """Return the cell vector across layers of metal that are periodic along the other two."""
    along = torch.linalg.vector_norm(pieces.open_directions[0] @ graph.cell[0].T, dim=0)
    across = torch.nonzero(along > _ROUNDING).flatten()
    if len(across) != 1:
        raise ElectrodesError(
            "electrodes in a cell with three periodic directions must be layers of metal that "
            "are periodic along two cell vectors; for other shapes set pbc to False along the "
            "directions without copies"
        )
    return int(across[0])


def gap_field(graph: Graph, pieces: Conductors, left: Tensor, potential: float) -> Tensor:
    """Return the field (3,) that holds a potential between the two faces of one metal.

    Parameters
    ----------
    graph : Graph
    pieces : Conductors
    left : Tensor, shape (M,)
        Whether metal atoms belong to the left electrode.
    potential : float
        Of the left electrode relative to the right one, in V.
    """
    axis = _axis_across(graph, pieces)
    normal = pieces.open_directions[0] @ graph.cell[0, axis]
    height = torch.linalg.vector_norm(normal)
    normal = normal / height
    z = pieces.positions.detach() @ normal
    # Above an upper face is the solution, and then the image of the lower face.
    upward = 1.0 if z[left].mean() > z[~left].mean() else -1.0
    return (upward * potential / height) * normal


def metal_bias(
    graph: Graph, metal: Tensor, field: Tensor, electrodes: Electrodes | None
) -> tuple[MetalBias, Tensor, Conductors | None]:
    """Return the conditions of metal charges, the field (3,) on all charges, and the metal.

    The pieces of metal are None without a field.

    Parameters
    ----------
    graph : Graph
        As returned by `electrode_graph`, if there are electrodes.
    metal : Tensor, shape (M,)
        Metal atoms.
    field : Tensor, shape (3,)
        Applied field in V/Å.
    electrodes : Electrodes or None
    """
    electrode, charge, pieces = None, 0.0, None
    if field.any() or (electrodes is not None and graph.pbc.all()):
        pieces = conductors(graph, metal)
    energies = graph.positions.new_zeros(len(metal))
    if electrodes is not None:
        left = mask_of(electrodes.left, graph.n_atoms)[metal]
        if graph.pbc.all():
            assert electrodes.potential is not None and pieces is not None
            field = field + gap_field(graph, pieces, left, electrodes.potential)
        elif electrodes.potential is not None:
            energies = -electrodes.potential * left.to(energies)
        else:
            assert electrodes.charge is not None
            electrode, charge = left.to(energies), electrodes.charge
    if pieces is not None:
        energies = energies - pieces.positions @ field
    return MetalBias(energies, electrode, charge), field, pieces


class ElectrodeState(NamedTuple):
    r"""Charges of electrodes and their response at fixed positions, in latent units.

    ``area``: of the layers in Å², nan if they are not periodic.
    ``charge``: Q of the left electrode in e; the right one has -Q. ``potential``: of the left
    relative to the right one in V. ``conjugate``: :math:`-\partial\Omega/\partial V` in e: Q, or
    in a cell with three periodic directions :math:`M_n/L + V A/4\pi k_e L`.
    ``response``: derivative of the conjugate charge by V, in e/V at fixed positions.
    """

    charge: float
    potential: float
    conjugate: float
    response: float
    area: float
