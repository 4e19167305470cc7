"""Moving atoms with any ASE calculator: dynamics that resume exactly, and relaxation."""

from ase_les.simulation.dynamics import DynamicsResult, resume_dynamics, run_dynamics
from ase_les.simulation.ensembles import DynamicsSettings
from ase_les.simulation.relaxation import (
    RelaxationResult,
    RelaxationSettings,
    relax,
    resume_relaxation,
)
from ase_les.simulation.relaxation_batch import (
    RelaxationBatchResult,
    RelaxationOutcome,
    relax_many,
    resume_relaxations,
)

__all__ = [
    "DynamicsResult",
    "DynamicsSettings",
    "RelaxationBatchResult",
    "RelaxationOutcome",
    "RelaxationResult",
    "RelaxationSettings",
    "relax",
    "relax_many",
    "resume_dynamics",
    "resume_relaxation",
    "resume_relaxations",
    "run_dynamics",
]
