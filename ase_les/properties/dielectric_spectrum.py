"""Dielectric function from the correlation of dipole or current.

Equations: see `ase_les.properties.dielectric`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.constants import speed_of_light
from scipy.fft import fft, next_fast_len

from ase_les.properties.correlation import autocorrelation, fitting_lag_window
from ase_les.properties.dielectric_fluctuations import finite_vectors, fluctuation_prefactor
from ase_les.statistics import error_of_mean, fitting_blocks, in_blocks

POINTS_PER_RESOLUTION = 5


@dataclass(frozen=True)
class DielectricSpectrum:
    """Complex dielectric function with errors from block averages.

    Attributes
    ----------
    wavenumber_per_cm : array, shape (n,)
        Starting from the resolution, since lower wave numbers are not resolved.
    real, loss, real_error, loss_error : array, shape (n,)
    source : {"current", "dipole"}
    resolution_per_cm : float
    n_blocks : int
    """

    wavenumber_per_cm: np.ndarray
    real: np.ndarray
    loss: np.ndarray
    real_error: np.ndarray
    loss_error: np.ndarray
    source: str
    resolution_per_cm: float
    n_blocks: int


def dielectric_from_dipole(
    dipole_eA: np.ndarray,
    timestep_fs: float,
    volume_A3: float,
    temperature_K: float,
    *,
    epsilon_infinity: float = 1.0,
    resolution_per_cm: float = 5.0,
    window: str = "gaussian",
    blocks: int = 10,
    upto_per_cm: float = 5000.0,
) -> DielectricSpectrum:
    """Compute the dielectric function from the dipole, more accurate at low frequencies.

    Parameters
    ----------
    dipole_eA : array, shape (n, 3)
        Physical dipole in e Å.
    timestep_fs, volume_A3, temperature_K, epsilon_infinity
        See `static_dielectric`.
    resolution_per_cm, window, blocks, upto_per_cm
        See `infrared_from_current`.
    """
    dipole = finite_vectors(dipole_eA, "dipole")
    weights = fitting_lag_window(window, resolution_per_cm, timestep_fs, len(dipole))
    # The derivative of the correlation and its window are evaluated midway between lags.
    between = 0.5 * (weights[:-1] + weights[1:])
    lags_fs = (np.arange(len(between)) + 0.5) * timestep_fs

    def steps(series: np.ndarray) -> np.ndarray:
        return -np.diff(autocorrelation(series, len(weights)), axis=-1) * between

    dipole = dipole - dipole.mean(axis=0)
    prefactor = fluctuation_prefactor(volume_A3, temperature_K) / 3
    return _spectrum(
        steps,
        dipole,
        lambda frequency_Hz: np.full(len(frequency_Hz), prefactor, dtype=complex),
        lags_fs,
        timestep_fs,
        epsilon_infinity,
        resolution_per_cm,
        fitting_blocks(blocks, len(dipole), len(weights)),
        upto_per_cm,
        "dipole",
    )


def dielectric_from_current(
    current_eA_per_fs: np.ndarray,
    timestep_fs: float,
    volume_A3: float,
    temperature_K: float,
    *,
    epsilon_infinity: float = 1.0,
    resolution_per_cm: float = 5.0,
    window: str = "gaussian",
    blocks: int = 10,
    upto_per_cm: float = 5000.0,
) -> DielectricSpectrum:
    """Compute the dielectric function from the current, more accurate for vibrations.

    Parameters
    ----------
    current_eA_per_fs : array, shape (n, 3)
        Physical current in e Å/fs.
    timestep_fs, volume_A3, temperature_K, epsilon_infinity
        See `static_dielectric`.
    resolution_per_cm, window, blocks, upto_per_cm
        See `infrared_from_current`.
    """
    current = finite_vectors(current_eA_per_fs, "current")
    weights = fitting_lag_window(window, resolution_per_cm, timestep_fs, len(current))
    trapezoid = weights * timestep_fs
    trapezoid[0] *= 0.5
    prefactor = fluctuation_prefactor(volume_A3, temperature_K) / 3
    return _spectrum(
        lambda series: autocorrelation(series, len(weights)) * trapezoid,
        current,
        lambda frequency_Hz: 1j * prefactor / (2e-15 * np.pi * frequency_Hz),
        np.arange(len(weights)) * timestep_fs,
        timestep_fs,
        epsilon_infinity,
        resolution_per_cm,
        fitting_blocks(blocks, len(current), len(weights)),
        upto_per_cm,
        "current",
    )


def _spectrum(
    terms: Callable[[np.ndarray], np.ndarray],
    series: np.ndarray,
    prefactor: Callable[[np.ndarray], np.ndarray],
    lags_fs: np.ndarray,
    timestep_fs: float,
    epsilon_infinity: float,
    resolution_per_cm: float,
    n_blocks: int,
    upto_per_cm: float,
    source: str,
) -> DielectricSpectrum:
    """Return ε∞ + prefactor(ω) Σ terms(t) exp(iωt), with errors from blocks of the series."""
    per_point = resolution_per_cm / POINTS_PER_RESOLUTION
    size = math.ceil(1e13 / (speed_of_light * per_point * timestep_fs))
    size = next_fast_len(max(size, 2 * len(lags_fs)))
    frequency_Hz = np.arange(size // 2 + 1) / (size * timestep_fs * 1e-15)
    wavenumber = frequency_Hz / (100 * speed_of_light)
    kept = (wavenumber >= resolution_per_cm) & (wavenumber <= upto_per_cm)
    frequency_Hz = frequency_Hz[kept]
    # The transform starts at lag zero; the first term may lie half a step later.
    phase_factor = np.exp(2j * np.pi * frequency_Hz * lags_fs[0] * 1e-15)

    def function(part: np.ndarray) -> np.ndarray:
        # The transform has exp(−iωt); of real terms, its conjugate has exp(iωt).
        transformed = fft(terms(part), size)[..., : size // 2 + 1][..., kept].conj()
        return epsilon_infinity + prefactor(frequency_Hz) * phase_factor * transformed

    whole = function(series)
    parts = function(in_blocks(series, n_blocks))
    return DielectricSpectrum(
        wavenumber_per_cm=wavenumber[kept],
        real=whole.real,
        loss=whole.imag,
        real_error=error_of_mean(parts.real),
        loss_error=error_of_mean(parts.imag),
        source=source,
        resolution_per_cm=float(resolution_per_cm),
        n_blocks=n_blocks,
    )
