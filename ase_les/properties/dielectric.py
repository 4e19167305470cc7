r"""Compute the dielectric constant and spectrum of a bulk from its dipole fluctuations.

Under periodic boundary conditions with an Ewald sum and conducting (tin-foil) surroundings, linear
response gives

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
:math:`\varepsilon_\infty`       ``epsilon_infinity``, electronic dielectric constant
:math:`\varepsilon''`            ``loss``, positive for absorption
===============================  ================================================================

Latent moments are smaller than physical ones by :math:`\sqrt{\varepsilon_\infty}`, so that
:math:`\varepsilon_0/\varepsilon_\infty = 1 + \langle \delta M_\mathrm{latent}^2 \rangle / (3
\varepsilon_\mathrm{vac} V k_B T)`.

With mobile ions the itinerant dipole diffuses: its fluctuation grows with the length of the run and
the static constant is not defined. `rotational_dipole` excludes the translation of ions; see
`ase_les.properties.conductivity` for the conductivity.

References
----------
.. [1] M. Neumann, Mol. Phys. 50, 841 (1983).
.. [2] J. M. Caillol, D. Levesque, J. J. Weis, J. Chem. Phys. 85, 6645 (1986).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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
    limits_of_run,
    read_frames,
    read_recorded_run,
    series_path,
)
from ase_les.runs.output import prepared_output, write_result
from ase_les.screening import recorded_scaling

#: Largest relative difference between the recorded dipole and the integral of the current that can
#: be explained by coarse sampling.
LARGEST_MISMATCH = 0.5


@dataclass(frozen=True)
class DielectricResult:
    """Static dielectric constant and spectrum of a run.

    Attributes
    ----------
    static : StaticDielectric
    spectrum : DielectricSpectrum
    runs : tuple of RecordedRun
        Recorded series that were used.
    notes : tuple of str
        Limitations of these numbers.
    """

    static: StaticDielectric
    spectrum: DielectricSpectrum
    runs: tuple[RecordedRun, ...]
    notes: tuple[str, ...]

    def summary(self) -> dict[str, object]:
        """Return the result as plain containers for YAML and JSON."""
        return {
            "task": "dielectric constant and spectrum",
            "input": [run.summary() for run in self.runs],
            "spectrum": {
                "source": self.spectrum.source,
                "resolution_per_cm": self.spectrum.resolution_per_cm,
                "blocks": self.spectrum.n_blocks,
            },
            "static": self.static,
            "notes": list(self.notes),
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the spectrum with its standard errors by name."""
        return {
            "wavenumber_per_cm": self.spectrum.wavenumber_per_cm,
            "epsilon_real": self.spectrum.real,
            "epsilon_loss": self.spectrum.loss,
            "epsilon_real_error": self.spectrum.real_error,
            "epsilon_loss_error": self.spectrum.loss_error,
        }


def dielectric_from_run(
    stem: str | Path,
    *,
    epsilon_infinity: float | None = None,
    recorded: str | None = None,
    rotational: bool = False,
    skip_ps: float = 0.0,
    temperature_K: float | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    **spectrum: Any,
) -> DielectricResult:
    """Compute the dielectric constant and spectrum from the recorded dipole or current of a run.

    The spectrum is computed from the current if it was recorded, otherwise from the dipole. The
    static constant is computed from the dipole, unless its changes disagree with the recorded
    current. This is the case for charges that are neutralized by a uniform shift; the integral of
    the current is used instead.

    Parameters
    ----------
    stem : str or Path
        Stem of the run: ``<stem>-dipole.npz`` and ``<stem>-current.npz`` are read.
    epsilon_infinity, recorded
        See `ElectronicScreening`: 1.78 and "latent" for bulk water with latent charges. By default
        from the calculator of the run.
    rotational : bool
        Compute the static constant from the charges and molecules in ``<stem>.traj`` instead of the
        itinerant dipole; for ionic solutions.
    skip_ps, temperature_K, output, overwrite
        See `infrared_from_run`; ``<output>.npz`` and ``<output>-summary.yml`` are written.
    **spectrum
        Resolution, window, number of blocks and upper limit of the spectrum; see
        `dielectric_from_current`.

    Raises
    ------
    FileNotFoundError
        If neither dipole nor current was recorded.
    ValueError
        If the run is not periodic in three directions, or too short for the resolution.
    """
    files = prepared_output(output, overwrite)
    kinds = [kind for kind in ("current", "dipole") if series_path(stem, kind).exists()]
    runs = {
        kind: read_recorded_run(
            stem,
            kind,
            skip_ps=skip_ps,
            temperature_K=temperature_K,
            epsilon_infinity=epsilon_infinity,
            recorded=recorded,
        )
        # Without any series, reading the dipole raises the error that explains how to record it.
        for kind in kinds or ["dipole"]
    }
    notes = []
    if not rotational and "current" in runs:
        mismatch = _mismatch(runs) if "dipole" in runs else math.inf
        if mismatch > LARGEST_MISMATCH:
            reason = (
                "the run recorded no dipole"
                if math.isinf(mismatch)
                else f"changes of the recorded dipole differ by {100 * mismatch:.0f} % from the "
                "integral of the current (charges neutralized by a uniform shift)"
            )
            notes.append(f"{reason}: static constant from the integral of the current")
            runs["dipole"] = _integrated(runs["current"])
    static = _static_of_run(stem, runs, rotational)
    functions = {"current": dielectric_from_current, "dipole": dielectric_from_dipole}
    source = next(kind for kind in functions if kind in runs)
    run = runs[source]
    result = DielectricResult(
        static,
        functions[source](
            run.moments,
            run.timestep_fs,
            run.volume_of_bulk_A3,
            run.temperature_K,
            epsilon_infinity=run.screening.epsilon_infinity,
            **spectrum,
        ),
        tuple(runs.values()),
        (*notes, *static.notes, *limits_of_run(stem)),
    )
    if files is not None:
        write_result(files, result)
    return result


def _integrated(run: RecordedRun) -> RecordedRun:
    """Return the dipole relative to its initial value, integrated by the trapezoidal rule."""
    means = 0.5 * (run.moments[1:] + run.moments[:-1])
    moments = np.concatenate([np.zeros((1, 3)), np.cumsum(means * run.timestep_fs, axis=0)])
    return replace(run, kind="dipole", moments=moments)


def _mismatch(runs: dict[str, RecordedRun]) -> float:
    """Return the relative difference of dipole and integrated current; 0 if not comparable."""
    dipole, integral = runs["dipole"], _integrated(runs["current"])
    _, dipole_index, current_index = np.intersect1d(
        np.round(dipole.time_fs, 6), np.round(integral.time_fs, 6), return_indices=True
    )
    if len(dipole_index) < 3:
        return 0.0
    expected = np.diff(integral.moments[current_index], axis=0)
    found = np.diff(dipole.moments[dipole_index], axis=0)
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
    # Charges are latent in runs without a dielectric constant and physical in others.
    scaling = recorded_scaling(frames[0])
    return static_dielectric(
        math.sqrt(epsilon_infinity) / scaling * rotational_dipole(frames),
        spacing_fs,
        run.volume_of_bulk_A3,
        run.temperature_K,
        epsilon_infinity=epsilon_infinity,
    )
