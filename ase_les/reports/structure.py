"""Tables and figures of radial distributions and displacements of a trajectory."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from ase_les.properties.structure_of_trajectory import StructureResult
from ase_les.reports import averages
from ase_les.reports.terminal import columns_table, console, print_notes
from ase_les.runs.output import OutputFiles


def table(result: StructureResult) -> Table:
    """Return the first maximum and minimum of each g(r), and the coordination number."""
    heads = ("pair", "first maximum / Å", "height", "first minimum / Å", "coordination number")
    rows = []
    for name, each in result.radial_distributions.items():
        peak, minimum = each.first_peak, each.first_minimum
        rows.append(
            (
                name,
                "–" if peak is None else f"{peak.distance_A:.3f}",
                "–" if peak is None else f"{peak.height:.2f}",
                "–" if minimum is None else f"{minimum.distance_A:.3f}",
                "–" if minimum is None else f"{each.coordination_within(minimum.distance_A):.2f}",
            )
        )
    return columns_table(f"{result.path}, {result.frames} frames", heads, rows)


def write(result: StructureResult, output: str | Path) -> None:
    """Write the figures ``<output>-rdf-<pair>.png`` and ``<output>-msd.png``."""
    files = OutputFiles(Path(output))
    for name, each in result.radial_distributions.items():
        averages.figure(each, files.named(f"-rdf-{name}.png"))
    if result.displacement is not None:
        averages.figure(result.displacement, files.named("-msd.png"))


def show(result: StructureResult, quiet: bool = False) -> None:
    """Print the table and the notes."""
    console(quiet).print(table(result))
    print_notes(result.notes, quiet)
