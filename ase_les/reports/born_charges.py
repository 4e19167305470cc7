"""Tables and figure of Born effective charges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.table import Table

from ase_les.properties.born_layers import BornLayers
from ase_les.properties.born_results import BornCharges
from ase_les.reports.figures import new_figure
from ase_les.reports.terminal import console, print_notes
from ase_les.runs.output import OutputFiles


def table(result: BornCharges) -> Table:
    """Return a table with one row per element."""
    found = Table(
        *("element", "atoms", "eigenvalues / e", "mean / e", "spread / e"),
        title=f"Born effective charges of {result.structure['formula']}",
        title_justify="left",
    )
    for symbol, charges in result.elements.items():
        eigenvalues = "  ".join(f"{value:+.4f}" for value in charges.eigenvalues_e)
        found.add_row(
            *(symbol, str(charges.atoms), eigenvalues),
            *(f"{charges.isotropic_e:+.4f}", f"{charges.spread_e:.4f}"),
        )
    if result.sum_over_atoms_e is not None:
        largest = np.abs(result.sum_over_atoms_e).max()
        imposed = "subtracted" if result.sum_rule else "not subtracted"
        found.caption = f"largest component of the sum over atoms {largest:.2e} e, {imposed}"
    return found


def layers_table(layers: BornLayers) -> Table:
    """Return a table with one row per element and layer, from top to bottom."""
    heads = ["layer", "height / Å", "element", "atoms", "Z*∥ / e", "Z*⊥ / e"]
    if layers.bulk_e:
        heads.append("bulk / e")
    found = Table(title="Born charges by layer", title_justify="left")
    for head in heads:
        found.add_column(head, justify="left" if head == "element" else "right")
    for row in layers.rows:
        cells = [str(row.layer), f"{row.height_A:.2f}", row.symbol, str(row.atoms)]
        cells.append(_cell(row.in_plane_e, row.in_plane_spread_e, row.atoms))
        cells.append(_cell(row.normal_e, row.normal_spread_e, row.atoms))
        if layers.bulk_e:
            bulk = layers.bulk_e.get(row.symbol)
            cells.append("" if bulk is None else f"{bulk:+.4f}")
        found.add_row(*cells)
    return found


def layers_figure(layers: BornLayers, path: Path) -> None:
    """Draw both components of each atom against its height, with bulk values as lines."""
    symbols = np.array(layers.symbols)
    known = np.isfinite(layers.normal_e)
    values = {"Z*∥ / e": layers.in_plane_e, "Z*⊥ / e": layers.normal_e}
    with new_figure(path, 7.2, 5.4) as figure:
        panels = figure.subplots(2, 1, sharex=True)
        for axis, (label, component) in zip(panels, values.items(), strict=True):
            for number, symbol in enumerate(dict.fromkeys(symbols[known].tolist())):
                chosen = known & (symbols == symbol) & np.isfinite(component)
                if not chosen.any():
                    continue
                color = f"C{number}"
                height = layers.height_A[chosen]
                axis.plot(height, component[chosen], "o", color=color, label=symbol)
                if symbol in layers.bulk_e:
                    axis.axhline(layers.bulk_e[symbol], color=color, linewidth=0.9, alpha=0.7)
            axis.set_ylabel(label)
        panels[-1].set_xlabel("height along the normal / Å")
        if layers.bulk_e:
            panels[0].set_title("lines: isotropic charges of the bulk")
        if known.any():
            figure.legend(*panels[1].get_legend_handles_labels(), loc="outside right upper")


def write(result: BornCharges, output: str | Path) -> None:
    """Write the figure ``<output>-layers.png``, if there are layers."""
    if result.layers is not None:
        layers_figure(result.layers, OutputFiles(Path(output)).named("-layers.png"))


def show(result: BornCharges, quiet: bool = False) -> None:
    """Print the tables and the notes."""
    on = console(quiet)
    if result.components == "all":
        on.print(table(result))
    if result.layers is not None:
        on.print(layers_table(result.layers))
    print_notes(result.notes, quiet)


def _cell(mean: float, spread: float, count: int) -> str:
    if not np.isfinite(mean):
        return ""
    return f"{mean:+.4f}" + (f" ± {spread:.4f}" if count > 1 else "")
