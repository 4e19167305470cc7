"""Potentials of many sets of charges on the same atoms, with splines evaluated once."""

from __future__ import annotations

import torch
from torch import Tensor

from ase_les.electrostatics.particle_mesh import (
    AnalyticParticleMesh,
    _Mesh,
)
from ase_les.electrostatics.reciprocal import SumPlan
from ase_les.electrostatics.splines import (
    polynomials,
    spline_pieces,
    spline_products,
)

# Maximum number of atoms; each needs 2.7 kB for points and as much for weights.
MOST_ATOMS = 16384


class MeshPotential:
    r"""Derivative :math:`\partial E / \partial q_i` of the mesh sum of one structure.

    Linear in the charges. The spline weights of the atoms are computed once; each set of charges
    then takes two transforms and two passes over the mesh points.

    Parameters
    ----------
    plan : SumPlan
        Plan of an `AnalyticParticleMesh`, for one cell.
    positions : Tensor, shape (N, 3)
        In Å, float64.
    cell : Tensor, shape (1, 3, 3)
        In Å.
    """

    def __init__(self, plan: SumPlan, positions: Tensor, cell: Tensor):
        method = plan.method
        assert isinstance(method, AnalyticParticleMesh)
        order = method.settings.order
        self._mesh = _Mesh.of(plan.waves, 1, order)
        assert plan.weights is not None
        self._weights = plan.weights
        first, inside = self._mesh.locate(positions[None] @ torch.linalg.inv(cell))
        # Process neighbors on the mesh in sequence, so that their points stay in the cache.
        self._order = first.argsort()
        first, inside = first[self._order], inside[self._order]
        self._points = self._mesh.points(first)
        self._shares = spline_products(polynomials(spline_pieces(order, inside), inside))

    @staticmethod
    def applies(plan: SumPlan | None, n_atoms: int) -> bool:
        """Return whether a sum uses a mesh and its splines fit into memory."""
        return (
            plan is not None
            and isinstance(plan.method, AnalyticParticleMesh)
            and plan.weights is not None
            and n_atoms <= MOST_ATOMS
        )

    def __call__(self, charges: Tensor) -> Tensor:
        """Return potentials (N,) in V of charges (N,) in e."""
        mesh = self._mesh
        density = mesh.empty(charges)
        density.index_add_(
            0, self._points.flatten(), (self._shares * charges[self._order, None]).flatten()
        )
        surface = mesh.transform_back(mesh.transform(density) * self._weights)
        seen = surface.index_select(0, self._points.flatten()).view(self._points.shape)
        found = torch.linalg.vecdot(seen, self._shares)
        return torch.empty_like(charges).index_copy_(0, self._order, found)
