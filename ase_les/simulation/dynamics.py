"""Molecular dynamics that can be stopped at any moment and goes on unchanged.

The integrators are ASE's. A run is a sequence of checkpoints with steps between them; a new run
is the continuation of its checkpoint at step 0, so that starting and resuming are the same code
and give the same trajectory, bit for bit.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from time import perf_counter

import numpy as np
from ase import Atoms, units
from ase.calculators.abc import GetPropertiesMixin
from ase.md.bussi import Bussi
from rich.console import Console

from ase_les import reporting
from ase_les.reporting import Estimate, Panel
from ase_les.simulation.checkpoint import (
    Checkpoint,
    RunFiles,
    StopRequest,
    mark_file,
    read_checkpoint,
    rewind_file,
    write_checkpoint,
)
from ase_les.simulation.checks import (
    check_start,
    check_structure,
    not_finite,
    structural_differences,
)
from ase_les.simulation.ensembles import DynamicsSettings, make_integrator
from ase_les.simulation.observers import (
    Observer,
    ThermodynamicLog,
    Thermodynamics,
    ThermodynamicSeries,
    TrajectoryFrames,
    read_log,
    without_held_center,
)
from ase_les.simulation.velocities import prepare_motion

SAME_MODEL_FORCES = 1e-3
"""eV/Å; rounding on another machine stays far below, another model far above."""


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
    degrees_of_freedom : int
        That the temperature refers to: without those held by constraints, and without the
        overall translation and rotation that stay zero.
    temperature_K, potential_energy_eV : Estimate
        Averages over the whole log with block-averaged errors.
    drift_meV_per_atom_per_ps : float
        Slope of the conserved quantity by least squares; nan for Langevin dynamics, which has
        none, and for fewer than two log lines.
    wall_time_s, steps_per_second, ns_per_day : float
    notes : tuple of str
        What was done to the structure before the first step, and at restarts.
    files : RunFiles
    """

    atoms: Atoms
    settings: DynamicsSettings
    steps: int
    stopped: str | None
    degrees_of_freedom: int
    temperature_K: Estimate
    potential_energy_eV: Estimate
    drift_meV_per_atom_per_ps: float
    wall_time_s: float
    steps_per_second: float
    ns_per_day: float
    notes: tuple[str, ...]
    provenance: Mapping[str, object]
    calculator: Mapping[str, object]
    files: RunFiles

    @property
    def time_ps(self) -> float:
        return self.steps * self.settings.timestep_fs * 1e-3

    @cached_property
    def series(self) -> ThermodynamicSeries:
        """The thermodynamic log of the whole run."""
        return read_log(self.files.log)

    def summary(self) -> dict[str, object]:
        """What the summary file says."""
        return {
            "task": "molecular dynamics",
            "input": {
                "structure": reporting.describe_structure(self.atoms),
                "calculator": self.calculator,
                "settings": self.settings,
                "provenance": self.provenance,
            },
            "notes": self.notes,
            "results": {
                "stopped": self.stopped,
                "steps": self.steps,
                "time_ps": self.time_ps,
                "degrees_of_freedom": self.degrees_of_freedom,
                "temperature_K": self.temperature_K,
                "potential_energy_eV": self.potential_energy_eV,
                "drift_of_conserved_quantity_meV_per_atom_per_ps": self.drift_meV_per_atom_per_ps,
                "wall_time_s": self.wall_time_s,
                "steps_per_second": self.steps_per_second,
                "ns_per_day": self.ns_per_day,
            },
            "files": self.files.as_summary(),
        }


def run_dynamics(
    atoms: Atoms,
    *,
    ensemble: str = DynamicsSettings.ensemble,
    temperature_K: float | None = None,
    timestep_fs: float = DynamicsSettings.timestep_fs,
    steps: int = DynamicsSettings.steps,
    thermostat_time_fs: float = DynamicsSettings.thermostat_time_fs,
    seed: int = DynamicsSettings.seed,
    output: str | Path = "md",
    trajectory_stride: int = DynamicsSettings.trajectory_stride,
    log_stride: int = DynamicsSettings.log_stride,
    checkpoint_stride: int = DynamicsSettings.checkpoint_stride,
    max_temperature_K: float = DynamicsSettings.max_temperature_K,
    overwrite: bool = False,
    quiet: bool = False,
    provenance: Mapping[str, object] | None = None,
) -> DynamicsResult:
    """Run molecular dynamics and write trajectory, log, checkpoint, summary and figure.

    A structure without velocities is given Maxwell–Boltzmann ones. A structure without
    constraints keeps its centre of mass; if it is isolated (no periodic direction), drawn
    velocities have no overall rotation either. The temperature counts the degrees of freedom
    that remain.

    Parameters
    ----------
    atoms : Atoms
        With a calculator. Not changed; the moved atoms are in the result.
    ensemble, temperature_K, timestep_fs, steps, thermostat_time_fs, seed, trajectory_stride, \
    log_stride, checkpoint_stride, max_temperature_K
        See :class:`DynamicsSettings`.
    output : str or Path
        Stem of the files: ``<output>.traj``, ``.log``, ``.checkpoint``, ``-summary.yml`` and
        ``.png``.
    overwrite : bool
        Allow an earlier run of that name to be replaced.
    quiet : bool
        Print nothing.
    provenance : mapping, optional
        Where structure and calculator came from (plain values); recorded in summary and
        checkpoint.

    Returns
    -------
    DynamicsResult
        Its `stopped` says so if energy or forces ceased to be finite, the temperature exploded,
        or Ctrl-C (or SIGTERM) was received; everything written until then is kept.

    Raises
    ------
    ValueError
        If settings or structure cannot be simulated; nothing has been written then.
    FileExistsError
        If a run of that name exists and `overwrite` is false.

    Notes
    -----
    An error the calculator raises on the way ends the run in the same good order and is then
    raised again.
    """
    settings = DynamicsSettings(
        ensemble=ensemble,
        temperature_K=temperature_K,
        timestep_fs=timestep_fs,
        steps=steps,
        thermostat_time_fs=thermostat_time_fs,
        seed=seed,
        trajectory_stride=trajectory_stride,
        log_stride=log_stride,
        checkpoint_stride=checkpoint_stride,
        max_temperature_K=max_temperature_K,
    )
    check_structure(atoms)
    rng = np.random.default_rng(settings.seed)
    start = prepare_motion(
        atoms, settings.temperature_K, rng, rotation_is_conserved=ensemble != "nvt-langevin"
    )
    if ensemble != "nve" and not np.any(start.atoms.get_momenta()):
        raise ValueError("all velocities are zero under the given constraints; nothing to scale")
    check_start(atoms)

    files = RunFiles(Path(output))
    files.make_room(overwrite)
    origin = Checkpoint(
        step=0,
        atoms=start.atoms,
        forces=None,
        settings=asdict(settings),
        provenance=reporting.plain(provenance or {}),
        notes=start.notes,
        model_hash=getattr(atoms.calc, "model_hash", None),
        degrees_of_freedom=start.degrees_of_freedom,
        thermostat_energy_eV=0.0,
        rng_state=rng.bit_generator.state,
        wall_time_s=0.0,
        files={},
    )
    with _Run(origin, settings, atoms.calc, files) as run:
        run.observe()
        run.save()
        return run.advance(reporting.console(quiet))


def resume_dynamics(
    output: str | Path,
    calculator: GetPropertiesMixin,
    *,
    steps: int | None = None,
    atoms: Atoms | None = None,
    quiet: bool = False,
    **expected: object,
) -> DynamicsResult:
    """Go on from the last checkpoint of a run, as if it had never stopped.

    Log and trajectory are cut back to the checkpoint first, so that no frame is lost, doubled
    or half written; the steps after it are computed again. With the same calculator on the same
    machine the trajectory is identical, bit for bit, to that of an uninterrupted run, provided
    that the calculator's ``reset()`` makes it forget everything, neighbour lists included.

    Parameters
    ----------
    output : str or Path
        Stem of the run's files.
    calculator : ASE calculator
        The same as before; recognized by its model hash and by the forces it gives.
    steps : int, optional
        A new total number of steps, to make the run longer.
    atoms : Atoms, optional
        The structure the run is believed to be of.
    quiet : bool
        Print nothing.
    **expected
        Fields of :class:`DynamicsSettings` the run is believed to have.

    Raises
    ------
    FileNotFoundError
        If there is no such run.
    ValueError
        If settings, structure or calculator are not those of the run, naming what differs, or
        if its files have been cut.
    """
    files = RunFiles(Path(output))
    checkpoint = read_checkpoint(files.checkpoint)
    settings = DynamicsSettings(**checkpoint.settings)
    _refuse_differences(files, checkpoint, settings, calculator, atoms, expected)
    if steps is not None:
        if steps < checkpoint.step:
            raise ValueError(
                f"{files.stem} is at step {checkpoint.step} already, got steps={steps}: `steps` "
                "counts from the start of the run"
            )
        settings = replace(settings, steps=steps)
    notes = [*checkpoint.notes, f"resumed at step {checkpoint.step}"]

    calculator_forces = _fresh_forces(checkpoint.atoms, calculator)
    deviation = float(np.abs(calculator_forces - checkpoint.forces).max())
    if not deviation <= SAME_MODEL_FORCES:
        raise ValueError(
            f"the calculator's forces at step {checkpoint.step} of {files.stem} differ by up to "
            f"{deviation:.3g} eV/Å from those of the run: it is another model or has other "
            "settings. Resume with the one named in the summary, or start a new run"
        )
    if deviation > 0:
        notes.append(
            f"forces at the restart differ by {deviation:.1e} eV/Å (another machine or number of "
            "threads, or a calculator whose reset() keeps something): a valid continuation, though "
            "not the identical trajectory"
        )
    rewind_file(files.trajectory, checkpoint.files["trajectory"])
    rewind_file(files.log, checkpoint.files["log"])
    checkpoint = replace(checkpoint, settings=asdict(settings), notes=tuple(notes))
    with _Run(checkpoint, settings, calculator, files) as run:
        return run.advance(reporting.console(quiet))


class _Run:
    """The moving parts of a run: made from a checkpoint, and able to make the next one."""

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
        self._degrees_of_freedom = start.degrees_of_freedom
        self.step = start.step
        self.atoms = start.atoms.copy()
        self.atoms.calc = calculator
        self._rng = np.random.default_rng()
        self._rng.bit_generator.state = start.rng_state
        self._integrator = make_integrator(
            self.atoms, settings, self._rng, start.degrees_of_freedom
        )
        if isinstance(self._integrator, Bussi):
            self._integrator.transferred_energy = start.thermostat_energy_eV
        self._observers: tuple[Observer, ...] = (
            ThermodynamicLog(files.log, settings.log_stride),
            TrajectoryFrames(
                files.trajectory, settings.trajectory_stride, self._integrator.todict()
            ),
        )

    def __enter__(self) -> _Run:
        return self

    def __exit__(self, *_: object) -> None:
        for observer in self._observers:
            observer.close()

    @property
    def _wall_time_s(self) -> float:
        return self._start.wall_time_s + perf_counter() - self._clock

    @property
    def _thermostat_energy_eV(self) -> float:
        return getattr(self._integrator, "transferred_energy", 0.0)

    def state(self) -> Thermodynamics:
        potential = self.atoms.get_potential_energy()
        kinetic = self.atoms.get_kinetic_energy()
        conserved = math.nan
        if self._settings.ensemble != "nvt-langevin":
            conserved = (potential + kinetic - self._thermostat_energy_eV) / len(self.atoms)
        return Thermodynamics(
            step=self.step,
            time_ps=self.step * self._settings.timestep_fs * 1e-3,
            potential_energy_eV=potential,
            kinetic_energy_eV=kinetic,
            total_energy_eV=potential + kinetic,
            temperature_K=2 * kinetic / (self._degrees_of_freedom * units.kB),
            conserved_eV_per_atom=conserved,
        )

    def observe(self) -> None:
        due = [observer for observer in self._observers if self.step % observer.stride == 0]
        if due:
            state = self.state()
            for observer in due:
                observer.observe(state, self.atoms)

    def save(self) -> None:
        """Write a checkpoint, and forget whatever a restart from it would not know.

        A calculator's neighbour list remembers where the atoms were some steps ago, and with it
        the order in which forces are summed. Resetting it here makes the run that goes on and
        the run that comes back compute the same bits.
        """
        checkpoint = replace(
            self._start,
            step=self.step,
            atoms=self.atoms,
            forces=_fresh_forces(self.atoms, self.atoms.calc),
            thermostat_energy_eV=self._thermostat_energy_eV,
            rng_state=self._rng.bit_generator.state,
            wall_time_s=self._wall_time_s,
            files={
                "trajectory": mark_file(self._files.trajectory),
                "log": mark_file(self._files.log),
            },
        )
        write_checkpoint(self._files.checkpoint, checkpoint)

    def advance(self, console: Console) -> DynamicsResult:
        """Step to the end, or to the reason not to."""
        for note in self._start.notes:
            console.print(note, markup=False, highlight=False, soft_wrap=True)
        try:
            stopped = self._step_on(console)
        except (ValueError, ArithmeticError, RuntimeError) as error:
            self._finish(f"step {self.step + 1}: {error}", console)
            raise
        return self._finish(stopped, console)

    def _step_on(self, console: Console) -> str | None:
        """Do the steps; return why they ended early, if they did."""
        steps, stride = self._settings.steps, self._settings.checkpoint_stride
        began, first_step, shown = perf_counter(), self.step, 0.0
        with StopRequest() as stop, reporting.progress_bar(console) as progress:
            bar = progress.add_task("dynamics", total=steps, completed=self.step, status="")
            while self.step < steps and stop.received is None:
                self._integrator.step()
                problem = self._unphysical()
                if problem is not None:
                    return f"step {self.step + 1}: {problem}"
                self.step += 1
                self.observe()
                if self.step % stride == 0 or self.step == steps:
                    self.save()
                if perf_counter() - shown > 0.2:
                    shown = perf_counter()
                    state = self.state()
                    rate = (self.step - first_step) / (shown - began)
                    progress.update(
                        bar,
                        completed=self.step,
                        status=f"T {state.temperature_K:.0f} K, "
                        f"E {state.potential_energy_eV:.4f} eV, {rate:.3g} steps/s",
                    )
        # No checkpoint here: at a step of chance it would reset the calculator where the
        # uninterrupted run does not. The few steps since the last one are computed again.
        if self.step < steps:
            return f"{stop.received} received after step {self.step}"
        return None

    def _unphysical(self) -> str | None:
        # Forces that are not finite show in the velocities at once. Each question to the
        # calculator costs a comparison of all atoms, so at every step there is only one.
        temperature = 2 * self.atoms.get_kinetic_energy() / (self._degrees_of_freedom * units.kB)
        limit = self._settings.max_temperature_K
        if np.isfinite(self.atoms.get_potential_energy()) and temperature <= limit:
            return None
        return not_finite(self.atoms) or (
            f"the temperature, {temperature:.4g} K, exceeds max_temperature_K = {limit:g} K: the "
            "time step is too long, or the atoms are where the calculator was never meant to be"
        )

    def _finish(self, stopped: str | None, console: Console) -> DynamicsResult:
        """Turn the log into a result; write summary and figure, and tell."""
        wall_time_s = self._wall_time_s
        series = read_log(self._files.log)
        steps_per_second = self.step / wall_time_s
        result = DynamicsResult(
            atoms=without_held_center(self.atoms),
            settings=self._settings,
            steps=self.step,
            stopped=stopped,
            degrees_of_freedom=self._degrees_of_freedom,
            temperature_K=reporting.block_average(series.temperature_K),
            potential_energy_eV=reporting.block_average(series.potential_energy_eV),
            drift_meV_per_atom_per_ps=_drift(series),
            wall_time_s=wall_time_s,
            steps_per_second=steps_per_second,
            ns_per_day=steps_per_second * 86_400 * self._settings.timestep_fs * 1e-6,
            notes=self._start.notes,
            provenance=self._start.provenance,
            calculator=reporting.describe_calculator(self.atoms.calc),
            files=self._files,
        )
        _draw(self._files.figure, series)
        reporting.write_summary(self._files.summary, result.summary())
        _tell(console, result)
        return result


def _fresh_forces(atoms: Atoms, calculator: GetPropertiesMixin) -> np.ndarray:
    """(N, 3) forces in eV/Å from a calculator that remembers nothing; no constraint applied."""
    if hasattr(calculator, "reset"):
        calculator.reset()
    return calculator.get_forces(atoms)


def _drift(series: ThermodynamicSeries) -> float:
    """Slope of the conserved quantity in meV/atom/ps; nan where there is none."""
    if len(series.step) < 2 or not np.isfinite(series.conserved_eV_per_atom).all():
        return math.nan
    change = series.conserved_eV_per_atom - series.conserved_eV_per_atom[0]
    return 1e3 * float(np.polyfit(series.time_ps, change, 1)[0])


def _refuse_differences(
    files: RunFiles,
    checkpoint: Checkpoint,
    settings: DynamicsSettings,
    calculator: GetPropertiesMixin,
    atoms: Atoms | None,
    expected: Mapping[str, object],
) -> None:
    unknown = set(expected) - {field.name for field in fields(DynamicsSettings)}
    if unknown:
        raise ValueError(f"no such settings of a run: {', '.join(sorted(unknown))}")
    differences = [
        f"{name} is {getattr(settings, name)!r}, given {value!r}"
        for name, value in expected.items()
        if getattr(settings, name) != value
    ]
    model_hash = getattr(calculator, "model_hash", None)
    if model_hash != checkpoint.model_hash:
        differences.append(f"model hash is {checkpoint.model_hash}, given {model_hash}")
    if atoms is not None:
        differences += structural_differences(checkpoint.atoms, atoms)
    if differences:
        raise ValueError(
            f"the run {files.stem} is another one: {'; '.join(differences)}. Leave out what "
            "should stay as it was, or start a new run with another output"
        )


def _draw(path: Path, series: ThermodynamicSeries) -> None:
    conserved = 1e3 * (series.conserved_eV_per_atom - series.conserved_eV_per_atom[0])
    energies = {
        "potential": series.potential_energy_eV - series.potential_energy_eV[0],
        "total": series.total_energy_eV - series.total_energy_eV[0],
    }
    reporting.save_figure(
        path,
        series.time_ps,
        "time (ps)",
        (
            Panel("temperature (K)", {"temperature": series.temperature_K}),
            Panel("energy − start (eV)", energies),
            Panel("conserved − start\n(meV/atom)", {"conserved": conserved}),
        ),
    )


def _tell(console: Console, result: DynamicsResult) -> None:
    rows = {
        "steps": f"{result.steps} of {result.settings.steps} ({result.time_ps:g} ps)",
        "temperature (K)": result.temperature_K,
        "potential energy (eV)": result.potential_energy_eV,
        "drift (meV/atom/ps)": result.drift_meV_per_atom_per_ps,
        "speed (steps/s)": result.steps_per_second,
        "speed (ns/day)": result.ns_per_day,
    }
    if math.isnan(result.drift_meV_per_atom_per_ps):
        del rows["drift (meV/atom/ps)"]
    console.print(reporting.results_table(str(result.files.stem), rows))
    if result.stopped is not None:
        console.print(f"Stopped: {result.stopped}", style="bold red", markup=False)
        console.print(f"Go on with: {_resume_command(result)}", markup=False, soft_wrap=True)


def _resume_command(result: DynamicsResult) -> str:
    if "model" in result.provenance:
        return f"ase-les md --resume {shlex.quote(str(result.files.stem))}"
    return f'resume_dynamics("{result.files.stem}", calculator)'
