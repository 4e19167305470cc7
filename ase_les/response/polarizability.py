r"""Polarizability of a model and its derivatives.

See `ase_les.polarizability` for definitions. The derivative
:math:`\partial\alpha_{\beta\gamma} / \partial r_{i\delta}` that Raman intensities need is exact,
including the response of the local field.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ase_les.graph import Graph
from ase_les.model import LESModel
from ase_les.polarizability import AtomicPolarizabilities, polarizability_of_structures

# Row and column of the independent components xx, yy, zz, yz, xz, xy.
COMPONENTS = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def polarizability_part(model: LESModel) -> AtomicPolarizabilities:
    """Return the part of a model that has the polarizabilities.

    Raises
    ------
    ValueError
        If the model has none.
    """
    if model.polarizability is None:
        raise ValueError(
            "this model has no polarizability; use a model trained with `polarizability`, or add "
            "one with `start` and `freeze` (documentation, Raman spectra)"
        )
    return model.polarizability


def atomic_polarizabilities(model: LESModel, graph: Graph) -> Tensor:
    """Return polarizabilities (N, 3, 3) of atoms in Å³, without computing energies.

    Their sum over a molecule of a liquid is its effective polarizability. In a model with
    ``local_field="lorentz"`` they respond to the local field.

    Raises
    ------
    ValueError
        If the model has no polarizability.
    """
    part = polarizability_part(model)
    return part(graph, model.representation(graph))


def polarizability(model: LESModel, graph: Graph) -> Tensor:
    """Return polarizabilities (S, 3, 3) of structures in Å³, response to the macroscopic field.

    Raises
    ------
    ValueError
        If the model has no polarizability.
    """
    local_field = polarizability_part(model).config.local_field
    return polarizability_of_structures(atomic_polarizabilities(model, graph), graph, local_field)


def polarizability_derivatives(model: LESModel, graph: Graph) -> Tensor:
    r"""Return :math:`\partial\alpha_{\beta\gamma}/\partial r_{i\delta}`, (N, 3, 3, 3) in Å².

    Index order [atom, displacement, β, γ].

    Raises
    ------
    ValueError
        If the model has no polarizability.
    """
    with torch.enable_grad():
        positions = graph.positions.detach().requires_grad_(True)
        alpha = polarizability(model, graph._replace(positions=positions)).sum(0)
        found = positions.new_zeros(*positions.shape, 3, 3)
        for number, (row, column) in enumerate(COMPONENTS, start=1):
            (slope,) = torch.autograd.grad(
                alpha[row, column], positions, retain_graph=number < len(COMPONENTS)
            )
            found[..., row, column] = found[..., column, row] = slope
    return found
