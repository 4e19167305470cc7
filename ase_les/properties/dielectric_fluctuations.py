"""Static dielectric constant from the fluctuations of a dipole.

Equations: see `ase_les.properties.dielectric`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from scipy.constants import Boltzmann, elementary_charge, epsilon_0

from ase_les.arguments import require_positive
from ase_les.properties.ions import is_cation
from ase_les.properties.molecules import molecular_dipoles
from ase_les.statistics import (
    ENOUGH_SAMPLES,
    Estimate,
    block_average,
    in_blocks,
    independent_samples,
)

#: Reported if exceeded: difference between the halves of a run, in standard errors.
MAX_HALF_DIFFERENCE = 3.0
#: Reported if exceeded: ratio of the fluctuation in the run to that in its quarters.
MAX_GROWTH = 2.0


@dataclass(frozen=True)
class StaticDielectric:
    r"""Static dielectric constant with its error and convergence diagnostics.

    Attributes
    ----------
    epsilon : Estimate
        :math:`\varepsilon_0`, isotropic average.
    tensor, tensor_error : array, shape (3, 3)
    epsilon_infinity : float
    first_half, second_half : float
        Dielectric constant from each half of the run.
    growth : float
        Ratio of the fluctuation in the run to that within its quarters, about 1 if converged.
    independent_samples : float
        Length of the run in units of twice the correlation time of the dipole.
    temperature_K, volume_A3, length_ps : float
    notes : tuple of str
        Remarks on the convergence.
    """

    epsilon: Estimate
    tensor: np.ndarray
    tensor_error: np.ndarray
    epsilon_infinity: float
    first_half: float
    second_half: float
    growth: float
    independent_samples: float
    temperature_K: float
    volume_A3: float
    length_ps: float
    notes: tuple[str, ...]

    @property
    def converged(self) -> bool:
        """Whether the run is long enough for a meaningful error."""
        return self.independent_samples >= ENOUGH_SAMPLES and not self.growth > MAX_GROWTH


def static_dielectric(
    dipole_eA: np.ndarray,
    timestep_fs: float,
    volume_A3: float,
    temperature_K: float,
    *,
    epsilon_infinity: float = 1.0,
) -> StaticDielectric:
    r"""Compute the static dielectric constant from a series of physical dipoles.

    The fluctuation about the estimated mean dipole is too small by the variance of this mean, which
    is added:
    :math:`\langle\delta M^2\rangle = \overline{(M-\bar M)^2} + \mathrm{SE}(\bar M)^2`.

    Parameters
    ----------
    dipole_eA : array, shape (n, 3)
        Physical itinerant dipole of the cell in e Å (see `ElectronicScreening`).
    timestep_fs : float
        Time between samples.
    epsilon_infinity : float
        Electronic contribution; 1 for rigid charges.
    """
    dipole = finite_vectors(dipole_eA, "dipole")
    prefactor = fluctuation_prefactor(volume_A3, temperature_K)
    deviation = dipole - dipole.mean(axis=0)
    unknown_mean = np.array([block_average(part).standard_error for part in deviation.T])
    unknown_mean = np.nan_to_num(unknown_mean) ** 2
    products = prefactor * deviation[:, :, None] * deviation[:, None, :]
    tensor = epsilon_infinity * np.eye(3) + products.mean(axis=0)
    tensor += prefactor * np.diag(unknown_mean)
    errors = np.zeros((3, 3))
    for a in range(3):
        for b in range(a + 1):
            errors[a, b] = errors[b, a] = block_average(products[:, a, b]).standard_error
    isotropic = block_average(np.trace(products, axis1=1, axis2=2) / 3).standard_error
    samples = float(np.mean([independent_samples(part) for part in dipole.T]))
    # Relative error of the variance of Gaussian vectors, whose squares decay twice as fast.
    known = (np.trace(tensor) / 3 - epsilon_infinity) / math.sqrt(3 * samples)
    isotropic = np.fmax(isotropic, known)
    halves = [
        epsilon_infinity + prefactor * part.var(axis=0).mean() for part in in_blocks(dipole, 2)
    ]
    within = np.mean([part.var(axis=0).mean() for part in in_blocks(dipole, 4)])
    growth = float(dipole.var(axis=0).mean() / within) if within > 0 else math.nan
    epsilon = Estimate(float(np.trace(tensor) / 3), float(isotropic))
    notes = []
    if samples < ENOUGH_SAMPLES:
        notes.append(
            f"static dielectric constant not converged: {samples:.1f} independent samples of the "
            f"dipole in {len(dipole) * timestep_fs * 1e-3:.3g} ps, at least {ENOUGH_SAMPLES:g} are "
            "needed. Run longer; the correlation time itself is underestimated in short runs"
        )
    if growth > MAX_GROWTH:
        notes.append(
            f"the fluctuation is {growth:.1f} times that within quarters of the run: it still grows"
            " with time. Either the run is much too short, or ions diffuse and the static "
            "dielectric constant is undefined; in this case use the rotational part of the dipole"
        )
    tolerance = MAX_HALF_DIFFERENCE * math.sqrt(2) * epsilon.standard_error
    if not abs(halves[0] - halves[1]) <= tolerance:
        notes.append(
            f"the halves of the run give {halves[0]:.4g} and {halves[1]:.4g}: not converged"
        )
    return StaticDielectric(
        epsilon=epsilon,
        tensor=tensor,
        tensor_error=errors,
        epsilon_infinity=float(epsilon_infinity),
        first_half=float(halves[0]),
        second_half=float(halves[1]),
        growth=growth,
        independent_samples=samples,
        temperature_K=float(temperature_K),
        volume_A3=float(volume_A3),
        length_ps=len(dipole) * timestep_fs * 1e-3,
        notes=tuple(notes),
    )


def rotational_dipole(frames: Iterable[Atoms]) -> np.ndarray:
    r"""Return the sum of the dipoles of all molecules about their centers of mass, (n, 3) in e Å.

    Monatomic ions and the translation of charged molecules do not contribute, so that the sum stays
    bounded, unlike the itinerant dipole.

    Parameters
    ----------
    frames : iterable of Atoms
        With charges from a calculator or trajectory; physical charges give a physical dipole.
    """
    moments = []
    for atoms in frames:
        molecular = ~is_cation(atoms)
        charges = atoms.get_charges()[molecular]
        moments.append(molecular_dipoles(atoms[molecular], charges).sum(axis=0))
    return np.array(moments)


def finite_vectors(given: np.ndarray, name: str) -> np.ndarray:
    """Return a series of vectors as an array; raise ValueError if shape or values are invalid."""
    vectors = np.asarray(given, dtype=float)
    if vectors.ndim != 2 or vectors.shape[1] != 3 or len(vectors) < 4:
        raise ValueError(
            f"the {name} must have the shape (n, 3), n at least 4, got {vectors.shape}"
        )
    if not np.isfinite(vectors).all():
        raise ValueError(
            f"the {name} contains values that are not finite: check that the run was stable"
        )
    return vectors


def fluctuation_prefactor(volume_A3: float, temperature_K: float) -> float:
    """Return 1/(ε_vac V k_B T) in 1/(e Å)²."""
    require_positive("volume_A3", volume_A3)
    require_positive("temperature_K", temperature_K)
    energy = epsilon_0 * volume_A3 * 1e-30 * Boltzmann * temperature_K
    return (elementary_charge * 1e-10) ** 2 / energy
