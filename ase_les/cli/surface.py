"""``ase-les surface``: energy of a crystal face, or of a molecule on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ase_les.cli._options import Config, Device, DType, Json, Model, Overwrite, Quiet, Threads

if TYPE_CHECKING:
    from ase import Atoms


def surface(
    bulk: Annotated[
        Path | None, typer.Argument(help="Bulk crystal: any structure file ASE reads.")
    ] = None,
    model: Model = None,
    miller: Annotated[str, typer.Option(help="Miller indices in that cell, as 1,1,0.")] = "1,0,0",
    layers: Annotated[str, typer.Option(help="Thicknesses in repeats, as 3,4,5.")] = "4",
    fixed_layers: Annotated[int, typer.Option(help="Held at the bottom.")] = 0,
    termination: Annotated[
        int | None, typer.Option(help="Which cut; by default the first symmetric one.")
    ] = None,
    orthogonal: Annotated[bool, typer.Option("--orthogonal", help="Right-angled cell.")] = False,
    repeat: Annotated[str, typer.Option(help="Copies in the plane under an adsorbate.")] = "1,1",
    vacuum: Annotated[float, typer.Option(help="Å; on each side.")] = 10.0,
    adsorbate: Annotated[
        str | None, typer.Option(help="Molecule to put on: structure file, or a name ASE knows.")
    ] = None,
    height: Annotated[float, typer.Option(help="Å; of its first atom above the slab.")] = 2.0,
    site: Annotated[str, typer.Option(help="Å; x,y of its first atom.")] = "0,0",
    unrelaxed: Annotated[bool, typer.Option("--unrelaxed", help="Leave slabs as cut.")] = False,
    optimizer: Annotated[str, typer.Option(help="bfgs, lbfgs or fire.")] = "bfgs",
    fmax: Annotated[float, typer.Option(help="eV/Å; converged below.")] = 0.01,
    steps: Annotated[int, typer.Option(help="Most steps of each relaxation.")] = 500,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where it stopped.")] = False,
    output: Annotated[str, typer.Option("--output", "-o", help="Stem of the files.")] = "surface",
    device: Device = None,
    dtype: DType = None,
    threads: Threads = 1,
    overwrite: Overwrite = False,
    config: Config = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Surface energy, or adsorption with --adsorbate; exit code 1 if not converged."""
    from ase_les.cli._calculator import calculated_structure, set_threads
    from ase_les.properties.adsorption import adsorb
    from ase_les.properties.slabs import build_slab, fix_bottom
    from ase_les.properties.surface_energy import surface_energy
    from ase_les.runs.output import summary_as_json
    from ase_les.simulation import RelaxationSettings

    set_threads(threads)
    crystal, provenance = calculated_structure(bulk, model, device, dtype)
    relaxation = RelaxationSettings(optimizer=optimizer, fmax=fmax, steps=steps)
    shape = {"vacuum_A": vacuum, "termination": termination, "orthogonal": orthogonal}
    work = {
        "relaxation": None if unrelaxed else relaxation,
        "output": output,
        "resume": resume,
        "overwrite": overwrite,
        "quiet": quiet,
        "provenance": provenance,
    }
    indices = _numbers(miller, int, "--miller", 3)
    thicknesses = _numbers(layers, int, "--layers")
    if adsorbate is None:
        result = surface_energy(
            crystal, indices, layers=thicknesses, fixed_layers=fixed_layers, **shape, **work
        )
        converged = result.stopped is None and all(result.converged)
    else:
        copies = _numbers(repeat, int, "--repeat", 2)
        slab = build_slab(crystal, indices, layers=max(thicknesses), repeat=copies, **shape)
        atoms = fix_bottom(slab.atoms, fixed_layers)
        atoms.calc = crystal.calc
        place = _numbers(site, float, "--site", 2)
        result = adsorb(atoms, _molecule(adsorbate), height_A=height, site_A=place, **work)
        converged = result.converged
    if json:
        print(summary_as_json(result.summary()))
    if not converged:
        raise typer.Exit(1)


def _numbers(text: str, kind: type, option: str, count: int | None = None) -> tuple:
    try:
        values = tuple(kind(part) for part in str(text).split(","))
    except ValueError:
        values = ()
    if not values or count not in (None, len(values)):
        form = "1,1,0" if count == 3 else "3,4,5" if count is None else "1,2"
        raise ValueError(f"{option} takes numbers with commas between, as {form}; got {text!r}")
    return values


def _molecule(name: str) -> Atoms:
    """A structure file, one of ASE's molecules, or an atom."""
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
            f"--adsorbate {name}: no such file, and no molecule of that name in ase.build.molecule"
        ) from None
