"""Molecular dynamics that can be stopped at any moment and goes on unchanged.

The integrators are ASE's. A run is a sequence of checkpoints with steps between them; a new run
is the continuation of its checkpoint at step 0, so that starting and resuming are the same code
and give the same trajectory, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.abc import GetPropertiesMixin

from ase_les.reports import terminal
from ase_les.runs.output import RunFiles, replace_file
from ase_les.runs.provenance import plain
from ase_les.simulation.alarms import make_limits, model_card
from ase_les.simulation.checkpoint import Checkpoint, packed, read_checkpoint
from ase_les.simulation.checks import (
    check_start,
    check_structure,
    restart_notes,
    sampling_notes,
    size_notes,
    structural_differences,
)
from ase_les.simulation.dynamics_result import DynamicsResult
from ase_les.simulation.ensembles import DynamicsSettings, Stage
from ase_les.simulation.integrators import make_integrator
from ase_les.simulation.measuring import check_observable
from ase_les.simulation.run import Run, fresh_forces, rewind_files, set_field
from ase_les.simulation.velocities import Start, prepare_motion


def run_dynamics(
    atoms: Atoms,
    *,
    output: str | Path = "md",
    stages: Sequence[Stage | Mapping] = (),
    overwrite: bool = False,
    quiet: bool = False,
    provenance: Mapping[str, object] | None = None,
    **settings: object,
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
    output : str or Path
        Stem of the files: ``<output>.traj``, ``.log``, ``.checkpoint``, ``-summary.yml``,
        ``.png``, and what is observed, such as ``-current.npz``.
    stages : sequence of Stage or mapping
        Parts of the run, one after another. What a stage leaves open is as in the settings.
    overwrite : bool
        Allow an earlier run of that name to be replaced.
    quiet : bool
        Print nothing.
    provenance : mapping, optional
        Where structure and calculator came from (plain values); recorded in summary and
        checkpoint.
    **settings
        The fields of :class:`DynamicsSettings`: ``ensemble``, ``temperature_K``,
        ``timestep_fs``, ``steps``, ``seed``, ``observe`` …

    Returns
    -------
    DynamicsResult
        Its `stopped` says so if energy or forces ceased to be finite, an alarm went off,
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

    Examples
    --------
    >>> from ase_les.simulation import Stage, run_dynamics
    >>> run_dynamics(atoms, timestep_fs=0.5, stages=[
    ...     Stage("heat", 2000, "nvt-langevin", temperature_K=(50, 300)),
    ...     Stage("produce", 40000, "nvt-bussi", temperature_K=300, observe=["current"]),
    ... ])  # doctest: +SKIP
    """
    settings = _settings_of({**settings, "stages": stages})
    check_structure(atoms)
    first = settings.protocol[0].targets(0.0)
    rng = np.random.default_rng(settings.seed)
    start = prepare_motion(
        atoms,
        first.temperature_K,
        rng,
        rotation_is_conserved=all(stage.ensemble != "nvt-langevin" for stage in settings.protocol),
    )
    _check_protocol(atoms, start, settings)
    if first.field_V_per_A is not None:
        set_field(atoms.calc, first)
    check_start(atoms)
    problem = make_limits(settings, atoms.calc).of_structure(atoms)
    if problem is not None:
        raise ValueError(f"the given structure would raise an alarm at once: {problem}")

    origin = Checkpoint(
        step=0,
        atoms=start.atoms,
        forces=fresh_forces(start.atoms, atoms.calc),
        field_V_per_A=getattr(atoms.calc, "field_V_per_A", None),
        settings=plain(asdict(settings)),
        provenance=plain(provenance or {}),
        notes=(
            *start.notes,
            *size_notes(atoms),
            *sampling_notes(atoms, settings),
            *_card_notes(atoms, settings),
        ),
        model_hash=getattr(atoms.calc, "model_hash", None),
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
    files.prepare_run(overwrite)
    # Before any other file, so that a run killed at any moment can be resumed or is not there.
    replace_file(files.checkpoint, content)
    with Run(origin, settings, atoms.calc, files) as run:
        return run.advance(terminal.console(quiet))


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
        settings = settings.lengthened(steps)
    notes = [*checkpoint.notes, f"resumed at step {checkpoint.step}"]

    if checkpoint.field_V_per_A is not None and hasattr(calculator, "field_V_per_A"):
        calculator.field_V_per_A = checkpoint.field_V_per_A
    forces = fresh_forces(checkpoint.atoms, calculator)
    notes += restart_notes(f"step {checkpoint.step} of {files.stem}", forces, checkpoint.forces)
    rewind_files(files, settings, checkpoint)
    checkpoint = replace(checkpoint, settings=plain(asdict(settings)), notes=tuple(notes))
    with Run(checkpoint, settings, calculator, files) as run:
        return run.advance(terminal.console(quiet))


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
    given = replace(settings, **expected)
    differences = [
        f"{name} is {getattr(settings, name)!r}, given {getattr(given, name)!r}"
        for name in expected
        if getattr(settings, name) != getattr(given, name)
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


def _settings_of(given: Mapping[str, object]) -> DynamicsSettings:
    known = [field.name for field in fields(DynamicsSettings)]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise TypeError(f"run_dynamics has no setting {', '.join(unknown)}; it has {known}")
    return DynamicsSettings(**given)


def _check_protocol(atoms: Atoms, start: Start, settings: DynamicsSettings) -> None:
    """Refuse stages that could not begin, while there is still time to change them."""
    able = getattr(atoms.calc, "implemented_properties", ())
    for stage in settings.protocol:
        if stage.ensemble != "nve" and not np.any(start.atoms.get_momenta()):
            raise ValueError(
                "all velocities are zero under the given constraints; nothing to scale"
            )
        if stage.barostatted and "stress" not in able:
            raise ValueError(
                f"'{stage.ensemble}' needs the stress, which {type(atoms.calc).__name__} does not "
                "give; use a constant-volume ensemble"
            )
        if stage.field_V_per_A is not None and not hasattr(atoms.calc, "field_V_per_A"):
            raise ValueError(
                f"`field_V_per_A` needs a calculator with that attribute, which "
                f"{type(atoms.calc).__name__} has not; LESCalculator has"
            )
        moving = start.atoms.copy()
        make_integrator(
            moving, stage, settings.timestep_fs, np.random.default_rng(), start.degrees_of_freedom
        )
    for name, options in settings.observed.items():
        check_observable(name, options, atoms, settings.timestep_fs)
    for name in settings.trajectory_properties or ():
        if name not in able:
            raise ValueError(
                f"`trajectory_properties`: {type(atoms.calc).__name__} does not give '{name}' "
                f"for this model, only {', '.join(able)}"
            )


def _card_notes(atoms: Atoms, settings: DynamicsSettings) -> list[str]:
    """What the model's card has against this protocol."""
    told = str(model_card(atoms.calc).get("summary", ""))
    if "no constant pressure" in told and any(stage.barostatted for stage in settings.protocol):
        return [
            f"WARNING: the model's card says “{told}”: it has seen one density only, so that "
            "pressure, volume and compressibility of this run cannot be trusted"
        ]
    return []
