"""Relaxation of atoms, and of the cell if asked, to a minimum of the energy.

Optimizers, filters and constraints are ASE's. A relaxation can be stopped at any moment and goes
on from its last checkpoint with the steps it would have taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.abc import GetPropertiesMixin

from ase_les.reports import terminal
from ase_les.runs.growing_files import rewind_file
from ase_les.runs.output import RunFiles
from ase_les.runs.provenance import describe_structure, plain
from ase_les.simulation.checkpoint import RelaxationCheckpoint, read_relaxation_checkpoint
from ase_les.simulation.checks import (
    check_start,
    check_structure,
    restart_notes,
    structural_differences,
)
from ase_les.simulation.degrees_of_freedom import (
    atoms_held_below,
    check_cell_can_relax,
    space_group,
    with_symmetry_kept,
)
from ase_les.simulation.descent import Descent, forget, without_symmetry
from ase_les.simulation.relaxation_result import RelaxationResult, tell
from ase_les.simulation.relaxation_settings import RelaxationSettings, make_settings


def relax(
    atoms: Atoms,
    *,
    output: str | Path = "relaxed",
    overwrite: bool = False,
    quiet: bool = False,
    provenance: Mapping[str, object] | None = None,
    **settings: object,
) -> RelaxationResult:
    """Relax a structure and write trajectory, log, checkpoint, summary and convergence figure.

    Parameters
    ----------
    atoms : Atoms
        With a calculator; its constraints are obeyed. Not changed: the relaxed atoms are in the
        result and last in ``<output>.traj``.
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
    **settings
        Fields of :class:`RelaxationSettings`: `optimizer`, `fmax`, `smax_bar`, `cell`,
        `pressure_bar`, `symmetry`, `symprec_A`, `fix_below_A`, `steps`, `checkpoint_stride`.

    Returns
    -------
    RelaxationResult
        With `converged` false after `steps` steps, after Ctrl-C, when energy or forces cease to
        be finite, or when atoms fly apart or collapse.

    Raises
    ------
    ValueError
        If settings or structure are impossible; nothing has been written then.
    FileExistsError
        If a run of that name exists and `overwrite` is false.
    """
    chosen = make_settings(**settings)
    run = begin(atoms, chosen, RunFiles(Path(output)), overwrite, provenance)
    console = terminal.console(quiet)
    result = run.descend(console)
    tell(console, result)
    return result


def resume_relaxation(
    output: str | Path,
    calculator: GetPropertiesMixin,
    *,
    steps: int | None = None,
    atoms: Atoms | None = None,
    quiet: bool = False,
    **expected: object,
) -> RelaxationResult:
    """Go on from the last checkpoint of a relaxation, as if it had never stopped.

    Log and trajectory are cut back to the checkpoint; the steps after it are computed again. With
    the same calculator on the same machine the steps are identical, bit for bit, to those of an
    uninterrupted run, provided that the calculator's ``reset()`` makes it forget everything.

    Parameters
    ----------
    output : str or Path
        Stem of the run's files.
    calculator : ASE calculator
        The same as before; recognized by its model hash and by the forces it gives.
    steps : int, optional
        A new number of most steps, counted from the start of the run.
    atoms : Atoms, optional
        The structure the run is believed to be of.
    quiet : bool
        Print nothing.
    **expected
        Fields of :class:`RelaxationSettings` the run is believed to have.

    Raises
    ------
    FileNotFoundError
        If there is no such run.
    ValueError
        If settings, structure or calculator are not those of the run, naming what differs, or
        if its files have been cut.
    """
    run = come_back(RunFiles(Path(output)), calculator, steps, atoms, expected)
    console = terminal.console(quiet)
    result = run.descend(console)
    tell(console, result)
    return result


def begin(
    atoms: Atoms,
    settings: RelaxationSettings,
    files: RunFiles,
    overwrite: bool,
    provenance: Mapping[str, object] | None,
) -> Descent:
    """Check everything, make room for the files, and stand before the first step."""
    check_structure(atoms)
    moving, notes = _prepared(atoms, settings)
    check_cell_can_relax(moving, settings.cell)
    # Whatever the calculator remembers of other structures must not decide any digit.
    forget(moving.calc)
    check_start(moving)
    origin = RelaxationCheckpoint(
        step=0,
        atoms=without_symmetry(moving),
        forces=moving.get_forces(apply_constraint=False),
        start_positions=moving.positions.copy(),
        start_cell=moving.cell.array.copy(),
        start_energy_eV=float(moving.get_potential_energy()),
        optimizer={},
        settings=asdict(settings),
        provenance=plain(provenance or {}),
        structure=plain(describe_structure(atoms)),
        notes=notes,
        model_hash=getattr(atoms.calc, "model_hash", None),
        wall_time_s=0.0,
        files={},
    )
    files.prepare_run(overwrite)
    return Descent(origin, settings, moving, files)


def come_back(
    files: RunFiles,
    calculator: GetPropertiesMixin,
    steps: int | None,
    atoms: Atoms | None,
    expected: Mapping[str, object],
) -> Descent:
    """Stand where the last checkpoint was written."""
    checkpoint = read_relaxation_checkpoint(files.checkpoint)
    settings = RelaxationSettings(**checkpoint.settings)
    _refuse_differences(files, checkpoint, settings, calculator, atoms, expected)
    if steps is not None:
        if steps < checkpoint.step:
            raise ValueError(
                f"{files.stem} is at step {checkpoint.step} already, got steps={steps}: `steps` "
                "counts from the start of the run"
            )
        settings = replace(settings, steps=steps)
    moving = checkpoint.atoms.copy()
    if settings.symmetry:
        start = checkpoint.atoms.copy()
        start.set_cell(checkpoint.start_cell)
        start.arrays["positions"] = checkpoint.start_positions.copy()
        kept = with_symmetry_kept(start, settings.symprec_A)
        moving.set_constraint(kept.constraints)
    moving.calc = calculator
    forget(calculator)
    forces = moving.get_forces(apply_constraint=False)
    notes = [
        *checkpoint.notes,
        f"resumed at step {checkpoint.step}",
        *restart_notes(f"step {checkpoint.step} of {files.stem}", forces, checkpoint.forces),
    ]
    rewind_file(files.trajectory, checkpoint.files["trajectory"])
    rewind_file(files.log, checkpoint.files["log"])
    here = replace(checkpoint, settings=asdict(settings), notes=tuple(notes))
    return Descent(here, settings, moving, files)


def _prepared(atoms: Atoms, settings: RelaxationSettings) -> tuple[Atoms, tuple[str, ...]]:
    """A copy with calculator, held atoms and symmetry, and what was done to it."""
    moving = atoms.copy()
    notes = []
    if settings.fix_below_A is not None:
        held = atoms_held_below(atoms, settings.fix_below_A)
        count = len(held.constraints[-1].index)
        notes.append(
            f"{count} of {len(atoms)} atoms held, those with z below {settings.fix_below_A:g} Å"
        )
        moving = held
    if settings.symmetry:
        symmetric = with_symmetry_kept(moving, settings.symprec_A)
        shift = float(np.linalg.norm(symmetric.positions - atoms.positions, axis=1).max())
        group = space_group(symmetric, settings.symprec_A)
        notes.append(f"space group {group} kept; atoms moved by up to {shift:.2g} Å into it")
        moving = symmetric
    moving.calc = atoms.calc
    return moving, tuple(notes)


def _refuse_differences(
    files: RunFiles,
    checkpoint: RelaxationCheckpoint,
    settings: RelaxationSettings,
    calculator: GetPropertiesMixin,
    atoms: Atoms | None,
    expected: Mapping[str, object],
) -> None:
    make_settings(**expected)
    differences = [
        f"{name} is {getattr(settings, name)!r}, given {value!r}"
        for name, value in expected.items()
        if getattr(settings, name) != value
    ]
    model_hash = getattr(calculator, "model_hash", None)
    if model_hash != checkpoint.model_hash:
        differences.append(f"model hash is {checkpoint.model_hash}, given {model_hash}")
    if atoms is not None:
        start = checkpoint.atoms.copy()
        start.set_cell(checkpoint.start_cell)
        if settings.symmetry and np.allclose(start.cell, atoms.cell, atol=settings.symprec_A):
            # The run made the cell symmetric before it began.
            start.set_cell(atoms.cell)
        differences += structural_differences(start, atoms)
    if differences:
        raise ValueError(
            f"the run {files.stem} is another one: {'; '.join(differences)}. Leave out what "
            "should stay as it was, or start a new run with another output"
        )
