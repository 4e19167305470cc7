r"""Approximate inverse of the matrix of metal charges, for geometries close to a first one.

For displacements :math:`\mathbf{u}` from the geometry in which it is factorized, the matrix H of
`ase_les.electrostatics.equilibration` is

.. math::
    H_{ij}(\mathbf{u}) \approx H^0_{ij} + \Delta_{ij}, \quad
    H^0_{ij} = w\, G(\mathbf{r}_i - \mathbf{r}_j) + \eta_i \delta_{ij}, \quad
    \Delta_{ij} = w\, \nabla G(\mathbf{r}_i - \mathbf{r}_j) \cdot (\mathbf{u}_i - \mathbf{u}_j),
    \qquad
    H^{-1} \approx H_0^{-1} - H_0^{-1} \Delta H_0^{-1}
        + H_0^{-1} \Delta H_0^{-1} \Delta H_0^{-1}

which is positive for any :math:`\mathbf{u}`. :math:`G` is the potential of a unit Gaussian
charge under the boundary conditions of the structure, interpolated on a mesh if there are periodic
directions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ase_les.electrostatics.layout import Layout
from ase_les.electrostatics.mesh import Mesh
from ase_les.electrostatics.mesh_potential import interpolated
from ase_les.electrostatics.open_boundary import smeared_coulomb
from ase_les.electrostatics.particle_mesh import AnalyticParticleMesh, MeshSettings
from ase_les.electrostatics.splines import undo_splines
from ase_les.electrostatics.wave_vectors import ReciprocalKernel
from ase_les.kernels.library import Kernels
from ase_les.units import COULOMB_CONSTANT

# Order of the splines of the table and its spacing per smearing: the matrix is right to 1e-5.
_TABLE = 4, 0.5

# Terms of the expansion of the inverse; positive if even.
_TERMS = 2

# Maximum number of atoms with first-order changes, whose memory is three times that of the factor.
_MOST_WITH_CHANGES = 2048

# Maximum number of atoms in float64, whose rounding does not limit what is extrapolated.
_MOST_IN_DOUBLE = 1024

_ROWS = 256

Map = Callable[[Tensor], Tensor]


class Metal(NamedTuple):
    """Metal atoms of one structure.

    ``positions`` (M, 3) in Å; ``cell`` (3, 3) that the sum repeats, None in free space; ``normal``
    (3,) of a slab in that cell, None otherwise; ``hardness`` (M,) in eV/e²: of H beside the
    interaction of Gaussians. ``sums``: object that changes with the mesh and the box of the sums.
    """

    positions: Tensor
    cell: Tensor | None
    normal: Tensor | None
    hardness: Tensor
    sums: object = None
    kernels: Kernels | None = None

    def is_same(self, other: Metal | None) -> bool:
        """Return whether the matrix H is the same."""
        if other is None or self.sums is None or self.sums is not other.sums:
            return False
        # Sums of one plan have one cell.
        return torch.equal(self.positions, other.positions) and torch.equal(
            self.hardness, other.hardness
        )


class Preconditioner:
    """Approximate inverse of H on neutral charges, factorized for one geometry.

    Parameters
    ----------
    metal : Metal
    kernel : ReciprocalKernel
        Of the sums.
    weight : float
        Weight of the long-range energy.
    """

    def __init__(self, metal: Metal, kernel: ReciprocalKernel, weight: float):
        self._metal, self._reach = metal, kernel.smearing
        with_changes = len(metal.hardness) <= _MOST_WITH_CHANGES
        values, slopes = pair_potentials(metal, kernel, with_changes)
        self._factor = _cholesky_factor(weight * values, metal.hardness)
        self._slopes = None if slopes is None else weight * slopes.flatten(0, 1)

    def covers(self, metal: Metal) -> bool:
        """Return whether a metal is the same in a geometry that is not far away."""
        if not torch.equal(metal.hardness, self._metal.hardness):
            return False
        return bool(self._displacements(metal.positions).abs().max() < self._reach)

    def at(self, positions: Tensor) -> Map:
        """Return the map from neutral potentials (M,) to charges for positions (M, 3) in Å."""
        moved = self._displacements(positions).to(self._factor)
        slopes = self._slopes
        if slopes is None or not moved.any():
            return lambda potentials: self._solve(potentials.to(moved)).to(potentials)
        factors = torch.cat([torch.ones_like(moved[:, :1]), moved], dim=1)

        def change_of(charges: Tensor) -> Tensor:
            products = (slopes @ (charges[:, None] * factors)).view(3, -1, 4)
            return (products[:, :, 0] * moved.T - products.diagonal(1, 0, 2).T).sum(0)

        def inverse(potentials: Tensor) -> Tensor:
            charges = first = self._solve(potentials.to(moved))
            for _ in range(_TERMS):
                charges = first - self._solve(change_of(charges))
            return charges.to(potentials)

        return inverse

    def _solve(self, potentials: Tensor) -> Tensor:
        neutral = potentials - potentials.mean()
        return torch.cholesky_solve(neutral[:, None], self._factor)[:, 0]

    def _displacements(self, positions: Tensor) -> Tensor:
        """Return displacements (M, 3) in Å relative to their mean, to the closest images."""
        moved = positions - self._metal.positions
        cell = self._metal.cell
        if cell is not None and moved.abs().max() > self._reach:
            moved = moved - (moved @ torch.linalg.inv(cell)).round() @ cell
        return moved - moved.mean(0)


def _cholesky_factor(matrix: Tensor, hardness: Tensor) -> Tensor:
    """Return a Cholesky factor (M, M) of a matrix with hardnesses, without its constant level."""
    matrix = matrix + torch.diag(hardness.to(matrix))
    # The constant of the potential is arbitrary: it does not act on neutral charges.
    rows = matrix.mean(1)
    matrix = matrix - rows[:, None] - rows + rows.mean() + matrix.diagonal().mean() / len(matrix)
    factor, failed = torch.linalg.cholesky_ex(matrix)
    if failed:
        # Atoms in contact: precondition with the hardness alone.
        return torch.diag(hardness.to(matrix).abs().sqrt())
    return factor


def pair_potentials(
    metal: Metal, kernel: ReciprocalKernel, with_slopes: bool = True
) -> tuple[Tensor, Tensor | None]:
    """Return potentials (M, M) in V of unit Gaussian charges at each other.

    Parameters
    ----------
    metal : Metal
    kernel : ReciprocalKernel
    with_slopes : bool
        Whether to return the gradients (3, M, M) in V/Å by the position of the first atom too.
    """
    positions = metal.positions
    n_atoms = len(positions)
    of_pairs = _in_free_space(kernel) if metal.cell is None else _in_cell(metal, kernel)
    dtype = torch.float64 if n_atoms <= _MOST_IN_DOUBLE else torch.float32
    values = positions.new_empty(n_atoms, n_atoms, dtype=dtype)
    slopes = values.new_empty(3, n_atoms, n_atoms) if with_slopes else None
    for start in range(0, n_atoms, _ROWS):
        rows, columns = slice(start, start + _ROWS), slice(start, None)
        separations = positions[rows, None] - positions[columns]
        value, slope = of_pairs(separations.flatten(0, 1))
        value = value.view(separations.shape[:2]).to(values)
        values[rows, columns] = value
        values[columns, rows] = value.T
        if slopes is not None:
            slope = slope.view(separations.shape).permute(2, 0, 1).to(values)
            slopes[:, rows, columns] = slope
            slopes[:, columns, rows] = -slope.transpose(1, 2)
    return values, slopes


def _in_free_space(kernel: ReciprocalKernel) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """Return the map from separations (P, 3) to potentials (P,) and gradients (P, 3)."""

    def of_pairs(separations: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            given = separations.clone().requires_grad_()
            distances = torch.sqrt((given**2).sum(1) + 1e-12)
            values = smeared_coulomb(distances, kernel.smearing)
            (slopes,) = torch.autograd.grad(values.sum(), given)
        return values.detach(), slopes

    return of_pairs


def _in_cell(metal: Metal, kernel: ReciprocalKernel) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """Return the same in a periodic cell, without copies along the normal of a slab."""
    assert metal.cell is not None
    inverse = torch.linalg.inv(metal.cell)
    mesh, surface, origin = _table(metal.cell, kernel)
    volume = float(torch.linalg.det(metal.cell).abs())
    mean_field = 4 * math.pi * COULOMB_CONSTANT / volume

    def of_pairs(separations: Tensor) -> tuple[Tensor, Tensor]:
        fractional = separations @ inverse + origin
        values, slopes = interpolated(mesh, surface, fractional, metal.kernels)
        slopes = slopes @ inverse.T
        if metal.normal is not None:
            # The mean field is the largest contribution of copies along the normal.
            heights = separations @ metal.normal
            values = values - 0.5 * mean_field * heights**2
            slopes = slopes - mean_field * heights[:, None] * metal.normal
        return values, slopes

    return of_pairs


def _table(cell: Tensor, kernel: ReciprocalKernel) -> tuple[Mesh, Tensor, Tensor]:
    """Return a mesh, the potential on it of a unit Gaussian charge, and its fractional place."""
    order, spacing = _TABLE
    sums = AnalyticParticleMesh(kernel, MeshSettings(order, spacing * kernel.smearing))
    plan = sums.plan(cell[None], Layout(1, 1, None))
    mesh = Mesh.of(plan.waves, 1, order)
    weights = plan.weights
    assert weights is not None
    for axis, (steps, indices) in enumerate(zip(mesh.size, plan.waves.axes, strict=True)):
        # The charge is on a point of the mesh: the splines are those of the interpolation only.
        frequency = indices.abs().cpu().numpy() / steps
        once = 1 / np.sqrt(undo_splines(frequency, order))
        shape = [1, 1, 1, 1]
        shape[axis + 1] = -1
        weights = weights * torch.from_numpy(once).to(weights).view(shape)
    surface = mesh.transform_back(weights.to(torch.complex128))
    # The middle of a spline of even order is a point of the mesh.
    origin = torch.tensor([(1 - order // 2) / steps for steps in mesh.size]).to(cell)
    return mesh, surface, origin
