"""Locks that keep two processes from writing the same output."""

from __future__ import annotations

import contextlib
import functools
import glob
import inspect
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

P = ParamSpec("P")
R = TypeVar("R")

#: Time in s between two updates of the modification time of a lock.
REFRESH_INTERVAL_S = 30.0
#: Age in s at which the lock of a process on a different host counts as abandoned.
ABANDONED_AFTER_S = 900.0


class OutputInUseError(OSError):
    """The output is in use by a different process."""


class OutputLock:
    """Lock of the output of a calculation, as a context manager.

    The lock is a hidden file beside the output with process id and host. On the same host, the
    lock of a process that has ended, however it ended, is recognized and replaced. The lock of a
    process on a different host is respected as long as it is refreshed, see `refresh`.

    Parameters
    ----------
    stem : Path
        Stem of the output files. Nothing is locked if its folder does not exist.

    Raises
    ------
    OutputInUseError
        On entering, if a different process, or a different calculation of this process, uses the
        output.
    """

    def __init__(self, stem: Path) -> None:
        self._stem = stem
        self.path = stem.with_name(f".{stem.name}.lock")
        self._descriptor: int | None = None
        self._refreshed = 0.0

    def __enter__(self) -> OutputLock:
        self.ensure()
        return self

    def ensure(self) -> None:
        """Lock the output unless it is locked; if its folder does not exist, nothing is done."""
        if self._descriptor is None and self._stem.parent.is_dir():
            self._acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._descriptor is None:
            return
        # Removed before it is unlocked: nobody can acquire a lock that is about to be removed.
        with contextlib.suppress(OSError):
            self.path.unlink()
        os.close(self._descriptor)
        self._descriptor = None

    def refresh(self) -> None:
        """Update the modification time of the lock, at most once per `REFRESH_INTERVAL_S`."""
        now = time.monotonic()
        if self._descriptor is not None and now - self._refreshed > REFRESH_INTERVAL_S:
            self._refreshed = now
            with contextlib.suppress(OSError):
                os.utime(self.path)

    def _acquire(self) -> None:
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                supported = self._lock_file(descriptor)
                if not self._is_current(descriptor):
                    # Removed by its owner between opening and locking.
                    os.close(descriptor)
                    continue
                owner = self._check_owner(descriptor, supported)
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, json.dumps(_this_process()).encode(), 0)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
                raise
            self._descriptor = descriptor
            self._refreshed = time.monotonic()
            self._remove_unfinished(owner.get("pid"))
            return

    def _lock_file(self, descriptor: int) -> bool:
        """Lock the file, which ends with the process; return whether this is supported here."""
        if fcntl is None:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise self._in_use(_read_owner(descriptor)) from None
        except OSError:
            # Some network file systems have no locks.
            return False
        return True

    def _is_current(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _check_owner(self, descriptor: int, file_is_locked: bool) -> dict[str, Any]:
        """Return the recorded process, which has ended; refuse the lock if it may still run."""
        owner = _read_owner(descriptor)
        if not owner:
            return owner
        if owner.get("host") == socket.gethostname():
            if not file_is_locked and _is_running(owner.get("pid")):
                raise self._in_use(owner)
        elif self._age_s(descriptor) < ABANDONED_AFTER_S:
            raise self._in_use(owner)
        return owner

    def _remove_unfinished(self, pid: object) -> None:
        """Remove the partly written files of the process that held the lock and was killed."""
        name = glob.escape(self._stem.name)
        for path in self._stem.parent.glob(f".{name}[.-]*.{pid}.unfinished"):
            path.unlink(missing_ok=True)

    def _age_s(self, descriptor: int) -> float:
        """Return the time since the last refresh, by the clock of the file system."""
        probe = self.path.with_name(f"{self.path.name}.{os.getpid()}.unfinished")
        try:
            probe.touch()
            now = probe.stat().st_mtime
        finally:
            probe.unlink(missing_ok=True)
        return now - os.fstat(descriptor).st_mtime

    def _in_use(self, owner: dict[str, Any]) -> OutputInUseError:
        pid, host, since = (owner.get(each, "?") for each in ("pid", "host", "since"))
        return OutputInUseError(
            f"'{self._stem}' is in use by process {pid} on {host}, since {since}. Wait until it "
            "has finished, or stop it, or choose a different output. If it no longer runs, delete "
            f"{self.path}"
        )


@contextlib.contextmanager
def refreshed_lock(stem: Path) -> Iterator[OutputLock]:
    """Lock an output and refresh the lock from a thread until the block ends."""
    finished = threading.Event()
    with OutputLock(stem) as lock:

        def refresh() -> None:
            while not finished.wait(REFRESH_INTERVAL_S):
                lock.refresh()

        threading.Thread(target=refresh, daemon=True).start()
        try:
            yield lock
        finally:
            finished.set()


def lock_output(function: Callable[P, R]) -> Callable[P, R]:
    """Lock the output that is given as the keyword `output` while a function runs."""
    default = inspect.signature(function).parameters["output"].default

    @functools.wraps(function)
    def locked(*arguments: P.args, **keywords: P.kwargs) -> R:
        output = keywords.get("output", default)
        if not isinstance(output, str | Path):
            return function(*arguments, **keywords)
        stem = Path(output).expanduser()
        stem.parent.mkdir(parents=True, exist_ok=True)
        with refreshed_lock(stem):
            return function(*arguments, **keywords)

    return locked


def _this_process() -> dict[str, object]:
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": since}


def _read_owner(descriptor: int) -> dict[str, Any]:
    """Return the recorded process; empty if there is none or the record is incomplete."""
    try:
        owner = json.loads(os.pread(descriptor, 4096, 0) or b"{}")
    except ValueError:
        return {}
    return owner if isinstance(owner, dict) else {}


def _is_running(pid: object) -> bool:
    if not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
