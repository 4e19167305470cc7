"""Tables and figures of phonons."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table

from ase_les.properties.phonon_results import PER_CM_PER_THZ, Phonons
from ase_les.reports.figures import Panel, new_figure, save_figure
from ase_les.reports.terminal import console, print_notes, results_table
from ase_les.runs.output import OutputFiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# With more modes than this, only those that the field shifts by at least this (1/cm) are shown.
_ALL_MODES = 12
_SHIFT_PER_CM = 0.5


def table(result: Phonons) -> Table:
    """Return a table of the main results."""
    lowest, where = result.lowest
    rows: dict[str, object] = {
        "supercell": f"{result.supercell_atoms} atoms, {result.displacements} displacements",
        "largest force of the structure / (eV/Å)": result.residual_force_eV_per_A,
        "pressure of the structure / GPa": result.pressure_GPa,
        "highest frequency / cm⁻¹": PER_CM_PER_THZ * result.highest_THz,
        "lowest frequency / cm⁻¹": (
            f"{_tenths(PER_CM_PER_THZ * lowest)} at q = ({', '.join(f'{x:.3f}' for x in where)})"
        ),
    }
    if result.non_analytic is not None:
        before, after = result.non_analytic.far_force_constants_eV_per_A2
        rows["distant force constants / (eV/Å²), with | without dipoles"] = (
            f"{before:.2e} | {after:.2e}"
        )
    return results_table(f"Phonons of {result.structure['formula']}", rows)


def splitting_table(result: Phonons) -> Table:
    """Return a table of the frequencies at Γ without field and for each direction of approach."""
    names = [f"along ({_direction(s.direction)})" for s in result.splitting]
    found = Table(*("mode", "no field", *names), title="Modes at Γ in cm⁻¹", title_justify="left")
    without = PER_CM_PER_THZ * result.splitting[0].without_field_THz
    with_field = PER_CM_PER_THZ * np.array([s.with_field_THz for s in result.splitting])
    shown = np.abs(with_field - without).max(axis=0) >= _SHIFT_PER_CM
    if len(without) <= _ALL_MODES:
        shown[:] = True
    for mode in np.flatnonzero(shown):
        found.add_row(str(mode + 1), *map(_tenths, (without[mode], *with_field[:, mode])))
    if not shown.all():
        hidden = len(shown) - shown.sum()
        found.caption = f"{hidden} modes that shift by less than {_SHIFT_PER_CM:g} not shown"
    terms = (f"{splitting.splitting_term_per_cm:.1f}" for splitting in result.splitting)
    found.add_row("√Σ(ω² − ω₀²)", "", *terms, style="bold")
    return found


def figure(result: Phonons, path: Path) -> None:
    """Draw the band structure beside the density of states, in THz and 1/cm."""
    with new_figure(path, 7.2, 4.2) as drawing:
        bands, dos = drawing.subplots(1, 2, sharey=True, width_ratios=(4, 1))
        _draw_bands(bands, result)
        density = result.density_of_states
        dos.plot(density.states_per_THz, density.frequencies_THz)
        dos.set_xlim(left=0.0)
        dos.set_xlabel("states / THz⁻¹")
        second = dos.secondary_yaxis(
            "right", functions=(lambda f: f * PER_CM_PER_THZ, lambda w: w / PER_CM_PER_THZ)
        )
        second.set_ylabel("wave number / cm⁻¹")


def _draw_bands(bands: Axes, result: Phonons) -> None:
    ticks: dict[float, list[str]] = {}
    for segment in result.segments:
        bands.plot(segment.distance_per_A, segment.frequencies_THz, color="C0")
        for where, name in zip(segment.distance_per_A[[0, -1]], segment.labels, strict=True):
            names = ticks.setdefault(round(float(where), 9), [])
            if _symbol(name) not in names:
                names.append(_symbol(name))
    bands.set_xticks(list(ticks), ["|".join(names) for names in ticks.values()])
    for where in ticks:
        bands.axvline(where, color="0.8", linewidth=0.6, zorder=0)
    bands.set_xlim(min(ticks), max(ticks))
    bands.axhline(0.0, color="0.4", linewidth=0.6, zorder=0)
    margin = 0.03 * result.highest_THz
    bands.set_ylim(min(result.lowest[0], 0.0) - margin, result.highest_THz + margin)
    bands.set_ylabel("frequency / THz (imaginary: negative)")


def thermal_figure(result: Phonons, path: Path) -> None:
    """Draw free energy, entropy and heat capacity against temperature."""
    thermal = result.thermal
    save_figure(
        path,
        thermal.temperature_K,
        "temperature / K",
        [
            Panel("free energy / (kJ/mol)", {"free energy": thermal.free_energy_kJ_per_mol}),
            Panel(
                "entropy, heat capacity\n/ (J K⁻¹ mol⁻¹)",
                {
                    "entropy": thermal.entropy_J_per_K_mol,
                    "heat capacity": thermal.heat_capacity_J_per_K_mol,
                },
            ),
        ],
    )


def write(result: Phonons, output: str | Path) -> None:
    """Write the figures ``<output>-bands.png`` and ``<output>-thermal.png``."""
    files = OutputFiles(Path(output))
    figure(result, files.named("-bands.png"))
    thermal_figure(result, files.named("-thermal.png"))


def show(result: Phonons, quiet: bool = False) -> None:
    """Print the tables and the notes."""
    on = console(quiet)
    on.print(table(result))
    if result.splitting:
        on.print(splitting_table(result))
    print_notes(result.notes, quiet)


def _direction(vector: tuple[float, float, float]) -> str:
    return " ".join(f"{component:.3g}" for component in vector)


def _tenths(value: float) -> str:
    # Adding zero removes the sign of a negative zero.
    return f"{round(value, 1) + 0.0:.1f}"


def _symbol(name: str) -> str:
    return "Γ" if name == "GAMMA" else name.replace("_0", "₀").replace("SIGMA", "Σ")
