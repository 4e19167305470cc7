r"""Transform of distances before the radial functions, by pairs of elements.

.. math::
    x(r) = \Big(1 + \frac{a s^q}{1 + s^{q - p}}\Big)^{-1}, \qquad
    s = \frac{r}{r_0}, \qquad r_0 = \frac{\ell_i + \ell_j}{2}

with covalent radii :math:`\ell`. It is used by many published models of all elements.

References
----------
Witt et al., J. Chem. Phys. 159, 164101 (2023), arXiv 2309.03161 (Agnesi transform).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Literal

import torch
from ase.data import atomic_numbers, covalent_radii
from torch import Tensor

from ase_les.configuration import Element, Interval, Positive, Unit, configuration

Exponent = Annotated[float, Interval(gt=0, le=20)]


@configuration
class AgnesiConfig:
    """Settings of the transform.

    Parameters
    ----------
    kind : str
        "agnesi".
    a : float
        Factor.
    q, p : float
        Powers of the distance at long and at short range.
    radii : mapping of str to float
        Covalent radii in Å that differ from ASE's, for example by the rounding of
        files in single precision.
    """

    kind: Literal["agnesi"] = "agnesi"
    a: Positive = 1.0805
    q: Exponent = 0.9183
    p: Exponent = 4.5791
    radii: Mapping[Element, Annotated[Positive, Unit("Å")]] = field(default_factory=dict)

    def covalent_radii(self) -> Tensor:
        """Return the radii in Å by atomic number; float64."""
        found = torch.tensor(covalent_radii, dtype=torch.float64)
        for symbol, radius in self.radii.items():
            found[atomic_numbers[symbol]] = radius
        return found

    def transform(self, distances: Tensor, scales: Tensor) -> Tensor:
        """Return x of distances and of their r₀, both in Å."""
        return 1 / (1 + self._ratio(distances / scales))

    def value_and_slope(self, distances: Tensor, scales: Tensor) -> tuple[Tensor, Tensor]:
        """Return x and its derivative with respect to the distance, without autograd."""
        s = distances / scales
        value, ratio = 1 / (1 + self._ratio(s)), s ** (self.q - self.p)
        power = self.q - (self.q - self.p) * ratio / (1 + ratio)
        # d ln u / d ln s is the power, and dx = −x² du = −x (1 − x) du/u.
        return value, -value * (1 - value) * power / distances

    def _ratio(self, s: Tensor) -> Tensor:
        return self.a * s**self.q / (1 + s ** (self.q - self.p))
