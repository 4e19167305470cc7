r"""Radial functions for inference: evaluated exactly, or read from a table.

Between the points of a table :math:`r_n = n h` functions are cubic polynomials with the exact
values and slopes at both ends,

.. math::
    f(r) = (1 + 2t)(1 - t)^2 f_n + t (1 - t)^2 h f'_n + t^2 (3 - 2t) f_{n+1}
           - t^2 (1 - t) h f'_{n+1}, \qquad t = r/h - n

and slopes are the derivatives of these, so that forces remain those of the energy. The error is
:math:`h^4 f^{(4)}/384`, below single precision.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from ase_les.representation.mace.radial import RadialFunctions

# Intervals of a table.
_INTERVALS = 1024


class Radial(Protocol):
    """Radial functions (n, K, width) of distances (n, K) in Å."""

    def __call__(self, distances: Tensor) -> Tensor:
        """Return the values."""

    def value_and_slope(self, distances: Tensor) -> tuple[Tensor, Tensor]:
        """Return the values and their derivatives with respect to the distance."""


class ExactRadial:
    """The functions of a radial network, times the weights of its last layer if there are any.

    Parameters
    ----------
    functions : RadialFunctions
    weights : Tensor or None
        Shape (n_hidden, …).
    """

    def __init__(self, functions: RadialFunctions, weights: Tensor | None = None):
        self._functions = functions
        self._weights = None if weights is None else weights.flatten(1)

    def __call__(self, distances: Tensor) -> Tensor:
        """Return values (n, K, width) at distances (n, K) in Å."""
        return self._last(self._functions(distances))

    def value_and_slope(self, distances: Tensor) -> tuple[Tensor, Tensor]:
        """Return values and slopes, (n, K, width) each."""
        value, slope = self._functions.value_and_slope(distances)
        return self._last(value), self._last(slope)

    def _last(self, values: Tensor) -> Tensor:
        if self._weights is None:
            return values.permute(1, 2, 0)
        return (values.flatten(1).T @ self._weights).view(*values.shape[1:], -1)


class RadialTable(nn.Module):
    """Functions read from a table of their values and slopes.

    Parameters
    ----------
    exact : ExactRadial
        In double precision.
    cutoff : float
        In Å; all functions are zero from there on.
    dtype : torch.dtype
        Of the result.
    """

    def __init__(self, exact: ExactRadial, cutoff: float, dtype: torch.dtype):
        super().__init__()
        self._step = cutoff / _INTERVALS
        points = torch.arange(_INTERVALS + 1, dtype=torch.float64) * self._step
        # The functions have a limit at 0, which their formula does not.
        points[0] = 1e-4 * self._step
        values, slopes = exact.value_and_slope(points[None])
        rows = torch.stack([values[0], self._step * slopes[0]], dim=1)
        rows[-1] = 0.0
        # One interval of zeros for all edges beyond the cutoff.
        rows = torch.cat([rows, torch.zeros_like(rows[:1])]).flatten(0, 1)
        self._rows: Tensor
        self._four: Tensor
        self.register_buffer("_rows", rows.to(dtype), persistent=False)
        self.register_buffer("_four", torch.arange(4), persistent=False)

    def forward(self, distances: Tensor) -> Tensor:
        """Return values (n, K, width) at distances (n, K) in Å."""
        index, t = self._place(distances)
        return self._read(index, _values(t), distances)

    def value_and_slope(self, distances: Tensor) -> tuple[Tensor, Tensor]:
        """Return values and slopes, (n, K, width) each."""
        index, t = self._place(distances)
        slopes = _slopes(t) / self._step
        return self._read(index, _values(t), distances), self._read(index, slopes, distances)

    def _place(self, distances: Tensor) -> tuple[Tensor, Tensor]:
        """Rows (n · K, 4) of both ends of each interval, and the position in it, 0 to 1."""
        scaled = (distances.flatten() / self._step).clamp(max=_INTERVALS)
        lower = scaled.floor()
        return 2 * lower.long()[:, None] + self._four, scaled - lower

    def _read(self, index: Tensor, weights: Tensor, distances: Tensor) -> Tensor:
        read = nn.functional.embedding_bag(
            index, self._rows, per_sample_weights=weights, mode="sum"
        )
        return read.view(*distances.shape, -1)


def _values(t: Tensor) -> Tensor:
    rest = 1 - t
    return torch.stack(
        [(1 + 2 * t) * rest * rest, t * rest * rest, t * t * (3 - 2 * t), -t * t * rest], dim=1
    )


def _slopes(t: Tensor) -> Tensor:
    rest = 1 - t
    return torch.stack([-6 * t * rest, rest * (1 - 3 * t), 6 * t * rest, t * (3 * t - 2)], dim=1)
