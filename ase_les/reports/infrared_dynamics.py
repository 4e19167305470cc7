"""Table, figure and summary of the infrared spectrum of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.table import Table

from ase_les.properties.infrared_dynamics import InfraredResult
from ase_les.properties.spectral_peaks import Peak, without_verlet_shift
from ase_les.reports.figures import Panel, save_figure
from ase_les.reports.terminal import columns_table, console, print_notes
from ase_les.runs.output import OutputFiles


def table(result: InfraredResult) -> Table:
    """Return center, height, width and intensity of each band."""
    unit = "1/cm per volume" if result.spectrum.volume_A3 is not None else "km/mol cm per molecule"
    heads = ("band", "center / (1/cm)", f"height / ({unit})", "width / (1/cm)", "km/mol")
    rows = [
        (
            peak.band.name,
            *map(
                str, (peak.center_per_cm, peak.height, peak.width_per_cm, peak.intensity_km_per_mol)
            ),
        )
        for peak in result.peaks
    ]
    return columns_table(str(result.run.stem), heads, rows)


def comparison_table(
    title: str,
    found: Sequence[Peak],
    md_timestep_fs: float,
    references: Mapping[str, Mapping[str, str]],
) -> Table:
    """Return a table of band centers beside reference values.

    Parameters
    ----------
    md_timestep_fs : float
        Time step of the dynamics; a separate column corrects the shift it causes.
    references : mapping
        Text by name of the reference and of the band.
    """
    rows = []
    for peak in found:
        corrected = replace(
            peak.center_per_cm,
            mean=float(without_verlet_shift(peak.center_per_cm.mean, md_timestep_fs)),
        )
        beside = (reference.get(peak.band.name, "") for reference in references.values())
        rows.append((peak.band.name, str(peak.center_per_cm), str(corrected), *beside))
    heads = ("band", "MD / (1/cm)", "time step corrected", *references)
    return columns_table(title, heads, rows)


def figure(result: InfraredResult, path: Path) -> None:
    """Draw the spectrum with its error band, and the reference scaled to the same height."""
    values, errors = result.absorption
    curves = {"molecular dynamics": values}
    reference = result.scaled_reference
    if reference is not None:
        curves[f"{Path(result.reference_name).stem}, scaled to the same height"] = reference
    label = (
        "absorption per molecule\n/ (km mol⁻¹ cm)"
        if result.spectrum.volume_A3 is None
        else "absorption per volume\nα(ω) n(ω) / cm⁻¹"
    )
    spans = {
        f"experiment: {each.name}": (each.low_per_cm, each.high_per_cm)
        for each in result.experiment
    }
    panel = Panel(label, curves, bands={"molecular dynamics": errors}, spans=spans)
    save_figure(path, result.spectrum.wavenumber_per_cm, "wave number / cm⁻¹", [panel])


def write(result: InfraredResult, output: str | Path) -> None:
    """Write the figure ``<output>.png``."""
    figure(result, OutputFiles(Path(output)).figure)


def show(result: InfraredResult, quiet: bool = False) -> None:
    """Print the bands and the notes."""
    console(quiet).print(table(result))
    print_notes(result.notes, quiet)
