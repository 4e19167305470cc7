"""Validation of numbers, including numpy scalars."""

from __future__ import annotations

import math

import numpy as np


def require_positive(name: str, value: float) -> None:
    """Raise ValueError unless a value is a positive finite number."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not (number and math.isfinite(value) and value > 0):
        raise ValueError(f"`{name}` must be positive and finite, got {value!r}")


def require_integer(name: str, value: int, minimum: int) -> None:
    """Raise ValueError unless a value is an integer of at least `minimum`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < minimum:
        raise ValueError(f"`{name}` must be an integer of at least {minimum}, got {value!r}")
