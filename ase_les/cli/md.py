"""``ase-les md``: molecular dynamics, new or resumed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ase_les.cli._options import (
    Config,
    Device,
    DType,
    Json,
    Model,
    Overwrite,
    Quiet,
    Threads,
)

ENSEMBLES = (
    "nvt-bussi, nvt-langevin, nvt-nose-hoover, nve, npt-isotropic, npt-anisotropic or npt-in-plane."
)

if TYPE_CHECKING:
    from ase_les.simulation import DynamicsResult


def md(
    structure: Annotated[
        Path | None, typer.Argument(help="Any structure file ASE reads; its last frame.")
    ] = None,
    model: Model = None,
    resume: Annotated[
        str | None, typer.Option(help="Go on with the run of this stem.", metavar="STEM")
    ] = None,
    ensemble: Annotated[str | None, typer.Option(help=ENSEMBLES, show_default="nvt-bussi")] = None,
    temperature: Annotated[float | None, typer.Option(help="K")] = None,
    timestep: Annotated[float | None, typer.Option(help="fs", show_default="0.5")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps in all.", show_default="1000")] = None,
    thermostat_time: Annotated[
        float | None,
        typer.Option(help="fs; relaxation time, or 1/friction.", show_default="100.0"),
    ] = None,
    pressure: Annotated[
        float | None, typer.Option(help="bar; of the npt ensembles.", show_default="0.0")
    ] = None,
    barostat_time: Annotated[
        float | None, typer.Option(help="fs; relaxation time of the volume.", show_default="1000.0")
    ] = None,
    compressibility: Annotated[
        float | None,
        typer.Option(help="1/bar; an estimate, sets the pace.", show_default="4.6e-05"),
    ] = None,
    observe: Annotated[
        list[str] | None,
        typer.Option(
            help="What to measure while running, NAME:STRIDE: current, dipole, pressure, rdf, "
            "profile, msd. May be repeated.",
        ),
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
    log_stride: Annotated[
        int | None, typer.Option(help="Steps between log lines.", show_default="10")
    ] = None,
    checkpoint_stride: Annotated[
        int | None, typer.Option(help="Steps between checkpoints.", show_default="100")
    ] = None,
    max_temperature: Annotated[
        float | None, typer.Option(help="K; stop above.", show_default="20000.0")
    ] = None,
    device: Device = None,
    dtype: DType = None,
    threads: Threads = None,
    overwrite: Overwrite = False,
    config: Config = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Molecular dynamics that resumes exactly; Ctrl-C stops it in good order."""
    settings = {
        "ensemble": ensemble,
        "temperature_K": temperature,
        "timestep_fs": timestep,
        "steps": steps,
        "thermostat_time_fs": thermostat_time,
        "pressure_bar": pressure,
        "barostat_time_fs": barostat_time,
        "compressibility_per_bar": compressibility,
        "observe": observe or None,
        "seed": seed,
        "trajectory_stride": trajectory_stride,
        "log_stride": log_stride,
        "checkpoint_stride": checkpoint_stride,
        "max_temperature_K": max_temperature,
    }
    given = {name: value for name, value in settings.items() if value is not None}
    from ase_les.cli._calculator import set_threads
    from ase_les.reporting import summary_as_json

    set_threads(threads)
    if resume is not None:
        result = _resume(resume, structure, model, output, device, dtype, given, quiet)
    else:
        result = _start(structure, model, output, device, dtype, given, overwrite, quiet)
    if json:
        print(summary_as_json(result.summary()))
    if result.stopped is not None:
        raise typer.Exit(1)


def _start(
    structure: Path | None,
    model: str | None,
    output: str | None,
    device: str | None,
    dtype: str | None,
    settings: dict[str, object],
    overwrite: bool,
    quiet: bool,
) -> DynamicsResult:
    from ase_les.cli._calculator import calculated_structure
    from ase_les.simulation import run_dynamics

    atoms, provenance = calculated_structure(structure, model, device, dtype)
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
    output: str | None,
    device: str | None,
    dtype: str | None,
    settings: dict[str, object],
    quiet: bool,
) -> DynamicsResult:
    from ase_les.cli._calculator import make_calculator, read_structure
    from ase_les.simulation import resume_dynamics
    from ase_les.simulation.checkpoint import RunFiles, read_checkpoint

    if output not in (None, stem):
        raise ValueError(f"--resume {stem} goes on in its own files; leave out --output {output}")
    recorded = read_checkpoint(RunFiles(Path(stem)).checkpoint).provenance
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
    atoms = None if structure is None else read_structure(structure)
    return resume_dynamics(stem, calculator, atoms=atoms, quiet=quiet, **settings)
