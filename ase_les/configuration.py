"""Build dataclasses of settings from plain containers (YAML, JSON) with checks."""

from __future__ import annotations

import functools
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

T = TypeVar("T")


def read_yaml(path: str | Path) -> object:
    """Read a YAML file; ``1e-4`` is a number.

    In YAML 1.1, numbers without decimal point or sign of the exponent are strings.

    Raises
    ------
    ValueError
        If the file is not YAML.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    exponential = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$")
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", exponential, list("-+.0123456789"))
    try:
        return yaml.load(Path(path).read_text(encoding="utf-8"), Loader)
    except yaml.YAMLError as error:
        raise ValueError(f"'{path}' is not valid YAML: {error}") from error


def from_mapping(cls: type[T], given: object, section: str = "") -> T:
    """Build a dataclass, including nested ones, from a mapping.

    Parameters
    ----------
    cls : type
        A dataclass; fields whose type is a dataclass (or such a type or None)
        are built from mappings in turn.
    given : Mapping
    section : str
        Path of the mapping within a larger one for messages: ``model: representation``.

    Raises
    ------
    ValueError
        If an entry is unknown, missing, or is not a mapping where one is needed.
    """
    name = f"`{section}`" if section else cls.__name__
    if not isinstance(given, Mapping):
        raise ValueError(f"{name} needs a mapping of its settings, got {given!r}")
    renamed: Mapping[str, str] = getattr(cls, "RENAMED", {})
    settings: dict[str, Any] = {renamed.get(key, key): value for key, value in given.items()}
    entries = fields(cast(Any, cls))
    known = [entry.name for entry in entries]
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise ValueError(f"unknown entries {unknown} in {name}; known are {known}")
    required = [entry.name for entry in entries if _is_required(entry)]
    missing = [entry for entry in required if entry not in settings]
    if missing:
        raise ValueError(f"{name} lacks {', '.join(missing)}; its entries are {known}")
    hints = field_types(cast(Any, cls))
    above = f"{section}: " if section else ""
    values = {
        entry: _value(hints[entry], value, f"{above}{entry}") for entry, value in settings.items()
    }
    try:
        return cls(**values)
    except TypeError as error:
        raise ValueError(f"an entry of {name} is of the wrong kind: {error}") from error


@functools.cache
def field_types(cls: type) -> dict[str, Any]:
    """Return the types of the fields of a dataclass, whose annotations are text."""
    return typing.get_type_hints(cls)


def _is_required(entry: Field) -> bool:
    return entry.default is MISSING and entry.default_factory is MISSING


def _value(hint: Any, value: Any, section: str) -> Any:
    if isinstance(hint, types.UnionType):
        if value is None and types.NoneType in typing.get_args(hint):
            return None
        options = [option for option in typing.get_args(hint) if is_dataclass(option)]
        hint = _of_kind(options, value, section) if options else hint
    return from_mapping(cast(Any, hint), value, section) if is_dataclass(hint) else value


def _of_kind(options: list[Any], value: object, section: str) -> Any:
    """Return the dataclass with the `kind` of a mapping; without one, the first."""
    kinds = {
        str(entry.default): option
        for option in options
        for entry in fields(option)
        if entry.name == "kind"
    }
    kind = value.get("kind") if isinstance(value, Mapping) else None
    if kind is None or not kinds:
        return options[0]
    if kind not in kinds:
        raise ValueError(f"`{section}`: `kind` must be one of {sorted(kinds)}, got {kind!r}")
    return kinds[kind]
