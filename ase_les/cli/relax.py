"""``ase-les relax``: relaxation of atoms and cell, of one structure or many."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ase_les.cli._groups import OnModel, with_groups
from ase_les.cli._options import Charge, Electrodes, Model, stem_option
from ase_les.cli._relaxation_options import SETTINGS, EveryFrame, RelaxationOptions, Structures
from ase_les.cli._runs import ModelOptions, ResumedStem, given_settings, recorded_calculator

if TYPE_CHECKING:
    from ase_les.simulation import RelaxationBatchResult, RelaxationResult


@with_groups
def relax(
    relaxation: RelaxationOptions,
    common: OnModel,
    structure: Structures = None,
    model: Model = None,
    charge: Charge = None,
    electrodes: Electrodes = None,
    every_frame: EveryFrame = False,
    resume: ResumedStem = None,
    output: Annotated[str | None, stem_option("relaxed")] = None,
) -> None:
    """Relax structures; exit code 1 if one does not converge. Ctrl-C stops after a step."""
    from ase_les.cli._calculator import set_threads
    from ase_les.reports import relaxation as report
    from ase_les.reports.terminal import TerminalProgress
    from ase_les.simulation import RelaxationBatchResult

    set_threads(common.threads)
    given = ModelOptions(model, common.device, common.dtype, charge, electrodes)
    settings = given_settings(relaxation, SETTINGS) | {"progress": common.progress}
    if resume is None:
        settings |= {"output": output or "relaxed", "overwrite": common.overwrite}
        result = _start(structure or [], every_frame, given, settings)
    elif structure or every_frame or output not in (None, resume):
        raise ValueError(
            f"--resume {resume} uses the structures and files of that run; remove the structures, "
            "--all and --output"
        )
    else:
        result = _resume(resume, given, settings)
    if isinstance(result, RelaxationBatchResult):
        report.write_batch(result)
        report.show_batch(result, common.quiet)
        common.print_json(result)
    else:
        common.finish(report, result)
    if not result.converged:
        if common.quiet:
            TerminalProgress().message(f"{result.files.stem}: NOT CONVERGED", warning=True)
        raise typer.Exit(1)


def _start(
    paths: list[Path], every_frame: bool, given: ModelOptions, settings: dict[str, Any]
) -> RelaxationResult | RelaxationBatchResult:
    from ase_les import simulation
    from ase_les.cli._calculator import calculated_structure, read_frames
    from ase_les.reports import relaxation as report

    atoms, provenance = calculated_structure(paths[0] if paths else None, *given)
    if len(paths) == 1 and not every_frame:
        return simulation.relax(atoms, provenance=provenance, **settings)
    if given.electrodes is not None:
        raise ValueError("--electrodes belong to one structure: relax structures one at a time")
    named = [frame for path in paths for frame in read_frames(path, every_frame, given.charge)]
    names, structures = zip(*named, strict=True)
    origin = {**provenance, "structure": [str(path) for path in paths]}
    settings |= {"names": names, "on_result": report.write, "provenance": origin}
    return simulation.relax_many(structures, atoms.calc, **settings)


def _resume(
    stem: str, given: ModelOptions, settings: dict[str, Any]
) -> RelaxationResult | RelaxationBatchResult:
    from ase.io import iread

    from ase_les import simulation
    from ase_les.cli._calculator import check_charge
    from ase_les.reports import relaxation as report
    from ase_les.runs.output import BatchFiles, RunFiles
    from ase_les.simulation.checkpoint import read_relaxation_checkpoint
    from ase_les.simulation.relaxation_batch import read_batch

    batch = BatchFiles(Path(stem))
    if batch.state.exists():
        recorded = read_batch(batch)["provenance"]
        frames = iread(batch.input, index=":", do_not_split_by_at_sign=True)
        check_charge(stem, frames, given.charge)
        calculator = recorded_calculator(stem, recorded, given)
        return simulation.resume_relaxations(stem, calculator, on_result=report.write, **settings)
    checkpoint = read_relaxation_checkpoint(RunFiles(Path(stem)).checkpoint)
    check_charge(stem, [checkpoint.atoms], given.charge)
    calculator = recorded_calculator(stem, checkpoint.provenance, given)
    return simulation.resume_relaxation(stem, calculator, **settings)
