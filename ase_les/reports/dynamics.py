"""Table, figure and summary of dynamics runs."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from rich.table import Table

from ase_les.model_limits import limit_notes
from ase_les.reports import averages, figures, terminal
from ase_les.reports.figures import Panel
from ase_les.runs.output import RunFiles, write_summary
from ase_les.simulation.dynamics_result import DynamicsResult


def write(result: DynamicsResult, output: str | Path | None = None) -> None:
    """Write the summary and the figures of a run and of its averages.

    The entry ``failed`` of the summary lists figures and averages that failed.

    Parameters
    ----------
    output : str or Path, optional
        Stem of the files, by default that of the run.
    """
    files = result.files if output is None else RunFiles(Path(output))
    failed = _draw(partial(figure, result), files.figure)
    for name, average in result.averages.items():
        failed += _draw(partial(averages.figure, average), files.named(f"-{name}.png"))
    try:
        summary = result.summary()
    except Exception as error:
        # The run is complete: write its summary even if averages fail.
        failed.append(f"averages could not be calculated ({type(error).__name__}: {error})")
        summary = {"task": "molecular dynamics", "steps": result.steps}
    write_summary(files.summary, {**summary, "failed": failed} if failed else summary)


def _draw(draw: Callable[[Path], None], path: Path) -> list[str]:
    """Draw a figure; return a message if this fails."""
    try:
        draw(path)
    except OSError:
        raise
    except Exception as error:
        return [f"{path.name} could not be drawn ({type(error).__name__}: {error})"]
    return []


def figure(result: DynamicsResult, path: Path) -> None:
    """Draw temperature, energies, conserved quantity, pressure and volume against time."""
    series = result.series
    # Ensembles have different conserved quantities: every stage starts from zero.
    conserved = series.conserved_eV_per_atom.copy()
    for stage in result.stages:
        # Step 0 belongs to the first stage.
        first = stage.first_step + 1 if stage.first_step else 0
        lines = (series.step >= first) & (series.step <= stage.first_step + stage.steps)
        if lines.any():
            conserved[lines] -= conserved[lines][0]
    energies = {
        "potential": series.potential_energy_eV - series.potential_energy_eV[0],
        "total": series.total_energy_eV - series.total_energy_eV[0],
    }
    bands, disagreement = {}, {}
    if result.spread is not None:
        energy, mean, largest = (
            np.interp(series.time_ps, 1e-3 * result.spread.time_fs, values)
            for values in result.spread.columns["spread"].T
        )
        bands = {"potential": energy}
        disagreement = {"largest of an atom": largest, "mean": mean}
    panels = [
        Panel("temperature / K", {"temperature": series.temperature_K}),
        Panel("energy − start / eV", energies, bands=bands),
        Panel("force spread / (eV/Å)", disagreement),
        Panel("conserved − start\n/ (meV/atom)", {"conserved": 1e3 * conserved}),
        Panel("pressure / bar", {"pressure": series.pressure_bar}),
    ]
    if np.ptp(series.volume_A3) > 0:
        panels.append(Panel("volume / Å³", {"volume": series.volume_A3}))
    figures.save_figure(path, series.time_ps, "time / ps", panels)


def table(result: DynamicsResult) -> Table:
    """Return a table of the averages of the last stage."""
    rows: dict[str, object] = {
        "steps": f"{result.steps} of {result.settings.total_steps} ({result.time_ps:g} ps)",
        "temperature (K)": result.temperature_K,
        "potential energy (eV)": result.potential_energy_eV,
    }
    if math.isfinite(result.pressure_bar.mean):
        rows["pressure (bar)"] = result.pressure_bar
    if result.stages[-1].ensemble.startswith("npt"):
        rows["volume (Å³)"] = result.stages[-1].volume_A3
    if not math.isnan(result.drift_meV_per_atom_per_ps):
        rows["drift (meV/atom/ps)"] = result.drift_meV_per_atom_per_ps
    rows["speed (steps/s)"] = result.steps_per_second
    rows["speed (ns/day)"] = result.ns_per_day
    title = str(result.files.stem)
    if len(result.stages) > 1:
        title += f", {result.stages[-1].name}"
    return terminal.results_table(title, rows)


def show(result: DynamicsResult, quiet: bool = False) -> None:
    """Print the table and, if the run stopped early, the reason and the remedy.

    Limits of the model are printed below; other notes are printed when the run starts.
    """
    console = terminal.console(quiet)
    console.print(table(result))
    terminal.print_notes(limit_notes(result.notes), quiet)
    if result.stopped is not None:
        console.print(f"Stopped: {result.stopped}", style="bold red", markup=False)
        console.print(_remedy(result), markup=False, soft_wrap=True)


def _remedy(result: DynamicsResult) -> str:
    if not result.interrupted:
        return (
            "Resuming with the same settings would stop here again: start a new run with a "
            "shorter time step or from a relaxed structure"
        )
    stem = str(result.files.stem)
    if "model" in result.provenance:
        return f"Continue with: ase-les md --resume {shlex.quote(stem)}"
    return f'Continue with: resume_dynamics("{stem}", calculator)'
