"""Tables, figures and summaries of relaxations."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import units
from ase.cell import Cell
from rich.table import Table

from ase_les.model_limits import limit_notes
from ase_les.reports import figures, terminal
from ase_les.reports.figures import Panel
from ase_les.runs.output import BatchFiles, RunFiles, write_summary
from ase_les.simulation.relaxation_batch_result import RelaxationBatchResult
from ase_les.simulation.relaxation_result import RelaxationResult

LARGEST_PICTURE = 2000
"""Atoms of the largest structure that is drawn."""


def write(result: RelaxationResult, output: str | Path | None = None) -> None:
    """Write summary, convergence figure and picture of a relaxation.

    Parameters
    ----------
    output : str or Path, optional
        Stem of the files, by default that of the relaxation.
    """
    files = result.files if output is None else RunFiles(Path(output))
    figure(result, files.figure)
    if len(result.atoms) <= LARGEST_PICTURE and np.isfinite(result.displacements_A).all():
        figures.save_structure_figure(
            files.picture, result.atoms, result.displacements_A, "displacement / Å"
        )
    write_summary(files.summary, result.summary())


def write_batch(result: RelaxationBatchResult, output: str | Path | None = None) -> None:
    """Write the summary of a batch of relaxations."""
    files = result.files if output is None else BatchFiles(Path(output))
    write_summary(files.summary, result.summary())


def figure(result: RelaxationResult, path: Path) -> None:
    """Draw energy, largest force and largest stress against the step."""
    step, energy, force, stress = result.history
    settings = result.settings
    smax = np.where(np.isnan(stress), np.nan, settings.smax_bar * units.bar)
    panels = (
        Panel("energy − last / eV", {"energy": energy - energy[-1]}),
        Panel(
            "largest force / (eV/Å)",
            {"force": force, "fmax": np.full(len(step), settings.fmax)},
            logarithmic=True,
        ),
        Panel("largest stress / (eV/Å³)", {"stress": stress, "smax": smax}, logarithmic=True),
    )
    figures.save_figure(path, step, "step", panels)


def table(result: RelaxationResult) -> Table:
    """Return a table of the final state."""
    rows: dict[str, object] = {
        "steps": result.steps,
        "energy (eV)": result.energy_eV,
        "energy change (eV)": result.energy_change_eV,
        "largest force (eV/Å)": result.max_force_eV_per_A,
        "largest displacement (Å)": result.max_displacement_A,
    }
    if result.settings.cell != "fixed":
        rows["largest stress (bar)"] = result.max_stress_eV_per_A3 / units.bar
        before, after = Cell(result.structure["cell_A"]), result.atoms.cell
        rows["a, b, c (Å)"] = _before_and_after(before.cellpar()[:3], after.cellpar()[:3], 4)
        rows["α, β, γ (°)"] = _before_and_after(before.cellpar()[3:], after.cellpar()[3:], 2)
        rows["volume (Å³)"] = _before_and_after([before.volume], [after.volume], 3)
    if result.space_group is not None:
        rows["space group"] = result.space_group
    return terminal.results_table(str(result.files.stem), rows)


def _before_and_after(before: Sequence[float], after: Sequence[float], decimals: int) -> str:
    one, other = (", ".join(f"{each:.{decimals}f}" for each in side) for side in (before, after))
    return f"{one} → {other}"


def batch_table(result: RelaxationBatchResult) -> Table:
    """Return a table with one row per structure."""
    heads = ("structure", "formula", "steps", "energy (eV)", "max force (eV/Å)", "")
    rows = []
    for each in result.outcomes:
        state = "failed" if each.problem else "converged" if each.converged else "NOT CONVERGED"
        energy, force = f"{each.energy_eV:.4f}", f"{each.max_force_eV_per_A:.4f}"
        rows.append((each.name, each.formula, str(each.steps), energy, force, state))
    return terminal.columns_table(str(result.files.stem), heads, rows)


def show(result: RelaxationResult, quiet: bool = False) -> None:
    """Print the table and, without convergence, the reason and the remedy.

    Limits of the model are printed below; other notes are printed at the start.
    """
    console = terminal.console(quiet)
    console.print(table(result))
    terminal.print_notes(limit_notes(result.notes), quiet)
    if result.converged:
        return
    reason = result.stopped or f"not converged within {result.steps} steps"
    console.print(
        f"NOT CONVERGED: {reason}. The last structure in {result.files.trajectory} is not a "
        "minimum.",
        style="bold red",
        markup=False,
        soft_wrap=True,
    )
    console.print(_remedy(result), markup=False, soft_wrap=True)


def show_batch(result: RelaxationBatchResult, quiet: bool = False) -> None:
    """Print the table of a batch and, if it stopped early, the reason."""
    console = terminal.console(quiet)
    console.print(batch_table(result))
    if result.stopped is not None:
        left = result.structures - len(result.outcomes)
        console.print(
            f"Stopped: {result.stopped}; {left} structures remain",
            style="bold red",
            markup=False,
            soft_wrap=True,
        )


def _remedy(result: RelaxationResult) -> str:
    if result.stopped is not None and not result.interrupted:
        return (
            "Resuming with the same settings would stop here again: start a new relaxation from "
            "a different structure or with a different optimizer"
        )
    stem = str(result.files.stem)
    steps = None if result.stopped else 2 * max(result.settings.steps, 1)
    if "model" in result.provenance:
        more = "" if steps is None else f" --steps {steps}"
        return f"Continue with: ase-les relax --resume {shlex.quote(stem)}{more}"
    more = "" if steps is None else f", steps={steps}"
    return f'Continue with: resume_relaxation("{stem}", calculator{more})'
