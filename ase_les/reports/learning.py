"""Table and self-contained HTML report of active learning."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from rich.table import Table

from ase_les.reports import html
from ase_les.reports.figures import new_figure
from ase_les.reports.terminal import console
from ase_les.runs.output import replace_file, write_summary
from ase_les.training.active_learning.loop import LearningResult, Round

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = (
    *("round", "structures", "energy meV/atom", "forces meV/Å", "own dynamics meV/Å"),
    *("disagreement eV/Å", "runs that held"),
)


def write(result: LearningResult) -> None:
    """Write ``report.html`` and ``summary.yml`` into the folder of the results."""
    replace_file(result.state / "report.html", page(result))
    write_summary(result.state / "summary.yml", result.summary())


def show(result: LearningResult, quiet: bool = False) -> None:
    """Print the table of rounds and the verdict."""
    on = console(quiet)
    table = Table(*_COLUMNS, title=str(result.state), title_justify="left")
    for each in result.rounds:
        table.add_row(*_row(each))
    on.print(table)
    style = "bold green" if result.holds else "bold red"
    on.print(verdict(result), style=style, markup=False, highlight=False, soft_wrap=True)


def verdict(result: LearningResult) -> str:
    """Return the verdict on the model, with the criteria that it fails."""
    if result.holds:
        return f"The model meets the criterion: {result.model}"
    return (
        f"The model does not meet the criterion after {len(result.rounds)} rounds: "
        f"{'; '.join(result.rounds[-1].reasons)}. Increase `rounds` and start again to continue, "
        "or relax the criterion in a new folder"
    )


def page(result: LearningResult) -> bytes:
    """Return the report as one HTML page with its figures."""
    criterion, plan = result.plan.criterion, result.plan
    asked = (
        f"dynamics from held-back structures ({criterion.runs} × {criterion.picoseconds:g} ps), "
        f"repeated {'×'.join(map(str, criterion.repeat))}, at "
        f"{'; '.join(map(str, plan.conditions))}, with a disagreement below "
        f"{criterion.disagreement_eV_per_A:g} eV/Å; force errors on structures of the dynamics "
        f"below {criterion.forces_rmse_meV_per_A:g} meV/Å"
    )
    figures = [
        html.heading(title) + html.figure(partial(_save, draw=draw, result=result), title)
        for title, draw in (
            ("Errors", _draw_errors),
            ("Disagreement", _draw_disagreement),
            ("Stability", _draw_stability),
            ("Charges", _draw_charges),
        )
        if draw is not _draw_charges or result.rounds[-1].charges
    ]
    about = f"Engine {plan.engine}, committee of {plan.committee}. Criterion: {asked}."
    return html.page(
        "Active learning",
        [
            html.paragraph(verdict(result), strong=True),
            html.paragraph(about),
            html.table(_COLUMNS, [_row(each) for each in result.rounds]),
            *figures,
            html.heading("Runs"),
            _runs_as_html(result.rounds),
        ],
    )


def _row(each: Round) -> list[str]:
    held, own = (each.errors.get(name, {}) for name in ("held back", "own dynamics"))
    largest = _disagreements(each, "largest")
    return [
        str(each.number),
        str(each.labeled),
        _number(held.get("energy_rmse_meV_per_atom")),
        _number(held.get("forces_rmse_meV_per_A")),
        _number(own.get("forces_rmse_meV_per_A")),
        _number(max(largest, default=None)),
        f"{sum(run.stopped is None for run in each.held)} of {len(each.held)}",
    ]


def _disagreements(each: Round, kind: str) -> list[float]:
    """Return the finite disagreements of the runs of a round, "largest" or "mean"."""
    values = [getattr(run, f"{kind}_disagreement_eV_per_A") for run in each.explored]
    return [value for value in values if np.isfinite(value)]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _runs_as_html(rounds: Sequence[Round]) -> str:
    rows = [
        (
            f"round {each.number}, {run.name}",
            run.conditions,
            str(run.atoms),
            f"{run.time_ps:.3g} of {run.wanted_ps:.3g}",
            run.stopped or "complete",
        )
        for each in rounds
        for run in (*each.explored, *each.held)
    ]
    return html.table(("run", "conditions", "atoms", "ps", "ended"), rows)


def _save(
    stream: BinaryIO, draw: Callable[[Axes, LearningResult], None], result: LearningResult
) -> None:
    with new_figure(stream, 6.4, 3.4) as figure:
        axis = figure.subplots()
        draw(axis, result)
        axis.set_xlabel("round")
        axis.set_xticks([each.number for each in result.rounds])
        if axis.get_legend_handles_labels()[1]:
            axis.legend()


def _draw_errors(axis: Axes, result: LearningResult) -> None:
    for name in ("held back", "own dynamics"):
        values = [_error(each.errors.get(name, {})) for each in result.rounds]
        axis.plot(_numbers(result), values, "o-", label=name)
    limit = result.plan.criterion.forces_rmse_meV_per_A
    axis.axhline(limit, color="0.5", linestyle="--", linewidth=0.8, label="criterion")
    axis.set_yscale("log")
    axis.set_ylabel("force RMSE / (meV/Å)")


def _draw_disagreement(axis: Axes, result: LearningResult) -> None:
    for kind, label, combine in (
        ("largest", "largest of the exploration", np.max),
        ("mean", "mean of frames", np.mean),
    ):
        known = [_disagreements(each, kind) for each in result.rounds]
        values = [float(combine(each)) if each else math.nan for each in known]
        axis.plot(_numbers(result), values, "o-", label=label)
    axis.set_yscale("log")
    axis.set_ylabel("disagreement / (eV/Å)")


def _draw_stability(axis: Axes, result: LearningResult) -> None:
    for kind in ("explored", "held"):
        values = [
            np.mean([run.time_ps / run.wanted_ps for run in getattr(each, kind)])
            for each in result.rounds
        ]
        label = "exploration" if kind == "explored" else "from held-back structures"
        axis.plot(_numbers(result), values, "o-", label=label)
    axis.set_ylim(0, 1.05)
    axis.set_ylabel("mean fraction of a run completed")


def _draw_charges(axis: Axes, result: LearningResult) -> None:
    for element in result.rounds[-1].charges:
        values = [each.charges.get(element, np.nan) for each in result.rounds]
        axis.plot(_numbers(result), values, "o-", label=element)
    axis.set_ylabel("mean charge / e")


def _numbers(result: LearningResult) -> list[int]:
    return [each.number for each in result.rounds]


def _error(errors: Mapping[str, float]) -> float:
    return errors.get("forces_rmse_meV_per_A", np.nan)
