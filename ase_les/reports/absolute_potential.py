"""Table, figure and calibration file of potentials relative to vacuum."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from ase_les.configuration import read_yaml
from ase_les.properties.absolute_potential import PotentialCalibration
from ase_les.properties.vacuum_levels import VacuumLevels
from ase_les.reports.figures import Panel, save_figure
from ase_les.reports.terminal import console, results_table
from ase_les.runs.output import OutputFiles, write_summary


def read_calibration(path: Path | None) -> PotentialCalibration | None:
    """Return the calibration in a file written by `write`; None without a file.

    Raises
    ------
    ValueError
        If the file holds no calibration.
    """
    if path is None:
        return None
    given = read_yaml(path)
    if not isinstance(given, dict) or not isinstance(given.get("calibration"), dict):
        raise ValueError(f"{path} holds no calibration of potentials")
    return PotentialCalibration.from_dict(given["calibration"])


def table(result: VacuumLevels, calibration: PotentialCalibration) -> Table:
    """Return a table of levels relative to the vacuum below and above."""
    rows: dict[str, object] = {}
    for name, (below, above) in result.levels_eV.items():
        rows[f"{name}, below | above (eV)"] = f"{below:.3f} | {above:.3f}"
    rows["vacuum above − below (V)"] = f"{result.step_V:.3f}"
    if result.potential is not None:
        rows["potential inside (V)"] = f"{result.potential.inside_V:.3f}"
        rows["error of the calibration (V)"] = f"{calibration.residual_V:.3f}"
    return results_table(f"Levels of {result.formula} relative to vacuum", rows)


def write(result: VacuumLevels, calibration: PotentialCalibration, output: str | Path) -> None:
    """Write ``<output>-summary.yml``, ``-calibration.yml`` and, with a potential, the figure."""
    files = OutputFiles(Path(output))
    write_summary(files.summary, result.summary())
    write_summary(files.named("-calibration.yml"), {"calibration": calibration.as_dict()})
    if result.potential is not None:
        curve = {"relative to vacuum below": result.potential.potential_V}
        label = "along the normal / Å"
        save_figure(
            files.figure, result.potential.position_A, label, [Panel("potential / V", curve)]
        )


def show(result: VacuumLevels, calibration: PotentialCalibration, quiet: bool = False) -> None:
    """Print the table."""
    console(quiet).print(table(result, calibration))
