r"""Raman spectrum from the polarizability of a molecular dynamics run.

.. math::
    R_X(\tilde\nu) = \frac{4 c\,\omega^2}{k_B T} \int_0^\infty \cos\omega t\,
        \langle \delta X(0)\, \delta X(t) \rangle\, dt, \qquad \omega = 2\pi c\tilde\nu

with the isotropic part :math:`\bar\alpha = \operatorname{tr}\alpha/3` and the anisotropic part
:math:`\beta = \alpha - \bar\alpha 1`,

.. math::
    a'^2(\tilde\nu) = R_{\bar\alpha}, \qquad
    \gamma'^2(\tilde\nu) = \tfrac32 \sum_{\beta\gamma} R_{\beta_{\beta\gamma}}

The integral of these *reduced* spectra over a band is the squared invariant of its modes, in
Å⁴/amu: they are directly comparable with harmonic activities (`ase_les.properties.raman_intensity`
), and independent of laser and temperature factors.

**Quantum correction.** The classical correlation function is multiplied by the harmonic factor
:math:`\beta\hbar\omega / (1 - e^{-\beta\hbar\omega})`, exact for harmonic motion. The reduced
spectrum multiplied by the cross section of a quantum oscillator is the same;
``quantum_correction="none"`` uses that of a classical oscillator. High modes of classical dynamics
have no zero-point motion: their anharmonic shifts are not corrected.

References
----------
.. [1] R. Ramírez, T. López-Ciudad, P. Kumar, D. Marx, J. Chem. Phys. 121, 3973 (2004).
.. [2] M. Thomas, M. Brehm, R. Fligg, P. Vöhringer, B. Kirchner, Phys. Chem. Chem. Phys. 15, 6608
   (2013).
.. [3] B. J. Berne, R. Pecora, Dynamic Light Scattering, Wiley (1976).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.constants import Boltzmann, atomic_mass, speed_of_light
from scipy.integrate import trapezoid

from ase_les.arguments import require_one_of
from ase_les.properties.correlation import LagTransform, autocorrelation, fitting_lag_window
from ase_les.properties.infrared_spectrum import check_spectrum_settings
from ase_les.properties.raman_intensity import Invariants, cross_section_factor
from ase_les.statistics import (
    Estimate,
    error_of_mean,
    fitting_blocks,
    in_blocks,
    jackknife_error,
    without_each,
)

PARTS = ("isotropic", "anisotropic", "VV", "VH", "total")


@dataclass(frozen=True)
class RamanSpectrum:
    """Raman spectrum with its statistical error.

    Attributes
    ----------
    wavenumber_per_cm : array, shape (n,)
    reduced : Invariants
        Reduced spectra (n,) of the squared invariants in Å⁴/amu per 1/cm, per molecule.
    blocks : Invariants
        The same (n_blocks, n) from each block of the run.
    molecules : int
        Number of molecules by which spectra are divided.
    temperature_K, timestep_fs, resolution_per_cm, laser_nm : float
    window, quantum_correction : str
    upto_per_cm : float
        Requested upper limit of the wave numbers.
    length_fs : float
        Length of the run.
    """

    wavenumber_per_cm: np.ndarray
    reduced: Invariants
    blocks: Invariants
    molecules: int
    temperature_K: float
    timestep_fs: float
    resolution_per_cm: float
    laser_nm: float
    window: str
    quantum_correction: str
    upto_per_cm: float
    length_fs: float

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return len(self.blocks.isotropic)

    def activity(self, part: str = "total") -> tuple[np.ndarray, np.ndarray]:
        r"""Return a reduced spectrum and its error in Å⁴/amu per 1/cm.

        Parameters
        ----------
        part : {"isotropic", "anisotropic", "VV", "VH", "total"}
            :math:`45a'^2`, :math:`7\gamma'^2`, or see `ase_les.properties.raman_intensity`.
        """
        return part_of(self.reduced, part), error_of_mean(part_of(self.blocks, part))

    def cross_section(self, part: str = "total") -> tuple[np.ndarray, np.ndarray]:
        """Return differential cross sections in 1e-36 m²/sr per 1/cm, and their errors."""
        factor = cross_section_factor(
            self.wavenumber_per_cm,
            self.laser_nm,
            self.temperature_K,
            quantum=self.quantum_correction == "harmonic",
        )
        value, error = self.activity(part)
        return factor * value, factor * error

    def integrated_activity(self, low: float, high: float, part: str = "total") -> Estimate:
        """Integral of a reduced spectrum between two wave numbers in Å⁴/amu."""
        inside = (self.wavenumber_per_cm >= low) & (self.wavenumber_per_cm <= high)
        x = self.wavenumber_per_cm[inside]
        mean = trapezoid(part_of(self.reduced, part)[inside], x)
        each = trapezoid(part_of(self.blocks, part)[:, inside], x, axis=1)
        return Estimate(float(mean), float(error_of_mean(each)))

    def depolarization(self, low: float, high: float) -> Estimate:
        """Return the depolarization ratio VH/VV of a band, error by leaving out blocks."""
        polarized, depolarized = (
            self.integrated_activity(low, high, part).mean for part in ("VV", "VH")
        )
        inside = (self.wavenumber_per_cm >= low) & (self.wavenumber_per_cm <= high)
        vv, vh = (part_of(self.blocks, part)[:, inside].sum(axis=1) for part in ("VV", "VH"))
        with np.errstate(invalid="ignore"):
            error = float(jackknife_error(without_each(vh) / without_each(vv)))
        return Estimate(depolarized / polarized if polarized > 0 else math.nan, error)


def part_of(invariants: Invariants, part: str) -> np.ndarray:
    """Return a part of Raman activities.

    Raises
    ------
    ValueError
        If the part is unknown.
    """
    parts = {
        "isotropic": 45 * invariants.isotropic,
        "anisotropic": 7 * invariants.anisotropic,
        "VV": invariants.polarized,
        "VH": invariants.depolarized,
        "total": invariants.activity,
    }
    require_one_of("part", part, PARTS)
    return parts[part]


def raman_from_polarizability(
    polarizability_A3: np.ndarray,
    timestep_fs: float,
    temperature_K: float,
    *,
    resolution_per_cm: float = 20.0,
    window: str = "gaussian",
    quantum_correction: str = "harmonic",
    laser_nm: float = 532.0,
    blocks: int = 10,
    molecules: int = 1,
    upto_per_cm: float = 5000.0,
) -> RamanSpectrum:
    """Compute the Raman spectrum from equally spaced polarizabilities.

    Parameters
    ----------
    polarizability_A3 : array, shape (n, 3, 3)
        Of a molecule, or of the cell of a bulk, in Å³.
    timestep_fs : float
        Time between samples in fs; 2 fs resolves 8300 1/cm.
    temperature_K : float
        Temperature of the run.
    resolution_per_cm, window, blocks, molecules, upto_per_cm
        See `ase_les.properties.infrared_spectrum.infrared_from_current`.
    quantum_correction : {"harmonic", "none"}
        See the module; reduced spectra do not depend on it.
    laser_nm : float
        Wave length of the light.

    Raises
    ------
    ValueError
        If the run is too short for the resolution, or an argument is invalid.
    """
    alpha = np.asarray(polarizability_A3, dtype=float)
    if alpha.ndim != 3 or alpha.shape[1:] != (3, 3):
        raise ValueError(f"polarizabilities must have the shape (n, 3, 3), got {alpha.shape}")
    check_spectrum_settings(alpha, "polarizability", temperature_K, quantum_correction, molecules)
    cross_section_factor(np.zeros(1), laser_nm, temperature_K)
    weights = fitting_lag_window(window, resolution_per_cm, timestep_fs, len(alpha))
    n_blocks = fitting_blocks(blocks, len(alpha), len(weights))
    transform = LagTransform(weights, timestep_fs, resolution_per_cm, upto_per_cm)
    # Å⁶ s⁻² s (cm/s) / J in Å⁴/amu cm.
    scale = 4 * 100 * speed_of_light * (2 * np.pi * transform.frequency_Hz) ** 2
    scale = scale * 1e-15 * atomic_mass * 1e-20 / (Boltzmann * temperature_K) / molecules

    def transformed(series: np.ndarray) -> np.ndarray:
        return scale * transform(autocorrelation(series, len(weights))).real

    def invariants(tensors: np.ndarray) -> Invariants:
        """Return reduced spectra of series (..., n, 3, 3)."""
        mean = np.trace(tensors, axis1=-2, axis2=-1)[..., None] / 3
        traceless = tensors - mean[..., None] * np.eye(3)
        return Invariants(
            transformed(mean), 1.5 * transformed(traceless.reshape(*traceless.shape[:-2], 9))
        )

    fluctuation = alpha - alpha.mean(axis=0)
    parts = in_blocks(fluctuation.reshape(len(alpha), 9), n_blocks)
    return RamanSpectrum(
        wavenumber_per_cm=transform.wavenumber_per_cm,
        reduced=invariants(fluctuation),
        blocks=invariants(parts.reshape(*parts.shape[:-1], 3, 3)),
        molecules=molecules,
        temperature_K=float(temperature_K),
        timestep_fs=float(timestep_fs),
        resolution_per_cm=float(resolution_per_cm),
        laser_nm=float(laser_nm),
        window=window,
        quantum_correction=quantum_correction,
        upto_per_cm=float(upto_per_cm),
        length_fs=len(alpha) * float(timestep_fs),
    )
