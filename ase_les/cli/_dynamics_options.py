"""Options of ``ase-les md``, and the conversion of their values to settings."""

from __future__ import annotations

from typing import Annotated, Any

import typer

#: Settings of dynamics by option.
SETTINGS = {
    "ensemble": "ensemble",
    "temperature": "temperature_K",
    "timestep": "timestep_fs",
    "steps": "steps",
    "thermostat_time": "thermostat_time_fs",
    "pressure": "pressure_bar",
    "barostat_time": "barostat_time_fs",
    "compressibility": "compressibility_per_bar",
    "field": "field_V_per_A",
    "observe": "observe",
    "stages": "stages",
    "seed": "seed",
    "trajectory_stride": "trajectory_stride",
    "trajectory_properties": "trajectory_properties",
    "log_stride": "log_stride",
    "checkpoint_stride": "checkpoint_stride",
    "max_temperature": "max_temperature_K",
    "max_temperature_jump": "max_temperature_jump_K",
    "min_distance": "min_distance_A",
    "max_force": "max_force_eV_per_A",
    "max_force_std": "max_force_std_eV_per_A",
    "max_dipole_change": "max_dipole_change_eA",
    "alarm_stride": "alarm_stride",
    "beyond_limits": "beyond_limits",
}


def _ramp(given: object) -> object:
    """Return a number, or two for a ramp such as ``50:300``; lists from a file are unchanged."""
    if not isinstance(given, str):
        return given
    try:
        ends = [float(end) for end in given.split(":")]
    except ValueError:
        raise typer.BadParameter(
            f"need a number, or a ramp such as 50:300, got {given!r}"
        ) from None
    return ends[0] if len(ends) == 1 else ends


def _field(given: object) -> object:
    """Return three numbers such as ``0,0,0.05``, or a ramp such as ``0,0,0:0,0,0.05``."""
    if not isinstance(given, str):
        return given
    try:
        ends = [[float(part) for part in end.split(",")] for end in given.split(":")]
    except ValueError:
        raise typer.BadParameter(f"need three numbers such as 0,0,0.05, got {given!r}") from None
    return ends[0] if len(ends) == 1 else ends


def _names(given: object) -> object:
    """Return a list of names such as ``energy,forces``; lists from a file are unchanged."""
    return given.split(",") if isinstance(given, str) else given


def _stages(given: Any) -> list[dict[str, Any]]:
    """Return stages from a list of mappings, available in files only."""
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


Ensemble = Annotated[
    str | None,
    typer.Option(
        help="nvt-bussi, nvt-langevin, nvt-nose-hoover, nve, npt-isotropic, npt-anisotropic or "
        "npt-in-plane.",
        show_default="nvt-bussi",
    ),
]
Temperature = Annotated[
    object, typer.Option(parser=_ramp, metavar="K", help="K; 50:300 is a ramp.")
]
Timestep = Annotated[float | None, typer.Option(help="fs", show_default="0.5")]
Steps = Annotated[int | None, typer.Option(help="Total number of steps.", show_default="1000")]
ThermostatTime = Annotated[
    float | None, typer.Option(help="fs; relaxation time, or 1/friction.", show_default="100.0")
]
Pressure = Annotated[
    object,
    typer.Option(
        parser=_ramp,
        metavar="BAR",
        help="bar; for npt ensembles; 0:1000 is a ramp.",
        show_default="0.0",
    ),
]
BarostatTime = Annotated[
    float | None, typer.Option(help="fs; relaxation time of the volume.", show_default="1000.0")
]
Compressibility = Annotated[
    float | None,
    typer.Option(
        help="1/bar; an estimate, which sets the rate of volume changes.", show_default="4.6e-05"
    ),
]
Field = Annotated[
    object,
    typer.Option(parser=_field, metavar="X,Y,Z", help="V/Å; 0,0,0.05, or a ramp 0,0,0:0,0,0.05."),
]
Observe = Annotated[
    list[object],
    typer.Option(
        parser=_unchanged,
        metavar="NAME:STRIDE",
        help="Quantities to measure during the run: current, dipole, polarizability, spread, "
        "layers, electrodes, pressure, rdf, profile, msd, sfg. May be repeated.",
    ),
]
Stages = Annotated[
    object, typer.Option(parser=_stages, hidden=True, help="Stages of the run, only in a file.")
]
Seed = Annotated[
    int | None, typer.Option(help="Random seed of velocities and noise.", show_default="random")
]
TrajectoryStride = Annotated[
    int | None, typer.Option(help="Steps between frames.", show_default="10")
]
TrajectoryProperties = Annotated[
    object,
    typer.Option(
        parser=_names,
        metavar="NAMES",
        help="Properties in each frame, such as energy,forces,charges; by default those calculated "
        "without extra cost.",
    ),
]
LogStride = Annotated[int | None, typer.Option(help="Steps between log lines.", show_default="10")]
CheckpointStride = Annotated[
    int | None, typer.Option(help="Steps between checkpoints.", show_default="200")
]
MaxTemperature = Annotated[
    float | None, typer.Option(help="K; stop above.", show_default="20000.0")
]
MaxTemperatureJump = Annotated[
    float | None, typer.Option(help="K in one step; stop above.", show_default="5000.0")
]
MinDistance = Annotated[
    float | None, typer.Option(help="Å; stop below. By default from the model card.")
]
MaxForce = Annotated[
    float | None, typer.Option(help="eV/Å; stop above. By default from the model card.")
]
MaxForceStd = Annotated[
    float | None,
    typer.Option(help="eV/Å; stop if the committee disagreement of a force is larger."),
]
MaxDipoleChange = Annotated[
    float | None, typer.Option(help="e Å since the start; stop above, if the dipole is observed.")
]
AlarmStride = Annotated[
    int | None,
    typer.Option(help="Steps between checks of distances and forces.", show_default="10"),
]
