"""Settings as frozen dataclasses, built from plain containers (YAML, JSON) without surprises."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import TypeVar

T = TypeVar("T")


def from_mapping(cls: type[T], given: Mapping) -> T:
    """An instance of a dataclass, nested dataclasses included.

    Parameters
    ----------
    cls : type
        A dataclass; fields whose type is a dataclass (or such a type or None)
        are built from mappings in turn.
    given : Mapping

    Raises
    ------
    ValueError
        If an entry is unknown, missing, or is not a mapping where one is needed.
    """
    if not isinstance(given, Mapping):
        raise ValueError(f"{cls.__name__} needs a mapping of its settings, got {given!r}")
    known = [entry.name for entry in fields(cls)]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(f"unknown entries {unknown} in {cls.__name__}; known are {known}")
    hints = typing.get_type_hints(cls)
    values = {name: _value(hints[name], value) for name, value in given.items()}
    try:
        return cls(**values)
    except TypeError as error:
        raise ValueError(f"incomplete {cls.__name__}: {error}") from None


def _value(hint, value):
    if value is None:
        return None
    if isinstance(hint, types.UnionType):
        hint = next((option for option in typing.get_args(hint) if is_dataclass(option)), hint)
    return from_mapping(hint, value) if is_dataclass(hint) else value
