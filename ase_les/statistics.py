"""Means and standard errors of independent and of correlated samples."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

#: Smallest number of blocks whose spread still gives a reliable standard error.
MIN_BLOCKS = 16
#: Window of the correlation time, in correlation times.
WINDOW = 5.0
#: Number of independent samples from which an average is considered converged.
ENOUGH_SAMPLES = 10.0


@dataclass(frozen=True)
class Estimate:
    """A mean and its standard error, in the unit named by the field that holds it.

    Parameters
    ----------
    standard_error : float
        nan if there are too few samples for an estimate.
    """

    mean: float
    standard_error: float

    def __str__(self) -> str:
        return with_error(self.mean, self.standard_error)


def with_error(value: float, error: float) -> str:
    """Return a value with the digits that its error allows: ``78.1 ± 2.3``.

    The error has two significant digits. Values with an unknown error have three and are
    marked as such; values whose error is that of single precision or smaller have six.
    """
    if not math.isfinite(value):
        return f"{value}"
    if not math.isfinite(error):
        return f"{value:.3g} (error unknown)"
    if error <= 1e-7 * abs(value):
        return f"{value:.6g}"
    # Round the error first: 0.0996 becomes 0.10.
    decimals = 1 - math.floor(math.log10(float(f"{error:.1e}")))
    largest = max(abs(value), error)
    if 1e-3 <= largest < 1e7 and decimals >= 0:
        return f"{value:.{decimals}f} ± {error:.{decimals}f}"
    if 1e-3 <= largest < 1e7:
        return f"{round(value, decimals):.0f} ± {round(error, decimals):.0f}"
    exponent = math.floor(math.log10(largest))
    decimals = max(decimals + exponent, 0)
    scale = 10.0**exponent
    return f"({value / scale:.{decimals}f} ± {error / scale:.{decimals}f})e{exponent:+03d}"


def block_average(samples: np.ndarray, min_blocks: int = MIN_BLOCKS) -> Estimate:
    """Return the mean of a correlated series and its standard error from block averages.

    Parameters
    ----------
    samples : array, shape (n,)
        Equally spaced in time.
    min_blocks : int
        See :func:`standard_error`.
    """
    series = np.asarray(samples, dtype=float)
    if len(series) == 0:
        return Estimate(math.nan, math.nan)
    error = float(standard_error(series, min_blocks))
    if len(series) >= min_blocks and np.ptp(series) > 0:
        # Blocks are shorter than the correlation time in short runs.
        error = max(error, float(series.std()) / math.sqrt(independent_samples(series)))
    return Estimate(float(series.mean()), error)


def correlation_time(samples: np.ndarray) -> float:
    r"""Return the integrated correlation time of a series, in samples; 0.5 without correlation.

    .. math::
        \tau = \tfrac12 + \sum_{t=1}^{W} C(t)/C(0)

    with the smallest window :math:`W \ge 5\tau` [1]_. It is underestimated in a series that is
    shorter than its correlation time.

    Parameters
    ----------
    samples : array, shape (n,)
        Equally spaced in time.

    References
    ----------
    .. [1] A. D. Sokal, in Functional Integration, NATO ASI Series 361, 131 (1997).
    """
    series = np.asarray(samples, dtype=float)
    n = len(series)
    if n < 2 or not np.ptp(series) > 0:
        return 0.5
    deviation = series - series.mean()
    transform = np.fft.rfft(deviation, 2 * n)
    correlation = np.fft.irfft(np.abs(transform) ** 2)[:n]
    times = np.cumsum(correlation / correlation[0]) - 0.5
    enough = np.flatnonzero(np.arange(n) >= WINDOW * times)
    return max(float(times[enough[0]] if len(enough) else times.max()), 0.5)


def independent_samples(samples: np.ndarray) -> float:
    """Return the number of independent samples: the length over twice the correlation time.

    Parameters
    ----------
    samples : array, shape (n,)
        Equally spaced in time.
    """
    return len(samples) / (2 * correlation_time(samples))


def standard_error(blocks: np.ndarray, min_blocks: int = MIN_BLOCKS) -> np.ndarray:
    """Return the standard error of the mean of correlated samples, element by element.

    Neighboring samples are averaged in pairs repeatedly while at least `min_blocks` remain. The
    apparent error grows until the blocks are longer than the correlation time; the largest is
    returned.

    Parameters
    ----------
    blocks : array, shape (n, ...)
        Samples or block averages, equally spaced in time.
    min_blocks : int
        With fewer samples than this, the error is nan.

    Returns
    -------
    array, shape (...)

    References
    ----------
    .. [1] H. Flyvbjerg and H. G. Petersen, J. Chem. Phys. 91, 461 (1989).
    """
    largest = np.full(blocks.shape[1:], np.nan)
    while len(blocks) >= min_blocks:
        largest = np.fmax(largest, blocks.std(axis=0, ddof=1) / np.sqrt(len(blocks)))
        paired = len(blocks) // 2 * 2
        blocks = 0.5 * (blocks[0:paired:2] + blocks[1:paired:2])
    return largest


def error_of_mean(samples: np.ndarray) -> np.ndarray:
    """Return the standard error of the mean of independent samples over the first axis.

    Parameters
    ----------
    samples : array, shape (n, ...)

    Returns
    -------
    array, shape (...)
        nan for fewer than two samples.
    """
    if len(samples) < 2:
        return np.full(np.shape(samples)[1:], np.nan)
    return np.std(samples, axis=0, ddof=1) / math.sqrt(len(samples))


def jackknife_error(left_out: np.ndarray) -> np.ndarray:
    """Return the standard error of a nonlinear function of a mean by the jackknife.

    Parameters
    ----------
    left_out : array, shape (n, ...)
        Values of the function, each without one of the `n` blocks.

    Returns
    -------
    array, shape (...)
        nan for fewer than two blocks.
    """
    n = len(left_out)
    if n < 2:
        return np.full(np.shape(left_out)[1:], np.nan)
    return np.sqrt((n - 1) / n * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0))


def without_each(blocks: np.ndarray) -> np.ndarray:
    """Return the means (n, ...) of all blocks but one, for `jackknife_error`."""
    return (blocks.sum(axis=0) - blocks) / max(len(blocks) - 1, 1)


def fitting_blocks(most: int, n_samples: int, n_lags: int) -> int:
    """Return the number of blocks to divide a series into.

    Parameters
    ----------
    most : int
        Maximum number of blocks.
    n_samples : int
        Length of the series.
    n_lags : int
        Minimum length of a block.

    Raises
    ------
    ValueError
        If `most` is less than 1.
    """
    if most < 1:
        raise ValueError(f"`blocks` must be at least 1, got {most}")
    return max(1, min(most, n_samples // n_lags))


def in_blocks(series: np.ndarray, n_blocks: int) -> np.ndarray:
    """Divide a series into blocks of equal length.

    Parameters
    ----------
    series : array, shape (n, ...)

    Returns
    -------
    array, shape (n_blocks, n // n_blocks, ...)
        Without the first ``n % n_blocks`` samples.
    """
    length = len(series) // n_blocks
    return series[len(series) - n_blocks * length :].reshape(n_blocks, length, *series.shape[1:])


class BlockedMean:
    """Mean of a stream of arrays in bounded memory, stored as the means of equally long blocks.

    When `max_blocks` blocks are full, neighbors are merged and the block length doubles: a
    block is never shorter than ``n_samples / max_blocks``.

    Parameters
    ----------
    shape : tuple of int
        Shape of one sample.
    max_blocks : int
        Maximum number of blocks, even.
    """

    def __init__(self, shape: tuple[int, ...], max_blocks: int = 64) -> None:
        self._blocks = np.zeros((max_blocks, *shape))
        self._unfinished = np.zeros(shape)
        self._block_length = 1
        self.n_samples = 0

    def add(self, sample: np.ndarray) -> None:
        """Add a sample."""
        self._unfinished += sample
        self.n_samples += 1
        if self.n_samples % self._block_length:
            return
        full = self.n_samples // self._block_length
        self._blocks[full - 1] = self._unfinished / self._block_length
        self._unfinished = np.zeros_like(self._unfinished)
        if full == len(self._blocks):
            half = full // 2
            self._blocks[:half] = 0.5 * (self._blocks[0::2] + self._blocks[1::2])
            self._block_length *= 2

    @property
    def blocks(self) -> np.ndarray:
        """Means of the full blocks in order of time, shape ``(n_blocks, *shape)``."""
        return self._blocks[: self.n_samples // self._block_length].copy()

    @property
    def mean(self) -> np.ndarray:
        """Mean over all samples, including those of the unfinished block."""
        total = self.blocks.sum(axis=0) * self._block_length + self._unfinished
        return total / self.n_samples

    def state(self) -> dict[str, np.ndarray]:
        """Return the state to store in a checkpoint."""
        return {
            "blocks": self.blocks,
            "unfinished": self._unfinished.copy(),
            "block_length": np.array(self._block_length),
            "n_samples": np.array(self.n_samples),
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore a state returned by :meth:`state`."""
        self._block_length = int(state["block_length"])
        self.n_samples = int(state["n_samples"])
        self._unfinished = np.array(state["unfinished"], dtype=float)
        self._blocks[:] = 0.0
        self._blocks[: len(state["blocks"])] = state["blocks"]
