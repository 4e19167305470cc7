"""Checks of arguments, with messages that name the argument, what is needed and what was given."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np

Settings = TypeVar("Settings")


def require_positive(name: str, value: float) -> float:
    """Return a number; raise ValueError unless it is positive and finite."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not (number and math.isfinite(value) and value > 0):
        raise ValueError(f"`{name}` must be positive and finite, got {value!r}")
    return value


def require_integer(name: str, value: int, minimum: int) -> None:
    """Raise ValueError unless a number is an integer of at least a minimum."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < minimum:
        raise ValueError(f"`{name}` must be an integer of at least {minimum}, got {value!r}")


def require_one_of(name: str, value: object, allowed: Iterable[object]) -> None:
    """Raise ValueError unless a value is one of those allowed."""
    allowed = tuple(allowed)
    if value not in allowed:
        known = ", ".join(map(str, allowed))
        raise ValueError(f"`{name}` must be one of {known}, got {value!r}")


def settings_of(cls: type[Settings], given: Mapping[str, Any], task: str) -> Settings:
    """Return settings from keywords; raise ValueError for an unknown one.

    Parameters
    ----------
    cls : type
        Dataclass of the settings.
    task : str
        Subject of the message, such as "a relaxation".
    """
    known = [field.name for field in fields(cls)]  # type: ignore[arg-type]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(
            f"{task} has no setting {', '.join(unknown)}; settings are {', '.join(known)}"
        )
    return cls(**given)
