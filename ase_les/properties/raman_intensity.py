r"""Raman scattering of light far from resonance (Placzek), averaged over orientations.

The derivative :math:`\alpha' = \partial\alpha/\partial Q` of the polarizability along a
mass-weighted coordinate has two rotational invariants,

.. math::
    a' = \tfrac13 \operatorname{tr} \alpha', \qquad
    \gamma'^2 = \tfrac32 \operatorname{tr} \bigl[(\alpha' - a' 1)^2\bigr]

=======================================  ==============================  =======================
Quantity                                 Equation                        Code
=======================================  ==============================  =======================
activity (natural light, or VV + VH)     :math:`45 a'^2 + 7\gamma'^2`    ``activity`` (Å⁴/amu)
polarized part VV                        :math:`45 a'^2 + 4\gamma'^2`    ``polarized``
depolarized part VH                      :math:`3\gamma'^2`              ``depolarized``
depolarization ratio                     VH/VV                           ``depolarization``
=======================================  ==============================  =======================

The differential cross section of Stokes scattering through 90°, into both polarizations, is
(Gaussian units)

.. math::
    \frac{d\sigma}{d\Omega} = \frac{(2\pi)^4}{45} (\tilde\nu_0 - \tilde\nu)^4
        \frac{h}{8\pi^2 c\, \tilde\nu\, (1 - e^{-hc\tilde\nu/k_B T})}
        \bigl(45 a'^2 + 7\gamma'^2\bigr)

References
----------
.. [1] D. A. Long, The Raman Effect, Wiley (2002), chapter 5.
.. [2] J. Neugebauer, M. Reiher, C. Kind, B. A. Hess, J. Comput. Chem. 23, 895 (2002).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.constants import Boltzmann, Planck, atomic_mass, speed_of_light

#: Frequencies below this have no Stokes intensity: the factor diverges at zero, in 1/cm.
LOWEST_PER_CM = 1.0


@dataclass(frozen=True)
class Invariants:
    r"""Squares of the invariants of a Raman tensor, arrays of any equal shape.

    Parameters
    ----------
    isotropic : array
        :math:`a'^2`.
    anisotropic : array
        :math:`\gamma'^2`.
    """

    isotropic: np.ndarray
    anisotropic: np.ndarray

    @classmethod
    def of(cls, tensors: np.ndarray) -> Invariants:
        """Return the invariants of tensors (..., 3, 3)."""
        mean = np.trace(tensors, axis1=-2, axis2=-1) / 3
        traceless = tensors - mean[..., None, None] * np.eye(3)
        return cls(mean**2, 1.5 * (traceless**2).sum(axis=(-2, -1)))

    @property
    def activity(self) -> np.ndarray:
        """Raman activity."""
        return 45 * self.isotropic + 7 * self.anisotropic

    @property
    def polarized(self) -> np.ndarray:
        """Part scattered parallel to the polarization of the light (VV)."""
        return 45 * self.isotropic + 4 * self.anisotropic

    @property
    def depolarized(self) -> np.ndarray:
        """Part scattered perpendicular to it (VH)."""
        return 3 * self.anisotropic

    @property
    def depolarization(self) -> np.ndarray:
        """Depolarization ratio VH/VV, 0 to 3/4; nan where nothing is scattered."""
        polarized = np.asarray(self.polarized, dtype=float)
        safe = np.where(polarized > 0, polarized, np.nan)
        return np.asarray(self.depolarized) / safe


def cross_section_factor(
    wavenumbers_per_cm: np.ndarray,
    laser_nm: float,
    temperature_K: float,
    quantum: bool = True,
) -> np.ndarray:
    """Return differential cross sections per activity, in 1e-36 m²/sr per Å⁴/amu.

    Parameters
    ----------
    wavenumbers_per_cm : array
        Raman shifts; zero below `LOWEST_PER_CM` and above the laser.
    temperature_K : float
        0 for the ground state.
    quantum : bool
        Whether levels are occupied by the Bose distribution; False: classically.

    Raises
    ------
    ValueError
        If wave length or temperature is out of range.
    """
    if not 100 <= laser_nm <= 1e5:
        raise ValueError(f"`laser_nm` is the wave length of the light in nm, got {laser_nm}")
    if not temperature_K >= 0 or (temperature_K == 0 and not quantum):
        raise ValueError(f"`temperature_K` must be 0 or positive, got {temperature_K}")
    shift = np.asarray(wavenumbers_per_cm, dtype=float)
    laser_per_cm = 1e7 / laser_nm
    scattered = (shift > LOWEST_PER_CM) & (shift < laser_per_cm)
    per_m = 100 * np.where(scattered, shift, 1.0)
    occupation = np.ones_like(per_m)
    if temperature_K > 0:
        quanta = Planck * speed_of_light * per_m / (Boltzmann * temperature_K)
        occupation = 1 / -np.expm1(-quanta) if quantum else 1 / quanta
    # Å⁴/amu in m⁴/kg.
    activity = 1e-40 / atomic_mass
    factor = (2 * np.pi) ** 4 / 45 * (100 * laser_per_cm - per_m) ** 4
    factor = factor * Planck / (8 * np.pi**2 * speed_of_light * per_m) * occupation * activity
    return np.where(scattered, 1e36 * factor, 0.0)
