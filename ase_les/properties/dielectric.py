r"""Dielectric constant and spectrum of a bulk from the fluctuations of its dipole.

Under periodic boundaries with an Ewald sum (tin foil around the sample), linear response gives

.. math::
    \varepsilon_0 = \varepsilon_\infty
        + \frac{\langle \delta\mathbf{M}^2 \rangle}{3 \varepsilon_\mathrm{vac} V k_B T},
    \qquad
    \varepsilon_{\alpha\beta} = \varepsilon_\infty \delta_{\alpha\beta}
        + \frac{\langle \delta M_\alpha \delta M_\beta \rangle}{\varepsilon_\mathrm{vac} V k_B T}

.. math::
    \varepsilon(\omega) = \varepsilon_\infty - \frac{1}{3 \varepsilon_\mathrm{vac} V k_B T}
        \int_0^\infty e^{i\omega t}
        \frac{d}{dt} \langle \delta\mathbf{M}(0)\cdot\delta\mathbf{M}(t) \rangle\, dt
    = \varepsilon_\infty + \frac{i \sigma(\omega)}{\varepsilon_\mathrm{vac}\, \omega},
    \qquad
    \sigma(\omega) = \frac{1}{3 V k_B T} \int_0^\infty e^{i\omega t}
        \langle \mathbf{J}(0)\cdot\mathbf{J}(t) \rangle\, dt

===============================  ================================================================
Symbol                           Code
===============================  ================================================================
:math:`\mathbf{M}`               physical dipole of the whole cell (volume times polarization) in
                                 e Å, on one branch; :math:`\mathbf{J}` its time derivative
:math:`\varepsilon_\infty`       ``epsilon_infinity``, of the electrons
:math:`\varepsilon''`            ``loss``, positive where light is absorbed
===============================  ================================================================

Latent moments are :math:`\sqrt{\varepsilon_\infty}` smaller than physical ones: with them
:math:`\varepsilon_0/\varepsilon_\infty = 1 + \langle \delta M_\mathrm{latent}^2 \rangle / (3
\varepsilon_\mathrm{vac} V k_B T)`.

Mobile ions carry the itinerant dipole away without bound: its fluctuation then grows with the
length of the run, and the static constant does not exist. `rotational_dipole` leaves translation
out; the conductivity is in `ase_les.properties.conductivity`.

References
----------
.. [1] M. Neumann, Mol. Phys. 50, 841 (1983).
.. [2] J. M. Caillol, D. Levesque, J. J. Weis, J. Chem. Phys. 85, 6645 (1986).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from ase import Atoms
from scipy.constants import Boltzmann, elementary_charge, epsilon_0, speed_of_light
from scipy.fft import fft, next_fast_len

from ase_les import reporting
from ase_les.properties.analysis_files import AnalysisFiles, save_arrays
from ase_les.properties.correlation import (
    autocorrelation,
    error_of_mean,
    fitting_blocks,
    fitting_lag_window,
    in_blocks,
)
from ase_les.properties.ions import is_cation
from ase_les.properties.molecules import molecular_dipoles
from ase_les.properties.recorded_run import (
    ElectronicScreening,
    RecordedRun,
    read_frames,
    read_recorded_run,
    series_path,
)
from ase_les.reporting import Estimate, Panel, block_average

POINTS_PER_RESOLUTION = 5
#: Halves of a run that differ by more than this many standard errors are said to differ.
DIFFERENT = 3.0
#: A fluctuation that much larger in the whole than in its quarters grows with time.
GROWING = 2.0


#: Of the changes of a dipole and the integral of its current; coarse sampling explains less.
LARGEST_MISMATCH = 0.5


@dataclass(frozen=True)
class StaticDielectric:
    """Static dielectric constant with its error and signs of missing convergence.

    Attributes
    ----------
    epsilon : Estimate
        :math:`\\varepsilon_0`, isotropic average.
    tensor, tensor_error : array, shape (3, 3)
    epsilon_infinity : float
    first_half, second_half : float
        The same from half of the run alone.
    growth : float
        Fluctuation in the whole run over that within its quarters, about 1 when converged.
    temperature_K, volume_A3, length_ps : float
    notes : tuple of str
        What speaks against the number.
    """

    epsilon: Estimate
    tensor: np.ndarray
    tensor_error: np.ndarray
    epsilon_infinity: float
    first_half: float
    second_half: float
    growth: float
    temperature_K: float
    volume_A3: float
    length_ps: float
    notes: tuple[str, ...]


@dataclass(frozen=True)
class DielectricSpectrum:
    """Complex dielectric function; errors are those of block averages.

    Attributes
    ----------
    wavenumber_per_cm : array, shape (n,)
        From the resolution on; nothing below it is resolved.
    real, loss, real_error, loss_error : array, shape (n,)
    source : {"current", "dipole"}
    resolution_per_cm : float
    n_blocks : int
    """

    wavenumber_per_cm: np.ndarray
    real: np.ndarray
    loss: np.ndarray
    real_error: np.ndarray
    loss_error: np.ndarray
    source: str
    resolution_per_cm: float
    n_blocks: int


@dataclass(frozen=True)
class DielectricResult:
    """Static constant (if the dipole is known) and spectrum of one run."""

    static: StaticDielectric | None
    spectrum: DielectricSpectrum
    runs: tuple[RecordedRun, ...]
    notes: tuple[str, ...]

    def summary(self) -> dict[str, object]:
        """Plain containers for YAML and JSON."""
        return {
            "task": "dielectric constant and spectrum",
            "input": [run.summary() for run in self.runs],
            "spectrum": {
                "source": self.spectrum.source,
                "resolution_per_cm": self.spectrum.resolution_per_cm,
                "blocks": self.spectrum.n_blocks,
            },
            "static": self.static,
            "notes": [*self.notes, *(self.static.notes if self.static else ())],
        }


def static_dielectric(
    dipole_eA: np.ndarray,
    timestep_fs: float,
    volume_A3: float,
    temperature_K: float,
    *,
    epsilon_infinity: float = 1.0,
) -> StaticDielectric:
    r"""Static dielectric constant from a series of physical dipoles.

    The mean dipole is not known but estimated, which takes from the fluctuation about it, on
    average, the variance of that mean; it is added again:
    :math:`\langle\delta M^2\rangle = \overline{(M-\bar M)^2} + \mathrm{SE}(\bar M)^2`.

    Parameters
    ----------
    dipole_eA : array, shape (n, 3)
        Itinerant dipole of the cell in e Å, physical (see `ElectronicScreening`).
    timestep_fs : float
        Between samples.
    volume_A3, temperature_K : float
    epsilon_infinity : float
        Added; 1 for rigid charges.
    """
    dipole = _vectors(dipole_eA, "dipole")
    prefactor = _fluctuation_prefactor(volume_A3, temperature_K)
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
    halves = [
        epsilon_infinity + prefactor * part.var(axis=0).mean() for part in in_blocks(dipole, 2)
    ]
    within = np.mean([part.var(axis=0).mean() for part in in_blocks(dipole, 4)])
    growth = float(dipole.var(axis=0).mean() / within) if within > 0 else math.nan
    epsilon = Estimate(float(np.trace(tensor) / 3), float(isotropic))
    notes = []
    if growth > GROWING:
        notes.append(
            f"the fluctuation is {growth:.1f} times that within quarters of the run: it still grows"
            " with time. Either the run is far too short, or charges diffuse and there is no static"
            " dielectric constant; use the rotational part of the dipole then"
        )
    if not abs(halves[0] - halves[1]) <= DIFFERENT * math.sqrt(2) * epsilon.standard_error:
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
        temperature_K=float(temperature_K),
        volume_A3=float(volume_A3),
        length_ps=len(dipole) * timestep_fs * 1e-3,
        notes=tuple(notes),
    )


def dielectric_from_dipole(
    dipole_eA: np.ndarray,
    timestep_fs: float,
    volume_A3: float,
    temperature_K: float,
    *,
    epsilon_infinity: float = 1.0,
    resolution_per_cm: float = 5.0,
    window: str = "gaussian",
    blocks: int = 10,
    upto_per_cm: float = 5000.0,
) -> DielectricSpectrum:
    """Dielectric function from the correlation of the dipole; the better one at low frequencies.

    Parameters
    ----------
    dipole_eA : array, shape (n, 3)
        Physical, in e Å.
    timestep_fs, volume_A3, temperature_K, epsilon_infinity
        See `static_dielectric`.
    resolution_per_cm, window, blocks, upto_per_cm
        See `infrared_from_current`.
    """
    dipole = _vectors(dipole_eA, "dipole")
    weights = fitting_lag_window(window, resolution_per_cm, timestep_fs, len(dipole))
    # Between two lags stands the derivative of the correlation, and there the window is taken.
    between = 0.5 * (weights[:-1] + weights[1:])
    lags_fs = (np.arange(len(between)) + 0.5) * timestep_fs

    def steps(series: np.ndarray) -> np.ndarray:
        return -np.diff(autocorrelation(series, len(weights)), axis=-1) * between

    dipole = dipole - dipole.mean(axis=0)
    prefactor = _fluctuation_prefactor(volume_A3, temperature_K) / 3
    return _spectrum(
        steps,
        dipole,
        lambda frequency_Hz: np.full(len(frequency_Hz), prefactor, dtype=complex),
        lags_fs,
        timestep_fs,
        epsilon_infinity,
        resolution_per_cm,
        fitting_blocks(blocks, len(dipole), len(weights)),
        upto_per_cm,
        "dipole",
    )


def dielectric_from_current(
    current_eA_per_fs: np.ndarray,
    timestep_fs: float,
    volume_A3: float,
    temperature_K: float,
    *,
    epsilon_infinity: float = 1.0,
    resolution_per_cm: float = 5.0,
    window: str = "gaussian",
    blocks: int = 10,
    upto_per_cm: float = 5000.0,
) -> DielectricSpectrum:
    """Dielectric function from the correlation of the current; the better one for vibrations.

    Parameters
    ----------
    current_eA_per_fs : array, shape (n, 3)
        Physical, in e Å/fs.
    timestep_fs, volume_A3, temperature_K, epsilon_infinity
        See `static_dielectric`.
    resolution_per_cm, window, blocks, upto_per_cm
        See `infrared_from_current`.
    """
    current = _vectors(current_eA_per_fs, "current")
    weights = fitting_lag_window(window, resolution_per_cm, timestep_fs, len(current))
    trapezoid = weights * timestep_fs
    trapezoid[0] *= 0.5
    prefactor = _fluctuation_prefactor(volume_A3, temperature_K) / 3
    return _spectrum(
        lambda series: autocorrelation(series, len(weights)) * trapezoid,
        current,
        lambda frequency_Hz: 1j * prefactor / (2e-15 * np.pi * frequency_Hz),
        np.arange(len(weights)) * timestep_fs,
        timestep_fs,
        epsilon_infinity,
        resolution_per_cm,
        fitting_blocks(blocks, len(current), len(weights)),
        upto_per_cm,
        "current",
    )


def rotational_dipole(frames: Iterable[Atoms]) -> np.ndarray:
    r"""Sum of the dipoles of all molecules about their centres of mass, (n, 3) in e Å.

    Ions of one atom do not count, nor does the motion of charged molecules as a whole: what
    is left stays bounded where the itinerant dipole diffuses.

    Parameters
    ----------
    frames : iterable of Atoms
        With charges (of a calculator or of the trajectory); latent charges make it latent.
    """
    moments = []
    for atoms in frames:
        molecular = ~is_cation(atoms)
        charges = atoms.get_charges()[molecular]
        moments.append(molecular_dipoles(atoms[molecular], charges).sum(axis=0))
    return np.array(moments)


def dielectric_from_run(
    stem: str | Path,
    *,
    epsilon_infinity: float = 1.0,
    recorded: str = "latent",
    rotational: bool = False,
    skip_ps: float = 0.0,
    temperature_K: float | None = None,
    resolution_per_cm: float = 5.0,
    window: str = "gaussian",
    blocks: int = 10,
    upto_per_cm: float = 5000.0,
    output: str | Path | None = None,
    overwrite: bool = False,
    quiet: bool = False,
) -> DielectricResult:
    """Dielectric constant and spectrum of a run that recorded its dipole, its current or both.

    The spectrum is taken from the current if there is one. The static constant is that of the
    recorded dipole, if its changes are what the current brings; the dipole of a model that
    neutralises its charges by an even shift is not, and then the integral of the current takes
    its place.

    Parameters
    ----------
    stem : str or Path
        Of the run: ``<stem>-dipole.npz`` and ``<stem>-current.npz`` are read.
    epsilon_infinity, recorded
        See `ElectronicScreening`: 1.78 and "latent" for bulk water with latent charges.
    rotational : bool
        Take the static constant from the charges and molecules in ``<stem>.traj`` instead of the
        itinerant dipole; for solutions of ions.
    skip_ps, temperature_K, output, overwrite, quiet
        See `infrared_from_run`.
    resolution_per_cm, window, blocks, upto_per_cm
        See `infrared_from_current`.

    Raises
    ------
    FileNotFoundError
        If the run recorded neither; says how to.
    ValueError
        If the run is not one of a periodic bulk, or too short for the resolution.
    """
    files = AnalysisFiles.prepared(output, overwrite)
    screening = ElectronicScreening(epsilon_infinity, recorded)
    known = [kind for kind in ("current", "dipole") if series_path(stem, kind).exists()]
    runs = {
        kind: read_recorded_run(
            stem, kind, skip_ps=skip_ps, temperature_K=temperature_K, screening=screening
        )
        # Neither: the dipole, for the error that says how to record it.
        for kind in known or ["dipole"]
    }
    notes = []
    static = None
    if not rotational and "current" in runs:
        mismatch = _mismatch(runs) if "dipole" in runs else math.inf
        if mismatch > LARGEST_MISMATCH:
            reason = (
                "the run recorded no dipole"
                if math.isinf(mismatch)
                else f"changes of the recorded dipole differ by {100 * mismatch:.0f} % from what "
                "the current brings (charges neutralised by an even shift)"
            )
            notes.append(f"{reason}: static constant from the integral of the current")
            runs["dipole"] = _integrated(runs["current"])
    static = _static_of_run(stem, runs, rotational, epsilon_infinity)
    spectra = {"current": dielectric_from_current, "dipole": dielectric_from_dipole}
    source = next(kind for kind in spectra if kind in runs)
    run = runs[source]
    spectrum = spectra[source](
        run.moments,
        run.timestep_fs,
        run.volume_of_bulk_A3,
        run.temperature_K,
        epsilon_infinity=epsilon_infinity,
        resolution_per_cm=resolution_per_cm,
        window=window,
        blocks=blocks,
        upto_per_cm=upto_per_cm,
    )
    result = DielectricResult(static, spectrum, tuple(runs.values()), tuple(notes))
    if files is not None:
        _write(files, result)
    _tell(result, quiet)
    return result


def _integrated(run: RecordedRun) -> RecordedRun:
    """The dipole that a recorded current makes, from zero; by the trapezoidal rule."""
    means = 0.5 * (run.moments[1:] + run.moments[:-1])
    moments = np.concatenate([np.zeros((1, 3)), np.cumsum(means * run.timestep_fs, axis=0)])
    return replace(run, kind="dipole", moments=moments)


def _mismatch(runs: dict[str, RecordedRun]) -> float:
    """Changes of the dipole less the integral of the current, relative; 0 if not comparable."""
    dipole, integral = runs["dipole"], _integrated(runs["current"])
    _, here, there = np.intersect1d(
        np.round(dipole.time_fs, 6), np.round(integral.time_fs, 6), return_indices=True
    )
    if len(here) < 3:
        return 0.0
    expected = np.diff(integral.moments[there], axis=0)
    found = np.diff(dipole.moments[here], axis=0)
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def _static_of_run(
    stem: str | Path, runs: dict[str, RecordedRun], rotational: bool, epsilon_infinity: float
) -> StaticDielectric:
    if not rotational:
        run = runs["dipole"]
        return static_dielectric(
            run.moments,
            run.timestep_fs,
            run.volume_of_bulk_A3,
            run.temperature_K,
            epsilon_infinity=epsilon_infinity,
        )
    run = next(iter(runs.values()))
    frames, spacing_fs = read_frames(stem, run.skip_ps)
    return static_dielectric(
        run.screening.factor * rotational_dipole(frames),
        spacing_fs,
        run.volume_of_bulk_A3,
        run.temperature_K,
        epsilon_infinity=epsilon_infinity,
    )


def _vectors(given: np.ndarray, name: str) -> np.ndarray:
    vectors = np.asarray(given, dtype=float)
    if vectors.ndim != 2 or vectors.shape[1] != 3 or len(vectors) < 4:
        raise ValueError(
            f"the {name} must have the shape (n, 3), n at least 4, got {vectors.shape}"
        )
    if not np.isfinite(vectors).all():
        raise ValueError(f"the {name} is not finite everywhere; was the run stable?")
    return vectors


def _fluctuation_prefactor(volume_A3: float, temperature_K: float) -> float:
    """1/(ε_vac V k_B T) in 1/(e Å)²."""
    if not volume_A3 > 0 or not temperature_K > 0:
        raise ValueError(
            f"volume and temperature must be positive, got {volume_A3} Å³ and {temperature_K} K"
        )
    energy = epsilon_0 * volume_A3 * 1e-30 * Boltzmann * temperature_K
    return (elementary_charge * 1e-10) ** 2 / energy


def _spectrum(
    terms: Callable[[np.ndarray], np.ndarray],
    series: np.ndarray,
    prefactor: Callable[[np.ndarray], np.ndarray],
    lags_fs: np.ndarray,
    timestep_fs: float,
    epsilon_infinity: float,
    resolution_per_cm: float,
    n_blocks: int,
    upto_per_cm: float,
    source: str,
) -> DielectricSpectrum:
    """ε∞ + prefactor(ω) Σ terms(t) exp(iωt), for the series and for its blocks."""
    per_point = resolution_per_cm / POINTS_PER_RESOLUTION
    size = math.ceil(1e13 / (speed_of_light * per_point * timestep_fs))
    size = next_fast_len(max(size, 2 * len(lags_fs)))
    frequency_Hz = np.arange(size // 2 + 1) / (size * timestep_fs * 1e-15)
    wavenumber = frequency_Hz / (100 * speed_of_light)
    kept = (wavenumber >= resolution_per_cm) & (wavenumber <= upto_per_cm)
    frequency_Hz = frequency_Hz[kept]
    # The transform starts at lag zero; the first term may lie half a step later.
    late = np.exp(2j * np.pi * frequency_Hz * lags_fs[0] * 1e-15)

    def function(part: np.ndarray) -> np.ndarray:
        # The transform has exp(−iωt); of real terms, its conjugate has exp(iωt).
        transformed = fft(terms(part), size)[..., : size // 2 + 1][..., kept].conj()
        return epsilon_infinity + prefactor(frequency_Hz) * late * transformed

    whole = function(series)
    parts = function(in_blocks(series, n_blocks))
    return DielectricSpectrum(
        wavenumber_per_cm=wavenumber[kept],
        real=whole.real,
        loss=whole.imag,
        real_error=error_of_mean(parts.real),
        loss_error=error_of_mean(parts.imag),
        source=source,
        resolution_per_cm=float(resolution_per_cm),
        n_blocks=n_blocks,
    )


def _write(files: AnalysisFiles, result: DielectricResult) -> None:
    spectrum = result.spectrum
    save_arrays(
        files.series,
        {
            "wavenumber_per_cm": spectrum.wavenumber_per_cm,
            "epsilon_real": spectrum.real,
            "epsilon_loss": spectrum.loss,
            "epsilon_real_error": spectrum.real_error,
            "epsilon_loss_error": spectrum.loss_error,
        },
    )
    reporting.save_figure(
        files.figure,
        spectrum.wavenumber_per_cm,
        "wave number (cm⁻¹)",
        [
            Panel("Re ε(ω)", {"real": spectrum.real}, bands={"real": spectrum.real_error}),
            Panel("Im ε(ω)", {"loss": spectrum.loss}, bands={"loss": spectrum.loss_error}),
        ],
    )
    reporting.write_summary(files.summary, result.summary())


def _tell(result: DielectricResult, quiet: bool) -> None:
    console = reporting.console(quiet)
    run = result.runs[0]
    rows: dict[str, object] = {"ε∞": run.screening.epsilon_infinity}
    if result.static is not None:
        rows["static ε"] = result.static.epsilon
        halves = (result.static.first_half, result.static.second_half)
        rows["static ε of the halves"] = " and ".join(f"{value:.4g}" for value in halves)
    rows["spectrum from"] = f"{result.spectrum.source}, {result.spectrum.n_blocks} blocks"
    rows["temperature (K)"] = run.temperature_K
    console.print(reporting.results_table(str(run.stem), rows))
    for note in result.summary()["notes"]:
        console.print(f"Note: {note}", markup=False, highlight=False, soft_wrap=True)
