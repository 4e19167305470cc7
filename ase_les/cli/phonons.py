"""``ase-les phonons``: bands, density of states, thermal properties and LO–TO splitting."""

from __future__ import annotations

from typing import Annotated

import typer

from ase_les.cli._groups import ByDisplacements, with_groups
from ase_les.cli._options import DIELECTRIC, Charge, Model, Output, Structure


@with_groups
def phonons(
    common: ByDisplacements,
    structure: Structure = None,
    model: Model = None,
    charge: Charge = None,
    supercell: Annotated[
        tuple[int, int, int] | None,
        typer.Option(help="Multiples of the cell vectors.", show_default="by --min-length"),
    ] = None,
    min_length: Annotated[float, typer.Option(help="Minimum width of the supercell in Å.")] = 12.0,
    displacement: Annotated[float, typer.Option(help="Displacement of an atom in Å.")] = 0.01,
    symmetry_tolerance: Annotated[float, typer.Option(help="Symmetry tolerance in Å.")] = 1e-4,
    nac: Annotated[
        bool | None,
        typer.Option(
            help="Include the non-analytic term (LO–TO splitting).",
            show_default="if there are charges",
        ),
    ] = None,
    dielectric: Annotated[
        str | None,
        typer.Option(
            *DIELECTRIC,
            help="ε∞ of the recorded charges, or `model`; the phonons do not depend on it.",
            show_default="from the model card, or 1",
        ),
    ] = None,
    mesh_length: Annotated[
        float, typer.Option(help="Length in Å that sets the mesh of the density of states.")
    ] = 60.0,
    max_temperature: Annotated[float, typer.Option(help="Maximum temperature in K.")] = 1000.0,
    output: Output = "phonons",
) -> None:
    """Compute phonons of a relaxed crystal or slab, with LO–TO splitting from Born charges."""
    from ase_les.properties.phonons import phonons as calculate_phonons
    from ase_les.reports import phonons as report

    atoms, shared = common.prepare(structure, model, charge, dielectric)
    result = calculate_phonons(
        atoms,
        supercell=supercell,
        min_length_A=min_length,
        displacement_A=displacement,
        symmetry_tolerance_A=symmetry_tolerance,
        non_analytic=nac,
        mesh_length_A=mesh_length,
        max_temperature_K=max_temperature,
        output=output,
        **shared,
    )
    common.finish(report, result, output)
