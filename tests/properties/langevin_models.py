"""Trajectories of models that are solved by hand, sampled exactly at any time step.

Energies in eV, lengths in Å, times in fs, masses in atomic units; expected values in the tests are
worked out in SI from the same parameters.
"""

from __future__ import annotations

import numpy as np
from ase import units
from scipy.constants import speed_of_light
from scipy.linalg import cholesky, expm
from scipy.signal import lfilter

#: eV fs² / Å² in one atomic mass unit.
AMU = units._amu / units._e * 1e10
#: rad/fs in one 1/cm.
PER_CM = 2 * np.pi * speed_of_light * 1e-13


def langevin_oscillators(
    n_steps: int,
    timestep_fs: float,
    wavenumber_per_cm: float,
    friction_per_fs: float,
    mass_amu: float,
    temperature_K: float,
    shape: tuple[int, ...],
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Positions and velocities, (n_steps, *shape), of independent damped oscillators.

    x'' = −ω²x − γx' + noise is linear, so that its distribution after any time is known.
    """
    omega = wavenumber_per_cm * PER_CM
    speed2 = units.kB * temperature_K / (mass_amu * AMU)
    stationary = np.diag([speed2 / omega**2, speed2])
    step = expm(timestep_fs * np.array([[0.0, 1.0], [-(omega**2), -friction_per_fs]]))
    noise = cholesky(stationary - step @ stationary @ step.T, lower=True)
    values, vectors = np.linalg.eig(step)
    count = int(np.prod(shape))
    kicks = noise @ rng.normal(size=(2, n_steps * count))
    kicks = kicks.reshape(2, n_steps, count)
    kicks[:, 0] = np.sqrt(np.diag(stationary))[:, None] * rng.normal(size=(2, count))
    modes = np.einsum("ab,bnc->anc", np.linalg.inv(vectors), kicks)
    modes = [
        lfilter([1.0], [1.0, -value], mode, axis=0)
        for value, mode in zip(values, modes, strict=True)
    ]
    position, velocity = np.einsum("ab,bnc->anc", vectors, np.array(modes)).real
    return position.reshape(n_steps, *shape), velocity.reshape(n_steps, *shape)


def langevin_ions(
    n_steps: int,
    timestep_fs: float,
    friction_per_fs: float,
    mass_amu: float,
    temperature_K: float,
    shape: tuple[int, ...],
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Positions and velocities, (n_steps, *shape), of free particles in a viscous medium."""
    speed2 = units.kB * temperature_K / (mass_amu * AMU)
    gamma, a = friction_per_fs, np.exp(-friction_per_fs * timestep_fs)
    covariance = speed2 * np.array(
        [
            [1 - a**2, (1 - a) ** 2 / gamma],
            [
                (1 - a) ** 2 / gamma,
                (2 * gamma * timestep_fs - 3 + 4 * a - a**2) / gamma**2,
            ],
        ]
    )
    kicks = np.einsum(
        "ab,b...->a...", cholesky(covariance, lower=True), rng.normal(size=(2, n_steps, *shape))
    )
    kicks[0, 0] = np.sqrt(speed2) * rng.normal(size=shape)
    velocity = lfilter([1.0], [1.0, -a], kicks[0], axis=0)
    moved = (1 - a) / gamma * velocity[:-1] + kicks[1, 1:]
    position = np.concatenate([np.zeros((1, *shape)), moved.cumsum(axis=0)])
    return position, velocity


def relaxing_noise(
    n_steps: int, timestep_fs: float, time_fs: float, shape: tuple[int, ...], rng
) -> np.ndarray:
    """Unit variance, correlation exp(−t/time), (n_steps, *shape)."""
    a = np.exp(-timestep_fs / time_fs)
    kicks = np.sqrt(1 - a**2) * rng.normal(size=(n_steps, *shape))
    kicks[0] = rng.normal(size=shape)
    return lfilter([1.0], [1.0, -a], kicks, axis=0)
