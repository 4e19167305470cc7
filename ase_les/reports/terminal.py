"""Tables, messages and progress bars in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from ase_les.messages import printable


def console(quiet: bool = False) -> Console:
    """Return a console that writes to stderr, so that stdout is reserved for JSON output."""
    return Console(stderr=True, quiet=quiet)


def print_notes(notes: Sequence[str], quiet: bool = False) -> None:
    """Print remarks on a result, one per line."""
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


class TerminalProgress:
    """Progress bar and messages in the terminal; see :class:`ase_les.runs.progress.Progress`.

    Parameters
    ----------
    quiet : bool
        Show nothing.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.console = console(quiet)
        self._bar: Progress | None = None

    def start(self, total: int, description: str, completed: int = 0) -> None:
        """Show a bar for a task of `total` steps, `completed` of which are already done."""
        self.finish()
        self._bar = progress_bar(self.console)
        self._bar.add_task(description, total=total, completed=completed, status="")
        self._bar.start()

    def advance(self, steps: int = 1, status: str | None = None) -> None:
        """Advance the bar and replace the text beside it."""
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
    """Return a table with one head per column."""
    table = Table(*heads, title=title, title_justify="left")
    for row in rows:
        table.add_row(*map(printable, row))
    return table
