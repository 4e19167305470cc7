"""Table and figure of the susceptibility of a surface."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.table import Table

from ase_les.properties.spectral_peaks import without_verlet_shift
from ase_les.properties.sum_frequency import WATER_VAPOR, SumFrequencySpectrum
from ase_les.reports.figures import Panel, save_figure
from ase_les.reports.terminal import columns_table, console, print_notes
from ase_les.runs.output import OutputFiles
from ase_les.simulation.accumulators.sum_frequency import ELEMENTS

LOWEST_PER_CM = 1000.0


def table(result: SumFrequencySpectrum, md_timestep_fs: float | None = None) -> Table:
    """Return the bands of water beside experiment.

    Parameters
    ----------
    md_timestep_fs : float or None
        Time step of the dynamics; a separate column corrects the shift it causes.
    """
    heads = ["Im χ xxz", "at / (1/cm)", "value / (1e-22 m²/V)", "experiment / (1/cm)"]
    rows = []
    for each, band in zip(result.water_bands, WATER_VAPOR, strict=True):
        row = [
            band.name,
            str(each.center_per_cm),
            str(each.height),
            f"{band.low_per_cm:.0f}–{band.high_per_cm:.0f}",
        ]
        if md_timestep_fs is not None:
            center = each.center_per_cm
            mean = float(without_verlet_shift(center.mean, md_timestep_fs))
            row.insert(2, str(replace(center, mean=mean)))
        rows.append(tuple(row))
    if md_timestep_fs is not None:
        heads.insert(2, "time step corrected")
    return columns_table("Sum-frequency generation", tuple(heads), rows)


def figure(result: SumFrequencySpectrum, path: Path) -> None:
    """Draw Im χ of the surface with experiment's bands, of its layers, and other elements.

    From `LOWEST_PER_CM` on: noise grows as 1/ω below.
    """
    unit = "1e-22 m² V⁻¹"
    spans = {
        f"experiment: {band.name}": (band.low_per_cm, band.high_per_cm) for band in WATER_VAPOR
    }
    shown = result.wavenumber_per_cm >= LOWEST_PER_CM
    layers = {name: index for index, name in enumerate(result.layers)}
    panels = [
        Panel(
            f"Im χ xxz (ssp)\n/ ({unit})",
            {"surface": result.imaginary()[shown]},
            bands={"surface": result.error()[shown]},
            spans=spans,
        ),
        Panel(
            f"Im χ xxz of layers\n/ ({unit})",
            {name: result.imaginary(layer=index)[shown] for name, index in layers.items()},
            bands={name: result.error(layer=index)[shown] for name, index in layers.items()},
        ),
    ]
    # An isotropic polarizability makes xzx zero and zzz equal to xxz.
    if abs(result.imaginary("xzx")).max() > 0:
        others = {name: result.imaginary(name)[shown] for name in ELEMENTS[1:]}
        errors = {name: result.error(name)[shown] for name in others}
        panels.append(Panel(f"Im χ\n/ ({unit})", others, bands=errors))
    save_figure(path, result.wavenumber_per_cm[shown], "wave number / cm⁻¹", panels)


def write(result: SumFrequencySpectrum, output: str | Path) -> None:
    """Write the figure ``<output>.png``."""
    figure(result, OutputFiles(Path(output)).figure)


def show(
    result: SumFrequencySpectrum, quiet: bool = False, md_timestep_fs: float | None = None
) -> None:
    """Print the bands and the notes."""
    console(quiet).print(table(result, md_timestep_fs))
    print_notes(result.notes, quiet)
