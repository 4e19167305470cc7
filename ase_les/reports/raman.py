"""Tables and figures of Raman spectra, harmonic and from dynamics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.table import Table

from ase_les.properties.raman_dynamics import RamanResult
from ase_les.properties.raman_harmonic import HarmonicRaman
from ase_les.reports.figures import Panel, save_figure
from ase_les.reports.terminal import columns_table, console, print_notes
from ase_les.runs.output import OutputFiles

_CROSS_SECTION = "cross section / (10⁻³⁶ m² sr⁻¹ cm)"


def table(result: HarmonicRaman | RamanResult) -> Table:
    """Return a table with one row per mode or band."""
    if isinstance(result, RamanResult):
        heads = ("band / (1/cm)", "center / (1/cm)", "activity / (Å⁴/amu)", "VH/VV")
        rows = [
            (
                f"{line.band.low_per_cm:.0f}–{line.band.high_per_cm:.0f}",
                f"{line.center_per_cm:.0f}",
                str(line.activity),
                str(line.depolarization),
            )
            for line in result.lines
        ]
        return columns_table(str(result.stem), heads, rows)
    found = Table(
        *("mode", "wave number / cm⁻¹", "activity / (Å⁴/amu)", "VH/VV"),
        f"dσ/dΩ at {result.laser_nm:g} nm / (10⁻³⁶ m²/sr)",
        title=f"Raman scattering of {result.structure['formula']}",
        title_justify="left",
    )
    ratios, activities = result.depolarization_ratios, result.activities_A4_per_amu
    smallest = 1e-6 * activities.max(initial=0.0)
    rows_of_modes = zip(
        result.wavenumbers_per_cm, activities, ratios, result.cross_sections, strict=True
    )
    for number, (wave, activity, ratio, section) in enumerate(rows_of_modes, start=1):
        shown = f"{abs(wave):.1f}" + ("i" if wave < 0 else "")
        shown_ratio = f"{ratio:.3f}" if activity > smallest else "–"
        found.add_row(str(number), shown, f"{activity:.3f}", shown_ratio, f"{section:.3g}")
    return found


def figure(result: HarmonicRaman | RamanResult, path: Path) -> None:
    """Draw the polarized and depolarized spectra, with error bands from dynamics."""
    if isinstance(result, HarmonicRaman):
        x = result.grid_per_cm
        spectra = result.spectra(x)
        curves: dict[str, np.ndarray] = {name: spectra[name] for name in ("VV", "VH")}
        panels = [Panel(f"{_CROSS_SECTION}\nwidth {result.width_per_cm:g} cm⁻¹", curves)]
    else:
        x = result.spectrum.wavenumber_per_cm
        panels = []
        for label, parts, spectrum in (
            (_CROSS_SECTION, ("VV", "VH"), result.spectrum.cross_section),
            (
                "activity / (Å⁴ amu⁻¹ cm)",
                ("isotropic", "anisotropic"),
                result.spectrum.activity,
            ),
        ):
            found = {part: spectrum(part) for part in parts}
            curves = {part: pair[0] for part, pair in found.items()}
            errors = {part: pair[1] for part, pair in found.items()}
            panels.append(Panel(label, curves, bands=errors))
    save_figure(path, x, "Raman shift / cm⁻¹", panels)


def write(result: HarmonicRaman | RamanResult, output: str | Path) -> None:
    """Write the figure ``<output>-raman.png``, or ``<output>.png`` from dynamics."""
    files = OutputFiles(Path(output))
    harmonic = isinstance(result, HarmonicRaman)
    figure(result, files.named("-raman.png") if harmonic else files.figure)


def show(result: HarmonicRaman | RamanResult, quiet: bool = False) -> None:
    """Print modes or bands, and the notes."""
    console(quiet).print(table(result))
    print_notes(result.notes, quiet)
