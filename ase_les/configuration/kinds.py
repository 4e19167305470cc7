"""Fields and nested types of configurations, and descriptions of their values."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import GroupedMetadata, MaxLen, MinLen, Unit
from typing_extensions import get_type_hints

LARGEST = 1e9
"""Largest magnitude of numbers, to detect wrong units; omitted from descriptions."""

_SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


@dataclass(frozen=True)
class Means:
    """Description of the values of an annotated type, for messages and references."""

    text: str


def hints_of(cls: Any) -> dict[str, Any]:
    """Return the types of the fields of a configuration by name."""
    hints = get_type_hints(cls, include_extras=True)
    return {entry.name: hints[entry.name] for entry in fields(cls)}


def options(hint: Any) -> tuple:
    """Return the members of a union, or the type itself, without annotations."""
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) in (Union, types.UnionType):
        return tuple(each for option in get_args(hint) for each in options(option))
    return (hint,)


def kind_of(cls: Any) -> str | None:
    """Return the value of the key ``kind`` of a configuration that has one."""
    entries = fields(cls) if is_dataclass(cls) else ()
    return next((str(entry.default) for entry in entries if entry.name == "kind"), None)


def type_at(hint: Any, place: Sequence[Any], given: Any) -> Any:
    """Return the type of the value at a place of a mapping, chosen from unions by the values."""
    for key in place:
        hint = child_type(_fitting(hint, given), key)
        given = given[key]
    return _fitting(hint, given)


def child_type(hint: Any, key: Any) -> Any:
    """Return the type of an entry of a configuration, mapping or list."""
    args = get_args(hint)
    if is_dataclass(hint):
        return hints_of(hint).get(key)
    if get_origin(hint) is tuple and Ellipsis not in args:
        return args[key] if key in range(len(args)) else object
    return next((arg for arg in reversed(args) if arg is not Ellipsis), object)


def _fitting(hint: Any, given: Any) -> Any:
    """Return the option of a union that matches the form of a value."""
    found = options(hint)
    nested = [option for option in found if is_dataclass(option)]
    if isinstance(given, Mapping):
        same = [option for option in nested if kind_of(option) == given.get("kind")]
        others = [option for option in found if get_origin(option) not in (None, tuple, Literal)]
        return (*same, *nested, *others, hint)[0]
    lists = [option for option in found if get_origin(option) is tuple]
    return lists[0] if lists and isinstance(given, list | tuple) else hint


def describe(hint: Any, unit: bool = True) -> str:
    """Return the values of a type in words: ``number > 0 in Å``.

    Parameters
    ----------
    unit : bool
        Whether to name the unit.
    """
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _annotated(hint, unit)
    if origin in (Union, types.UnionType):
        return " or ".join(describe(each, unit) for each in args)
    if origin is Literal:
        return f"one of {', '.join(map(str, args))}"
    if origin is tuple:
        size = "" if args[-1] is Ellipsis else f" of {len(args)}"
        return f"list{size}, each: {describe(args[0], unit)}"
    if origin is not None:
        return f"mapping of {describe(args[0], unit)} to {describe(args[1], unit)}"
    if isinstance(hint, type) and is_dataclass(hint):
        return f"mapping of settings ({hint.__name__})"
    words = {int: "whole number", float: "number", bool: "true or false", str: "string"}
    return words.get(hint, "null" if hint is types.NoneType else "any value")


def _annotated(hint: Any, unit: bool) -> str:
    base, *notes = get_args(hint)
    notes = list(flattened(notes))
    units = "".join(f" in {note.unit}" for note in notes if isinstance(note, Unit) and unit)
    if meanings := [note.text for note in notes if isinstance(note, Means)]:
        return meanings[0] + units
    limits = [
        f"{sign} {getattr(note, name):g}"
        for note in notes
        for name, sign in _SIGNS.items()
        if hasattr(note, name) and abs(getattr(note, name)) < LARGEST
    ]
    limits += [_size(note.min_length) for note in notes if isinstance(note, MinLen)]
    limits += [f"(at most {note.max_length})" for note in notes if isinstance(note, MaxLen)]
    return f"{describe(base, unit)} {' and '.join(limits)}".strip() + units


def _size(least: int) -> str:
    return "(not empty)" if least == 1 else f"(at least {least})"


def flattened(notes: Sequence[Any]) -> Iterator[Any]:
    """Yield annotations, with intervals expanded into their bounds."""
    for note in notes:
        yield from note if isinstance(note, GroupedMetadata) else (note,)
