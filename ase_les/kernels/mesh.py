"""Spread charges to the mesh and gather potentials at atoms, with the fused kernels.

One entry per structure of a batch; `ase_les.electrostatics.particle_mesh` transforms the mesh.
"""

from __future__ import annotations

import math
from ctypes import c_int64
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ase_les.kernels.library import Kernels, MeshArguments, pointer

_PAD = 8


def spread(
    kernels: Kernels,
    size: tuple[int, int, int],
    spline: np.ndarray,
    fractional: Tensor,
    charges: Tensor,
) -> list[Tensor]:
    """Return the density of every channel on all points of the mesh, margins included.

    Parameters
    ----------
    kernels : Kernels
    size : tuple of int
        Steps along the lattice vectors.
    spline : array of shape (order, order)
        Coefficients [power, point] of the shares of an atom.
    fractional : Tensor, shape (S, N, 3)
    charges : Tensor, shape (S, N, n_q)
    """
    n_structures, n_atoms, n_channels = charges.shape
    arguments, table = _arguments(size, len(spline), spline.tobytes())
    n_points = _n_points(size, len(spline))
    fractional, charges = fractional.contiguous(), charges.contiguous()
    densities = []
    for channel in range(n_channels):
        density = torch.zeros(n_structures, n_points, dtype=torch.float64)
        for structure in range(n_structures):
            kernels.call(
                "mesh_spread",
                torch.float64,
                arguments,
                n_atoms,
                pointer(fractional[structure]),
                pointer(charges[structure, :, channel]),
                n_channels,
                pointer(density[structure]),
            )
        densities.append(density.flatten())
    del table
    return densities


def gather(
    kernels: Kernels,
    size: tuple[int, int, int],
    spline: np.ndarray,
    fractional: Tensor,
    charges: Tensor,
    surfaces: list[Tensor],
) -> tuple[Tensor, Tensor]:
    """Interpolate surfaces on the mesh at the atoms, one surface per channel.

    Parameters
    ----------
    kernels, size, spline, fractional, charges
        As in `spread`.
    surfaces : list of Tensor
        Values on all points, margins included.

    Returns
    -------
    potentials : Tensor, shape (S, N, n_q)
    slopes : Tensor, shape (S, N, 3)
        Derivatives of Σ charge × potential by the fractional coordinates.
    """
    n_structures, n_atoms, n_channels = charges.shape
    arguments, table = _arguments(size, len(spline), spline.tobytes())
    fractional, charges = fractional.contiguous(), charges.contiguous()
    potentials, slopes = torch.empty_like(charges), torch.zeros_like(fractional)
    for channel, surface in enumerate(surfaces):
        values = surface.contiguous().view(n_structures, -1)
        for structure in range(n_structures):
            kernels.call(
                "mesh_gather",
                torch.float64,
                arguments,
                n_atoms,
                pointer(fractional[structure]),
                pointer(charges[structure, :, channel]),
                n_channels,
                pointer(values[structure]),
                pointer(potentials[structure, :, channel]),
                pointer(slopes[structure]),
            )
    del table
    return potentials, slopes


def _n_points(size: tuple[int, int, int], order: int) -> int:
    return math.prod(steps + order - 1 for steps in size)


@lru_cache(maxsize=16)
def _arguments(
    size: tuple[int, int, int], order: int, spline: bytes
) -> tuple[MeshArguments, np.ndarray]:
    """Return the arguments and the table they point to, which must outlive the calls."""
    table = np.zeros((order, _PAD))
    table[:, :order] = np.frombuffer(spline).reshape(order, order)
    return MeshArguments(order, (c_int64 * 3)(*size), table.ctypes.data), table
