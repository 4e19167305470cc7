r"""Diffusion, ionic conductivity and viscosity from equilibrium dynamics.

.. math::
    D = \lim_{t\to\infty} \frac{1}{6} \frac{d}{dt} \langle |\mathbf{r}_i(t)-\mathbf{r}_i(0)|^2
        \rangle, \qquad
    D_\infty = D + \frac{\xi k_B T}{6 \pi \eta L}, \quad \xi = 2.837297

.. math::
    \sigma_\mathrm{GK} = \frac{1}{3 V k_B T} \int_0^\infty
        \langle \mathbf{J}(0)\cdot\mathbf{J}(t) \rangle \, dt, \qquad
    \sigma_\mathrm{EH} = \lim_{t\to\infty} \frac{1}{6 V k_B T} \frac{d}{dt}
        \langle |\mathbf{M}(t)-\mathbf{M}(0)|^2 \rangle, \qquad
    \sigma_\mathrm{NE} = \frac{1}{V k_B T} \sum_s N_s z_s^2 e^2 D_s

.. math::
    \eta = \frac{V}{10 k_B T} \int_0^\infty \sum_{\alpha\beta}
        \langle P_{\alpha\beta}(0) P_{\alpha\beta}(t) \rangle \, dt

=========================  ======================================================================
Symbol                     Code
=========================  ======================================================================
:math:`D`                  ``diffusion_A2_per_ps``; 1 Å²/ps = 10⁻⁸ m²/s. :math:`D_\infty` is
                           that of the infinite liquid, from a cube of edge :math:`L = V^{1/3}`
:math:`\mathbf{J}`         physical current in e Å/fs, :math:`\mathbf{M}` the itinerant dipole
:math:`z_s`                charge number of the ions of kind s, :math:`N_s` of them
:math:`P_{\alpha\beta}`    symmetric traceless stress
:math:`\sigma`             S/m; :math:`\eta` in mPa s
=========================  ======================================================================

Green–Kubo with Born charges and Einstein–Helfand are one quantity, correlations between ions
included; Nernst–Einstein leaves these out, and the ratio of the two says how much they matter.

**Plateau.** The running integral of a correlation function first rises or rings, is flat where the
correlation has died, and drifts away as noise adds up. The value is the mean over a plateau, by
default the second half of the longest lag, 5 ps or what a quarter of the run allows; its error
is the spread of that mean between blocks. Look at the figure: the number is as good as the plateau.

References
----------
.. [1] I.-C. Yeh and G. Hummer, J. Phys. Chem. B 108, 15873 (2004).
.. [2] R. Kubo, J. Phys. Soc. Jpn. 12, 570 (1957).
.. [3] E. Helfand, Phys. Rev. 119, 1 (1960).
.. [4] P. J. Daivis and D. J. Evans, J. Chem. Phys. 100, 541 (1994) [viscosity].
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from scipy.constants import Boltzmann, elementary_charge

from ase_les import reporting
from ase_les.properties.analysis_files import AnalysisFiles, save_arrays
from ase_les.properties.correlation import (
    autocorrelation,
    error_of_mean,
    fitting_blocks,
    in_blocks,
    mean_squared_displacement,
)
from ase_les.properties.ions import monatomic_ions
from ase_les.properties.recorded_run import (
    ElectronicScreening,
    RecordedRun,
    logged_temperature,
    read_frames,
    read_recorded_run,
    series_path,
    trajectory_path,
)
from ase_les.reporting import Estimate, Panel
from ase_les.simulation.accumulators import finite_size_correction_cm2_per_s

LONGEST_LAG_PS = 5.0
#: Particles whose displacements are transformed at once: bounds the memory.
AT_ONCE = 64


@dataclass(frozen=True)
class Diffusion:
    """Self-diffusion of one kind of particle.

    Attributes
    ----------
    species : str
    particles : int
    diffusion_A2_per_ps : Estimate
        As in the periodic cell.
    infinite_A2_per_ps : Estimate or None
        With the correction for the size of the cell; None without a viscosity.
    lag_ps, msd_A2, msd_error_A2 : array, shape (n,)
        Mean squared displacement.
    fit_ps : (float, float)
        Lags between which the slope was taken.
    exponent : float
        Slope of ln MSD against ln t in that range: 1 where motion is diffusive.
    n_blocks : int
    """

    species: str
    particles: int
    diffusion_A2_per_ps: Estimate
    infinite_A2_per_ps: Estimate | None
    lag_ps: np.ndarray
    msd_A2: np.ndarray
    msd_error_A2: np.ndarray
    fit_ps: tuple[float, float]
    exponent: float
    n_blocks: int


@dataclass(frozen=True)
class GreenKubo:
    """A transport coefficient as the plateau of a running integral.

    Attributes
    ----------
    value : Estimate
        In `unit`.
    unit : str
    lag_ps, running, running_error : array, shape (n,)
        The running integral in `unit`.
    plateau_ps : (float, float)
        Lags over which it was averaged.
    drift : float
        Mean of the second half of the plateau less that of the first, in `unit`: to be compared
        with the error.
    n_blocks : int
    """

    value: Estimate
    unit: str
    lag_ps: np.ndarray
    running: np.ndarray
    running_error: np.ndarray
    plateau_ps: tuple[float, float]
    drift: float
    n_blocks: int


@dataclass(frozen=True)
class TransportResult:
    """What one run tells of transport; None where it did not record what is needed.

    Attributes
    ----------
    diffusion : tuple of Diffusion
    green_kubo, einstein_helfand, nernst_einstein : conductivities in S/m
    charge_numbers : mapping
        Of the ions in Nernst–Einstein.
    """

    stem: Path
    temperature_K: float
    volume_A3: float | None
    diffusion: tuple[Diffusion, ...]
    green_kubo: GreenKubo | None
    einstein_helfand: Estimate | None
    nernst_einstein: Estimate | None
    charge_numbers: Mapping[str, float]
    viscosity_mPa_s: float | None
    runs: tuple[RecordedRun, ...]
    notes: tuple[str, ...]

    def summary(self) -> dict[str, object]:
        """Plain containers for YAML and JSON."""
        conductivity: dict[str, object] = {}
        if self.green_kubo is not None:
            conductivity["green_kubo_S_per_m"] = self.green_kubo.value
            conductivity["plateau_ps"] = self.green_kubo.plateau_ps
            conductivity["drift_over_plateau_S_per_m"] = self.green_kubo.drift
            conductivity["blocks"] = self.green_kubo.n_blocks
        if self.einstein_helfand is not None:
            conductivity["einstein_helfand_S_per_m"] = self.einstein_helfand
        if self.nernst_einstein is not None:
            conductivity["nernst_einstein_S_per_m"] = self.nernst_einstein
            conductivity["charge_numbers"] = self.charge_numbers
        return {
            "task": "transport coefficients",
            "input": {
                "run": str(self.stem),
                "temperature_K": self.temperature_K,
                "volume_A3": self.volume_A3,
                "viscosity_mPa_s": self.viscosity_mPa_s,
                "recorded": [run.summary() for run in self.runs],
            },
            "diffusion": {
                each.species: {
                    "particles": each.particles,
                    "diffusion_A2_per_ps": each.diffusion_A2_per_ps,
                    "infinite_cell_A2_per_ps": each.infinite_A2_per_ps,
                    "fit_ps": each.fit_ps,
                    "exponent": each.exponent,
                    "blocks": each.n_blocks,
                }
                for each in self.diffusion
            },
            "conductivity": conductivity,
            "notes": list(self.notes),
        }


def unwrapped(
    positions: np.ndarray, cells: np.ndarray, pbc: Sequence[bool] = (True, True, True)
) -> np.ndarray:
    """Positions that follow atoms through the faces of the cell, (n, N, 3).

    An atom is taken to have moved by the nearest image between two frames, which is right as long
    as frames are so close in time that none moves by half a cell. Positions that never were wrapped
    stay as they are.

    Parameters
    ----------
    positions : array, shape (n, N, 3)
    cells : array, shape (n, 3, 3)
    pbc : sequence of three bool
    """
    fractional = np.einsum("nia,nab->nib", positions, np.linalg.inv(cells))
    crossed = np.round(np.diff(fractional, axis=0)).cumsum(axis=0) * np.asarray(pbc, dtype=float)
    moved = np.array(positions, dtype=float)
    moved[1:] -= np.einsum("nia,nab->nib", crossed, cells[1:])
    return moved


def diffusion(
    positions_A: np.ndarray,
    timestep_fs: float,
    *,
    species: str = "particles",
    fit_ps: tuple[float, float] | None = None,
    blocks: int = 5,
    temperature_K: float | None = None,
    viscosity_mPa_s: float | None = None,
    volume_A3: float | None = None,
) -> Diffusion:
    """Diffusion coefficient from the slope of the mean squared displacement.

    Parameters
    ----------
    positions_A : array, shape (n, N, 3)
        Unwrapped, without a drift of the whole.
    timestep_fs : float
        Between frames.
    species : str
        A name.
    fit_ps : (float, float), optional
        Lags between which the slope is taken, by default 5 % and 25 % of the run.
    blocks : int
        For the error: at most so many, each at least twice as long as the longest lag of the fit.
    temperature_K, viscosity_mPa_s, volume_A3 : float, optional
        All three: add the correction for the size of a cubic cell.

    Raises
    ------
    ValueError
        If the range of the fit is not within the run.
    """
    positions = np.asarray(positions_A, dtype=float)
    if positions.ndim != 3 or positions.shape[2] != 3 or positions.shape[1] == 0:
        raise ValueError(f"positions must have the shape (n, N, 3), got {positions.shape}")
    n = len(positions)
    duration_ps = n * timestep_fs * 1e-3
    fit_ps = (0.05 * duration_ps, 0.25 * duration_ps) if fit_ps is None else fit_ps
    first, last = (round(each * 1e3 / timestep_fs) for each in fit_ps)
    first = max(first, 1)
    if not last >= first + 2 or last >= n:
        raise ValueError(
            f"cannot fit a slope between {fit_ps[0]:g} and {fit_ps[1]:g} ps in {n} frames of "
            f"{timestep_fs:g} fs ({duration_ps:.3g} ps): give fit_ps within the run, or run longer"
        )
    lag_ps = np.arange(last + 1) * timestep_fs * 1e-3
    whole = _mean_msd(positions, last + 1)
    n_blocks = fitting_blocks(blocks, n, 2 * (last + 1))
    parts = np.array([_mean_msd(part, last + 1) for part in in_blocks(positions, n_blocks)])
    found = Estimate(
        _slope(lag_ps, whole, first) / 6,
        float(error_of_mean(np.array([_slope(lag_ps, part, first) / 6 for part in parts]))),
    )
    infinite = None
    if viscosity_mPa_s is not None and temperature_K is not None and volume_A3 is not None:
        correction = finite_size_correction(temperature_K, viscosity_mPa_s, volume_A3)
        infinite = Estimate(found.mean + correction, found.standard_error)
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithms = np.log(lag_ps[first:]), np.log(whole[first:])
    finite = np.isfinite(logarithms).all()
    return Diffusion(
        species=species,
        particles=positions.shape[1],
        diffusion_A2_per_ps=found,
        infinite_A2_per_ps=infinite,
        lag_ps=lag_ps,
        msd_A2=whole,
        msd_error_A2=error_of_mean(parts),
        fit_ps=(float(lag_ps[first]), float(lag_ps[last])),
        exponent=float(np.polyfit(*logarithms, 1)[0]) if finite else math.nan,
        n_blocks=n_blocks,
    )


def finite_size_correction(temperature_K: float, viscosity_mPa_s: float, volume_A3: float) -> float:
    """What to add to the diffusion coefficient of a cubic periodic cell, in Å²/ps.

    See `ase_les.simulation.accumulators.finite_size_correction_cm2_per_s`; 0.85 mPa s is that of
    water at 300 K as far as the model is right.
    """
    per_cm2_per_s = 1e4
    return per_cm2_per_s * finite_size_correction_cm2_per_s(
        temperature_K=temperature_K, viscosity_mPa_s=viscosity_mPa_s, edge_A=np.cbrt(volume_A3)
    )


def conductivity_green_kubo(
    current_eA_per_fs: np.ndarray,
    timestep_fs: float,
    volume_A3: float,
    temperature_K: float,
    *,
    plateau_ps: tuple[float, float] | None = None,
    blocks: int = 10,
) -> GreenKubo:
    """Ionic conductivity in S/m from the current, J = ΣZ*v.

    Parameters
    ----------
    current_eA_per_fs : array, shape (n, 3)
        Physical, at every step or few.
    timestep_fs, volume_A3, temperature_K : float
    plateau_ps : (float, float), optional
        See the module for the default.
    blocks : int
        For the error; fewer when they would be shorter than the longest lag.
    """
    kT = Boltzmann * _positive("temperature_K", temperature_K)
    volume = _positive("volume_A3", volume_A3) * 1e-30
    # (e Å/fs)² fs in SI.
    scale = elementary_charge**2 * 1e-20 * 1e15 / (3 * volume * kT)
    return _green_kubo(current_eA_per_fs, timestep_fs, scale, "S/m", plateau_ps, blocks)


def viscosity_green_kubo(
    stress_eV_per_A3: np.ndarray,
    timestep_fs: float,
    volume_A3: float,
    temperature_K: float,
    *,
    plateau_ps: tuple[float, float] | None = None,
    blocks: int = 10,
) -> GreenKubo:
    """Shear viscosity in mPa s from all components of the traceless stress [4]_.

    Parameters
    ----------
    stress_eV_per_A3 : array, shape (n, 6)
        Voigt order xx yy zz yz xz xy, the kinetic part included (ASE:
        ``get_stress(include_ideal_gas=True)``), at every step or few.
    timestep_fs, volume_A3, temperature_K, plateau_ps, blocks
        See `conductivity_green_kubo`.
    """
    stress = np.asarray(stress_eV_per_A3, dtype=float)
    if stress.ndim != 2 or stress.shape[1] != 6:
        raise ValueError(f"the stress must have the shape (n, 6), got {stress.shape}")
    normal = stress[:, :3] - stress[:, :3].mean(axis=1, keepdims=True)
    # Every shear component stands for itself and its transpose.
    traceless = np.concatenate([normal, math.sqrt(2) * stress[:, 3:]], axis=1)
    volume = _positive("volume_A3", volume_A3) * 1e-30
    kT = Boltzmann * _positive("temperature_K", temperature_K)
    pascal = elementary_charge / 1e-30
    scale = volume / (10 * kT) * pascal**2 * 1e-15 * 1e3
    return _green_kubo(traceless, timestep_fs, scale, "mPa s", plateau_ps, blocks)


def conductivity_einstein_helfand(
    dipole_eA: np.ndarray,
    timestep_fs: float,
    volume_A3: float,
    temperature_K: float,
    *,
    fit_ps: tuple[float, float] | None = None,
    blocks: int = 5,
) -> Estimate:
    """Ionic conductivity in S/m from the diffusion of the itinerant dipole.

    Parameters
    ----------
    dipole_eA : array, shape (n, 3)
        Physical, on one branch.
    timestep_fs, volume_A3, temperature_K : float
    fit_ps, blocks
        See `diffusion`.
    """
    moved = diffusion(
        np.asarray(dipole_eA, dtype=float)[:, None, :], timestep_fs, fit_ps=fit_ps, blocks=blocks
    ).diffusion_A2_per_ps
    scale = _charge_diffusion_scale(volume_A3, temperature_K)
    return Estimate(scale * moved.mean, scale * moved.standard_error)


def conductivity_nernst_einstein(
    ions: Sequence[Diffusion],
    charge_numbers: Mapping[str, float],
    volume_A3: float,
    temperature_K: float,
) -> Estimate:
    """Ionic conductivity in S/m of ions that move independently of each other.

    The coefficients corrected for the size of the cell are taken where they are known.

    Parameters
    ----------
    ions : sequence of Diffusion
    charge_numbers : mapping
        Of their species, in e.
    volume_A3, temperature_K : float
    """
    scale = _charge_diffusion_scale(volume_A3, temperature_K)
    value = variance = 0.0
    for ion in ions:
        found = ion.infinite_A2_per_ps or ion.diffusion_A2_per_ps
        weight = scale * ion.particles * charge_numbers[ion.species] ** 2
        value += weight * found.mean
        variance += (weight * found.standard_error) ** 2
    return Estimate(value, math.sqrt(variance))


def transport_from_run(
    stem: str | Path,
    *,
    charge_numbers: Mapping[str, float] | None = None,
    epsilon_infinity: float = 1.0,
    recorded: str = "latent",
    viscosity_mPa_s: float | None = None,
    skip_ps: float = 0.0,
    temperature_K: float | None = None,
    fit_ps: tuple[float, float] | None = None,
    plateau_ps: tuple[float, float] | None = None,
    blocks: int = 5,
    output: str | Path | None = None,
    overwrite: bool = False,
    quiet: bool = False,
) -> TransportResult:
    """Diffusion of every element, and the conductivity in all ways the run's records allow.

    Parameters
    ----------
    stem : str or Path
        Of the run: ``<stem>.traj`` (diffusion, Nernst–Einstein), ``<stem>-current.npz``
        (Green–Kubo) and ``<stem>-dipole.npz`` (Einstein–Helfand) are read, those that are there.
    charge_numbers : mapping, optional
        Of the elements that are ions, in e; by default those of `monatomic_ions`.
    epsilon_infinity, recorded
        See `ElectronicScreening`. Nernst–Einstein takes neither.
    viscosity_mPa_s : float, optional
        For the correction of the diffusion for the size of the cell.
    skip_ps, temperature_K, output, overwrite, quiet
        See `infrared_from_run`.
    fit_ps : (float, float), optional
        Lags for the slope of displacements; see `diffusion`.
    plateau_ps : (float, float), optional
        Of the running integral; see the module.
    blocks : int
        For the errors.

    Raises
    ------
    FileNotFoundError
        If there is no such run.
    """
    files = AnalysisFiles.prepared(output, overwrite)
    screening = ElectronicScreening(epsilon_infinity, recorded)
    runs = {
        kind: read_recorded_run(
            stem, kind, skip_ps=skip_ps, temperature_K=temperature_K, screening=screening
        )
        for kind in ("current", "dipole")
        if series_path(stem, kind).exists()
    }
    if not runs and not trajectory_path(stem).exists():
        raise FileNotFoundError(
            f"no run '{stem}': neither {trajectory_path(stem)}, {series_path(stem, 'current')} nor "
            f"{series_path(stem, 'dipole')} is there"
        )
    temperature = temperature_K or logged_temperature(stem, skip_ps)
    volume = None
    for run in runs.values():
        temperature, volume = run.temperature_K, run.volume_A3
    notes = [
        f"no {method} conductivity: the run did not record its {kind}; record it with "
        f"`ase-les md ... --observe {kind}:1`"
        for kind, method in (("current", "Green–Kubo"), ("dipole", "Einstein–Helfand"))
        if kind not in runs
    ]
    moving: tuple[Diffusion, ...] = ()
    if trajectory_path(stem).exists():
        frames, spacing_fs = read_frames(stem, skip_ps)
        charge_numbers = _charge_numbers(frames[0], charge_numbers)
        if volume is None and frames[0].pbc.all():
            volume = float(np.mean([atoms.cell.volume for atoms in frames]))
        moving = diffusion_of_elements(
            frames,
            spacing_fs,
            fit_ps=fit_ps,
            blocks=blocks,
            temperature_K=temperature,
            viscosity_mPa_s=viscosity_mPa_s,
        )
        notes += [
            f"{each.species}: displacements grow like t^{each.exponent:.2f}, which is not diffusive"
            for each in moving
            if not 0.8 < each.exponent < 1.2
        ]
    else:
        notes.append(f"no {trajectory_path(stem)}: no diffusion, no Nernst–Einstein")
    ions = [each for each in moving if each.species in (charge_numbers or {})]
    green_kubo = helfand = nernst = None
    if "current" in runs and volume is not None:
        green_kubo = conductivity_green_kubo(
            runs["current"].moments,
            runs["current"].timestep_fs,
            volume,
            temperature,
            plateau_ps=plateau_ps,
            blocks=blocks,
        )
        if not abs(green_kubo.drift) <= 2 * green_kubo.value.standard_error:
            notes.append(
                f"the running integral drifts by {green_kubo.drift:.2g} S/m over the plateau: "
                "choose another one from the figure, or run longer"
            )
    if "dipole" in runs and volume is not None:
        helfand = conductivity_einstein_helfand(
            runs["dipole"].moments,
            runs["dipole"].timestep_fs,
            volume,
            temperature,
            fit_ps=fit_ps,
            blocks=blocks,
        )
    if ions and volume is not None:
        nernst = conductivity_nernst_einstein(ions, charge_numbers, volume, temperature)
    result = TransportResult(
        stem=Path(stem),
        temperature_K=temperature,
        volume_A3=volume,
        diffusion=moving,
        green_kubo=green_kubo,
        einstein_helfand=helfand,
        nernst_einstein=nernst,
        charge_numbers={ion.species: charge_numbers[ion.species] for ion in ions},
        viscosity_mPa_s=viscosity_mPa_s,
        runs=tuple(runs.values()),
        notes=tuple(notes),
    )
    if files is not None:
        _write(files, result)
    _tell(result, quiet)
    return result


def diffusion_of_elements(
    frames: Sequence[Atoms],
    timestep_fs: float,
    *,
    fit_ps: tuple[float, float] | None = None,
    blocks: int = 5,
    temperature_K: float | None = None,
    viscosity_mPa_s: float | None = None,
) -> tuple[Diffusion, ...]:
    """Diffusion of every element in a trajectory, relative to the centre of mass of all.

    Parameters
    ----------
    frames : sequence of Atoms
        Equally spaced in time; wrapped or not.
    timestep_fs : float
        Between frames.
    fit_ps, blocks, temperature_K, viscosity_mPa_s
        See `diffusion`. The correction is for three periodic directions only.
    """
    first = frames[0]
    positions = np.array([atoms.positions for atoms in frames])
    if first.pbc.any():
        # Directions that are not periodic may lack a lattice vector.
        cells = np.array([atoms.cell.complete().array for atoms in frames])
        positions = unwrapped(positions, cells, first.pbc)
    masses = first.get_masses()
    centre = np.einsum("i,nia->na", masses, positions) / masses.sum()
    positions = positions - centre[:, None]
    bulk = viscosity_mPa_s is not None and first.pbc.all()
    volume = float(np.mean([atoms.cell.volume for atoms in frames])) if bulk else None
    return tuple(
        diffusion(
            positions[:, first.numbers == number],
            timestep_fs,
            species=chemical_symbols[number],
            fit_ps=fit_ps,
            blocks=blocks,
            temperature_K=temperature_K,
            viscosity_mPa_s=viscosity_mPa_s,
            volume_A3=volume,
        )
        for number in np.unique(first.numbers)
    )


def _charge_numbers(atoms: Atoms, given: Mapping[str, float] | None) -> dict[str, float]:
    """Those given, checked against the structure; or those of lone atoms that are known ions."""
    symbols = set(atoms.symbols)
    if given is not None:
        absent = sorted(set(given) - symbols)
        if absent:
            raise ValueError(
                f"charge numbers are given for {', '.join(absent)}, and the structure has "
                f"{', '.join(sorted(symbols))}"
            )
        return dict(given)
    return monatomic_ions(atoms)


def _positive(name: str, value: float) -> float:
    if not value > 0:
        raise ValueError(f"`{name}` must be positive, got {value}")
    return value


def _mean_msd(positions: np.ndarray, n_lags: int) -> np.ndarray:
    """Mean squared displacement averaged over the particles of (n, N, 3)."""
    particles = np.moveaxis(positions, 1, 0)
    total = np.zeros(n_lags)
    for start in range(0, len(particles), AT_ONCE):
        total += mean_squared_displacement(particles[start : start + AT_ONCE], n_lags).sum(axis=0)
    return total / len(particles)


def _slope(lag_ps: np.ndarray, msd: np.ndarray, first: int) -> float:
    return float(np.polyfit(lag_ps[first:], msd[first:], 1)[0])


def _charge_diffusion_scale(volume_A3: float, temperature_K: float) -> float:
    """e² (Å²/ps) / (V k_B T) in S/m."""
    volume = _positive("volume_A3", volume_A3) * 1e-30
    return (
        elementary_charge**2
        * 1e-8
        / (volume * Boltzmann * _positive("temperature_K", temperature_K))
    )


def _green_kubo(
    flux: np.ndarray,
    timestep_fs: float,
    scale: float,
    unit: str,
    plateau_ps: tuple[float, float] | None,
    blocks: int,
) -> GreenKubo:
    flux = np.asarray(flux, dtype=float)
    if flux.ndim != 2 or not np.isfinite(flux).all():
        raise ValueError(f"the flux must be finite and of the shape (n, d), got {flux.shape}")
    n = len(flux)
    if plateau_ps is None:
        longest_ps = min(LONGEST_LAG_PS, 0.25 * n * timestep_fs * 1e-3)
        plateau_ps = (0.5 * longest_ps, longest_ps)
    first, last = (round(each * 1e3 / timestep_fs) for each in plateau_ps)
    if not 0 <= first < last < n:
        raise ValueError(
            f"a plateau from {plateau_ps[0]:g} to {plateau_ps[1]:g} ps does not fit into the "
            f"{n * timestep_fs * 1e-3:.3g} ps of the series"
        )
    n_blocks = fitting_blocks(blocks, n, last + 1)

    def running(part: np.ndarray) -> np.ndarray:
        correlation = autocorrelation(part, last + 1)
        steps = 0.5 * timestep_fs * (correlation[..., 1:] + correlation[..., :-1])
        start = np.zeros((*steps.shape[:-1], 1))
        return scale * np.concatenate([start, steps.cumsum(axis=-1)], axis=-1)

    whole, parts = running(flux), running(in_blocks(flux, n_blocks))
    plateau = whole[first:]
    middle = len(plateau) // 2
    return GreenKubo(
        value=Estimate(float(plateau.mean()), float(error_of_mean(parts[:, first:].mean(axis=1)))),
        unit=unit,
        lag_ps=np.arange(last + 1) * timestep_fs * 1e-3,
        running=whole,
        running_error=error_of_mean(parts),
        plateau_ps=(first * timestep_fs * 1e-3, last * timestep_fs * 1e-3),
        drift=float(plateau[middle:].mean() - plateau[:middle].mean()),
        n_blocks=n_blocks,
    )


def _write(files: AnalysisFiles, result: TransportResult) -> None:
    arrays, drawings = {}, []
    if result.diffusion:
        lag_ps = result.diffusion[0].lag_ps
        arrays["msd_lag_ps"] = lag_ps
        for each in result.diffusion:
            arrays[f"msd_{each.species}_A2"] = each.msd_A2
            arrays[f"msd_{each.species}_error_A2"] = each.msd_error_A2
        panel = Panel(
            "mean squared\ndisplacement (Å²)",
            {each.species: each.msd_A2 for each in result.diffusion},
            bands={each.species: each.msd_error_A2 for each in result.diffusion},
        )
        drawings.append((lag_ps, panel))
    if result.green_kubo is not None:
        found = result.green_kubo
        arrays["conductivity_lag_ps"] = found.lag_ps
        arrays["conductivity_running_S_per_m"] = found.running
        arrays["conductivity_running_error_S_per_m"] = found.running_error
        name = "Green–Kubo"
        lines = {name: found.running}
        others = {"Einstein–Helfand": result.einstein_helfand}
        others["Nernst–Einstein"] = result.nernst_einstein
        for other, value in others.items():
            if value is not None:
                lines[other] = np.full(len(found.lag_ps), value.mean)
        panel = Panel("conductivity (S/m)", lines, bands={name: found.running_error})
        drawings.append((found.lag_ps, panel))
    save_arrays(files.series, arrays)
    _draw(files.figure, drawings)
    reporting.write_summary(files.summary, result.summary())


def _draw(path: Path, drawings: Sequence[tuple[np.ndarray, Panel]]) -> None:
    """Panels above each other, each with an axis of lags of its own."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 0.6 + 2.6 * max(len(drawings), 1)), layout="constrained")
    axes = figure.subplots(max(len(drawings), 1), 1, squeeze=False)[:, 0]
    for axis, (lag_ps, panel) in zip(axes, drawings, strict=False):
        for name, values in panel.curves.items():
            (line,) = axis.plot(lag_ps, values, label=name, linewidth=1.0)
            if name in panel.bands:
                low, high = values - panel.bands[name], values + panel.bands[name]
                axis.fill_between(lag_ps, low, high, color=line.get_color(), alpha=0.3, linewidth=0)
        axis.set_xlabel("time (ps)")
        axis.set_ylabel(panel.label)
        axis.legend(frameon=False)
    figure.savefig(path, dpi=150)


def _tell(result: TransportResult, quiet: bool) -> None:
    console = reporting.console(quiet)
    rows: dict[str, object] = {"temperature (K)": result.temperature_K}
    for each in result.diffusion:
        rows[f"D of {each.species} (Å²/ps = 1e-8 m²/s)"] = each.diffusion_A2_per_ps
        if each.infinite_A2_per_ps is not None:
            rows[f"D of {each.species}, infinite cell (Å²/ps)"] = each.infinite_A2_per_ps
    if result.green_kubo is not None:
        rows["conductivity, Green–Kubo (S/m)"] = result.green_kubo.value
    if result.einstein_helfand is not None:
        rows["conductivity, Einstein–Helfand (S/m)"] = result.einstein_helfand
    if result.nernst_einstein is not None:
        rows["conductivity, Nernst–Einstein (S/m)"] = result.nernst_einstein
    console.print(reporting.results_table(str(result.stem), rows))
    for note in result.notes:
        console.print(f"Note: {note}", markup=False, highlight=False, soft_wrap=True)
