r"""Current and dipole recorded by a molecular dynamics run, in physical units.

Current and dipole of a model with latent charges are screened: the physical ones are
:math:`\sqrt{\varepsilon_\infty}` times larger, where :math:`\varepsilon_\infty` is the electronic
dielectric constant of the bulk. Which of them a run recorded depends on its calculator,
``LESCalculator(..., dielectric=)``, and is stored in the series.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.geometry import find_mic
from ase.io import Trajectory

from ase_les.arguments import require_one_of, require_positive
from ase_les.configuration import read_yaml
from ase_les.model_limits import limit_notes
from ase_les.properties.correlation import uniform_timestep
from ase_les.reading import read_file
from ase_les.runs.output import RunFiles
from ase_les.simulation.observers import read_log
from ase_les.simulation.series import Series

#: Smallest relative volume change that is reported.
VOLUME_CHANGE = 0.005
#: Smallest reported ratio of displacements per frame, and number of frames compared on each side.
DISPLACEMENT_JUMP, FRAMES_PER_SIDE = 1.4, 5
COLUMN = {
    "current": "current_eA_per_fs",
    "dipole": "dipole_eA",
    "electrodes": "conjugate_charge_e",
    "layers": "layer_current_eA_per_fs",
    "polarizability": "polarizability_A3",
}
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
        require_one_of("recorded", self.recorded, RECORDED)

    @property
    def factor(self) -> float:
        """Ratio of physical to recorded moments."""
        return math.sqrt(self.epsilon_infinity) if self.recorded == "latent" else 1.0


@dataclass(frozen=True)
class FinishedTrajectory:
    """Trajectory of any program, without the files of a run.

    Parameters
    ----------
    path : Path
        Any file ASE reads.
    frame_interval_fs : float or None
        Time between frames; None: read from the file, if written by the dynamics of ASE or ase_les.
    """

    path: Path
    frame_interval_fs: float | None = None

    def __post_init__(self) -> None:
        if self.frame_interval_fs is not None:
            require_positive("frame_interval_fs", self.frame_interval_fs)


class UnknownIntervalError(ValueError):
    """A trajectory does not contain the time between its frames."""


@dataclass(frozen=True)
class RecordedRun:
    """Current or dipole of a run in physical units.

    Attributes
    ----------
    stem : Path
    kind : {"current", "dipole", "layers"}
    moments : array, shape (n, 3), or (n, layers, 3)
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


def read_series(
    stem: str | Path, kind: str, skip_ps: float = 0.0, temperature_K: float | None = None
) -> tuple[Series, float, float | None]:
    """Read ``<stem>-<kind>.npz``; return series, mean temperature (K) and mean volume (Å³).

    Parameters
    ----------
    stem : str or Path
        Stem of the run.
    kind : str
        One of `COLUMN`.
    skip_ps : float
        Initial time to exclude.
    temperature_K : float, optional
        By default the mean of the recorded temperatures.

    Returns
    -------
    series : Series
    temperature_K : float
    volume_A3 : float or None
        None for molecules and slabs.
    """
    path = series_path(stem, kind)
    if not path.exists():
        afterwards = "finished runs cannot be recorded afterwards"
        if kind == "layers":
            afterwards = (
                "for a finished run with a trajectory of velocities, use "
                f"`ase-les infrared --from-run {stem} --layers 3,6 --model M`"
            )
        needed = {"electrodes": " and --electrodes", "polarizability": " and a model that has one"}
        raise FileNotFoundError(
            f"no file '{path}': the run '{stem}' did not record its {kind}. Record it with "
            f"`ase-les md ... --observe {kind} --output {stem}`{needed.get(kind, '')}; {afterwards}"
        )
    series = Series.load(path)
    if COLUMN[kind] not in series.columns:
        raise ValueError(f"{path} has no column {COLUMN[kind]}, only {', '.join(series.columns)}")
    series, temperature_K = samples_after(series, skip_ps, temperature_K, str(path))
    volume = float(np.mean(_column(series, "volume_A3")))
    # Series of molecules and slabs have no volume, or nan or zero.
    return series, temperature_K, volume if volume > 0 else None


def samples_after(
    series: Series, skip_ps: float, temperature_K: float | None, name: str = "the series"
) -> tuple[Series, float]:
    """Return the samples of a series after an initial time, and their temperature in K.

    Parameters
    ----------
    skip_ps : float
        Initial time to exclude.
    temperature_K : float or None
        None for the mean of the recorded temperatures.
    name : str
        Name of the series in messages.
    """
    chosen = series.time_fs >= skip_ps * 1e3
    n_samples = np.count_nonzero(chosen)
    if n_samples < 2:
        raise ValueError(
            f"{name}: at least two samples are needed, {n_samples} are left after "
            f"skip_ps = {skip_ps:g}"
        )
    columns = {key: values[chosen] for key, values in series.columns.items()}
    series = Series(series.time_fs[chosen], columns, series.dielectric)
    if temperature_K is None:
        temperature_K = float(np.mean(_column(series, "temperature_K")))
        if not temperature_K > 0:
            raise ValueError(f"{name} contains no temperature; give `temperature_K`")
    return series, float(require_positive("temperature_K", temperature_K))


def read_recorded_run(
    stem: str | Path,
    kind: str,
    *,
    skip_ps: float = 0.0,
    temperature_K: float | None = None,
    epsilon_infinity: float | None = None,
    recorded: str | None = None,
) -> RecordedRun:
    """Read ``<stem>-current.npz``, ``<stem>-dipole.npz`` or ``<stem>-layers.npz``.

    Parameters
    ----------
    stem : str or Path
        Stem of the run.
    skip_ps : float
        Initial time to exclude.
    temperature_K : float, optional
        By default the mean of the recorded temperatures.
    epsilon_infinity, recorded : optional
        See `ElectronicScreening`. By default from the calculator of the run; without a
        dielectric constant, 1 and "latent".
    """
    series, temperature_K, volume_A3 = read_series(stem, kind, skip_ps, temperature_K)
    screening = _screening(series_path(stem, kind), series, epsilon_infinity, recorded)
    return RecordedRun(
        stem=Path(stem),
        kind=kind,
        moments=screening.factor * series.columns[COLUMN[kind]],
        time_fs=series.time_fs,
        timestep_fs=uniform_timestep(series.time_fs),
        volume_A3=volume_A3,
        temperature_K=temperature_K,
        skip_ps=skip_ps,
        screening=screening,
    )


def _screening(
    path: Path, series: Series, epsilon_infinity: float | None, recorded: str | None
) -> ElectronicScreening:
    """Return the screening recorded in the series, or the given one if it is not recorded."""
    recorded_constant = 1.0 if series.dielectric is None else float(np.trace(series.dielectric)) / 3
    # Moments may be latent even if the recorded constant is 1.
    physical = not math.isclose(recorded_constant, 1.0)
    given = ElectronicScreening(
        recorded_constant if epsilon_infinity is None else epsilon_infinity,
        recorded or ("physical" if physical else "latent"),
    )
    if not physical:
        return given
    if given.recorded != "physical" or not math.isclose(given.epsilon_infinity, recorded_constant):
        raise ValueError(
            f"{path}: the calculator of the run had the dielectric constant "
            f"{recorded_constant:g}, so that its moments are physical already; got "
            f"epsilon_infinity={given.epsilon_infinity:g}, recorded='{given.recorded}'. Omit "
            "both"
        )
    return given


def _column(series: Series, name: str) -> np.ndarray:
    return series.columns.get(name, np.full(len(series.time_fs), np.nan))


def trajectory_path(stem: str | Path) -> Path:
    """Return the path ``<stem>.traj``."""
    return RunFiles(Path(stem)).trajectory


def read_frames(
    stem: str | Path | FinishedTrajectory, skip_ps: float = 0.0
) -> tuple[list[Atoms], float]:
    """Read the frames of the trajectory of a run and their spacing in fs.

    Parameters
    ----------
    stem : str, Path or FinishedTrajectory
        ``<stem>.traj`` of `run_dynamics` or of ASE's dynamics, or a trajectory with its interval.
    skip_ps : float
        Initial time to exclude.
    """
    finished = stem if isinstance(stem, FinishedTrajectory) else None
    path = finished.path if finished else trajectory_path(str(stem))
    if not path.exists():
        raise FileNotFoundError(f"no trajectory '{path}'")
    spacing_fs = finished.frame_interval_fs if finished else None
    if path.suffix == ".traj":
        with Trajectory(path) as trajectory:
            description = trajectory.description or {}
            if spacing_fs is None and {"timestep", "interval"} <= set(description):
                spacing_fs = description["timestep"] / units.fs * description["interval"]
            frames = list(trajectory) if spacing_fs is not None else []
    else:
        frames = read_file(path).frames if spacing_fs is not None else []
    if spacing_fs is None:
        raise UnknownIntervalError(
            f"{path} does not contain the time between its frames: give `frame_interval_fs`"
        )
    frames = frames[math.ceil(skip_ps * 1e3 / spacing_fs - 1e-9) :]
    if len(frames) < 2:
        raise ValueError(f"{path}: {len(frames)} frames are left after skip_ps = {skip_ps:g}")
    return frames, float(spacing_fs)


def joined_legs_notes(frames: Sequence[Atoms]) -> list[str]:
    """Return notes on a trajectory whose frames are not equally spaced or whose volume changes.

    Where runs with different intervals were joined, the displacement per frame changes suddenly
    and permanently.
    """
    notes = []
    if frames[0].pbc.all():
        volumes = np.array([atoms.cell.volume for atoms in frames])
        if np.ptp(volumes) > VOLUME_CHANGE * volumes.mean():
            notes.append(
                f"the volume changes from {volumes.min():.4g} to {volumes.max():.4g} Å³: densities "
                "are averages, and displacements include the motion of the cell"
            )
    moves = []
    for before, after in pairwise(frames):
        vectors, _ = find_mic(after.positions - before.positions, after.cell, after.pbc)
        moves.append(float(np.sqrt((vectors**2).sum(axis=1).mean())))
    steps = np.array(moves)
    best, where = DISPLACEMENT_JUMP, 0
    for k in range(FRAMES_PER_SIDE, len(steps) - FRAMES_PER_SIDE + 1):
        near = np.median(steps[k - FRAMES_PER_SIDE : k]), np.median(steps[k : k + FRAMES_PER_SIDE])
        whole = np.median(steps[:k]), np.median(steps[k:])
        ratio = min(max(a, b) / max(min(a, b), 1e-12) for a, b in (near, whole))
        if ratio > best:
            best, where = ratio, k
    if where:
        one, other = np.median(steps[:where]), np.median(steps[where:])
        notes.append(
            f"atoms move by {one:.3g} Å per frame before frame {where} and by {other:.3g} Å after "
            "it: runs with different intervals or temperatures seem to be joined. Times are wrong "
            "unless all frames are equally spaced; analyze the runs separately"
        )
    return notes


def limits_of_run(stem: str | Path) -> tuple[str, ...]:
    """Return the notes on the limits of the model in the summary of a run, if there are any."""
    path = RunFiles(Path(stem)).summary
    try:
        summary = read_yaml(path) if path.exists() else None
    except ValueError:
        return ()
    notes = summary.get("notes") if isinstance(summary, dict) else None
    return limit_notes(notes) if isinstance(notes, list) else ()


def logged_temperature(stem: str | Path, skip_ps: float = 0.0) -> float:
    """Return the mean temperature in K from ``<stem>.log``; nan without a log."""
    path = RunFiles(Path(stem)).log
    if not path.exists():
        return math.nan
    log = read_log(path)
    return float(log.temperature_K[log.time_ps >= skip_ps].mean())
