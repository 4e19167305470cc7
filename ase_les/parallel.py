"""Processes that share the machine's threads, and work that outlives one of them."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

Key = TypeVar("Key")
Result = TypeVar("Result")

START_ADVICE = (
    "a script that starts processes needs its `if __name__ == '__main__':`, and what they are to "
    "do must be a function of a module. One process (jobs=1) needs neither"
)


class ProcessesDoNotStart(ValueError):
    """Of the way the program is called, and not of the work."""


def share_of_threads(processes: int, threads: int | None = None) -> int:
    """Threads of each of several processes.

    Parameters
    ----------
    processes : int
    threads : int or None
        To share out; None is one each. More than idle cores make torch stand nearly still.
    """
    return max(1, (threads or processes) // processes)


def become_worker(threads: int) -> None:
    """What a process does first that works for another one."""
    # Ctrl-C reaches the first process, which then lets the others finish what they are at.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # This process is ours alone; what is loaded from here on reads these.
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def results_as_they_come(
    work: Callable[..., Result],
    tasks: Mapping[Key, tuple],
    *,
    processes: int,
    threads: int,
) -> Iterator[tuple[Key, Result | None]]:
    """Results of ``work(*task)`` in several processes, in whatever order they are ready.

    A process that dies, killed for its memory or by an error in compiled code, takes down its
    pool. Each task that was under way then runs again in a process to itself: the one that dies
    once more has no result, all others have.

    Parameters
    ----------
    work : callable
        Function of a module; what it raises is raised here.
    tasks : mapping
        Arguments by any key.
    processes : int
    threads : int
        Of each process.

    Yields
    ------
    key, result
        The result is None where the process died.

    Raises
    ------
    ProcessesDoNotStart
        If processes cannot be started, or the work cannot be sent to them.
    KeyboardInterrupt
        After Ctrl-C, once the tasks under way are finished and their results were yielded.
    """
    left = dict(tasks)
    while left:
        under_way: list[Key] = []
        for key, result in _in_one_pool(work, left, processes, threads, under_way):
            del left[key]
            yield key, result
        for key in under_way:
            task = {key: left.pop(key)}
            died: list[Key] = []
            yield from _in_one_pool(work, task, 1, threads, died)
            if died:
                yield key, None


def _arrive(*_: object) -> None:
    """What a process is sent first: nothing to do, but to be there."""


def _in_one_pool(
    work: Callable[..., Result],
    tasks: Mapping[Key, tuple],
    processes: int,
    threads: int,
    under_way: list[Key],
) -> Iterator[tuple[Key, Result]]:
    """Results until all are there or a process dies; then `under_way` has what was at work."""
    waiting = list(tasks)
    pool = ProcessPoolExecutor(
        min(processes, len(waiting)),
        # Threads of numerical libraries do not survive a fork.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=become_worker,
        initargs=(threads,),
    )
    running: dict[Future, Key] = {}
    interrupted = False
    try:
        try:
            # What cannot even start or be sent must not pass for a process that died at work.
            pool.submit(_arrive, work, tasks[waiting[0]]).result()
        except (BrokenProcessPool, pickle.PicklingError, AttributeError, TypeError) as error:
            raise ProcessesDoNotStart(
                f"processes do not start ({type(error).__name__}: {error}): {START_ADVICE}"
            ) from error
        while waiting or running:
            # No more than there are processes: what is under way when one dies is then known.
            while waiting and len(running) < processes and not interrupted:
                key = waiting.pop(0)
                running[pool.submit(work, *tasks[key])] = key
            if not running:
                break
            try:
                finished = wait(running, return_when=FIRST_COMPLETED).done
            except KeyboardInterrupt:
                if interrupted:
                    raise
                interrupted = True
                continue
            for task in finished:
                yield running[task], task.result()
                del running[task]
    except BrokenProcessPool:
        under_way.extend(running.values())
    finally:
        pool.shutdown(cancel_futures=True)
    if interrupted:
        raise KeyboardInterrupt
