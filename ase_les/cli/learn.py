"""``ase-les learn``: active learning from structures and an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ase_les.cli._options import Json, Quiet, Threads


def learn(
    plan: Annotated[
        Path | None, typer.Argument(help="YAML file: start, engine, sample, model, conditions ...")
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(help="Folder of all results; an earlier run continues.", show_default="PLAN"),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Short trainings and runs, to test a plan.")
    ] = False,
    example: Annotated[bool, typer.Option("--example", help="Print a plan and exit.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Worker processes for labeling.")] = 1,
    threads: Threads = 1,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Label structures, train a committee, run dynamics, and repeat until the model is stable.

    Each round labels structures with large committee disagreement. The criterion of the plan uses
    runs from held-back structures in larger cells, and errors on newly labeled structures of the
    dynamics. After an interruption, start the same command again to continue with identical
    results. Writes the committee and a report, report.html. Exit code 1 if the criterion is not
    met after the last round.
    """
    from ase_les.cli._calculator import set_threads
    from ase_les.reports import learning as report
    from ase_les.reports.terminal import TerminalProgress
    from ase_les.runs.output import summary_as_json
    from ase_les.training.active_learning.loop import learn as learn_model
    from ase_les.training.active_learning.plan import EXAMPLE, read_learning_plan

    if example:
        print(EXAMPLE, end="")
        return
    if plan is None:
        raise ValueError("no plan given; `ase-les learn --example` prints an example")
    set_threads(threads)
    settings, folder = read_learning_plan(plan)
    if quick:
        settings = settings.quick()
    state = plan.with_name(f"{plan.stem}-quick" if quick else plan.stem) if state is None else state
    result = learn_model(
        settings, folder, state, jobs=jobs, threads=threads, progress=TerminalProgress(quiet)
    )
    report.write(result)
    report.show(result, quiet)
    if json:
        print(summary_as_json(result.summary()))
    if not result.holds:
        raise typer.Exit(1)
