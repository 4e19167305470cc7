"""Relaxation of many structures one after another; failures are recorded."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from ase import Atoms
from ase.calculators.abc import GetPropertiesMixin
from ase.io import read

from ase_les.arguments import settings_of
from ase_les.calculator_extensions import model_hash
from ase_les.runs.lock import OutputLock
from ase_les.runs.output import BatchFiles, replace_file, write_trajectory
from ase_les.runs.progress import NO_PROGRESS, Progress, task
from ase_les.runs.provenance import describe_calculator, plain_mapping
from ase_les.runs.stop_request import StopRequest
from ase_les.simulation.checks import refuse_other_run
from ase_les.simulation.relaxation import new_run, restore_run
from ase_les.simulation.relaxation_batch_result import (
    RelaxationBatchResult,
    RelaxationOutcome,
    failed_outcome,
    outcome_of,
)
from ase_les.simulation.relaxation_result import RelaxationResult
from ase_les.simulation.relaxation_settings import (
    RelaxationSettings,
)

FORMAT = "relaxations 1"
OnResult = Callable[[RelaxationResult], object]


def relax_many(
    structures: Sequence[Atoms],
    calculator: GetPropertiesMixin,
    *,
    names: Sequence[str] | None = None,
    output: str | Path = "relaxed",
    overwrite: bool = False,
    progress: Progress = NO_PROGRESS,
    on_result: OnResult | None = None,
    provenance: Mapping[str, object] | None = None,
    **settings: Any,
) -> RelaxationBatchResult:
    """Relax structures one after another.

    Each structure has the files of :func:`relax`, named ``<output>-0001.traj`` and so on. The final
    structures are in ``<output>-relaxed.traj``. The summary is written by
    :func:`ase_les.reports.relaxation.write_batch`.

    Parameters
    ----------
    structures : sequence of Atoms
        Not modified; their calculators are ignored.
    calculator : ASE calculator
    names : sequence of str, optional
        Names in the table, by default numbers.
    output : str or Path
        Stem of the files.
    overwrite : bool
        Replace earlier files of the same output.
    on_result : callable, optional
        Called with the :class:`RelaxationResult` of each structure when it is available, for
        example :func:`ase_les.reports.relaxation.write`.
    provenance : mapping, optional
        Origin of structures and calculator (plain values).
    **settings
        Fields of :class:`RelaxationSettings`.

    Returns
    -------
    RelaxationBatchResult
        Structures that cannot be relaxed, or whose calculation fails, have a `problem`; the others
        are relaxed nevertheless.

    Raises
    ------
    ValueError
        If the settings are invalid or there is no structure; nothing has been written.
    FileExistsError
        If files of the same output exist and `overwrite` is false.
    OutputInUseError
        If a different process uses the output.
    """
    chosen = settings_of(RelaxationSettings, settings, "a relaxation")
    if len(structures) == 0:
        raise ValueError("no structure to relax")
    if names is None:
        names = [str(number + 1) for number in range(len(structures))]
    if len(names) != len(structures):
        raise ValueError(f"there are {len(structures)} structures but {len(names)} `names`")
    files = BatchFiles(Path(output))
    files.stem.parent.mkdir(parents=True, exist_ok=True)
    with OutputLock(files.stem) as lock:
        files.prepare_batch(len(structures), overwrite)
        write_trajectory(files.input, structures)
        batch = _Batch(
            files=files,
            # Read the structures back, so that a resumed batch starts from identical ones.
            structures=_read_structures(files.input),
            calculator=calculator,
            settings=chosen,
            names=tuple(map(str, names)),
            provenance=plain_mapping(provenance or {}),
            outcomes={},
            lock=lock,
        )
        batch.save()
        return batch.advance(progress, on_result)


def resume_relaxations(
    output: str | Path,
    calculator: GetPropertiesMixin,
    *,
    steps: int | None = None,
    progress: Progress = NO_PROGRESS,
    on_result: OnResult | None = None,
    **expected: Any,
) -> RelaxationBatchResult:
    """Continue an interrupted :func:`relax_many`, from the last checkpoint of a structure.

    Parameters
    ----------
    output : str or Path
        Stem of the files.
    calculator : ASE calculator
        The same as before.
    steps : int, optional
        New maximum number of steps for each structure; structures that reached the previous
        maximum are continued.
    on_result : callable, optional
        See :func:`relax_many`.
    **expected
        Expected settings, fields of :class:`RelaxationSettings` (checked).

    Raises
    ------
    FileNotFoundError
        If there is no such batch.
    ValueError
        If settings or calculator differ from those of the batch.
    OutputInUseError
        If a different process uses the output.
    """
    files = BatchFiles(Path(output))
    with OutputLock(files.stem) as lock:
        batch = _restored_batch(files, calculator, steps, expected, lock)
        return batch.advance(progress, on_result)


def _restored_batch(
    files: BatchFiles,
    calculator: GetPropertiesMixin,
    steps: int | None,
    expected: Mapping[str, Any],
    lock: OutputLock,
) -> _Batch:
    stored = read_batch(files)
    settings = RelaxationSettings(**stored["settings"])
    refuse_other_run(files.stem, settings, expected, calculator, stored["model_hash"])
    outcomes = {int(index): RelaxationOutcome(**each) for index, each in stored["outcomes"].items()}
    if steps is not None:
        settings = replace(settings, steps=steps)
        outcomes = {
            index: each
            for index, each in outcomes.items()
            if each.converged or each.problem or each.steps >= steps
        }
    return _Batch(
        files=files,
        structures=_read_structures(files.input),
        calculator=calculator,
        settings=settings,
        names=tuple(stored["names"]),
        provenance=stored["provenance"],
        outcomes=outcomes,
        lock=lock,
    )


def read_batch(files: BatchFiles) -> dict[str, Any]:
    """Read the stored state of a batch."""
    if not files.state.exists():
        raise FileNotFoundError(
            f"no relaxations at {files.state}; resume needs the file stem of a batch"
        )
    try:
        stored = json.loads(files.state.read_text(encoding="utf-8"))
        known = stored["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{files.state} is not a record of relaxations: {error}") from error
    if known != FORMAT:
        raise ValueError(f"{files.state} has format {known}, this version reads {FORMAT}")
    return stored


@dataclass
class _Batch:
    """Structures and their outcomes so far."""

    files: BatchFiles
    structures: Sequence[Atoms]
    calculator: GetPropertiesMixin
    settings: RelaxationSettings
    names: tuple[str, ...]
    provenance: Mapping[str, object]
    outcomes: dict[int, RelaxationOutcome]
    lock: OutputLock

    def save(self) -> None:
        """Store the outcomes so far."""
        record = {
            "format": FORMAT,
            "settings": plain_mapping(asdict(self.settings)),
            "provenance": self.provenance,
            "model_hash": model_hash(self.calculator),
            "names": self.names,
            "outcomes": {index: asdict(each) for index, each in self.outcomes.items()},
        }
        replace_file(self.files.state, json.dumps(record, indent=1).encode())

    def advance(self, progress: Progress, on_result: OnResult | None) -> RelaxationBatchResult:
        """Relax the remaining structures."""
        total = len(self.structures)
        with StopRequest() as stop, task(progress, total, "structures", len(self.outcomes)):
            stopped = self._relax_remaining(stop, progress, on_result)
        final = [
            read(self.files.of(index).trajectory, index=-1, do_not_split_by_at_sign=True)
            for index in sorted(self.outcomes)
            if self.files.of(index).trajectory.exists()
        ]
        if final:
            write_trajectory(
                self.files.relaxed, [each for each in final if isinstance(each, Atoms)]
            )
        return RelaxationBatchResult(
            settings=self.settings,
            outcomes=tuple(self.outcomes[index] for index in sorted(self.outcomes)),
            structures=total,
            stopped=stopped,
            calculator=describe_calculator(self.calculator),
            provenance=self.provenance,
            files=self.files,
        )

    def _relax_remaining(
        self, stop: StopRequest, progress: Progress, on_result: OnResult | None
    ) -> str | None:
        """Relax the remaining structures; return the reason if some were not reached, or None."""
        for index, name in enumerate(self.names):
            if index in self.outcomes:
                continue
            # Signals during a relaxation are handled by its own StopRequest.
            if stop.received is not None:
                return f"{stop.received} received before structure {name}"
            started = perf_counter()
            try:
                result = self._relax(index)
            except _StructureFailed as failure:
                formula = self.structures[index].get_chemical_formula()
                outcome = failed_outcome(name, formula, failure.problem, perf_counter() - started)
            else:
                if on_result is not None:
                    on_result(result)
                if result.interrupted:
                    return f"structure {name}, {result.stopped}"
                outcome = outcome_of(name, result)
            self.outcomes[index] = outcome
            self.save()
            progress.advance()
            progress.message(
                f"{index + 1}/{len(self.structures)} {name}: {outcome}",
                warning=outcome.problem is not None,
            )
        return None

    def _relax(self, index: int) -> RelaxationResult:
        atoms = self.structures[index].copy()
        atoms.calc = self.calculator
        files = self.files.of(index)
        run = None
        if files.checkpoint.exists():
            # Errors are not caught here: a different model affects all structures.
            run = restore_run(files, self.calculator, self.settings.steps, None, {})
        try:
            if run is None:
                run = new_run(atoms, self.settings, files, self.provenance)
                files.prepare_run(overwrite=True)
            return run.advance(lock=self.lock)
        except OSError:
            raise
        except Exception as error:
            # The failure of one structure must not stop the others.
            raise _StructureFailed(f"{type(error).__name__}: {error}") from error


class _StructureFailed(Exception):
    """Failure of one structure of a batch."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


def _read_structures(path: Path) -> list[Atoms]:
    found = read(path, index=":", do_not_split_by_at_sign=True)
    return [found] if isinstance(found, Atoms) else list(found)
