"""Potentials of many sets of charges on the same atoms, without an energy."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ase_les.electrostatics.mesh import Mesh
from ase_les.electrostatics.particle_mesh import AnalyticParticleMesh
from ase_les.electrostatics.reciprocal import SumPlan
from ase_les.electrostatics.splines import (
    derivatives,
    interpolate,
    polynomials,
    spline_pieces,
    spline_products,
    spline_table,
)
from ase_les.kernels.library import Kernels
from ase_les.kernels.mesh import gather, spread

# Maximum number of atoms without kernels; each needs 2.7 kB for points and as much for weights.
MOST_ATOMS = 16384


class MeshPotential:
    r"""Derivative :math:`\partial E / \partial q_i` of the mesh sum of one structure.

    Linear in the charges. Each set of charges takes two transforms and two passes over the mesh
    points, by the compiled kernels of the sum or with spline weights that are computed once.

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
        assert isinstance(method, AnalyticParticleMesh) and plan.weights is not None
        self._mesh = Mesh.of(plan.waves, 1, method.settings.order)
        self._weights = plan.weights
        self._kernels = method.kernels
        self._fractional = positions[None] @ torch.linalg.inv(cell)
        if self._kernels is None:
            self._prepare_splines()

    def _prepare_splines(self) -> None:
        first, inside = self._mesh.locate(self._fractional)
        # Process neighbors on the mesh in sequence, so that their points stay in the cache.
        self._order = first.argsort()
        first, inside = first[self._order], inside[self._order]
        self._points = self._mesh.points(first)
        pieces = spline_pieces(self._mesh.order, inside)
        self._shares = spline_products(polynomials(pieces, inside))

    @staticmethod
    def applies(plan: SumPlan | None, n_atoms: int) -> bool:
        """Return whether a sum uses a mesh and its splines fit into memory."""
        return (
            plan is not None
            and isinstance(plan.method, AnalyticParticleMesh)
            and plan.weights is not None
            and (n_atoms <= MOST_ATOMS or plan.method.kernels is not None)
        )

    def __call__(self, charges: Tensor) -> Tensor:
        """Return potentials (N,) in V of charges (N,) in e."""
        return self.at_atoms(self.surface(charges))

    @property
    def has_kernels(self) -> bool:
        """Return whether compiled kernels are used."""
        return self._kernels is not None

    def surface(self, charges: Tensor) -> Tensor:
        """Return the potential of charges (N,) on all points of the mesh, in V."""
        mesh = self._mesh
        if self._kernels is not None:
            (density,) = spread(*self._place(self._kernels), charges[None, :, None])
        else:
            density = mesh.empty(charges)
            density.index_add_(
                0, self._points.flatten(), (self._shares * charges[self._order, None]).flatten()
            )
        return mesh.transform_back(mesh.transform(density) * self._weights)

    def at_atoms(self, surface: Tensor) -> Tensor:
        """Return the values (N,) of a potential on the mesh at the atoms, in V."""
        if self._kernels is not None:
            block = surface.new_zeros(1, self._fractional.shape[1], 1)
            potentials, _ = gather(*self._place(self._kernels), block, [surface])
            return potentials[0, :, 0]
        seen = surface.index_select(0, self._points.flatten())
        found = torch.linalg.vecdot(seen.view(self._points.shape), self._shares)
        return torch.empty_like(found).index_copy_(0, self._order, found)

    def _place(self, kernels: Kernels) -> tuple[Kernels, tuple[int, int, int], np.ndarray, Tensor]:
        return kernels, self._mesh.size, spline_table(self._mesh.order), self._fractional


def interpolated(
    mesh: Mesh, surface: Tensor, fractional: Tensor, kernels: Kernels | None
) -> tuple[Tensor, Tensor]:
    """Return mesh values and gradients (P, 3) interpolated at fractional coordinates (P, 3).

    Parameters
    ----------
    mesh : Mesh
        Of one structure.
    surface : Tensor
        Spline coefficients on all points of the mesh.
    fractional : Tensor, shape (P, 3)
    kernels : Kernels or None
    """
    if kernels is not None:
        ones = fractional.new_ones(1, len(fractional), 1)
        place = kernels, mesh.size, spline_table(mesh.order), fractional[None]
        values, slopes = gather(*place, ones, [surface])
        return values[0, :, 0], slopes[0]
    first, inside = mesh.locate(fractional[None])
    pieces = spline_pieces(mesh.order, inside)
    tilts = derivatives(pieces)
    values, slopes = torch.empty_like(fractional[:, 0]), torch.empty_like(fractional)
    for block in mesh.blocks(len(fractional)):
        seen = surface.index_select(0, mesh.points(first[block]).flatten())
        spline, tilt = (polynomials(each, inside[block]) for each in (pieces, tilts))
        values[block], slopes[block] = interpolate(seen, spline, tilt)
    return values, slopes * torch.tensor(mesh.size).to(slopes)
