"""Options of ``ase-les md``, and the conversion of their values to settings."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Any

import typer

from ase_les.cli._options import BeyondLimitsOfRun


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


@dataclass(frozen=True)
class DynamicsOptions:
    """Options of dynamics; None keeps the default, or the value of a resumed run."""

    ensemble: Annotated[
        str | None,
        typer.Option(
            help="nvt-bussi, nvt-langevin, nvt-nose-hoover, nve, npt-isotropic, npt-anisotropic or "
            "npt-in-plane.",
            show_default="nvt-bussi",
        ),
    ] = None
    temperature: Annotated[
        object, typer.Option(parser=_ramp, metavar="K", help="K; 50:300 is a ramp.")
    ] = None
    timestep: Annotated[float | None, typer.Option(help="fs", show_default="0.5")] = None
    steps: Annotated[
        int | None, typer.Option(help="Total number of steps.", show_default="1000")
    ] = None
    thermostat_time: Annotated[
        float | None, typer.Option(help="fs; relaxation time, or 1/friction.", show_default="100.0")
    ] = None
    pressure: Annotated[
        object,
        typer.Option(
            parser=_ramp,
            metavar="BAR",
            help="bar; for npt ensembles; 0:1000 is a ramp.",
            show_default="0.0",
        ),
    ] = None
    barostat_time: Annotated[
        float | None, typer.Option(help="fs; relaxation time of the volume.", show_default="1000.0")
    ] = None
    compressibility: Annotated[
        float | None,
        typer.Option(
            help="1/bar; an estimate, which sets the rate of volume changes.",
            show_default="4.6e-05",
        ),
    ] = None
    field: Annotated[
        object,
        typer.Option(
            parser=_field, metavar="X,Y,Z", help="V/Å; 0,0,0.05, or a ramp 0,0,0:0,0,0.05."
        ),
    ] = None
    observe: Annotated[
        list[object] | None,
        typer.Option(
            parser=_unchanged,
            metavar="NAME:STRIDE",
            help="Quantities to measure during the run: current, dipole, polarizability, spread, "
            "layers, electrodes, pressure, rdf, profile, msd, sfg. May be repeated.",
        ),
    ] = None
    stages: Annotated[
        object, typer.Option(parser=_stages, hidden=True, help="Stages of the run, only in a file.")
    ] = None
    seed: Annotated[
        int | None, typer.Option(help="Random seed of velocities and noise.", show_default="random")
    ] = None
    trajectory_stride: Annotated[
        int | None, typer.Option(help="Steps between frames.", show_default="10")
    ] = None
    trajectory_properties: Annotated[
        object,
        typer.Option(
            parser=_names,
            metavar="NAMES",
            help="Properties in each frame, such as energy,forces,charges; by default those "
            "calculated without extra cost.",
        ),
    ] = None
    log_stride: Annotated[
        int | None, typer.Option(help="Steps between log lines.", show_default="10")
    ] = None
    checkpoint_stride: Annotated[
        int | None, typer.Option(help="Steps between checkpoints.", show_default="200")
    ] = None
    max_temperature: Annotated[
        float | None, typer.Option(help="K; stop above.", show_default="20000.0")
    ] = None
    max_temperature_jump: Annotated[
        float | None, typer.Option(help="K in one step; stop above.", show_default="5000.0")
    ] = None
    min_distance: Annotated[
        float | None, typer.Option(help="Å; stop below. By default from the model card.")
    ] = None
    max_force: Annotated[
        float | None, typer.Option(help="eV/Å; stop above. By default from the model card.")
    ] = None
    max_force_std: Annotated[
        float | None,
        typer.Option(help="eV/Å; stop if the committee disagreement of a force is larger."),
    ] = None
    max_dipole_change: Annotated[
        float | None,
        typer.Option(help="e Å since the start; stop above, if the dipole is observed."),
    ] = None
    alarm_stride: Annotated[
        int | None,
        typer.Option(help="Steps between checks of distances and forces.", show_default="10"),
    ] = None
    beyond_limits: BeyondLimitsOfRun = None


#: Units in the names of settings.
_UNITS = {
    "temperature": "K",
    "timestep": "fs",
    "thermostat_time": "fs",
    "pressure": "bar",
    "barostat_time": "fs",
    "compressibility": "per_bar",
    "field": "V_per_A",
    "max_temperature": "K",
    "max_temperature_jump": "K",
    "min_distance": "A",
    "max_force": "eV_per_A",
    "max_force_std": "eV_per_A",
    "max_dipole_change": "eA",
}
#: Settings of dynamics by option.
SETTINGS = {
    field.name: f"{field.name}_{_UNITS[field.name]}" if field.name in _UNITS else field.name
    for field in fields(DynamicsOptions)
}
