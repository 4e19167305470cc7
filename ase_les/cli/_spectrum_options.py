"""Options shared by the commands for infrared and Raman spectra."""

from __future__ import annotations

from typing import Annotated

import typer

HARMONIC, RUN = "Harmonic spectrum of a structure", "Spectrum of a recorded run"
#: Options that only a harmonic spectrum uses.
ONLY_HARMONIC = (
    *("structure", "model", "charge", "method", "chosen", "displacement", "width", "resume"),
    *("jobs", "scheduler", "beyond_limits", "device", "dtype", "threads", "format", "pbc"),
)
#: Options that only the spectrum of a run uses.
ONLY_RUN = ("skip", "resolution", "window", "quantum_correction", "blocks", "molecules")

Chosen = Annotated[
    str | None,
    typer.Option(
        "--atoms",
        help="Vibrating atoms, such as tag:0 or O,H&within:5; see `ase-les born --help`.",
        show_default="all atoms that are not fixed",
        rich_help_panel=HARMONIC,
    ),
]
Displacement = Annotated[
    float, typer.Option(help="Displacement of an atom in Å.", rich_help_panel=HARMONIC)
]
Width = Annotated[
    float,
    typer.Option(help="Width of the lines in the figure in 1/cm.", rich_help_panel=HARMONIC),
]
Skip = Annotated[float, typer.Option(help="Initial time to exclude in ps.", rich_help_panel=RUN)]
Resolution = Annotated[float, typer.Option(help="Resolution in 1/cm.", rich_help_panel=RUN)]
Window = Annotated[str, typer.Option(help="gaussian or hann.", rich_help_panel=RUN)]
QuantumCorrection = Annotated[str, typer.Option(help="harmonic or none.", rich_help_panel=RUN)]
Blocks = Annotated[
    int, typer.Option(help="Maximum number of blocks for the error band.", rich_help_panel=RUN)
]
Molecules = Annotated[
    int,
    typer.Option(help="Number of molecules by which the spectrum is divided.", rich_help_panel=RUN),
]
