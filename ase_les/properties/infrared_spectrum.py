r"""Infrared absorption from the electric current of a molecular dynamics run.

.. math::
    \alpha(\omega)\, n(\omega) = \frac{1}{3 \varepsilon_\mathrm{vac} c V k_B T}
        \int_0^\infty \cos \omega t \, \langle \mathbf{J}(0) \cdot \mathbf{J}(t) \rangle \, dt,
    \qquad \mathbf{J} = \sum_i Z^*_i \mathbf{v}_i = \frac{d\mathbf{M}}{dt}

=================================  ==============================================================
Symbol                             Meaning
=================================  ==============================================================
:math:`\alpha n`                   ``absorption_per_cm`` (1/cm), α the Napierian coefficient
:math:`\omega = 2\pi c\tilde\nu`   ``wavenumber_per_cm``
:math:`\mathbf{J}`                 ``current_eA_per_fs`` (e Å/fs)
:math:`V, T`                       ``volume_A3``, ``temperature_K``
=================================  ==============================================================

**Quantum correction.** The golden rule contains the quantum correlation function of the dipole,

.. math::
    \alpha n = \frac{\omega\,(1 - e^{-\beta\hbar\omega})}{6 \varepsilon_\mathrm{vac} c V \hbar}
        \int_{-\infty}^\infty e^{i\omega t} \langle \mathbf{M}(0)\cdot\mathbf{M}(t)\rangle_q \, dt .

Classical dynamics gives the classical correlation function. Multiplied by the harmonic factor
:math:`Q = \beta\hbar\omega / (1 - e^{-\beta\hbar\omega})`, which is exact for harmonic motion, the
parenthesis cancels; :math:`\beta\omega^2` times the transform of ⟨M·M⟩ remains, which is
:math:`\beta` times the transform of ⟨J·J⟩ and gives the first equation.
``quantum_correction="harmonic"`` is therefore the first equation, equal to classical linear
response; ``"none"`` (the classical correlation function in the golden rule) is smaller by
:math:`Q`, 16 at 3400 1/cm and 300 K.

**Molecules and slabs.** Without a volume, α is undefined, but the molar absorption coefficient
:math:`\alpha V N_A` is defined; its integral over a band is the intensity in km/mol,
:math:`N_A |\partial\mu/\partial Q|^2 / (12 \varepsilon_\mathrm{vac} c^2)` for a harmonic mode.

References
----------
.. [1] R. Ramírez, T. López-Ciudad, P. Kumar, D. Marx, J. Chem. Phys. 121, 3973 (2004).
.. [2] P. H. Berens, K. R. Wilson, J. Chem. Phys. 74, 4872 (1981).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.constants import Avogadro, Boltzmann, elementary_charge, epsilon_0, hbar, speed_of_light
from scipy.integrate import trapezoid

from ase_les.arguments import require_integer, require_one_of, require_positive
from ase_les.properties.correlation import LagTransform, autocorrelation, fitting_lag_window
from ase_les.statistics import Estimate, error_of_mean, fitting_blocks, in_blocks

QUANTUM_CORRECTIONS = ("harmonic", "none")


@dataclass(frozen=True)
class InfraredSpectrum:
    """Infrared absorption with its statistical error.

    Attributes
    ----------
    wavenumber_per_cm : array, shape (n,)
    molar_absorption_km_per_mol_cm : array, shape (n,)
        Absorption coefficient (Napierian, times the refractive index in condensed matter) per mole
        of molecules, in km/mol per 1/cm: its integral over wave numbers is in km/mol.
    block_spectra : array, shape (n_blocks, n)
        Molar absorption from each block of the run.
    volume_A3 : float or None
        None for a molecule or a slab in vacuum.
    molecules : int
        Number of molecules in this volume.
    temperature_K, timestep_fs, resolution_per_cm : float
    window, quantum_correction : str
    upto_per_cm : float
        Requested upper limit of the wave numbers.
    length_fs : float
        Length of the run.
    """

    wavenumber_per_cm: np.ndarray
    molar_absorption_km_per_mol_cm: np.ndarray
    block_spectra: np.ndarray
    volume_A3: float | None
    molecules: int
    temperature_K: float
    timestep_fs: float
    resolution_per_cm: float
    window: str
    quantum_correction: str
    upto_per_cm: float
    length_fs: float

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return len(self.block_spectra)

    @property
    def molar_error_km_per_mol_cm(self) -> np.ndarray:
        """Standard error of the molar absorption from the blocks; nan for fewer than two."""
        return error_of_mean(self.block_spectra)

    @property
    def absorption_per_cm(self) -> np.ndarray:
        """α(ω)n(ω) in 1/cm."""
        return self.molar_absorption_km_per_mol_cm * self._per_cm

    @property
    def absorption_error_per_cm(self) -> np.ndarray:
        """Standard error of α(ω)n(ω) in 1/cm."""
        return self.molar_error_km_per_mol_cm * self._per_cm

    @property
    def _per_cm(self) -> float:
        if self.volume_A3 is None:
            raise ValueError(
                "a molecule or a slab in vacuum has no volume and no absorption coefficient; use "
                "`molar_absorption_km_per_mol_cm`"
            )
        # km/mol · cm = 10 m²/mol; a concentration in mol/m³ makes that 10/m = 0.1/cm.
        return 0.1 * self.molecules / (Avogadro * self.volume_A3 * 1e-30)

    def integrated_intensity_km_per_mol(self, low: float, high: float) -> Estimate:
        """Integral between two wave numbers in km/mol, with its error from the blocks."""
        inside = (self.wavenumber_per_cm >= low) & (self.wavenumber_per_cm <= high)
        x = self.wavenumber_per_cm[inside]
        blocks = trapezoid(self.block_spectra[:, inside], x, axis=1)
        mean = trapezoid(self.molar_absorption_km_per_mol_cm[inside], x)
        return Estimate(float(mean), float(error_of_mean(blocks)))


def infrared_from_current(
    current_eA_per_fs: np.ndarray,
    timestep_fs: float,
    volume_A3: float | None,
    temperature_K: float,
    *,
    resolution_per_cm: float = 20.0,
    window: str = "gaussian",
    quantum_correction: str = "harmonic",
    blocks: int = 10,
    molecules: int = 1,
    upto_per_cm: float = 5000.0,
) -> InfraredSpectrum:
    """Compute the infrared absorption from an equally spaced current.

    Parameters
    ----------
    current_eA_per_fs : array, shape (n, 3)
        J = ΣZ*v in e Å/fs, with physical Born charges (times √ε∞ for screened latent charges).
    timestep_fs : float
        Time between samples in fs; 2 fs resolves 8300 1/cm.
    volume_A3 : float or None
        None for a molecule or a slab in vacuum.
    temperature_K : float
        Temperature of the run.
    resolution_per_cm : float
        Full width at half maximum of an infinitely narrow line. A finer resolution needs longer
        lags and increases the noise.
    window : {"gaussian", "hann"}
        See `lag_window`.
    quantum_correction : {"harmonic", "none"}
        See the module.
    blocks : int
        Maximum number of blocks for the error band; fewer if they would be shorter than the window.
    molecules : int
        Number of molecules by which molar quantities are divided.
    upto_per_cm : float
        Upper limit of the wave numbers.

    Raises
    ------
    ValueError
        If the run is too short for the resolution, or an argument is invalid.
    """
    current = np.asarray(current_eA_per_fs, dtype=float)
    check_spectrum_arguments(current, volume_A3, temperature_K, quantum_correction, molecules)
    weights = fitting_lag_window(window, resolution_per_cm, timestep_fs, len(current))
    n_blocks = fitting_blocks(blocks, len(current), len(weights))
    transform = LagTransform(weights, timestep_fs, resolution_per_cm, upto_per_cm)
    whole = transform(autocorrelation(current, len(weights))).real
    parts = transform(autocorrelation(in_blocks(current, n_blocks), len(weights))).real
    scale = molar_scale(transform.frequency_Hz, temperature_K, quantum_correction) / molecules
    return InfraredSpectrum(
        wavenumber_per_cm=transform.wavenumber_per_cm,
        molar_absorption_km_per_mol_cm=scale * whole,
        block_spectra=scale * parts,
        volume_A3=None if volume_A3 is None else float(volume_A3),
        molecules=molecules,
        temperature_K=float(temperature_K),
        timestep_fs=float(timestep_fs),
        resolution_per_cm=float(resolution_per_cm),
        window=window,
        quantum_correction=quantum_correction,
        upto_per_cm=float(upto_per_cm),
        length_fs=len(current) * float(timestep_fs),
    )


def molar_scale(
    frequency_Hz: np.ndarray, temperature_K: float, quantum_correction: str
) -> np.ndarray:
    """Return the factor (n,) from the transform of ⟨J·J⟩, in e² Å²/fs, to km/mol per 1/cm.

    Parameters
    ----------
    frequency_Hz : array, shape (n,)
    quantum_correction : {"harmonic", "none"}
    """
    # (e Å/fs)² fs in SI, and from m²/mol to km/mol per 1/cm.
    si = elementary_charge**2 * 1e-20 / 1e-30 * 1e-15
    scale = 0.1 * Avogadro * si / (3 * epsilon_0 * speed_of_light * Boltzmann * temperature_K)
    if quantum_correction == "none":
        quanta = hbar * 2 * np.pi * frequency_Hz / (Boltzmann * temperature_K)
        return scale / harmonic_factor(quanta)
    return np.full(len(frequency_Hz), scale)


def check_spectrum_arguments(
    current: np.ndarray,
    volume_A3: float | None,
    temperature_K: float,
    quantum_correction: str,
    molecules: int,
) -> None:
    """Check the arguments of a spectrum from a current (n, 3).

    Raises
    ------
    ValueError
        If one is invalid.
    """
    if current.ndim != 2 or current.shape[1] != 3:
        raise ValueError(f"the current must have the shape (n, 3), got {current.shape}")
    check_spectrum_settings(current, "current", temperature_K, quantum_correction, molecules)
    if volume_A3 is not None and not volume_A3 > 0:
        raise ValueError(f"`volume_A3` must be positive, or None for a molecule, got {volume_A3}")


def check_spectrum_settings(
    series: np.ndarray, name: str, temperature_K: float, quantum_correction: str, molecules: int
) -> None:
    """Check a series, called `name` in messages, and the settings of all spectra from dynamics.

    Raises
    ------
    ValueError
        If one is invalid.
    """
    if not np.isfinite(series).all():
        raise ValueError(
            f"the {name} contains values that are not finite: check that the run was stable"
        )
    require_positive("temperature_K", temperature_K)
    require_one_of("quantum_correction", quantum_correction, QUANTUM_CORRECTIONS)
    require_integer("molecules", molecules, 1)


def harmonic_factor(quanta: np.ndarray) -> np.ndarray:
    """Return the harmonic quantum correction x/(1 − exp(−x)) of x = βħω; 1 at x = 0."""
    safe = np.where(quanta == 0, 1.0, quanta)
    return np.where(quanta == 0, 1.0, safe / -np.expm1(-safe))
