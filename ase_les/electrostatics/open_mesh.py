r"""Sum for large structures in free space, on a mesh without periodic copies.

Charges are spread over a mesh with B-splines as in `ase_les.electrostatics.particle_mesh`. Their
potential on the mesh is a convolution with

.. math::
    g(r) = k_e\,\frac{\mathrm{erf}(r/\sqrt2\sigma)}{r}

sampled at the distances between mesh points and computed by Fourier transforms, in a box twice as
large
along every direction [1]_: periodic copies are then farther apart than any two charges. Beyond the
largest distance between charges every coordinate of the distance levels off smoothly up to half the
box. The empty part of the box is never stored: lines are padded as they are transformed.

References
----------
.. [1] R. W. Hockney, J. W. Eastwood, Computer Simulation Using Particles (1988).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.fft import dctn
from torch import Tensor
from torch.autograd.function import once_differentiable

from ase_les.electrostatics.open_boundary import smeared_coulomb
from ase_les.electrostatics.particle_mesh import MeshSettings
from ase_les.electrostatics.splines import (
    derivatives,
    interpolate,
    polynomials,
    spline_pieces,
    spline_products,
    undo_splines,
)

# Steps beyond the farthest charges over which the interaction joins its periodic copy smoothly. A
# kink would have long-range effects, since the correction for the splines amplifies short waves.
_MARGIN = 20

# Granularity of the start and end of meshes, in steps.
_COARSE = 8

# Measured on one busy core, energy and gradients of one channel, in nanoseconds: per mesh point and
# transforms, per point in an atom's spline, and per pair of the direct sum. Only ratios matter.
_PER_POINT, _PER_TOUCHED_POINT, _PER_PAIR = 200.0, 8.0, 45.0

# Mesh points per block of atoms: its products fit into the cache of one core.
_BLOCK = 2**16
# Complex numbers (16 bytes each) in a block of planes that are transformed together.
_PLANES = 2**21


class OpenMeshPlan(NamedTuple):
    """Mesh of one structure.

    ``origin`` (3,): of the mesh, in steps from the origin of the coordinates, whole numbers.
    ``size``: points along x, y and z; the last 20 remain empty. ``kernel``
    (nx + 1, ny + 1, nz + 1): transform of the interaction in the doubled box, in eV/e², one octant.
    """

    origin: Tensor
    size: tuple[int, int, int]
    kernel: Tensor


class OpenMesh:
    """Compute the sum over all pairs of Gaussian charges in free space, including self terms.

    The mesh has a fixed spacing and position in space. The energy does not depend on its size, so
    that it is a continuous function when atoms move apart.

    Parameters
    ----------
    smearing : float
        Smearing in Å.
    settings : MeshSettings
    """

    def __init__(self, smearing: float, settings: MeshSettings):
        self.smearing = smearing
        self.settings = settings

    def plan(self, positions: Tensor) -> OpenMeshPlan:
        """Return a mesh that holds all positions (N, 3) in Å."""
        low, high = self._extent(positions)
        # In coarse steps, so that fluctuations of a droplet do not change the mesh.
        low = _COARSE * torch.floor(low / _COARSE)
        needed = (_COARSE * torch.ceil((high - low) / _COARSE)).long().tolist()
        nx, ny, nz = (_good_length(n + _MARGIN) for n in needed)
        kernel = _kernel((nx, ny, nz), self.smearing, self.settings)
        return OpenMeshPlan(low, (nx, ny, nz), kernel.to(positions.device))

    def is_cheaper(self, positions: Tensor) -> bool:
        """Return whether a mesh is faster than the sum over all pairs of positions (N, 3)."""
        n_atoms = len(positions)
        mesh = _PER_POINT * self.n_points(positions) + _PER_TOUCHED_POINT * n_atoms * (
            self.settings.order**3
        )
        return mesh < _PER_PAIR * n_atoms**2

    def n_points(self, positions: Tensor) -> int:
        """Return the approximate number of mesh points for positions (N, 3) in Å."""
        low, high = self._extent(positions)
        return math.prod((high - low + _COARSE + _MARGIN).long().tolist())

    def energy(self, positions: Tensor, charges: Tensor, plan: OpenMeshPlan) -> Tensor:
        """Return the energy (1,) in eV of charges (N, n_q) in e at positions (N, 3) in Å."""
        steps = positions / self.settings.spacing - plan.origin.to(positions)
        found: Tensor = _AnalyticOpenSum.apply(steps, charges, plan, self.settings.order)
        return found

    def _extent(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return the first and the last mesh point of all atoms, in steps."""
        steps = positions.detach() / self.settings.spacing
        return steps.amin(0).floor(), steps.amax(0).floor() + self.settings.order


@lru_cache(maxsize=2)
def _kernel(size: tuple[int, int, int], smearing: float, settings: MeshSettings) -> Tensor:
    """Return the kernel of `OpenMeshPlan`."""
    squares = [(settings.spacing * _leveled_distances(n)) ** 2 for n in size]
    distance = squares[0][:, None, None] + squares[1][:, None] + squares[2]
    distance.clamp_(min=1e-12).sqrt_()
    # The transform of a real, even function in the doubled box is one of cosines.
    kernel = torch.from_numpy(
        dctn(smeared_coulomb(distance, smearing).numpy(), type=1, overwrite_x=True)
    )
    for axis, n in enumerate(size):
        factor = undo_splines(np.arange(n + 1) / (2 * n), settings.order)
        # The wave vector at the end of the band equals its negative.
        factor[n] = 0.0
        shape = [1, 1, 1]
        shape[axis] = n + 1
        kernel *= torch.from_numpy(factor).view(shape)
    kernel /= math.prod(2 * n for n in size)
    return kernel


class _AnalyticOpenSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, steps: Tensor, charges: Tensor, plan: OpenMeshPlan, order: int) -> Tensor:
        corner = steps.floor()
        inside = steps - corner
        _, ny, nz = plan.size
        x, y, z = corner.long().unbind(1)
        first = (x * ny + y) * nz + z
        along = torch.arange(order, device=steps.device)
        offsets = ((along[:, None, None] * ny + along[:, None]) * nz + along).flatten()
        # Process neighbors on the mesh in sequence, so that their points stay in the cache.
        rank = first.argsort()
        first, inside, flat = first[rank], inside[rank], charges[rank]
        pieces = spline_pieces(order, inside)
        energy, surfaces = steps.new_zeros(1), []
        for charge in flat.unbind(1):
            density = steps.new_zeros(math.prod(plan.size))
            for atoms in _blocks(len(flat), order):
                points = (first[atoms, None] + offsets).flatten()
                products = spline_products(polynomials(pieces, inside[atoms]))
                density.index_add_(0, points, (products * charge[atoms, None]).flatten())
            surface = convolved(density.view(plan.size), plan.kernel).flatten()
            energy = energy + 0.5 * (density @ surface)
            surfaces.append(surface)
        ctx.order, ctx.shape = order, charges.shape
        ctx.save_for_backward(rank, first, inside, flat, offsets, *surfaces)
        return energy

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        rank, first, inside, flat, offsets, *surfaces = ctx.saved_tensors
        potential, slope = torch.empty_like(flat), torch.zeros_like(inside)
        values = spline_pieces(ctx.order, inside)
        slopes = derivatives(values)
        for channel, surface in enumerate(surfaces):
            for atoms in _blocks(len(flat), ctx.order):
                seen = surface[(first[atoms, None] + offsets).flatten()]
                spline, tilt = (polynomials(p, inside[atoms]) for p in (values, slopes))
                at_atoms, along = interpolate(seen, spline, tilt)
                potential[atoms, channel] = at_atoms
                slope[atoms] += flat[atoms, channel, None] * along
        potential, slope = (
            torch.empty_like(x).index_copy_(0, rank, gradient * x) for x in (potential, slope)
        )
        return slope, potential, None, None


def convolved(density: Tensor, kernel: Tensor) -> Tensor:
    """Return the convolution (nx, ny, nz) of a density with the interaction in free space.

    Parameters
    ----------
    density : Tensor, shape (nx, ny, nz)
    kernel : Tensor, shape (nx + 1, ny + 1, nz + 1)
        Kernel of `OpenMeshPlan`; the rest of the doubled box mirrors it.
    """
    nx, ny, nz = density.shape
    waves = torch.fft.rfft(density, n=2 * nz, dim=2).permute(2, 0, 1).contiguous()
    mirrored = [torch.cat([torch.arange(n + 1), torch.arange(n - 1, 0, -1)]) for n in (nx, ny)]
    step = max(_PLANES // (4 * nx * ny), 1)
    for start in range(0, nz + 1, step):
        planes = waves[start : start + step]
        factors = kernel[:, :, start : start + step].permute(2, 0, 1)
        spectrum = torch.fft.fft2(planes, s=(2 * nx, 2 * ny))
        spectrum *= factors.index_select(1, mirrored[0]).index_select(2, mirrored[1])
        # Not normalized: the kernel holds the number of points.
        planes.copy_(torch.fft.ifft2(spectrum, norm="forward")[:, :nx, :ny])
    lines = torch.fft.irfft(waves.permute(1, 2, 0), n=2 * nz, dim=2, norm="forward")
    return lines[:, :, :nz].contiguous()


def _leveled_distances(n: int) -> Tensor:
    r"""Return distances 0 … n in steps, which level off at the end.

    With :math:`t` from 0 to 1 over the margin of length m the distance is
    :math:`n - m + m (t - \int_0^t S)`, where S is the polynomial step with five flat derivatives.
    """
    t = ((torch.arange(n + 1, dtype=torch.float64) - (n - _MARGIN)) / _MARGIN).clamp_min(0.0)
    step = np.polynomial.Polynomial([0] * 6 + [462, -1980, 3465, -3080, 1386, -252])
    lost = torch.from_numpy(step.integ()(t.numpy()))
    return torch.arange(n + 1, dtype=torch.float64) - _MARGIN * lost


def _blocks(n_atoms: int, order: int) -> list[slice]:
    step = max(_BLOCK // order**3, 1)
    return [slice(start, start + step) for start in range(0, n_atoms, step)]


def _good_length(at_least: int) -> int:
    """Return the smallest number with no prime factor above 5, fast in an FFT."""
    size = at_least
    while True:
        rest = size
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return size
        size += 1
