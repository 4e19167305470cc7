"""The moving parts of a run: made from a checkpoint, and able to make the next one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np
from ase import Atoms, units
from ase.calculators.abc import GetPropertiesMixin
from rich.console import Console

from ase_les.reports import terminal
from ase_les.runs.growing_files import FileMark, mark_file, rewind_file
from ase_les.runs.output import RunFiles, write_summary
from ase_les.runs.provenance import describe_calculator
from ase_les.runs.stop_request import StopRequest
from ase_les.screening import SCALED, describe_charges
from ase_les.simulation.alarms import make_limits
from ase_les.simulation.checkpoint import Checkpoint, write_checkpoint
from ase_les.simulation.checks import not_finite
from ase_les.simulation.dynamics_result import DynamicsResult, draw, stage_results, tell
from ase_les.simulation.ensembles import BAR, DynamicsSettings, Stage, Targets
from ase_les.simulation.integrators import Integrator, make_integrator
from ase_les.simulation.measuring import Averages, RecordedSeries, cell_volume, make_observer
from ase_les.simulation.observations import SERIES
from ase_les.simulation.observers import (
    Observer,
    ThermodynamicLog,
    Thermodynamics,
    TrajectoryFrames,
    read_log,
    without_held_center,
)

SECONDS_BETWEEN_MESSAGES = 0.2


class Run:
    """Steps, observations and checkpoints, in that order, until the end or a reason to stop.

    Parameters
    ----------
    start : Checkpoint
        What it goes on from; at step 0 before anything was written, too.
    settings : DynamicsSettings
    calculator : ASE calculator
        Just reset and asked for the forces on the atoms of `start`, as it is at a checkpoint.
    files : RunFiles
        Cut back to `start`.
    """

    def __init__(
        self,
        start: Checkpoint,
        settings: DynamicsSettings,
        calculator: GetPropertiesMixin,
        files: RunFiles,
    ) -> None:
        self._start = start
        self._settings = settings
        self._files = files
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
        self._number = start.stage
        self._integrator: Integrator = self._integrator_of(self._stage)
        if start.integrator:
            self._integrator.restore(start.integrator)
        self._forces: np.ndarray | None = None
        self._temperature_K = self._temperature()
        self._pressure_bar = math.nan
        self._log = ThermodynamicLog(files.log)
        self._trajectory = TrajectoryFrames(
            files.trajectory,
            settings.trajectory_stride,
            self._integrator.todict(),
            _with_scale_of_charges(settings.trajectory_properties, self.atoms),
        )
        self._measuring: dict[str, Observer] = {
            name: make_observer(name, options, self.atoms, settings.timestep_fs, files.named)
            for name, options in settings.observed.items()
            if name != "pressure"
        }
        for name, state in start.observers.items():
            self._measuring[name].restore(state)

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        for observer in (self._log, self._trajectory, *self._measuring.values()):
            observer.close()

    @property
    def _stage(self) -> Stage:
        return self._protocol[self._number]

    def _integrator_of(self, stage: Stage) -> Integrator:
        return make_integrator(
            self.atoms, stage, self._settings.timestep_fs, self._rng, self._degrees_of_freedom
        )

    @property
    def _wall_time_s(self) -> float:
        return self._start.wall_time_s + perf_counter() - self._clock

    def _temperature(self) -> float:
        return 2 * self.atoms.get_kinetic_energy() / (self._degrees_of_freedom * units.kB)

    def state(self) -> Thermodynamics:
        """Where the run stands; asks the calculator for nothing new."""
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

    def observe(self) -> None:
        """Show the present step to every observer whose turn it is, always in the same order."""
        logs = self.step % self._settings.log_stride == 0
        writes = self.step % self._settings.trajectory_stride == 0
        turns = {name: self.step % how["stride"] == 0 for name, how in self._stage.observe.items()}
        if not (logs or writes or any(turns.values())):
            return
        state = self.state()
        if logs:
            # The barostat needs the stress for its next step anyway.
            if self._stage.barostatted or turns.get("pressure", False):
                self._pressure_bar = pressure_bar(self.atoms)
                state = state._replace(pressure_bar=self._pressure_bar)
            self._log.observe(state, self.atoms)
        if writes:
            self._trajectory.observe(state, self.atoms)
        for name, observer in self._measuring.items():
            if turns.get(name, False):
                observer.observe(state, self.atoms)

    def save(self) -> None:
        """Write a checkpoint, and forget whatever a restart from it would not know.

        A calculator's neighbour list remembers where the atoms were some steps ago, and with it
        the order in which forces are summed. Resetting it here makes the run that goes on and
        the run that comes back compute the same bits.
        """
        self._forces = None
        observers = {name: observer.state() for name, observer in self._measuring.items()}
        checkpoint = replace(
            self._start,
            step=self.step,
            atoms=self.atoms,
            forces=fresh_forces(self.atoms, self.atoms.calc),
            field_V_per_A=getattr(self.atoms.calc, "field_V_per_A", None),
            stage=self._number,
            integrator=self._integrator.state(),
            observers=observers,
            rng_state=self._rng.bit_generator.state,
            wall_time_s=self._wall_time_s,
            files=mark_files(self._files, self._settings),
        )
        write_checkpoint(self._files.checkpoint, checkpoint)

    def advance(self, console: Console) -> DynamicsResult:
        """Step to the end, or to the reason not to."""
        for note in self._start.notes:
            console.print(note, markup=False, highlight=False, soft_wrap=True)
        try:
            if self.step == 0 and not self._start.files:
                self.observe()
            stopped = self._step_on(console)
        except (ValueError, ArithmeticError, RuntimeError) as error:
            self._finish(f"step {self.step + 1}: {error}", console)
            raise
        return self._finish(stopped, console)

    def _step_on(self, console: Console) -> str | None:
        """Do the steps; return why they ended early, if they did."""
        steps, stride = self._settings.total_steps, self._settings.checkpoint_stride
        with StopRequest() as stop, self._progress(console) as show:
            while self.step < steps and stop.received is None:
                self._enter_stage()
                self._aim()
                self._forces = self._integrator.step(self._forces)
                problem = self._unphysical()
                if problem is not None:
                    return f"step {self.step + 1}: {problem}"
                self.step += 1
                self.observe()
                problem = self._charge_runs_away()
                if problem is not None:
                    return f"step {self.step}: {problem}"
                if self.step % stride == 0 or self.step == steps:
                    self.save()
                show()
        # No checkpoint here: at a step of chance it would reset the calculator where the
        # uninterrupted run does not. The few steps since the last one are computed again.
        if self.step < steps:
            self._interrupted = True
            return f"{stop.received} received after step {self.step}"
        return None

    def _enter_stage(self) -> None:
        """Take the integrator of the stage that the next step belongs to."""
        number = int(np.searchsorted(self._ends, self.step, side="right"))
        if number != self._number:
            self._number = number
            self._integrator = self._integrator_of(self._stage)

    def _aim(self) -> None:
        """Bring targets to where a ramp is at the end of the next step."""
        stage = self._stage
        done = self.step + 1 - (self._ends[self._number] - stage.steps)
        targets = stage.targets(done / stage.steps)
        if stage.ramped or done == 1:
            self._integrator.aim(targets)
            if targets.field_V_per_A is not None:
                set_field(self.atoms.calc, targets)
                self._forces = None

    def _unphysical(self) -> str | None:
        # Forces that are not finite show in the velocities at once.
        temperature, before = self._temperature(), self._temperature_K
        if not (np.isfinite(self._energy_just_calculated()) and np.isfinite(temperature)):
            return not_finite(self.atoms) or "the velocities are not finite"
        problem = self._limits.of_temperature(temperature, before)
        if problem is None and (self.step + 1) % self._settings.alarm_stride == 0:
            problem = self._limits.of_structure(self.atoms)
        self._temperature_K = temperature
        return problem and (not_finite(self.atoms) or problem)

    def _energy_just_calculated(self) -> float:
        """Looked up: each question to a calculator costs a comparison of all atoms."""
        results = getattr(self.atoms.calc, "results", {})
        return results["energy"] if "energy" in results else self.atoms.get_potential_energy()

    def _charge_runs_away(self) -> str | None:
        dipole = self._measuring.get("dipole")
        if not isinstance(dipole, RecordedSeries) or dipole.last is None:
            return None
        return self._limits.of_dipole(dipole.first, dipole.last)

    @contextmanager
    def _progress(self, console: Console) -> Iterator[object]:
        """A function to call after each step; now and then it shows where the run stands."""
        steps, began, first = self._settings.total_steps, perf_counter(), self.step
        shown = 0.0
        with terminal.progress_bar(console) as progress:
            bar = progress.add_task("dynamics", total=steps, completed=self.step, status="")

            def show() -> None:
                nonlocal shown
                now = perf_counter()
                if now - shown < SECONDS_BETWEEN_MESSAGES:
                    return
                shown = now
                rate = (self.step - first) / (now - began)
                status = (
                    f"T {self._temperature_K:.0f} K, E {self.atoms.get_potential_energy():.4f} eV, "
                )
                if math.isfinite(self._pressure_bar):
                    status += f"P {self._pressure_bar:.0f} bar, "
                status += f"{rate:.3g} steps/s, {self._ns_per_day(rate):.3g} ns/day"
                description = "dynamics" if len(self._protocol) == 1 else self._stage.name
                progress.update(bar, completed=self.step, status=status, description=description)

            yield show

    def _ns_per_day(self, steps_per_second: float) -> float:
        return steps_per_second * 86_400 * self._settings.timestep_fs * 1e-6

    def _finish(self, stopped: str | None, console: Console) -> DynamicsResult:
        """Turn files into a result; write summary and figure, and tell."""
        wall_time_s = self._wall_time_s
        averages: dict[str, object] = {}
        for observer in self._measuring.values():
            observer.finish()
            if isinstance(observer, Averages):
                averages |= observer.summary()
        steps_per_second = self.step / wall_time_s
        result = DynamicsResult(
            atoms=without_held_center(self.atoms),
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
        )
        draw(result)
        write_summary(self._files.summary, result.summary())
        tell(console, result)
        return result


def _with_scale_of_charges(properties: Sequence[str] | None, atoms: Atoms) -> list[str] | None:
    """Properties of frames, and what tells how those made of charges are scaled."""
    if properties is None:
        return None
    known = "dielectric_tensor" in getattr(atoms.calc, "implemented_properties", ())
    scaled = known and not set(properties).isdisjoint(SCALED)
    return list(dict.fromkeys([*properties, *(["dielectric_tensor"] if scaled else [])]))


def fresh_forces(atoms: Atoms, calculator: GetPropertiesMixin) -> np.ndarray:
    """(N, 3) forces in eV/Å from a calculator that remembers nothing; no constraint applied."""
    if hasattr(calculator, "reset"):
        calculator.reset()
    return calculator.get_forces(atoms)


def pressure_bar(atoms: Atoms) -> float:
    """Virial and kinetic, in bar: minus a third of the trace of the stress.

    A slab's is minus half the trace in its plane, per volume of the cell as given.
    """
    stress = atoms.get_stress(voigt=False, include_ideal_gas=True)
    if atoms.pbc.all():
        return -float(np.trace(stress)) / 3 / BAR
    axis = int(np.flatnonzero(~atoms.pbc)[0])
    normal = np.cross(atoms.cell[axis - 2], atoms.cell[axis - 1])
    normal /= np.linalg.norm(normal)
    return -float(np.trace(stress) - normal @ stress @ normal) / 2 / BAR


def set_field(calculator: object, targets: Targets) -> None:
    """Switch the electric field to what is aimed at, if anything is."""
    if targets.field_V_per_A is not None:
        calculator.field_V_per_A = targets.field_V_per_A


def growing_files(files: RunFiles, settings: DynamicsSettings) -> dict[str, Path]:
    """The files a run appends to, by name."""
    raws = {name: files.named(f"-{name}.raw") for name in settings.observed if name in SERIES}
    return {"trajectory": files.trajectory, "log": files.log, **raws}


def mark_files(files: RunFiles, settings: DynamicsSettings) -> dict[str, FileMark]:
    """Where each growing file ends."""
    return {name: mark_file(path) for name, path in growing_files(files, settings).items()}


def rewind_files(files: RunFiles, settings: DynamicsSettings, checkpoint: Checkpoint) -> None:
    """Cut the growing files back to a checkpoint; those begun later are begun again.

    Raises
    ------
    ValueError
        If one has lost data, see :func:`rewind_file`.
    """
    files.remove_unfinished()
    for name, path in growing_files(files, settings).items():
        if name in checkpoint.files:
            rewind_file(path, checkpoint.files[name])
        else:
            path.unlink(missing_ok=True)
