"""Averages over the configurations of a run, taken while it runs or from its trajectory.

Each accumulator looks at one configuration after another, keeps a bounded amount of data, and can
be stored and continued: one restored and fed the remaining configurations ends with the same bits
as one that saw all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from ase import Atoms

from ase_les.simulation.accumulators.axis_profile import AxisProfile, AxisProfileResult
from ase_les.simulation.accumulators.mean_square_displacement import (
    MeanSquareDisplacement,
    MeanSquareDisplacementResult,
    finite_size_correction_cm2_per_s,
)
from ase_les.simulation.accumulators.radial_distribution import (
    RadialDistribution,
    RadialDistributionResult,
)

__all__ = [
    "Accumulator",
    "AccumulatorResult",
    "AxisProfile",
    "AxisProfileResult",
    "MeanSquareDisplacement",
    "MeanSquareDisplacementResult",
    "RadialDistribution",
    "RadialDistributionResult",
    "finite_size_correction_cm2_per_s",
]


class AccumulatorResult(Protocol):
    """What the configurations seen so far amount to: immutable, units in the names."""

    def summary(self) -> dict[str, object]:
        """The numbers worth a line in a summary, in plain containers."""

    def save(self, path: str | Path) -> None:
        """Write all arrays to an ``.npz`` file, units in their names."""

    def save_figure(self, path: str | Path) -> None:
        """Draw the curves with their error bands."""


class Accumulator(Protocol):
    """Something that averages over configurations."""

    def add(self, atoms: Atoms) -> None:
        """Look at one more configuration; it is not changed."""

    def state(self) -> dict[str, np.ndarray]:
        """Everything the next configurations will be added to; no Python objects inside."""

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state of an accumulator made with the same arguments.

        Raises
        ------
        ValueError
            If the state belongs to other arguments, naming both.
        """

    def result(self) -> AccumulatorResult:
        """The averages so far; more configurations may be added afterwards.

        Raises
        ------
        ValueError
            If there is nothing to average yet.
        """
