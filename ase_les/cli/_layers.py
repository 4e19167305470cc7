"""Layers from options of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ase_les.cli._values import numbers

if TYPE_CHECKING:
    from ase_les.properties.infrared_layers import LayerResult

RECORDED = "recorded"


def layered_infrared(
    stem: str,
    layers: str,
    surface: str,
    center: str,
    model: str | None,
    threads: int,
    quiet: bool,
    **settings: object,
) -> LayerResult:
    """Return the spectra of layers that a run observed, or of its trajectory with a model."""
    from ase_les.model_limits import check_limits
    from ase_les.properties.infrared_layers import infrared_of_layers, record_layers
    from ase_les.properties.recorded_run import read_frames
    from ase_les.reports.terminal import TerminalProgress
    from ase_les.runs.output import prepared_output
    from ase_les.simulation.surface_layers import SurfaceLayers

    if layers == RECORDED:
        return infrared_of_layers(stem, **settings)  # type: ignore[arg-type]
    edges = numbers("--layers", layers, example="3,6, edges in Å")
    chosen = SurfaceLayers(edges, surface, center_on=center)  # type: ignore[arg-type]
    if model is None:
        raise ValueError(
            "layers of a trajectory need a model for the currents: give --model, or observe them "
            "during the run and use --layers recorded"
        )
    from ase_les.cli._calculator import make_calculator, set_threads

    set_threads(threads)
    output = str(settings["output"])
    prepared_output(output, bool(settings["overwrite"]))
    frames, interval_fs = read_frames(stem, float(settings.pop("skip_ps")))  # type: ignore[arg-type]
    calculator = make_calculator(model, "cpu", None)
    series = record_layers(frames, calculator, chosen, interval_fs, TerminalProgress(quiet))
    series.save(Path(f"{output}-layers.npz"))
    settings["notes"] = check_limits(calculator, frames[0], beyond_limits=True)
    return infrared_of_layers(output, layers=chosen, **settings)  # type: ignore[arg-type]
