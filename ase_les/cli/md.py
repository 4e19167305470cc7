"""``ase-les md``: molecular dynamics, new or resumed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ase_les.cli._options import (
    Charge,
    Config,
    Device,
    DType,
    Json,
    Model,
    Overwrite,
    Quiet,
    Structure,
    Threads,
)

ENSEMBLES = (
    "nvt-bussi, nvt-langevin, nvt-nose-hoover, nve, npt-isotropic, npt-anisotropic or npt-in-plane."
)
SETTINGS = {
    "temperature": "temperature_K",
    "timestep": "timestep_fs",
    "thermostat_time": "thermostat_time_fs",
    "pressure": "pressure_bar",
    "barostat_time": "barostat_time_fs",
    "compressibility": "compressibility_per_bar",
    "field": "field_V_per_A",
    "max_temperature": "max_temperature_K",
    "max_temperature_jump": "max_temperature_jump_K",
    "min_distance": "min_distance_A",
    "max_force": "max_force_eV_per_A",
    "max_dipole_change": "max_dipole_change_eA",
}
"""Settings with a unit in their name, by option; others are called alike."""

if TYPE_CHECKING:
    from ase_les.simulation import DynamicsResult


def _ramp(given: object) -> object:
    """A number, or a ramp as ``50:300``; from a file also ``[50, 300]``."""
    if not isinstance(given, str):
        return given
    try:
        ends = [float(end) for end in given.split(":")]
    except ValueError:
        raise typer.BadParameter(f"a number, or a ramp such as 50:300, not {given!r}") from None
    return ends[0] if len(ends) == 1 else ends


def _field(given: object) -> object:
    """Three numbers as ``0,0,0.05``, or a ramp of such, ``0,0,0:0,0,0.05``."""
    if not isinstance(given, str):
        return given
    try:
        ends = [[float(part) for part in end.split(",")] for end in given.split(":")]
    except ValueError:
        raise typer.BadParameter(f"three numbers such as 0,0,0.05, not {given!r}") from None
    return ends[0] if len(ends) == 1 else ends


def _names(given: object) -> object:
    """Names as ``energy,forces``; from a file also a list."""
    return given.split(",") if isinstance(given, str) else given


def _stages(given: object) -> object:
    """A list of mappings; it comes from a file only."""
    if isinstance(given, str) or not all(isinstance(stage, dict) for stage in given):
        raise typer.BadParameter("stages are a list of mappings in a file given with --config")
    return [
        {_setting(str(name).replace("-", "_")): value for name, value in stage.items()}
        for stage in given
    ]


def _setting(option: str) -> str:
    return SETTINGS.get(option, option)


def _unchanged(given: object) -> object:
    return given


def md(
    structure: Structure = None,
    model: Model = None,
    charge: Charge = None,
    resume: Annotated[
        str | None, typer.Option(help="Go on with the run of this stem.", metavar="STEM")
    ] = None,
    ensemble: Annotated[str | None, typer.Option(help=ENSEMBLES, show_default="nvt-bussi")] = None,
    temperature: Annotated[
        object, typer.Option(parser=_ramp, metavar="K", help="K; 50:300 is a ramp.")
    ] = None,
    timestep: Annotated[float | None, typer.Option(help="fs", show_default="0.5")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps in all.", show_default="1000")] = None,
    thermostat_time: Annotated[
        float | None,
        typer.Option(help="fs; relaxation time, or 1/friction.", show_default="100.0"),
    ] = None,
    pressure: Annotated[
        object,
        typer.Option(
            parser=_ramp,
            metavar="BAR",
            help="bar; of the npt ensembles; 0:1000 is a ramp.",
            show_default="0.0",
        ),
    ] = None,
    barostat_time: Annotated[
        float | None, typer.Option(help="fs; relaxation time of the volume.", show_default="1000.0")
    ] = None,
    compressibility: Annotated[
        float | None,
        typer.Option(help="1/bar; an estimate, sets the pace.", show_default="4.6e-05"),
    ] = None,
    field: Annotated[
        object,
        typer.Option(
            parser=_field, metavar="X,Y,Z", help="V/Å; 0,0,0.05, or a ramp 0,0,0:0,0,0.05."
        ),
    ] = None,
    observe: Annotated[
        list[object],
        typer.Option(
            parser=_unchanged,
            metavar="NAME:STRIDE",
            help="What to measure while running: current, dipole, pressure, rdf, profile, msd. "
            "May be repeated.",
        ),
    ] = [],  # noqa: B006 - typer needs a list, and copies it
    stages: Annotated[
        object,
        typer.Option(parser=_stages, hidden=True, help="Stages of the run, in a file only."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of velocities and noise.", show_default="0")
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="Stem of the files.", show_default="md")
    ] = None,
    trajectory_stride: Annotated[
        int | None, typer.Option(help="Steps between frames.", show_default="10")
    ] = None,
    trajectory_properties: Annotated[
        object,
        typer.Option(
            parser=_names,
            metavar="NAMES",
            help="What frames hold, such as energy,forces,charges; whatever is known if absent.",
        ),
    ] = None,
    log_stride: Annotated[
        int | None, typer.Option(help="Steps between log lines.", show_default="10")
    ] = None,
    checkpoint_stride: Annotated[
        int | None, typer.Option(help="Steps between checkpoints.", show_default="200")
    ] = None,
    max_temperature: Annotated[
        float | None, typer.Option(help="K; stop above.", show_default="20000.0")
    ] = None,
    max_temperature_jump: Annotated[
        float | None, typer.Option(help="K in one step; stop above.", show_default="5000.0")
    ] = None,
    min_distance: Annotated[
        float | None, typer.Option(help="Å; stop below. By default from the model's card.")
    ] = None,
    max_force: Annotated[
        float | None, typer.Option(help="eV/Å; stop above. By default from the model's card.")
    ] = None,
    max_dipole_change: Annotated[
        float | None,
        typer.Option(help="e Å from the start; stop above, if the dipole is observed."),
    ] = None,
    alarm_stride: Annotated[
        int | None,
        typer.Option(help="Steps between looks at distances and forces.", show_default="10"),
    ] = None,
    device: Device = None,
    dtype: DType = None,
    threads: Threads = 1,
    overwrite: Overwrite = False,
    config: Config = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Molecular dynamics that resumes exactly; Ctrl-C stops it in good order."""
    settings = {
        "ensemble": ensemble,
        "temperature": temperature,
        "timestep": timestep,
        "steps": steps,
        "thermostat_time": thermostat_time,
        "pressure": pressure,
        "barostat_time": barostat_time,
        "compressibility": compressibility,
        "field": field,
        "observe": observe or None,
        "stages": stages,
        "seed": seed,
        "trajectory_stride": trajectory_stride,
        "trajectory_properties": trajectory_properties,
        "log_stride": log_stride,
        "checkpoint_stride": checkpoint_stride,
        "max_temperature": max_temperature,
        "max_temperature_jump": max_temperature_jump,
        "min_distance": min_distance,
        "max_force": max_force,
        "max_dipole_change": max_dipole_change,
        "alarm_stride": alarm_stride,
    }
    given = {_setting(name): value for name, value in settings.items() if value is not None}
    from ase_les.cli._calculator import set_threads
    from ase_les.runs.output import summary_as_json

    set_threads(threads)
    if resume is not None:
        result = _resume(resume, structure, model, charge, output, device, dtype, given, quiet)
    else:
        result = _start(structure, model, charge, output, device, dtype, given, overwrite, quiet)
    if json:
        print(summary_as_json(result.summary()))
    if result.stopped is not None:
        raise typer.Exit(1)


def _start(
    structure: Path | None,
    model: str | None,
    charge: int | None,
    output: str | None,
    device: str | None,
    dtype: str | None,
    settings: dict[str, object],
    overwrite: bool,
    quiet: bool,
) -> DynamicsResult:
    from ase_les.cli._calculator import calculated_structure
    from ase_les.simulation import run_dynamics

    atoms, provenance = calculated_structure(structure, model, device, dtype, charge)
    return run_dynamics(
        atoms,
        output=output or "md",
        overwrite=overwrite,
        quiet=quiet,
        provenance=provenance,
        **settings,
    )


def _resume(
    stem: str,
    structure: Path | None,
    model: str | None,
    charge: int | None,
    output: str | None,
    device: str | None,
    dtype: str | None,
    settings: dict[str, object],
    quiet: bool,
) -> DynamicsResult:
    from ase_les.cli._calculator import check_charge, make_calculator, read_structure
    from ase_les.runs.output import RunFiles
    from ase_les.simulation import resume_dynamics
    from ase_les.simulation.checkpoint import read_checkpoint

    if output not in (None, stem):
        raise ValueError(f"--resume {stem} goes on in its own files; leave out --output {output}")
    checkpoint = read_checkpoint(RunFiles(Path(stem)).checkpoint)
    check_charge(stem, [checkpoint.atoms], charge)
    recorded = checkpoint.provenance
    model = model or recorded.get("model")
    if model is None:
        raise ValueError(
            f"the run {stem} was not started here and names no model: give --model, or use "
            "`resume_dynamics` in Python"
        )
    # Another device or another place of the same model is fine: the forces decide.
    calculator = make_calculator(
        model, device or recorded.get("device", "cpu"), dtype or recorded.get("dtype")
    )
    charge = recorded.get("charge") if charge is None else charge
    atoms = None if structure is None else read_structure(structure, charge)
    return resume_dynamics(stem, calculator, atoms=atoms, quiet=quiet, **settings)
