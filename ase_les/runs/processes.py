"""Distribution of independent tasks over worker processes that may die."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import connection
from typing import TYPE_CHECKING, Any, TypeVar

from ase.calculators.calculator import Calculator

from ase_les.runs.dask import run_on_scheduler

if TYPE_CHECKING:
    from ase_les.runs.dask import Scheduler

Key = TypeVar("Key")
Result = TypeVar("Result")

START_ADVICE = (
    "a script that starts worker processes needs an `if __name__ == '__main__':` guard, and the "
    "task must be a function of a module. A single process (jobs=1) needs neither"
)


class WorkerStartError(ValueError):
    """Workers could not be started (missing `__main__` guard or unpicklable task)."""


@dataclass(frozen=True)
class Jobs:
    """Workers of a calculation, and how each of them makes its calculator.

    Parameters
    ----------
    processes : int
        1 computes in the current process with the calculator of the structure.
    make_calculator : callable or None
        Called without arguments in every worker: ``functools.partial(LESCalculator, "name")``, or
        any function or class of a module. Calculators are never sent between processes. The
        calling script needs an ``if __name__ == "__main__":`` guard.
    threads : int or None
        Total number of threads, divided evenly among the workers; None is one each.
    scheduler : str, Path, distributed.Client or None
        Dask scheduler whose workers are used instead of processes of this machine: its address,
        its scheduler file, or a client. Each worker needs this package and one thread.

    Raises
    ------
    ValueError
        If `processes` is less than 1, there are several workers without `make_calculator`, or
        several processes besides a scheduler.
    """

    processes: int = 1
    make_calculator: Callable[[], Calculator] | None = None
    threads: int | None = None
    scheduler: Scheduler | None = None

    def __post_init__(self) -> None:
        if self.processes < 1:
            raise ValueError(f"`processes` must be at least 1, got {self.processes}")
        if self.processes > 1 and self.scheduler is not None:
            raise ValueError(
                f"{self.processes} processes and a scheduler were given, but the scheduler has "
                "workers of its own: omit `processes` (--jobs) or `scheduler` (--scheduler)"
            )
        if self.is_parallel and self.make_calculator is None:
            workers = "Dask workers" if self.scheduler else f"{self.processes} processes"
            raise ValueError(
                f"{workers} need `make_calculator`, for example "
                "functools.partial(LESCalculator, 'water-rpbe-d3'): each makes its own"
            )

    @property
    def is_parallel(self) -> bool:
        """Whether there are workers besides the current process."""
        return self.processes > 1 or self.scheduler is not None

    @property
    def threads_each(self) -> int:
        """Number of threads of each worker."""
        return threads_per_process(self.processes, self.threads)

    def run(
        self, function: Callable[..., Result], tasks: Mapping[Key, tuple[Any, ...]]
    ) -> Iterator[tuple[Key, Result | None]]:
        """Yield results from the workers, see `run_in_processes` and `run_on_scheduler`."""
        return run_in_workers(
            function,
            tasks,
            processes=self.processes,
            threads=self.threads_each,
            scheduler=self.scheduler,
        )


SERIAL = Jobs()


def threads_per_process(processes: int, threads: int | None = None) -> int:
    """Return the number of threads of each of several processes.

    Parameters
    ----------
    processes : int
    threads : int or None
        Total number of threads; None is one each. Torch becomes extremely slow with more threads
        than idle cores.
    """
    return max(1, (threads or processes) // processes)


def initialize_worker(threads: int) -> None:
    """Set up signal handling and number of threads in a new worker process."""
    _end_with_parent()
    # Ctrl-C is handled by the main process, which lets running tasks finish.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Numerical libraries loaded from here on read these variables.
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def _end_with_parent() -> None:
    """End this process when its parent does, which may be killed without a chance to stop it."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def run_in_workers(
    function: Callable[..., Result],
    tasks: Mapping[Key, tuple[Any, ...]],
    *,
    processes: int,
    threads: int,
    scheduler: Scheduler | None,
) -> Iterator[tuple[Key, Result | None]]:
    """Yield results from processes of this machine, or from Dask workers if there is a scheduler.

    See `run_in_processes` and `ase_les.runs.dask.run_on_scheduler`.
    """
    if scheduler is not None:
        return run_on_scheduler(function, tasks, scheduler)
    return run_in_processes(function, tasks, processes=processes, threads=threads)


def run_in_processes(
    function: Callable[..., Result],
    tasks: Mapping[Key, tuple[Any, ...]],
    *,
    processes: int,
    threads: int,
) -> Iterator[tuple[Key, Result | None]]:
    """Yield the results of ``function(*task)`` from several processes, as they become available.

    When a worker dies (out of memory, or a crash in compiled code), its pool breaks. All tasks
    that were running are then repeated, each in a process of its own; a task whose process dies
    again has no result.

    Parameters
    ----------
    function : callable
        Function of a module. Its exceptions are raised here.
    tasks : mapping
        Arguments by key.
    processes : int
    threads : int
        Number of threads of each process.

    Yields
    ------
    key, result
        The result is None if the process died.

    Raises
    ------
    WorkerStartError
        If workers cannot be started, or the task cannot be sent to them.
    KeyboardInterrupt
        After Ctrl-C, once the results of all running tasks were yielded.
    """
    left = dict(tasks)
    while left:
        interrupted: list[Key] = []
        for key, result in _run_pool(function, left, processes, threads, interrupted):
            del left[key]
            yield key, result
        for key in interrupted:
            single = {key: left.pop(key)}
            died: list[Key] = []
            yield from _run_pool(function, single, 1, threads, died)
            if died:
                yield key, None


def _no_op(*_: object) -> None:
    """No-op used to verify that workers start."""


def _run_pool(
    function: Callable[..., Result],
    tasks: Mapping[Key, tuple[Any, ...]],
    processes: int,
    threads: int,
    interrupted: list[Key],
) -> Iterator[tuple[Key, Result]]:
    """Yield results until all are finished or a worker dies.

    `interrupted` then lists the keys of the tasks that were running.
    """
    waiting = list(tasks)
    pool = ProcessPoolExecutor(
        min(processes, len(waiting)),
        # Threads of numerical libraries do not survive a fork.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=initialize_worker,
        initargs=(threads,),
    )
    running: dict[Future[Result], Key] = {}
    stopping = False
    try:
        _verify_start(pool, function, tasks[waiting[0]])
        while waiting or running:
            # No more tasks than processes, so that those running when a worker dies are known.
            while waiting and len(running) < processes and not stopping:
                key = waiting.pop(0)
                running[pool.submit(function, *tasks[key])] = key
            if not running:
                break
            try:
                finished = wait(running, return_when=FIRST_COMPLETED).done
            except KeyboardInterrupt:
                if stopping:
                    raise
                stopping = True
                continue
            for future in finished:
                yield running[future], future.result()
                del running[future]
    except BrokenProcessPool:
        interrupted.extend(running.values())
    finally:
        pool.shutdown(cancel_futures=True)
    if stopping:
        raise KeyboardInterrupt


def _verify_start(
    pool: ProcessPoolExecutor, function: Callable[..., object], task: tuple[Any, ...]
) -> None:
    """Raise an error if a worker does not start, which is not a death while computing."""
    try:
        pool.submit(_no_op, function, task).result()
    except (BrokenProcessPool, pickle.PicklingError, AttributeError, TypeError) as error:
        raise WorkerStartError(
            f"worker processes do not start ({type(error).__name__}: {error}): {START_ADVICE}"
        ) from error
