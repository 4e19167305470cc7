"""Result of a relaxation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from ase import Atoms

from ase_les.runs.output import RunFiles
from ase_les.simulation.relaxation_settings import RelaxationSettings


class RelaxationHistory(NamedTuple):
    """Columns of the log of a relaxation, one entry per step; stress is nan if not relaxed."""

    step: np.ndarray
    energy_eV: np.ndarray
    max_force_eV_per_A: np.ndarray
    max_stress_eV_per_A3: np.ndarray


@dataclass(frozen=True)
class RelaxationResult:
    """Result of a relaxation; check `converged` first.

    Attributes
    ----------
    atoms : Atoms
        Last structure with the given constraints, without calculator.
    settings : RelaxationSettings
    converged : bool
        Whether forces and stress are below `fmax` and `smax_bar`.
    steps : int
    stopped : str or None
        Reason why the relaxation ended before convergence and the maximum number of steps.
    interrupted : bool
        Whether Ctrl-C or SIGTERM stopped the relaxation, so that it can be resumed.
    energy_eV, energy_change_eV : float
        Final energy, and its change since the start; without the work of the external pressure.
    max_force_eV_per_A : float
        Largest force on a free atom.
    max_stress_eV_per_A3 : float
        Largest deviation of a relaxed stress component from the pressure; nan with a fixed cell.
    displacements_A : array, shape (N,)
        Displacements of the atoms relative to the cell.
    space_group : str or None
        Final space group within `symprec_A`; None without spglib or without a lattice.
    wall_time_s : float
    notes : tuple of str
        Changes made to the structure before the first step, and restarts.
    structure, calculator, provenance : mapping
        As recorded in the summary.
    files : RunFiles
    charges : mapping or None
        Whether charges and properties derived from them are physical, and the scaling factor;
        None without charges.
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
    displacements_A: np.ndarray
    space_group: str | None
    wall_time_s: float
    notes: tuple[str, ...]
    structure: Mapping[str, object]
    calculator: Mapping[str, object]
    provenance: Mapping[str, object]
    files: RunFiles
    charges: Mapping[str, object] | None = None

    @property
    def max_displacement_A(self) -> float:
        """Largest displacement of an atom relative to the cell."""
        return float(self.displacements_A.max())

    @cached_property
    def history(self) -> RelaxationHistory:
        """Log of the whole relaxation."""
        return read_history(self.files)

    def summary(self) -> dict[str, object]:
        """Return the content of the summary file."""
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


def read_history(files: RunFiles) -> RelaxationHistory:
    """Read the log of a relaxation."""
    return RelaxationHistory(*np.loadtxt(files.log, ndmin=2).T)
