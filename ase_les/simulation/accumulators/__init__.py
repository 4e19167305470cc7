"""Averages over the configurations of a run, during the run or from its trajectory.

Accumulators process one configuration after another, store a bounded amount of data, and have a
state for exact restarts: restoring an accumulator and adding the remaining configurations gives
a result that is bitwise identical to that of an uninterrupted run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from ase import Atoms

from ase_les.simulation.accumulators.axis_profile import AxisProfile, AxisProfileResult
from ase_les.simulation.accumulators.einstein_relation import (
    diffusion_coefficients_cm2_per_s,
    finite_size_correction_cm2_per_s,
)
from ase_les.simulation.accumulators.mean_square_displacement import (
    MeanSquareDisplacement,
    MeanSquareDisplacementResult,
)
from ase_les.simulation.accumulators.radial_distribution import (
    RadialDistribution,
    RadialDistributionResult,
)
from ase_les.simulation.accumulators.sum_frequency import (
    SumFrequency,
    SumFrequencyCorrelation,
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
    "SumFrequency",
    "SumFrequencyCorrelation",
    "diffusion_coefficients_cm2_per_s",
    "finite_size_correction_cm2_per_s",
]


class AccumulatorResult(Protocol):
    """Averages over the configurations so far; immutable, with units in the names."""

    def summary(self) -> dict[str, object]:
        """Return the main results in plain containers."""
        ...

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all arrays by name, to be stored as ``.npz``."""
        ...


class Accumulator(Protocol):
    """Average over configurations."""

    def add(self, atoms: Atoms) -> None:
        """Add a configuration."""
        ...

    def state(self) -> dict[str, np.ndarray]:
        """Return the state to store in a checkpoint."""
        ...

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore the state of an accumulator with the same arguments.

        Raises
        ------
        ValueError
            If the arguments differ.
        """
        ...

    @property
    def has_result(self) -> bool:
        """Whether there are enough configurations for a result."""
        ...

    def result(self) -> AccumulatorResult:
        """Return the averages so far; more configurations may be added afterwards.

        Raises
        ------
        ValueError
            If there are too few configurations, see `has_result`.
        """
        ...
