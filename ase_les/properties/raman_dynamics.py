"""Raman spectrum of a molecular dynamics run from its recorded polarizability."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ase_les.properties.correlation import spectrum_notes, uniform_timestep
from ase_les.properties.raman_spectrum import PARTS, RamanSpectrum, raman_from_polarizability
from ase_les.properties.recorded_run import COLUMN, limits_of_run, read_series
from ase_les.properties.spectral_peaks import Band, relative_noise, significant_bands
from ase_les.runs.output import prepared_output, write_result
from ase_les.statistics import Estimate

__all__ = ["Line", "RamanResult", "RamanSpectrum", "raman_from_polarizability", "raman_from_run"]


@dataclass(frozen=True)
class Line:
    """Band of a Raman spectrum.

    ``center_per_cm``: center of mass of the reduced spectrum of both polarizations in the band;
    ``activity``: its integral in Å⁴/amu; ``depolarization``: ratio VH/VV.
    """

    band: Band
    center_per_cm: float
    activity: Estimate
    depolarization: Estimate


@dataclass(frozen=True)
class RamanResult:
    r"""Raman spectrum and bands of a run.

    Attributes
    ----------
    spectrum : RamanSpectrum
    lines : tuple of Line
    stem : Path
        Stem of the run.
    samples : int
        Number of recorded polarizabilities that were used.
    skip_ps : float
        Excluded initial time.
    mean_polarizability_A3 : array, shape (3, 3)
    dielectric_tensor : array, shape (3, 3), or None
        Mean :math:`\epsilon_\infty` of a bulk; None without a volume.
    notes : tuple of str
        Limitations of the spectrum.
    """

    spectrum: RamanSpectrum
    lines: tuple[Line, ...]
    stem: Path
    samples: int
    skip_ps: float
    mean_polarizability_A3: np.ndarray
    dielectric_tensor: np.ndarray | None
    notes: tuple[str, ...]

    def arrays(self) -> dict[str, np.ndarray]:
        """Return spectra and errors by name."""
        arrays = {"wavenumber_per_cm": self.spectrum.wavenumber_per_cm}
        for part in PARTS:
            reduced, cross = self.spectrum.activity(part), self.spectrum.cross_section(part)
            arrays[f"activity_{part}_A4_per_amu_cm"], arrays[f"activity_{part}_error"] = reduced
            arrays[f"cross_section_{part}_1e-36_m2_per_sr_cm"] = cross[0]
            arrays[f"cross_section_{part}_error"] = cross[1]
        return arrays

    def summary(self) -> dict[str, object]:
        """Return the result as plain containers for YAML and JSON."""
        spectrum, dielectric = self.spectrum, self.dielectric_tensor
        return {
            "task": "Raman spectrum from molecular dynamics",
            "run": str(self.stem),
            "samples": self.samples,
            "skipped_ps": self.skip_ps,
            "timestep_fs": spectrum.timestep_fs,
            "length_ps": 1e-3 * spectrum.length_fs,
            "temperature_K": spectrum.temperature_K,
            "laser_nm": spectrum.laser_nm,
            "resolution_per_cm": spectrum.resolution_per_cm,
            "window": spectrum.window,
            "quantum_correction": spectrum.quantum_correction,
            "blocks": spectrum.n_blocks,
            "molecules": spectrum.molecules,
            "mean_polarizability_A3": self.mean_polarizability_A3.tolist(),
            "dielectric_tensor": None if dielectric is None else dielectric.tolist(),
            "bands": [
                {
                    "low_per_cm": line.band.low_per_cm,
                    "high_per_cm": line.band.high_per_cm,
                    "center_per_cm": line.center_per_cm,
                    "activity_A4_per_amu": line.activity.mean,
                    "activity_error": line.activity.standard_error,
                    "depolarization_ratio": line.depolarization.mean,
                    "depolarization_error": line.depolarization.standard_error,
                }
                for line in self.lines
            ],
            "notes": list(self.notes),
        }


def raman_from_run(
    stem: str | Path,
    *,
    skip_ps: float = 0.0,
    temperature_K: float | None = None,
    bands: Sequence[Band] = (),
    output: str | Path | None = None,
    overwrite: bool = False,
    **spectrum: Any,
) -> RamanResult:
    """Compute the Raman spectrum of a run that recorded its polarizability.

    Parameters
    ----------
    stem : str or Path
        Stem of the run; ``<stem>-polarizability.npz`` is read.
    skip_ps : float
        Initial time to exclude.
    temperature_K : float, optional
        By default the mean temperature of the run.
    bands : sequence of Band
        Ranges to integrate; by default those around all significant maxima.
    output : str or Path, optional
        Stem of the files; ``<output>.npz`` and ``<output>-summary.yml`` are written.
    overwrite : bool
        Replace earlier files of that name.
    **spectrum
        Resolution, window, quantum correction, laser, number of blocks and of molecules, and upper
        limit of the spectrum; see `raman_from_polarizability`.

    Raises
    ------
    FileNotFoundError
        If no polarizability was recorded.
    ValueError
        If the run is too short for the resolution.
    """
    files = prepared_output(output, overwrite)
    series, temperature_K, volume = read_series(stem, "polarizability", skip_ps, temperature_K)
    alpha = series.columns[COLUMN["polarizability"]]
    found = raman_from_polarizability(
        alpha, uniform_timestep(series.time_fs), temperature_K, **spectrum
    )
    lines = tuple(_line(found, band) for band in bands or _significant_bands(found))
    mean = alpha.mean(axis=0)
    result = RamanResult(
        spectrum=found,
        lines=lines,
        stem=Path(stem),
        samples=len(alpha),
        skip_ps=skip_ps,
        mean_polarizability_A3=mean,
        dielectric_tensor=np.eye(3) + 4 * np.pi * mean / volume if volume is not None else None,
        notes=(*_notes(found, lines), *limits_of_run(stem)),
    )
    if files is not None:
        write_result(files, result)
    return result


def _line(spectrum: RamanSpectrum, band: Band) -> Line:
    x, heights = spectrum.wavenumber_per_cm, spectrum.activity()[0]
    inside = (x >= band.low_per_cm) & (x <= band.high_per_cm)
    weights = np.clip(heights[inside], 0, None)
    limits = band.low_per_cm, band.high_per_cm
    return Line(
        band,
        float(np.average(x[inside], weights=weights)) if weights.sum() > 0 else math.nan,
        spectrum.integrated_activity(*limits),
        spectrum.depolarization(*limits),
    )


def _significant_bands(spectrum: RamanSpectrum) -> list[Band]:
    heights, errors = spectrum.activity()
    isotropic, anisotropic = (spectrum.activity(part)[0] for part in ("isotropic", "anisotropic"))
    # `relative_noise` is for three components; the isotropic part has one, the other five.
    noise = relative_noise(spectrum) * (math.sqrt(3) * isotropic + anisotropic)
    errors = np.fmax(errors, noise)
    return significant_bands(spectrum.wavenumber_per_cm, heights, errors)


def _notes(spectrum: RamanSpectrum, lines: Sequence[Line]) -> tuple[str, ...]:
    notes = [] if lines else ["no band exceeds the noise: run longer, or use a coarser resolution"]
    return (
        *notes,
        *spectrum_notes(spectrum.timestep_fs, spectrum.upto_per_cm, spectrum.n_blocks),
    )
