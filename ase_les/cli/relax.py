"""``ase-les relax``: relaxation of atoms and cell, of one structure or many."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ase_les.cli import _options as common
from ase_les.cli import _relaxation_options as options
from ase_les.cli._runs import ModelOptions, ResumedStem, given_settings, recorded_calculator

if TYPE_CHECKING:
    from ase_les.simulation import RelaxationBatchResult, RelaxationResult

Output = Annotated[
    str | None, typer.Option("--output", "-o", help="Stem of the files.", show_default="relaxed")
]


def relax(
    context: typer.Context,
    structure: options.Structures = None,
    model: common.Model = None,
    charge: common.Charge = None,
    every_frame: options.EveryFrame = False,
    resume: ResumedStem = None,
    optimizer: options.Optimizer = None,
    fmax: options.ForceThreshold = None,
    smax: options.StressThreshold = None,
    cell: options.Cell = None,
    pressure: options.Pressure = None,
    symmetry: options.Symmetry = None,
    symprec: options.SymmetryTolerance = None,
    fix_below: options.FixBelow = None,
    electrodes: common.Electrodes = None,
    steps: options.Steps = None,
    checkpoint_stride: options.CheckpointStride = None,
    output: Output = None,
    beyond_limits: common.BeyondLimitsOfRun = None,
    device: common.Device = None,
    dtype: common.DType = None,
    threads: common.Threads = 1,
    overwrite: common.Overwrite = False,
    config: common.Config = None,
    json: common.Json = False,
    quiet: common.Quiet = False,
) -> None:
    """Relax structures; exit code 1 if one does not converge. Ctrl-C stops after a step."""
    from ase_les.cli._calculator import set_threads
    from ase_les.reports import relaxation as report
    from ase_les.reports.terminal import TerminalProgress
    from ase_les.runs.output import summary_as_json
    from ase_les.simulation import RelaxationBatchResult

    set_threads(threads)
    given = ModelOptions(model, device, dtype, charge, electrodes)
    settings = given_settings(context, options.SETTINGS) | {"progress": TerminalProgress(quiet)}
    if resume is None:
        settings |= {"output": output or "relaxed", "overwrite": overwrite}
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
        report.show_batch(result, quiet)
    else:
        report.write(result)
        report.show(result, quiet)
    if json:
        print(summary_as_json(result.summary()))
    if not result.converged:
        if quiet:
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
