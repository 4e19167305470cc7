r"""What a molecular dynamics run recorded of the motion of its charge, ready for analysis.

A model with latent charges gives current and dipole that are screened: the physical ones are
:math:`\sqrt{\varepsilon_\infty}` times larger, with :math:`\varepsilon_\infty` the electronic
dielectric constant of the bulk. Whether a run recorded the ones or the others depends on its
calculator, ``LESCalculator(..., dielectric=)``; the series tells, and is said here once for all
analyses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.io import Trajectory

from ase_les.properties.correlation import uniform_timestep
from ase_les.simulation.observers import read_log
from ase_les.simulation.series import Series

COLUMN = {"current": "current_eA_per_fs", "dipole": "dipole_eA"}
RECORDED = ("latent", "physical")


@dataclass(frozen=True)
class ElectronicScreening:
    """How the electrons screen what was recorded.

    A run whose calculator had a dielectric constant knows both, and they need not be given.

    Attributes
    ----------
    epsilon_infinity : float
        Electronic dielectric constant of the bulk; 1 for molecules.
    recorded : {"latent", "physical"}
        Whether current and dipole still have to be multiplied by its square root.
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
        """Physical over recorded moments."""
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
        Between samples.
    volume_A3 : float or None
        Mean volume; None unless three directions repeat.
    temperature_K : float
        Mean, or what was asked for.
    skip_ps : float
        What was recorded earlier in the run is left out.
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
        """The volume; an error for molecules and slabs."""
        if self.volume_A3 is None:
            raise ValueError(
                f"the run '{self.stem}' has no volume: this property is one of a bulk, which "
                "repeats in three directions"
            )
        return self.volume_A3

    def summary(self) -> dict[str, object]:
        """Plain containers for YAML and JSON."""
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
    """``<stem>-<kind>.npz``."""
    stem = Path(stem)
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
        Of the run.
    kind : {"current", "dipole"}
    skip_ps : float
        What was recorded earlier in the run is left out.
    temperature_K : float, optional
        By default the mean of what was recorded.
    epsilon_infinity, recorded : optional
        See `ElectronicScreening`. By default what the calculator of the run had; without a
        dielectric constant, 1 and "latent".

    Raises
    ------
    FileNotFoundError
        If the run did not record it; says how to.
    ValueError
        If too little is left, the temperature is unknown, or the calculator of the run had
        another dielectric constant.
    """
    path = series_path(stem, kind)
    if not path.exists():
        raise FileNotFoundError(
            f"no file '{path}': the run '{stem}' did not record its {kind}. Record it with "
            f"`ase-les md ... --observe {kind} --output {stem}`; a finished run cannot be "
            "asked afterwards"
        )
    series = Series.load(path)
    if COLUMN[kind] not in series.columns:
        raise ValueError(f"{path} has no column {COLUMN[kind]}, only {', '.join(series.columns)}")
    chosen = series.time_fs >= skip_ps * 1e3
    if np.count_nonzero(chosen) < 2:
        raise ValueError(f"{path}: nothing is left after skip_ps = {skip_ps:g}")
    screening = _screening(path, series, epsilon_infinity, recorded)
    if temperature_K is None:
        temperature_K = float(np.mean(_column(series, "temperature_K")[chosen]))
    if not temperature_K > 0:
        raise ValueError(f"{path} tells no temperature; give `temperature_K`, got {temperature_K}")
    volume = float(np.mean(_column(series, "volume_A3")[chosen]))
    return RecordedRun(
        stem=Path(stem),
        kind=kind,
        moments=screening.factor * series.columns[COLUMN[kind]][chosen],
        time_fs=series.time_fs[chosen],
        timestep_fs=uniform_timestep(series.time_fs[chosen]),
        # The series of a molecule or slab has no volume, or one that is nan or zero.
        volume_A3=volume if volume > 0 else None,
        temperature_K=float(temperature_K),
        skip_ps=skip_ps,
        screening=screening,
    )


def _screening(
    path: Path, series: Series, epsilon_infinity: float | None, recorded: str | None
) -> ElectronicScreening:
    """What the series tells where nothing is given, and what is given where it does not tell."""
    contained = 1.0 if series.dielectric is None else float(np.trace(series.dielectric)) / 3
    # Moments without screening and moments nobody knows about: both as they are said to be.
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
            f"its moments are physical already; got epsilon_infinity={given.epsilon_infinity:g}, "
            f"recorded='{given.recorded}'. Leave both out"
        )
    return given


def _column(series: Series, name: str) -> np.ndarray:
    return series.columns.get(name, np.full(len(series.time_fs), np.nan))


def trajectory_path(stem: str | Path) -> Path:
    """``<stem>.traj``."""
    return Path(stem).with_name(Path(stem).name + ".traj")


def read_frames(stem: str | Path, skip_ps: float = 0.0) -> tuple[list[Atoms], float]:
    """Frames of the trajectory of a run and their distance in fs.

    Parameters
    ----------
    stem : str or Path
        ``<stem>.traj`` is read: one of `run_dynamics`, or any that ASE's dynamics wrote.
    skip_ps : float
        To leave out at the beginning.

    Raises
    ------
    FileNotFoundError
        If there is no trajectory.
    ValueError
        If it does not say how far apart in time its frames are, or fewer than two are left.
    """
    path = trajectory_path(stem)
    if not path.exists():
        raise FileNotFoundError(f"no trajectory '{path}' of the run '{stem}'")
    with Trajectory(path) as trajectory:
        description = trajectory.description or {}
        if "timestep" not in description or "interval" not in description:
            raise ValueError(f"{path} does not tell its time step; was it written by dynamics?")
        spacing_fs = description["timestep"] / units.fs * description["interval"]
        first = math.ceil(skip_ps * 1e3 / spacing_fs - 1e-9)
        frames = [trajectory[index] for index in range(first, len(trajectory))]
    if len(frames) < 2:
        raise ValueError(f"{path}: {len(frames)} frames are left after skip_ps = {skip_ps:g}")
    return frames, float(spacing_fs)


def logged_temperature(stem: str | Path, skip_ps: float = 0.0) -> float:
    """Mean temperature in K from ``<stem>.log``; nan without one."""
    path = Path(stem).with_name(Path(stem).name + ".log")
    if not path.exists():
        return math.nan
    log = read_log(path)
    return float(log.temperature_K[log.time_ps >= skip_ps].mean())
