"""``ase-les capacitance``: differential capacitance of electrodes from a recorded run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ase_les.cli._options import Config, Json, Overwrite, Quiet


def capacitance(
    stem: Annotated[
        Path, typer.Argument(help="Stem of a run with --observe electrodes.", metavar="STEM")
    ],
    skip: Annotated[float, typer.Option(help="Initial time in ps to exclude.")] = 0.0,
    temperature: Annotated[
        float | None, typer.Option(help="Temperature in K.", show_default="mean of the run")
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="Stem of the files.", show_default="STEM-capacitance"),
    ] = None,
    overwrite: Overwrite = False,
    config: Config = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compute the capacitance of electrodes from the fluctuations of charge or potential."""
    from ase_les.properties import electrodes
    from ase_les.properties.recorded_run import series_path
    from ase_les.reports import electrodes as report
    from ase_les.runs.output import prepared_output, summary_as_json
    from ase_les.simulation.series import Series

    result = electrodes.capacitance(stem, skip_ps=skip, temperature_K=temperature)
    output = output or f"{stem}-capacitance"
    prepared_output(output, overwrite)
    report.write(result, Series.load(series_path(stem, "electrodes")), output)
    report.show(result, str(stem), quiet)
    if json:
        print(summary_as_json(result.summary()))
