"""Figures and files of averages over configurations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ase_les.reports import figures
from ase_les.reports.figures import Panel
from ase_les.runs.output import OutputFiles, write_arrays
from ase_les.simulation.accumulators import (
    AccumulatorResult,
    AxisProfileResult,
    MeanSquareDisplacementResult,
    RadialDistributionResult,
)

#: Labels of the panels of a profile, by the first word of the curves' names.
PROFILE_LABELS = {
    "number": "number density\n/ (1/Å³)",
    "mass": "mass density\n/ (g/cm³)",
    "orientation": "⟨cos θ⟩ of water",
    "charge": "charge density\n/ (e/Å³)",
    "field": "field / (V/Å)",
    "potential": "potential / V",
}


def write(result: AccumulatorResult, output: str | Path) -> None:
    """Write arrays and figure of an average to ``<output>.npz`` and ``<output>.png``."""
    files = OutputFiles(Path(output))
    write_arrays(files.arrays, result.arrays())
    figure(result, files.figure)


def figure(result: AccumulatorResult, path: str | Path) -> None:
    """Draw the curves of an average with error bands; results of unknown type are skipped."""
    if isinstance(result, RadialDistributionResult):
        _draw_radial_distribution(result, Path(path))
    elif isinstance(result, MeanSquareDisplacementResult):
        _draw_displacement(result, Path(path))
    elif isinstance(result, AxisProfileResult):
        draw_profile(
            Path(path), result.axis, result.position_A, result.curves, result.standard_errors
        )


def draw_profile(
    path: Path,
    axis: int,
    position_A: np.ndarray,
    curves: Mapping[str, np.ndarray],
    standard_errors: Mapping[str, np.ndarray],
) -> None:
    """Draw curves along an axis with error bands, one panel for each kind.

    Parameters
    ----------
    position_A : array, shape (n,)
    curves, standard_errors : mapping of str to array, shape (n,)
        By name, which starts with a key of `PROFILE_LABELS`: ``number_O``, ``potential_V``.
    """
    panels = []
    for kind, label in PROFILE_LABELS.items():
        names = {name: name.split("_")[1] for name in curves if name.startswith(kind)}
        if names:
            shown = {short: curves[name] for name, short in names.items()}
            bands = {short: standard_errors[name] for name, short in names.items()}
            panels.append(Panel(label, shown, bands=bands))
    along = f"position along the normal, axis {'abc'[axis]} / Å"
    figures.save_figure(path, position_A, along, panels)


def _draw_radial_distribution(result: RadialDistributionResult, path: Path) -> None:
    """Draw g(r) above the running coordination number."""
    name = "–".join(result.pair)
    panels = (
        Panel(f"g(r) {name}", {name: result.g}, bands={name: result.g_standard_error}),
        Panel(
            f"{result.pair[1]} around {result.pair[0]}",
            {name: result.coordination_number},
            bands={name: result.coordination_standard_error},
        ),
    )
    figures.save_figure(path, result.distance_A, "distance / Å", panels)


def _draw_displacement(result: MeanSquareDisplacementResult, path: Path) -> None:
    """Draw the mean square displacement of each element."""
    curves = {name: result.mean_A2(name) for name in result.elements}
    bands = {name: result.standard_error_A2(name) for name in result.elements}
    panel = Panel("mean square\ndisplacement / Å²", curves, bands=bands)
    figures.save_figure(path, result.lag_fs * 1e-3, "time / ps", (panel,))
