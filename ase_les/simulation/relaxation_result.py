"""What became of a relaxation: result, summary, figure and the words to the user."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms, units
from rich.console import Console

from ase_les.reports import figures, terminal
from ase_les.reports.figures import Panel
from ase_les.runs.output import RunFiles
from ase_les.simulation.relaxation_settings import RelaxationSettings


@dataclass(frozen=True)
class RelaxationResult:
    """The outcome of a relaxation; look at `converged` first.

    Attributes
    ----------
    atoms : Atoms
        The last structure with the constraints that were given, without calculator.
    converged : bool
        Whether forces and stress are below `fmax` and `smax_bar`.
    steps : int
    stopped : str or None
        Why it ended neither converged nor after all steps; else None.
    interrupted : bool
        Whether that was by Ctrl-C or SIGTERM, so that there is more to do.
    energy_eV, energy_change_eV : float
        At the end, and since the start; without the work of the outer pressure.
    max_force_eV_per_A : float
        Largest force on a free atom.
    max_stress_eV_per_A3 : float
        Largest difference of a relaxed stress component from the pressure; nan when the cell is
        fixed.
    max_displacement_A : float
        Largest way of an atom relative to the cell.
    space_group : str or None
        At the end, within `symprec_A`; None without spglib or without a lattice.
    notes : tuple of str
        What was done to the structure before the first step, and at restarts.
    structure, calculator, provenance : mapping
        What was relaxed, and with what; as written in the summary.
    files : RunFiles
    charges : mapping or None
        Whether charges and what is made of them are physical, and by which factor; None without
        any.
    """

    atoms: Atoms
    settings: RelaxationSettings
    converged: bool
    steps: int
    stopped: str | None
    interrupted: bool
    energy_eV: float
    energy_change_eV: float
    max_force_eV_per_A: float
    max_stress_eV_per_A3: float
    max_displacement_A: float
    space_group: str | None
    wall_time_s: float
    notes: tuple[str, ...]
    structure: Mapping[str, object]
    calculator: Mapping[str, object]
    provenance: Mapping[str, object]
    files: RunFiles
    charges: Mapping[str, object] | None = None

    def summary(self) -> dict[str, object]:
        """What the summary file says."""
        return {
            "task": "relaxation",
            "input": {
                "structure": self.structure,
                "calculator": self.calculator,
                "settings": self.settings,
                "provenance": self.provenance,
            },
            "notes": self.notes,
            "charges": self.charges,
            "results": {
                "converged": self.converged,
                "stopped": self.stopped,
                "steps": self.steps,
                "energy_eV": self.energy_eV,
                "energy_change_eV": self.energy_change_eV,
                "max_force_eV_per_A": self.max_force_eV_per_A,
                "max_stress_eV_per_A3": self.max_stress_eV_per_A3,
                "max_displacement_A": self.max_displacement_A,
                "space_group": self.space_group,
                "cell_A": self.atoms.cell.tolist(),
                "wall_time_s": self.wall_time_s,
            },
            "files": self.files.as_summary(),
        }


def draw_convergence(path: Path, history: np.ndarray, settings: RelaxationSettings) -> None:
    """Energy, largest force and stress against the step, as the log has them."""
    step, energy, force, stress = history.T
    bound = np.full(len(step), settings.smax_bar * units.bar)
    figures.save_figure(
        path,
        step,
        "step",
        (
            Panel("energy − last (eV)", {"energy": energy - energy[-1]}),
            Panel(
                "largest force (eV/Å)",
                {"force": force, "fmax": np.full(len(step), settings.fmax)},
                logarithmic=True,
            ),
            Panel(
                "largest stress (eV/Å³)",
                {"stress": stress, "smax": np.where(np.isnan(stress), np.nan, bound)},
                logarithmic=True,
            ),
        ),
    )


def tell(console: Console, result: RelaxationResult) -> None:
    """Print the outcome, and loudly when it is no minimum."""
    rows = {
        "steps": result.steps,
        "energy (eV)": result.energy_eV,
        "energy change (eV)": result.energy_change_eV,
        "largest force (eV/Å)": result.max_force_eV_per_A,
        "largest displacement (Å)": result.max_displacement_A,
    }
    if result.settings.cell != "fixed":
        rows["largest stress (bar)"] = result.max_stress_eV_per_A3 / units.bar
    if result.space_group is not None:
        rows["space group"] = result.space_group
    console.print(terminal.results_table(str(result.files.stem), rows))
    if not result.converged:
        reason = result.stopped or f"{result.steps} steps were not enough"
        console.print(
            f"NOT CONVERGED: {reason}. The last structure is in {result.files.trajectory}; it is "
            "no minimum.",
            style="bold red",
            markup=False,
            soft_wrap=True,
        )
        console.print(_remedy(result), markup=False, soft_wrap=True)


def _remedy(result: RelaxationResult) -> str:
    if result.stopped is None or result.interrupted:
        return f"Go on with: {_resume_command(result)}"
    return (
        "Resumed with the same settings it would end here again: start a new relaxation, from a "
        "better structure or with another optimizer"
    )


def _resume_command(result: RelaxationResult) -> str:
    more = "" if result.stopped else f" --steps {2 * max(result.settings.steps, 1)}"
    if "model" in result.provenance:
        return f"ase-les relax --resume {shlex.quote(str(result.files.stem))}{more}"
    return f'resume_relaxation("{result.files.stem}", calculator)'
