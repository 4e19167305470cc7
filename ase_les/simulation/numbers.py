"""Ramps between two numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Ramp = float | Sequence[float]


def as_tuples(value: object) -> object:
    """Return a value with tuples instead of lists, so that it is equal after a JSON round trip."""
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence | np.ndarray):
        return tuple(as_tuples(each) for each in value)
    return value


def interpolated(ends: Any, fraction: float, dimensions: int) -> Any:
    """Return a value between the ends of a ramp, or the value itself if there is no ramp."""
    if ends is None or np.ndim(ends) == dimensions:
        return ends
    first, last = (np.asarray(end, dtype=float) for end in ends)
    value = first + fraction * (last - first)
    return tuple(value.tolist()) if dimensions else float(value)


def as_array(value: object, name: str) -> np.ndarray:
    """Return numbers as an array; raise ValueError naming the setting if they are none."""
    try:
        return np.array(value, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"`{name}` must consist of numbers, got {value!r}") from None


def ends_of(value: Ramp, name: str) -> tuple[float, ...]:
    """Return the number, or both ends of a ramp."""
    values = as_array(value, name)
    if values.shape not in ((), (2,)):
        raise ValueError(f"`{name}` must be a number, or a pair of them for a ramp, got {value!r}")
    return tuple(values.ravel().tolist())
