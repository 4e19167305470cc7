"""Decorator for configurations, types of their fields, and functions to read them."""

from __future__ import annotations

import os
import types
from collections.abc import Iterator, Mapping, Set
from dataclasses import field, fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, Gt, Interval, Le, Lt, MaxLen, MinLen, Unit
from ase.data import chemical_symbols
from pydantic import (
    AfterValidator,
    AllowInfNan,
    BeforeValidator,
    ConfigDict,
    Strict,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass
from pydantic_core import core_schema
from typing_extensions import dataclass_transform, get_type_hints

from ase_les.configuration.errors import error_message
from ase_les.configuration.kinds import LARGEST, Means, kind_of
from ase_les.configuration.yaml_files import read_yaml

T = TypeVar("T")

_SCALARS: dict[object, object] = {
    int: Annotated[int, Strict()],
    float: Annotated[float, Strict(), AllowInfNan(False)],
    bool: Annotated[bool, Strict()],
    str: Annotated[str, Strict()],
}

_NO_KIND = "<no kind>"


class ByKind:
    """Annotation of a union of configurations distinguished by the key ``kind``.

    The field ``kind`` of each type has its value as default. One type may have no such field; a
    mapping without ``kind`` is of that type.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        """Return a union that chooses by kind."""
        options = {kind_of(option) or _NO_KIND: option for option in get_args(source)}

        def chosen(given: Any) -> object:
            if isinstance(given, Mapping):
                return str(given.get("kind", _NO_KIND))
            return getattr(given, "kind", _NO_KIND)

        schemas = {kind: handler.generate_schema(option) for kind, option in options.items()}
        return core_schema.tagged_union_schema(schemas, chosen)


def _path(name: str) -> str:
    if not name or "\0" in name:
        raise ValueError(f"{name!r} is not a file name")
    return os.path.expanduser(name)


def _pattern(pattern: str) -> StringConstraints:
    return StringConstraints(pattern=f"^{pattern}$")


_SYMBOL = f"({'|'.join(chemical_symbols[1:])})"
# Any characters but control characters, which would reach terminals.
_PRINTABLE = r"[\P{Cc}\n\t]*"

Element = Annotated[str, _pattern(_SYMBOL), Means("element symbol")]
Pair = Annotated[
    str, _pattern(f"{_SYMBOL}-{_SYMBOL}"), Means("pair of element symbols such as Na-Cl")
]
#: Name of a file; ``~`` is the home directory.
File = Annotated[str, AfterValidator(_path), Means("file name")]
#: Names of files, or a single one.
Files = Annotated[
    tuple[File, ...],
    BeforeValidator(lambda given: (given,) if isinstance(given, str) else given),
    Means("file name, or list of them"),
]
Text = Annotated[str, _pattern(_PRINTABLE), Means("text")]
Name = Annotated[str, MinLen(1), MaxLen(200), _pattern(_PRINTABLE), Means("name")]
Number = Annotated[float, Ge(-LARGEST), Le(LARGEST)]
Positive = Annotated[float, Gt(0), Le(LARGEST)]
NotNegative = Annotated[float, Ge(0), Le(LARGEST)]
Fraction = Annotated[float, Ge(0), Lt(1)]
Count = Annotated[int, Ge(1), Le(int(LARGEST))]
Width = Annotated[int, Ge(1), Le(10**4)]
Widths = Annotated[tuple[Width, ...], MaxLen(20)]
Cutoff = Annotated[float, Interval(ge=0.5, le=50), Unit("Å")]
Seed = Annotated[int, Ge(0), Lt(2**63)]


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def configuration(cls: type[T]) -> type[T]:
    """Make a class a configuration: a frozen dataclass with validated fields.

    Building one raises a ValueError that names every invalid field, what was given and what is
    needed. ``__post_init__`` may check fields against each other.
    """
    hints = get_type_hints(cls, include_extras=True)
    cls.__annotations__ = {name: _strict(hints[name]) for name in cls.__annotations__}
    decorated: Any = pydantic_dataclass(cls, frozen=True, config=ConfigDict(extra="forbid"))
    build = decorated.__init__

    @wraps(build)
    def __init__(self: Any, *args: Any, **settings: Any) -> None:  # noqa: N807
        try:
            build(self, *map(_plain, args), **{k: _plain(v) for k, v in settings.items()})
        except ValidationError as error:
            names = [entry.name for entry in fields(decorated)]
            given = {**dict(zip(names, args, strict=False)), **settings}
            raise ValueError(
                error_message(error, decorated, given, decorated.__name__, arguments=names)
            ) from None

    decorated.__init__ = __init__
    return decorated


def renamed(**names: str) -> Any:
    """Return a validator that accepts earlier names of keys, ``earlier="present"``."""

    def accept(cls: type, given: Any) -> Any:  # noqa: ARG001
        if not isinstance(given, Mapping):
            return given
        return {names.get(key, key): value for key, value in given.items()}

    return model_validator(mode="before")(classmethod(accept))  # type: ignore[arg-type]


def read_configuration(cls: type[T], path: str | Path) -> T:
    """Read a configuration from a YAML file."""
    given = read_yaml(path)
    return from_mapping(cls, {} if given is None else given, file=path)


def from_mapping(
    cls: type[T], given: object, section: str = "", file: str | Path | None = None
) -> T:
    """Build a configuration, including nested ones, from a mapping.

    Parameters
    ----------
    cls : type
        A configuration, or any type that pydantic knows.
    section : str
        Key of the mapping within a larger one, for messages: ``model.representation``.
    file : str or Path, optional
        YAML file with this content, for messages.
    """
    try:
        return TypeAdapter(cls).validate_python(_plain(given) if file is None else given)
    except ValidationError as error:
        where = f"`{section}`" if section else getattr(cls, "__name__", str(cls))
        raise ValueError(error_message(error, cls, given, str(file or where), file)) from None


def _strict(hint: Any) -> Any:
    """Return a type hint whose scalars are not converted from other types."""
    origin, args = get_origin(hint), get_args(hint)
    if hint in _SCALARS:
        return _SCALARS[hint]
    if origin is Annotated:
        return Annotated[tuple([_strict(args[0]), *hint.__metadata__])]  # noqa: C409
    if origin in (Union, types.UnionType):
        return Union[tuple(map(_strict, args))]  # noqa: UP007
    if origin in (None, Literal, ClassVar):
        return hint
    strict = origin[tuple(arg if arg is Ellipsis else _strict(arg) for arg in args)]
    return Annotated[strict, BeforeValidator(_ordered)] if origin is tuple else strict


def _ordered(given: Any) -> Any:
    if isinstance(given, Set | Iterator):
        raise ValueError("the order of the values is not defined")
    return given


def _plain(value: Any) -> Any:
    """Return numbers and arrays of numpy as those of Python, also within containers."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if type(value) in (list, tuple):
        return type(value)(map(_plain, value))
    if type(value) is dict:
        return {key: _plain(each) for key, each in value.items()}
    return value
