"""References and examples of configuration files, generated from the typed configuration."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Annotated, Any, get_args, get_origin

import yaml
from annotated_types import Unit

from ase_les.configuration.kinds import describe, flattened, hints_of, kind_of, options

TRAINING_EXAMPLE: dict[str, Any] = {
    "data": {"training": "data.extxyz"},
    "model": {"representation": {"cutoff": 5.0}},
}
SAMPLING_EXAMPLE: dict[str, Any] = {
    "moves": [{"kind": "rattle"}, {"kind": "dynamics"}],
    "calculator": {"engine": "emt"},
}
LABELING_EXAMPLE: dict[str, Any] = {
    "engine": "emt",
    "sets": {"bulk": {"start": "start.extxyz", "sample": SAMPLING_EXAMPLE}},
}


@dataclass(frozen=True)
class Key:
    """Key of a configuration.

    Attributes
    ----------
    name : str
    hint : type
        Type of the value.
    default : object
        `dataclasses.MISSING` if the key is required.
    meaning : str
    """

    name: str
    hint: Any
    default: object
    meaning: str

    @property
    def values(self) -> str:
        """Return a description of the values, without the unit."""
        return describe(self.hint, unit=False)

    @property
    def unit(self) -> str:
        """Return the unit of the numbers in the value."""
        return ", ".join(dict.fromkeys(_units(self.hint)))

    @property
    def default_text(self) -> str:
        """Return the default in YAML."""
        if self.default is MISSING:
            return "required"
        return "see below" if is_dataclass(self.default) else in_yaml(self.default)


def keys(cls: Any) -> list[Key]:
    """Return the keys of a configuration, without those of nested ones."""
    meanings, hints = descriptions(cls), hints_of(cls)
    found = []
    for entry in fields(cls):
        default: Any = entry.default
        if entry.default_factory is not MISSING:
            default = entry.default_factory()
        found.append(Key(entry.name, hints[entry.name], default, meanings.get(entry.name, "")))
    # The key that selects the type of a mapping comes first.
    return sorted(found, key=lambda key: key.name != "kind")


def descriptions(cls: Any) -> dict[str, str]:
    """Return the descriptions of parameters in the docstring of a class, by name."""
    found: dict[str, str] = {}
    for each in reversed(cls.__mro__):
        text = inspect.cleandoc(each.__doc__ or "")
        section = re.search(r"Parameters\n-+\n(.*?)(\n\n[A-Z]\w+\n-+\n|\Z)", text, re.DOTALL)
        entries = section.group(1) + "\n" if section else ""
        for names, meaning in re.findall(r"^([\w, ]+) : .*\n((?:(?: {4}.*)?\n)*)", entries, re.M):
            found |= {name.strip(): " ".join(meaning.split()) for name in names.split(",")}
    return found | ({"kind": f"Always ``{kind_of(cls)}``."} if kind_of(cls) else {})


def sections(cls: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield a configuration and all nested ones, with their keys.

    Parameters
    ----------
    prefix : str
        Key of the configuration itself.
    """
    yield prefix, cls
    for key in keys(cls):
        for suffix, nested in _nested(key.hint):
            name = f"{prefix}.{key.name}{suffix}".removeprefix(".")
            yield from sections(nested, name)


def _nested(hint: Any) -> Iterator[tuple[str, Any]]:
    for option in options(hint):
        origin, args = get_origin(option), get_args(option)
        if is_dataclass(option):
            yield "", option
        elif origin is tuple and Ellipsis in args:
            yield from ((f"[]{suffix}", each) for suffix, each in _nested(args[0]))
        elif origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
            yield from ((f".NAME{suffix}", each) for suffix, each in _nested(args[1]))


def _units(hint: Any) -> Iterator[str]:
    if get_origin(hint) is Annotated:
        yield from (note.unit for note in flattened(hint.__metadata__) if isinstance(note, Unit))
    for arg in get_args(hint):
        yield from _units(arg)


def in_yaml(value: object) -> str:
    """Return a value in one line of YAML."""
    plain = list(value) if isinstance(value, tuple) else value
    text = yaml.safe_dump(plain, default_flow_style=True, allow_unicode=True, width=10**6)
    return text.removesuffix("\n").removesuffix("\n...")


def reference_text(cls: Any) -> str:
    """Return all keys of a configuration file as text for a terminal."""
    lines = []
    for prefix, each in sections(cls):
        kind = kind_of(each)
        if prefix:
            lines += ["", f"{prefix}:" + (f"  (kind: {kind})" if kind else "")]
        for key in keys(each):
            unit = f" in {key.unit}" if key.unit else ""
            lines.append(f"  {key.name}: {key.values}{unit}; default: {key.default_text}")
            lines += _wrapped(key.meaning, " " * 6)
    return "\n".join(lines).lstrip("\n") + "\n"


def reference_rst(cls: Any) -> str:
    """Return all keys of a configuration file as reStructuredText, a table for each mapping."""
    parts = []
    for prefix, each in sections(cls):
        kind = f" (kind: {kind_of(each)})" if kind_of(each) else ""
        title = f"``{prefix}``{kind}" if prefix else "Top level"
        summary = (inspect.getdoc(each) or "").split("\n\n")[0]
        rows = [("Key", "Values", "Default", "Unit", "Meaning")]
        rows += [
            (f"``{k.name}``", k.values, f"``{k.default_text}``", k.unit, k.meaning)
            for k in keys(each)
        ]
        parts += [title, "-" * len(title), "", " ".join(summary.split()), ""]
        if len(rows) > 1:
            parts += [".. list-table::", "   :header-rows: 1", "   :widths: 15 25 15 10 35", ""]
            for row in rows:
                cells = [cell or "–" for cell in row]
                parts += [f"   {'  -' if n else '* -'} {cell}" for n, cell in enumerate(cells)]
            parts.append("")
    return "\n".join(parts)


def configuration_reference() -> str:
    """Return the keys of all configuration files as reStructuredText."""
    from ase_les.training.active_learning.plan import LearningPlan
    from ase_les.training.engines.programs import ENGINES
    from ase_les.training.labeling.labeling_plan import LabelingPlan
    from ase_les.training.learning.configuration import TrainingConfig
    from ase_les.training.structures.sampling import SamplingRecipe

    files: dict[str, Any] = {
        "Training (``ase-les train``)": TrainingConfig,
        "Sampling (``ase-les label --sample``)": SamplingRecipe,
        "Labeling plan (``label.yml``)": LabelingPlan,
        "Active learning (``ase-les learn``)": LearningPlan,
    }
    files |= {f"Settings of the engine ``{n}``": each.settings for n, each in ENGINES.items()}
    return "\n".join(
        f"{title}\n{'=' * len(title)}\n\n{reference_rst(cls)}" for title, cls in files.items()
    )


def example(cls: Any, values: Mapping[str, Any]) -> str:
    """Return a configuration file with all keys, their meanings, units and defaults.

    Parameters
    ----------
    cls : type
        A configuration.
    values : mapping
        Values that differ from the defaults, including all required ones. Keys without
        value that are null or empty by default are commented out.
    """
    return "\n".join(_example(cls, values, 0)) + "\n"


def _example(cls: Any, values: Mapping[str, Any], depth: int) -> Iterator[str]:
    indent = "  " * depth
    for key in keys(cls):
        given = values.get(key.name, key.default)
        if key.name == "kind":
            continue
        yield from _comment(key, indent)
        if given in (None, (), {}):
            yield f"{indent}# {key.name}: {in_yaml(given)}"
        elif option := _chosen(key.hint, "", given):
            lines = list(_example(option, _as_mapping(given), depth + 1))
            # A mapping with only comments would be null.
            is_empty = all(line.lstrip().startswith("#") for line in lines)
            yield from (f"{indent}{'# ' if is_empty else ''}{key.name}:", *lines)
        elif isinstance(given, list | tuple) and _chosen(key.hint, "[]", given[0]):
            yield f"{indent}{key.name}:"
            for each in given:
                yield f"{indent}  - kind: {each['kind']}"
                yield from _example(_chosen(key.hint, "[]", each), each, depth + 2)
        elif isinstance(given, Mapping) and (option := _chosen(key.hint, ".NAME", None)):
            yield f"{indent}{key.name}:"
            for name, each in given.items():
                yield f"{indent}  {name}:"
                yield from _example(option, each, depth + 2)
        else:
            yield f"{indent}{key.name}: {in_yaml(given)}"


def _comment(key: Key, indent: str) -> list[str]:
    values = "" if any(_nested(key.hint)) else f" [{key.values}{key.unit and f', {key.unit}'}]"
    return _wrapped(f"{key.meaning}{values}", f"{indent}# ")


def _wrapped(text: str, start: str) -> list[str]:
    return textwrap.wrap(
        text, 96, initial_indent=start, subsequent_indent=start, break_on_hyphens=False
    )


def _chosen(hint: Any, suffix: str, given: Any) -> Any:
    """Return the nested configuration of a value; None for other values."""
    found = [option for place, option in _nested(hint) if place == suffix]
    if isinstance(given, Mapping):
        found = [option for option in found if kind_of(option) == given.get("kind")] or found[:1]
    elif is_dataclass(given):
        found = [option for option in found if isinstance(given, option)]
    elif suffix == "":
        return None
    return next(iter(found), None)


def _as_mapping(given: Any) -> Mapping[str, Any]:
    return given if isinstance(given, Mapping) else vars(given)
