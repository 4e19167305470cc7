"""Table and figure of profiles along a normal."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from ase_les.properties.profiles import Profiles
from ase_les.reports.averages import draw_profile
from ase_les.reports.terminal import console, print_notes, results_table
from ase_les.runs.output import OutputFiles


def table(result: Profiles) -> Table:
    """Return a table of the main results."""
    rows: dict[str, object] = {"configurations": result.n_configurations}
    if result.faces is not None:
        faces = result.faces
        rows["density in the middle / (g/cm³)"] = faces.density_g_per_cm3
        rows["thickness / Å"] = faces.thickness_A
        rows["10–90 % width, lower | upper / Å"] = (
            f"{faces.lower_width_A:.2f} | {faces.upper_width_A:.2f}"
        )
    if result.has_charges:
        low, high = result.curves["potential_V"].min(), result.curves["potential_V"].max()
        rows["potential, lowest | highest / V"] = f"{low:.4f} | {high:.4f}"
        rows["step of the potential / V"] = str(result.step_V)
        rows["net charge / e"] = result.net_charge_e
    return results_table(f"Profiles of {result.structure['formula']}", rows)


def figure(result: Profiles, path: Path) -> None:
    """Draw the profiles with error bands, one panel for each kind."""
    draw_profile(path, result.axis, result.position_A, result.curves, result.standard_errors)


def write(result: Profiles, output: str | Path) -> None:
    """Write the figure ``<output>.png``."""
    figure(result, OutputFiles(Path(output)).figure)


def show(result: Profiles, quiet: bool = False) -> None:
    """Print the table and the notes."""
    console(quiet).print(table(result))
    print_notes(result.notes, quiet)
