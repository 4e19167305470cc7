"""B-splines of a particle mesh as polynomials within a step."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor


def undo_splines(frequency: np.ndarray, order: int) -> np.ndarray:
    """Return W² / (Σ W²)² of one axis, the correction of |ρ(k)|² for the splines."""
    power = np.zeros_like(frequency)
    # Σ W² is the transform of the spline of twice the order at integers.
    for place, value in enumerate(spline_table(2 * order)[0], start=1 - order):
        power += value * np.cos(2 * np.pi * place * frequency)
    return np.sinc(frequency) ** (2 * order) / power**2


@lru_cache(maxsize=8)
def spline_table(order: int) -> np.ndarray:
    """Coefficients [power, m] of M_p(t + p - 1 - m), 0 ≤ t < 1: the share of the m-th point."""
    pieces = [np.polynomial.Polynomial([1.0])]
    for n in range(2, order + 1):
        t = np.polynomial.Polynomial([0.0, 1.0])
        none = np.polynomial.Polynomial([0.0])
        pieces = [
            ((t + j) * here + (n - j - t) * before) / (n - 1)
            for j, (here, before) in enumerate(zip([*pieces, none], [none, *pieces], strict=True))
        ]
    table = np.zeros((order, order))
    for column, piece in enumerate(reversed(pieces)):
        table[: len(piece.coef), column] = piece.coef
    return table


def spline_pieces(order: int, like: Tensor) -> Tensor:
    """Return `spline_table` in the precision and on the device of a tensor."""
    return torch.from_numpy(spline_table(order)).to(like)


def derivatives(pieces: Tensor) -> Tensor:
    """Return the coefficients of the derivatives of polynomials (power, m)."""
    return pieces[1:] * torch.arange(1, len(pieces)).to(pieces)[:, None]


def polynomials(coefficients: Tensor, places: Tensor) -> Tensor:
    """Polynomials with coefficients (power, m) at places (...): (..., m)."""
    places = places[..., None]
    values = coefficients[-1].expand(*places.shape[:-1], -1)
    for row in reversed(coefficients[:-1]):
        values = torch.addcmul(row, values, places)
    return values


def spline_products(splines: Tensor) -> Tensor:
    """Return the weights (A, p³) of the mesh points of each atom, from splines (A, 3, p)."""
    x, y, z = splines.unbind(1)
    return ((x[:, :, None] * y[:, None, :])[..., None] * z[:, None, None, :]).flatten(1)


def interpolate(seen: Tensor, spline: Tensor, tilt: Tensor) -> tuple[Tensor, Tensor]:
    """Interpolate values (A,) and slopes (A, 3) at atoms from their mesh points."""
    n_atoms, _, order = spline.shape
    along_z = torch.stack([spline[:, 2], tilt[:, 2]], dim=2)
    by_z = torch.bmm(seen.view(n_atoms, order * order, order), along_z)
    by_z = by_z.view(n_atoms, order, order, 2)
    along_y = torch.stack([spline[:, 1], tilt[:, 1]], dim=1)
    # (value, slope along z) summed along y, and the slope along y.
    lines = (by_z * spline[:, 1, None, :, None]).sum(2)
    tilted = (by_z[..., 0] * along_y[:, 1, None]).sum(2)
    x, dx = spline[:, 0], tilt[:, 0]
    value = (lines[..., 0] * x).sum(1)
    slopes = ((lines[..., 0] * dx).sum(1), (tilted * x).sum(1), (lines[..., 1] * x).sum(1))
    return value, torch.stack(slopes, dim=1)
