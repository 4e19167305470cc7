r"""Electrostatic potential and field of latent charges, at atoms or arbitrary points.

The energy is quadratic in the charges: the potential at a point is its derivative with respect to a
charge at this point, and the field is the force on that charge. Both use the sums of the energy,
for all boundary conditions. The test charge is a Gaussian with the smearing of the model, so that
both are finite at atoms.

The zero of the potential is at infinity in free space, the average over a periodic cell, and for
a neutral slab the mean of the values far away on both sides.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ase_les.electrostatics.energy import Electrostatics
from ase_les.graph import Graph

# Minimum number of points added to a structure at a time; the number of atoms if that is larger.
_BLOCK = 512


class Potential(NamedTuple):
    """``potential`` (P, n_q) in V and ``field`` (P, n_q, 3) in V/Å, per channel of charge."""

    potential: Tensor
    field: Tensor


def potential_at(sums: Electrostatics, graph: Graph, charges: Tensor, points: Tensor) -> Potential:
    r"""Return potential and field of all charges of a structure at points.

    .. math::
        \phi(\mathbf{r}) = \frac{\partial E}{\partial q}\Big|_{q = 0}, \qquad
        \mathbf{E}(\mathbf{r}) = \frac{1}{2} [\mathbf{F}(q = 1) - \mathbf{F}(q = -1)]

    The difference of forces is exact and does not contain interactions of the test charges.

    Parameters
    ----------
    sums : Electrostatics
        Sums of a model; the result includes their ``weight``.
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
    """Return potential and field at each atom due to all other charges.

    Periodic images of the atom contribute, its own Gaussian charge does not.
    """
    found = potential_at(sums, graph, charges, graph.positions.detach())
    # Two coincident Gaussians; by symmetry the field of the atom itself is zero.
    own = sums.config.weight * sums.config.self_potential
    return found._replace(potential=found.potential - own * charges.detach())


def _of_block(sums: Electrostatics, graph: Graph, charges: Tensor, points: Tensor) -> Potential:
    """Return potential and field at a few points, added to the structure as atoms."""
    n_points = len(points)
    positions = torch.cat([graph.positions.detach(), points])
    with_points = graph._replace(
        positions=positions, structure=graph.structure.new_zeros(len(positions))
    )

    plan = sums.plan(with_points)

    def derivatives(test_charges: Tensor) -> tuple[Tensor, Tensor]:
        """Return derivatives of the energy with respect to charge and position of the points."""
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
