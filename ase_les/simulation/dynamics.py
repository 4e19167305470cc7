"""Molecular dynamics with exact restarts.

The integrators are ASE's. A run is a sequence of checkpoints with steps between them; a new run
continues from its state at step 0. Starting and resuming use the same code and give bitwise
identical trajectories.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.abc import GetPropertiesMixin

from ase_les.arguments import settings_of
from ase_les.calculator_extensions import (
    fresh_forces,
    get_field,
    has_field,
    model_hash,
    set_field,
    supported_properties,
    supports,
)
from ase_les.model_limits import CONSTANT_PRESSURE, check_limits
from ase_les.runs.growing_files import GrowingFile
from ase_les.runs.lock import OutputLock
from ase_les.runs.output import RunFiles, replace_file
from ase_les.runs.progress import NO_PROGRESS, Progress
from ase_les.runs.provenance import plain_mapping
from ase_les.simulation.alarms import make_limits
from ase_les.simulation.checkpoint import Checkpoint, packed, read_checkpoint, write_checkpoint
from ase_les.simulation.checks import (
    check_start,
    check_structure,
    refuse_other_run,
    restart_notes,
    sampling_notes,
    size_notes,
    structural_differences,
    unit_notes,
)
from ase_les.simulation.dynamics_result import DynamicsResult
from ase_les.simulation.dynamics_run import DynamicsRun, rewind_files
from ase_les.simulation.ensembles import DynamicsSettings, Stage
from ase_les.simulation.integrators import make_integrator
from ase_les.simulation.measuring import check_observable
from ase_les.simulation.observers import last_logged_step
from ase_les.simulation.velocities import Start, prepare_motion


def run_dynamics(
    atoms: Atoms,
    *,
    output: str | Path = "md",
    stages: Sequence[Stage | Mapping] = (),
    overwrite: bool = False,
    progress: Progress = NO_PROGRESS,
    provenance: Mapping[str, object] | None = None,
    **settings: Any,
) -> DynamicsResult:
    """Run molecular dynamics and write trajectory, log, checkpoint and observables.

    A structure without velocities is given velocities of the Maxwell–Boltzmann distribution. In a
    structure without constraints, the center of mass is fixed; if it is isolated (no periodic
    direction), drawn velocities have no overall rotation either. The temperature is defined by the
    remaining degrees of freedom.

    Summary and figures are written by :func:`ase_les.reports.dynamics.write`.

    Parameters
    ----------
    atoms : Atoms
        With a calculator. Not modified; the final state is in the result.
    output : str or Path
        Stem of the files: ``<output>.traj``, ``.log``, ``.checkpoint``, and observables such as
        ``-current.npz``.
    stages : sequence of Stage or mapping
        Parts of the run in order. Fields that a stage does not set are taken from the settings.
    overwrite : bool
        Replace an earlier run of the same output.
    provenance : mapping, optional
        Origin of structure and calculator (plain values), recorded in summary and checkpoint.
    **settings
        Fields of :class:`DynamicsSettings`: ``ensemble``, ``temperature_K``, ``timestep_fs``,
        ``steps``, ``seed``, ``observe`` …

    Returns
    -------
    DynamicsResult
        Its `stopped` is not None if energy or forces are not finite, an alarm stopped the run, or
        Ctrl-C or SIGTERM was received; all files written until then are kept.

    Raises
    ------
    ValueError
        If settings or structure cannot be simulated; nothing has been written.
    FileExistsError
        If a run of the same output exists and `overwrite` is false.
    OutputInUseError
        If a different process uses the output.
    DynamicsError
        If the calculator fails during the run; contains the result up to the failure.

    Examples
    --------
    >>> from ase_les.reports import dynamics as report
    >>> from ase_les.simulation import Stage, run_dynamics
    >>> result = run_dynamics(atoms, timestep_fs=0.5, stages=[
    ...     Stage("heat", 2000, "nvt-langevin", temperature_K=(50, 300)),
    ...     Stage("produce", 40000, "nvt-bussi", temperature_K=300, observe=["current"]),
    ... ])  # doctest: +SKIP
    >>> report.write(result)  # doctest: +SKIP
    """
    chosen = settings_of(DynamicsSettings, {**settings, "stages": stages}, "dynamics")
    check_structure(atoms)
    first = chosen.protocol[0].targets(0.0)
    rng = np.random.default_rng(chosen.seed)
    start = prepare_motion(
        atoms,
        first.temperature_K,
        rng,
        rotation_is_conserved=all(stage.ensemble != "nvt-langevin" for stage in chosen.protocol),
    )
    _check_protocol(atoms, start, chosen)
    limits = _check_limits(atoms, chosen)
    if first.field_V_per_A is not None:
        set_field(atoms.calc, first.field_V_per_A)
    check_start(atoms)
    problem = make_limits(chosen, atoms.calc).check_structure(atoms)
    if problem is not None:
        raise ValueError(f"the given structure would stop the run immediately: {problem}")

    origin = Checkpoint(
        step=0,
        atoms=start.atoms,
        forces=fresh_forces(start.atoms, atoms.calc),
        field_V_per_A=get_field(atoms.calc),
        settings=plain_mapping(asdict(chosen)),
        provenance=plain_mapping(provenance or {}),
        notes=(
            *start.notes,
            *size_notes(atoms),
            *unit_notes(chosen),
            *sampling_notes(atoms, chosen),
            *limits,
        ),
        model_hash=model_hash(atoms.calc),
        degrees_of_freedom=start.degrees_of_freedom,
        stage=0,
        integrator={},
        observers={},
        rng_state=rng.bit_generator.state,
        wall_time_s=0.0,
        files={},
    )
    content = packed(origin)
    files = RunFiles(Path(output))
    files.stem.parent.mkdir(parents=True, exist_ok=True)
    with OutputLock(files.stem) as lock:
        files.prepare_run(overwrite)
        # Written before any other file: a killed run can be resumed, or has left no files.
        replace_file(files.checkpoint, content)
        with DynamicsRun(origin, chosen, atoms.calc, files, progress, lock) as run:
            return run.advance()


def resume_dynamics(
    output: str | Path,
    calculator: GetPropertiesMixin,
    *,
    steps: int | None = None,
    atoms: Atoms | None = None,
    progress: Progress = NO_PROGRESS,
    **expected: Any,
) -> DynamicsResult:
    """Continue a run from its last checkpoint as if it had not been interrupted.

    All growing files are rewound to the checkpoint, so that no frame is lost, repeated or
    incomplete; the steps after it are computed again. With the same calculator on the same machine
    the trajectory is bitwise identical to that of an uninterrupted run, provided that the
    calculator's ``reset()`` discards its history, including neighbor lists.

    Parameters
    ----------
    output : str or Path
        Stem of the files of the run.
    calculator : ASE calculator
        The same as before, verified by its model hash and forces.
    steps : int, optional
        New total number of steps.
    atoms : Atoms, optional
        Expected structure (checked).
    **expected
        Expected settings, fields of :class:`DynamicsSettings` (checked).

    Raises
    ------
    FileNotFoundError
        If there is no such run.
    ValueError
        If settings, structure or calculator differ from those of the run, or if its files have
        been changed.
    OutputInUseError
        If a different process uses the output.
    DynamicsError
        See :func:`run_dynamics`.
    """
    files = RunFiles(Path(output))
    with OutputLock(files.stem) as lock:
        start, settings, growing = _restored(files, calculator, steps, atoms, expected)
        with DynamicsRun(start, settings, calculator, files, progress, lock, growing) as run:
            return run.advance()


def _restored(
    files: RunFiles,
    calculator: GetPropertiesMixin,
    steps: int | None,
    atoms: Atoms | None,
    expected: Mapping[str, Any],
) -> tuple[Checkpoint, DynamicsSettings, dict[str, GrowingFile]]:
    """Return checkpoint, settings and rewound files of a run to resume."""
    checkpoint = read_checkpoint(files.checkpoint)
    settings = DynamicsSettings(**checkpoint.settings)
    structural = [] if atoms is None else structural_differences(checkpoint.atoms, atoms)
    refuse_other_run(files.stem, settings, expected, calculator, checkpoint.model_hash, structural)
    if steps is not None:
        completed = _completed_steps(files, checkpoint)
        if steps < completed:
            raise ValueError(
                f"{files.stem} is already at step {completed}, got steps={steps}: `steps` is the "
                "total number of steps of the run"
            )
        settings = settings.lengthened(steps)
    notes = [*checkpoint.notes, f"resumed at step {checkpoint.step}"]

    if checkpoint.field_V_per_A is not None and has_field(calculator):
        set_field(calculator, checkpoint.field_V_per_A)
    forces = fresh_forces(checkpoint.atoms, calculator)
    notes += restart_notes(f"step {checkpoint.step} of {files.stem}", forces, checkpoint.forces)
    growing = rewind_files(files, settings, checkpoint)
    start = replace(checkpoint, settings=plain_mapping(asdict(settings)), notes=tuple(notes))
    if start.settings != checkpoint.settings:
        # The next checkpoint may be many steps away: store the new number of steps now.
        write_checkpoint(files.checkpoint, start)
    return start, settings, growing


def _completed_steps(files: RunFiles, checkpoint: Checkpoint) -> int:
    """Return the last step in checkpoint or log."""
    return max(checkpoint.step, last_logged_step(files.log))


def _check_protocol(atoms: Atoms, start: Start, settings: DynamicsSettings) -> None:
    """Check that all stages can be started with these atoms and this calculator."""
    calculator, name = atoms.calc, type(atoms.calc).__name__
    for stage in settings.protocol:
        if stage.ensemble != "nve" and not np.any(start.atoms.get_momenta()):
            raise ValueError(
                "all velocities are zero under the given constraints; there is nothing for a "
                "thermostat to scale"
            )
        if stage.barostatted and not supports(calculator, "stress"):
            raise ValueError(
                f"'{stage.ensemble}' needs the stress, which {name} does not provide; use a "
                "constant-volume ensemble"
            )
        if stage.field_V_per_A is not None and not has_field(calculator):
            raise ValueError(
                f"`field_V_per_A` needs a calculator with an attribute of that name, such as "
                f"LESCalculator; {name} has none"
            )
        make_integrator(
            start.atoms.copy(),
            stage,
            settings.timestep_fs,
            np.random.default_rng(),
            start.degrees_of_freedom,
        )
    for observable, options in settings.observed.items():
        check_observable(observable, options, atoms, settings.timestep_fs)
    for each in settings.trajectory_properties or ():
        if not supports(calculator, each):
            raise ValueError(
                f"`trajectory_properties`: {name} does not provide '{each}' for this model, only "
                f"{', '.join(supported_properties(calculator))}"
            )


def _check_limits(atoms: Atoms, settings: DynamicsSettings) -> tuple[str, ...]:
    """Return notes on the limits of the model; raise an error if the protocol exceeds them."""
    protocol = settings.protocol
    given = [stage.temperature_K for stage in protocol if stage.temperature_K is not None]
    return check_limits(
        atoms.calc,
        atoms,
        uses=(CONSTANT_PRESSURE,) if any(stage.barostatted for stage in protocol) else (),
        temperatures_K=[float(each) for ends in given for each in np.ravel(ends)],
        beyond_limits=settings.beyond_limits,
    )
