"""``ase-les capacitance``: differential capacitance of electrodes from a recorded run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ase_les.cli._groups import Common, with_groups
from ase_les.cli._options import RunTemperature, SkippedTime, stem_option


@with_groups
def capacitance(
    common: Common,
    stem: Annotated[
        Path, typer.Argument(help="Stem of a run with --observe electrodes.", metavar="STEM")
    ],
    skip: SkippedTime = 0.0,
    temperature: RunTemperature = None,
    output: Annotated[str | None, stem_option("STEM-capacitance")] = None,
) -> None:
    """Compute the capacitance of electrodes from the fluctuations of charge or potential."""
    from ase_les.properties import electrodes
    from ase_les.properties.recorded_run import series_path
    from ase_les.reports import electrodes as report
    from ase_les.runs.output import prepared_output
    from ase_les.simulation.series import Series

    result = electrodes.capacitance(stem, skip_ps=skip, temperature_K=temperature)
    output = output or f"{stem}-capacitance"
    prepared_output(output, common.overwrite)
    report.write(result, Series.load(series_path(stem, "electrodes")), output)
    report.show(result, str(stem), common.quiet)
    common.print_json(result)
