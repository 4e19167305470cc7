"""Error messages of configurations: place, what was given, what is needed, nearest known key."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from ase_les.configuration.kinds import (
    LARGEST,
    child_type,
    describe,
    hints_of,
    kind_of,
    options,
    type_at,
)
from ase_les.configuration.yaml_files import line_of


def error_message(
    error: ValidationError,
    cls: Any,
    given: Any,
    where: str,
    file: str | Path | None = None,
    arguments: Sequence[str] = (),
) -> str:
    """Return the place of every error, what was given and what is needed.

    Parameters
    ----------
    cls : type
        The type that was validated.
    given : object
        The value.
    where : str
        Name of the file or configuration, the beginning of the message.
    file : str or Path, optional
        YAML file with this content.
    arguments : sequence of str
        Names of positional arguments.
    """
    found: dict[tuple, str] = {}
    for each in error.errors(include_url=False):
        loc = list(each["loc"])
        if arguments and loc and isinstance(loc[0], int):
            loc[0] = arguments[loc[0]] if loc[0] < len(arguments) else str(loc[0])
        place = _place(loc, each["type"], given)
        found.setdefault(place, _message(each, cls, given, place))
    # The errors of the best-fitting option of a union are the most deeply nested ones.
    lines = [
        f"{_named(place, file)}{text}"
        for place, text in found.items()
        if not any(len(other) > len(place) and other[: len(place)] == place for other in found)
    ]
    if len(lines) == 1:
        return f"{where}: {lines[0]}"
    return f"{where} has {len(lines)} errors:\n  " + "\n  ".join(lines)


def _place(loc: Sequence[Any], kind: str, given: Any) -> tuple:
    """Return the keys of an error, without the types of unions that pydantic counts among them."""
    place: list[Any] = []
    for step in loc:
        inside = isinstance(given, Mapping) and step in given
        if inside or (isinstance(given, list | tuple) and step in range(len(given))):
            given = given[step]
            place.append(step)
    return (*place, loc[-1]) if kind == "missing" else tuple(place)


def _named(place: Sequence[Any], file: str | Path | None) -> str:
    if not place:
        return ""
    name = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in place)
    line = line_of(file, place) if file is not None else None
    return f"`{name.removeprefix('.')}`{f' (line {line})' if line else ''}: "


def _message(error: Any, cls: Any, value: Any, place: Sequence[Any]) -> str:
    kind, given = error["type"], error["input"]
    above = type_at(cls, place[:-1], value) if place else None
    if kind in ("unexpected_keyword_argument", "invalid_key"):
        known = list(hints_of(above))
        return f"unknown key{_nearest(place[-1], known)}; known are {', '.join(known) or 'none'}"
    hint = child_type(above, place[-1]) if place else cls
    if error["loc"][-1:] == ("[key]",):
        hint = get_args(above)[0]
    if kind == "missing":
        return f"missing; needed: {describe(hint)}"
    if kind == "value_error" and is_dataclass(type_at(cls, place, value)):
        return str(error["ctx"]["error"])
    if kind == "union_tag_invalid" and isinstance(given, Mapping):
        known = [tag for tag in map(kind_of, options(hint)) if tag]
        tag = given.get("kind")
        wrong = f"unknown kind {_short(tag)}{_nearest(tag, known)}" if tag else "`kind` is missing"
        return f"{wrong}; known are {', '.join(known)}"
    limits = [abs(x) for x in error.get("ctx", {}).values() if isinstance(x, int | float)]
    size = f" of size up to {max(limits):g}" if max(limits, default=0) >= LARGEST else ""
    return f"given {_short(given)}, needed: {describe(hint)}{size}"


def _nearest(key: object, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(str(key), known, 1)
    return f" (did you mean `{close[0]}`?)" if close else ""


def _short(value: object) -> str:
    shown = reprlib.Repr()
    shown.maxstring = shown.maxother = shown.maxlong = 60
    return shown.repr(value)
