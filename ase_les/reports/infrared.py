"""Table and figure of harmonic infrared spectra."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from ase_les.properties.infrared_harmonic import HarmonicInfrared
from ase_les.reports.figures import Panel, save_figure
from ase_les.reports.terminal import console, print_notes
from ase_les.runs.output import OutputFiles


def table(result: HarmonicInfrared) -> Table:
    """Return a table with one row per mode."""
    strength = "intensity" if result.components == "all" else "intensity along the normal"
    found = Table(
        *("mode", "wave number / cm⁻¹", f"{strength} / (km/mol)"),
        title=f"Vibrations of {result.structure['formula']}",
        title_justify="left",
    )
    lines = zip(result.wavenumbers_per_cm, result.intensities_km_per_mol, strict=True)
    for number, (wave, intensity) in enumerate(lines, start=1):
        shown = f"{abs(wave):.1f}" + ("i" if wave < 0 else "")
        found.add_row(str(number), shown, f"{intensity:.2f}")
    found.caption = f"zero-point energy {result.zero_point_energy_eV:.4f} eV"
    return found


def figure(result: HarmonicInfrared, path: Path) -> None:
    """Draw the spectrum with broadened lines."""
    spectrum = result.spectrum(result.grid_per_cm, result.width_per_cm)
    panel = Panel(
        "absorption per structure\n(km/mol per cm⁻¹)", {f"width {result.width_per_cm:g}": spectrum}
    )
    save_figure(path, result.grid_per_cm, "wave number / cm⁻¹", [panel])


def write(result: HarmonicInfrared, output: str | Path) -> None:
    """Write the figure ``<output>-infrared.png``."""
    figure(result, OutputFiles(Path(output)).named("-infrared.png"))


def show(result: HarmonicInfrared, quiet: bool = False) -> None:
    """Print the modes and the notes."""
    console(quiet).print(table(result))
    print_notes(result.notes, quiet)
