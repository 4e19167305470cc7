"""Transport coefficients as integrals of correlation functions.

The running integral of a correlation function rises or oscillates, is flat where the correlation
has decayed, and drifts as noise accumulates. The value is the mean over a plateau, by default the
second half of the longest lag, which is 5 ps or one quarter of the run; its error is the
standard error over blocks. The plateau should be checked in the figure.

References
----------
.. [1] R. Kubo, J. Phys. Soc. Jpn. 12, 570 (1957).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ase_les.properties.correlation import autocorrelation
from ase_les.statistics import Estimate, error_of_mean, fitting_blocks, in_blocks

LONGEST_LAG_PS = 5.0


@dataclass(frozen=True)
class GreenKubo:
    """Transport coefficient from the plateau of a running integral.

    Attributes
    ----------
    value : Estimate
        In `unit`.
    unit : str
    lag_ps, running, running_error : array, shape (n,)
        Running integral in `unit`.
    plateau_ps : (float, float)
        Range of lags of the plateau.
    drift : float
        Mean over the second half of the plateau minus that over the first, in `unit`; to be
        compared with the error.
    n_blocks : int
    """

    value: Estimate
    unit: str
    lag_ps: np.ndarray
    running: np.ndarray
    running_error: np.ndarray
    plateau_ps: tuple[float, float]
    drift: float
    n_blocks: int

    @property
    def has_plateau(self) -> bool:
        """Whether the running integral drifts over the plateau by no more than twice its error."""
        return abs(self.drift) <= 2 * self.value.standard_error


def green_kubo(
    flux: np.ndarray,
    timestep_fs: float,
    scale: float,
    unit: str,
    plateau_ps: tuple[float, float] | None,
    blocks: int,
) -> GreenKubo:
    """Compute a transport coefficient from a flux.

    Parameters
    ----------
    flux : array, shape (n, d)
        Equally spaced in time; the correlation is summed over the components.
    scale : float
        Converts the integral over fs to `unit`.
    plateau_ps : (float, float) or None
        Range of lags of the plateau; see the module for the default.
    blocks : int
        Maximum number of blocks for the error.
    """
    flux = np.asarray(flux, dtype=float)
    if flux.ndim != 2 or not np.isfinite(flux).all():
        raise ValueError(f"the flux must be finite and of the shape (n, d), got {flux.shape}")
    n = len(flux)
    if plateau_ps is None:
        longest_ps = min(LONGEST_LAG_PS, 0.25 * n * timestep_fs * 1e-3)
        plateau_ps = (0.5 * longest_ps, longest_ps)
    first, last = (round(each * 1e3 / timestep_fs) for each in plateau_ps)
    if not 0 <= first < last < n:
        raise ValueError(
            f"a plateau from {plateau_ps[0]:g} to {plateau_ps[1]:g} ps does not fit into the "
            f"{n * timestep_fs * 1e-3:.3g} ps of the series"
        )
    n_blocks = fitting_blocks(blocks, n, last + 1)

    def running(part: np.ndarray) -> np.ndarray:
        correlation = autocorrelation(part, last + 1)
        steps = 0.5 * timestep_fs * (correlation[..., 1:] + correlation[..., :-1])
        start = np.zeros((*steps.shape[:-1], 1))
        return scale * np.concatenate([start, steps.cumsum(axis=-1)], axis=-1)

    whole, parts = running(flux), running(in_blocks(flux, n_blocks))
    plateau = whole[first:]
    middle = len(plateau) // 2
    return GreenKubo(
        value=Estimate(float(plateau.mean()), float(error_of_mean(parts[:, first:].mean(axis=1)))),
        unit=unit,
        lag_ps=np.arange(last + 1) * timestep_fs * 1e-3,
        running=whole,
        running_error=error_of_mean(parts),
        plateau_ps=(first * timestep_fs * 1e-3, last * timestep_fs * 1e-3),
        drift=float(plateau[middle:].mean() - plateau[:middle].mean()),
        n_blocks=n_blocks,
    )
