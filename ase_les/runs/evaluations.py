"""Evaluate independent structures, in this process or in several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_properties

from ase_les.runs.output import RunOptions
from ase_les.runs.processes import SERIAL, Jobs, WorkerStartError
from ase_les.runs.progress import NO_PROGRESS, Progress, task
from ase_les.runs.provenance import describe_calculator, differences, fingerprint
from ase_les.runs.record import Record, Results


def displacement_record(run: RunOptions, atoms: Atoms, settings: Mapping[str, object]) -> Record:
    """Return the record ``-displacements.jsonl`` of a calculation of displaced structures.

    Parameters
    ----------
    atoms : ase.Atoms
        Undisplaced structure with its calculator.
    settings : mapping
        Settings that recorded displacements must share, beside structure and calculator.
    """
    belongs_to = {
        "fingerprint of the structure": fingerprint(atoms),
        **settings,
        **describe_calculator(atoms.calc),
    }
    return Record.open(
        run.named("-displacements.jsonl"), belongs_to, resume=run.resume, overwrite=run.overwrite
    )


def evaluate_structures(
    structures: Mapping[str, Atoms],
    properties: Sequence[str],
    calculator: Calculator,
    record: Record,
    *,
    jobs: Jobs = SERIAL,
    progress: Progress = NO_PROGRESS,
) -> dict[str, Results]:
    """Return properties of structures, calculating those that are not yet in the record.

    Parameters
    ----------
    properties : sequence of str
        ASE property names, or the name of a method of the calculator without its prefix ``get_``:
        "current" for ``get_current(atoms)``.
    calculator : ase calculator
        Used in this process.
    record : Record
        Stores every result as soon as it is available, in any order.
    jobs : Jobs
        The results do not depend on the number of workers. If processes cannot be started, all
        structures are evaluated in this process.

    Returns
    -------
    dict of str to dict of str to array
    """
    missing = {name: atoms for name, atoms in structures.items() if name not in record.results}
    known = len(structures) - len(missing)
    with task(progress, len(structures), "displacements", known):
        if jobs.is_parallel and len(missing) > 1:
            try:
                for name, results in _from_workers(missing, properties, calculator, jobs):
                    record.add(name, results)
                    progress.advance()
            except WorkerStartError as error:
                progress.message(f"{error}; continuing in one process", warning=True)
        for name, atoms in missing.items():
            if name not in record.results:
                record.add(name, _properties(atoms, properties, calculator))
                progress.advance()
    return {name: record.results[name] for name in structures}


def _properties(atoms: Atoms, properties: Sequence[str], calculator: Calculator) -> Results:
    return {name: np.array(property_of(atoms, name, calculator)) for name in properties}


def property_of(atoms: Atoms, name: str, calculator: Calculator) -> object:
    """Return an ASE property, or what the method ``get_<name>`` of the calculator returns."""
    if name in all_properties:
        return calculator.get_property(name, atoms)
    return getattr(calculator, f"get_{name}")(atoms)


def _from_workers(
    structures: Mapping[str, Atoms],
    properties: Sequence[str],
    calculator: Calculator,
    jobs: Jobs,
) -> Iterator[tuple[str, Results]]:
    description = describe_calculator(calculator)
    tasks = {
        # The copy has no calculator.
        name: (atoms.copy(), tuple(properties), jobs.make_calculator, description)
        for name, atoms in structures.items()
    }
    for name, results in jobs.run(_evaluate_in_worker, tasks):
        if results is None:
            raise RuntimeError(
                f"the worker that calculated '{name}' died repeatedly: out of memory, killed, or "
                "a crash. Fewer workers on a machine need less memory; results recorded so far "
                "are kept for resume=True (--resume)"
            )
        yield name, results


# Description and calculator of the last task of this worker. A Dask worker serves many runs.
_worker_calculator: tuple[Mapping[str, object], Calculator] | None = None


def _evaluate_in_worker(
    atoms: Atoms,
    properties: Sequence[str],
    make_calculator: Callable[[], Calculator],
    description: Mapping[str, object],
) -> Results:
    global _worker_calculator
    if _worker_calculator is None or _worker_calculator[0] != description:
        calculator = make_calculator()
        differing = differences(description, describe_calculator(calculator))
        if differing:
            raise ValueError(
                "`make_calculator` makes a calculator that differs from that of the structure: "
                f"{'; '.join(differing)}"
            )
        _worker_calculator = description, calculator
    return _properties(atoms, properties, _worker_calculator[1])
