"""Tables, messages and progress bars in the terminal."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ase_les.messages import printable


def console(quiet: bool = False) -> Console:
    """Return a console that writes to stderr, so that stdout is reserved for JSON output."""
    return Console(stderr=True, quiet=quiet)


def print_notes(notes: Sequence[str], quiet: bool = False) -> None:
    """Print notes on a result, one per line."""
    on = console(quiet)
    for note in notes:
        text = printable(f"Note: {note}")
        on.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)


def progress_bar(on: Console) -> Progress:
    """Return a bar with the remaining time and a status text; hidden outside of a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[status]}", markup=False),
        console=on,
        transient=True,
        disable=on.quiet or not on.is_terminal,
    )


#: Seconds between lines of progress outside of a terminal.
LINE_INTERVAL_S = 30.0


@dataclass
class _Task:
    """State of a task whose progress is printed as lines."""

    description: str = ""
    total: int = 0
    done: int = 0
    first: int = 0
    began: float = field(default_factory=lambda: time.monotonic())
    printed: float = field(default_factory=lambda: time.monotonic())

    def print_when_due(self, on: Console, status: str | None) -> None:
        """Print a line if the last one is older than the interval."""
        now = time.monotonic()
        if now - self.printed < LINE_INTERVAL_S:
            return
        self.printed = now
        speed = (self.done - self.first) / (now - self.began)
        left = f", {(self.total - self.done) / speed:.0f} s left" if speed > 0 else ""
        about = f", {status}" if status else ""
        on.print(
            f"{self.description}: {self.done} of {self.total}{left}{about}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


class TerminalProgress:
    """Progress bar and messages in the terminal; see :class:`ase_les.runs.progress.Progress`.

    Outside of a terminal, as in a pipe or batch job, a line is printed every `LINE_INTERVAL_S`.

    Parameters
    ----------
    quiet : bool
        Show nothing.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.console = console(quiet)
        self._bar: Progress | None = None
        self._lines = not quiet and not self.console.is_terminal
        self._task = _Task()

    def start(self, total: int, description: str, completed: int = 0) -> None:
        """Show a bar for a task of `total` steps, `completed` of which are already done."""
        self.finish()
        self._task = _Task(description, total, completed, first=completed)
        self._bar = progress_bar(self.console)
        self._bar.add_task(description, total=total, completed=completed, status="")
        self._bar.start()

    def advance(self, steps: int = 1, status: str | None = None) -> None:
        """Advance the bar and replace the text beside it."""
        if self._lines and self._bar is not None:
            self._task.done += steps
            self._task.print_when_due(self.console, status)
        if self._bar is not None:
            bar = self._bar.task_ids[0]
            self._bar.update(bar, advance=steps)
            if status is not None:
                self._bar.update(bar, status=status)

    def finish(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def message(self, text: str, *, warning: bool = False) -> None:
        """Print a message, warnings in yellow."""
        style = "yellow" if warning else None
        self.console.print(
            printable(text), style=style, markup=False, highlight=False, soft_wrap=True
        )


def results_table(title: str, rows: Mapping[str, object]) -> Table:
    """Return a table of quantities and their values; the names should include the units."""
    table = Table("quantity", "value", title=title, title_justify="left")
    for name, value in rows.items():
        table.add_row(name, f"{value:.6g}" if isinstance(value, float) else printable(str(value)))
    return table


def columns_table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Return a table with the given column heads."""
    table = Table(*heads, title=title, title_justify="left")
    for row in rows:
        table.add_row(*map(printable, row))
    return table
