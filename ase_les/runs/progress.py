"""Interface by which a calculation reports progress and messages without printing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Progress(Protocol):
    """Receiver of progress and messages of a calculation.

    :class:`ase_les.reports.terminal.TerminalProgress` displays them in the terminal.
    """

    def start(self, total: int, description: str, completed: int = 0) -> None:
        """Start a task of `total` steps, `completed` of which are already done."""

    def advance(self, steps: int = 1, status: str | None = None) -> None:
        """Count completed steps of the current task; `status` is a short text shown beside."""

    def finish(self) -> None:
        """End the current task, completed or not."""

    def message(self, text: str, *, warning: bool = False) -> None:
        """Report a message, such as the outcome of one structure, or a warning."""


class NoProgress:
    """Progress that is not reported."""

    def start(self, total: int, description: str, completed: int = 0) -> None:
        """Do nothing."""

    def advance(self, steps: int = 1, status: str | None = None) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""

    def message(self, text: str, *, warning: bool = False) -> None:
        """Do nothing."""


NO_PROGRESS = NoProgress()


class WarningsOnly:
    """Progress of a part of a calculation, whose messages are passed on if they are warnings."""

    def __init__(self, whole: Progress) -> None:
        self._whole = whole
        self.start = whole.start
        self.advance = whole.advance
        self.finish = whole.finish

    def message(self, text: str, *, warning: bool = False) -> None:
        """Pass a warning on."""
        if warning:
            self._whole.message(text, warning=True)


@contextmanager
def task(
    progress: Progress, total: int, description: str, completed: int = 0
) -> Iterator[Progress]:
    """Context of one task, which is ended even after an error.

    Parameters
    ----------
    total : int
        Number of steps.
    description : str
        Plural noun for what is counted, such as "displacements".
    completed : int
        Steps already done.
    """
    progress.start(total, description, completed)
    try:
        yield progress
    finally:
        progress.finish()
