"""``ase-les relax``: relaxation of atoms and cell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ase_les.cli._options import Config, Device, DType, Json, Model, Overwrite, Quiet, Threads


def relax(
    structure: Annotated[
        Path | None, typer.Argument(help="Any structure file ASE reads; its last frame.")
    ] = None,
    model: Model = None,
    optimizer: Annotated[str, typer.Option(help="bfgs, lbfgs or fire.")] = "bfgs",
    fmax: Annotated[float, typer.Option(help="eV/Å; converged below.")] = 0.01,
    cell: Annotated[str, typer.Option(help="fixed or full.")] = "fixed",
    steps: Annotated[int, typer.Option(help="Most steps to take.")] = 500,
    output: Annotated[str, typer.Option("--output", "-o", help="Stem of the files.")] = "relaxed",
    device: Device = None,
    dtype: DType = None,
    threads: Threads = None,
    overwrite: Overwrite = False,
    config: Config = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Relax a structure; exit code 1 if it does not converge."""
    from ase_les.cli._calculator import calculated_structure, set_threads
    from ase_les.reporting import console, summary_as_json
    from ase_les.simulation import relax as relax_structure

    set_threads(threads)
    atoms, provenance = calculated_structure(structure, model, device, dtype)
    result = relax_structure(
        atoms,
        optimizer=optimizer,
        fmax=fmax,
        cell=cell,
        steps=steps,
        output=output,
        overwrite=overwrite,
        quiet=quiet,
        provenance=provenance,
    )
    if json:
        print(summary_as_json(result.summary()))
    if not result.converged:
        if quiet:
            console().print(f"{output}: NOT CONVERGED", style="bold red", markup=False)
        raise typer.Exit(1)
