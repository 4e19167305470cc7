"""Table, figure and summary of the transport coefficients of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.table import Table

from ase_les.properties.green_kubo import GreenKubo
from ase_les.properties.transport import TransportResult
from ase_les.reports.figures import Panel, save_stacked_figure
from ase_les.reports.terminal import console, print_notes, results_table
from ase_les.runs.output import OutputFiles


def table(result: TransportResult) -> Table:
    """Return diffusion coefficients and conductivities with their errors."""
    rows: dict[str, object] = {"temperature (K)": result.temperature_K}
    for each in result.diffusion:
        doubtful = "NOT CONVERGED " if each.doubts else ""
        rows[f"D of {each.species} (cm²/s)"] = f"{doubtful}{each.diffusion_cm2_per_s}"
        if each.infinite_cm2_per_s is not None:
            rows[f"D of {each.species}, infinite cell (cm²/s)"] = (
                f"{doubtful}{each.infinite_cm2_per_s}"
            )
    if result.green_kubo is not None:
        rows["conductivity, Green–Kubo (S/m)"] = _with_plateau(result.green_kubo)
    if result.einstein_helfand is not None:
        rows["conductivity, Einstein–Helfand (S/m)"] = result.einstein_helfand
    if result.nernst_einstein is not None:
        rows["conductivity, Nernst–Einstein (S/m)"] = result.nernst_einstein
    return results_table(str(result.stem), rows)


def _with_plateau(found: GreenKubo) -> str:
    if found.has_plateau:
        return str(found.value)
    return f"NO PLATEAU ({found.value}, drift {found.drift:+.2g})"


def figure(result: TransportResult, path: Path) -> None:
    """Draw mean squared displacements and the running Green–Kubo integral with error bands."""
    panels = []
    if result.diffusion:
        displacements = Panel(
            "mean squared\ndisplacement / Å²",
            {each.species: each.msd_A2 for each in result.diffusion},
            bands={each.species: each.msd_error_A2 for each in result.diffusion},
        )
        panels.append((result.diffusion[0].lag_ps, displacements))
    if result.green_kubo is not None:
        found = result.green_kubo
        curves = {"Green–Kubo": found.running}
        for name, value in (
            ("Einstein–Helfand", result.einstein_helfand),
            ("Nernst–Einstein", result.nernst_einstein),
        ):
            if value is not None:
                curves[name] = np.full(len(found.lag_ps), value.mean)
        conductivity = Panel(
            "conductivity / (S/m)", curves, bands={"Green–Kubo": found.running_error}
        )
        panels.append((found.lag_ps, conductivity))
    save_stacked_figure(path, "time / ps", panels)


def write(result: TransportResult, output: str | Path) -> None:
    """Write the figure ``<output>.png``."""
    figure(result, OutputFiles(Path(output)).figure)


def show(result: TransportResult, quiet: bool = False) -> None:
    """Print the table and the notes."""
    console(quiet).print(table(result))
    print_notes(result.notes, quiet)
