"""Tables and figures of surface energies and adsorption."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from rich.table import Table

from ase_les.properties.adsorption import Adsorption
from ase_les.properties.surface_energy import J_PER_M2, SurfaceEnergy
from ase_les.reports import relaxation
from ase_les.reports.figures import Panel, save_bars, save_figure
from ase_les.reports.terminal import console, print_notes, results_table
from ase_les.runs.output import OutputFiles
from ase_les.simulation.relaxation_result import RelaxationResult
from ase_les.statistics import Estimate


class RelaxationReports:
    """Callback `on_result` that writes and shows the relaxations of a calculation.

    Parameters
    ----------
    quiet : bool
        Only write the files.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet

    def __call__(self, result: RelaxationResult) -> None:
        """Write summary and figure of a relaxation, and print its table."""
        relaxation.write(result)
        relaxation.show(result, self.quiet)


def table(result: SurfaceEnergy | Adsorption) -> Table:
    """Return a table of the main results."""
    if isinstance(result, Adsorption):
        return results_table("Adsorption", _adsorption_rows(result))
    return results_table(f"Surface of {result.structure['formula']}", _surface_rows(result))


def figure(result: SurfaceEnergy | Adsorption, path: Path) -> None:
    """Draw surface energies against thickness, or the charge transfer of adsorption."""
    if isinstance(result, Adsorption):
        _draw_charge_transfer(result, path)
    else:
        _draw_surface_energies(result, path)


def write(result: SurfaceEnergy | Adsorption, output: str | Path) -> None:
    """Write the figure ``<output>.png``, except for adsorption without charges."""
    if isinstance(result, SurfaceEnergy) or math.isfinite(result.charge_gained_by_adsorbate_e):
        figure(result, OutputFiles(Path(output)).figure)


def show(result: SurfaceEnergy | Adsorption, quiet: bool = False) -> None:
    """Print the table, the notes and missing results."""
    on = console(quiet)
    on.print(table(result))
    print_notes(result.notes, quiet)
    stopped = result.stopped if isinstance(result, SurfaceEnergy) else None
    if stopped is not None:
        on.print(f"Stopped: {stopped}", style="bold red", markup=False, soft_wrap=True)
    elif not np.all(result.converged):
        on.print(
            "NOT CONVERGED: continue with resume and more steps (--resume, --steps)",
            style="bold red",
            markup=False,
        )


def _surface_rows(result: SurfaceEnergy) -> dict[str, object]:
    slab = result.slabs[-1]
    rows: dict[str, object] = {
        "Miller indices": " ".join(map(str, slab.indices)),
        "bottom | top plane": f"{slab.bottom} | {slab.top}",
        "area / Å²": slab.area_A2,
    }
    for n, each in enumerate(result.slabs):
        relaxed, cut = result.relaxed_eV_per_A2[n], result.unrelaxed_eV_per_A2[n]
        final = cut if math.isnan(relaxed) else relaxed
        rows[f"{each.layers} layers: as cut | final / (J/m²)"] = (
            f"{cut * J_PER_M2:.5f} | {final * J_PER_M2:.5f}"
        )
    if result.fitted_eV_per_A2 is not None:
        error = result.fitted_eV_per_A2.standard_error * J_PER_M2
        rows["fit over thickness / (J/m²)"] = str(Estimate(result.J_per_m2, error))
    rows["surface energy / (J/m²)"] = result.J_per_m2
    rows["surface energy / (eV/Å²)"] = result.eV_per_A2
    return rows


def _adsorption_rows(result: Adsorption) -> dict[str, object]:
    return {
        "adsorption energy / eV": result.energy_eV,
        "charge gained by the adsorbate / e": result.charge_gained_by_adsorbate_e,
        "dipole change / (e Å)": result.dipole_change_eA,
        "change of the work function / eV": result.work_function_change_eV,
    }


def _draw_surface_energies(result: SurfaceEnergy, path: Path) -> None:
    curves = {"as cut": result.unrelaxed_eV_per_A2 * J_PER_M2}
    curves["relaxed"] = result.relaxed_eV_per_A2 * J_PER_M2
    bands = {}
    if result.fitted_eV_per_A2 is not None:
        ones = np.ones(len(result.slabs))
        curves["fit over thickness"] = result.fitted_eV_per_A2.mean * J_PER_M2 * ones
        bands["fit over thickness"] = result.fitted_eV_per_A2.standard_error * J_PER_M2 * ones
    layers = np.array([slab.layers for slab in result.slabs])
    save_figure(path, layers, "layers", [Panel("surface energy / (J/m²)", curves, bands=bands)])


def _draw_charge_transfer(result: Adsorption, path: Path) -> None:
    gains = (result.charge_gained_by_slab_e, result.charge_gained_by_adsorbate_e)
    save_bars(
        path,
        ["slab", "adsorbate"],
        {f"E_ads = {result.energy_eV:.3f} eV": [1000 * gain for gain in gains]},
        "charge gained / (10⁻³ e)",
    )
