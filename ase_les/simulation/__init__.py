"""Moving atoms with any ASE calculator: dynamics that resume exactly, and relaxation."""

from ase_les.simulation.dynamics import DynamicsResult, resume_dynamics, run_dynamics
from ase_les.simulation.ensembles import DynamicsSettings
from ase_les.simulation.relaxation import (
    RelaxationResult,
    RelaxationSettings,
    relax,
    resume_relaxation,
)

__all__ = [
    "DynamicsResult",
    "DynamicsSettings",
    "RelaxationResult",
    "RelaxationSettings",
    "relax",
    "resume_dynamics",
    "resume_relaxation",
    "run_dynamics",
]
