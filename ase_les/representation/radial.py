"""Radial functions of an edge, and a smooth cutoff function."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def polynomial_cutoff(x: Tensor, p: int) -> Tensor:
    """Return the cutoff function f_c of `BesselBasis` at x = r/r_c: 1 at 0, and 0 for x ≥ 1."""
    inside = 1 - x**p * ((p + 1) * (p + 2) / 2 - x * (p * (p + 2) - x * (p * (p + 1) / 2)))
    return torch.where(x < 1, inside, 0.0)


class BesselBasis(nn.Module):
    r"""Spherical Bessel functions times a polynomial cutoff.

    .. math::
        R_n(r) = \sqrt{\frac{2}{r_c}} \frac{\sin(\omega_n r)}{r} f_c(r), \qquad
        f_c = 1 - \tfrac{(p+1)(p+2)}{2} x^p + p(p+2) x^{p+1} - \tfrac{p(p+1)}{2} x^{p+2},
        \quad x = r / r_c

    and zero beyond :math:`r_c`.

    =================  ====================================================
    Symbol             Code
    =================  ====================================================
    :math:`\omega_n`   ``frequencies`` (1/Å), start at :math:`n\pi/r_c`
    :math:`r_c`        ``cutoff`` (Å)
    :math:`p`          ``exponent``
    =================  ====================================================

    Parameters
    ----------
    n_radial : int
        Number of functions.
    cutoff : float
        In Å.
    exponent : int
        Order to which the cutoff function is flat at r = 0; at least 2.
    trainable : bool
        Whether the frequencies are parameters or constants.

    References
    ----------
    .. [1] J. Gasteiger, J. Groß, S. Günnemann, ICLR (2020), arXiv 2003.03123.
    """

    def __init__(self, n_radial: int, cutoff: float, exponent: int, trainable: bool):
        super().__init__()
        self.cutoff = float(cutoff)
        self.exponent = int(exponent)
        frequencies = torch.arange(1, n_radial + 1, dtype=torch.get_default_dtype())
        self.frequencies = nn.Parameter(frequencies * math.pi / self.cutoff, trainable)

    def forward(self, distances: Tensor) -> Tensor:
        """Values at distances of any shape in Å; functions are the first axis, (n_radial, ...)."""
        frequencies = self.frequencies.view(-1, *[1] * distances.dim())
        envelope = math.sqrt(2 / self.cutoff) * self.envelope(distances) / distances
        return torch.sin(frequencies * distances) * envelope

    def envelope(self, distances: Tensor) -> Tensor:
        """Return the cutoff function, 1 at r = 0 and 0 beyond the cutoff."""
        return polynomial_cutoff(distances / self.cutoff, self.exponent)

    def value_and_slope(self, distances: Tensor) -> tuple[Tensor, Tensor]:
        """Values and their derivatives with respect to the distance, without autograd."""
        envelope, envelope_slope = self.envelope_and_slope(distances)
        return self._value_and_slope(distances, envelope, envelope_slope)

    def without_cutoff(self, distances: Tensor) -> Tensor:
        """Values without the cutoff function, (n_radial, ...)."""
        frequencies = self.frequencies.view(-1, *[1] * distances.dim())
        return torch.sin(frequencies * distances) * (math.sqrt(2 / self.cutoff) / distances)

    def without_cutoff_value_and_slope(self, distances: Tensor) -> tuple[Tensor, Tensor]:
        """Values without the cutoff function and their derivatives, without autograd."""
        constant = torch.ones_like(distances)
        return self._value_and_slope(distances, constant, torch.zeros_like(distances))

    def envelope_and_slope(self, distances: Tensor) -> tuple[Tensor, Tensor]:
        """Return the cutoff function and its derivative with respect to the distance."""
        p = self.exponent
        x = distances / self.cutoff
        x_p = x ** (p - 1)
        inside = x < 1
        curve = 1 - x_p * x * ((p + 1) * (p + 2) / 2 - x * (p * (p + 2) - x * (p * (p + 1) / 2)))
        curve_slope = -(p * (p + 1) * (p + 2) / (2 * self.cutoff)) * x_p * (1 - x) ** 2
        return torch.where(inside, curve, 0.0), torch.where(inside, curve_slope, 0.0)

    def _value_and_slope(
        self, distances: Tensor, envelope: Tensor, envelope_slope: Tensor
    ) -> tuple[Tensor, Tensor]:
        norm = math.sqrt(2 / self.cutoff)
        envelope = norm * envelope / distances
        envelope_slope = (norm * envelope_slope - envelope) / distances
        frequencies = self.frequencies.view(-1, *[1] * distances.dim())
        argument = frequencies * distances
        sine = torch.sin(argument)
        slope = torch.cos(argument).mul_(frequencies).mul_(envelope)
        slope.addcmul_(sine, envelope_slope)
        return sine.mul_(envelope), slope
