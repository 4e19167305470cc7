"""Relaxation as a part of a larger calculation: whatever is settled is not computed again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from ase import Atoms
from rich.console import Console

from ase_les.reports import relaxation as report
from ase_les.reports import terminal
from ase_les.runs.output import RunFiles
from ase_les.simulation import RelaxationSettings, relax, resume_relaxation


def settled(
    atoms: Atoms,
    stem: Path,
    settings: RelaxationSettings | None,
    resume: bool,
    quiet: bool,
    provenance: Mapping[str, object] | None,
) -> tuple[Atoms, bool, str | None]:
    """Relaxed atoms with their calculator, whether it converged, and why it was stopped.

    Of the `provenance` all but the structure is that of the relaxation, too.
    """
    if settings is None:
        return atoms, True, None
    progress = terminal.TerminalProgress(quiet)
    if resume and RunFiles(stem).checkpoint.exists():
        expected = {**asdict(settings), "atoms": atoms}
        result = resume_relaxation(stem, atoms.calc, progress=progress, **expected)
    else:
        origin = {name: said for name, said in (provenance or {}).items() if name != "structure"}
        files = {"output": stem, "overwrite": resume, "progress": progress}
        result = relax(atoms, **asdict(settings), **files, provenance=origin)
    report.write(result)
    report.show(result, quiet)
    end = result.atoms
    end.calc = atoms.calc
    stopped = result.stopped
    if result.interrupted:
        stopped = f"{stopped}; go on with resume (--resume)"
    return end, result.converged, stopped


def refuse_cell(settings: RelaxationSettings | None) -> None:
    if settings is not None and settings.cell != "fixed":
        raise ValueError(f"slabs keep the cell of the bulk: cell='fixed', got {settings.cell!r}")


def tell(
    console: Console,
    files: RunFiles,
    rows: Mapping[str, object],
    notes: Sequence[str],
    converged: bool,
) -> None:
    console.print(terminal.results_table(str(files.stem), rows))
    for note in notes:
        console.print(f"Note: {note}", markup=False, highlight=False, soft_wrap=True)
    if not converged:
        console.print(
            "NOT CONVERGED: go on with resume and more steps (--resume, --steps)",
            style="bold red",
            markup=False,
        )
