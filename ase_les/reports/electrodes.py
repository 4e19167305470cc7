"""Table and figure of the capacitance of electrodes."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from ase_les.properties.electrodes import Capacitance
from ase_les.reports.figures import Panel, save_figure
from ase_les.reports.terminal import console, results_table
from ase_les.runs.output import OutputFiles, write_summary
from ase_les.simulation.series import Series
from ase_les.statistics import ENOUGH_SAMPLES

_TERMS = {
    "capacitance (µF/cm²)": "capacitance_e_per_V",
    "of the nuclei (µF/cm²)": "fluctuation_e_per_V",
    "of the electrons (µF/cm²)": "response_e_per_V",
}


def table(result: Capacitance, title: str) -> Table:
    """Return a table of charge, potential and capacitance."""
    rows: dict[str, object] = {
        "charge of the left electrode (e)": result.charge_e,
        "potential, left − right (V)": result.potential_V,
        "capacitance (e/V)": result.capacitance_e_per_V,
    }
    rows |= {name: result.per_area(getattr(result, field)) for name, field in _TERMS.items()}
    few = " (too few)" if result.independent_samples < ENOUGH_SAMPLES else ""
    rows["independent samples"] = f"{result.independent_samples:.1f}{few}"
    rows["temperature (K)"] = result.temperature_K
    return results_table(f"{title}, constant {result.constant}", rows)


def write(result: Capacitance, series: Series, output: str | Path) -> None:
    """Write ``<output>-summary.yml`` and the figure ``<output>.png``."""
    files = OutputFiles(Path(output))
    panels = [
        Panel("charge / e", {"left electrode": series.columns["charge_e"]}),
        Panel("potential / V", {"left − right": series.columns["potential_V"]}),
    ]
    save_figure(files.figure, 1e-3 * series.time_fs, "time / ps", panels)
    write_summary(files.summary, result.summary())


def show(result: Capacitance, title: str, quiet: bool = False) -> None:
    """Print the table."""
    console(quiet).print(table(result, title))
