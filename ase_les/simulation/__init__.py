"""Molecular dynamics and relaxation with any ASE calculator, with exact restarts."""

from ase_les.simulation.dynamics import resume_dynamics, run_dynamics
from ase_les.simulation.dynamics_result import DynamicsError, DynamicsResult, StageResult
from ase_les.simulation.ensembles import DynamicsSettings, Stage
from ase_les.simulation.relaxation import relax, resume_relaxation
from ase_les.simulation.relaxation_batch import (
    RelaxationBatchResult,
    RelaxationOutcome,
    relax_many,
    resume_relaxations,
)
from ase_les.simulation.relaxation_result import RelaxationResult
from ase_les.simulation.relaxation_settings import RelaxationSettings
from ase_les.simulation.series import Series

__all__ = [
    "DynamicsError",
    "DynamicsResult",
    "DynamicsSettings",
    "RelaxationBatchResult",
    "RelaxationOutcome",
    "RelaxationResult",
    "RelaxationSettings",
    "Series",
    "Stage",
    "StageResult",
    "relax",
    "relax_many",
    "resume_dynamics",
    "resume_relaxation",
    "resume_relaxations",
    "run_dynamics",
]
