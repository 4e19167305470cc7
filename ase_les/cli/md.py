"""``ase-les md``: molecular dynamics, new or resumed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ase_les.cli import _dynamics_options as options
from ase_les.cli import _options as common
from ase_les.cli._runs import ModelOptions, ResumedStem, given_settings, recorded_calculator

if TYPE_CHECKING:
    from ase_les.simulation import DynamicsResult

Output = Annotated[
    str | None, typer.Option("--output", "-o", help="Stem of the files.", show_default="md")
]


def md(
    context: typer.Context,
    structure: common.Structure = None,
    model: common.Model = None,
    charge: common.Charge = None,
    resume: ResumedStem = None,
    ensemble: options.Ensemble = None,
    temperature: options.Temperature = None,
    timestep: options.Timestep = None,
    steps: options.Steps = None,
    thermostat_time: options.ThermostatTime = None,
    pressure: options.Pressure = None,
    barostat_time: options.BarostatTime = None,
    compressibility: options.Compressibility = None,
    field: options.Field = None,
    electrodes: common.Electrodes = None,
    observe: options.Observe = [],  # noqa: B006 - typer needs a list, and copies it
    stages: options.Stages = None,
    seed: options.Seed = None,
    output: Output = None,
    trajectory_stride: options.TrajectoryStride = None,
    trajectory_properties: options.TrajectoryProperties = None,
    log_stride: options.LogStride = None,
    checkpoint_stride: options.CheckpointStride = None,
    max_temperature: options.MaxTemperature = None,
    max_temperature_jump: options.MaxTemperatureJump = None,
    min_distance: options.MinDistance = None,
    max_force: options.MaxForce = None,
    max_force_std: options.MaxForceStd = None,
    max_dipole_change: options.MaxDipoleChange = None,
    alarm_stride: options.AlarmStride = None,
    beyond_limits: common.BeyondLimitsOfRun = None,
    device: common.Device = None,
    dtype: common.DType = None,
    threads: common.Threads = 1,
    overwrite: common.Overwrite = False,
    config: common.Config = None,
    json: common.Json = False,
    quiet: common.Quiet = False,
) -> None:
    """Run molecular dynamics with exact restarts; Ctrl-C stops the run after the current step."""
    from ase_les.cli._calculator import set_threads
    from ase_les.reports import dynamics as report
    from ase_les.reports.terminal import TerminalProgress
    from ase_les.runs.output import summary_as_json
    from ase_les.simulation import DynamicsError

    set_threads(threads)
    given = ModelOptions(model, device, dtype, charge, electrodes)
    settings = given_settings(context, options.SETTINGS) | {"progress": TerminalProgress(quiet)}
    try:
        if resume is None:
            settings |= {"output": output or "md", "overwrite": overwrite}
            result = _start(structure, given, settings)
        elif output in (None, resume):
            result = _resume(resume, structure, given, settings)
        else:
            raise ValueError(f"--resume {resume} uses the files of that run; remove --output")
    except DynamicsError as error:
        report.write(error.result)
        report.show(error.result, quiet)
        raise (error.__cause__ or error) from None
    report.write(result)
    report.show(result, quiet)
    if json:
        print(summary_as_json(result.summary()))
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
