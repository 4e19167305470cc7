r"""Find maxima of infrared and Raman spectra, and correct them for the time step of dynamics.

Velocity Verlet with time step Δt shifts a line from ω to
:math:`(2/\Delta t) \arcsin(\omega\Delta t/2)`, by 15 1/cm at 3400 1/cm for 0.5 fs.
`without_verlet_shift` corrects this.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.constants import speed_of_light
from scipy.signal import find_peaks

from ase_les.properties.correlation import lag_window
from ase_les.properties.infrared_spectrum import InfraredSpectrum
from ase_les.properties.raman_spectrum import RamanSpectrum
from ase_les.statistics import Estimate, jackknife_error, without_each


@dataclass(frozen=True)
class Band:
    """A named range of wave numbers that contains one maximum."""

    name: str
    low_per_cm: float
    high_per_cm: float


#: Bands of liquid water at room temperature, in 1/cm.
#: Source: J. E. Bertie and Z. Lan, Appl. Spectrosc. 50, 1047 (1996); hydrogen-bond stretch
#: H. R. Zelsmann, J. Mol. Struct. 350, 95 (1995).
LIQUID_WATER = (
    Band("H-bond stretch", 180.0, 200.0),
    Band("libration", 600.0, 700.0),
    Band("bend", 1640.0, 1650.0),
    Band("O-H stretch", 3390.0, 3410.0),
)


@dataclass(frozen=True)
class Peak:
    """Maximum in a band with errors by jackknife over blocks; nan if the band has no maximum.

    Attributes
    ----------
    band : Band
    center_per_cm : Estimate
    height : Estimate
        In 1/cm (α n), or km/mol per 1/cm for a molecule.
    width_per_cm : Estimate
        Full width at half maximum; nan if the absorption does not fall to one half within the band.
    intensity_km_per_mol : Estimate
        Integral over the band, per molecule.
    """

    band: Band
    center_per_cm: Estimate
    height: Estimate
    width_per_cm: Estimate
    intensity_km_per_mol: Estimate


def peaks(spectrum: InfraredSpectrum, bands: Sequence[Band] = ()) -> tuple[Peak, ...]:
    """Find the maximum of each band, or all maxima that exceed the noise.

    Parameters
    ----------
    bands : sequence of Band
        By default, maxima with a prominence of more than three standard errors (see
        `relative_noise`) and 2 % of the highest absorption, each with the range between the
        adjacent minima.
    """
    heights = spectrum.molar_absorption_km_per_mol_cm
    errors = np.fmax(spectrum.molar_error_km_per_mol_cm, relative_noise(spectrum) * heights)
    found = bands or significant_bands(spectrum.wavenumber_per_cm, heights, errors)
    return tuple(
        _peak(spectrum, band)
        for band in found
        if np.count_nonzero(_inside(spectrum.wavenumber_per_cm, band)) >= 3
    )


def without_verlet_shift(
    wavenumber_per_cm: float | np.ndarray, md_timestep_fs: float
) -> float | np.ndarray:
    r"""Correct the frequency of a harmonic mode for the time step of velocity Verlet.

    .. math::
        \omega = \frac{2}{\Delta t} \sin \frac{\omega' \Delta t}{2}

    Parameters
    ----------
    wavenumber_per_cm : float or array
        :math:`\omega'/2\pi c` in the spectrum.
    md_timestep_fs : float
        Time step :math:`\Delta t` of the dynamics.
    """
    half_step = np.pi * 100 * speed_of_light * md_timestep_fs * 1e-15
    return np.sin(half_step * np.asarray(wavenumber_per_cm)) / half_step


def relative_noise(spectrum: InfraredSpectrum | RamanSpectrum) -> float:
    r"""Return the relative standard error of the spectrum of three Gaussian components.

    .. math::
        \sqrt{\frac{1}{3 T} \int w^2(t)\,dt}

    with the window :math:`w` of the lags (both signs) and the length :math:`T` of the run.
    """
    weights = lag_window(spectrum.window, spectrum.resolution_per_cm, spectrum.timestep_fs)
    both_signs = 2 * float((weights**2).sum()) - float(weights[0] ** 2)
    return math.sqrt(both_signs * spectrum.timestep_fs / (3 * spectrum.length_fs))


def _inside(wavenumber: np.ndarray, band: Band) -> np.ndarray:
    return (wavenumber >= band.low_per_cm) & (wavenumber <= band.high_per_cm)


def significant_bands(x: np.ndarray, heights: np.ndarray, errors: np.ndarray) -> list[Band]:
    """Return ranges around maxima with a prominence above 2 % of the highest and three errors.

    Parameters
    ----------
    x, heights, errors : array, shape (n,)
        Wave numbers in 1/cm, spectrum and its standard error.
    """
    highest = heights.max(initial=0.0)
    if not highest > 0:
        return []
    top, shape = find_peaks(heights, prominence=0.02 * highest)
    top = top[shape["prominences"] >= 3 * errors[top]]
    if len(top) == 0:
        return []
    # Adjacent bands meet at the minimum between their peaks.
    between = [a + int(np.argmin(heights[a:b])) for a, b in pairwise(top)]
    edges = [0, *between, len(x) - 1]
    return [
        Band(f"{x[peak]:.0f}", float(x[left]), float(x[right]))
        for peak, left, right in zip(top, edges[:-1], edges[1:], strict=True)
    ]


def _peak(spectrum: InfraredSpectrum, band: Band) -> Peak:
    inside = _inside(spectrum.wavenumber_per_cm, band)
    x = spectrum.wavenumber_per_cm[inside]
    unit = 1.0 if spectrum.volume_A3 is None else spectrum._per_cm
    whole = np.array(_shape(x, spectrum.molar_absorption_km_per_mol_cm[inside]))
    left_out = without_each(spectrum.block_spectra[:, inside])
    errors = jackknife_error(np.array([_shape(x, each) for each in left_out]))
    center, height, width = (
        Estimate(*map(float, pair)) for pair in zip(whole, errors, strict=True)
    )
    return Peak(
        band,
        center,
        Estimate(height.mean * unit, height.standard_error * unit),
        width,
        spectrum.integrated_intensity_km_per_mol(band.low_per_cm, band.high_per_cm),
    )


def _shape(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Return center and height of the parabola through the top, and full width at half maximum."""
    top = int(np.argmax(y))
    if not 0 < top < len(x) - 1:
        return math.nan, math.nan, math.nan
    below, above = y[top] - y[top - 1], y[top] - y[top + 1]
    shift = 0.5 * (below - above) / (below + above) if below + above > 0 else 0.0
    center = x[top] + shift * (x[1] - x[0])
    height = y[top] + 0.25 * (below - above) * shift
    below_half = y < 0.5 * height
    left, right = np.flatnonzero(below_half[:top]), np.flatnonzero(below_half[top:])
    if len(left) == 0 or len(right) == 0:
        return float(center), float(height), math.nan
    i, j = left[-1], top + right[0]
    rising = np.interp(0.5 * height, y[i : i + 2], x[i : i + 2])
    falling = np.interp(0.5 * height, y[j - 1 : j + 1][::-1], x[j - 1 : j + 1][::-1])
    return float(center), float(height), float(falling - rising)
