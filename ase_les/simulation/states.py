"""States of parts of a run in checkpoints, and checks before they are continued."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


class Stateless:
    """Part of a run that continues without a stored state."""

    def state(self) -> dict[str, np.ndarray]:
        """Return an empty state."""
        return {}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Do nothing."""


def packed(
    parts: Mapping[str, Mapping[str, np.ndarray]], separator: str = "."
) -> dict[str, np.ndarray]:
    """Merge the states of several parts under names of the form ``part.name``."""
    return {
        f"{part}{separator}{name}": array
        for part, state in parts.items()
        for name, array in state.items()
    }


def unpacked(
    state: Mapping[str, np.ndarray], part: str, separator: str = "."
) -> dict[str, np.ndarray]:
    """Return the state of one part from a state merged by `packed`."""
    start = f"{part}{separator}"
    return {name[len(start) :]: array for name, array in state.items() if name.startswith(start)}


def refuse_other_arguments(given: str, stored: np.ndarray) -> None:
    """Refuse to continue an accumulator that was created with different arguments."""
    if str(stored) != given:
        raise ValueError(
            f"the stored state belongs to {stored}, this is {given}: create the accumulator with "
            "the same arguments, or start a new one"
        )


def refuse_other_atoms(expected: np.ndarray, given: np.ndarray) -> None:
    """Refuse a configuration whose atoms differ from those of the previous ones."""
    if not np.array_equal(expected, given):
        raise ValueError(
            f"this configuration has {len(given)} atoms, previous ones had {len(expected)}, or "
            "their elements or order differ: all configurations must contain the same atoms"
        )
