r"""Electrostatic potential and field of latent charges, at the atoms or anywhere else.

The energy is quadratic in the charges: the potential at a point is its derivative by a charge put
there, and the field is the force on that charge. No sum is needed beside those that give the
energy, under any boundary conditions. The charge that feels them is a Gaussian as wide as those of
the model, so both are finite on the atoms.

The potential is zero infinitely far away in free space; on average over a periodic cell; and for a
slab halfway between its values far away on both sides, if the slab is neutral.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ase_les.electrostatics.energy import Electrostatics
from ase_les.graph import Graph
from ase_les.units import COULOMB_CONSTANT

# Points added to a structure at a time, at least; large structures take as many as they have atoms.
_BLOCK = 512


class Potential(NamedTuple):
    """``potential`` (P, n_q) in V and ``field`` (P, n_q, 3) in V/Å, per channel of charge."""

    potential: Tensor
    field: Tensor


def potential_at(sums: Electrostatics, graph: Graph, charges: Tensor, points: Tensor) -> Potential:
    r"""Potential and field at points, of all charges of a structure.

    .. math::
        \phi(\mathbf{r}) = \frac{\partial E}{\partial q}\Big|_{q = 0}, \qquad
        \mathbf{E}(\mathbf{r}) = \frac{1}{2} [\mathbf{F}(q = 1) - \mathbf{F}(q = -1)]

    The difference of forces is exact, and free of what the test charges do to each other.

    Parameters
    ----------
    sums : Electrostatics
        Of a model; its ``weight`` is part of the result.
    graph : Graph
        One structure.
    charges : Tensor, shape (N, n_q)
        In e; latent charges give the latent, screened potential.
    points : Tensor, shape (P, 3)
        In Å.

    Raises
    ------
    ValueError
        If there is more than one structure.
    """
    if graph.n_structures != 1:
        raise ValueError(f"points belong to one structure, got {graph.n_structures}")
    charges = charges.detach()
    blocks = [_of_block(sums, graph, charges, b) for b in points.split(max(_BLOCK, len(charges)))]
    return Potential(*(torch.cat(parts) for parts in zip(*blocks, strict=True)))


def potential_at_atoms(sums: Electrostatics, graph: Graph, charges: Tensor) -> Potential:
    """Potential and field at every atom, its periodic copies included but not the atom itself."""
    found = potential_at(sums, graph, charges, graph.positions.detach())
    # Two Gaussians on top of each other; by symmetry the atom's own field is zero.
    own = 2 * COULOMB_CONSTANT / (math.sqrt(2 * math.pi) * sums.config.smearing)
    return found._replace(potential=found.potential - sums.config.weight * own * charges.detach())


def _of_block(sums: Electrostatics, graph: Graph, charges: Tensor, points: Tensor) -> Potential:
    """Return potential and field at a few points, which count as atoms of the structure."""
    n_points = len(points)
    positions = torch.cat([graph.positions.detach(), points])
    with_points = graph._replace(
        positions=positions, structure=graph.structure.new_zeros(len(positions))
    )

    plan = sums.plan(with_points)

    def derivatives(test_charges: Tensor) -> tuple[Tensor, Tensor]:
        """Return those of the energy by charge and position of the points."""
        place = positions.clone().requires_grad_(True)
        charge = torch.cat([charges, test_charges]).requires_grad_(True)
        with torch.enable_grad():
            energy = sums(with_points._replace(positions=place), charge, plan)
            by_charge, by_place = torch.autograd.grad(energy.sum(), [charge, place])
        return by_charge[-n_points:], by_place[-n_points:]

    none = charges.new_zeros(n_points, charges.shape[1])
    potential, _ = derivatives(none)
    fields = []
    for channel in range(charges.shape[1]):
        unit = none.index_fill(1, torch.tensor([channel], device=none.device), 1.0)
        fields.append(0.5 * (derivatives(-unit)[1] - derivatives(unit)[1]))
    return Potential(potential, torch.stack(fields, dim=1))
