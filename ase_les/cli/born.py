"""``ase-les born``: Born effective charges of a structure."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import typer

from ase_les.cli._options import (
    DIELECTRIC,
    Charge,
    Config,
    Device,
    Json,
    Model,
    NumberOfJobs,
    Overwrite,
    Precision,
    Quiet,
    Resume,
    Structure,
    Threads,
)


def born(
    structure: Structure = None,
    model: Model = None,
    charge: Charge = None,
    method: Annotated[str, typer.Option(help="analytic, displacement or field.")] = "analytic",
    chosen: Annotated[
        str | None,
        typer.Option(
            "--atoms",
            help="A part of them: 0:4,7  Ti,O  top:2  bottom  within:5 (Å of either face)  "
            "near:Ti:3  tag:0; commas add up, & restricts, as in 'O&near:H:1.2'.",
            show_default="all",
        ),
    ] = None,
    components: Annotated[
        str, typer.Option(help="all; of slabs also normal, polarization along it alone.")
    ] = "all",
    source: Annotated[
        str,
        typer.Option(
            help="What displacements are differences of: auto, dipole, polarization, current or "
            "charges."
        ),
    ] = "auto",
    reach: Annotated[
        float | None,
        typer.Option(
            help="Å; how far charges change around an atom, of source charges.",
            show_default="the calculator's, or 10",
        ),
    ] = None,
    axis: Annotated[
        str | None,
        typer.Option(
            help="a, b or c: across the layers of an interface in a periodic box; gives results "
            "by layer, as slabs have them.",
            show_default="none; of slabs the open one",
        ),
    ] = None,
    layer_gap: Annotated[
        float, typer.Option(help="Å; a new layer begins where the next atom is farther.")
    ] = 0.5,
    bulk: Annotated[
        str | None,
        typer.Option(
            help="Born charges of the bulk to compare layers with: Na=1.08,Cl=-1.08 or the "
            "-summary.yml of an earlier run.",
        ),
    ] = None,
    symmetrize: Annotated[
        bool | None,
        typer.Option(
            help="Average over the symmetry of the crystal or slab.",
            show_default="crystals and slabs",
        ),
    ] = None,
    symmetry_tolerance: Annotated[float, typer.Option(help="Å")] = 1e-3,
    sum_rule: Annotated[
        bool, typer.Option("--sum-rule", help="Take the excess of the sum from all atoms.")
    ] = False,
    dielectric: Annotated[
        float | None,
        typer.Option(
            *DIELECTRIC,
            help="ε∞ of the bulk, which scales the charges by its root.",
            show_default="of the model's card, or 1",
        ),
    ] = None,
    displacement: Annotated[
        float | None,
        typer.Option(
            help="Å; of method displacement.", show_default="0.01, in double precision 2e-4"
        ),
    ] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="Stem of the files.")] = "born",
    resume: Resume = False,
    jobs: NumberOfJobs = 1,
    device: Device = None,
    dtype: Precision = "float64",
    threads: Threads = 1,
    overwrite: Overwrite = False,
    config: Config = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Born effective charges: table, YAML, arrays; of crystals phonopy's BORN file, of slabs and
    interfaces results by layer with a figure."""
    from ase_les.cli._calculator import differentiable_structure, tell_of_latent_charges
    from ase_les.properties.born_charges import born_charges
    from ase_les.runs.output import summary_as_json

    atoms, shared = differentiable_structure(
        structure,
        model,
        device,
        dtype,
        processes=jobs,
        threads=threads,
        charge=charge,
        dielectric=dielectric,
    )
    result = born_charges(
        atoms,
        method,
        chosen=chosen,
        components=components,
        source=source,
        reach_A=reach,
        axis=axis,
        layer_gap_A=layer_gap,
        bulk=_bulk(bulk),
        symmetrize=symmetrize,
        symmetry_tolerance_A=symmetry_tolerance,
        sum_rule=sum_rule,
        displacement_A=displacement,
        output=output,
        resume=resume,
        overwrite=overwrite,
        jobs=shared,
        quiet=quiet,
    )
    unscaled = (result.dielectric == np.eye(3)).all()
    if dielectric is None and atoms.pbc.any() and unscaled:
        tell_of_latent_charges(quiet)
    if json:
        print(summary_as_json(result.summary()))


def _bulk(given: str | None) -> dict[str, float] | str | None:
    """Values by element, or the name of a file that has them."""
    if given is None or "=" not in given:
        return given
    try:
        pairs = [pair.split("=") for pair in given.split(",")]
        return {symbol.strip(): float(value) for symbol, value in pairs}
    except ValueError as error:
        raise ValueError(
            f"`bulk` must be like Na=1.08,Cl=-1.08 or the name of a file, got {given!r}"
        ) from error
