"""Independent structures through a calculator, one after another or in several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_properties

from ase_les import reporting
from ase_les.parallel import ProcessesDoNotStart, results_as_they_come, share_of_threads
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
        ASE's names; or what a method of the calculator gives for atoms, "current" for
        ``get_current(atoms)``.
    calculator : ase calculator
        Used in this process.
    record : Record
        Takes every result as soon as it is there, in whatever order.
    jobs : Jobs
        Several processes give the same numbers. Should they not start, this process does it all.
    quiet : bool
        No progress.

    Raises
    ------
    ValueError
        If processes make another calculator than `calculator`.
    RuntimeError
        If the process of a structure dies, and dies again when that structure has one to itself.
    """
    console = reporting.console(quiet)
    missing = {name: atoms for name, atoms in structures.items() if name not in record.results}
    with reporting.progress_bar(console) as progress:
        bar = progress.add_task("displacements", total=len(structures), status="")
        progress.advance(bar, len(structures) - len(missing))
        if jobs.processes > 1 and len(missing) > 1:
            try:
                for name, results in _in_processes(missing, properties, calculator, jobs):
                    record.add(name, results)
                    progress.advance(bar)
            except ProcessesDoNotStart as error:
                console.print(f"{error}; going on in one", style="yellow", markup=False)
        for name, atoms in missing.items():
            if name not in record.results:
                record.add(name, _properties(atoms, properties, calculator))
                progress.advance(bar)
    return {name: record.results[name] for name in structures}


def _properties(atoms: Atoms, properties: Sequence[str], calculator: Calculator) -> Results:
    return {what: np.array(_property(atoms, what, calculator)) for what in properties}


def _property(atoms: Atoms, what: str, calculator: Calculator) -> object:
    if what in all_properties:
        return calculator.get_property(what, atoms)
    return getattr(calculator, f"get_{what}")(atoms)


def _in_processes(
    structures: Mapping[str, Atoms],
    properties: Sequence[str],
    calculator: Calculator,
    jobs: Jobs,
) -> Iterator[tuple[str, Results]]:
    described = reporting.describe_calculator(calculator)
    tasks = {
        # Without the calculator of this process.
        name: (atoms.copy(), tuple(properties), jobs.make_calculator, described)
        for name, atoms in structures.items()
    }
    for name, results in results_as_they_come(
        _evaluate_here, tasks, processes=jobs.processes, threads=jobs.threads_each
    ):
        if results is None:
            raise RuntimeError(
                f"the process that calculated '{name}' died, twice: out of memory, killed, or a "
                "crash. Fewer processes need less memory; what is recorded is kept for resume=True "
                "(--resume)"
            )
        yield name, results


# Each process has one calculator for all its structures.
_own_calculator: Calculator | None = None


def _evaluate_here(
    atoms: Atoms,
    properties: Sequence[str],
    make_calculator: Callable[[], Calculator],
    described: Mapping[str, object],
) -> Results:
    global _own_calculator
    if _own_calculator is None:
        made = make_calculator()
        differing = reporting.differences(described, reporting.describe_calculator(made))
        if differing:
            raise ValueError(
                "`make_calculator` makes another calculator than that of the structure: "
                f"{'; '.join(differing)}"
            )
        _own_calculator = made
    return _properties(atoms, properties, _own_calculator)
