"""Infrared spectrum of a molecular dynamics run: from its recorded current to files and figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.constants import speed_of_light

from ase_les.properties.infrared_spectrum import InfraredSpectrum, infrared_from_current
from ase_les.properties.recorded_run import RecordedRun, read_recorded_run
from ase_les.properties.spectral_peaks import (
    Band,
    Peak,
    peak_table,
    peaks,
    without_verlet_shift,
)
from ase_les.reports import figures, terminal
from ase_les.reports.figures import Panel
from ase_les.reports.terminal import columns_table
from ase_les.runs.output import OutputFiles, prepared_output, write_arrays, write_summary

__all__ = [
    "Band",
    "InfraredResult",
    "InfraredSpectrum",
    "Peak",
    "infrared_from_current",
    "infrared_from_run",
    "peak_table",
    "peaks",
    "read_reference_spectrum",
    "without_verlet_shift",
]


@dataclass(frozen=True)
class InfraredResult:
    """Spectrum and peaks of one run, with what they are from."""

    spectrum: InfraredSpectrum
    peaks: tuple[Peak, ...]
    run: RecordedRun
    notes: tuple[str, ...]
    reference: str | None = None

    def summary(self) -> dict[str, object]:
        """Plain containers for YAML and JSON."""
        spectrum = self.spectrum
        condensed = spectrum.volume_A3 is not None
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
                "reference": self.reference,
            },
            "notes": list(self.notes),
            "unit_of_height": "1/cm" if condensed else "km/mol cm",
            "peaks": {
                peak.band.name: {
                    "between_per_cm": [peak.band.low_per_cm, peak.band.high_per_cm],
                    "centre_per_cm": peak.centre_per_cm,
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
    resolution_per_cm: float = 20.0,
    window: str = "gaussian",
    quantum_correction: str = "harmonic",
    blocks: int = 10,
    molecules: int = 1,
    upto_per_cm: float = 5000.0,
    bands: Sequence[Band] = (),
    reference: str | Path | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    quiet: bool = False,
) -> InfraredResult:
    """Infrared spectrum of a molecular dynamics run that recorded its current.

    Parameters
    ----------
    stem : str or Path
        Of the run: ``<stem>-current.npz`` is read.
    epsilon_infinity, recorded
        See `ElectronicScreening`: 1.78 and "latent" for bulk water with latent charges. None is
        what the calculator of the run had.
    skip_ps : float
        What was recorded earlier in the run is left out.
    temperature_K : float, optional
        By default the mean of the run.
    resolution_per_cm, window, quantum_correction, blocks, molecules, upto_per_cm
        See `infrared_from_current`.
    bands : sequence of Band
        Where to look for peaks; by default every maximum that stands out.
    reference : str or Path, optional
        A measured or calculated spectrum to draw beside: text, wave number in 1/cm and intensity.
        It is scaled to the height of the calculated one.
    output : str or Path, optional
        Stem of the files to write: ``-summary.yml``, ``.npz`` and ``.png``.
    overwrite : bool
        Allow earlier files of that name to be replaced.
    quiet : bool
        Print nothing.

    Raises
    ------
    FileNotFoundError
        If the run recorded no current; says how to.
    ValueError
        If the run is too short.
    """
    files = prepared_output(output, overwrite)
    compared = None if reference is None else read_reference_spectrum(reference)
    run = read_recorded_run(
        stem,
        "current",
        skip_ps=skip_ps,
        temperature_K=temperature_K,
        epsilon_infinity=epsilon_infinity,
        recorded=recorded,
    )
    spectrum = infrared_from_current(
        run.moments,
        run.timestep_fs,
        run.volume_A3,
        run.temperature_K,
        resolution_per_cm=resolution_per_cm,
        window=window,
        quantum_correction=quantum_correction,
        blocks=blocks,
        molecules=molecules,
        upto_per_cm=upto_per_cm,
    )
    result = InfraredResult(
        spectrum,
        peaks(spectrum, bands),
        run,
        _notes(spectrum, upto_per_cm),
        None if reference is None else str(reference),
    )
    if files is not None:
        _write(files, result, compared)
    _tell(result, quiet)
    return result


def read_reference_spectrum(path: str | Path) -> np.ndarray:
    """Two columns of a text file, wave number in 1/cm and intensity, shape (n, 2), ascending.

    Raises
    ------
    ValueError
        If these are not two columns of numbers.
    """
    try:
        table = np.loadtxt(path, delimiter="," if str(path).endswith(".csv") else None, ndmin=2)
    except ValueError as error:
        raise ValueError(
            f"{path}: a reference spectrum is a text of two columns, 1/cm and intensity, with # "
            f"before comments: {error}"
        ) from error
    if table.shape[1] < 2 or len(table) < 2:
        raise ValueError(f"{path}: two columns (1/cm, intensity) are needed, got {table.shape[1]}")
    return table[np.argsort(table[:, 0]), :2]


def _notes(spectrum: InfraredSpectrum, upto_per_cm: float) -> tuple[str, ...]:
    notes = []
    nyquist = 1e13 / (2 * speed_of_light * spectrum.timestep_fs)
    longest = math.floor(10 * spectrum.timestep_fs * nyquist / upto_per_cm) / 10
    if nyquist < upto_per_cm:
        notes.append(
            f"recorded every {spectrum.timestep_fs:g} fs: vibrations above {nyquist:.0f} 1/cm are "
            f"folded into the spectrum; record it every {longest:g} fs or more often"
        )
    if spectrum.n_blocks < 2:
        notes.append("too short for an error band at this resolution")
    return tuple(notes)


def _write(files: OutputFiles, result: InfraredResult, reference: np.ndarray | None) -> None:
    spectrum = result.spectrum
    x = spectrum.wavenumber_per_cm
    columns = {
        "wavenumber_per_cm": x,
        "molar_absorption_km_per_mol_cm": spectrum.molar_absorption_km_per_mol_cm,
        "molar_error_km_per_mol_cm": spectrum.molar_error_km_per_mol_cm,
    }
    label, values, errors = (
        "molar absorption\n(km/mol per cm⁻¹)",
        spectrum.molar_absorption_km_per_mol_cm,
        spectrum.molar_error_km_per_mol_cm,
    )
    if spectrum.volume_A3 is not None:
        label, values = "α(ω) n(ω) (cm⁻¹)", spectrum.absorption_per_cm
        errors = spectrum.absorption_error_per_cm
        columns |= {"absorption_per_cm": values, "absorption_error_per_cm": errors}
    curves = {"molecular dynamics": values}
    if reference is not None:
        beside = np.interp(x, *reference.T, left=np.nan, right=np.nan)
        if np.isfinite(beside).any():
            scale = values.max() / np.nanmax(beside)
            curves[f"{Path(result.reference).stem}, scaled to the same height"] = scale * beside
            columns["reference_scaled"] = scale * beside
    write_arrays(files.arrays, columns)
    panel = Panel(label, curves, bands={"molecular dynamics": errors})
    figures.save_figure(files.figure, x, "wave number (cm⁻¹)", [panel])
    write_summary(files.summary, result.summary())


def _tell(result: InfraredResult, quiet: bool) -> None:
    console = terminal.console(quiet)
    unit = "1/cm" if result.spectrum.volume_A3 is not None else "km/mol cm"
    rows = [
        (
            peak.band.name,
            str(peak.centre_per_cm),
            str(peak.height),
            str(peak.width_per_cm),
            str(peak.intensity_km_per_mol),
        )
        for peak in result.peaks
    ]
    heads = ("band", "centre / (1/cm)", f"height / ({unit})", "width / (1/cm)", "km/mol")
    console.print(columns_table(str(result.run.stem), heads, rows))
    for note in result.notes:
        console.print(f"Note: {note}", markup=False, highlight=False, soft_wrap=True)
