r"""Second-order susceptibility of a surface, as seen by sum-frequency generation.

Linear response of the polarizability to the field that couples to the dipole:

.. math::
    \chi^{(2)}_{abc}(\omega) = \frac{i\beta}{\varepsilon_\mathrm{vac} A\,\omega}\,
        \mu'(\omega)\,\alpha'(\omega) \int_0^\infty e^{i\omega t}\, C_{abc}(t)\, dt

with the correlation function :math:`C` of `ase_les.simulation.accumulators.sum_frequency` divided
by two faces of area :math:`A`. A vibration whose dipole and polarizability grow together and whose
dipole points to the vapor has a positive imaginary part: O–H bonds that point out of water are
positive, those that point into it negative.

**Quantum correction.** ``"harmonic"`` is this equation: classical response, which is exact for
harmonic motion. Reference [1]_ multiplies by :math:`\beta\hbar\omega/(1 - e^{-\beta\hbar\omega})`
instead of :math:`\beta\hbar\omega`, the same at the O–H stretch. ``"none"`` divides by that factor.

**Transition moments.** ``"constant"``: :math:`\mu' = \alpha' = 1` (times the given derivatives).
``"frequency"``: stronger for hydrogen-bonded, red-shifted bonds [1]_ [2]_, relative to an isolated
bond,

.. math::
    \mu' = 1.377 + 53.03\,E, \qquad \alpha' = 1.271 + 6.287\,E, \qquad
    E = (3737.0 - \tilde\nu\,\mathrm{cm})/6932.2

The relation was fitted to O–H in D2O and holds for the stretch, 2700 to 3900 1/cm; outside, it is
continued with its end values.

References
----------
.. [1] T. Ohto, K. Usui, T. Hasegawa, M. Bonn, Y. Nagata, J. Chem. Phys. 143, 124702 (2015).
.. [2] S. A. Corcelli, J. L. Skinner, J. Phys. Chem. A 109, 6154 (2005).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms, units

from ase_les.arguments import require_one_of, require_positive
from ase_les.properties.correlation import LagTransform, lag_window
from ase_les.properties.infrared_spectrum import QUANTUM_CORRECTIONS, harmonic_factor
from ase_les.properties.recorded_run import series_path
from ase_les.properties.spectral_peaks import Band
from ase_les.runs.output import prepared_output, write_result
from ase_les.runs.progress import NO_PROGRESS, Progress, task
from ase_les.simulation.accumulators.sum_frequency import (
    ELEMENTS,
    SumFrequency,
    SumFrequencyCorrelation,
)
from ase_les.statistics import Estimate, error_of_mean, jackknife_error, without_each

TRANSITION_MOMENTS = ("constant", "frequency")
#: Range of the frequency-dependent transition moments in 1/cm.
STRETCH_PER_CM = (2700.0, 3900.0)

#: Im χ(2) of the interface of water and vapor with ssp polarization, in 1/cm: range of the maximum
#: of free O–H and of the minimum of hydrogen-bonded O–H. Sources: W. Gan, D. Wu, Z. Zhang, R. Feng,
#: H. Wang, J. Chem. Phys. 124, 114705 (2006): 3693 1/cm, bands at 3250 and 3450 1/cm;
#: S. Nihonyanagi, R. Kusaka, K. Inoue, A. Adhikari, S. Yamaguchi, T. Tahara, J. Chem. Phys. 143,
#: 124707 (2015): negative from 3000 to 3600 1/cm, not positive below.
WATER_VAPOR = (
    Band("hydrogen-bonded O–H, negative", 3200.0, 3500.0),
    Band("free O–H, positive", 3690.0, 3710.0),
)


@dataclass(frozen=True)
class Extremum:
    """Largest or smallest Im χ in a range, with errors by jackknife over blocks.

    Attributes
    ----------
    band : Band
    center_per_cm : Estimate
        nan if the extremum is at the edge of the range.
    height : Estimate
        In 1e-22 m²/V.
    """

    band: Band
    center_per_cm: Estimate
    height: Estimate


@dataclass(frozen=True)
class SumFrequencySpectrum:
    """Susceptibility of one face of a film, in 1e-22 m²/V.

    Attributes
    ----------
    wavenumber_per_cm : array, shape (n,)
    chi : complex array, shape (layers, 3, n)
        Elements as in `ELEMENTS`: xxz, xzx, zzz.
    blocks : complex array, shape (n_blocks, layers, 3, n)
    correlation : SumFrequencyCorrelation
    resolution_per_cm, temperature_K : float
    window, quantum_correction, transition_moments : str
    notes : tuple of str
    """

    wavenumber_per_cm: np.ndarray
    chi: np.ndarray
    blocks: np.ndarray
    correlation: SumFrequencyCorrelation
    resolution_per_cm: float
    temperature_K: float
    window: str
    quantum_correction: str
    transition_moments: str
    notes: tuple[str, ...] = ()

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers."""
        return self.correlation.layers

    def imaginary(self, element: str = "xxz", layer: int | None = None) -> np.ndarray:
        """Return Im χ (n,) of a layer, or of the whole surface."""
        parts = self.chi[:, ELEMENTS.index(element)].imag
        return parts.sum(axis=0) if layer is None else parts[layer]

    def imaginary_blocks(self, element: str = "xxz", layer: int | None = None) -> np.ndarray:
        """Return Im χ (n_blocks, n) of each block."""
        parts = self.blocks[:, :, ELEMENTS.index(element)].imag
        return parts.sum(axis=1) if layer is None else parts[:, layer]

    def error(self, element: str = "xxz", layer: int | None = None) -> np.ndarray:
        """Return the standard error (n,) of Im χ."""
        return error_of_mean(self.imaginary_blocks(element, layer))

    def extremum(
        self, band: Band, sign: float, element: str = "xxz", layer: int | None = None
    ) -> Extremum:
        """Return the maximum (sign 1) or minimum (sign −1) of Im χ in a range."""
        x = self.wavenumber_per_cm
        inside = (x >= band.low_per_cm) & (x <= band.high_per_cm)

        def place(values: np.ndarray) -> tuple[float, float]:
            index = int(np.argmax(sign * values))
            at_edge = index in (0, len(values) - 1)
            return (np.nan if at_edge else float(x[inside][index])), float(values[index])

        whole = np.array(place(self.imaginary(element, layer)[inside]))
        left_out = without_each(self.imaginary_blocks(element, layer)[:, inside])
        errors = jackknife_error(np.array([place(each) for each in left_out]).reshape(-1, 2))
        center, height = (Estimate(*map(float, pair)) for pair in zip(whole, errors, strict=True))
        return Extremum(band, center, height)

    @property
    def water_bands(self) -> tuple[Extremum, Extremum]:
        """Minimum of hydrogen-bonded O–H, and maximum of free O–H above it.

        The maximum is sought from 3550 to 4000 1/cm, the minimum from 2900 1/cm to the maximum.
        """
        free = self.extremum(Band(WATER_VAPOR[1].name, 3550.0, 4000.0), 1.0)
        center = free.center_per_cm.mean
        below = center if np.isfinite(center) else 3600.0
        return self.extremum(Band(WATER_VAPOR[0].name, 2900.0, float(below)), -1.0), free

    def arrays(self) -> dict[str, np.ndarray]:
        """Return spectra and errors by name."""
        return {
            "wavenumber_per_cm": self.wavenumber_per_cm,
            "layers": np.array(self.layers),
            "elements": np.array(ELEMENTS),
            "chi_1e22_m2_per_V": self.chi,
            "imaginary_error_1e22_m2_per_V": error_of_mean(self.blocks.imag),
        }

    def summary(self) -> dict[str, object]:
        """Return the result as plain containers for YAML and JSON."""
        return {
            "task": "sum-frequency generation",
            "input": self.correlation.summary(),
            "settings": {
                "resolution_per_cm": self.resolution_per_cm,
                "window": self.window,
                "quantum_correction": self.quantum_correction,
                "transition_moments": self.transition_moments,
                "temperature_K": self.temperature_K,
                "blocks": len(self.blocks),
            },
            "notes": list(self.notes),
            "unit": "1e-22 m²/V" + (" per e and Å²" if self.correlation.is_rate else ""),
            "bands": {
                each.band.name: {
                    "between_per_cm": [each.band.low_per_cm, each.band.high_per_cm],
                    "center_per_cm": each.center_per_cm,
                    "imaginary_xxz": each.height,
                }
                for each in self.water_bands
            },
            "experiment_water_vapor_per_cm": {
                band.name: [band.low_per_cm, band.high_per_cm] for band in WATER_VAPOR
            },
        }


def susceptibility(
    correlation: SumFrequencyCorrelation,
    *,
    temperature_K: float | None = None,
    resolution_per_cm: float | None = None,
    window: str = "hann",
    quantum_correction: str = "harmonic",
    transition_moments: str = "constant",
    dipole_derivative_e: float = 1.0,
    polarizability_derivative_A2: float = 1.0,
    blocks: int = 8,
    upto_per_cm: float = 4500.0,
) -> SumFrequencySpectrum:
    """Compute the susceptibility from accumulated correlation functions.

    Parameters
    ----------
    temperature_K : float, optional
        By default the mean kinetic temperature of the run.
    resolution_per_cm : float, optional
        By default the finest that the longest lag allows.
    window : {"gaussian", "hann"}
        See `lag_window`.
    quantum_correction, transition_moments : str
        See the module.
    dipole_derivative_e, polarizability_derivative_A2 : float
        Derivatives with respect to the length of an isolated O–H bond; for a model 1.
    blocks : int
        Maximum number of blocks for errors.

    Raises
    ------
    ValueError
        If the resolution is finer than the lags allow, or a setting is invalid.
    """
    require_one_of("quantum_correction", quantum_correction, QUANTUM_CORRECTIONS)
    require_one_of("transition_moments", transition_moments, TRANSITION_MOMENTS)
    temperature = correlation.temperature_K if temperature_K is None else temperature_K
    require_positive("temperature_K", temperature)
    n_lags = correlation.correlation.shape[-1]
    weights, resolution = _fitting_window(
        window, resolution_per_cm, correlation.interval_fs, n_lags
    )
    transform = LagTransform(weights, correlation.interval_fs, resolution, upto_per_cm)
    x = transform.wavenumber_per_cm
    omega = 2 * np.pi * transform.frequency_Hz * 1e-15
    scale = (
        dipole_derivative_e
        * polarizability_derivative_A2
        * transition_factor(x, transition_moments)
    )
    scale = scale * _unit_scale(correlation.area_A2, temperature)
    if quantum_correction == "none":
        quanta = units._hbar * omega * 1e15 / (units._k * temperature)
        scale = scale / harmonic_factor(quanta)

    def response(values: np.ndarray) -> np.ndarray:
        one_sided = np.conj(transform(values[..., : len(weights)]))
        if not correlation.is_rate:
            return scale * one_sided
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(omega > 0, scale * 1j * one_sided / omega, 0.0)

    return SumFrequencySpectrum(
        wavenumber_per_cm=x,
        chi=response(correlation.correlation),
        blocks=response(_merged(correlation.blocks, blocks)),
        correlation=correlation,
        resolution_per_cm=resolution,
        temperature_K=float(temperature),
        window=window,
        quantum_correction=quantum_correction,
        transition_moments=transition_moments,
        notes=_notes(correlation, transition_moments),
    )


def transition_factor(wavenumber_per_cm: np.ndarray, transition_moments: str) -> np.ndarray:
    """Return the product of the transition moments (n,), 1 for constant ones; see the module."""
    if transition_moments == "constant":
        return np.ones_like(wavenumber_per_cm)
    field = (3737.0 - np.clip(wavenumber_per_cm, *STRETCH_PER_CM)) / 6932.2
    return (1.377 + 53.03 * field) * (1.271 + 6.287 * field)


def sum_frequency_of_trajectory(
    frames: Iterable[Atoms], accumulator: SumFrequency, progress: Progress = NO_PROGRESS
) -> SumFrequencyCorrelation:
    """Return the correlation functions of a finished trajectory.

    Parameters
    ----------
    frames : iterable of Atoms
        With velocities, at the interval of the accumulator.

    Raises
    ------
    ValueError
        If the frames have no velocities, or are too few.
    """
    with task(progress, len(frames) if isinstance(frames, Sized) else 0, "frames"):
        for frame in frames:
            if not frame.get_momenta().any():
                raise ValueError(
                    "sum-frequency generation needs velocities, which the trajectory does not "
                    "contain"
                )
            accumulator.add(frame)
            progress.advance()
    return accumulator.result()


def sum_frequency(
    correlation: SumFrequencyCorrelation | str | Path,
    *,
    output: str | Path | None = None,
    overwrite: bool = False,
    **settings: object,
) -> SumFrequencySpectrum:
    """Compute and store the susceptibility of a run, or of given correlations.

    Parameters
    ----------
    correlation : SumFrequencyCorrelation, str or Path
        A stem names the run that observed ``sfg``: ``<stem>-sfg.npz`` is read.
    output : str or Path, optional
        Stem of ``<output>.npz`` and ``<output>-summary.yml``.
    **settings
        See `susceptibility`.

    Raises
    ------
    FileNotFoundError
        If the run did not observe it.
    """
    files = prepared_output(output, overwrite)
    if not isinstance(correlation, SumFrequencyCorrelation):
        correlation = read_sum_frequency(correlation)
    result = susceptibility(correlation, **settings)  # type: ignore[arg-type]
    if files is not None:
        write_result(files, result)
    return result


def read_sum_frequency(stem: str | Path) -> SumFrequencyCorrelation:
    """Read ``<stem>-sfg.npz``.

    Raises
    ------
    FileNotFoundError
        If the run did not observe it.
    """
    path = series_path(stem, "sfg")
    if not path.exists():
        raise FileNotFoundError(
            f"no file '{path}': the run '{stem}' did not observe sfg (--observe sfg), or is "
            "shorter than its longest lag. Give its trajectory with velocities instead"
        )
    with np.load(path, allow_pickle=False) as content:
        arrays: Mapping[str, np.ndarray] = {name: content[name] for name in content.files}
    return SumFrequencyCorrelation.from_arrays(arrays)


def _fitting_window(
    window: str, resolution_per_cm: float | None, interval_fs: float, n_lags: int
) -> tuple[np.ndarray, float]:
    """Return the weights of the lags, and the resolution."""
    # Both windows have a length inversely proportional to the resolution.
    finest = len(lag_window(window, 10.0, interval_fs)) / n_lags * 10.0
    if resolution_per_cm is None:
        resolution_per_cm = finest * 1.001
    weights = lag_window(window, resolution_per_cm, interval_fs)
    if len(weights) > n_lags:
        raise ValueError(
            f"a resolution of {resolution_per_cm:g} 1/cm needs lags up to "
            f"{len(weights) * interval_fs:.4g} fs, but {n_lags * interval_fs:.4g} fs were "
            f"accumulated: use {finest:.3g} 1/cm or coarser, or a longer `max_lag_fs`"
        )
    return weights, float(resolution_per_cm)


def _unit_scale(area_A2: float, temperature_K: float) -> float:
    """Return the factor from e Å⁴/fs (times fs for rates) to 1e-22 m²/V for one of two faces."""
    beta_per_V = 1 / (units.kB * temperature_K)
    return 4 * np.pi * beta_per_V / (2 * area_A2) * 1e-20 / 1e-22


def _merged(blocks: np.ndarray, most: int) -> np.ndarray:
    """Return at most `most` means of neighboring blocks."""
    if most < 1:
        raise ValueError(f"`blocks` must be at least 1, got {most}")
    n = min(most, len(blocks))
    if n == 0:
        return blocks
    length = len(blocks) // n
    kept = blocks[len(blocks) - n * length :]
    return kept.reshape(n, length, *blocks.shape[1:]).mean(axis=1)


def _notes(correlation: SumFrequencyCorrelation, transition_moments: str) -> tuple[str, ...]:
    notes = []
    if correlation.longest_bond_A > 1.5:
        notes.append(
            f"an O–H bond became {correlation.longest_bond_A:.2f} Å long: bonds are those of the "
            "first configuration, and protons that moved to other molecules are misplaced"
        )
    if transition_moments == "frequency":
        low, high = STRETCH_PER_CM
        notes.append(
            f"transition moments depend on the frequency from {low:g} to {high:g} 1/cm and are "
            "constant outside"
        )
    if len(correlation.blocks) < 2:
        notes.append("the run is too short for an error band")
    return tuple(notes)
