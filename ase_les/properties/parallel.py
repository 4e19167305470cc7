"""Independent structures through a calculator, one after another or in several processes."""

from __future__ import annotations

import multiprocessing
import pickle
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator

from ase_les import reporting
from ase_les.parallel import become_worker, share_of_threads
from ase_les.properties.record import Record

Results = dict[str, np.ndarray]


@dataclass(frozen=True)
class Jobs:
    """How many processes share the work, and how each makes its own calculator.

    Parameters
    ----------
    processes : int
        1 is this process alone, with the calculator that is there.
    make_calculator : callable or None
        Called without arguments in every process: ``functools.partial(LESCalculator, "name")``,
        or any function or class of a module. A calculator itself is never sent. The calling
        script needs its ``if __name__ == "__main__":``, as always with Python's processes.
    threads : int or None
        Threads to share out evenly among the processes; None is one each.

    Raises
    ------
    ValueError
        If the number of processes is not positive, or several have no way to a calculator.
    """

    processes: int = 1
    make_calculator: Callable[[], Calculator] | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.processes < 1:
            raise ValueError(f"`processes` must be at least 1, got {self.processes}")
        if self.processes > 1 and self.make_calculator is None:
            raise ValueError(
                f"{self.processes} processes need `make_calculator`, for example "
                "functools.partial(LESCalculator, 'water-rpbe-d3'): each makes its own"
            )

    @property
    def threads_each(self) -> int:
        """Threads of each process."""
        return share_of_threads(self.processes, self.threads)


SERIAL = Jobs()


def evaluate(
    structures: Mapping[str, Atoms],
    properties: Sequence[str],
    calculator: Calculator,
    record: Record,
    *,
    jobs: Jobs = SERIAL,
    quiet: bool = False,
) -> dict[str, Results]:
    """Properties of all structures that the record does not hold yet, and those it holds.

    Parameters
    ----------
    structures : mapping of str to ase.Atoms
    properties : sequence of str
        ASE's names.
    calculator : ase calculator
        Used in this process.
    record : Record
        Takes every result as soon as it is there, in whatever order.
    jobs : Jobs
        Several processes give the same numbers. Should they not start, this process does it all.
    quiet : bool
        No progress.
    """
    console = reporting.console(quiet)
    missing = {name: atoms for name, atoms in structures.items() if name not in record.results}
    with reporting.progress_bar(console) as progress:
        bar = progress.add_task("displacements", total=len(structures), status="")
        progress.advance(bar, len(structures) - len(missing))
        if jobs.processes > 1 and len(missing) > 1:
            try:
                for name, results in _in_processes(missing, properties, jobs):
                    record.add(name, results)
                    progress.advance(bar)
            except (BrokenProcessPool, pickle.PicklingError, AttributeError) as error:
                console.print(
                    f"processes did not start ({type(error).__name__}: {error}); going on in one",
                    style="yellow",
                    markup=False,
                )
        for name, atoms in missing.items():
            if name not in record.results:
                record.add(name, _properties(atoms, properties, calculator))
                progress.advance(bar)
    return {name: record.results[name] for name in structures}


def _properties(atoms: Atoms, properties: Sequence[str], calculator: Calculator) -> Results:
    return {what: np.array(calculator.get_property(what, atoms)) for what in properties}


def _in_processes(
    structures: Mapping[str, Atoms], properties: Sequence[str], jobs: Jobs
) -> Iterator[tuple[str, Results]]:
    # Torch's threads do not survive a fork.
    pool = ProcessPoolExecutor(
        min(jobs.processes, len(structures)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(jobs.make_calculator, jobs.threads_each),
    )
    try:
        tasks = {
            # Without the calculator of this process.
            pool.submit(_evaluate_here, atoms.copy(), tuple(properties)): name
            for name, atoms in structures.items()
        }
        for task in as_completed(tasks):
            yield tasks[task], task.result()
    finally:
        pool.shutdown(cancel_futures=True)


# Each process has one calculator for all its structures.
_own_calculator: Calculator | None = None


def _start(make_calculator: Callable[[], Calculator], threads: int) -> None:
    global _own_calculator
    become_worker(threads)
    _own_calculator = make_calculator()
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def _evaluate_here(atoms: Atoms, properties: Sequence[str]) -> Results:
    return _properties(atoms, properties, _own_calculator)
