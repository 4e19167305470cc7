r"""Current and dipole recorded by a molecular dynamics run, in physical units.

Current and dipole of a model with latent charges are screened: the physical ones are
:math:`\sqrt{\varepsilon_\infty}` times larger, where :math:`\varepsilon_\infty` is the electronic
dielectric constant of the bulk. Which of them a run recorded depends on its calculator,
``LESCalculator(..., dielectric=)``, and is stored in the series.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.io import Trajectory

from ase_les.properties.correlation import uniform_timestep
from ase_les.runs.output import RunFiles
from ase_les.simulation.observers import read_log
from ase_les.simulation.series import Series

COLUMN = {"current": "current_eA_per_fs", "dipole": "dipole_eA"}
RECORDED = ("latent", "physical")


@dataclass(frozen=True)
class ElectronicScreening:
    """Electronic screening of recorded moments.

    Both values are known for a run whose calculator had a dielectric constant.

    Attributes
    ----------
    epsilon_infinity : float
        Electronic dielectric constant of the bulk; 1 for molecules.
    recorded : {"latent", "physical"}
        Latent moments are multiplied by the square root of the dielectric constant.
    """

    epsilon_infinity: float = 1.0
    recorded: str = "latent"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.epsilon_infinity) and self.epsilon_infinity >= 1):
            raise ValueError(
                f"`epsilon_infinity` must be 1 or larger, got {self.epsilon_infinity}; it is the "
                "dielectric constant of the electrons alone, 1.78 for water"
            )
        if self.recorded not in RECORDED:
            raise ValueError(
                f"`recorded` must be one of {', '.join(RECORDED)}, got {self.recorded!r}"
            )

    @property
    def factor(self) -> float:
        """Ratio of physical to recorded moments."""
        return math.sqrt(self.epsilon_infinity) if self.recorded == "latent" else 1.0


@dataclass(frozen=True)
class RecordedRun:
    """Current or dipole of a run in physical units.

    Attributes
    ----------
    stem : Path
    kind : {"current", "dipole"}
    moments : array, shape (n, 3)
        Current in e Å/fs or dipole in e Å, multiplied by the factor of `screening`.
    time_fs : array, shape (n,)
    timestep_fs : float
        Time between samples.
    volume_A3 : float or None
        Mean volume; None unless three directions are periodic.
    temperature_K : float
        Mean temperature, or the given one.
    skip_ps : float
        Excluded initial time.
    screening : ElectronicScreening
    """

    stem: Path
    kind: str
    moments: np.ndarray
    time_fs: np.ndarray
    timestep_fs: float
    volume_A3: float | None
    temperature_K: float
    skip_ps: float
    screening: ElectronicScreening

    @property
    def volume_of_bulk_A3(self) -> float:
        """Volume in Å³; raises ValueError for molecules and slabs."""
        if self.volume_A3 is None:
            raise ValueError(
                f"the run '{self.stem}' has no volume: this property is defined for a bulk with "
                "three periodic directions"
            )
        return self.volume_A3

    def summary(self) -> dict[str, object]:
        """Return the description as plain containers for YAML and JSON."""
        return {
            "run": str(self.stem),
            "file": series_path(self.stem, self.kind).name,
            "samples": len(self.moments),
            "timestep_fs": self.timestep_fs,
            "length_ps": len(self.moments) * self.timestep_fs * 1e-3,
            "skipped_ps": self.skip_ps,
            "volume_A3": self.volume_A3,
            "temperature_K": self.temperature_K,
            "epsilon_infinity": self.screening.epsilon_infinity,
            "recorded_moments": self.screening.recorded,
            "moments_multiplied_by": self.screening.factor,
        }


def series_path(stem: str | Path, kind: str) -> Path:
    """Return the path ``<stem>-<kind>.npz``."""
    stem = Path(stem).expanduser()
    return stem.with_name(f"{stem.name}-{kind}.npz")


def read_recorded_run(
    stem: str | Path,
    kind: str,
    *,
    skip_ps: float = 0.0,
    temperature_K: float | None = None,
    epsilon_infinity: float | None = None,
    recorded: str | None = None,
) -> RecordedRun:
    """Read ``<stem>-current.npz`` or ``<stem>-dipole.npz``.

    Parameters
    ----------
    stem : str or Path
        Stem of the run.
    kind : {"current", "dipole"}
    skip_ps : float
        Initial time to exclude.
    temperature_K : float, optional
        By default the mean of the recorded temperatures.
    epsilon_infinity, recorded : optional
        See `ElectronicScreening`. By default those of the calculator of the run; without a
        dielectric constant, 1 and "latent".

    Raises
    ------
    FileNotFoundError
        If the run did not record it.
    ValueError
        If too little is left, the temperature is unknown, or the calculator of the run had
        another dielectric constant.
    """
    path = series_path(stem, kind)
    if not path.exists():
        raise FileNotFoundError(
            f"no file '{path}': the run '{stem}' did not record its {kind}. Record it with "
            f"`ase-les md ... --observe {kind} --output {stem}`; finished runs cannot be "
            "recorded afterwards"
        )
    series = Series.load(path)
    if COLUMN[kind] not in series.columns:
        raise ValueError(f"{path} has no column {COLUMN[kind]}, only {', '.join(series.columns)}")
    chosen = series.time_fs >= skip_ps * 1e3
    if np.count_nonzero(chosen) < 2:
        raise ValueError(f"{path}: no samples are left after skip_ps = {skip_ps:g}")
    screening = _screening(path, series, epsilon_infinity, recorded)
    if temperature_K is None:
        temperature_K = float(np.mean(_column(series, "temperature_K")[chosen]))
    if not temperature_K > 0:
        raise ValueError(
            f"{path} contains no temperature; give `temperature_K`, got {temperature_K}"
        )
    volume = float(np.mean(_column(series, "volume_A3")[chosen]))
    return RecordedRun(
        stem=Path(stem),
        kind=kind,
        moments=screening.factor * series.columns[COLUMN[kind]][chosen],
        time_fs=series.time_fs[chosen],
        timestep_fs=uniform_timestep(series.time_fs[chosen]),
        # Series of molecules and slabs have no volume, or nan or zero.
        volume_A3=volume if volume > 0 else None,
        temperature_K=float(temperature_K),
        skip_ps=skip_ps,
        screening=screening,
    )


def _screening(
    path: Path, series: Series, epsilon_infinity: float | None, recorded: str | None
) -> ElectronicScreening:
    """Return the screening recorded in the series, or the given one if it is not recorded."""
    contained = 1.0 if series.dielectric is None else float(np.trace(series.dielectric)) / 3
    # A recorded constant of 1 does not exclude that moments are latent.
    physical = not math.isclose(contained, 1.0)
    given = ElectronicScreening(
        contained if epsilon_infinity is None else epsilon_infinity,
        recorded or ("physical" if physical else "latent"),
    )
    if not physical:
        return given
    if given.recorded != "physical" or not math.isclose(given.epsilon_infinity, contained):
        raise ValueError(
            f"{path}: the calculator of the run had the dielectric constant {contained:g}, so that "
            "its moments are physical already; got "
            f"epsilon_infinity={given.epsilon_infinity:g}, recorded='{given.recorded}'. Leave both "
            "out"
        )
    return given


def _column(series: Series, name: str) -> np.ndarray:
    return series.columns.get(name, np.full(len(series.time_fs), np.nan))


def trajectory_path(stem: str | Path) -> Path:
    """Return the path ``<stem>.traj``."""
    return RunFiles(Path(stem)).trajectory


def read_frames(stem: str | Path, skip_ps: float = 0.0) -> tuple[list[Atoms], float]:
    """Read the frames of the trajectory of a run and their spacing in fs.

    Parameters
    ----------
    stem : str or Path
        ``<stem>.traj`` of `run_dynamics` or of ASE's dynamics.
    skip_ps : float
        Initial time to exclude.

    Raises
    ------
    FileNotFoundError
        If there is no trajectory.
    ValueError
        If it does not contain the time between frames, or fewer than two frames are left.
    """
    path = trajectory_path(stem)
    if not path.exists():
        raise FileNotFoundError(f"no trajectory '{path}' of the run '{stem}'")
    with Trajectory(path) as trajectory:
        description = trajectory.description or {}
        if "timestep" not in description or "interval" not in description:
            raise ValueError(
                f"{path} does not contain its time step; was it written by molecular dynamics?"
            )
        spacing_fs = description["timestep"] / units.fs * description["interval"]
        first = math.ceil(skip_ps * 1e3 / spacing_fs - 1e-9)
        frames = [trajectory[index] for index in range(first, len(trajectory))]
    if len(frames) < 2:
        raise ValueError(f"{path}: {len(frames)} frames are left after skip_ps = {skip_ps:g}")
    return frames, float(spacing_fs)


def logged_temperature(stem: str | Path, skip_ps: float = 0.0) -> float:
    """Return the mean temperature in K from ``<stem>.log``; nan without a log."""
    path = RunFiles(Path(stem)).log
    if not path.exists():
        return math.nan
    log = read_log(path)
    return float(log.temperature_K[log.time_ps >= skip_ps].mean())
