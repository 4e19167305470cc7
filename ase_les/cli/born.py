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
    symmetrize: Annotated[
        bool | None,
        typer.Option(help="Average over the symmetry of the crystal.", show_default="crystals"),
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
    displacement: Annotated[float, typer.Option(help="Å; of method displacement.")] = 0.01,
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
    """Born effective charges: table, YAML, arrays and, of crystals, phonopy's BORN file."""
    from ase_les.cli._calculator import differentiable_structure, tell_of_latent_charges
    from ase_les.properties.born_charges import born_charges
    from ase_les.reporting import summary_as_json

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
