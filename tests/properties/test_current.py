"""The current ΣZ*v is the time derivative of the dipole: spectra and conductivity rest on it."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from ase_les import LESCalculator

SAMPLES, PERIOD_FS = 64, 40.0


def vibrating(atoms: Atoms, rng, samples: int):
    """Positions and velocities of a periodic motion, known at any time."""
    times = np.arange(samples) * PERIOD_FS / samples
    positions = np.repeat(atoms.positions[None], samples, axis=0)
    velocities = np.zeros_like(positions)
    for harmonic in (1, 2, 3):
        omega = 2 * np.pi * harmonic / PERIOD_FS
        for part in (np.cos, np.sin):
            amplitude = 0.01 * rng.normal(size=atoms.positions.shape)
            positions += part(omega * times)[:, None, None] * amplitude
            slope = -np.sin(omega * times) if part is np.cos else np.cos(omega * times)
            velocities += omega * slope[:, None, None] * amplitude
    return positions, velocities


def spectral_derivative(series: np.ndarray) -> np.ndarray:
    """d/dt of a series over one period, exact for what the samples resolve."""
    frequency = 2j * np.pi * np.fft.rfftfreq(len(series), PERIOD_FS / len(series))
    frequency[-1] = 0.0
    return np.fft.irfft(frequency[:, None] * np.fft.rfft(series, axis=0), len(series), axis=0)


def water_dimer() -> Atoms:
    first, second = molecule("H2O"), molecule("H2O")
    second.rotate(70, (1, 2, 3))
    second.translate([1.3, 2.2, 1.1])
    return first + second


@pytest.mark.slow
@pytest.mark.parametrize("periodic", [False, True], ids=["molecules", "bulk"])
def test_the_current_is_the_derivative_of_the_dipole_along_a_trajectory(
    periodic, random_model, rng
):
    atoms = water_dimer()
    if periodic:
        atoms.set_cell([[6.1, 0, 0], [1.0, 6.4, 0], [-0.5, 0.8, 6.8]])
        atoms.pbc = True
    # Neutral by exchange along edges: then the dipole of a cell follows its atoms.
    calculator = LESCalculator(random_model(charges={"neutrality": "split"}), dtype="float64")
    # Neighbors that cross the cutoff make the dipole of a bulk smooth, but not analytic: the
    # difference falls with the number of samples, as their square or faster.
    samples = 8 * SAMPLES if periodic else SAMPLES
    dipole, current = [], []
    for positions, velocities in zip(*vibrating(atoms, rng, samples), strict=True):
        atoms.positions = positions
        born = calculator.get_property("born_effective_charges", atoms)
        current.append(np.einsum("iab,ib->a", born, velocities))
        name, volume = ("polarization", atoms.cell.volume) if periodic else ("dipole", 1.0)
        dipole.append(volume * calculator.get_property(name, atoms))
    difference = np.array(current) - spectral_derivative(np.array(dipole))
    assert np.abs(difference).max() < 1e-8 * np.abs(current).max()
