"""Distribute independent tasks over the workers of a Dask scheduler."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    from distributed import Client, Future

    Scheduler: TypeAlias = str | Path | Client

Key = TypeVar("Key")
Result = TypeVar("Result")

_CHUNK_SECONDS = 0.5
_SHORTEST_CHUNK_SECONDS = 0.05


def run_on_scheduler(
    function: Callable[..., Result],
    tasks: Mapping[Key, tuple[Any, ...]],
    scheduler: Scheduler,
) -> Iterator[tuple[Key, Result | None]]:
    """Yield the results of ``function(*task)`` from Dask workers, as they become available.

    Dask repeats the tasks of a lost worker on the others. It gives up all tasks that a worker held
    when it was lost for the fourth time (``distributed.scheduler.allowed-failures``), whether they
    are the reason or not. They are then repeated one at a time; a task whose worker is lost that
    often again has no result.

    Parameters
    ----------
    function : callable
        Function of a module that the workers can import. Its exceptions are raised here.
    tasks : mapping
        Arguments by key.
    scheduler : str, Path or distributed.Client
        Address (``tcp://host:8786``), scheduler file, or a client, which stays connected.

    Yields
    ------
    key, result
        The result is None if the worker was lost.

    Raises
    ------
    ModuleNotFoundError
        If ``distributed`` is not installed.
    ValueError
        If the scheduler cannot be reached, or a worker has several threads.
    ConnectionError
        If the scheduler ends while tasks are running.
    KeyboardInterrupt
        After Ctrl-C, once the results of all running tasks were yielded.
    """
    with _connected(scheduler) as client:
        suspected: list[Key] = []
        yield from _run(client, function, tasks, suspected)
        for key in suspected:
            lost: list[Key] = []
            yield from _run(client, function, {key: tasks[key]}, lost)
            if lost:
                yield key, None


@contextmanager
def _connected(scheduler: Scheduler) -> Iterator[Client]:
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "a Dask scheduler needs the package distributed: pip install 'ase_les[dask]'",
            name=error.name,
        ) from error
    if isinstance(scheduler, Client):
        _check_threads(scheduler)
        yield scheduler
        return
    try:
        if Path(scheduler).is_file():
            client = Client(scheduler_file=str(scheduler), set_as_default=False)
        else:
            client = Client(str(scheduler), set_as_default=False)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"no Dask scheduler at '{scheduler}' ({type(error).__name__}: {error}): give the "
            "address that `dask scheduler` prints, or its scheduler file"
        ) from error
    with client:
        _check_threads(client)
        yield client


def _check_threads(client: Client) -> None:
    """Check that no worker computes several tasks in one process, as calculators need their own.

    Raises
    ------
    ValueError
        If a worker has more than one thread.
    """
    shared = sorted(address for address, threads in client.nthreads().items() if threads > 1)
    if shared:
        raise ValueError(
            f"Dask worker {shared[0]} has several threads, but calculators need a process each: "
            "start workers with `dask worker --nthreads 1 --nworkers N`, or "
            "LocalCluster(threads_per_worker=1)"
        )


def _run(
    client: Client,
    function: Callable[..., Result],
    tasks: Mapping[Key, tuple[Any, ...]],
    lost: list[Key],
) -> Iterator[tuple[Key, Result]]:
    """Yield results; `lost` then lists the keys of the tasks that Dask gave up.

    Short tasks are sent in chunks, because Dask needs milliseconds for each task that it schedules.
    Chunks become shorter toward the end, so that all workers end together.
    """
    from distributed import KilledWorker, as_completed
    from distributed.protocol.pickle import dumps, loads

    left = list(tasks)
    waiting: dict[Future, list[Key]] = {}
    finished = as_completed()
    workers = _WorkerCount(client)
    seconds_per_task = _CHUNK_SECONDS
    stopping = False

    def submit() -> None:
        # One chunk runs on each worker, and one is ready for it.
        while left and not stopping and len(waiting) < 2 * workers.current():
            share = math.ceil(len(left) / (2 * workers.current()))
            size = min(
                max(1, int(_CHUNK_SECONDS / seconds_per_task)),
                max(share, int(_SHORTEST_CHUNK_SECONDS / seconds_per_task)),
            )
            keys = left[:size]
            del left[:size]
            # Dask sends each array by itself, bytes at once.
            chunk = dumps((function, [tasks[key] for key in keys]))
            future = client.submit(_run_chunk, chunk, pure=False)
            waiting[future] = keys
            finished.add(future)

    try:
        submit()
        while waiting:
            try:
                future = next(finished)
            except KeyboardInterrupt:
                if stopping:
                    raise
                stopping = True
                _cancel_queued(client, waiting)
                continue
            keys = waiting.pop(future)
            if future.cancelled():
                if stopping:
                    continue
                raise ConnectionError(
                    "the Dask scheduler was lost, or it canceled the tasks: results recorded so "
                    "far are kept; start it again and continue with resume=True (--resume)"
                )
            results: list[Result] = []
            try:
                results, seconds = loads(future.result())
            except KilledWorker:
                lost.extend(keys)
            else:
                seconds_per_task = max(seconds / len(results), 1e-6)
                left[:0] = keys[len(results) :]
            submit()
            yield from zip(keys, results, strict=False)
    finally:
        client.cancel(list(waiting))
    if stopping:
        raise KeyboardInterrupt


def _run_chunk(chunk: bytes) -> bytes:
    """Compute the first tasks of a chunk, at least one.

    Stops after `_CHUNK_SECONDS`, and before a task that raises an exception unless it is the first.

    Parameters
    ----------
    chunk : bytes
        Pickled function and list of its arguments.

    Returns
    -------
    bytes
        Pickled list of results, and duration in s.
    """
    from distributed.protocol.pickle import dumps, loads

    function, tasks = loads(chunk)
    start = time.perf_counter()
    results: list[object] = []
    for task in tasks:
        try:
            results.append(function(*task))
        except Exception:
            if not results:
                raise
            break
        if time.perf_counter() - start > _CHUNK_SECONDS:
            break
    return dumps((results, time.perf_counter() - start))


class _WorkerCount:
    """Number of workers, at least one; asked for once a second, because workers may join."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._count, self._asked = 1, -math.inf

    def current(self) -> int:
        if time.monotonic() - self._asked > 1.0:
            self._count, self._asked = max(1, len(self._client.nthreads())), time.monotonic()
        return self._count


def _cancel_queued(client: Client, waiting: Mapping[Future, Any]) -> None:
    """Cancel the tasks that are not running yet."""
    running = {
        key
        for calls in client.call_stack(keys=[future.key for future in waiting]).values()
        for key in calls
    }
    client.cancel([future for future in waiting if future.key not in running])
