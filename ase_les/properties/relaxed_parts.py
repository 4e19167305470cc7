"""Relaxation as part of a larger calculation, continued if it was interrupted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ase import Atoms

from ase_les.runs.output import RunFiles
from ase_les.runs.progress import NO_PROGRESS, Progress
from ase_les.simulation import RelaxationSettings, relax, resume_relaxation
from ase_les.simulation.relaxation_result import RelaxationResult

OnResult = Callable[[RelaxationResult], object]


def relax_or_resume(
    atoms: Atoms,
    stem: Path,
    settings: RelaxationSettings | None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress = NO_PROGRESS,
    on_result: OnResult | None = None,
    provenance: Mapping[str, object] | None = None,
) -> tuple[Atoms, bool, str | None]:
    """Relax a structure, or continue its relaxation from the last checkpoint.

    Parameters
    ----------
    atoms : ase.Atoms
        With a calculator.
    stem : Path
        Stem of the files of the relaxation.
    settings : RelaxationSettings or None
        None: no relaxation.
    resume : bool
        Continue from the checkpoint, if there is one.
    overwrite : bool
        Replace the files of an earlier relaxation.
    on_result : callable, optional
        Called with the result of the relaxation.
    provenance : mapping, optional
        Origin of structure and calculator. Its entry `structure` is omitted, since it
        does not describe `atoms`.

    Returns
    -------
    (ase.Atoms, bool, str or None)
        Relaxed structure with its calculator, whether it converged, and why it was stopped.
    """
    if settings is None:
        return atoms, True, None
    # The caller has already checked the limits of the model.
    settings = replace(settings, beyond_limits=True)
    if resume and RunFiles(stem).checkpoint.exists():
        expected: dict[str, Any] = {**asdict(settings), "atoms": atoms}
        result = resume_relaxation(stem, atoms.calc, progress=progress, **expected)
    else:
        origin = {name: value for name, value in (provenance or {}).items() if name != "structure"}
        chosen: dict[str, Any] = asdict(settings)
        result = relax(
            atoms,
            output=stem,
            overwrite=overwrite or resume,
            progress=progress,
            provenance=origin,
            **chosen,
        )
    if on_result is not None:
        on_result(result)
    end = result.atoms
    end.calc = atoms.calc
    stopped = result.stopped
    if result.interrupted:
        stopped = f"{stopped}; continue with resume (--resume)"
    return end, result.converged, stopped


def refuse_variable_cell(settings: RelaxationSettings | None) -> None:
    """Refuse settings that relax the cell."""
    if settings is not None and settings.cell != "fixed":
        raise ValueError(
            "slabs keep the cell of the bulk: the relaxation needs cell='fixed', got "
            f"{settings.cell!r}"
        )
