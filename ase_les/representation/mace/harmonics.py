r"""Real spherical harmonics of an edge.

"Component" normalization: :math:`\sum_m Y_{lm}^2 = 2l + 1`. The polar axis is y and the components
of degree 1 are (x, y, z), the convention of the published files:

.. math::
    Y_{lm}(\hat{\mathbf{r}}) = N_{lm}\, \Pi_l^{|m|}(\hat y)
    \begin{cases}
        \mathrm{Re}\,(\hat z + i \hat x)^{m} & m \ge 0 \\
        \mathrm{Im}\,(\hat z + i \hat x)^{|m|} & m < 0
    \end{cases}, \qquad
    \Pi_l^m(t) = \frac{\mathrm{d}^m}{\mathrm{d}t^m} P_l(t)

with the Legendre polynomials :math:`P_l` and without Condon–Shortley phase.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from functools import cache

import torch
from numpy.polynomial import Legendre, Polynomial
from torch import Tensor, nn

from ase_les.representation.angular import Monomials, Triple, angular_indices

_Terms = dict[Triple, float]


def of_degree(l_max: int) -> list[slice]:
    """Components of each degree up to `l_max` in the order of `SphericalHarmonics`."""
    return [slice(degree**2, (degree + 1) ** 2) for degree in range(l_max + 1)]


class SphericalHarmonics(nn.Module):
    """Values of all real spherical harmonics up to degree `l_max`, by degree, then m = −l … l.

    Has the interface of `ase_les.representation.angular.Monomials`.
    """

    def __init__(self, l_max: int):
        super().__init__()
        self.l_max = l_max
        self.monomials = Monomials(l_max)
        self._lower = Monomials(max(l_max - 1, 0))
        #: Components of each degree.
        self.of_degree = of_degree(l_max)

    def forward(self, unit: Tensor) -> Tensor:
        """Values ((l_max + 1)², ...) for unit vectors (3, ...)."""
        return self._combine(self.monomials(unit))

    def push_forward(self, values: Tensor, rate: Tensor) -> Tensor:
        """Rate of change of the values when the unit vectors change at a rate (3, ...)."""
        return self._combine(self.monomials.push_forward(self._monomials_of(values), rate))

    def pull_back(self, values: Tensor, gradient: Tensor) -> Tensor:
        """Return the gradient with respect to unit vectors (3, ...) from that of the values."""
        by_monomials = self._combine(gradient, transposed=True)
        return self.monomials.pull_back(self._monomials_of(values), by_monomials)

    def gradient(self, unit: Tensor, gradient: Tensor) -> Tensor:
        """Return the same as `pull_back`, with fewer operations."""
        slopes = constants(slopes_as_monomials, self.l_max, like=unit)
        lower = self._lower(unit).flatten(1)
        by_axis = (slopes.flatten(0, 1) @ gradient.flatten(1)).view(3, *lower.shape)
        return (by_axis * lower).sum(1).view_as(unit)

    def _monomials_of(self, values: Tensor) -> Tensor:
        # The components of degree 1 are √3 times the unit vector.
        return self.monomials(values[1:4] / math.sqrt(3))

    def _combine(self, values: Tensor, transposed: bool = False) -> Tensor:
        matrix = constants(harmonics_as_monomials, self.l_max, like=values)
        matrix = matrix.T if transposed else matrix
        return (matrix @ values.flatten(1)).view(len(matrix), *values.shape[1:])


def constants(table: Callable[..., Tensor], *arguments: Hashable, like: Tensor) -> Tensor:
    """Return a table of constants in the precision and on the device of a tensor.

    Rounded from float64 each time, so that changes of precision do not degrade the constants.
    """
    return _converted(table, arguments, like.dtype, like.device)


@cache
def _converted(
    table: Callable[..., Tensor],
    arguments: tuple[Hashable, ...],
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    return table(*arguments).to(dtype=dtype, device=device)


@cache
def harmonics_as_monomials(l_max: int) -> Tensor:
    """Coefficients ((l_max + 1)², n_monomials) in the order of `angular_indices`; float64."""
    position = {triple: index for index, triple in enumerate(angular_indices(l_max))}
    matrix = torch.zeros((l_max + 1) ** 2, len(position), dtype=torch.float64)
    row = 0
    for degree in range(l_max + 1):
        for order in range(-degree, degree + 1):
            for triple, value in _harmonic(degree, order).items():
                matrix[row, position[triple]] += value
            row += 1
    return matrix


@cache
def slopes_as_monomials(l_max: int) -> Tensor:
    """Return derivatives of all harmonics: (3, monomials up to l_max − 1, (l_max + 1)²)."""
    lower = angular_indices(max(l_max - 1, 0))
    position = {triple: index for index, triple in enumerate(lower)}
    matrix = harmonics_as_monomials(l_max)
    result = torch.zeros(3, len(lower), (l_max + 1) ** 2, dtype=torch.float64)
    for column, triple in enumerate(angular_indices(l_max)):
        for axis in range(3):
            if triple[axis]:
                x, y, z = (power - (a == axis) for a, power in enumerate(triple))
                result[axis, position[x, y, z]] += triple[axis] * matrix[:, column]
    return result


def _harmonic(degree: int, order: int) -> _Terms:
    """Homogeneous polynomial of one harmonic on the unit sphere."""
    m = abs(order)
    scale = 2.0 * degree + 1.0
    if m:
        scale *= 2 * math.factorial(degree - m) / math.factorial(degree + m)
    polar = Legendre.basis(degree).convert(kind=Polynomial)
    polar = polar.deriv(m) if m else polar
    result: _Terms = {}
    for (z_power, x_power), turn in _azimuthal(m, imaginary=order < 0).items():
        for y_power, value in enumerate(polar.coef):
            # The missing degree is even: multiply by (x² + y² + z²)^n = 1.
            missing = degree - m - y_power
            if value == 0.0 or missing % 2:
                continue
            half = missing // 2
            for a in range(half + 1):
                for b in range(half - a + 1):
                    count = math.factorial(half) / (
                        math.factorial(a) * math.factorial(b) * math.factorial(half - a - b)
                    )
                    triple = (
                        x_power + 2 * a,
                        y_power + 2 * b,
                        z_power + 2 * (half - a - b),
                    )
                    term = math.sqrt(scale) * turn * value * count
                    result[triple] = result.get(triple, 0.0) + term
    return result


def _azimuthal(m: int, imaginary: bool) -> dict[tuple[int, int], float]:
    """Real or imaginary part of (z + i x)^m by powers of z and x."""
    parts: dict[tuple[int, int], float] = {}
    for power in range(m + 1):
        if power % 2 == imaginary:
            parts[m - power, power] = math.comb(m, power) * (-1.0) ** (power // 2)
    return parts
