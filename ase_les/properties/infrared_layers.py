r"""Infrared absorption of layers of a film or interface.

.. math::
    \alpha_L(\omega) \propto \int_0^\infty \cos \omega t\,
        \langle \mathbf{J}_L(0) \cdot \mathbf{J}(t) \rangle_\mathrm{sym}\, dt, \qquad
    \mathbf{J}_L = \sum_i m_L(i)\, Z^*_i \mathbf{v}_i

with the current :math:`\mathbf{J} = \sum_L \mathbf{J}_L` of the whole structure, so that the layers
add up to the total spectrum of `ase_les.properties.infrared_spectrum`. A layer can have negative
absorption where its motion opposes that of the whole.

Components: *all* is the mean over the three directions, *in plane* and *normal* are normalized as
it, all = (2 · in plane + normal)/3. Along the normal of a film, the field inside is smaller than
outside, and longitudinal modes are seen.

References
----------
.. [1] M. Heyden, J. Sun, S. Funkner, G. Mathias, H. Forbert, M. Havenith, D. Marx, Proc. Natl.
   Acad. Sci. USA 107, 12068 (2010).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from ase_les.configuration import read_yaml
from ase_les.properties.correlation import (
    LagTransform,
    autocorrelation,
    fitting_lag_window,
    symmetric_correlation,
)
from ase_les.properties.infrared_spectrum import (
    InfraredSpectrum,
    check_spectrum_arguments,
    molar_scale,
)
from ase_les.properties.recorded_run import (
    RecordedRun,
    limits_of_run,
    read_recorded_run,
    series_path,
)
from ase_les.properties.spectral_peaks import Band, Peak, peaks
from ase_les.runs.output import RunFiles, prepared_output, write_result
from ase_les.runs.progress import NO_PROGRESS, Progress, task
from ase_les.simulation.charge_motion import electronic_dielectric
from ase_les.simulation.layer_currents import LayerCurrents
from ase_les.simulation.measuring import surface_layers
from ase_les.simulation.series import Series
from ase_les.simulation.surface_layers import SurfaceLayers
from ase_les.statistics import error_of_mean, fitting_blocks, in_blocks

COMPONENTS = ("all", "in plane", "normal")
_WEIGHTS = np.array([[1.0, 1.0, 1.0], [1.5, 1.5, 0.0], [0.0, 0.0, 3.0]])


@dataclass(frozen=True)
class LayerSpectra:
    """Absorption of layers with errors from blocks.

    Attributes
    ----------
    layers : tuple of str
    molecules : array, shape (layers,)
        Mean number of molecules of each layer.
    molar : array, shape (layers, 3, n)
        Absorption in km/mol per 1/cm, per mole of `total.molecules`; components as in `COMPONENTS`.
    blocks : array, shape (n_blocks, layers, 3, n)
    total : InfraredSpectrum
        Whole structure, all components.
    """

    layers: tuple[str, ...]
    molecules: np.ndarray
    molar: np.ndarray
    blocks: np.ndarray
    total: InfraredSpectrum

    @property
    def wavenumber_per_cm(self) -> np.ndarray:
        """Wave numbers (n,)."""
        return self.total.wavenumber_per_cm

    @property
    def errors(self) -> np.ndarray:
        """Standard errors (layers, 3, n)."""
        return error_of_mean(self.blocks)

    def spectrum(self, layer: int, component: str = "all") -> InfraredSpectrum:
        """Return the spectrum of a layer per mole of its own molecules.

        Parameters
        ----------
        component : {"all", "in plane", "normal"}
        """
        index = COMPONENTS.index(component)
        # An empty layer has no absorption either.
        scale = self.total.molecules / max(float(self.molecules[layer]), 1e-9)
        return replace(
            self.total,
            molar_absorption_km_per_mol_cm=scale * self.molar[layer, index],
            block_spectra=scale * self.blocks[:, layer, index],
            molecules=1,
            volume_A3=None,
        )


def layer_spectra(
    currents_eA_per_fs: np.ndarray,
    timestep_fs: float,
    temperature_K: float,
    layers: Sequence[str],
    molecules: np.ndarray,
    *,
    resolution_per_cm: float = 20.0,
    window: str = "gaussian",
    quantum_correction: str = "harmonic",
    blocks: int = 10,
    upto_per_cm: float = 5000.0,
) -> LayerSpectra:
    """Compute the absorption of layers from their currents.

    Parameters
    ----------
    currents_eA_per_fs : array, shape (n, layers, 3)
        Equally spaced in time; the last component is along the normal.
    timestep_fs, temperature_K, resolution_per_cm, window, quantum_correction, blocks, upto_per_cm
        See `infrared_from_current`.
    layers : sequence of str
        Names.
    molecules : array, shape (layers,)
        Mean number of molecules of each layer; the total is per mole of their sum.

    Raises
    ------
    ValueError
        If the run is too short for the resolution, or an argument is invalid.
    """
    currents = np.asarray(currents_eA_per_fs, dtype=float)
    whole = currents.sum(axis=1)
    n_molecules = max(round(float(np.sum(molecules))), 1)
    check_spectrum_arguments(whole, None, temperature_K, quantum_correction, n_molecules)
    if currents.shape[1] != len(layers):
        raise ValueError(f"{currents.shape[1]} currents for {len(layers)} layers")
    weights = fitting_lag_window(window, resolution_per_cm, timestep_fs, len(currents))
    n_blocks = fitting_blocks(blocks, len(currents), len(weights))
    transform = LagTransform(weights, timestep_fs, resolution_per_cm, upto_per_cm)
    scale = molar_scale(transform.frequency_Hz, temperature_K, quantum_correction) / n_molecules

    def absorption(series: np.ndarray) -> np.ndarray:
        # (..., time, layers, direction) to (..., layers, direction, time, 1).
        each = np.moveaxis(series, -3, -1)[..., None]
        every = each.sum(axis=-4, keepdims=True)
        parts = transform(symmetric_correlation(each, every, len(weights))).real
        return scale * np.einsum("cd,...ldn->...lcn", _WEIGHTS, parts)

    def absorption_of_all(series: np.ndarray) -> np.ndarray:
        return scale * transform(autocorrelation(series, len(weights))).real

    molar, parts = absorption(currents), absorption(in_blocks(currents, n_blocks))
    total = InfraredSpectrum(
        wavenumber_per_cm=transform.wavenumber_per_cm,
        molar_absorption_km_per_mol_cm=absorption_of_all(whole),
        block_spectra=absorption_of_all(in_blocks(whole, n_blocks)),
        volume_A3=None,
        molecules=n_molecules,
        temperature_K=float(temperature_K),
        timestep_fs=float(timestep_fs),
        resolution_per_cm=float(resolution_per_cm),
        window=window,
        quantum_correction=quantum_correction,
        upto_per_cm=float(upto_per_cm),
        length_fs=len(currents) * float(timestep_fs),
    )
    return LayerSpectra(tuple(layers), np.asarray(molecules, dtype=float), molar, parts, total)


@dataclass(frozen=True)
class LayerResult:
    """Infrared spectra of layers of a run.

    Attributes
    ----------
    spectra : LayerSpectra
    run : RecordedRun
    peaks : mapping of str to tuple of Peak
        By layer, per molecule of the layer.
    dipoles_eA : array, shape (layers, 3), or None
        Mean dipole per molecule of each layer, outward component last.
    notes : tuple of str
    """

    spectra: LayerSpectra
    run: RecordedRun
    peaks: Mapping[str, tuple[Peak, ...]]
    dipoles_eA: np.ndarray | None
    notes: tuple[str, ...]

    def arrays(self) -> dict[str, np.ndarray]:
        """Return spectra and errors by name."""
        spectra = self.spectra
        return {
            "wavenumber_per_cm": spectra.wavenumber_per_cm,
            "layers": np.array(spectra.layers),
            "components": np.array(COMPONENTS),
            "molecules": spectra.molecules,
            "molar_absorption_km_per_mol_cm": spectra.molar,
            "molar_error_km_per_mol_cm": spectra.errors,
            "total_km_per_mol_cm": spectra.total.molar_absorption_km_per_mol_cm,
            "total_error_km_per_mol_cm": spectra.total.molar_error_km_per_mol_cm,
        }

    def summary(self) -> dict[str, object]:
        """Return the result as plain containers for YAML and JSON."""
        spectra, total = self.spectra, self.spectra.total
        layers = {}
        for index, name in enumerate(spectra.layers):
            layers[name] = {
                "molecules": float(spectra.molecules[index]),
                "outward_dipole_per_molecule_eA": None
                if self.dipoles_eA is None
                else float(self.dipoles_eA[index, 2]),
                "peaks": {
                    peak.band.name: {
                        "center_per_cm": peak.center_per_cm,
                        "height_km_per_mol_cm": peak.height,
                        "intensity_km_per_mol": peak.intensity_km_per_mol,
                    }
                    for peak in self.peaks[name]
                },
            }
        return {
            "task": "infrared spectra of layers",
            "input": self.run.summary(),
            "settings": {
                "resolution_per_cm": total.resolution_per_cm,
                "window": total.window,
                "quantum_correction": total.quantum_correction,
                "blocks": total.n_blocks,
                "temperature_K": total.temperature_K,
            },
            "notes": list(self.notes),
            "unit_of_height": "km/mol cm, per molecule of the layer",
            "layers": layers,
        }


def record_layers(
    frames: Iterable[Atoms],
    calculator: Any,
    layers: SurfaceLayers,
    interval_fs: float,
    progress: Progress = NO_PROGRESS,
) -> Series:
    """Return the currents of layers of a finished trajectory with velocities.

    Parameters
    ----------
    frames : iterable of Atoms
        Equally spaced.
    calculator : ASE calculator
        With Born charges.
    interval_fs : float
        Time between frames.

    Raises
    ------
    ValueError
        If there are no frames, or they have no velocities.
    """
    measured: LayerCurrents | None = None
    rows, temperatures = [], []
    with task(progress, len(frames) if isinstance(frames, Sized) else 0, "frames"):
        for frame in frames:
            atoms = frame.copy()
            atoms.calc = calculator
            if not atoms.get_momenta().any():
                raise ValueError("currents need velocities, which the trajectory does not contain")
            if measured is None:
                measured = LayerCurrents(atoms, layers)
            rows.append(measured.measure(atoms))
            temperatures.append(atoms.get_temperature())
            progress.advance()
    if measured is None:
        raise ValueError("the trajectory contains no frames")
    ends = np.cumsum([math.prod(shape) for shape in measured.columns.values()])[:-1]
    parts = np.split(np.array(rows), ends, axis=1)
    columns = {
        name: part.reshape(len(rows), *shape)
        for (name, shape), part in zip(measured.columns.items(), parts, strict=True)
    }
    time_fs = interval_fs * np.arange(len(rows))
    columns["temperature_K"] = np.array(temperatures)
    return Series(time_fs, columns, electronic_dielectric(atoms))


def infrared_of_layers(
    stem: str | Path,
    *,
    layers: SurfaceLayers | None = None,
    epsilon_infinity: float | None = None,
    recorded: str | None = None,
    skip_ps: float = 0.0,
    temperature_K: float | None = None,
    bands: Sequence[Band] = (),
    notes: Sequence[str] = (),
    output: str | Path | None = None,
    overwrite: bool = False,
    **spectrum: Any,
) -> LayerResult:
    """Compute the spectra of layers of a run that observed them.

    Parameters
    ----------
    stem : str or Path
        Stem of the run: ``<stem>-layers.npz`` is read.
    layers : SurfaceLayers, optional
        Definition of the layers; by default from the summary of the run.
    epsilon_infinity, recorded, skip_ps, temperature_K, bands, output, overwrite
        See `infrared_from_run`. Bands are those of each layer.
    notes : sequence of str
        Further notes for the result.
    **spectrum
        See `layer_spectra`.

    Raises
    ------
    FileNotFoundError
        If the run did not observe layers.
    ValueError
        If the run is too short for the resolution.
    """
    files = prepared_output(output, overwrite)
    run = read_recorded_run(
        stem,
        "layers",
        skip_ps=skip_ps,
        temperature_K=temperature_K,
        epsilon_infinity=epsilon_infinity,
        recorded=recorded,
    )
    series = Series.load(series_path(stem, "layers"))
    chosen = series.time_fs >= skip_ps * 1e3
    molecules = series.columns["layer_molecules"][chosen].mean(axis=0)
    names = layer_names(stem, layers, len(molecules))
    found = layer_spectra(
        run.moments, run.timestep_fs, run.temperature_K, names, molecules, **spectrum
    )
    dipoles = None
    if "layer_dipole_eA" in series.columns:
        total = series.columns["layer_dipole_eA"][chosen].mean(axis=0)
        dipoles = run.screening.factor * total / np.maximum(molecules, 1e-9)[:, None]
    result = LayerResult(
        found,
        run,
        {name: peaks(found.spectrum(index), bands) for index, name in enumerate(names)},
        dipoles,
        (*_notes(found), *limits_of_run(stem), *notes),
    )
    if files is not None:
        write_result(files, result)
    return result


def layer_names(stem: str | Path, layers: SurfaceLayers | None, number: int) -> tuple[str, ...]:
    """Return names of the given layers, of those in the summary of a run, or numbers."""
    if layers is None:
        options = observed_options(stem, "layers")
        if options is None:
            return tuple(f"layer {index + 1}" for index in range(number))
        layers = surface_layers(options)[0]
    if len(layers.names) != number:
        raise ValueError(f"the run recorded {number} layers, given are {len(layers.names)}")
    return layers.names


def observed_options(stem: str | Path, name: str) -> Mapping[str, Any] | None:
    """Return the options of an observable in the summary of a run; None if there is none."""
    path = RunFiles(Path(stem)).summary
    try:
        summary: Any = read_yaml(path) if path.exists() else {}
        settings = summary["input"]["settings"]
    except (KeyError, TypeError, ValueError):
        return None
    for part in (settings, *(settings.get("stages") or ())):
        options = (part.get("observe") or {}).get(name)
        if options is not None:
            return options
    return None


def _notes(found: LayerSpectra) -> tuple[str, ...]:
    notes = []
    if found.total.n_blocks < 2:
        notes.append("the run is too short for an error band at this resolution")
    few = [name for name, count in zip(found.layers, found.molecules, strict=True) if count < 1]
    if few:
        notes.append(f"fewer than one molecule in {', '.join(few)}: its spectrum is noise")
    return tuple(notes)
