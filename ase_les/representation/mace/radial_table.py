r"""Radial functions for inference: evaluated exactly, or read from a table.

Between the points of a table :math:`r_n = n h` functions are cubic polynomials with the exact
values and slopes at both ends,

.. math::
    f(r) = (1 + 2t)(1 - t)^2 f_n + t (1 - t)^2 h f'_n + t^2 (3 - 2t) f_{n+1}
           - t^2 (1 - t) h f'_{n+1}, \qquad t = r/h - n

and slopes are their derivatives, so that forces remain consistent with the energy. The error is
:math:`h^4 f^{(4)}/384`, below single precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from ase_les.representation.mace.radial import RadialFunctions

# Number of intervals in a table.
_INTERVALS = 1024


class Radial(Protocol):
    """Radial functions of distances (n, K) in Å: one array (n, K, width) per path."""

    def __call__(self, distances: Tensor) -> Sequence[Tensor]:
        """Return the values."""

    def value_and_slope(self, distances: Tensor) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        """Return the values and their derivatives with respect to the distance."""

    def of(self, atoms: Tensor, width: int) -> Radial:
        """Return the functions for distances of some atoms and the first slots."""


class ExactRadial:
    """The functions of a radial network, times the weights of its last layer if there are any.

    Parameters
    ----------
    weights : Tensor or None
        Shape (n_hidden, paths, C).
    """

    def __init__(self, functions: RadialFunctions, weights: Tensor | None = None):
        self._functions = functions
        self._weights = weights

    def __call__(self, distances: Tensor) -> Sequence[Tensor]:
        """Return values (n, K, width) at distances (n, K) in Å."""
        return self._last(self._functions(distances))

    def value_and_slope(self, distances: Tensor) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        """Return values and slopes, (n, K, width) each."""
        value, slope = self._functions.value_and_slope(distances)
        return self._last(value), self._last(slope)

    def of(self, atoms: Tensor, width: int) -> ExactRadial:
        """Return the functions for distances of some atoms and the first slots."""
        scales = self._functions.scales
        if scales is None:
            return self
        return ExactRadial(self._functions._replace(scales=scales[atoms, :width]), self._weights)

    def _last(self, values: Tensor) -> Sequence[Tensor]:
        if self._weights is None:
            return [values.permute(1, 2, 0)]
        shape, rows = values.shape[1:], values.flatten(1).T
        return [(rows @ weight).view(*shape, -1) for weight in self._weights.unbind(1)]


class RadialTable(nn.Module):
    """Functions interpolated from a table of values and slopes.

    Parameters
    ----------
    exact : ExactRadial
        In double precision.
    cutoff : float
        Cutoff in Å, beyond which all functions are zero.
    dtype : torch.dtype
        Of the result.
    """

    def __init__(self, exact: ExactRadial, cutoff: float, dtype: torch.dtype):
        super().__init__()
        self.step = cutoff / _INTERVALS
        points = torch.arange(_INTERVALS + 1, dtype=torch.float64) * self.step
        # The functions have a limit at 0, where their formula is undefined.
        points[0] = 1e-4 * self.step
        values, slopes = (torch.cat(list(part)) for part in exact.value_and_slope(points[None]))
        # (paths, points, value and slope, width)
        rows = torch.stack([values, self.step * slopes], dim=2)
        rows[:, -1] = 0.0
        # One interval of zeros for all edges beyond the cutoff.
        rows = torch.cat([rows, torch.zeros_like(rows[:, :1])], dim=1).flatten(1, 2)
        self._rows: Tensor
        self._four: Tensor
        self.register_buffer("_rows", rows.to(dtype), persistent=False)
        self.register_buffer("_four", torch.arange(4), persistent=False)

    @property
    def rows(self) -> Tensor:
        """Values, and slopes times the step, of all points: (2 n_points, paths, width)."""
        return self._rows.transpose(0, 1)

    def forward(self, distances: Tensor) -> Sequence[Tensor]:
        """Return values (n, K, width) of every path at distances (n, K) in Å."""
        index, t = self._place(distances)
        return self._read(index, _values(t), distances)

    def value_and_slope(self, distances: Tensor) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        """Return values and slopes, (n, K, width) each, of every path."""
        index, t = self._place(distances)
        slopes = _slopes(t) / self.step
        return self._read(index, _values(t), distances), self._read(index, slopes, distances)

    def of(self, atoms: Tensor, width: int) -> RadialTable:
        """Return the functions themselves: they do not depend on the atoms."""
        return self

    def _place(self, distances: Tensor) -> tuple[Tensor, Tensor]:
        """Rows (n · K, 4) of both ends of each interval, and the position in it, 0 to 1."""
        scaled = (distances.flatten() / self.step).clamp(max=_INTERVALS)
        lower = scaled.floor()
        return 2 * lower.long()[:, None] + self._four, scaled - lower

    def _read(self, index: Tensor, weights: Tensor, distances: Tensor) -> Sequence[Tensor]:
        return [
            nn.functional.embedding_bag(index, rows, per_sample_weights=weights, mode="sum").view(
                *distances.shape, -1
            )
            for rows in self._rows
        ]


def _values(t: Tensor) -> Tensor:
    rest = 1 - t
    return torch.stack(
        [(1 + 2 * t) * rest * rest, t * rest * rest, t * t * (3 - 2 * t), -t * t * rest], dim=1
    )


def _slopes(t: Tensor) -> Tensor:
    rest = 1 - t
    return torch.stack([-6 * t * rest, rest * (1 - 3 * t), 6 * t * rest, t * (3 * t - 2)], dim=1)
