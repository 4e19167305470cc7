"""Stop a run between two steps on Ctrl-C or SIGTERM."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class StopRequest:
    """Context that defers SIGINT (Ctrl-C) and SIGTERM to the end of the current step.

    Within a step, positions and momenta belong to different times; a run can only be continued
    from its state between two steps. The caller checks `received` after every step. A second
    Ctrl-C interrupts immediately. Outside of the main thread, signals are not handled.

    Attributes
    ----------
    received : str or None
        Name of the signal received.
    """

    def __init__(self) -> None:
        self.received: str | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        # Python only allows signal handlers to be set in the main thread.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore_handlers()

    def _restore_handlers(self) -> None:
        while self._previous:
            number, handler = self._previous.popitem()
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _receive(self, number: int, _: FrameType | None) -> None:
        self.received = signal.Signals(number).name
        self._restore_handlers()
