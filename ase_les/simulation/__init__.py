"""Molecular dynamics and relaxation with any ASE calculator, with exact restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ase_les.simulation.dynamics import resume_dynamics, run_dynamics
    from ase_les.simulation.dynamics_result import DynamicsError, DynamicsResult, StageResult
    from ase_les.simulation.ensembles import DynamicsSettings, Stage
    from ase_les.simulation.relaxation import relax, resume_relaxation
    from ase_les.simulation.relaxation_batch import relax_many, resume_relaxations
    from ase_les.simulation.relaxation_batch_result import RelaxationBatchResult, RelaxationOutcome
    from ase_les.simulation.relaxation_result import RelaxationResult
    from ase_les.simulation.relaxation_settings import RelaxationSettings
    from ase_les.simulation.series import Series
else:
    from ase_les.lazy_names import lazy_names

    __all__, __getattr__ = lazy_names(
        __name__,
        {
            "dynamics": ["resume_dynamics", "run_dynamics"],
            "dynamics_result": ["DynamicsError", "DynamicsResult", "StageResult"],
            "ensembles": ["DynamicsSettings", "Stage"],
            "relaxation": ["relax", "resume_relaxation"],
            "relaxation_batch": ["relax_many", "resume_relaxations"],
            "relaxation_batch_result": ["RelaxationBatchResult", "RelaxationOutcome"],
            "relaxation_result": ["RelaxationResult"],
            "relaxation_settings": ["RelaxationSettings"],
            "series": ["Series"],
        },
    )
