"""``ase-les surface``: energy of a surface, or of adsorption on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ase_les.cli._groups import OnModel, with_groups
from ase_les.cli._options import BeyondLimits, Model, Output, Resume
from ase_les.cli._values import integers, numbers

if TYPE_CHECKING:
    from ase import Atoms

    from ase_les.properties.adsorption import Adsorption
    from ase_les.properties.surface_energy import SurfaceEnergy


@with_groups
def surface(
    common: OnModel,
    bulk: Annotated[
        Path | None, typer.Argument(help="Bulk crystal in any structure file ASE reads.")
    ] = None,
    model: Model = None,
    indices: Annotated[
        str,
        typer.Option(
            "--miller", help="Miller indices in its cell, as 1,1,0, or 1,0,-1,0 if hexagonal."
        ),
    ] = "1,0,0",
    layers: Annotated[str, typer.Option(help="Thicknesses in repeats, as 3,4,5.")] = "4",
    fixed_layers: Annotated[int, typer.Option(help="Fixed layers at the bottom.")] = 0,
    termination: Annotated[
        int | None,
        typer.Option(help="Number of the termination.", show_default="first symmetric one"),
    ] = None,
    orthogonal: Annotated[
        bool, typer.Option("--orthogonal", help="Use a rectangular cell in the plane.")
    ] = False,
    repeat: Annotated[str, typer.Option(help="Repeats in the plane, for adsorption.")] = "1,1",
    vacuum: Annotated[float, typer.Option(help="Vacuum on each side in Å.")] = 10.0,
    adsorbate: Annotated[
        str | None, typer.Option(help="Molecule: structure file, or a name known to ASE.")
    ] = None,
    height: Annotated[
        float, typer.Option(help="Height of its first atom above the slab in Å.")
    ] = 2.0,
    site: Annotated[str, typer.Option(help="x,y of its first atom in Å.")] = "0,0",
    unrelaxed: Annotated[bool, typer.Option("--unrelaxed", help="Do not relax the slabs.")] = False,
    optimizer: Annotated[str, typer.Option(help="bfgs, lbfgs or fire.")] = "bfgs",
    fmax: Annotated[float, typer.Option(help="Largest force at convergence in eV/Å.")] = 0.01,
    steps: Annotated[int, typer.Option(help="Maximum number of steps per relaxation.")] = 500,
    resume: Resume = False,
    output: Output = "surface",
    beyond_limits: BeyondLimits = False,
) -> None:
    """Compute a surface energy, or adsorption (--adsorbate); exit code 1 if not converged."""
    from ase_les.cli._calculator import calculated_structure, set_threads
    from ase_les.properties.surface_energy import surface_energy
    from ase_les.reports import surfaces as report
    from ase_les.simulation import RelaxationSettings

    set_threads(common.threads)
    plane = integers("--miller", indices, 3, 4, example="1,1,0")
    thicknesses = integers("--layers", layers, example="3,4,5")
    crystal, provenance = calculated_structure(bulk, model, common.device, common.dtype)
    shape: dict[str, Any] = {
        "vacuum_A": vacuum,
        "termination": termination,
        "orthogonal": orthogonal,
    }
    work: dict[str, Any] = {
        "relaxation": (
            None if unrelaxed else RelaxationSettings(optimizer=optimizer, fmax=fmax, steps=steps)
        ),
        "output": output,
        "beyond_limits": beyond_limits,
        "resume": resume,
        "overwrite": common.overwrite,
        "progress": common.progress,
        "on_result": report.RelaxationReports(common.quiet),
        "provenance": provenance,
    }
    result: SurfaceEnergy | Adsorption
    if adsorbate is None:
        result = surface_energy(
            crystal, plane, layers=thicknesses, fixed_layers=fixed_layers, **shape, **work
        )
        converged = result.stopped is None and all(result.converged)
    else:
        from ase_les.properties.adsorption import adsorb
        from ase_les.properties.slabs import build_slab, fix_bottom

        copies = integers("--repeat", repeat, 2)
        slab = build_slab(crystal, plane, layers=max(thicknesses), repeat=copies, **shape)
        atoms = fix_bottom(slab.atoms, fixed_layers)
        atoms.calc = crystal.calc
        place = numbers("--site", site, 2)
        result = adsorb(atoms, _molecule(adsorbate), height_A=height, site_A=place, **work)
        converged = result.converged
    common.finish(report, result, output)
    if not converged:
        raise typer.Exit(1)


def _molecule(name: str) -> Atoms:
    """Return a structure from a file, a molecule known to ASE, or an atom."""
    from ase import Atoms
    from ase.build import molecule
    from ase.data import chemical_symbols

    from ase_les.cli._calculator import read_structure

    if Path(name).is_file():
        return read_structure(Path(name))
    if name in chemical_symbols:
        return Atoms(name)
    try:
        return molecule(name)
    except KeyError:
        raise ValueError(
            f"--adsorbate {name}: not a file, and not a molecule of ase.build.molecule"
        ) from None
