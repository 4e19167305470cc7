r"""Time correlation of equally spaced vector series by fast Fourier transform.

.. math::
    C(t) = \langle \mathbf{A}(0) \cdot \mathbf{A}(t) \rangle

The sum over time origins is divided by their number at each lag, which makes the estimate
unbiased.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.constants import speed_of_light
from scipy.fft import irfft, next_fast_len, rfft

from ase_les.arguments import require_one_of, require_positive

WINDOWS = ("gaussian", "hann")
#: Length of a Gaussian window in standard deviations.
GAUSSIAN_REACH = 4.0
#: Points of a spectrum per resolution width.
POINTS_PER_RESOLUTION = 10


def autocorrelation(series: np.ndarray, n_lags: int) -> np.ndarray:
    """Return the autocorrelation summed over the components of a vector.

    Parameters
    ----------
    series : array, shape (..., n, d)
        n equally spaced samples of a vector of d components; leading axes are kept.
    n_lags : int
        Lags 0, 1, ... ``n_lags - 1`` are returned; at most n.

    Returns
    -------
    array, shape (..., n_lags)
    """
    return symmetric_correlation(series, series, n_lags)


def symmetric_correlation(first: np.ndarray, second: np.ndarray, n_lags: int) -> np.ndarray:
    r"""Return the symmetric correlation of two vector series.

    .. math::
        C(t) = \tfrac12 \langle \mathbf{A}(0)\cdot\mathbf{B}(t)
               + \mathbf{A}(t)\cdot\mathbf{B}(0) \rangle

    Linear in either series: the correlations of parts with the whole add up to that of the whole.

    Parameters
    ----------
    first, second : array, shape (..., n, d)
        Equally spaced samples; leading axes are broadcast.
    n_lags : int
        See `autocorrelation`.

    Returns
    -------
    array, shape (..., n_lags)
    """
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    n = first.shape[-2]
    if not 1 <= n_lags <= n:
        raise ValueError(f"`n_lags` must lie between 1 and the number of samples {n}, got {n_lags}")
    # Zero padding prevents correlation of the end with the beginning.
    size = next_fast_len(n + n_lags - 1, real=True)
    one = rfft(first, size, axis=-2)
    other = one if second is first else rfft(second, size, axis=-2)
    power = (one.real * other.real + one.imag * other.imag).sum(axis=-1)
    return irfft(power, size)[..., :n_lags] / (n - np.arange(n_lags))


def mean_squared_displacement(positions: np.ndarray, n_lags: int) -> np.ndarray:
    r"""Return the mean squared displacement of each particle, averaged over time origins.

    .. math::
        \langle |\mathbf{r}(t) - \mathbf{r}(0)|^2 \rangle
            = \langle r^2(0) + r^2(t) \rangle - 2 \langle \mathbf{r}(0)\cdot\mathbf{r}(t) \rangle

    Parameters
    ----------
    positions : array, shape (..., n, d)
        Unwrapped, equally spaced in time.
    n_lags : int
        Number of lags, including zero.

    Returns
    -------
    array, shape (..., n_lags)
    """
    positions = np.asarray(positions, dtype=float)
    # Reduces cancellation errors in the difference below.
    positions = positions - positions.mean(axis=-2, keepdims=True)
    n = positions.shape[-2]
    correlation = autocorrelation(positions, n_lags)
    squares = (positions**2).sum(axis=-1)
    zero = np.zeros((*squares.shape[:-1], 1))
    cumulative = np.concatenate([zero, squares.cumsum(axis=-1)], axis=-1)
    lags = np.arange(n_lags)
    end_squares = cumulative[..., n - lags] + cumulative[..., [n]] - cumulative[..., lags]
    displacement = end_squares / (n - lags) - 2 * correlation
    displacement[..., 0] = 0.0
    return displacement


def lag_window(window: str, resolution_per_cm: float, timestep_fs: float) -> np.ndarray:
    r"""Return the weights of the lags 0, 1, ... for a spectral resolution.

    Multiplying a correlation function with a window convolves its spectrum with the transform of
    the window; the resolution is the full width at half maximum of this line.

    =========  =================================  ======================================
    Window     Weight                             Length
    =========  =================================  ======================================
    gaussian   :math:`e^{-t^2/2\tau^2}`           :math:`4\tau`, :math:`\tau =
                                                  \sqrt{2\ln 2}/(\pi c\,\Delta\tilde\nu)`
    hann       :math:`(1 + \cos(\pi t/T))/2`      :math:`T = 1/(c\,\Delta\tilde\nu)`
    =========  =================================  ======================================

    The Gaussian has no side lobes; side lobes of the Hann window reach −2.7 % of the line, but its
    lags are only two thirds as long.

    Parameters
    ----------
    resolution_per_cm : float
        Full width at half maximum in 1/cm.
    timestep_fs : float
        Time between samples in fs.

    Returns
    -------
    array, shape (n_lags,)
    """
    require_one_of("window", window, WINDOWS)
    require_positive("resolution_per_cm", resolution_per_cm)
    require_positive("timestep_fs", timestep_fs)
    resolution_Hz = 100.0 * speed_of_light * resolution_per_cm
    if window == "hann":
        length_fs = 1e15 / resolution_Hz
        lags = np.arange(max(math.ceil(length_fs / timestep_fs), 2)) * timestep_fs
        return 0.5 * (1 + np.cos(np.pi * np.minimum(lags / length_fs, 1.0)))
    width = 1e15 * math.sqrt(2 * math.log(2)) / (math.pi * resolution_Hz)
    lags = np.arange(max(math.ceil(GAUSSIAN_REACH * width / timestep_fs), 2)) * timestep_fs
    return np.exp(-0.5 * (lags / width) ** 2)


def fitting_lag_window(
    window: str, resolution_per_cm: float, timestep_fs: float, n_samples: int
) -> np.ndarray:
    """Return `lag_window` for a series of `n_samples`."""
    weights = lag_window(window, resolution_per_cm, timestep_fs)
    if len(weights) > n_samples:
        needed, given = (each * timestep_fs * 1e-3 for each in (len(weights), n_samples))
        raise ValueError(
            f"a resolution of {resolution_per_cm:g} 1/cm needs {needed:.3g} ps, but the series has "
            f"{given:.3g} ps: use a resolution of "
            f"{math.ceil(resolution_per_cm * len(weights) / n_samples)} 1/cm or coarser, or run "
            "longer"
        )
    return weights


@dataclass(frozen=True)
class LagTransform:
    r"""Windowed one-sided Fourier transform of correlation functions.

    .. math::
        F(\omega) = \int_0^\infty w(t)\, C(t)\, e^{-i\omega t}\, dt

    by the trapezoidal rule, on a grid fine enough to show the line shape.

    Parameters
    ----------
    weights : array, shape (n_lags,)
        Window of the lags, see `lag_window`.
    upto_per_cm : float
        Upper limit of the wave numbers.
    """

    weights: np.ndarray
    timestep_fs: float
    resolution_per_cm: float
    upto_per_cm: float

    @property
    def _size(self) -> int:
        per_point = self.resolution_per_cm / POINTS_PER_RESOLUTION
        points = math.ceil(1e13 / (speed_of_light * per_point * self.timestep_fs))
        return int(next_fast_len(max(2 * len(self.weights), points), real=True))

    @property
    def _all_frequencies_Hz(self) -> np.ndarray:
        size = self._size
        return np.arange(size // 2 + 1) / (size * self.timestep_fs * 1e-15)

    @property
    def frequency_Hz(self) -> np.ndarray:
        """Frequencies (m,)."""
        every = self._all_frequencies_Hz
        return every[every / (100 * speed_of_light) <= self.upto_per_cm]

    @property
    def wavenumber_per_cm(self) -> np.ndarray:
        """Wave numbers (m,)."""
        return self.frequency_Hz / (100 * speed_of_light)

    def __call__(self, correlation: np.ndarray) -> np.ndarray:
        """Return the transforms (..., m) of correlations (..., n_lags), times fs."""
        weights = self.weights.copy()
        weights[0] *= 0.5
        return (
            self.timestep_fs
            * rfft(correlation * weights, self._size)[..., : len(self.frequency_Hz)]
        )


def uniform_timestep(time_fs: np.ndarray) -> float:
    """Return the spacing of equally spaced times in fs."""
    steps = np.diff(np.asarray(time_fs, dtype=float))
    if len(steps) == 0 or not steps[0] > 0 or not np.allclose(steps, steps.mean(), rtol=1e-6):
        raise ValueError(
            f"the series must be equally spaced in time, got {len(steps) + 1} samples"
            + (f" {steps.min():g} to {steps.max():g} fs apart" if len(steps) else "")
            + "; exclude the part before a gap (skip_ps)"
        )
    return float(steps.mean())


def spectrum_notes(timestep_fs: float, upto_per_cm: float, n_blocks: int) -> list[str]:
    """Return notes on a spectrum of samples that are too far apart, or of too few blocks."""
    notes = []
    nyquist = 1e13 / (2 * speed_of_light * timestep_fs)
    if nyquist < upto_per_cm:
        longest = math.floor(10 * timestep_fs * nyquist / upto_per_cm) / 10
        notes.append(
            f"recorded every {timestep_fs:g} fs: vibrations above {nyquist:.0f} 1/cm are aliased "
            f"into the spectrum; record at least every {longest:g} fs"
        )
    if n_blocks < 2:
        notes.append("the run is too short for an error band at this resolution")
    return notes
