"""Stopping and restarting without changing the trajectory.

A checkpoint holds everything the next step depends on: the atoms, the random numbers to come,
the state of thermostat, barostat and observers, and where each output file ended.
"""

from __future__ import annotations

import base64
import glob
import io
import json
import os
import signal
import threading
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import numpy as np
from ase import Atoms

from ase_les.reporting import replace_file
from ase_les.simulation.observations import OBSERVABLES
from ase_les.simulation.stored_atoms import atoms_as_arrays, atoms_from_arrays

FORMAT = 2


@dataclass(frozen=True)
class RunFiles:
    """The files of one run, all named after one stem."""

    stem: Path

    def named(self, ending: str) -> Path:
        """The file with that ending, such as ``-current.npz``."""
        # Not `with_suffix`: a stem such as "water-300.5K" keeps its dot.
        return self.stem.with_name(self.stem.name + ending)

    @property
    def trajectory(self) -> Path:
        return self.named(".traj")

    @property
    def log(self) -> Path:
        return self.named(".log")

    @property
    def summary(self) -> Path:
        return self.named("-summary.yml")

    @property
    def figure(self) -> Path:
        return self.named(".png")

    @property
    def checkpoint(self) -> Path:
        return self.named(".checkpoint")

    def make_room(self, overwrite: bool) -> None:
        """Prepare the folder for a new run; an earlier run of that name goes only if allowed.

        Raises
        ------
        FileExistsError
            If a run of this name exists and `overwrite` is false.
        """
        old = [path for path in (self.trajectory, self.log, self.checkpoint) if path.exists()]
        if old and not overwrite:
            names = ", ".join(path.name for path in old)
            raise FileExistsError(
                f"a run named '{self.stem}' exists already ({names}). Choose another output, "
                "resume that run, or allow it to be replaced with overwrite (--overwrite)"
            )
        self.stem.parent.mkdir(parents=True, exist_ok=True)
        # The checkpoint goes first: without it nobody takes the rest for a run.
        for path in (self.checkpoint, *old, self.summary, self.figure, *self._measured()):
            path.unlink(missing_ok=True)
        self.remove_unfinished()

    def remove_unfinished(self) -> None:
        """Remove what a process that was killed left half written."""
        for path in self.stem.parent.glob(f".{glob.escape(self.stem.name)}[.-]*.unfinished"):
            path.unlink(missing_ok=True)

    def _measured(self) -> list[Path]:
        """Files of everything that can be observed; other files of the user's are not touched."""
        name, folder = glob.escape(self.stem.name), self.stem.parent
        return [
            path
            for kind in OBSERVABLES
            for ending in (f"{kind}.raw", f"{kind}.npz", f"{kind}-*.npz", f"{kind}*.png")
            for path in folder.glob(f"{name}-{ending}")
        ]

    def as_summary(self) -> dict[str, str]:
        """Names of the files that exist."""
        kinds = ("trajectory", "log", "figure", "checkpoint")
        named = {kind: path.name for kind in kinds if (path := getattr(self, kind)).exists()}
        measured = {
            path.stem[len(self.stem.name) + 1 :]: path.name
            for path in sorted(self._measured())
            if path.suffix == ".npz"
        }
        return named | measured


class FileMark(NamedTuple):
    """The state of a growing file: its length and its first bytes.

    A log only grows. An ASE trajectory grows too, but keeps its frame counter and the place of
    its frame index in its first 48 bytes; with these put back, a file cut to its former length
    is the file it was.
    """

    length: int
    head: bytes


HEAD_BYTES = 48


def mark_file(path: Path) -> FileMark:
    """Bring a file safely to the disk and say where it ends."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        head = file.read(HEAD_BYTES)
        return FileMark(file.seek(0, os.SEEK_END), head)


def rewind_file(path: Path, mark: FileMark) -> None:
    """Cut a file back to a mark, dropping whatever was written, fully or in part, after it.

    Raises
    ------
    ValueError
        If the file has lost data that were in it at the mark.
    """
    if not path.exists() or path.stat().st_size < mark.length:
        size = path.stat().st_size if path.exists() else 0
        raise ValueError(
            f"{path} has {size} bytes but had {mark.length} at the checkpoint: it was cut, "
            "replaced or moved. Put the original back, or start a new run"
        )
    with open(path, "r+b") as file:
        file.truncate(mark.length)
        file.write(mark.head)
        file.flush()
        os.fsync(file.fileno())


@dataclass(frozen=True)
class Checkpoint:
    """Everything a run needs to go on as if it had never stopped.

    Attributes
    ----------
    step : int
        Steps done.
    atoms : Atoms
        Positions (Å), momenta (ASE units), cell, masses, info and constraints, no calculator.
    forces : (N, 3) array or None
        Forces in eV/Å at this step, by which another model is recognized; None before the
        first evaluation.
    settings : mapping
        Fields of the settings the run was started with.
    provenance : mapping
        Where structure and calculator came from, as the caller put it.
    notes : tuple of str
        What was done to the structure before the first step.
    model_hash : str or None
        Identity of the model, where the calculator has one.
    degrees_of_freedom : int
        That temperature refers to.
    stage : int
        Number of the stage, from 0, whose integrator has this state.
    integrator : mapping of str to array
        State of thermostat and barostat.
    observers : mapping of str to mapping of str to array
        What each observer needs to go on, by name.
    rng_state : mapping
        State of the numpy bit generator.
    wall_time_s : float
        Computing time so far.
    files : mapping of str to FileMark
        Where each growing file ended, by its ending; those not begun are absent.
    """

    step: int
    atoms: Atoms
    forces: np.ndarray
    field_V_per_A: Sequence[float] | None
    settings: Mapping[str, object]
    provenance: Mapping[str, object]
    notes: tuple[str, ...]
    model_hash: str | None
    degrees_of_freedom: int
    stage: int
    integrator: Mapping[str, np.ndarray]
    observers: Mapping[str, Mapping[str, np.ndarray]]
    rng_state: Mapping[str, object]
    wall_time_s: float
    files: Mapping[str, FileMark]


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Store a checkpoint; a crash while writing leaves the one before.

    Raises
    ------
    ValueError
        See :func:`packed`.
    """
    replace_file(path, packed(checkpoint))


def packed(checkpoint: Checkpoint) -> bytes:
    """The content of a checkpoint's file.

    Raises
    ------
    ValueError
        If the atoms carry something that cannot be stored and restored exactly.
    """
    atoms_facts, arrays = atoms_as_arrays(checkpoint.atoms)
    facts = {
        "format": FORMAT,
        "step": checkpoint.step,
        "settings": dict(checkpoint.settings),
        "provenance": dict(checkpoint.provenance),
        "notes": list(checkpoint.notes),
        "model_hash": checkpoint.model_hash,
        "degrees_of_freedom": checkpoint.degrees_of_freedom,
        "stage": checkpoint.stage,
        "field_V_per_A": checkpoint.field_V_per_A,
        "rng_state": checkpoint.rng_state,
        "wall_time_s": checkpoint.wall_time_s,
        "files": {
            name: {"length": mark.length, "head": base64.b64encode(mark.head).decode()}
            for name, mark in checkpoint.files.items()
        },
        **atoms_facts,
    }
    arrays |= {f"integrator/{name}": value for name, value in checkpoint.integrator.items()}
    for observer, state in checkpoint.observers.items():
        # An empty state is told from an observer that is not there.
        arrays[f"observer/{observer}/"] = np.array(len(state))
        arrays |= {f"observer/{observer}/{name}": value for name, value in state.items()}
    arrays["forces"] = checkpoint.forces
    content = io.BytesIO()
    np.savez(content, facts=np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8), **arrays)
    return content.getvalue()


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint back, bit for bit and without executing anything in it.

    Raises
    ------
    FileNotFoundError
        If there is no checkpoint at `path`.
    ValueError
        If the file is not a checkpoint this version can read.
    """
    if not path.exists():
        raise FileNotFoundError(f"no checkpoint at {path}; resume takes the stem of a run's files")
    try:
        with np.load(path, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
        facts = json.loads(arrays.pop("facts").tobytes())
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError) as error:
        raise ValueError(f"{path} is not a checkpoint of a run: {error}") from error
    if facts.get("format") != FORMAT:
        raise ValueError(
            f"{path} has checkpoint format {facts.get('format')}, this version reads {FORMAT}; "
            "resume with the version named in the run's summary"
        )
    return Checkpoint(
        step=facts["step"],
        atoms=atoms_from_arrays(facts, arrays),
        forces=arrays["forces"],
        settings=facts["settings"],
        provenance=facts["provenance"],
        notes=tuple(facts["notes"]),
        model_hash=facts["model_hash"],
        degrees_of_freedom=facts["degrees_of_freedom"],
        stage=facts["stage"],
        field_V_per_A=facts["field_V_per_A"],
        integrator=_below("integrator/", arrays),
        observers=_observers(arrays),
        rng_state=facts["rng_state"],
        wall_time_s=facts["wall_time_s"],
        files={
            name: FileMark(mark["length"], base64.b64decode(mark["head"]))
            for name, mark in facts["files"].items()
        },
    )


def _below(start: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name[len(start) :]: array for name, array in arrays.items() if name.startswith(start)}


def _observers(arrays: Mapping[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    observers: dict[str, dict[str, np.ndarray]] = {}
    for name, array in _below("observer/", arrays).items():
        observer, _, entry = name.partition("/")
        state = observers.setdefault(observer, {})
        if entry:
            state[entry] = array
    return observers


class StopRequest:
    """Turns Ctrl-C, or the SIGTERM of a batch system, into a wish granted between two steps.

    Within a step positions and momenta belong to different times; only between steps is there a
    state to go on from. A second Ctrl-C interrupts at once.
    """

    def __init__(self) -> None:
        self.received: str | None = None
        self._previous: dict[int, object] = {}

    def __enter__(self) -> StopRequest:
        # Python delivers signals to, and lets them be handled in, the main thread only.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        while self._previous:
            number, handler = self._previous.popitem()
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _receive(self, number: int, _: FrameType | None) -> None:
        self.received = signal.Signals(number).name
        self.__exit__()
