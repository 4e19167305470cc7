r"""Diffusion coefficients from mean square displacements.

.. math::
    D = \lim_{t\to\infty} \frac{1}{2d} \frac{d}{dt}
        \langle |\mathbf{r}_i(t)-\mathbf{r}_i(0)|^2 \rangle, \qquad
    D_\infty = D(L) + \frac{\xi k_B T}{6 \pi \eta L}, \quad \xi = 2.837297

===================  ==================================================================
Symbol               Meaning
===================  ==================================================================
:math:`D`            diffusion coefficient in cm²/s
:math:`d`            number of Cartesian directions included in the displacements
:math:`D_\infty`     coefficient of the infinite liquid [1]_
:math:`L`            edge of the periodic cubic cell
:math:`\eta`         shear viscosity
===================  ==================================================================

References
----------
.. [1] I.-C. Yeh and G. Hummer, J. Phys. Chem. B 108, 15873 (2004).
"""

from __future__ import annotations

import math

import numpy as np
from ase import units

from ase_les.arguments import require_positive

#: Conversion from Å²/fs to cm²/s.
CM2_PER_S = 0.1
#: By default, the slope is fitted from this fraction of the longest lag to the longest lag.
FIT_FROM = 0.25


def diffusion_coefficients_cm2_per_s(
    lag_fs: np.ndarray, displacement_A2: np.ndarray, directions: int = 3
) -> np.ndarray:
    """Return diffusion coefficients from least-squares slopes of mean square displacements.

    Parameters
    ----------
    lag_fs : array, shape (n,)
        Lags of the fit, in the linear regime: beyond ballistic motion and caging.
    displacement_A2 : array, shape (..., n)
        Mean square displacements in Å².
    directions : int
        Number of Cartesian directions included in the displacements.

    Returns
    -------
    array, shape (...)
        In cm²/s.
    """
    displacement = np.asarray(displacement_A2, dtype=float)
    curves = displacement.reshape(-1, len(lag_fs))
    slopes = np.polyfit(lag_fs, curves.T, 1)[0]
    return slopes.reshape(displacement.shape[:-1]) * (CM2_PER_S / (2 * directions))


def finite_size_correction_cm2_per_s(
    *, temperature_K: float, viscosity_mPa_s: float, edge_A: float
) -> float:
    r"""Return :math:`D_\infty - D(L)`, to be added to the coefficient in a periodic cubic cell.

    Parameters
    ----------
    viscosity_mPa_s : float
        Shear viscosity :math:`\eta` in mPa s (= cP), of the model rather than of the experiment;
        0.85 mPa s is the experimental value of water at 300 K.
    edge_A : float
        Edge :math:`L` of the cell in Å.

    Raises
    ------
    ValueError
        If an argument is not positive.
    """
    require_positive("temperature_K", temperature_K)
    require_positive("viscosity_mPa_s", viscosity_mPa_s)
    require_positive("edge_A", edge_A)
    thermal_energy_J = units._k * temperature_K
    per_m2_s = 6 * math.pi * viscosity_mPa_s * 1e-3 * edge_A * 1e-10
    return 2.837297 * thermal_energy_J / per_m2_s * 1e4
