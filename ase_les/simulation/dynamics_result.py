"""Results of dynamics runs: averages with errors, drift and speed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from ase import Atoms

from ase_les.runs.output import RunFiles
from ase_les.runs.provenance import describe_structure
from ase_les.simulation.accumulators import AccumulatorResult
from ase_les.simulation.committee_spread import describe_spread
from ase_les.simulation.ensembles import DynamicsSettings, ResolvedStage
from ase_les.simulation.observers import ThermodynamicSeries, read_log
from ase_les.simulation.series import Series
from ase_les.statistics import Estimate, block_average


@dataclass(frozen=True)
class StageResult:
    """Averages over one stage, from the log.

    Attributes
    ----------
    name, ensemble : str
    first_step, steps : int
        Step at which the stage started, and number of completed steps.
    temperature_K, potential_energy_eV, pressure_bar, volume_A3 : Estimate
        Averages with errors from block averages; nan if there are no values.
    drift_meV_per_atom_per_ps : float
        Slope of the conserved quantity by least squares; nan if there is none, and for fewer than
        two log lines.
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
    """Result of a dynamics run; check `stopped` first.

    Attributes
    ----------
    atoms : Atoms
        Final state with velocities, without calculator.
    settings : DynamicsSettings
    steps : int
        Completed steps, including those before a restart.
    stopped : str or None
        Reason why the run ended before its last step; None if it is complete.
    interrupted : bool
        Whether Ctrl-C or SIGTERM stopped the run, so that it can be resumed.
    degrees_of_freedom : int
        Number of degrees of freedom in the definition of the temperature: without those removed
        by constraints, and without overall translation and rotation if these are zero.
    stages : tuple of StageResult
        Stages that have started, at least one.
    averages : mapping of str to AccumulatorResult
        Averages taken during the run (radial distributions …), by name.
    wall_time_s, steps_per_second, ns_per_day : float
    notes : tuple of str
        Changes made to the structure before the first step, warnings, and restarts.
    provenance, calculator : mapping
        As recorded in the summary.
    files : RunFiles
    charges : mapping or None
        Whether charges and properties derived from them are physical, and the scaling factor;
        None without charges.
    spread : Series or None
        Disagreement of a committee, if it was observed (`ase_les.simulation.committee_spread`).
    """

    atoms: Atoms
    settings: DynamicsSettings
    steps: int
    stopped: str | None
    interrupted: bool
    degrees_of_freedom: int
    stages: tuple[StageResult, ...]
    averages: Mapping[str, AccumulatorResult]
    wall_time_s: float
    steps_per_second: float
    ns_per_day: float
    notes: tuple[str, ...]
    provenance: Mapping[str, object]
    calculator: Mapping[str, object]
    files: RunFiles
    charges: Mapping[str, object] | None = None
    spread: Series | None = None

    @property
    def time_ps(self) -> float:
        """Simulated time."""
        return self.steps * self.settings.timestep_fs * 1e-3

    @property
    def temperature_K(self) -> Estimate:
        """Average temperature of the last stage."""
        return self.stages[-1].temperature_K

    @property
    def potential_energy_eV(self) -> Estimate:
        """Average potential energy of the last stage."""
        return self.stages[-1].potential_energy_eV

    @property
    def pressure_bar(self) -> Estimate:
        """Average pressure of the last stage."""
        return self.stages[-1].pressure_bar

    @property
    def drift_meV_per_atom_per_ps(self) -> float:
        """Drift of the conserved quantity in the last stage."""
        return self.stages[-1].drift_meV_per_atom_per_ps

    @cached_property
    def series(self) -> ThermodynamicSeries:
        """Log of the whole run."""
        return read_log(self.files.log)

    def summary(self) -> dict[str, object]:
        """Return the content of the summary file."""
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
                **({} if self.spread is None else {"spread": describe_spread(self.spread)}),
                "averages": {name: each.summary() for name, each in self.averages.items()},
                "wall_time_s": self.wall_time_s,
                "steps_per_second": self.steps_per_second,
                "ns_per_day": self.ns_per_day,
            },
            "files": self.files.as_summary(),
        }


class DynamicsError(RuntimeError):
    """Failure of the calculator during a run, raised from the original error.

    Attributes
    ----------
    result : DynamicsResult
        Result up to the failure; the run can be resumed from its last checkpoint.
    """

    def __init__(self, message: str, result: DynamicsResult) -> None:
        super().__init__(message)
        self.result = result


def stage_results(
    protocol: Sequence[ResolvedStage], series: ThermodynamicSeries, steps: int
) -> tuple[StageResult, ...]:
    """Return the averages of all stages that have started; the first includes step 0."""
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
                pressure_bar=_finite_average(lines.pressure_bar),
                volume_A3=_finite_average(lines.volume_A3),
                drift_meV_per_atom_per_ps=_drift(lines),
            )
        )
        first = last
        if steps <= first:
            break
    return tuple(results)


def _finite_average(values: np.ndarray) -> Estimate:
    return block_average(values[np.isfinite(values)])


def _drift(series: ThermodynamicSeries) -> float:
    """Return the slope of the conserved quantity in meV/atom/ps; nan if there is none."""
    if len(series.step) < 2 or not np.isfinite(series.conserved_eV_per_atom).all():
        return math.nan
    change = series.conserved_eV_per_atom - series.conserved_eV_per_atom[0]
    try:
        return 1e3 * float(np.polyfit(series.time_ps, change, 1)[0])
    except np.linalg.LinAlgError:
        return math.nan
