"""``ase-les md``: molecular dynamics, new or resumed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ase_les.cli._dynamics_options import SETTINGS, DynamicsOptions
from ase_les.cli._groups import OnModel, with_groups
from ase_les.cli._options import Charge, Electrodes, Model, Structure, stem_option
from ase_les.cli._runs import ModelOptions, ResumedStem, given_settings, recorded_calculator

if TYPE_CHECKING:
    from ase_les.simulation import DynamicsResult


@with_groups
def md(
    dynamics: DynamicsOptions,
    common: OnModel,
    structure: Structure = None,
    model: Model = None,
    charge: Charge = None,
    electrodes: Electrodes = None,
    resume: ResumedStem = None,
    output: Annotated[str | None, stem_option("md")] = None,
) -> None:
    """Run molecular dynamics with exact restarts; Ctrl-C stops the run after the current step."""
    from ase_les.cli._calculator import set_threads
    from ase_les.reports import dynamics as report
    from ase_les.simulation import DynamicsError

    set_threads(common.threads)
    given = ModelOptions(model, common.device, common.dtype, charge, electrodes)
    settings = given_settings(dynamics, SETTINGS) | {"progress": common.progress}
    try:
        if resume is None:
            settings |= {"output": output or "md", "overwrite": common.overwrite}
            result = _start(structure, given, settings)
        elif output in (None, resume):
            result = _resume(resume, structure, given, settings)
        else:
            raise ValueError(f"--resume {resume} uses the files of that run; remove --output")
    except DynamicsError as error:
        report.write(error.result)
        report.show(error.result, common.quiet)
        raise (error.__cause__ or error) from None
    common.finish(report, result)
    if result.stopped is not None:
        raise typer.Exit(1)


def _start(structure: Path | None, given: ModelOptions, settings: dict[str, Any]) -> DynamicsResult:
    from ase_les.cli._calculator import calculated_structure
    from ase_les.simulation import run_dynamics

    atoms, provenance = calculated_structure(structure, *given)
    return run_dynamics(atoms, provenance=provenance, **settings)


def _resume(
    stem: str, structure: Path | None, given: ModelOptions, settings: dict[str, Any]
) -> DynamicsResult:
    from ase_les.cli._calculator import check_charge, read_structure
    from ase_les.runs.output import RunFiles
    from ase_les.simulation import resume_dynamics
    from ase_les.simulation.checkpoint import read_checkpoint

    checkpoint = read_checkpoint(RunFiles(Path(stem)).checkpoint)
    check_charge(stem, [checkpoint.atoms], given.charge)
    recorded: Mapping[str, Any] = checkpoint.provenance
    calculator = recorded_calculator(stem, recorded, given)
    charge = recorded.get("charge") if given.charge is None else given.charge
    atoms = None if structure is None else read_structure(structure, charge)
    return resume_dynamics(stem, calculator, atoms=atoms, **settings)
