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
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ase_les.properties.dielectric_fluctuations import (
    StaticDielectric,
    rotational_dipole,
    static_dielectric,
)
from ase_les.properties.dielectric_spectrum import (
    DielectricSpectrum,
    dielectric_from_current,
    dielectric_from_dipole,
)
from ase_les.properties.recorded_run import (
    RecordedRun,
    read_frames,
    read_recorded_run,
    series_path,
)
from ase_les.reports import figures, terminal
from ase_les.reports.figures import Panel
from ase_les.runs.output import OutputFiles, prepared_output, write_arrays, write_summary
from ase_les.screening import recorded_scaling

#: Of the changes of a dipole and the integral of its current; coarse sampling explains less.
LARGEST_MISMATCH = 0.5


@dataclass(frozen=True)
class DielectricResult:
    """Static constant and spectrum of one run."""

    static: StaticDielectric
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
            "notes": [*self.notes, *self.static.notes],
        }


def dielectric_from_run(
    stem: str | Path,
    *,
    epsilon_infinity: float | None = None,
    recorded: str | None = None,
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
        See `ElectronicScreening`: 1.78 and "latent" for bulk water with latent charges. None is
        what the calculator of the run had.
    rotational : bool
        Take the static constant from the charges and molecules in ``<stem>.traj`` instead
        of the itinerant dipole; for solutions of ions.
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
    files = prepared_output(output, overwrite)
    known = [kind for kind in ("current", "dipole") if series_path(stem, kind).exists()]
    runs = {
        kind: read_recorded_run(
            stem,
            kind,
            skip_ps=skip_ps,
            temperature_K=temperature_K,
            epsilon_infinity=epsilon_infinity,
            recorded=recorded,
        )
        # Neither: the dipole, for the error that says how to record it.
        for kind in known or ["dipole"]
    }
    notes = []
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
    static = _static_of_run(stem, runs, rotational)
    spectra = {"current": dielectric_from_current, "dipole": dielectric_from_dipole}
    source = next(kind for kind in spectra if kind in runs)
    run = runs[source]
    spectrum = spectra[source](
        run.moments,
        run.timestep_fs,
        run.volume_of_bulk_A3,
        run.temperature_K,
        epsilon_infinity=run.screening.epsilon_infinity,
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
    stem: str | Path, runs: dict[str, RecordedRun], rotational: bool
) -> StaticDielectric:
    if not rotational:
        run = runs["dipole"]
        return static_dielectric(
            run.moments,
            run.timestep_fs,
            run.volume_of_bulk_A3,
            run.temperature_K,
            epsilon_infinity=run.screening.epsilon_infinity,
        )
    run = next(iter(runs.values()))
    frames, spacing_fs = read_frames(stem, run.skip_ps)
    epsilon_infinity = run.screening.epsilon_infinity
    # Charges of runs without a dielectric constant are latent; others need no further scaling.
    scaling = recorded_scaling(frames[0])
    return static_dielectric(
        math.sqrt(epsilon_infinity) / scaling * rotational_dipole(frames),
        spacing_fs,
        run.volume_of_bulk_A3,
        run.temperature_K,
        epsilon_infinity=epsilon_infinity,
    )


def _write(files: OutputFiles, result: DielectricResult) -> None:
    spectrum = result.spectrum
    write_arrays(
        files.arrays,
        {
            "wavenumber_per_cm": spectrum.wavenumber_per_cm,
            "epsilon_real": spectrum.real,
            "epsilon_loss": spectrum.loss,
            "epsilon_real_error": spectrum.real_error,
            "epsilon_loss_error": spectrum.loss_error,
        },
    )
    figures.save_figure(
        files.figure,
        spectrum.wavenumber_per_cm,
        "wave number (cm⁻¹)",
        [
            Panel("Re ε(ω)", {"real": spectrum.real}, bands={"real": spectrum.real_error}),
            Panel("Im ε(ω)", {"loss": spectrum.loss}, bands={"loss": spectrum.loss_error}),
        ],
    )
    write_summary(files.summary, result.summary())


def _tell(result: DielectricResult, quiet: bool) -> None:
    console = terminal.console(quiet)
    run = result.runs[0]
    rows: dict[str, object] = {"ε∞": run.screening.epsilon_infinity}
    rows["static ε"] = result.static.epsilon
    halves = (result.static.first_half, result.static.second_half)
    rows["static ε of the halves"] = " and ".join(f"{value:.4g}" for value in halves)
    rows["spectrum from"] = f"{result.spectrum.source}, {result.spectrum.n_blocks} blocks"
    rows["temperature (K)"] = run.temperature_K
    console.print(terminal.results_table(str(run.stem), rows))
    for note in result.summary()["notes"]:
        console.print(f"Note: {note}", markup=False, highlight=False, soft_wrap=True)
