"""Options of ``ase-les relax``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ase_les.cli._options import BeyondLimitsOfRun

#: Settings of relaxations by option.
SETTINGS = {
    "optimizer": "optimizer",
    "fmax": "fmax",
    "smax": "smax_bar",
    "cell": "cell",
    "pressure": "pressure_bar",
    "symmetry": "symmetry",
    "symprec": "symprec_A",
    "fix_below": "fix_below_A",
    "steps": "steps",
    "checkpoint_stride": "checkpoint_stride",
    "beyond_limits": "beyond_limits",
}

Structures = Annotated[
    list[Path] | None, typer.Argument(help="Structure files ASE reads; the last frame of each.")
]
EveryFrame = Annotated[
    bool, typer.Option("--all", help="Every frame of the files, one after another.")
]


@dataclass(frozen=True)
class RelaxationOptions:
    """Options of relaxations; None keeps the default, or the value of a resumed run."""

    optimizer: Annotated[
        str | None, typer.Option(help="bfgs, lbfgs or fire.", show_default="bfgs")
    ] = None
    fmax: Annotated[
        float | None, typer.Option(help="eV/Å; convergence of forces.", show_default="0.01")
    ] = None
    smax: Annotated[
        float | None,
        typer.Option(
            help="bar; convergence of the stress of a relaxing cell.", show_default="100.0"
        ),
    ] = None
    cell: Annotated[
        str | None,
        typer.Option(help="fixed, full, isotropic or in-plane (slabs).", show_default="fixed"),
    ] = None
    pressure: Annotated[
        float | None, typer.Option(help="bar; on a relaxing cell.", show_default="0.0")
    ] = None
    symmetry: Annotated[
        bool | None, typer.Option("--symmetry", help="Preserve the space group (needs spglib).")
    ] = None
    symprec: Annotated[
        float | None, typer.Option(help="Å; symmetry tolerance.", show_default="0.01")
    ] = None
    fix_below: Annotated[
        float | None, typer.Option(help="Å; fix atoms with z below this, the bottom of a slab.")
    ] = None
    steps: Annotated[
        int | None, typer.Option(help="Maximum number of steps.", show_default="500")
    ] = None
    checkpoint_stride: Annotated[
        int | None, typer.Option(help="Steps between checkpoints.", show_default="10")
    ] = None
    beyond_limits: BeyondLimitsOfRun = None
