"""Options of the commands for infrared and Raman spectra."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import typer

HARMONIC, RUN = "Harmonic spectrum of a structure", "Spectrum of a recorded run"

VibratingStructure = Annotated[
    Path | None,
    typer.Argument(help="Any structure file ASE reads; its last frame. Fixed atoms stay fixed."),
]


@dataclass(frozen=True)
class HarmonicOptions:
    """Options of harmonic spectra."""

    method: Annotated[
        str | None,
        typer.Option(
            help="analytic or displacement: source of the derivatives.",
            show_default="first available",
            rich_help_panel=HARMONIC,
        ),
    ] = None
    chosen: Annotated[
        str | None,
        typer.Option(
            "--atoms",
            help="Vibrating atoms, such as tag:0 or O,H&within:5; see `ase-les born --help`.",
            show_default="all atoms that are not fixed",
            rich_help_panel=HARMONIC,
        ),
    ] = None
    displacement: Annotated[
        float, typer.Option(help="Displacement of an atom in Å.", rich_help_panel=HARMONIC)
    ] = 0.005
    width: Annotated[
        float,
        typer.Option(help="Width of the lines in the figure in 1/cm.", rich_help_panel=HARMONIC),
    ] = 10.0

    def settings(self) -> dict[str, Any]:
        """Return the keywords of the library call."""
        return {
            "method": self.method,
            "chosen": self.chosen,
            "displacement_A": self.displacement,
            "width_per_cm": self.width,
        }


@dataclass(frozen=True)
class RunSpectrumOptions:
    """Options of spectra of recorded runs."""

    skip: Annotated[
        float, typer.Option(help="Initial time to exclude in ps.", rich_help_panel=RUN)
    ] = 0.0
    resolution: Annotated[float, typer.Option(help="Resolution in 1/cm.", rich_help_panel=RUN)] = (
        20.0
    )
    window: Annotated[str, typer.Option(help="gaussian or hann.", rich_help_panel=RUN)] = "gaussian"
    quantum_correction: Annotated[
        str, typer.Option(help="harmonic or none.", rich_help_panel=RUN)
    ] = "harmonic"
    blocks: Annotated[
        int, typer.Option(help="Maximum number of blocks for the error band.", rich_help_panel=RUN)
    ] = 10
    molecules: Annotated[
        int,
        typer.Option(
            help="Number of molecules by which the spectrum is divided.", rich_help_panel=RUN
        ),
    ] = 1

    def settings(self) -> dict[str, Any]:
        """Return the keywords of the library call."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        skip_ps, resolution_per_cm = named.pop("skip"), named.pop("resolution")
        return {"skip_ps": skip_ps, "resolution_per_cm": resolution_per_cm, **named}


#: Options that only a harmonic spectrum uses.
ONLY_HARMONIC = (
    *(field.name for field in fields(HarmonicOptions)),
    *("structure", "model", "charge", "format", "pbc", "resume", "jobs", "scheduler"),
    *("beyond_limits", "device", "dtype", "threads"),
)
#: Options that only the spectrum of a run uses.
ONLY_RUN = tuple(field.name for field in fields(RunSpectrumOptions))
