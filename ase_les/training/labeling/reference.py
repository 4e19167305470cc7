"""Reference labels: energies, forces and stresses of structures from any ASE calculator.

Each label is written to disk before the next calculation starts, so that a crash loses only the
calculations in progress.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from ase.stress import voigt_6_to_full_3x3_stress

from ase_les.reading.extended_xyz import without_labels, write_labeled
from ase_les.runs.growing_files import writing
from ase_les.runs.lock import OutputLock
from ase_les.runs.output import LabelFiles, write_summary
from ase_les.runs.processes import run_in_workers, threads_per_process
from ase_les.runs.progress import NO_PROGRESS, Progress, task
from ase_les.simulation.checks import check_atoms
from ase_les.training.engines.calculators import total_charge
from ase_les.training.engines.programs import Build, Reference, make_reference
from ase_les.training.labeling.label_record import Label, LabelRecord

if TYPE_CHECKING:
    from ase_les.runs.dask import Scheduler


@dataclass(frozen=True)
class LabelResult:
    """Labels and failures by index of the input structure."""

    files: LabelFiles
    reference: Reference
    structures: int
    atoms: int
    labels: Mapping[int, Label]
    processes: int
    wall_time_s: float
    stopped: str | None
    without_stress: int
    """Number of fully periodic structures whose calculator provides no stress."""

    @property
    def labeled(self) -> int:
        """Return the number of labeled structures."""
        return sum(each.problem is None for each in self.labels.values())

    @property
    def failures(self) -> dict[int, str]:
        """Return the reasons of failure by index of the structure."""
        found = {i: each.problem for i, each in self.labels.items() if each.problem is not None}
        return dict(sorted(found.items()))

    def summary(self) -> dict[str, object]:
        """Return the contents of the summary file."""
        seconds = [each.seconds for each in self.labels.values()]
        return {
            "task": "reference labels",
            "input": {
                "structures": self.structures,
                "atoms": self.atoms,
                "engine": self.reference.name,
                "engine_version": self.reference.version,
                "settings": dict(self.reference.settings),
                "stress": self.reference.stress,
                "processes": self.processes,
            },
            "results": {
                "labeled": self.labeled,
                "failed": len(self.failures),
                "left": self.structures - len(self.labels),
                "stopped": self.stopped,
                "without_stress": self.without_stress,
                "failures": self.failures,
                "wall_time_s": self.wall_time_s,
                "calculation_time_s": sum(seconds),
                "calculation_time_per_structure_s": sum(seconds) / len(seconds)
                if seconds
                else None,
            },
            "files": {"labeled": self.files.frames.name, "record": self.files.record.name},
        }


def label_structures(
    frames: Sequence[Atoms],
    engine: str | Build,
    *,
    settings: Mapping[str, object] | None = None,
    stress: bool = True,
    output: str | Path = "labeled",
    jobs: int = 1,
    threads: int | None = None,
    scheduler: Scheduler | None = None,
    resume: bool = False,
    retry_failed: bool = False,
    overwrite: bool = False,
    progress: Progress = NO_PROGRESS,
) -> LabelResult:
    """Label structures with an ASE calculator.

    Writes ``<output>.extxyz`` with ``REF_energy`` (eV), ``REF_forces`` (eV/Å) and, where all
    three directions are periodic and the calculator has it, ``REF_stress`` (eV/Å³, nine numbers,
    tension positive), in the order given, without the structures that failed;
    ``<output>-summary.yml`` lists failures. ``<output>-labels.jsonl`` grows with every
    structure that is finished.

    Parameters
    ----------
    frames : sequence of Atoms
        ``info["charge"]`` (e) and ``info["spin"]`` (2S + 1) are passed to the engine; all entries
        of ``info`` are preserved. Constraints are ignored.
    engine : str or callable
        Name in :data:`ase_les.training.engines.programs.ENGINES`, a function, or its location as
        ``package.module:function``: ``function(atoms, **settings)`` returns an ASE
        calculator for these atoms. Every structure gets a new one, so that a label depends on
        its structure alone.
    settings : mapping, optional
        Settings of the engine; entries replace its defaults.
    stress : bool
        Whether to calculate stresses, which take a quarter of the time in plane-wave programs.
    output : str or Path
        Stem of the files.
    jobs : int
        Processes, each with its share of the threads. Labels do not depend on their number
        unless the engine depends on its threads. A structure that crashes a process counts as
        failed.
    threads : int or None
        Total number of threads; None gives each process one, and with one job calculates in the
        current process.
    scheduler : str, Path, distributed.Client or None
        Dask scheduler whose workers calculate instead of processes of this machine
        (`ase_les.runs.processes.Jobs`). Engines that write files write them where the worker runs.
    resume : bool
        Continue with existing labels.
    retry_failed : bool
        On resuming, calculate failed structures again.
    overwrite : bool
        Replace earlier files of that name.

    Returns
    -------
    LabelResult

    Raises
    ------
    ValueError
        If there are no structures, the engine or its settings are unknown, or existing labels
        belong to other structures, settings or versions; no file is written in these cases.
    ModuleNotFoundError
        If the engine is not installed.
    FileExistsError
        If files of that name exist and neither `resume` nor `overwrite` is given.
    OutputInUseError
        If a different process uses the output.
    """
    if jobs < 1:
        raise ValueError(f"`jobs` must be at least 1, got {jobs}")
    if jobs > 1 and scheduler is not None:
        raise ValueError(f"give either `jobs` ({jobs}) or `scheduler`, which has its own workers")
    if len(frames) == 0:
        raise ValueError("no structures to label")
    reference = make_reference(engine, settings, stress=stress)
    bare = [without_labels(atoms) for atoms in frames]
    _try_settings(reference, bare)
    files = LabelFiles(Path(output))
    files.stem.parent.mkdir(parents=True, exist_ok=True)
    with OutputLock(files.stem) as lock:
        record = LabelRecord.open(files, reference, bare, resume, retry_failed, overwrite)
        left = [index for index in range(len(bare)) if index not in record.labels]
        labels = _labels(left, bare, reference, jobs, threads, scheduler)
        began = perf_counter()
        stopped = _record_labels(record, labels, len(bare), lock, progress)
        result = LabelResult(
            files=files,
            reference=reference,
            structures=len(bare),
            atoms=sum(map(len, bare)),
            labels=dict(sorted(record.labels.items())),
            processes=jobs,
            wall_time_s=perf_counter() - began,
            stopped=stopped,
            without_stress=_without_stress(reference, bare, record.labels),
        )
        _write_results(result, bare)
    return result


def _record_labels(
    record: LabelRecord,
    labels: Iterator[tuple[int, Label]],
    structures: int,
    lock: OutputLock,
    progress: Progress,
) -> str | None:
    """Record labels as they are calculated; return the reason for an early stop, or None."""
    with task(progress, structures, "structures", len(record.labels)):
        try:
            for index, found in labels:
                record.add(index, found)
                lock.refresh()
                failed = sum(each.problem is not None for each in record.labels.values())
                progress.advance(status=f"{failed} failed" if failed else "")
                if found.problem is not None:
                    progress.message(f"structure {index} failed: {found.problem}", warning=True)
        except KeyboardInterrupt:
            return "interrupted"
    return None


def _without_stress(
    reference: Reference, bare: Sequence[Atoms], labels: Mapping[int, Label]
) -> int:
    """Count fully periodic structures that lack a requested stress."""
    return sum(
        reference.stress
        and bool(bare[index].pbc.all())
        and each.problem is None
        and each.stress_eV_per_A3 is None
        for index, each in labels.items()
    )


def _write_results(result: LabelResult, bare: Sequence[Atoms]) -> None:
    files = result.files
    for path, write in (
        (files.frames, lambda: write_labeled(files.frames, _with_labels(bare, result.labels))),
        (files.summary, lambda: write_summary(files.summary, result.summary())),
    ):
        with writing(path, "then continue with --resume: no label is lost"):
            write()


def label(atoms: Atoms, reference: Reference) -> Label:
    """Label one structure; errors are returned in the label."""
    began = perf_counter()
    try:
        check_atoms(atoms)
        energy, forces, stress = _calculated(atoms, reference)
    except (KeyboardInterrupt, MemoryError):
        raise
    # Programs raise all kinds of errors, and some exit from Python.
    except (Exception, SystemExit) as error:
        reason = " ".join(str(error).split()) or "no message"
        return Label(perf_counter() - began, problem=f"{type(error).__name__}: {reason}")
    return Label(perf_counter() - began, energy, forces, stress)


def _calculated(atoms: Atoms, reference: Reference) -> tuple[float, list, list | None]:
    atoms = atoms.copy()
    atoms.calc = reference.calculator(atoms)
    implemented = getattr(atoms.calc, "implemented_properties", ())
    name = "free_energy" if "free_energy" in implemented else "energy"
    energy = float(atoms.calc.get_property(name, atoms))
    forces = np.asarray(atoms.calc.get_property("forces", atoms), dtype=float)
    stress = None
    if reference.stress and atoms.pbc.all() and "stress" in implemented:
        try:
            stress = voigt_6_to_full_3x3_stress(atoms.get_stress()).ravel()
        except PropertyNotImplementedError:
            # Available in some modes of a program only; the summary counts these structures.
            stress = None
    if forces.shape != (len(atoms), 3):
        raise ValueError(f"the forces have shape {forces.shape}; expected {(len(atoms), 3)}")
    for what, values in (("energy", energy), ("forces", forces), ("stress", stress)):
        if values is not None and not np.isfinite(values).all():
            raise ValueError(f"the calculator gave {what} that are not finite")
    return energy, forces.tolist(), None if stress is None else stress.tolist()


def _labels(
    left: Sequence[int],
    frames: Sequence[Atoms],
    reference: Reference,
    jobs: int,
    threads: int | None,
    scheduler: Scheduler | None,
) -> Iterator[tuple[int, Label]]:
    if jobs == 1 and threads is None and scheduler is None:
        for index in left:
            yield index, label(frames[index], reference)
        return
    tasks = {index: (frames[index], reference) for index in left}
    each = threads_per_process(jobs, threads)
    results = run_in_workers(label, tasks, processes=jobs, threads=each, scheduler=scheduler)
    for index, found in results:
        died = Label(0.0, problem="the process died: killed, out of memory, or a crash")
        yield index, found or died


def _try_settings(reference: Reference, frames: Sequence[Atoms]) -> None:
    """Build one calculator to detect invalid settings before labeling."""
    for atoms in frames:
        if reference.charged or total_charge(atoms) == 0:
            reference.calculator(atoms)
            return
    # All structures are charged and the engine does not support it: raises an error.
    reference.calculator(frames[0])


def _with_labels(frames: Sequence[Atoms], labels: Mapping[int, Label]) -> Iterator[Atoms]:
    for index, found in labels.items():
        if found.problem is None:
            atoms = frames[index].copy()
            atoms.info.setdefault("charge", 0)
            atoms.info["REF_energy"] = found.energy_eV
            atoms.arrays["REF_forces"] = np.array(found.forces_eV_per_A)
            if found.stress_eV_per_A3 is not None:
                atoms.info["REF_stress"] = np.array(found.stress_eV_per_A3)
            yield atoms
