r"""Infrared absorption from the electric current of a molecular dynamics run.

.. math::
    \alpha(\omega)\, n(\omega) = \frac{1}{3 \varepsilon_\mathrm{vac} c V k_B T}
        \int_0^\infty \cos \omega t \, \langle \mathbf{J}(0) \cdot \mathbf{J}(t) \rangle \, dt,
    \qquad \mathbf{J} = \sum_i Z^*_i \mathbf{v}_i = \frac{d\mathbf{M}}{dt}

=================================  ==============================================================
Symbol                             Code
=================================  ==============================================================
:math:`\alpha n`                   ``absorption_per_cm`` (1/cm), α the Napierian coefficient
:math:`\omega = 2\pi c\tilde\nu`   ``wavenumber_per_cm``
:math:`\mathbf{J}`                 ``current_eA_per_fs`` (e Å/fs)
:math:`V, T`                       ``volume_A3``, ``temperature_K``
=================================  ==============================================================

**Where the quantum correction is.** The golden rule asks for the quantum correlation of the dipole,

.. math::
    \alpha n = \frac{\omega\,(1 - e^{-\beta\hbar\omega})}{6 \varepsilon_\mathrm{vac} c V \hbar}
        \int_{-\infty}^\infty e^{i\omega t} \langle \mathbf{M}(0)\cdot\mathbf{M}(t)\rangle_q \, dt .

Classical dynamics gives the classical correlation. Its transform times the harmonic factor
:math:`Q = \beta\hbar\omega / (1 - e^{-\beta\hbar\omega})`, which is exact for harmonic motion,
loses the bracket and leaves :math:`\beta\omega^2` times the transform of ⟨M·M⟩, which is
:math:`\beta` times that of ⟨J·J⟩: the equation on top. So ``quantum_correction="harmonic"`` is
the equation as it stands, the same as classical linear response, and ``"none"`` (the classical
correlation put into the golden rule) is that divided by :math:`Q`: 16 at 3400 1/cm and 300 K.

**Molecules.** Without a volume there is no α, but the molar absorption coefficient
:math:`\alpha V N_A` is there, whose integral over a band is its intensity in km/mol:
:math:`N_A |\partial\mu/\partial Q|^2 / (12 \varepsilon_\mathrm{vac} c^2)` for a harmonic mode.

**Time step.** Velocity Verlet with step Δt moves a line from ω to
:math:`(2/\Delta t) \arcsin(\omega\Delta t/2)`: 15 1/cm too high at 3400 1/cm for 0.5 fs.
`without_verlet_shift` takes that back.

References
----------
.. [1] R. Ramírez, T. López-Ciudad, P. Kumar, D. Marx, J. Chem. Phys. 121, 3973 (2004).
.. [2] P. H. Berens, K. R. Wilson, J. Chem. Phys. 74, 4872 (1981).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.constants import (
    Avogadro,
    Boltzmann,
    elementary_charge,
    epsilon_0,
    hbar,
    speed_of_light,
)
from scipy.fft import next_fast_len, rfft
from scipy.integrate import trapezoid
from scipy.signal import find_peaks

from ase_les import reporting
from ase_les.properties.analysis_files import AnalysisFiles, columns_table, save_arrays
from ase_les.properties.correlation import (
    autocorrelation,
    error_of_mean,
    fitting_blocks,
    fitting_lag_window,
    in_blocks,
)
from ase_les.properties.recorded_run import (
    ElectronicScreening,
    RecordedRun,
    read_recorded_run,
)
from ase_les.reporting import Estimate, Panel

QUANTUM_CORRECTIONS = ("harmonic", "none")
#: Points of the spectrum per resolution, so that a line has a shape.
POINTS_PER_RESOLUTION = 10


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
        The same from each block of the run alone.
    volume_A3 : float or None
        None for a molecule in vacuum.
    molecules : int
        In that volume.
    temperature_K, timestep_fs, resolution_per_cm : float
    window, quantum_correction : str
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

    @property
    def n_blocks(self) -> int:
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
                "a molecule in vacuum has no volume and no absorption coefficient; use "
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


@dataclass(frozen=True)
class Band:
    """A named range of wave numbers that holds one maximum."""

    name: str
    low_per_cm: float
    high_per_cm: float


@dataclass(frozen=True)
class Peak:
    """The maximum in a band, nan if there is none but a slope; errors by jackknife over blocks.

    Attributes
    ----------
    band : Band
    centre_per_cm : Estimate
    height : Estimate
        In 1/cm (α n), or km/mol per 1/cm for a molecule.
    width_per_cm : Estimate
        Full width at half maximum; nan where the absorption does not fall to one half in the band.
    intensity_km_per_mol : Estimate
        Integral over the band, per molecule.
    """

    band: Band
    centre_per_cm: Estimate
    height: Estimate
    width_per_cm: Estimate
    intensity_km_per_mol: Estimate


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
    """Absorption from a current recorded at every step.

    Parameters
    ----------
    current_eA_per_fs : array, shape (n, 3)
        J = ΣZ*v in e Å/fs, with physical Born charges (times √ε∞ for screened latent charges).
    timestep_fs : float
        Between samples, in fs: 0.5 or less.
    volume_A3 : float or None
        None for a molecule in vacuum.
    temperature_K : float
        Of the run.
    resolution_per_cm : float
        Full width at half maximum that an infinitely narrow line gets. The finer, the longer the
        lags that are needed and the larger the noise.
    window : {"gaussian", "hann"}
        See `lag_window`.
    quantum_correction : {"harmonic", "none"}
        See the module.
    blocks : int
        Most blocks for the error band; fewer when they would be shorter than the window.
    molecules : int
        That the molar quantities are divided by.
    upto_per_cm : float
        Where the spectrum ends.

    Raises
    ------
    ValueError
        If the run is too short for the resolution, or anything given makes no sense.
    """
    current = np.asarray(current_eA_per_fs, dtype=float)
    _refuse_nonsense(current, volume_A3, temperature_K, quantum_correction, molecules)
    weights = fitting_lag_window(window, resolution_per_cm, timestep_fs, len(current))
    n_blocks = fitting_blocks(blocks, len(current), len(weights))
    # Cosine transform by the trapezoidal rule, on a grid fine enough to show the line shape.
    per_point = resolution_per_cm / POINTS_PER_RESOLUTION
    size = max(2 * len(weights), math.ceil(1e13 / (speed_of_light * per_point * timestep_fs)))
    size = next_fast_len(size, real=True)
    frequency_Hz = np.arange(size // 2 + 1) / (size * timestep_fs * 1e-15)
    wavenumber = frequency_Hz / (100 * speed_of_light)
    kept = wavenumber <= upto_per_cm
    weights[0] *= 0.5

    def transform(correlation: np.ndarray) -> np.ndarray:
        return timestep_fs * rfft(correlation * weights, size)[..., kept].real

    whole = transform(autocorrelation(current, len(weights)))
    parts = transform(autocorrelation(in_blocks(current, n_blocks), len(weights)))
    # (e Å/fs)² fs in SI, and from m²/mol to km/mol per 1/cm.
    si = elementary_charge**2 * 1e-20 / 1e-30 * 1e-15
    scale = 0.1 * Avogadro * si / (3 * epsilon_0 * speed_of_light * Boltzmann * temperature_K)
    scale = scale / molecules
    if quantum_correction == "none":
        quanta = hbar * 2 * np.pi * frequency_Hz[kept] / (Boltzmann * temperature_K)
        scale = scale / _harmonic_factor(quanta)
    return InfraredSpectrum(
        wavenumber_per_cm=wavenumber[kept],
        molar_absorption_km_per_mol_cm=scale * whole,
        block_spectra=scale * parts,
        volume_A3=None if volume_A3 is None else float(volume_A3),
        molecules=molecules,
        temperature_K=float(temperature_K),
        timestep_fs=float(timestep_fs),
        resolution_per_cm=float(resolution_per_cm),
        window=window,
        quantum_correction=quantum_correction,
    )


def infrared_from_run(
    stem: str | Path,
    *,
    epsilon_infinity: float = 1.0,
    recorded: str = "latent",
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
        See `ElectronicScreening`: 1.78 and "latent" for bulk water with latent charges.
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
    files = AnalysisFiles.prepared(output, overwrite)
    compared = None if reference is None else read_reference_spectrum(reference)
    run = read_recorded_run(
        stem,
        "current",
        skip_ps=skip_ps,
        temperature_K=temperature_K,
        screening=ElectronicScreening(epsilon_infinity, recorded),
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


def peaks(spectrum: InfraredSpectrum, bands: Sequence[Band] = ()) -> tuple[Peak, ...]:
    """The maximum of every band, or every maximum that stands out of the noise.

    Parameters
    ----------
    spectrum : InfraredSpectrum
    bands : sequence of Band
        None given: maxima that rise above their surroundings by more than three standard errors
        and 2 % of the highest, each with the range down to its neighbouring minima.
    """
    found = bands or _standing_out(spectrum)
    return tuple(
        _peak(spectrum, band)
        for band in found
        if np.count_nonzero(_inside(spectrum.wavenumber_per_cm, band)) >= 3
    )


def without_verlet_shift(
    wavenumber_per_cm: float | np.ndarray, md_timestep_fs: float
) -> float | np.ndarray:
    r"""Frequency of a harmonic mode from the one that velocity Verlet gives it.

    .. math::
        \omega = \frac{2}{\Delta t} \sin \frac{\omega' \Delta t}{2}

    Parameters
    ----------
    wavenumber_per_cm : float or array
        :math:`\omega'/2\pi c`, as found in the spectrum.
    md_timestep_fs : float
        :math:`\Delta t` of the dynamics.
    """
    half_step = np.pi * 100 * speed_of_light * md_timestep_fs * 1e-15
    return np.sin(half_step * np.asarray(wavenumber_per_cm)) / half_step


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


def _refuse_nonsense(
    current: np.ndarray,
    volume_A3: float | None,
    temperature_K: float,
    quantum_correction: str,
    molecules: int,
) -> None:
    if current.ndim != 2 or current.shape[1] != 3:
        raise ValueError(f"the current must have the shape (n, 3), got {current.shape}")
    if not np.isfinite(current).all():
        raise ValueError("the current is not finite everywhere; was the run stable?")
    if volume_A3 is not None and not volume_A3 > 0:
        raise ValueError(f"`volume_A3` must be positive, or None for a molecule, got {volume_A3}")
    if not temperature_K > 0:
        raise ValueError(f"`temperature_K` must be positive, got {temperature_K}")
    if quantum_correction not in QUANTUM_CORRECTIONS:
        raise ValueError(
            f"`quantum_correction` must be one of {', '.join(QUANTUM_CORRECTIONS)}, "
            f"got {quantum_correction!r}"
        )
    if molecules < 1:
        raise ValueError(f"`molecules` must be at least 1, got {molecules}")


def _harmonic_factor(quanta: np.ndarray) -> np.ndarray:
    """x/(1 − exp(−x)), 1 at x = 0."""
    safe = np.where(quanta == 0, 1.0, quanta)
    return np.where(quanta == 0, 1.0, safe / -np.expm1(-safe))


def _notes(spectrum: InfraredSpectrum, upto_per_cm: float) -> tuple[str, ...]:
    notes = []
    nyquist = 1e13 / (2 * speed_of_light * spectrum.timestep_fs)
    if nyquist < upto_per_cm:
        notes.append(
            f"recorded every {spectrum.timestep_fs:g} fs: vibrations above {nyquist:.0f} 1/cm are "
            "folded into the spectrum; record every step"
        )
    if spectrum.n_blocks < 2:
        notes.append("too short for an error band at this resolution")
    return tuple(notes)


def _inside(wavenumber: np.ndarray, band: Band) -> np.ndarray:
    return (wavenumber >= band.low_per_cm) & (wavenumber <= band.high_per_cm)


def _standing_out(spectrum: InfraredSpectrum) -> list[Band]:
    heights = spectrum.molar_absorption_km_per_mol_cm
    highest = heights.max(initial=0.0)
    if not highest > 0:
        return []
    top, shape = find_peaks(heights, prominence=0.02 * highest)
    error = spectrum.molar_error_km_per_mol_cm[top]
    clear = ~(shape["prominences"] < 3 * error)
    x = spectrum.wavenumber_per_cm
    top = top[clear]
    # Neighbouring peaks share the lowest point between them.
    between = [a + int(np.argmin(heights[a:b])) for a, b in pairwise(top)]
    edges = [0, *between, len(x) - 1]
    return [
        Band(f"{x[peak]:.0f}", float(x[left]), float(x[right]))
        for peak, left, right in zip(top, edges[:-1], edges[1:], strict=True)
    ]


def _peak(spectrum: InfraredSpectrum, band: Band) -> Peak:
    inside = _inside(spectrum.wavenumber_per_cm, band)
    x = spectrum.wavenumber_per_cm[inside]
    unit = 1.0 if spectrum.volume_A3 is None else spectrum._per_cm
    whole = np.array(_shape(x, spectrum.molar_absorption_km_per_mol_cm[inside]))
    errors = np.full(3, np.nan)
    n = spectrum.n_blocks
    if n >= 2:
        blocks = spectrum.block_spectra[:, inside]
        left_out = (blocks.sum(axis=0) - blocks) / (n - 1)
        shapes = np.array([_shape(x, each) for each in left_out])
        errors = np.sqrt((n - 1) / n * ((shapes - shapes.mean(axis=0)) ** 2).sum(axis=0))
    centre, height, width = (
        Estimate(*map(float, pair)) for pair in zip(whole, errors, strict=True)
    )
    return Peak(
        band,
        centre,
        Estimate(height.mean * unit, height.standard_error * unit),
        width,
        spectrum.integrated_intensity_km_per_mol(band.low_per_cm, band.high_per_cm),
    )


def _shape(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Centre and height of the parabola through the top, and full width at half maximum."""
    top = int(np.argmax(y))
    if not 0 < top < len(x) - 1:
        return math.nan, math.nan, math.nan
    below, above = y[top] - y[top - 1], y[top] - y[top + 1]
    shift = 0.5 * (below - above) / (below + above) if below + above > 0 else 0.0
    centre = x[top] + shift * (x[1] - x[0])
    height = y[top] + 0.25 * (below - above) * shift
    under = y < 0.5 * height
    left, right = np.flatnonzero(under[:top]), np.flatnonzero(under[top:])
    if len(left) == 0 or len(right) == 0:
        return float(centre), float(height), math.nan
    i, j = left[-1], top + right[0]
    rising = np.interp(0.5 * height, y[i : i + 2], x[i : i + 2])
    falling = np.interp(0.5 * height, y[j - 1 : j + 1][::-1], x[j - 1 : j + 1][::-1])
    return float(centre), float(height), float(falling - rising)


def _write(files: AnalysisFiles, result: InfraredResult, reference: np.ndarray | None) -> None:
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
    save_arrays(files.series, columns)
    panel = Panel(label, curves, bands={"molecular dynamics": errors})
    reporting.save_figure(files.figure, x, "wave number (cm⁻¹)", [panel])
    reporting.write_summary(files.summary, result.summary())


def _tell(result: InfraredResult, quiet: bool) -> None:
    console = reporting.console(quiet)
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


def peak_table(
    found: Sequence[Peak], md_timestep_fs: float, references: Mapping[str, Mapping[str, str]]
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Heads and rows of a table of peak centres beside references.

    Parameters
    ----------
    found : sequence of Peak
    md_timestep_fs : float
        Of the dynamics, to take back the shift that its time step causes.
    references : mapping
        By name, then by name of the band: what to print.
    """
    heads = ("band", "MD / (1/cm)", "without time-step error", *references)
    rows = []
    for peak in found:
        corrected = replace(
            peak.centre_per_cm,
            mean=float(without_verlet_shift(peak.centre_per_cm.mean, md_timestep_fs)),
        )
        beside = (reference.get(peak.band.name, "") for reference in references.values())
        rows.append((peak.band.name, str(peak.centre_per_cm), str(corrected), *beside))
    return heads, rows
