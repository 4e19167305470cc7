r"""Shear viscosity from the fluctuations of the stress.

.. math::
    \eta = \frac{V}{10 k_B T} \int_0^\infty \sum_{\alpha\beta}
        \langle P_{\alpha\beta}(0) P_{\alpha\beta}(t) \rangle \, dt

where :math:`P_{\alpha\beta}` is the symmetric traceless stress; in mPa s.

References
----------
.. [1] P. J. Daivis and D. J. Evans, J. Chem. Phys. 100, 541 (1994).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.constants import Boltzmann, elementary_charge

from ase_les.arguments import require_positive
from ase_les.properties.green_kubo import GreenKubo, green_kubo


def viscosity_green_kubo(
    stress_eV_per_A3: np.ndarray,
    timestep_fs: float,
    volume_A3: float,
    temperature_K: float,
    *,
    plateau_ps: tuple[float, float] | None = None,
    blocks: int = 10,
) -> GreenKubo:
    """Compute the shear viscosity in mPa s from all components of the traceless stress [1]_.

    Parameters
    ----------
    stress_eV_per_A3 : array, shape (n, 6)
        Voigt order xx yy zz yz xz xy, including the kinetic part (ASE:
        ``get_stress(include_ideal_gas=True)``), sampled every few steps.
    timestep_fs, volume_A3, temperature_K, plateau_ps, blocks
        See `conductivity_green_kubo`.
    """
    stress = np.asarray(stress_eV_per_A3, dtype=float)
    if stress.ndim != 2 or stress.shape[1] != 6:
        raise ValueError(f"the stress must have the shape (n, 6), got {stress.shape}")
    normal = stress[:, :3] - stress[:, :3].mean(axis=1, keepdims=True)
    # Each shear component also represents its transpose.
    traceless = np.concatenate([normal, math.sqrt(2) * stress[:, 3:]], axis=1)
    volume = require_positive("volume_A3", volume_A3) * 1e-30
    kT = Boltzmann * require_positive("temperature_K", temperature_K)
    pascal = elementary_charge / 1e-30
    scale = volume / (10 * kT) * pascal**2 * 1e-15 * 1e3
    return green_kubo(traceless, timestep_fs, scale, "mPa s", plateau_ps, blocks)
