"""Run dynamics with a committee and select structures to label."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io.trajectory import Trajectory

from ase_les.calculator import LESCalculator
from ase_les.committee import Committee
from ase_les.reading import all_frames
from ase_les.reading.extended_xyz import write_extended_xyz
from ase_les.runs.output import replace_file
from ase_les.runs.progress import Progress
from ase_les.simulation import resume_dynamics, run_dynamics
from ase_les.simulation.alarms import disagreement_of_atoms
from ase_les.simulation.dynamics_result import DynamicsError, DynamicsResult
from ase_les.training.active_learning.plan import Conditions
from ase_les.training.structures.moves import bare, collision

# Number of frames of a run from which structures are selected.
_FRAMES = 50

_DISAGREEMENT = "disagreement_eV_per_A"
_AT_THE_END = "stopped"


@dataclass(frozen=True)
class RunRecord:
    """Outcome of a run.

    ``name``: stem of the files. ``time_ps``, ``wanted_ps``: completed and requested time.
    ``stopped``: reason for an early end, or None. ``mean_disagreement_eV_per_A``,
    ``largest_disagreement_eV_per_A``: over the frames, see
    `ase_les.simulation.alarms.disagreement_of_atoms`.
    """

    name: str
    conditions: str
    atoms: int
    time_ps: float
    wanted_ps: float
    stopped: str | None
    mean_disagreement_eV_per_A: float
    largest_disagreement_eV_per_A: float


def run_once(
    start: Atoms,
    committee: Committee,
    conditions: Conditions,
    picoseconds: float,
    disagreement_eV_per_A: float,
    output: Path,
    seed: int,
    progress: Progress,
) -> RunRecord:
    """Run dynamics until the end or an alarm; an interrupted run is resumed.

    Writes frames with their disagreement to ``<output>.extxyz`` and the record to
    ``<output>.json``; a run with a record is not repeated.

    Parameters
    ----------
    disagreement_eV_per_A : float
        The run stops if this is exceeded.
    """
    record = output.with_name(f"{output.name}.json")
    if record.exists():
        return RunRecord(**json.loads(record.read_text(encoding="utf-8")))
    settings = conditions.settings(picoseconds)
    atoms = bare(start)
    atoms.calc = LESCalculator(committee)
    with without_extrapolation_warnings():
        frames, stopped, steps = _frames(
            atoms, output, {**settings, "seed": seed}, disagreement_eV_per_A, progress
        )
    write_extended_xyz(output.with_name(f"{output.name}.extxyz"), frames)
    known = [each.info[_DISAGREEMENT] for each in frames] or [float("nan")]
    done = RunRecord(
        name=output.name,
        conditions=str(conditions),
        atoms=len(atoms),
        time_ps=1e-3 * conditions.timestep_fs * steps,
        wanted_ps=1e-3 * conditions.timestep_fs * settings["steps"],
        stopped=stopped,
        mean_disagreement_eV_per_A=float(np.mean(known)),
        largest_disagreement_eV_per_A=float(np.max(known)),
    )
    replace_file(record, json.dumps(asdict(done), indent=1).encode())
    return done


@contextmanager
def without_extrapolation_warnings() -> Iterator[None]:
    """Hide extrapolation warnings: exploration looks for such structures."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*an extrapolation")
        yield


def chosen(runs: Sequence[Path], structures: int) -> tuple[list[Atoms], list[Atoms]]:
    """Select structures to label: half evenly spaced, half with the largest disagreement.

    Parameters
    ----------
    runs : sequence of Path
        Files of frames, from `run_once`.
    structures : int
        Number of structures, half of each kind.

    Returns
    -------
    (list of Atoms, list of Atoms)
        Frames evenly spaced over all runs, except those at which a run stopped; and frames with the
        largest disagreement.
    """
    frames = [each for path in runs for each in all_frames(path)]
    candidates = [k for k, each in enumerate(frames) if not each.info.get(_AT_THE_END)]
    n_usual = min((structures + 1) // 2, len(candidates))
    spaced = {
        candidates[k] for k in np.linspace(0, len(candidates) - 1, n_usual).round().astype(int)
    }
    order = np.argsort([-each.info[_DISAGREEMENT] for each in frames], kind="stable").tolist()
    disputed = [k for k in order if k not in spaced][: structures - len(spaced)]
    return [bare(frames[k]) for k in sorted(spaced)], [bare(frames[k]) for k in sorted(disputed)]


def _frames(
    atoms: Atoms,
    output: Path,
    settings: dict[str, Any],
    disagreement: float,
    progress: Progress,
) -> tuple[list[Atoms], str | None, int]:
    """Return frames with disagreement, reason for an early end, and number of steps."""
    total = settings["steps"]
    stride = max(total // _FRAMES, 1)
    settings |= {
        "trajectory_stride": stride,
        "log_stride": stride,
        "checkpoint_stride": max(total // 5, 1),
        "max_force_std_eV_per_A": disagreement,
        "trajectory_properties": (),
    }
    calculator = atoms.calc
    resuming = output.with_name(f"{output.name}.checkpoint").exists()
    try:
        if resuming:
            result = resume_dynamics(output, calculator, progress=progress)
        else:
            result = run_dynamics(atoms, output=output, progress=progress, **settings)
    except DynamicsError as error:
        result = error.result
    except ValueError as error:
        if resuming:
            raise
        # The initial structure exceeds a limit.
        return _with_disagreement([], [bare(atoms)], calculator), str(error), 0
    if result.interrupted:
        raise KeyboardInterrupt(f"interrupted; start again to continue '{output}'")
    return _with_disagreement(*_positions(result), calculator), result.stopped, result.steps


def _positions(result: DynamicsResult) -> tuple[list[Atoms], list[Atoms]]:
    """Return the frames of a run, and the last structure if the run was stopped."""
    with Trajectory(result.files.trajectory) as trajectory:
        # The first frame is the initial structure, which is already labeled.
        frames = [bare(each) for each in trajectory][1:]
    return frames, [bare(result.atoms)] if result.stopped else []


def _with_disagreement(
    frames: list[Atoms], last: list[Atoms], calculator: LESCalculator
) -> list[Atoms]:
    """Return frames that can be labeled, with their disagreement."""
    found = []
    for number, atoms in enumerate([*frames, *last]):
        if not np.isfinite(atoms.positions).all() or collision(atoms) is not None:
            continue
        atoms.calc = calculator
        try:
            value = float(disagreement_of_atoms(atoms).max())
        except ValueError:
            # Outside the range of validity of the model.
            continue
        atoms.calc = None
        atoms.info[_DISAGREEMENT] = value
        if number >= len(frames):
            atoms.info[_AT_THE_END] = True
        found.append(atoms)
    return found
