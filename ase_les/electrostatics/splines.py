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


def polynomials(coefficients: Tensor, places: Tensor) -> Tensor:
    """Polynomials with coefficients (power, m) at places (...): (..., m)."""
    places = places[..., None]
    values = coefficients[-1].expand(*places.shape[:-1], -1)
    for row in reversed(coefficients[:-1]):
        values = torch.addcmul(row, values, places)
    return values
