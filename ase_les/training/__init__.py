"""Sample and label structures, and train models on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ase_les.training.active_learning.loop import LearningResult, learn
    from ase_les.training.active_learning.plan import LearningPlan, read_learning_plan
    from ase_les.training.engines.programs import ENGINES, Reference, make_reference
    from ase_les.training.engines.rigid_ions import RigidIons
    from ase_les.training.labeling.labeling_plan import LabelingPlan, make_data, read_labeling_plan
    from ase_les.training.labeling.reference import LabelResult, label_structures
    from ase_les.training.learning.calibration import compare_committee
    from ase_les.training.learning.charge_gauge import GaugeSettings
    from ase_les.training.learning.configuration import (
        CardConfig,
        DataConfig,
        TrainingConfig,
        divided,
        read_training_config,
    )
    from ase_les.training.learning.dataset import LabelNames, Sample, batches, labeled, read_frames
    from ase_les.training.learning.evaluation import Errors, compare, errors, evaluate
    from ase_les.training.learning.fit import Fit, fit
    from ase_les.training.learning.fit_settings import FitSettings
    from ase_les.training.learning.initial_model import completed, model_from, random_model
    from ase_les.training.learning.last_layers import last_layer_committee
    from ase_les.training.learning.loss import LossWeights
    from ase_les.training.learning.teachers import distill_labels
    from ase_les.training.learning.train import TrainingResult, train
    from ase_les.training.learning.training_data import read_data
    from ase_les.training.structures.motion import CommitteeMD, Dynamics
    from ase_les.training.structures.moves import (
        DisplaceIon,
        Dissociate,
        MoveFragment,
        Rattle,
        RigidBodies,
        Strain,
        bare,
        repeated,
    )
    from ase_les.training.structures.packing import packed, packed_cube
    from ase_les.training.structures.sampling import (
        SamplingRecipe,
        read_sampling_recipe,
        sample_by_recipe,
        sample_structures,
    )
    from ase_les.training.structures.selection import (
        disagreements,
        farthest_points,
        select_by_disagreement,
        structure_features,
    )
else:
    from ase_les.lazy_names import lazy_names

    __all__, __getattr__ = lazy_names(
        __name__,
        {
            "active_learning.loop": ("LearningResult", "learn"),
            "active_learning.plan": ("LearningPlan", "read_learning_plan"),
            "engines.programs": ("ENGINES", "Reference", "make_reference"),
            "engines.rigid_ions": ("RigidIons",),
            "labeling.labeling_plan": ("LabelingPlan", "make_data", "read_labeling_plan"),
            "labeling.reference": ("LabelResult", "label_structures"),
            "learning.calibration": ("compare_committee",),
            "learning.charge_gauge": ("GaugeSettings",),
            "learning.configuration": (
                "CardConfig",
                "DataConfig",
                "TrainingConfig",
                "divided",
                "read_training_config",
            ),
            "learning.dataset": ("LabelNames", "Sample", "batches", "labeled", "read_frames"),
            "learning.evaluation": ("Errors", "compare", "errors", "evaluate"),
            "learning.fit": ("Fit", "fit"),
            "learning.fit_settings": ("FitSettings",),
            "learning.initial_model": ("completed", "model_from", "random_model"),
            "learning.last_layers": ("last_layer_committee",),
            "learning.loss": ("LossWeights",),
            "learning.teachers": ("distill_labels",),
            "learning.train": ("TrainingResult", "train"),
            "learning.training_data": ("read_data",),
            "structures.motion": ("CommitteeMD", "Dynamics"),
            "structures.moves": (
                "DisplaceIon",
                "Dissociate",
                "MoveFragment",
                "Rattle",
                "RigidBodies",
                "Strain",
                "bare",
                "repeated",
            ),
            "structures.packing": ("packed", "packed_cube"),
            "structures.sampling": (
                "SamplingRecipe",
                "read_sampling_recipe",
                "sample_by_recipe",
                "sample_structures",
            ),
            "structures.selection": (
                "disagreements",
                "farthest_points",
                "select_by_disagreement",
                "structure_features",
            ),
        },
    )
