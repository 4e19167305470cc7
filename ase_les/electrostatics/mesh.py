"""Points of a mesh in the cells of structures, and its Fourier transforms."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ase_les.electrostatics.reciprocal import Waves

# Mesh points per block of atoms: its products fit into the cache of one core.
_BLOCK = 2**16

# Most points per structure for which one transform of the whole mesh is faster than transforms that
# leave out the wave vectors beyond the cutoff axis by axis, which need less memory.
_MOST_AT_ONCE = 2**18


class Mesh(NamedTuple):
    """Meshes of S structures, with a margin beyond the far faces that repeats the near ones.

    ``size``: steps along the lattice vectors; ``order`` of the splines; ``n_waves``: number of
    indices along each axis, those of the shortest wave vectors, from 0 on along the third axis.
    """

    n_structures: int
    size: tuple[int, int, int]
    order: int
    n_waves: tuple[int, int, int]

    @classmethod
    def of(cls, waves: Waves, n_structures: int, order: int) -> Mesh:
        """Return the meshes of the waves of a plan."""
        assert waves.mesh is not None
        first, second, third = map(len, waves.axes)
        return cls(n_structures, waves.mesh, order, (first, second, third))

    @property
    def with_margin(self) -> tuple[int, int, int, int]:
        (x, y, z), margin = self.size, self.order - 1
        return self.n_structures, x + margin, y + margin, z + margin

    def locate(self, fractional: Tensor) -> tuple[Tensor, Tensor]:
        """Return the first mesh point (S·N,) of each atom and its position (S·N, 3) in the step."""
        size = torch.tensor(self.size).to(fractional)
        steps = torch.remainder(fractional, 1.0) * size
        with torch.no_grad():
            # A coordinate just below zero may be rounded to a full period.
            corner = torch.minimum(steps.floor(), size - 1)
            _, *extent = self.with_margin
            structure = torch.arange(self.n_structures, device=corner.device)[:, None]
            x, y, z = corner.long().unbind(-1)
            first = ((structure * extent[0] + x) * extent[1] + y) * extent[2] + z
        return first.flatten(), (steps - corner).flatten(0, 1)

    def points(self, first: Tensor) -> Tensor:
        """Return the mesh points (A, p³) of atoms."""
        _, _, second, third = self.with_margin
        along = torch.arange(self.order, device=first.device)
        offsets = (along[:, None, None] * second + along[:, None]) * third + along
        return first[:, None] + offsets.flatten()

    def blocks(self, n_atoms: int) -> list[slice]:
        """Yield blocks of atoms that fit into the cache."""
        step = max(_BLOCK // self.order**3, 1)
        return [slice(start, start + step) for start in range(0, n_atoms, step)]

    def empty(self, like: Tensor) -> Tensor:
        """Return zeros on all points, including margins."""
        return like.new_zeros(math.prod(self.with_margin))

    def transform(self, density: Tensor) -> Tensor:
        """Return the Fourier transform (S, n₁, n₂, n₃) of values on all points."""
        density = density.view(self.with_margin)
        margin = self.order - 1
        for axis, steps in enumerate(self.size, start=1):
            density.narrow(axis, 0, margin).add_(density.narrow(axis, steps, margin))
        (x, y, z), (n_first, n_second, n_third) = self.size, self.n_waves
        if x * y * z <= _MOST_AT_ONCE:
            found = torch.fft.rfftn(density[:, :x, :y, :z], dim=(1, 2, 3))[..., :n_third]
            return _shortest(_shortest(found, 2, n_second), 1, n_first)
        shape = self.n_structures, x, n_second, n_third
        planes = density.new_empty(shape, dtype=torch.complex128)
        for block in _slices(x, y * z):
            lines = torch.fft.rfft(density[:, block, :y, :z])[..., :n_third]
            planes[:, block] = _shortest(torch.fft.fft(lines, dim=2), 2, n_second)
        del density
        factors = planes.new_empty(self.n_structures, *self.n_waves)
        for block in _slices(n_second, x * n_third):
            turned = torch.fft.fft(planes[:, :, block], dim=1)
            factors[:, :, block] = _shortest(turned, 1, n_first)
        return factors

    def transform_back(self, factors: Tensor) -> Tensor:
        """Return twice the real part of the sum over half of the wave vectors, on all points.

        Parameters
        ----------
        factors : Tensor, shape (S, n₁, n₂, n₃)
            Overwritten.
        """
        factors[..., 0] *= 2
        (x, y, z), (n_first, n_second, n_third) = self.size, self.n_waves
        padded = factors.real.new_empty(self.with_margin)
        if x * y * z <= _MOST_AT_ONCE:
            waves = factors.new_zeros(self.n_structures, x, y, z // 2 + 1)
            for first, of_first in _ends(n_first, x):
                for second, of_second in _ends(n_second, y):
                    waves[:, of_first, of_second, :n_third] = factors[:, first, second]
            padded[:, :x, :y, :z] = torch.fft.irfftn(
                waves, s=(x, y, z), dim=(1, 2, 3), norm="forward"
            )
            return self._with_far_faces(padded)
        planes = factors.new_empty(self.n_structures, x, n_second, n_third)
        for block in _slices(n_second, x * n_third):
            waves = _with_zeros(factors[:, :, block], 1, x)
            planes[:, :, block] = torch.fft.ifft(waves, dim=1, norm="forward")
        del factors
        for block in _slices(x, y * z):
            waves = _with_zeros(planes[:, block], 2, y)
            lines = torch.fft.ifft(waves, dim=2, norm="forward")
            padded[:, block, :y, :z] = torch.fft.irfft(lines, z, norm="forward")
        return self._with_far_faces(padded)

    def _with_far_faces(self, padded: Tensor) -> Tensor:
        """Return values on all points after the margins have been filled in, flat."""
        margin = self.order - 1
        for axis, steps in enumerate(self.size, start=1):
            padded.narrow(axis, steps, margin).copy_(padded.narrow(axis, 0, margin))
        return padded.flatten()


def _slices(length: int, numbers: int) -> list[slice]:
    """Return blocks of an axis for tensors of some numbers per row that fit into the cache."""
    step = max(_BLOCK // numbers, 1)
    return [slice(start, min(start + step, length)) for start in range(0, length, step)]


def _shortest(factors: Tensor, axis: int, n_waves: int) -> Tensor:
    """Return the shortest wave vectors along an axis, an odd number, or all."""
    steps = factors.shape[axis]
    if n_waves == steps:
        return factors
    ends = [factors.narrow(axis, at.start, at.stop - at.start) for _, at in _ends(n_waves, steps)]
    return torch.cat(ends, dim=axis)


def _with_zeros(factors: Tensor, axis: int, steps: int) -> Tensor:
    """Return all wave vectors along an axis, with zeros for those that `_shortest` left out."""
    n_waves, bound = factors.shape[axis], factors.shape[axis] // 2
    if n_waves == steps:
        return factors
    shape = list(factors.shape)
    shape[axis] = steps - n_waves
    ends = factors.narrow(axis, 0, bound + 1), factors.narrow(axis, bound + 1, bound)
    return torch.cat([ends[0], factors.new_zeros(shape), ends[1]], dim=axis)


def _ends(n_waves: int, steps: int) -> list[tuple[slice, slice]]:
    """Return where both ends of the shortest wave vectors are among these and among all."""
    if n_waves == steps:
        return [(slice(0, steps), slice(0, steps))]
    bound = n_waves // 2
    return [
        (slice(0, bound + 1), slice(0, bound + 1)),
        (slice(bound + 1, n_waves), slice(steps - bound, steps)),
    ]
