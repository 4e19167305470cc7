"""Read YAML files in the notation that scientists expect, with the lines of their entries.

PyYAML reads YAML 1.1, in which ``1e-4`` is a string, ``No`` is false, ``010`` is eight, ``1:20`` is
eighty and the first of two equal keys is lost. Here numbers are those of YAML 1.2, ``No`` is a
string (nobelium), dates are strings, and duplicate keys are an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

MAX_VALUES = 10**6
"""Largest number of values of a file, counted with those of its aliases."""


class _Loader(yaml.SafeLoader):
    """Loader for plain containers without the implicit types of YAML 1.1."""

    yaml_implicit_resolvers: dict = {}  # noqa: RUF012
    yaml_constructors = {  # noqa: RUF012
        tag: yaml.SafeLoader.yaml_constructors[tag]
        for tag in (
            None,
            *(
                f"tag:yaml.org,2002:{name}"
                for name in ("null", "bool", "int", "float", "str", "seq", "map")
            ),
        )
    }

    def construct_mapping(self, node: Any, deep: bool = False) -> dict:
        """Return a mapping; reject duplicate keys."""
        lines: dict[object, int] = {}
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else id(key_node)
            line = key_node.start_mark.line + 1
            if key in lines:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key `{key}` occurs twice, in lines {lines[key]} and {line}"
                )
            lines[key] = line
        return super().construct_mapping(node, deep)


for _tag, _pattern in {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE|yes|no|on|off",
    "int": r"[-+]?(0|[1-9][0-9_]*)",
    "float": r"[-+]?(([0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+|[0-9]+\.[0-9]*|\.[0-9]+)"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
    "merge": "<<",
}.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"({_pattern})$"), [None])


def read_yaml(path: str | Path) -> object:
    """Read a YAML file."""
    text = _text(path)
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if "&" in text:
            _check_size(node, {})
        return None if node is None else loader.construct_document(node)
    except yaml.YAMLError as error:
        raise ValueError(f"'{path}' is not valid YAML: {error}") from None
    except RecursionError:
        raise ValueError(f"'{path}' is not valid YAML: it is nested too deeply") from None


def line_of(path: str | Path, keys: Sequence[object]) -> int | None:
    """Return the line of an entry of a YAML file, or of the innermost mapping around it.

    Parameters
    ----------
    keys : sequence of str or int
        Keys of mappings and indices of lists, from outside to inside.
    """
    node, line = yaml.compose(_text(path), _Loader), None
    for key in keys:
        found = next((pair for pair in _children(node) if pair[0] == str(key)), None)
        if found is None:
            break
        _, line, node = found
    return line


def _check_size(node: Any, sizes: dict[int, int]) -> int:
    """Return the number of values; reject aliases that expand without bound."""
    if id(node) not in sizes:
        sizes[id(node)] = MAX_VALUES
        size = 1 + sum(_check_size(child, sizes) for _, _, child in _children(node))
        if size > MAX_VALUES:
            raise yaml.YAMLError(f"its aliases expand to more than {MAX_VALUES} values")
        sizes[id(node)] = size
    return sizes[id(node)]


def _children(node: Any) -> Iterator[tuple[str, int, Any]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield str(key.value), key.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield str(index), value.start_mark.line + 1, value


def _text(path: str | Path) -> str:
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"no file at '{path}'")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"'{path}' is not valid YAML: it is not UTF-8 text ({error})") from None
