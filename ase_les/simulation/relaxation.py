"""Relaxation of atoms, and optionally of the cell, to a minimum of the energy.

Optimizers, filters and constraints are ASE's. A relaxation can be interrupted at any time and
continues from its last checkpoint with the steps of an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.abc import GetPropertiesMixin

from ase_les.arguments import settings_of
from ase_les.calculator_extensions import model_hash, reset
from ase_les.model_limits import CONSTANT_PRESSURE, check_limits
from ase_les.runs.lock import OutputLock
from ase_les.runs.output import RunFiles
from ase_les.runs.progress import NO_PROGRESS, Progress
from ase_les.runs.provenance import describe_structure, plain_mapping
from ase_les.simulation.checkpoint import RelaxationCheckpoint, read_relaxation_checkpoint
from ase_les.simulation.checks import (
    check_start,
    check_structure,
    refuse_other_run,
    restart_notes,
    structural_differences,
)
from ase_les.simulation.degrees_of_freedom import (
    check_cell_can_relax,
    space_group,
    with_atoms_fixed_below,
    with_symmetry_constraint,
)
from ase_les.simulation.relaxation_result import RelaxationResult
from ase_les.simulation.relaxation_run import RelaxationRun, given_atoms, growing_files
from ase_les.simulation.relaxation_settings import (
    RelaxationSettings,
)


def relax(
    atoms: Atoms,
    *,
    output: str | Path = "relaxed",
    overwrite: bool = False,
    progress: Progress = NO_PROGRESS,
    provenance: Mapping[str, object] | None = None,
    **settings: Any,
) -> RelaxationResult:
    """Relax a structure and write trajectory, log and checkpoint.

    Summary and convergence figure are written by :func:`ase_les.reports.relaxation.write`.

    Parameters
    ----------
    atoms : Atoms
        With a calculator; its constraints are respected. Not modified: the relaxed structure is in
        the result and the last frame of ``<output>.traj``.
    output : str or Path
        Stem of the files: ``<output>.traj``, ``.log`` and ``.checkpoint``.
    overwrite : bool
        Replace an earlier run of the same output.
    provenance : mapping, optional
        Origin of structure and calculator (plain values), recorded in summary and checkpoint.
    **settings
        Fields of :class:`RelaxationSettings`: `optimizer`, `fmax`, `smax_bar`, `cell`,
        `pressure_bar`, `symmetry`, `symprec_A`, `fix_below_A`, `steps`, `checkpoint_stride`,
        `beyond_limits`.

    Returns
    -------
    RelaxationResult
        Its `converged` is false after the maximum number of steps, after Ctrl-C, if energy or
        forces are not finite, and if the structure disintegrates or collapses.

    Raises
    ------
    ValueError
        If settings or structure are invalid; nothing has been written.
    FileExistsError
        If a run of the same output exists and `overwrite` is false.
    OutputInUseError
        If a different process uses the output.
    """
    chosen = settings_of(RelaxationSettings, settings, "a relaxation")
    files = RunFiles(Path(output))
    run = new_run(atoms, chosen, files, provenance)
    files.stem.parent.mkdir(parents=True, exist_ok=True)
    with OutputLock(files.stem) as lock:
        files.prepare_run(overwrite)
        return run.advance(progress, lock)


def resume_relaxation(
    output: str | Path,
    calculator: GetPropertiesMixin,
    *,
    steps: int | None = None,
    atoms: Atoms | None = None,
    progress: Progress = NO_PROGRESS,
    **expected: Any,
) -> RelaxationResult:
    """Continue a relaxation from its last checkpoint as if it had not been interrupted.

    Log and trajectory are rewound to the checkpoint; the steps after it are computed again. With
    the same calculator on the same machine the steps are bitwise identical to those of an
    uninterrupted run, provided that the calculator's ``reset()`` discards its history.

    Parameters
    ----------
    output : str or Path
        Stem of the files of the run.
    calculator : ASE calculator
        The same as before, verified by its model hash and forces.
    steps : int, optional
        New maximum number of steps, counted from the start of the run.
    atoms : Atoms, optional
        Expected structure (checked).
    **expected
        Expected settings, fields of :class:`RelaxationSettings` (checked).

    Raises
    ------
    FileNotFoundError
        If there is no such run.
    ValueError
        If settings, structure or calculator differ from those of the run, or if its files have
        been changed.
    OutputInUseError
        If a different process uses the output.
    """
    files = RunFiles(Path(output))
    with OutputLock(files.stem) as lock:
        return restore_run(files, calculator, steps, atoms, expected).advance(progress, lock)


def new_run(
    atoms: Atoms,
    settings: RelaxationSettings,
    files: RunFiles,
    provenance: Mapping[str, object] | None,
) -> RelaxationRun:
    """Check the input and return a new run before its first step; write nothing."""
    check_structure(atoms)
    limits = check_limits(
        atoms.calc,
        atoms,
        uses=() if settings.cell == "fixed" else (CONSTANT_PRESSURE,),
        beyond_limits=settings.beyond_limits,
    )
    moving, notes = _prepared(atoms, settings)
    check_cell_can_relax(moving, settings.cell)
    # Results must not depend on earlier structures of the calculator.
    reset(moving.calc)
    check_start(moving)
    start = RelaxationCheckpoint(
        step=0,
        atoms=given_atoms(moving, settings),
        forces=moving.get_forces(apply_constraint=False),
        start_positions=moving.positions.copy(),
        start_cell=moving.cell.array.copy(),
        start_energy_eV=float(moving.get_potential_energy()),
        optimizer={},
        settings=plain_mapping(asdict(settings)),
        provenance=plain_mapping(provenance or {}),
        structure=plain_mapping(describe_structure(atoms)),
        notes=(*notes, *limits),
        model_hash=model_hash(atoms.calc),
        wall_time_s=0.0,
        files={},
    )
    return RelaxationRun(start, settings, moving, files)


def restore_run(
    files: RunFiles,
    calculator: GetPropertiesMixin,
    steps: int | None,
    atoms: Atoms | None,
    expected: Mapping[str, Any],
) -> RelaxationRun:
    """Return the run in the state of its last checkpoint."""
    checkpoint = read_relaxation_checkpoint(files.checkpoint)
    settings = RelaxationSettings(**checkpoint.settings)
    structural = [] if atoms is None else _structural_differences(checkpoint, settings, atoms)
    refuse_other_run(files.stem, settings, expected, calculator, checkpoint.model_hash, structural)
    if steps is not None:
        if steps < checkpoint.step:
            raise ValueError(
                f"{files.stem} is already at step {checkpoint.step}, got steps={steps}: `steps` "
                "is the maximum number of steps of the run"
            )
        settings = replace(settings, steps=steps)
    moving = checkpoint.atoms.copy()
    if settings.symmetry:
        initial = checkpoint.atoms.copy()
        initial.set_cell(checkpoint.start_cell)
        initial.arrays["positions"] = checkpoint.start_positions.copy()
        symmetric = with_symmetry_constraint(initial, settings.symprec_A)
        moving.set_constraint(symmetric.constraints)
    moving.calc = calculator
    reset(calculator)
    forces = moving.get_forces(apply_constraint=False)
    notes = [
        *checkpoint.notes,
        f"resumed at step {checkpoint.step}",
        *restart_notes(f"step {checkpoint.step} of {files.stem}", forces, checkpoint.forces),
    ]
    growing = growing_files(files)
    for name, file in growing.items():
        file.rewind(checkpoint.files[name])
    start = replace(checkpoint, settings=plain_mapping(asdict(settings)), notes=tuple(notes))
    return RelaxationRun(start, settings, moving, files, growing)


def _prepared(atoms: Atoms, settings: RelaxationSettings) -> tuple[Atoms, tuple[str, ...]]:
    """Return a copy with calculator, fixed atoms and symmetry, and notes on the changes."""
    moving = atoms.copy()
    notes = []
    if settings.fix_below_A is not None:
        moving = with_atoms_fixed_below(atoms, settings.fix_below_A)
        count = len(moving.constraints[-1].index)
        notes.append(
            f"{count} of {len(atoms)} atoms fixed, those with z below {settings.fix_below_A:g} Å"
        )
    if settings.symmetry:
        moving = with_symmetry_constraint(moving, settings.symprec_A)
        shift = float(np.linalg.norm(moving.positions - atoms.positions, axis=1).max())
        group = space_group(moving, settings.symprec_A)
        notes.append(
            f"space group {group} preserved; atoms moved by up to {shift:.2g} Å to symmetrize"
        )
    moving.calc = atoms.calc
    return moving, tuple(notes)


def _structural_differences(
    checkpoint: RelaxationCheckpoint, settings: RelaxationSettings, atoms: Atoms
) -> list[str]:
    initial = checkpoint.atoms.copy()
    initial.set_cell(checkpoint.start_cell)
    if settings.symmetry and np.allclose(initial.cell, atoms.cell, atol=settings.symprec_A):
        # The cell was symmetrized at the start of the run.
        initial.set_cell(atoms.cell)
    return structural_differences(initial, atoms)
