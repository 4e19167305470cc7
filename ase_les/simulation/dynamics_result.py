"""What a run has given: averages with errors, drift, speed; its summary, figure and last words."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from ase import Atoms
from rich.console import Console

from ase_les.reports import figures, terminal
from ase_les.reports.figures import Panel
from ase_les.runs.output import RunFiles
from ase_les.runs.provenance import describe_structure
from ase_les.simulation.ensembles import DynamicsSettings, Stage
from ase_les.simulation.observers import ThermodynamicSeries, read_log
from ase_les.statistics import Estimate, block_average


@dataclass(frozen=True)
class StageResult:
    """What one stage has given so far, read from the log.

    Attributes
    ----------
    name, ensemble : str
    first_step, steps : int
        Where it began, and steps done.
    temperature_K, potential_energy_eV, pressure_bar, volume_A3 : Estimate
        Averages with block-averaged errors; nan where there are no values.
    drift_meV_per_atom_per_ps : float
        Slope of the conserved quantity by least squares; nan where there is none, and for fewer
        than two log lines.
    """

    name: str
    ensemble: str
    first_step: int
    steps: int
    temperature_K: Estimate
    potential_energy_eV: Estimate
    pressure_bar: Estimate
    volume_A3: Estimate
    drift_meV_per_atom_per_ps: float


@dataclass(frozen=True)
class DynamicsResult:
    """What a run has given so far, read from its log.

    Attributes
    ----------
    atoms : Atoms
        The last state with velocities, without calculator.
    settings : DynamicsSettings
    steps : int
        Steps done, those before a restart included.
    stopped : str or None
        Why the run ended before its last step; None when it is complete.
    interrupted : bool
        Whether that was by Ctrl-C or SIGTERM, so that there is more to do.
    degrees_of_freedom : int
        That the temperature refers to: without those held by constraints, and without the
        overall translation and rotation that stay zero.
    stages : tuple of StageResult
        Those that have begun; there is one at least.
    averages : mapping
        What observed averages (radial distributions …) come to.
    wall_time_s, steps_per_second, ns_per_day : float
    notes : tuple of str
        What was done to the structure before the first step, and at restarts.
    files : RunFiles
    charges : mapping or None
        Whether charges and what is made of them are physical, and by which factor; None without
        any.
    """

    atoms: Atoms
    settings: DynamicsSettings
    steps: int
    stopped: str | None
    interrupted: bool
    degrees_of_freedom: int
    stages: tuple[StageResult, ...]
    averages: Mapping[str, object]
    wall_time_s: float
    steps_per_second: float
    ns_per_day: float
    notes: tuple[str, ...]
    provenance: Mapping[str, object]
    calculator: Mapping[str, object]
    files: RunFiles
    charges: Mapping[str, object] | None = None

    @property
    def time_ps(self) -> float:
        return self.steps * self.settings.timestep_fs * 1e-3

    @property
    def temperature_K(self) -> Estimate:
        """Of the last stage."""
        return self.stages[-1].temperature_K

    @property
    def potential_energy_eV(self) -> Estimate:
        """Of the last stage."""
        return self.stages[-1].potential_energy_eV

    @property
    def pressure_bar(self) -> Estimate:
        """Of the last stage."""
        return self.stages[-1].pressure_bar

    @property
    def drift_meV_per_atom_per_ps(self) -> float:
        """Of the last stage."""
        return self.stages[-1].drift_meV_per_atom_per_ps

    @cached_property
    def series(self) -> ThermodynamicSeries:
        """The thermodynamic log of the whole run."""
        return read_log(self.files.log)

    def summary(self) -> dict[str, object]:
        """What the summary file says."""
        return {
            "task": "molecular dynamics",
            "input": {
                "structure": describe_structure(self.atoms),
                "calculator": self.calculator,
                "settings": self.settings,
                "provenance": self.provenance,
            },
            "notes": self.notes,
            "charges": self.charges,
            "results": {
                "stopped": self.stopped,
                "steps": self.steps,
                "time_ps": self.time_ps,
                "degrees_of_freedom": self.degrees_of_freedom,
                "temperature_K": self.temperature_K,
                "potential_energy_eV": self.potential_energy_eV,
                "pressure_bar": self.pressure_bar,
                "volume_A3": self.stages[-1].volume_A3,
                "drift_of_conserved_quantity_meV_per_atom_per_ps": self.drift_meV_per_atom_per_ps,
                "stages": self.stages,
                "averages": self.averages,
                "wall_time_s": self.wall_time_s,
                "steps_per_second": self.steps_per_second,
                "ns_per_day": self.ns_per_day,
            },
            "files": self.files.as_summary(),
        }


def stage_results(
    protocol: Sequence[Stage], series: ThermodynamicSeries, steps: int
) -> tuple[StageResult, ...]:
    """Averages of every stage that has begun; the first owns the line of step 0."""
    results, first = [], 0
    for stage in protocol:
        last = first + stage.steps
        lines = series.between(0 if first == 0 else first + 1, last)
        results.append(
            StageResult(
                name=stage.name,
                ensemble=stage.ensemble,
                first_step=first,
                steps=min(steps, last) - first,
                temperature_K=block_average(lines.temperature_K),
                potential_energy_eV=block_average(lines.potential_energy_eV),
                pressure_bar=_known_average(lines.pressure_bar),
                volume_A3=_known_average(lines.volume_A3),
                drift_meV_per_atom_per_ps=_drift(lines),
            )
        )
        first = last
        if steps <= first:
            break
    return tuple(results)


def _known_average(values: np.ndarray) -> Estimate:
    return block_average(values[np.isfinite(values)])


def _drift(series: ThermodynamicSeries) -> float:
    """Slope of the conserved quantity in meV/atom/ps; nan where there is none."""
    if len(series.step) < 2 or not np.isfinite(series.conserved_eV_per_atom).all():
        return math.nan
    change = series.conserved_eV_per_atom - series.conserved_eV_per_atom[0]
    return 1e3 * float(np.polyfit(series.time_ps, change, 1)[0])


def draw(result: DynamicsResult) -> None:
    """The figure of a run: temperature, energies, conserved quantity, pressure and volume."""
    series = result.series
    # Each ensemble has a conserved quantity of its own: every stage starts from zero.
    conserved = series.conserved_eV_per_atom.copy()
    for stage in result.stages:
        lines = (series.step > stage.first_step) | (series.step == 0)
        if lines.any():
            lines &= series.step <= stage.first_step + stage.steps
            values = series.conserved_eV_per_atom[lines]
            conserved[lines] = values - values[0] if len(values) else values
    energies = {
        "potential": series.potential_energy_eV - series.potential_energy_eV[0],
        "total": series.total_energy_eV - series.total_energy_eV[0],
    }
    panels = [
        Panel("temperature (K)", {"temperature": series.temperature_K}),
        Panel("energy − start (eV)", energies),
        Panel("conserved − start\n(meV/atom)", {"conserved": 1e3 * conserved}),
        Panel("pressure (bar)", {"pressure": series.pressure_bar}),
    ]
    if np.ptp(series.volume_A3) > 0:
        panels.append(Panel("volume (Å³)", {"volume": series.volume_A3}))
    figures.save_figure(result.files.figure, series.time_ps, "time (ps)", panels)


def tell(console: Console, result: DynamicsResult) -> None:
    """Print what a person wants to know at the end."""
    rows = {
        "steps": f"{result.steps} of {result.settings.total_steps} ({result.time_ps:g} ps)",
        "temperature (K)": result.temperature_K,
        "potential energy (eV)": result.potential_energy_eV,
    }
    if math.isfinite(result.pressure_bar.mean):
        rows["pressure (bar)"] = result.pressure_bar
    if result.stages[-1].ensemble.startswith("npt"):
        rows["volume (Å³)"] = result.stages[-1].volume_A3
    if not math.isnan(result.drift_meV_per_atom_per_ps):
        rows["drift (meV/atom/ps)"] = result.drift_meV_per_atom_per_ps
    rows["speed (steps/s)"] = result.steps_per_second
    rows["speed (ns/day)"] = result.ns_per_day
    title = str(result.files.stem)
    if len(result.stages) > 1:
        title += f", {result.stages[-1].name}"
    console.print(terminal.results_table(title, rows))
    if result.stopped is not None:
        console.print(f"Stopped: {result.stopped}", style="bold red", markup=False)
        console.print(_remedy(result), markup=False, soft_wrap=True)


def _remedy(result: DynamicsResult) -> str:
    if result.interrupted:
        return f"Go on with: {_resume_command(result)}"
    return (
        "Resumed with the same settings it would end here again: start a new run, with a shorter "
        "time step or from a relaxed structure"
    )


def _resume_command(result: DynamicsResult) -> str:
    if "model" in result.provenance:
        return f"ase-les md --resume {shlex.quote(str(result.files.stem))}"
    return f'resume_dynamics("{result.files.stem}", calculator)'
