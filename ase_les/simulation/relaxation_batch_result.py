"""Results of relaxations of many structures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from ase import units

from ase_les.runs.output import BatchFiles
from ase_les.simulation.relaxation_result import RelaxationResult
from ase_les.simulation.relaxation_settings import RelaxationSettings


@dataclass(frozen=True)
class RelaxationOutcome:
    """Outcome of one structure.

    Attributes
    ----------
    name, formula : str
    converged : bool
    steps : int
    energy_eV, energy_per_atom_eV, energy_change_eV, max_force_eV_per_A, max_stress_bar : float
        nan if the structure could not be relaxed; the stress also if the cell is fixed.
    wall_time_s : float
    problem : str or None
        Description of the failure, or None. Reaching the maximum number of steps is not a failure.
    """

    name: str
    formula: str
    converged: bool
    steps: int
    energy_eV: float
    energy_per_atom_eV: float
    energy_change_eV: float
    max_force_eV_per_A: float
    max_stress_bar: float
    wall_time_s: float
    problem: str | None

    def __str__(self) -> str:
        if self.problem is not None:
            return f"FAILED: {self.problem}"
        state = "converged" if self.converged else "NOT CONVERGED"
        return f"{state} after {self.steps} steps, {self.energy_eV:.4f} eV"


@dataclass(frozen=True)
class RelaxationBatchResult:
    """Outcomes of many relaxations.

    Attributes
    ----------
    settings : RelaxationSettings
    outcomes : tuple of RelaxationOutcome
        In the order of the structures, without those not reached.
    structures : int
        Number of structures.
    stopped : str or None
        Reason why some structures were not reached; None if all were.
    calculator, provenance : mapping
        As recorded in the summary.
    files : BatchFiles
    """

    settings: RelaxationSettings
    outcomes: tuple[RelaxationOutcome, ...]
    structures: int
    stopped: str | None
    calculator: Mapping[str, object]
    provenance: Mapping[str, object]
    files: BatchFiles

    @property
    def converged(self) -> bool:
        """Return whether all structures were relaxed to convergence."""
        return len(self.outcomes) == self.structures and all(
            each.converged for each in self.outcomes
        )

    def summary(self) -> dict[str, object]:
        """Return the content of the summary file."""
        return {
            "task": "relaxation of many structures",
            "input": {
                "structures": self.structures,
                "calculator": self.calculator,
                "settings": self.settings,
                "provenance": self.provenance,
            },
            "results": {
                "stopped": self.stopped,
                "relaxed": len(self.outcomes),
                "converged": sum(each.converged for each in self.outcomes),
                "failed": sum(each.problem is not None for each in self.outcomes),
                "wall_time_s": sum(each.wall_time_s for each in self.outcomes),
                "table": [asdict(each) for each in self.outcomes],
            },
            "files": {
                "input": self.files.input.name,
                **({"relaxed": self.files.relaxed.name} if self.files.relaxed.exists() else {}),
                "of_each": f"{self.files.of(0).stem.name}.traj and so on",
            },
        }


def outcome_of(name: str, result: RelaxationResult) -> RelaxationOutcome:
    """Return the outcome of a structure that was relaxed."""
    return RelaxationOutcome(
        name=name,
        formula=result.atoms.get_chemical_formula(),
        converged=result.converged,
        steps=result.steps,
        energy_eV=result.energy_eV,
        energy_per_atom_eV=result.energy_eV / len(result.atoms),
        energy_change_eV=result.energy_change_eV,
        max_force_eV_per_A=result.max_force_eV_per_A,
        max_stress_bar=result.max_stress_eV_per_A3 / units.bar,
        wall_time_s=result.wall_time_s,
        problem=result.stopped,
    )


def failed_outcome(name: str, formula: str, problem: str, seconds: float) -> RelaxationOutcome:
    """Return the outcome of a structure that could not be relaxed."""
    return RelaxationOutcome(
        name=name,
        formula=formula,
        converged=False,
        steps=0,
        energy_eV=math.nan,
        energy_per_atom_eV=math.nan,
        energy_change_eV=math.nan,
        max_force_eV_per_A=math.nan,
        max_stress_bar=math.nan,
        wall_time_s=seconds,
        problem=problem,
    )
