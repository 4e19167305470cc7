"""Table and figure of the infrared spectra of layers."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from ase_les.properties.infrared_layers import LayerResult
from ase_les.reports.figures import Panel, save_figure
from ase_les.reports.terminal import columns_table, console, print_notes
from ase_les.runs.output import OutputFiles


def table(result: LayerResult) -> Table:
    """Return number of molecules, center, height and intensity of the bands of each layer."""
    heads = ("layer", "molecules", "band", "center / (1/cm)", "height / (km/mol cm)", "km/mol")
    rows = []
    for index, name in enumerate(result.spectra.layers):
        count = f"{result.spectra.molecules[index]:.1f}"
        rows += [
            (
                name,
                count,
                peak.band.name,
                *map(str, (peak.center_per_cm, peak.height, peak.intensity_km_per_mol)),
            )
            for peak in result.peaks[name]
        ] or [(name, count, "none", "", "", "")]
    return columns_table(f"{result.run.stem}, per molecule of each layer", heads, rows)


def figure(result: LayerResult, path: Path) -> None:
    """Draw the spectra of the layers per molecule, in the plane and along the normal."""
    spectra = result.spectra
    panels = []
    for component in ("in plane", "normal"):
        each = {
            name: spectra.spectrum(index, component) for index, name in enumerate(spectra.layers)
        }
        panels.append(
            Panel(
                f"{component}\n/ (km mol⁻¹ cm)",
                {name: one.molar_absorption_km_per_mol_cm for name, one in each.items()},
                bands={name: one.molar_error_km_per_mol_cm for name, one in each.items()},
            )
        )
    total = spectra.total
    panels.append(
        Panel(
            "whole, per molecule\n/ (km mol⁻¹ cm)",
            {"whole": total.molar_absorption_km_per_mol_cm},
            bands={"whole": total.molar_error_km_per_mol_cm},
        )
    )
    save_figure(path, spectra.wavenumber_per_cm, "wave number / cm⁻¹", panels)


def write(result: LayerResult, output: str | Path) -> None:
    """Write the figure ``<output>.png``."""
    figure(result, OutputFiles(Path(output)).figure)


def show(result: LayerResult, quiet: bool = False) -> None:
    """Print the bands and the notes."""
    console(quiet).print(table(result))
    print_notes(result.notes, quiet)
