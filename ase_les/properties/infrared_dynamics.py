"""Compute the infrared spectrum of a molecular dynamics run from its recorded current."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_masses
from ase.io import Trajectory

from ase_les.properties.correlation import spectrum_notes
from ase_les.properties.infrared_spectrum import InfraredSpectrum, infrared_from_current
from ase_les.properties.recorded_run import (
    RecordedRun,
    limits_of_run,
    read_recorded_run,
    trajectory_path,
)
from ase_les.properties.spectral_peaks import (
    LIQUID_WATER,
    Band,
    Peak,
    peaks,
    relative_noise,
    without_verlet_shift,
)
from ase_les.runs.output import prepared_output, write_result

__all__ = [
    "Band",
    "InfraredResult",
    "InfraredSpectrum",
    "Peak",
    "infrared_from_current",
    "infrared_from_run",
    "peaks",
    "read_reference_spectrum",
    "without_verlet_shift",
]


@dataclass(frozen=True)
class InfraredResult:
    """Infrared spectrum and peaks of a run.

    Attributes
    ----------
    spectrum : InfraredSpectrum
    peaks : tuple of Peak
    run : RecordedRun
        Recorded current that was used.
    notes : tuple of str
        Limitations of the spectrum.
    reference : array, shape (n, 2), or None
        Wave numbers in 1/cm and intensities of a spectrum to compare with.
    reference_name : str
    experiment : tuple of Band
        Measured bands of this liquid; empty if none are known.
    """

    spectrum: InfraredSpectrum
    peaks: tuple[Peak, ...]
    run: RecordedRun
    notes: tuple[str, ...]
    reference: np.ndarray | None = None
    reference_name: str = ""
    experiment: tuple[Band, ...] = ()

    @property
    def absorption(self) -> tuple[np.ndarray, np.ndarray]:
        """Absorption and its error: α(ω)n(ω) in 1/cm, or km/mol per 1/cm without a volume."""
        spectrum = self.spectrum
        if spectrum.volume_A3 is None:
            return spectrum.molar_absorption_km_per_mol_cm, spectrum.molar_error_km_per_mol_cm
        return spectrum.absorption_per_cm, spectrum.absorption_error_per_cm

    @property
    def scaled_reference(self) -> np.ndarray | None:
        """Reference on the wave numbers of the spectrum, scaled to its height; None if disjoint."""
        if self.reference is None:
            return None
        x = self.spectrum.wavenumber_per_cm
        wavenumber, intensity = self.reference.T
        interpolated = np.interp(x, wavenumber, intensity, left=np.nan, right=np.nan)
        if not np.isfinite(interpolated).any():
            return None
        return interpolated * (self.absorption[0].max() / np.nanmax(interpolated))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return spectrum, errors and reference by name."""
        spectrum = self.spectrum
        arrays = {
            "wavenumber_per_cm": spectrum.wavenumber_per_cm,
            "molar_absorption_km_per_mol_cm": spectrum.molar_absorption_km_per_mol_cm,
            "molar_error_km_per_mol_cm": spectrum.molar_error_km_per_mol_cm,
        }
        if spectrum.volume_A3 is not None:
            arrays["absorption_per_cm"], arrays["absorption_error_per_cm"] = self.absorption
        reference = self.scaled_reference
        return arrays if reference is None else arrays | {"reference_scaled": reference}

    def summary(self) -> dict[str, object]:
        """Return the result as plain containers for YAML and JSON."""
        spectrum = self.spectrum
        return {
            "task": "infrared spectrum from molecular dynamics",
            "input": self.run.summary(),
            "settings": {
                "resolution_per_cm": spectrum.resolution_per_cm,
                "window": spectrum.window,
                "quantum_correction": spectrum.quantum_correction,
                "blocks": spectrum.n_blocks,
                "temperature_K": spectrum.temperature_K,
                "volume_A3": spectrum.volume_A3,
                "molecules": spectrum.molecules,
                "reference": self.reference_name or None,
            },
            "notes": list(self.notes),
            "unit_of_height": "1/cm" if spectrum.volume_A3 is not None else "km/mol cm",
            "peaks": {
                peak.band.name: {
                    "between_per_cm": [peak.band.low_per_cm, peak.band.high_per_cm],
                    "center_per_cm": peak.center_per_cm,
                    "height": peak.height,
                    "full_width_at_half_maximum_per_cm": peak.width_per_cm,
                    "intensity_km_per_mol": peak.intensity_km_per_mol,
                }
                for peak in self.peaks
            },
        }


def infrared_from_run(
    stem: str | Path,
    *,
    epsilon_infinity: float | None = None,
    recorded: str | None = None,
    skip_ps: float = 0.0,
    temperature_K: float | None = None,
    bands: Sequence[Band] = (),
    reference: str | Path | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    **spectrum: Any,
) -> InfraredResult:
    """Compute the infrared spectrum of a molecular dynamics run that recorded its current.

    Parameters
    ----------
    stem : str or Path
        Stem of the run: ``<stem>-current.npz`` is read.
    epsilon_infinity, recorded
        See `ElectronicScreening`: 1.78 and "latent" for bulk water with latent charges. By default
        from the calculator of the run.
    skip_ps : float
        Initial time to exclude.
    temperature_K : float, optional
        By default the mean temperature of the run.
    bands : sequence of Band
        Ranges in which to find the maximum; by default those around all significant maxima.
    reference : str or Path, optional
        Spectrum to compare with, see `read_reference_spectrum`.
    output : str or Path, optional
        Stem of the files; ``<output>.npz`` and ``<output>-summary.yml`` are written.
    overwrite : bool
        Replace earlier files of that name.
    **spectrum
        Resolution, window, quantum correction, number of blocks, number of molecules and upper
        limit of the spectrum; see `infrared_from_current`.

    Raises
    ------
    FileNotFoundError
        If no current was recorded.
    ValueError
        If the run is too short for the resolution.
    """
    files = prepared_output(output, overwrite)
    reference_spectrum = None if reference is None else read_reference_spectrum(reference)
    run = read_recorded_run(
        stem,
        "current",
        skip_ps=skip_ps,
        temperature_K=temperature_K,
        epsilon_infinity=epsilon_infinity,
        recorded=recorded,
    )
    found = infrared_from_current(
        run.moments, run.timestep_fs, run.volume_A3, run.temperature_K, **spectrum
    )
    maxima = peaks(found, bands)
    result = InfraredResult(
        found,
        maxima,
        run,
        (*_notes(found, maxima), *limits_of_run(stem)),
        reference_spectrum,
        "" if reference is None else str(reference),
        LIQUID_WATER if run.volume_A3 is not None and _is_water(stem) else (),
    )
    if files is not None:
        write_result(files, result)
    return result


def read_reference_spectrum(path: str | Path) -> np.ndarray:
    """Read a spectrum from a text file with wave numbers in 1/cm and intensities.

    Parameters
    ----------
    path : str or Path
        Two columns, separated by commas in a ``.csv`` file and by white space otherwise; comments
        start with ``#``.

    Returns
    -------
    array, shape (n, 2)
        In ascending order of wave numbers.

    Raises
    ------
    ValueError
        If the file does not contain two columns of numbers.
    """
    try:
        table = np.loadtxt(path, delimiter="," if str(path).endswith(".csv") else None, ndmin=2)
    except ValueError as error:
        raise ValueError(
            f"{path}: a reference spectrum needs two columns, wave number in 1/cm and intensity, "
            f"with comments after #: {error}"
        ) from error
    if table.shape[1] < 2 or len(table) < 2:
        raise ValueError(f"{path}: two columns (1/cm, intensity) are needed, got {table.shape[1]}")
    return table[np.argsort(table[:, 0]), :2]


def _is_water(stem: str | Path) -> bool:
    """Return whether the trajectory of a run has composition and isotopes of water, H2O."""
    path = trajectory_path(stem)
    if not path.exists():
        return False
    with Trajectory(path) as trajectory:
        first = trajectory[0] if len(trajectory) else Atoms()
    numbers, oxygen = first.numbers, int((first.numbers == 8).sum())
    hydrogen = first.get_masses()[numbers == 1]
    return (
        oxygen > 0
        and len(numbers) == 3 * oxygen
        and len(hydrogen) == 2 * oxygen
        and np.allclose(hydrogen, atomic_masses[1], atol=0.1)
    )


def _notes(spectrum: InfraredSpectrum, found: Sequence[Peak]) -> tuple[str, ...]:
    notes = []
    if not found:
        notes.append(
            f"no band exceeds the noise of {100 * relative_noise(spectrum):.0f} %: run "
            "longer, or use a coarser resolution"
        )
    return (
        *notes,
        *spectrum_notes(spectrum.timestep_fs, spectrum.upto_per_cm, spectrum.n_blocks),
    )
