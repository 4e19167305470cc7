"""Tables and figures of the spread of committees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table

from ase_les.reports.figures import Target, new_figure

if TYPE_CHECKING:
    from ase_les.committee import Committee
    from ase_les.training.learning.calibration import Calibration, Reliability


def calibration_table(calibration: Calibration, committee: Committee) -> Table:
    """Return a table of scales and slopes of the spread."""
    table = Table(
        *("", "scale", "slope (log-log)", "scale in card"),
        title=f"spread of {len(committee)} members against errors",
        title_justify="left",
    )
    known = committee.card.get("calibration", {})
    for name, scale, bins in (
        ("energy", calibration.energy_scale, calibration.energies),
        ("forces", calibration.forces_scale, calibration.forces),
    ):
        table.add_row(
            name,
            "–" if scale is None else f"{scale:.3g}",
            "–" if bins is None else f"{bins.slope:.2f}",
            str(known.get(f"{name}_scale", "–")),
        )
    return table


def save_reliability_figure(path: Target, title: str, calibration: Calibration) -> None:
    """Draw error against scaled spread on logarithmic axes, with the line of equality."""
    panels = [
        (bins, label, unit)
        for bins, label, unit in (
            (calibration.forces, "force component of atoms", "meV/Å"),
            (calibration.energies, "energy per atom", "meV"),
        )
        if bins is not None
    ]
    with new_figure(path, 4.0 * max(len(panels), 1), 3.8) as figure:
        drawn = figure.subplots(1, max(len(panels), 1), squeeze=False)[0]
        for axis, (bins, label, unit) in zip(drawn, panels, strict=False):
            _draw(axis, bins, label, unit)
        figure.suptitle(title)


def _draw(axis, bins: Reliability, label: str, unit: str) -> None:
    spread, error = 1000 * bins.spread, 1000 * bins.error
    ends = np.array([min(spread.min(), error.min()), max(spread.max(), error.max())])
    axis.plot(ends, ends, color="0.6", linewidth=0.8, zorder=0)
    axis.plot(spread, error, "o-", markersize=4)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_title(f"{label}, slope {bins.slope:.2f}", fontsize="medium")
    axis.set_xlabel(f"scaled spread / ({unit})")
    axis.set_ylabel(f"error of the mean / ({unit})")
