r"""Reciprocal sum on a mesh: N log N instead of N², with an error controlled by the spacing.

Charges are spread over a mesh with B-splines :math:`M_p` of order :math:`p`; one Fourier
transform of the mesh gives all :math:`S(\mathbf{k})`, and the inverse gives all potentials.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ase_les.electrostatics.mesh import Mesh
from ase_les.electrostatics.reciprocal import ReciprocalSum, Waves
from ase_les.electrostatics.splines import (
    derivatives,
    interpolate,
    polynomials,
    spline_pieces,
    spline_products,
    spline_table,
    undo_splines,
)
from ase_les.electrostatics.wave_vectors import ReciprocalKernel
from ase_les.kernels.library import Kernels
from ase_les.kernels.mesh import gather, spread
from ase_les.ranks import ALONE, Ranks

# Relative error of the forces, c (h/σ)^b. The power is fitted to random charges at the density of
# a liquid; c is for rattled rock salt, with ten times larger errors, because the long waves, which
# are exact, contribute little to the force. Water is in between.
_ERROR = {7: (5e-2, 8.5), 8: (2.7e-2, 9.3)}

# Below this error, splines of order 8 on a coarser mesh are faster than those of order 7.
_HIGH_ACCURACY = 2e-5


class MeshSettings(NamedTuple):
    r"""``order`` of the B-splines, 4 to 8, and largest ``spacing`` of the mesh in Å.

    Measured relative rms error of the forces, random unit charges at 0.1 atoms/Å³, :math:`\sigma`
    the smearing (``benchmarks/electrostatics.py`` prints the full table):

    ==================  =======  =======  =======  =======  =======
    spacing/σ           order 4  order 5  order 6  order 7  order 8
    ==================  =======  =======  =======  =======  =======
    0.80                8e-3     2e-3     1e-3     6e-4     4e-4
    0.64                4e-3     8e-4     3e-4     1e-4     5e-5
    0.48                1e-3     1e-4     4e-5     7e-6     2e-6
    0.40                6e-4     6e-5     1e-5     2e-6     4e-7
    0.30                3e-4     2e-5     2e-6     2e-7     4e-8
    ==================  =======  =======  =======  =======  =======
    """

    order: int
    spacing: float

    @classmethod
    def reaching(cls, accuracy: float, smearing: float) -> MeshSettings:
        """Return the cheapest mesh whose relative force error is at most `accuracy`.

        Raises
        ------
        ValueError
            If the accuracy is not between 1e-10 and 0.01.
        """
        if not 1e-10 <= accuracy <= 1e-2:
            raise ValueError(
                f"`accuracy` must be between 1e-10 and 0.01 (relative error of the long-range "
                f"forces), got {accuracy}. None gives the direct sum, which is exact"
            )
        order = 7 if accuracy > _HIGH_ACCURACY else 8
        factor, power = _ERROR[order]
        return cls(order, smearing * (accuracy / factor) ** (1 / power))


class ParticleMesh(ReciprocalSum):
    r"""Smooth particle mesh in plain tensor operations, differentiable to order :math:`p - 2`.

    .. math::
        |S(\mathbf{k})|^2 \approx \frac{W^2}{(\sum_m W_m^2)^2} |\hat\rho(\mathbf{k})|^2, \qquad
        \hat\rho = \mathrm{FFT}\Big[\sum_i q_i \prod_a M_p(u_{ia} - n_a)\Big], \qquad
        W = \prod_a \mathrm{sinc}^p(n_a / K_a)

    with :math:`u_{ia}` the coordinate of atom i in steps of the mesh along lattice vector a,
    :math:`K_a` the number of steps and the sum over the aliases :math:`n_a + m K_a` of a wave
    vector. The prefactor minimizes the error of the forces [2]_, also for odd orders. Forces are
    derivatives of this energy, so that it is conserved; their sum vanishes only within the error
    of the mesh.

    Parameters
    ----------
    kernel : ReciprocalKernel
        Kernel as for the direct sum, converged or not.
    settings : MeshSettings

    Raises
    ------
    ValueError
        If the order is not 4 to 8 or the spacing not positive.

    References
    ----------
    .. [1] U. Essmann et al., J. Chem. Phys. 103, 8577 (1995).
    .. [2] R. W. Hockney, J. W. Eastwood, Computer Simulation Using Particles (1988).
    """

    def __init__(self, kernel: ReciprocalKernel, settings: MeshSettings):
        super().__init__(kernel)
        if settings.order not in range(4, 9):
            raise ValueError(f"`order` must be 4 to 8, got {settings.order}")
        if not settings.spacing > 0:
            raise ValueError(f"`spacing` must be positive (Å), got {settings.spacing}")
        self.settings = settings

    def mesh_size(self, cell: Tensor) -> tuple[int, int, int]:
        """Return mesh points along each lattice vector for the spacing in all cells (S, 3, 3)."""
        x, y, z = (good_size(steps) for steps in self._steps(cell))
        return x, y, z

    def _steps(self, cell: Tensor) -> list[float]:
        lengths = torch.linalg.vector_norm(cell.detach(), dim=-1).amax(dim=0)
        # A spline must not contain a point twice.
        return [max(x, self.settings.order) for x in (lengths / self.settings.spacing).tolist()]

    def waves(self, cell: Tensor) -> Waves:
        bounds = self.kernel.index_bounds(cell)
        size = self.mesh_size(cell)
        return _mesh_waves(size, bounds, self.settings.order, cell.dtype, cell.device)

    def power(self, fractional: Tensor, charges: Tensor, weights: Tensor, waves: Waves) -> Tensor:
        mesh = Mesh.of(waves, fractional.shape[0], self.settings.order)
        first, inside = mesh.locate(fractional)
        points = mesh.points(first).flatten()
        products = spline_products(polynomials(spline_pieces(mesh.order, inside), inside))
        power = charges.new_zeros(())
        for charge in charges.flatten(0, 1).unbind(1):
            density = mesh.empty(charges).index_add(
                0, points, (products * charge[:, None]).flatten()
            )
            factors = mesh.transform(density)
            power = power + factors.real**2 + factors.imag**2
        return (power * weights).flatten(1).sum(1)


class AnalyticParticleMesh(ParticleMesh):
    """Particle mesh with hand-written gradients, once differentiable (inference)."""

    keeps_weights = True

    def __init__(self, kernel: ReciprocalKernel, settings: MeshSettings):
        super().__init__(kernel, settings)
        self.kernels: Kernels | None = None
        self._ranks = ALONE

    def use_kernels(self, kernels: Kernels) -> None:
        """Switch to compiled kernels for spreading charges and gathering potentials."""
        self.kernels = kernels

    def shared_by(self, ranks: Ranks) -> AnalyticParticleMesh:
        """Return a sum for processes that each have some of the atoms.

        Its energies add up to the energy of all atoms.
        """
        shared = copy.copy(self)
        shared._ranks = ranks
        return shared

    def power_of_surface(
        self, fractional: Tensor, charges: Tensor, surface: Tensor, waves: Waves
    ) -> Tensor:
        mesh = Mesh.of(waves, 1, self.settings.order)
        return _SurfacePower.apply(fractional, charges, surface, mesh, self.kernels)

    def power(self, fractional: Tensor, charges: Tensor, weights: Tensor, waves: Waves) -> Tensor:
        mesh = Mesh.of(waves, fractional.shape[0], self.settings.order)
        if self.kernels is not None:
            return _FusedPower.apply(fractional, charges, weights, mesh, self.kernels, self._ranks)
        return _AnalyticPower.apply(fractional, charges, weights, mesh, self._ranks)


class _AnalyticPower(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, fractional: Tensor, charges: Tensor, weights: Tensor, mesh: Mesh, ranks: Ranks
    ) -> Tensor:
        first, inside = mesh.locate(fractional)
        # Process neighbors on the mesh in sequence, so that their points stay in the cache.
        order = first.argsort()
        first, inside, flat = first[order], inside[order], charges.flatten(0, 1)[order]
        pieces = spline_pieces(mesh.order, inside)
        densities = [mesh.empty(flat) for _ in range(flat.shape[1])]
        for atoms in mesh.blocks(len(flat)):
            points = mesh.points(first[atoms]).flatten()
            products = spline_products(polynomials(pieces, inside[atoms]))
            for density, charge in zip(densities, flat[atoms].unbind(1), strict=True):
                density.index_add_(0, points, (products * charge[:, None]).flatten())
        factors = torch.stack([mesh.transform(ranks.sum_(density)) for density in densities])
        power = factors.real**2
        power = power.addcmul_(factors.imag, factors.imag).sum(0)
        ctx.mesh, ctx.ranks = mesh, ranks
        ctx.save_for_backward(order, first, inside, flat, weights, factors, power)
        ctx.block = charges.shape
        return torch.linalg.vecdot(power.flatten(1), weights.flatten(1)) / ranks.size

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor | None, None, None]:
        order, first, inside, flat, weights, factors, power = ctx.saved_tensors
        mesh = ctx.mesh
        scale = gradient[:, None, None, None]
        power = power / ctx.ranks.size
        potential, slope = torch.empty_like(flat), torch.zeros_like(inside)
        values = spline_pieces(mesh.order, inside)
        slopes = derivatives(values)
        for channel, factor in enumerate(factors):
            # ∂E/∂ρ at every point of the mesh.
            surface = mesh.transform_back(factor * (scale * weights))
            for atoms in mesh.blocks(len(flat)):
                seen = surface.index_select(0, mesh.points(first[atoms]).flatten())
                spline, tilt = (polynomials(p, inside[atoms]) for p in (values, slopes))
                at_atoms, along = interpolate(seen, spline, tilt)
                potential[atoms, channel] = at_atoms
                slope[atoms] += flat[atoms, channel, None] * along
        slope *= torch.tensor(mesh.size).to(slope)
        potential, slope = (
            torch.empty_like(x).index_copy_(0, order, x) for x in (potential, slope)
        )
        return (
            slope.view(*ctx.block[:2], 3),
            potential.view(ctx.block),
            scale * power if ctx.needs_input_grad[2] else None,
            None,
            None,
        )


class _FusedPower(torch.autograd.Function):
    """Power and gradients with compiled kernels for spreading charges and gathering potentials."""

    @staticmethod
    def forward(
        ctx: Any,
        fractional: Tensor,
        charges: Tensor,
        weights: Tensor,
        mesh: Mesh,
        kernels: Kernels,
        ranks: Ranks,
    ) -> Tensor:
        spline = spline_table(mesh.order)
        densities = spread(kernels, mesh.size, spline, fractional, charges)
        factors = [mesh.transform(ranks.sum_(densities.pop(0))) for _ in range(len(densities))]
        power = _power(factors)
        ctx.mesh, ctx.kernels, ctx.ranks = mesh, kernels, ranks
        ctx.save_for_backward(fractional, charges, weights, *factors)
        return torch.linalg.vecdot(power.flatten(1), weights.flatten(1)) / ranks.size

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, gradient: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None, None, None, None]:
        fractional, charges, weights, *factors = ctx.saved_tensors
        mesh, scale = ctx.mesh, gradient[:, None, None, None]
        surfaces = [mesh.transform_back((factor * weights).mul_(scale)) for factor in factors]
        spline = spline_table(mesh.order)
        potential, slope = gather(ctx.kernels, mesh.size, spline, fractional, charges, surfaces)
        by_weights = scale * _power(factors) / ctx.ranks.size if ctx.needs_input_grad[2] else None
        return slope, potential, by_weights, None, None, None


class _SurfacePower(torch.autograd.Function):
    """Power of one structure whose potential on the mesh is known, in V; compiled kernels only."""

    @staticmethod
    def forward(
        ctx: Any,
        fractional: Tensor,
        charges: Tensor,
        surface: Tensor,
        mesh: Mesh,
        kernels: Kernels,
    ) -> Tensor:
        place = kernels, mesh.size, spline_table(mesh.order), fractional
        potential, slope = gather(*place, charges, [surface])
        ctx.save_for_backward(potential, slope)
        return 0.5 * (charges * potential).sum((1, 2))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        potential, slope = ctx.saved_tensors
        scale = gradient[:, None, None]
        return scale * slope, scale * potential, None, None, None


def _power(factors: Sequence[Tensor]) -> Tensor:
    """Return |S(k)|² summed over channels."""
    power = torch.zeros_like(factors[0].real)
    for factor in factors:
        power.addcmul_(factor.real, factor.real).addcmul_(factor.imag, factor.imag)
    return power


def good_size(at_least: float) -> int:
    """Return the smallest even number without prime factors above 7, fast in an FFT."""
    size = 2 * max(math.ceil(at_least / 2), 1)
    while _without_small_factors(size) > 1:
        size += 2
    return size


def _without_small_factors(number: int) -> int:
    for factor in (2, 3, 5, 7):
        while number % factor == 0:
            number //= factor
    return number


@lru_cache(maxsize=4)
def _mesh_waves(
    size: tuple[int, int, int],
    bounds: tuple[int, int, int],
    order: int,
    dtype: torch.dtype,
    device: torch.device,
) -> Waves:
    """Return the wave vectors of a mesh with indices up to bounds, in the order of transforms."""
    indices, counts = [], []
    for steps, bound in zip(size, bounds, strict=True):
        index = np.fft.fftfreq(steps, 1 / steps)
        count = undo_splines(index / steps, order)
        # The wave vector at the end of the band equals its negative: it has no direction.
        count[steps // 2] = 0.0
        if 2 * bound + 1 < steps:
            kept = np.abs(index) <= bound
            index, count = index[kept], count[kept]
        indices.append(index)
        counts.append(count)
    half = min(bounds[2], size[2] // 2) + 1
    indices[2], counts[2] = np.abs(indices[2][:half]), 2 * counts[2][:half]
    counts[2][0] /= 2
    options: dict[str, Any] = {"dtype": dtype, "device": device}
    x, y, z = (torch.tensor(count, **options) for count in counts)
    first, second, third = (torch.tensor(index, **options) for index in indices)
    return Waves((first, second, third), (x[:, None] * y)[..., None] * z, size)
