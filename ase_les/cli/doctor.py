"""``ase-les doctor``: check the installation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ase_les.cli._options import Device, Json, Quiet, Threads

if TYPE_CHECKING:
    from ase_les.installation import CheckResult


def doctor(
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Shipped model by name, or a model file; may be repeated.",
            show_default="all shipped models",
        ),
    ] = None,
    device: Device = None,
    threads: Threads = 1,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check libraries, device and models, and suggest remedies.

    Exit code 1 if anything is broken.
    """
    from ase_les.cli._calculator import set_threads
    from ase_les.installation import examine_installation, is_sound
    from ase_les.runs.output import summary_as_json

    set_threads(threads)
    examined = examine_installation(device or "cpu", model, quiet=quiet or json)
    if json:
        print(summary_as_json({"examined": [each._asdict() for each in examined]}))
    else:
        _show([each for each in examined if each.state == "broken" or not quiet])
    if not is_sound(examined):
        raise typer.Exit(1)


def _show(examined: Sequence[CheckResult]) -> None:
    if not examined:
        return
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    marks = {"fine": Text("✓", "green"), "absent": Text("–"), "broken": Text("✗", "bold red")}
    table = Table(Column(""), Column("examined", no_wrap=True), Column("found", overflow="fold"))
    for each in examined:
        table.add_row(marks[each.state], Text(each.subject), Text(each.found))
    console = Console(markup=False)
    console.print(table)
    for each in examined:
        if each.remedy:
            console.print(f"{each.subject}: {each.remedy}", highlight=False, soft_wrap=True)
