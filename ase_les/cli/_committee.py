"""Evaluation of committees: errors of the mean and spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ase_les import Committee, LESModel
    from ase_les.committee import CommitteeEngine
    from ase_les.training.learning.calibration import Calibration
    from ase_les.training.learning.dataset import Sample
    from ase_les.training.learning.evaluation import Comparison


def check_committee_file(name: str, model: LESModel | Committee) -> None:
    """Raise an error if the calibration could not be stored."""
    from ase_les import Committee

    if not isinstance(model, Committee):
        raise ValueError(
            f"--calibrate scales the spread of a committee; '{name}' is one model. Combine several "
            "with `ase-les committee`"
        )
    if not Path(name).is_file():
        raise ValueError(f"--calibrate stores the scale in the file; '{name}' is not a file")


def evaluate_committee(
    committee: Committee,
    engine: CommitteeEngine,
    samples: Sequence[Sample],
    quiet: bool,
) -> tuple[Comparison, Calibration]:
    """Compare a committee with labels; show and return its errors and calibration."""
    from ase_les.reports.committee import calibration_table
    from ase_les.reports.terminal import console
    from ase_les.training.learning.calibration import compare_committee

    found = compare_committee(engine, samples)
    calibration = found.calibration()
    console(quiet).print(calibration_table(calibration, committee))
    return found.comparison, calibration


def store_calibration(
    name: str, committee: Committee, calibration: Mapping[str, float | int | str]
) -> None:
    """Write the committee again with the calibration in its card."""
    from ase_les import save_committee

    save_committee(name, committee, {**committee.card, "calibration": dict(calibration)})
