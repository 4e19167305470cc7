"""Table, figure and summary of the dielectric constant and spectrum of a run."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from ase_les.properties.dielectric import DielectricResult
from ase_les.properties.dielectric_fluctuations import StaticDielectric
from ase_les.reports.figures import Panel, save_figure
from ase_les.reports.terminal import console, print_notes, results_table
from ase_les.runs.output import OutputFiles


def table(result: DielectricResult) -> Table:
    """Return a table with the static constant, its error and its origin."""
    run = result.runs[0]
    halves = (result.static.first_half, result.static.second_half)
    rows: dict[str, object] = {
        "ε∞": run.screening.epsilon_infinity,
        "static ε": _static(result.static),
        "independent samples of the dipole": f"{result.static.independent_samples:.1f}",
        "static ε of the two halves": " and ".join(f"{value:.4g}" for value in halves),
        "spectrum from": f"{result.spectrum.source}, {result.spectrum.n_blocks} blocks",
        "temperature (K)": run.temperature_K,
    }
    return results_table(str(run.stem), rows)


def _static(static: StaticDielectric) -> str:
    return f"{static.epsilon}" if static.converged else f"NOT CONVERGED ({static.epsilon})"


def figure(result: DielectricResult, path: Path) -> None:
    """Draw real and imaginary part of ε(ω) with error bands."""
    spectrum = result.spectrum
    panels = [
        Panel("Re ε(ω)", {"real": spectrum.real}, bands={"real": spectrum.real_error}),
        Panel("Im ε(ω)", {"loss": spectrum.loss}, bands={"loss": spectrum.loss_error}),
    ]
    save_figure(path, spectrum.wavenumber_per_cm, "wave number / cm⁻¹", panels)


def write(result: DielectricResult, output: str | Path) -> None:
    """Write the figure ``<output>.png``."""
    figure(result, OutputFiles(Path(output)).figure)


def show(result: DielectricResult, quiet: bool = False) -> None:
    """Print the table and the notes."""
    console(quiet).print(table(result))
    print_notes(result.notes, quiet)
