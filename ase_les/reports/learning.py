"""Table and self-contained HTML report of active learning."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table

from ase_les.reports.terminal import console
from ase_les.runs.output import replace_file, write_summary
from ase_les.training.active_learning.loop import LearningResult, Round

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STYLE = (
    "body{font-family:sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse}td,th{border:1px solid #bbb;padding:.2em .6em;"
    "text-align:right}img{max-width:100%}td:first-child{text-align:left}"
)
_COLUMNS = (
    *("round", "structures", "energy meV/atom", "forces meV/Å", "own dynamics meV/Å"),
    *("disagreement eV/Å", "runs that held"),
)


def write(result: LearningResult) -> None:
    """Write ``report.html`` and ``summary.yml`` into the folder of the results."""
    replace_file(result.state / "report.html", page(result).encode())
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


def page(result: LearningResult) -> str:
    """Return the report as one HTML page with its figures."""
    criterion, plan = result.plan.criterion, result.plan
    asked = (
        f"dynamics from held-back structures ({criterion.runs} × {criterion.picoseconds:g} ps), "
        f"repeated {'×'.join(map(str, criterion.repeat))}, at "
        f"{'; '.join(map(str, plan.conditions))}, with a disagreement below "
        f"{criterion.disagreement_eV_per_A:g} eV/Å; force errors on structures of the dynamics "
        f"below {criterion.forces_rmse_meV_per_A:g} meV/Å"
    )
    figures = "".join(
        f'<h2>{title}</h2><img alt="{title}" src="data:image/png;base64,{_png(draw, result)}">'
        for title, draw in (
            ("Errors", _draw_errors),
            ("Disagreement", _draw_disagreement),
            ("Stability", _draw_stability),
            ("Charges", _draw_charges),
        )
        if draw is not _draw_charges or result.rounds[-1].charges
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Active learning</title>'
        f"<style>{_STYLE}</style></head><body><h1>Active learning</h1>"
        f"<p><b>{html.escape(verdict(result))}</b></p><p>Engine {html.escape(plan.engine)}, "
        f"committee of {plan.committee}. Criterion: {html.escape(asked)}.</p>"
        f"{_rounds_as_html(result.rounds)}{figures}<h2>Runs</h2>{_runs_as_html(result.rounds)}"
        "</body></html>\n"
    )


def _row(each: Round) -> list[str]:
    held, own = (each.errors.get(name, {}) for name in ("held back", "own dynamics"))
    largest = [
        run.largest_disagreement_eV_per_A
        for run in each.explored
        if np.isfinite(run.largest_disagreement_eV_per_A)
    ]
    return [
        str(each.number),
        str(each.labeled),
        _number(held.get("energy_rmse_meV_per_atom")),
        _number(held.get("forces_rmse_meV_per_A")),
        _number(own.get("forces_rmse_meV_per_A")),
        _number(max(largest, default=None)),
        f"{sum(run.stopped is None for run in each.held)} of {len(each.held)}",
    ]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _table_as_html(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["".join(f"<th>{html.escape(cell)}</th>" for cell in head)]
    lines += ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows]
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _rounds_as_html(rounds: Sequence[Round]) -> str:
    return _table_as_html(_COLUMNS, [_row(each) for each in rounds])


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
    return _table_as_html(("run", "conditions", "atoms", "ps", "ended"), rows)


def _png(draw: Callable[[Axes, LearningResult], None], result: LearningResult) -> str:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.4), layout="constrained")
    axis = figure.subplots()
    draw(axis, result)
    axis.set_xlabel("round")
    axis.set_xticks([each.number for each in result.rounds])
    if axis.get_legend_handles_labels()[1]:
        axis.legend(frameon=False)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=130)
    return base64.b64encode(content.getvalue()).decode()


def _draw_errors(axis: Axes, result: LearningResult) -> None:
    for name in ("held back", "own dynamics"):
        values = [_error(each.errors.get(name, {})) for each in result.rounds]
        axis.plot(_numbers(result), values, "o-", label=name)
    limit = result.plan.criterion.forces_rmse_meV_per_A
    axis.axhline(limit, color="0.5", linestyle="--", linewidth=0.8, label="criterion")
    axis.set_yscale("log")
    axis.set_ylabel("force RMSE / (meV/Å)")


def _draw_disagreement(axis: Axes, result: LearningResult) -> None:
    for name, label, combine in (
        ("largest_disagreement_eV_per_A", "largest of the exploration", np.nanmax),
        ("mean_disagreement_eV_per_A", "mean of frames", np.nanmean),
    ):
        values = [combine([getattr(run, name) for run in each.explored]) for each in result.rounds]
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
