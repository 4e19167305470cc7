"""Steps, observations and checkpoints of a dynamics run."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import perf_counter

import numpy as np
from ase import Atoms, units
from ase.calculators.abc import GetPropertiesMixin
from ase.constraints import FixCom

from ase_les.calculator_extensions import fresh_forces, get_field, set_field, supports
from ase_les.runs.growing_files import GrowingFile, writing
from ase_les.runs.lock import OutputLock
from ase_les.runs.output import RunFiles
from ase_les.runs.progress import NO_PROGRESS, Progress, task
from ase_les.runs.provenance import describe_calculator
from ase_les.runs.stop_request import StopRequest
from ase_les.screening import SCALED, describe_charges
from ase_les.simulation.accumulators import AccumulatorResult
from ase_les.simulation.alarms import make_limits
from ase_les.simulation.checkpoint import Checkpoint, write_checkpoint
from ase_les.simulation.checks import not_finite
from ase_les.simulation.dynamics_result import DynamicsError, DynamicsResult, stage_results
from ase_les.simulation.ensembles import BAR, DynamicsSettings, ResolvedStage
from ase_les.simulation.integrators import Integrator, make_integrator
from ase_les.simulation.measuring import Averages, RecordedSeries, cell_volume, make_observer
from ase_les.simulation.observations import SERIES
from ase_les.simulation.observers import (
    Observer,
    ThermodynamicLog,
    Thermodynamics,
    TrajectoryFrames,
    read_log,
    without_constraints,
)

#: Shortest time between two progress reports.
REPORT_INTERVAL_S = 0.2


class DynamicsRun:
    """Dynamics run that starts from a checkpoint and writes the following ones.

    Parameters
    ----------
    start : Checkpoint
        State to continue from; a new run continues from its state at step 0.
    calculator : ASE calculator
        Reset and with forces calculated for the atoms of `start`, as after a checkpoint.
    files : RunFiles
        Rewound to `start`.
    lock : OutputLock, optional
        Lock to refresh during the run.
    growing : mapping of str to GrowingFile, optional
        Growing files as returned by `rewind_files`; by default new ones.
    """

    def __init__(
        self,
        start: Checkpoint,
        settings: DynamicsSettings,
        calculator: GetPropertiesMixin,
        files: RunFiles,
        progress: Progress = NO_PROGRESS,
        lock: OutputLock | None = None,
        growing: Mapping[str, GrowingFile] | None = None,
    ) -> None:
        self._start = start
        self._settings = settings
        self._files = files
        self._progress = progress
        self._lock = lock
        self._growing = growing_files(files, settings) if growing is None else growing
        self._clock = perf_counter()
        self._interrupted = False
        self._degrees_of_freedom = start.degrees_of_freedom
        self._limits = make_limits(settings, calculator)
        self._protocol = settings.protocol
        self._ends = np.cumsum([stage.steps for stage in self._protocol])
        self.step = start.step
        self.atoms = start.atoms.copy()
        self.atoms.calc = calculator
        self._rng = np.random.default_rng()
        self._rng.bit_generator.state = start.rng_state
        self._stage_number = start.stage
        self._integrator: Integrator = self._make_integrator()
        if start.integrator:
            self._integrator.restore(start.integrator)
        self._forces: np.ndarray | None = None
        self._temperature_K = self._temperature()
        self._pressure_bar = math.nan
        self._reported = (self.step, 0.0)
        self._log = ThermodynamicLog(files.log)
        self._trajectory = TrajectoryFrames(
            files.trajectory,
            settings.trajectory_stride,
            self._integrator.todict(),
            _frame_properties(settings.trajectory_properties, self.atoms),
        )
        self._observers: dict[str, Observer] = {
            name: make_observer(name, options, self.atoms, settings.timestep_fs, files.named)
            for name, options in settings.observed.items()
            if name != "pressure"
        }
        for name, state in start.observers.items():
            self._observers[name].restore(state)

    def __enter__(self) -> DynamicsRun:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        open_files: list[Observer] = [self._log, self._trajectory, *self._observers.values()]
        for each in open_files:
            # After a disk error, closing also fails.
            with contextlib.suppress(*([OSError] if kind is not None else [])):
                each.close()

    def advance(self) -> DynamicsResult:
        """Perform the remaining steps, unless an alarm or a signal stops the run."""
        for note in self._start.notes:
            self._progress.message(note)
        try:
            if self.step == 0 and not self._start.files:
                self._observe()
            stopped = self._perform_steps()
        except (ValueError, ArithmeticError, RuntimeError) as error:
            stopped = f"step {self.step + 1}: {error}"
            raise DynamicsError(stopped, self._result(stopped)) from error
        return self._result(stopped)

    def _perform_steps(self) -> str | None:
        """Perform the remaining steps and return why they ended early, if they did."""
        steps, stride = self._settings.total_steps, self._settings.checkpoint_stride
        with StopRequest() as stop, task(self._progress, steps, "steps", self.step):
            while self.step < steps and stop.received is None:
                self._enter_stage()
                self._update_targets()
                self._forces = self._integrator.step(self._forces)
                problem = self._check_step()
                if problem is not None:
                    return f"step {self.step + 1}: {problem}"
                self.step += 1
                self._observe()
                problem = self._check_dipole()
                if problem is not None:
                    return f"step {self.step}: {problem}"
                if self.step % stride == 0:
                    self._save()
                self._report()
        # Checkpoints are written at multiples of the stride only, at the end of the run too: they
        # reset the calculator, which a longer or uninterrupted run does not do at other steps. When
        # the run is resumed, the few steps since the last checkpoint are computed again.
        if self.step < steps:
            self._interrupted = True
            return f"{stop.received} received after step {self.step}"
        return None

    @property
    def _stage(self) -> ResolvedStage:
        return self._protocol[self._stage_number]

    def _make_integrator(self) -> Integrator:
        return make_integrator(
            self.atoms,
            self._stage,
            self._settings.timestep_fs,
            self._rng,
            self._degrees_of_freedom,
        )

    def _enter_stage(self) -> None:
        """Switch to the integrator of the stage of the next step."""
        number = int(np.searchsorted(self._ends, self.step, side="right"))
        if number != self._stage_number:
            self._stage_number = number
            self._integrator = self._make_integrator()

    def _update_targets(self) -> None:
        """Set thermostat, barostat and field targets from the ramp at the end of the next step."""
        stage = self._stage
        completed = self.step + 1 - (self._ends[self._stage_number] - stage.steps)
        targets = stage.targets(completed / stage.steps)
        if stage.ramped or completed == 1:
            self._integrator.set_targets(targets)
            if targets.field_V_per_A is not None:
                set_field(self.atoms.calc, targets.field_V_per_A)
                self._forces = None

    def _temperature(self) -> float:
        return 2 * self.atoms.get_kinetic_energy() / (self._degrees_of_freedom * units.kB)

    def _thermodynamics(self) -> Thermodynamics:
        """Return the present state without a new calculation."""
        potential = self.atoms.get_potential_energy()
        kinetic = self.atoms.get_kinetic_energy()
        conserved = math.nan
        if self._stage.conserves:
            conserved = (potential + kinetic - self._integrator.given_energy()) / len(self.atoms)
        return Thermodynamics(
            step=self.step,
            time_ps=self.step * self._settings.timestep_fs * 1e-3,
            potential_energy_eV=potential,
            kinetic_energy_eV=kinetic,
            total_energy_eV=potential + kinetic,
            temperature_K=2 * kinetic / (self._degrees_of_freedom * units.kB),
            conserved_eV_per_atom=conserved,
            volume_A3=cell_volume(self.atoms),
        )

    def _observe(self) -> None:
        """Call the observers that are due at the present step, always in the same order."""
        log_due = self.step % self._settings.log_stride == 0
        frame_due = self.step % self._settings.trajectory_stride == 0
        due = {
            name: self.step % options["stride"] == 0
            for name, options in self._stage.observe.items()
        }
        if not (log_due or frame_due or any(due.values())):
            return
        state = self._thermodynamics()
        if log_due:
            # The barostat needs the stress for its next step anyway.
            if self._stage.barostatted or due.get("pressure", False):
                self._pressure_bar = pressure_bar(self.atoms)
                state = state._replace(pressure_bar=self._pressure_bar)
            self._log.observe(state, self.atoms)
        if frame_due:
            self._trajectory.observe(state, self.atoms)
        for name, observer in self._observers.items():
            if due.get(name, False):
                observer.observe(state, self.atoms)

    def _save(self) -> None:
        """Write a checkpoint after resetting the calculator.

        The neighbor list of a calculator depends on earlier positions, and with it the order in
        which forces are summed. Resetting it here makes the continued and the resumed run
        bitwise identical.
        """
        self._forces = None
        checkpoint = replace(
            self._start,
            step=self.step,
            atoms=self.atoms,
            forces=fresh_forces(self.atoms, self.atoms.calc),
            field_V_per_A=get_field(self.atoms.calc),
            stage=self._stage_number,
            integrator=self._integrator.state(),
            observers={name: observer.state() for name, observer in self._observers.items()},
            rng_state=self._rng.bit_generator.state,
            wall_time_s=self._wall_time_s,
            files={name: file.mark() for name, file in self._growing.items()},
        )
        with writing(self._files.checkpoint):
            write_checkpoint(self._files.checkpoint, checkpoint)
        for observer in self._observers.values():
            observer.write_results(final=False)

    def _check_step(self) -> str | None:
        """Return a description of a problem after a step, or None."""
        # Forces that are not finite make the velocities not finite.
        temperature, before = self._temperature(), self._temperature_K
        if not (np.isfinite(self._last_energy()) and np.isfinite(temperature)):
            return not_finite(self.atoms) or "the velocities are not finite"
        problem = self._limits.check_temperature(temperature, before)
        if problem is None and (self.step + 1) % self._settings.alarm_stride == 0:
            problem = self._limits.check_structure(self.atoms)
        self._temperature_K = temperature
        return problem and (not_finite(self.atoms) or problem)

    def _last_energy(self) -> float:
        """Return the last energy; requesting it from the calculator would compare all atoms."""
        results = getattr(self.atoms.calc, "results", {})
        return results["energy"] if "energy" in results else self.atoms.get_potential_energy()

    def _check_dipole(self) -> str | None:
        dipole = self._observers.get("dipole")
        if not isinstance(dipole, RecordedSeries) or dipole.first is None or dipole.last is None:
            return None
        return self._limits.check_dipole(dipole.first, dipole.last)

    def _report(self) -> None:
        """Report progress, at most once per `REPORT_INTERVAL_S`."""
        now = perf_counter()
        step, time = self._reported
        if now - time < REPORT_INTERVAL_S:
            return
        self._reported = (self.step, now)
        if self._lock is not None:
            self._lock.refresh()
        rate = (self.step - self._start.step) / (now - self._clock)
        status = f"T {self._temperature_K:.0f} K, E {self._last_energy():.4f} eV, "
        if math.isfinite(self._pressure_bar):
            status += f"P {self._pressure_bar:.0f} bar, "
        if len(self._protocol) > 1:
            status = f"{self._stage.name}: {status}"
        status += f"{rate:.3g} steps/s, {self._ns_per_day(rate):.3g} ns/day"
        self._progress.advance(self.step - step, status)

    @property
    def _wall_time_s(self) -> float:
        return self._start.wall_time_s + perf_counter() - self._clock

    def _ns_per_day(self, steps_per_second: float) -> float:
        return steps_per_second * 86_400 * self._settings.timestep_fs * 1e-6

    def _result(self, stopped: str | None) -> DynamicsResult:
        """Write the result files of all observers and return the result."""
        averages: dict[str, AccumulatorResult] = {}
        spread = None
        for observer in self._observers.values():
            observer.write_results(final=True)
            if isinstance(observer, Averages):
                averages |= observer.results()
        if (recorded := self._observers.get("spread")) and isinstance(recorded, RecordedSeries):
            spread = recorded.series() if recorded.first is not None else None
        wall_time_s = self._wall_time_s
        steps_per_second = self.step / wall_time_s
        return DynamicsResult(
            atoms=without_constraints(self.atoms, (FixCom,)),
            settings=self._settings,
            steps=self.step,
            stopped=stopped,
            interrupted=self._interrupted,
            degrees_of_freedom=self._degrees_of_freedom,
            stages=stage_results(self._protocol, read_log(self._files.log), self.step),
            averages=averages,
            wall_time_s=wall_time_s,
            steps_per_second=steps_per_second,
            ns_per_day=self._ns_per_day(steps_per_second),
            notes=self._start.notes,
            provenance=self._start.provenance,
            calculator=describe_calculator(self.atoms.calc),
            charges=describe_charges(self.atoms),
            files=self._files,
            spread=spread,
        )


def _frame_properties(properties: Sequence[str] | None, atoms: Atoms) -> list[str] | None:
    """Return the properties stored in frames, including the tensor that scales the charges."""
    if properties is None:
        return None
    scaled = not set(properties).isdisjoint(SCALED) and supports(atoms.calc, "dielectric_tensor")
    return list(dict.fromkeys([*properties, *(["dielectric_tensor"] if scaled else [])]))


def pressure_bar(atoms: Atoms) -> float:
    """Return the pressure in bar, virial and kinetic: minus a third of the trace of the stress.

    For slabs, it is minus half the trace in the plane, relative to the volume of the cell.
    """
    stress = atoms.get_stress(voigt=False, include_ideal_gas=True)
    if atoms.pbc.all():
        return -float(np.trace(stress)) / 3 / BAR
    axis = int(np.flatnonzero(~atoms.pbc)[0])
    normal = np.cross(atoms.cell[axis - 2], atoms.cell[axis - 1])
    normal /= np.linalg.norm(normal)
    return -float(np.trace(stress) - normal @ stress @ normal) / 2 / BAR


def growing_files(files: RunFiles, settings: DynamicsSettings) -> dict[str, GrowingFile]:
    """Return the files to which a run appends, by name."""
    records = {name: files.named(f"-{name}.raw") for name in settings.observed if name in SERIES}
    paths = {"trajectory": files.trajectory, "log": files.log, **records}
    return {name: GrowingFile(path) for name, path in paths.items()}


def rewind_files(
    files: RunFiles, settings: DynamicsSettings, checkpoint: Checkpoint
) -> dict[str, GrowingFile]:
    """Rewind the growing files to a checkpoint; files that were created later are removed.

    Raises
    ------
    ValueError
        If a file has changed, see :meth:`GrowingFile.rewind`.
    """
    growing = growing_files(files, settings)
    for name, file in growing.items():
        if name in checkpoint.files:
            file.rewind(checkpoint.files[name])
        else:
            file.path.unlink(missing_ok=True)
    return growing
