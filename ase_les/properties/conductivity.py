r"""Ionic conductivity from the current, from the itinerant dipole, and from diffusion.

.. math::
    \sigma_\mathrm{GK} = \frac{1}{3 V k_B T} \int_0^\infty
        \langle \mathbf{J}(0)\cdot\mathbf{J}(t) \rangle \, dt, \qquad
    \sigma_\mathrm{EH} = \lim_{t\to\infty} \frac{1}{6 V k_B T} \frac{d}{dt}
        \langle |\mathbf{M}(t)-\mathbf{M}(0)|^2 \rangle, \qquad
    \sigma_\mathrm{NE} = \frac{1}{V k_B T} \sum_s N_s z_s^2 e^2 D_s

=====================  ======================================================================
Symbol                 Meaning
=====================  ======================================================================
:math:`\mathbf{J}`     physical current in e Å/fs, :math:`\mathbf{M}` the itinerant dipole
:math:`z_s, N_s`       charge number and number of the ions of species s
:math:`\sigma`         S/m
=====================  ======================================================================

Green–Kubo with Born charges and Einstein–Helfand give the same quantity, including correlations
between ions; Nernst–Einstein neglects them, and the ratio of the two measures their effect.

References
----------
.. [1] R. Kubo, J. Phys. Soc. Jpn. 12, 570 (1957).
.. [2] E. Helfand, Phys. Rev. 119, 1 (1960).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.constants import Boltzmann, elementary_charge

from ase_les.arguments import require_positive
from ase_les.properties.diffusion import Diffusion, diffusion
from ase_les.properties.green_kubo import GreenKubo, green_kubo
from ase_les.statistics import Estimate


def conductivity_green_kubo(
    current_eA_per_fs: np.ndarray,
    timestep_fs: float,
    volume_A3: float,
    temperature_K: float,
    *,
    plateau_ps: tuple[float, float] | None = None,
    blocks: int = 10,
) -> GreenKubo:
    """Compute the ionic conductivity in S/m from the current, J = ΣZ*v.

    Parameters
    ----------
    current_eA_per_fs : array, shape (n, 3)
        Physical current, sampled about every 2 fs.
    plateau_ps : (float, float), optional
        See `ase_les.properties.green_kubo`.
    blocks : int
        Maximum number of blocks for the error, each at least as long as the longest lag.
    """
    kT = Boltzmann * require_positive("temperature_K", temperature_K)
    volume = require_positive("volume_A3", volume_A3) * 1e-30
    # (e Å/fs)² fs in SI.
    scale = elementary_charge**2 * 1e-20 * 1e15 / (3 * volume * kT)
    return green_kubo(current_eA_per_fs, timestep_fs, scale, "S/m", plateau_ps, blocks)


def conductivity_einstein_helfand(
    dipole_eA: np.ndarray,
    timestep_fs: float,
    volume_A3: float,
    temperature_K: float,
    *,
    fit_ps: tuple[float, float] | None = None,
    blocks: int = 5,
) -> Estimate:
    """Compute the ionic conductivity in S/m from the diffusion of the itinerant dipole.

    Parameters
    ----------
    dipole_eA : array, shape (n, 3)
        Physical dipole on one branch.
    fit_ps, blocks
        See `diffusion`.
    """
    dipole_diffusion = diffusion(
        np.asarray(dipole_eA, dtype=float)[:, None, :], timestep_fs, fit_ps=fit_ps, blocks=blocks
    ).diffusion_cm2_per_s
    scale = _charge_diffusion_scale(volume_A3, temperature_K)
    return Estimate(scale * dipole_diffusion.mean, scale * dipole_diffusion.standard_error)


def conductivity_nernst_einstein(
    ions: Sequence[Diffusion],
    charge_numbers: Mapping[str, float],
    volume_A3: float,
    temperature_K: float,
) -> Estimate:
    """Compute the ionic conductivity in S/m of ions that move independently.

    Diffusion coefficients with finite-size correction are used if known.

    Parameters
    ----------
    charge_numbers : mapping
        Charge number by species.
    """
    scale = _charge_diffusion_scale(volume_A3, temperature_K)
    value = variance = 0.0
    for ion in ions:
        found = ion.infinite_cm2_per_s or ion.diffusion_cm2_per_s
        weight = scale * ion.particles * charge_numbers[ion.species] ** 2
        value += weight * found.mean
        variance += (weight * found.standard_error) ** 2
    return Estimate(value, math.sqrt(variance))


def _charge_diffusion_scale(volume_A3: float, temperature_K: float) -> float:
    """Return e² (cm²/s) / (V k_B T) in S/m."""
    volume = require_positive("volume_A3", volume_A3) * 1e-30
    return (
        elementary_charge**2
        * 1e-4
        / (volume * Boltzmann * require_positive("temperature_K", temperature_K))
    )
