"""``ase-les born``: Born effective charges of a structure."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import typer

from ase_les.cli._groups import ByDisplacements, with_groups
from ase_les.cli._options import DIELECTRIC, Charge, Model, Output, Structure
from ase_les.cli._values import by_element


@with_groups
def born(
    common: ByDisplacements,
    structure: Structure = None,
    model: Model = None,
    charge: Charge = None,
    method: Annotated[str, typer.Option(help="analytic, displacement or field.")] = "analytic",
    chosen: Annotated[
        str | None,
        typer.Option(
            "--atoms",
            help="Selected atoms: 0:4,7  Ti,O  top:2  bottom  within:5 (Å of either face)  "
            "near:Ti:3  tag:0; a comma means or, & means and, as in 'O&near:H:1.2'.",
            show_default="all",
        ),
    ] = None,
    components: Annotated[
        str, typer.Option(help="all, or normal: only the normal component of a slab.")
    ] = "all",
    source: Annotated[
        str,
        typer.Option(
            help="Source of the moment for displacements: auto, dipole, polarization, current or "
            "charges."
        ),
    ] = "auto",
    reach: Annotated[
        float | None,
        typer.Option(
            help="Range of charge changes around an atom in Å, for source charges.",
            show_default="that of the calculator, or 10",
        ),
    ] = None,
    axis: Annotated[
        str | None,
        typer.Option(
            help="Cell vector (a, b or c) across the layers of an interface in a periodic box, "
            "for results by layer.",
            show_default="open direction of a slab",
        ),
    ] = None,
    layer_gap: Annotated[
        float, typer.Option(help="Distance along the normal that separates layers, in Å.")
    ] = 0.5,
    bulk: Annotated[
        str | None,
        typer.Option(
            help="Born charges of the bulk for comparison with the layers: Na=1.08,Cl=-1.08 or the "
            "-summary.yml of an earlier run.",
        ),
    ] = None,
    symmetrize: Annotated[
        bool | None,
        typer.Option(
            help="Average over the symmetry of the crystal or slab.",
            show_default="for crystals and slabs",
        ),
    ] = None,
    symmetry_tolerance: Annotated[float, typer.Option(help="Symmetry tolerance in Å.")] = 1e-3,
    sum_rule: Annotated[
        bool, typer.Option("--sum-rule", help="Subtract the excess of the sum from all atoms.")
    ] = False,
    dielectric: Annotated[
        str | None,
        typer.Option(
            *DIELECTRIC,
            help="ε∞ of the bulk, whose square root scales the charges; `model`: as predicted by "
            "a model with a polarizability.",
            show_default="from the model card, or 1",
        ),
    ] = None,
    displacement: Annotated[
        float | None,
        typer.Option(
            help="Displacement in Å for method displacement.",
            show_default="0.01, in double precision 2e-4",
        ),
    ] = None,
    output: Output = "born",
) -> None:
    """Compute Born effective charges, with a BORN file for crystals, and by layer for slabs."""
    from ase_les.cli._calculator import note_latent_charges
    from ase_les.properties.born_charges import born_charges
    from ase_les.reports import born_charges as report

    atoms, shared = common.prepare(structure, model, charge, dielectric)
    result = born_charges(
        atoms,
        method,
        chosen=chosen,
        components=components,
        source=source,
        reach_A=reach,
        axis=axis,
        layer_gap_A=layer_gap,
        bulk=by_element("--bulk", bulk) if bulk and "=" in bulk else bulk,
        symmetrize=symmetrize,
        symmetry_tolerance_A=symmetry_tolerance,
        sum_rule=sum_rule,
        displacement_A=displacement,
        output=output,
        **shared,
    )
    common.finish(report, result, output)
    unscaled = (result.dielectric == np.eye(3)).all()
    if dielectric is None and atoms.pbc.any() and unscaled:
        note_latent_charges(common.quiet)
