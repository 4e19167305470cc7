"""Output files of a calculation: their names, protection of earlier ones, and atomic writing.

All files of a calculation share a stem: an output "water" gives ``water-summary.yml``,
``water.png`` and so on.
"""

from __future__ import annotations

import glob
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, overload

import numpy as np
from ase import Atoms
from ase.io import write

from ase_les.runs.processes import SERIAL, Jobs
from ase_les.runs.progress import NO_PROGRESS, Progress
from ase_les.runs.provenance import plain, software_versions

#: Observables of a dynamics run that are stored at regular intervals, or as running averages; each
#: has its own files.
SERIES = ("current", "dipole", "polarizability", "spread", "layers", "electrodes")
ACCUMULATED = ("rdf", "profile", "msd", "sfg")


class Result(Protocol):
    """Result of a calculation that can be stored."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Return arrays by name, with units in the names."""

    def summary(self) -> dict[str, object]:
        """Return plain containers for YAML and JSON."""


class FileWithEnding:
    """Attribute of `OutputFiles`: the path of the file whose name has an ending."""

    def __init__(self, ending: str) -> None:
        self.ending = ending

    @overload
    def __get__(self, files: None, owner: type) -> FileWithEnding: ...

    @overload
    def __get__(self, files: OutputFiles, owner: type) -> Path: ...

    def __get__(self, files: OutputFiles | None, owner: type) -> FileWithEnding | Path:
        return self if files is None else files.named(self.ending)


@dataclass(frozen=True)
class OutputFiles:
    """Names of the output files that most calculations have.

    Parameters
    ----------
    stem : Path
        A leading ``~`` is expanded: file names in options are not expanded by a shell.
    """

    stem: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "stem", self.stem.expanduser())

    def named(self, ending: str) -> Path:
        """Return the path of the file with an ending, such as ``-current.npz``."""
        # `with_suffix` would remove the ".5K" of a stem such as "water-300.5K".
        return self.stem.with_name(self.stem.name + ending)

    #: Summary in YAML.
    summary = FileWithEnding("-summary.yml")
    #: Arrays of the result.
    arrays = FileWithEnding(".npz")
    #: Figure of the result.
    figure = FileWithEnding(".png")

    def prepare(self, existing: Iterable[Path], allowed: bool) -> None:
        """Create the folder of the output, unless earlier results would be lost.

        Parameters
        ----------
        existing : iterable of Path
            Files that must not exist.
        allowed : bool
            Whether they may exist because they will be continued or replaced.

        Raises
        ------
        FileExistsError
            If one of them exists and `allowed` is false.
        """
        names = [path.name for path in existing if path.exists()]
        if names and not allowed:
            raise FileExistsError(
                f"'{self.stem}' exists already ({', '.join(names)}). Choose another output, "
                "continue with resume (--resume) where the task supports it, or replace it with "
                "overwrite (--overwrite)"
            )
        self.stem.parent.mkdir(parents=True, exist_ok=True)


def prepared_output(output: str | Path | None, overwrite: bool) -> OutputFiles | None:
    """Return the output files of an analysis, or None without an output.

    Raises
    ------
    FileExistsError
        If summary, arrays or figure exist and `overwrite` is false.
    """
    if output is None:
        return None
    files = OutputFiles(Path(output))
    files.prepare((files.summary, files.arrays, files.figure), overwrite)
    return files


@dataclass(frozen=True)
class RunFiles(OutputFiles):
    """Files of a dynamics run or of a relaxation."""

    #: ASE trajectory.
    trajectory = FileWithEnding(".traj")
    #: Table of energies and other scalars per step.
    log = FileWithEnding(".log")
    #: State from which the run can be resumed.
    checkpoint = FileWithEnding(".checkpoint")
    #: Last structure of a relaxation, atoms colored by their displacement.
    picture = FileWithEnding("-structure.png")

    def prepare_run(self, overwrite: bool) -> None:
        """Create the folder and remove the files of an earlier run.

        Raises
        ------
        FileExistsError
            If there is an earlier run and `overwrite` is false.
        """
        old = [path for path in (self.trajectory, self.log, self.checkpoint) if path.exists()]
        self.prepare(old, overwrite)
        # The checkpoint first: without it, the remaining files cannot be mistaken for a run.
        figures = (self.figure, self.picture)
        for path in (self.checkpoint, *old, self.summary, *figures, *self._observables()):
            path.unlink(missing_ok=True)

    def prepare_parts(self, stems: Iterable[Path], allowed: bool) -> None:
        """Create the folder of a calculation that consists of several relaxations.

        Parameters
        ----------
        stems : iterable of Path
            Stems of the relaxations.
        allowed : bool
            Whether earlier results may be continued or replaced.

        Raises
        ------
        FileExistsError
            If a summary or a trajectory exists and `allowed` is false.
        """
        trajectories = (RunFiles(stem).trajectory for stem in stems)
        self.prepare((self.summary, *trajectories), allowed)

    def as_summary(self) -> dict[str, str]:
        """Return the names of the existing files."""
        kinds = ("trajectory", "log", "figure", "checkpoint")
        named = {kind: path.name for kind in kinds if (path := getattr(self, kind)).exists()}
        observables = {
            path.stem[len(self.stem.name) + 1 :]: path.name
            for path in sorted(self._observables())
            if path.suffix == ".npz"
        }
        return named | observables

    def _observables(self) -> list[Path]:
        """Return the existing files of observables, and no other files of the same stem."""
        name, folder = glob.escape(self.stem.name), self.stem.parent
        return [
            path
            for kind in (*SERIES, *ACCUMULATED)
            for ending in (f"{kind}.raw", f"{kind}.npz", f"{kind}-*.npz", f"{kind}*.png")
            for path in folder.glob(f"{name}-{ending}")
        ]


@dataclass(frozen=True)
class BatchFiles(OutputFiles):
    """Files of a batch of relaxations."""

    #: Initial structures.
    input = FileWithEnding("-input.traj")
    #: Final structures, without those that failed.
    relaxed = FileWithEnding("-relaxed.traj")
    #: Outcomes so far, from which the batch can be resumed.
    state = FileWithEnding(".batch")

    def of(self, index: int) -> RunFiles:
        """Return the files of one structure; file names count from 1, indices from 0."""
        return RunFiles(self.named(f"-{index + 1:04d}"))

    def prepare_batch(self, count: int, overwrite: bool) -> None:
        """Create the folder and remove the files of an earlier batch.

        Parameters
        ----------
        count : int
            Number of structures.
        overwrite : bool

        Raises
        ------
        FileExistsError
            If there is an earlier batch and `overwrite` is false.
        """
        if self.state.exists():
            count = max(count, len(json.loads(self.state.read_text(encoding="utf-8"))["names"]))
        runs = [self.of(index) for index in range(count)]
        old = [path for path in (self.state, self.input, self.relaxed) if path.exists()]
        self.prepare([*old, *(run.checkpoint for run in runs)], overwrite)
        for run in runs:
            run.prepare_run(overwrite)
        for path in (*old, self.summary):
            path.unlink(missing_ok=True)


@dataclass(frozen=True)
class LabelFiles(OutputFiles):
    """Files of a labeling."""

    #: Labeled structures, extended XYZ.
    frames = FileWithEnding(".extxyz")
    #: Outcome of each structure, one JSON line each, from which labeling can be resumed.
    record = FileWithEnding("-labels.jsonl")


@dataclass(frozen=True)
class TrainingFiles(OutputFiles):
    """Files of a training."""

    #: Trained model.
    model = FileWithEnding(".safetensors")
    #: State from which the training can be resumed.
    checkpoint = FileWithEnding(".checkpoint")
    #: Loss and validation errors against the epoch, as a figure.
    learning_curve = FileWithEnding("-learning.png")
    #: Loss and validation errors against the epoch, comma-separated values.
    learning_table = FileWithEnding("-learning.csv")
    #: Parity plots of energies, forces and stresses.
    parity = FileWithEnding("-parity.png")
    #: Parity plots of dipoles and Born charges.
    response = FileWithEnding("-response.png")
    #: Report with errors, figures, charges and settings, HTML.
    report = FileWithEnding(".html")


@dataclass(frozen=True)
class RunOptions:
    """Files, worker processes and progress report of a calculation.

    Parameters
    ----------
    files : OutputFiles or None
        None stores nothing.
    resume : bool
        Continue an earlier calculation of the same output.
    overwrite : bool
        Replace an earlier calculation of the same output.
    jobs : Jobs
        Worker processes.
    progress : Progress
    """

    files: OutputFiles | None = None
    resume: bool = False
    overwrite: bool = False
    jobs: Jobs = SERIAL
    progress: Progress = field(default=NO_PROGRESS, repr=False)

    @classmethod
    def from_keywords(
        cls,
        output: str | Path | None = None,
        *,
        resume: bool = False,
        overwrite: bool = False,
        jobs: Jobs = SERIAL,
        progress: Progress = NO_PROGRESS,
    ) -> RunOptions:
        """Return the options for the keyword arguments of a public function.

        Parameters
        ----------
        output : str, Path or None
            Stem of the files.
        resume, overwrite, jobs, progress
            See :class:`RunOptions`.
        """
        files = None if output is None else OutputFiles(Path(output))
        return cls(files, resume, overwrite, jobs, progress)

    def named(self, ending: str) -> Path | None:
        """Return the path of the file with an ending; None if nothing is stored."""
        return None if self.files is None else self.files.named(ending)

    def prepare(self, *endings: str) -> None:
        """Create the folder of the output, unless earlier results would be lost.

        Call this before computing, with the endings of all files the calculation and its report
        write.

        Raises
        ------
        FileExistsError
            If one of these files exists and neither `resume` nor `overwrite` is given.
        """
        if self.files is not None:
            existing = [self.files.named(ending) for ending in endings]
            self.files.prepare(existing, self.resume or self.overwrite)

    def write(self, ending: str, result: Result) -> None:
        """Write arrays to the file with an ending, and the summary, if there is an output."""
        if self.files is not None:
            write_arrays(self.files.named(ending), result.arrays())
            # Written last: its existence means that all files are complete.
            write_summary(self.files.summary, result.summary())


def write_result(files: OutputFiles, result: Result) -> None:
    """Write arrays and summary of a result; the summary last, since it marks completeness."""
    write_arrays(files.arrays, result.arrays())
    write_summary(files.summary, result.summary())


def write_summary(path: Path, summary: Mapping[str, object]) -> None:
    """Write a summary as YAML, with the current time and the software versions."""
    import yaml

    stamped = {
        "written": datetime.now().astimezone().isoformat(timespec="seconds"),
        "versions": software_versions(),
        **summary,
    }
    text = yaml.safe_dump(plain(stamped), sort_keys=False, allow_unicode=True)
    replace_file(path, text.encode())


def summary_as_json(summary: Mapping[str, object]) -> str:
    """Return a summary as strict JSON; numbers that are not finite become null."""
    stamped = {"versions": software_versions(), **summary}
    return json.dumps(plain(stamped), indent=2, allow_nan=False)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays as ``.npz``; the names should include the units."""
    content = io.BytesIO()
    named: dict[str, Any] = dict(arrays)
    np.savez(content, **named)
    replace_file(path, content.getvalue())


def write_trajectory(path: Path, structures: Sequence[Atoms]) -> None:
    """Write structures as an ASE trajectory; the file is replaced in one step when complete."""
    unfinished = _unfinished(path)
    try:
        write(unfinished, list(structures), format="traj")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def replace_file(path: str | Path, content: bytes) -> None:
    """Write a file atomically: at any time, the file has either the old or the new content.

    The content is flushed to disk under a temporary name, which then replaces `path`.
    """
    path = Path(path)
    unfinished = _unfinished(path)
    try:
        with open(unfinished, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _unfinished(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.unfinished")
