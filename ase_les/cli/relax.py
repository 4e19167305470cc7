"""``ase-les relax``: relaxation of atoms and cell, of one structure or of many."""

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
    Threads,
)

if TYPE_CHECKING:
    from ase_les.simulation import RelaxationBatchResult, RelaxationResult


def relax(
    structure: Annotated[
        list[Path] | None,
        typer.Argument(help="Structure files ASE reads; the last frame of each."),
    ] = None,
    model: Model = None,
    charge: Charge = None,
    every_frame: Annotated[
        bool, typer.Option("--all", help="Every frame of the files, one after another.")
    ] = False,
    resume: Annotated[
        str | None, typer.Option(help="Go on with the relaxation of this stem.", metavar="STEM")
    ] = None,
    optimizer: Annotated[
        str | None, typer.Option(help="bfgs, lbfgs or fire.", show_default="bfgs")
    ] = None,
    fmax: Annotated[
        float | None, typer.Option(help="eV/Å; forces converged below.", show_default="0.01")
    ] = None,
    smax: Annotated[
        float | None,
        typer.Option(help="bar; stress of a relaxing cell converged below.", show_default="100.0"),
    ] = None,
    cell: Annotated[
        str | None,
        typer.Option(help="fixed, full, isotropic or in-plane (slabs).", show_default="fixed"),
    ] = None,
    pressure: Annotated[
        float | None, typer.Option(help="bar; on a relaxing cell.", show_default="0.0")
    ] = None,
    symmetry: Annotated[
        bool | None, typer.Option("--symmetry", help="Keep the space group (needs spglib).")
    ] = None,
    symprec: Annotated[
        float | None, typer.Option(help="Å; tolerance of the symmetry.", show_default="0.01")
    ] = None,
    fix_below: Annotated[
        float | None, typer.Option(help="Å; hold atoms with z below, the bottom of a slab.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Most steps to take.", show_default="500")
    ] = None,
    checkpoint_stride: Annotated[
        int | None, typer.Option(help="Steps between checkpoints.", show_default="10")
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="Stem of the files.", show_default="relaxed"),
    ] = None,
    device: Device = None,
    dtype: DType = None,
    threads: Threads = 1,
    overwrite: Overwrite = False,
    config: Config = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Relax structures; exit code 1 if one does not converge. Ctrl-C stops in good order."""
    settings = {
        "optimizer": optimizer,
        "fmax": fmax,
        "smax_bar": smax,
        "cell": cell,
        "pressure_bar": pressure,
        "symmetry": symmetry,
        "symprec_A": symprec,
        "fix_below_A": fix_below,
        "steps": steps,
        "checkpoint_stride": checkpoint_stride,
    }
    given = {name: value for name, value in settings.items() if value is not None}
    from ase_les.cli._calculator import set_threads
    from ase_les.reports.terminal import console
    from ase_les.runs.output import summary_as_json

    set_threads(threads)
    paths = structure or []
    if resume is not None:
        if paths or every_frame or output not in (None, resume):
            raise ValueError(
                f"--resume {resume} goes on with its own structures and files; leave out the "
                "structures, --all and --output"
            )
        result = _resume(resume, model, charge, device, dtype, given, quiet)
    else:
        files = {"output": output or "relaxed", "overwrite": overwrite, "quiet": quiet}
        result = _start(paths, every_frame, model, charge, device, dtype, given, files)
    if json:
        print(summary_as_json(result.summary()))
    if not result.converged:
        if quiet:
            stem = result.files.stem
            console().print(f"{stem}: NOT CONVERGED", style="bold red", markup=False)
        raise typer.Exit(1)


def _start(
    paths: list[Path],
    every_frame: bool,
    model: str | None,
    charge: int | None,
    device: str | None,
    dtype: str | None,
    settings: dict[str, object],
    files: dict[str, object],
) -> RelaxationResult | RelaxationBatchResult:
    from ase_les.cli._calculator import calculated_structure, read_frames
    from ase_les.simulation import relax as relax_structure
    from ase_les.simulation import relax_many

    first = paths[0] if paths else None
    atoms, provenance = calculated_structure(first, model, device, dtype, charge)
    if len(paths) == 1 and not every_frame:
        return relax_structure(atoms, **files, provenance=provenance, **settings)
    named = [frame for path in paths for frame in read_frames(path, every_frame, charge)]
    names, structures = zip(*named, strict=True)
    provenance["structure"] = [str(path) for path in paths]
    return relax_many(
        structures, atoms.calc, names=names, **files, provenance=provenance, **settings
    )


def _resume(
    stem: str,
    model: str | None,
    charge: int | None,
    device: str | None,
    dtype: str | None,
    settings: dict[str, object],
    quiet: bool,
) -> RelaxationResult | RelaxationBatchResult:
    from ase.io import iread

    from ase_les.cli._calculator import check_charge, make_calculator
    from ase_les.runs.output import BatchFiles, RunFiles
    from ase_les.simulation import resume_relaxation, resume_relaxations
    from ase_les.simulation.checkpoint import read_relaxation_checkpoint
    from ase_les.simulation.relaxation_batch import read_batch

    batch = BatchFiles(Path(stem))
    many = batch.state.exists()
    if many:
        recorded = read_batch(batch)["provenance"]
        structures = iread(batch.input, index=":")
    else:
        checkpoint = read_relaxation_checkpoint(RunFiles(Path(stem)).checkpoint)
        recorded, structures = checkpoint.provenance, [checkpoint.atoms]
    check_charge(stem, structures, charge)
    model = model or recorded.get("model")
    if model is None:
        raise ValueError(
            f"{stem} was not started here and names no model: give --model, or use "
            "`resume_relaxation` in Python"
        )
    # Another device or another place of the same model is fine: the forces decide.
    calculator = make_calculator(
        model, device or recorded.get("device", "cpu"), dtype or recorded.get("dtype")
    )
    go_on = resume_relaxations if many else resume_relaxation
    return go_on(stem, calculator, quiet=quiet, **settings)
