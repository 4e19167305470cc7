"""Values of the wrong kind for every key of every configuration: are they refused, with its name?

``python -m benchmarks.wrong_configurations`` tries each of `VALUES` and random nested ones for each
key and compares with the documented kind, range and form of its value. It fails if a value is
accepted that the documentation does not allow, or refused without the name of the key.
"""

from __future__ import annotations

import argparse
import collections
import math
import random
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from annotated_types import MaxLen, MinLen
from ase.data import chemical_symbols

from ase_les.configuration import from_mapping
from ase_les.configuration.kinds import Means, flattened, hints_of, kind_of, options
from ase_les.model_config import ModelConfig
from ase_les.reports.configuration import sections
from ase_les.training.active_learning.plan import LearningPlan
from ase_les.training.engines.programs import ENGINES
from ase_les.training.labeling.labeling_plan import LabelingPlan
from ase_les.training.learning.configuration import TrainingConfig
from ase_les.training.structures.sampling import SamplingRecipe

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 10**30, -(10**30), 1.5, 1e30, math.nan, math.inf),
    *("", "no", "1", "Na", "Xx", "none", "x" * 10_000, "\x1b[31m", "a\0b"),
    *([], [None], [1, "1"], ["Na"], [1.0, 2.0, 3.0], [[]], {}, {"a": 1}, {"Na": "1"}, {1: 1}),
    *({"kind": "mace"}, {"kind": []}, b"1", {1, 2}, 1j, object()),
)

CACE = {"cutoff": 4.0}
#: What is required, by name of the configuration.
REQUIRED: dict[str, dict[str, Any]] = {
    "DataConfig": {"training": "a.xyz"},
    "TrainingConfig": {"data": {"training": "a.xyz"}, "model": {"representation": CACE}},
    "ModelConfig": {"atomic_energies": {"H": 0.0}, "representation": CACE},
    "CaceConfig": CACE,
    "MaceConfig": {"kind": "mace", **CACE},
    "EquilibrationConfig": {"elements": ["Pt"]},
    "LESSettings": {"model": "nacl"},
    "IonsSettings": {"charges": {"Na": 1}, "repulsion": {}},
    "Selection": {"structures": 1, "models": "nacl"},
    "SamplingRecipe": {"moves": [{"kind": "rattle"}]},
    "StructureSet": {"start": "a.xyz"},
    "LabelingPlan": {"engine": "emt", "sets": {"a": {"start": "a.xyz"}}},
    "Conditions": {"temperature_K": 300.0},
    "LearningPlan": {
        "start": "a.xyz",
        "engine": "emt",
        "sample": {"moves": [{"kind": "rattle"}]},
        "model": {"representation": CACE},
        "conditions": [{"temperature_K": 300.0}],
    },
    "EngineConfig": {"engine": "emt"},
    "Dissociate": {"fragment": [0]},
    "MoveFragment": {"fragment": [0]},
    "RigidBodies": {"molecules": [[0]]},
    "CommitteeMD": {"models": ["a", "b"]},
}


def configurations() -> list[Any]:
    """All configurations that files are made of."""
    roots = (TrainingConfig, ModelConfig, SamplingRecipe, LabelingPlan, LearningPlan)
    roots += tuple(engine.settings for engine in ENGINES.values())
    return list(dict.fromkeys(cls for root in roots for _, cls in sections(root)))


def allowed(hint: Any, value: Any) -> bool:
    """Whether the documentation of a type allows a value; nothing of this is pydantic's."""
    if get_origin(hint) is Annotated:
        base, *notes = get_args(hint)
        notes = list(flattened(notes))
        meanings = [note.text for note in notes if isinstance(note, Means)]
        return allowed(base, _in_list(value, meanings)) and all(
            _obeys(note, _in_list(value, meanings)) for note in notes
        )
    origin, args = get_origin(hint), get_args(hint)
    if len(options(hint)) > 1:
        return any(allowed(each, value) for each in args)
    if origin is Literal:
        return isinstance(value, str) and value in args
    if origin is tuple:
        if not isinstance(value, list | tuple):
            return False
        of = [args[0]] * len(value) if args[-1] is Ellipsis else list(args)
        return len(of) == len(value) and all(map(allowed, of, value))
    if origin is not None:
        return isinstance(value, Mapping) and all(
            allowed(args[0], key) and allowed(args[1], each) for key, each in value.items()
        )
    if is_dataclass(hint):
        return _is_configuration(hint, value)
    if hint in (int, float):
        is_number = isinstance(value, int if hint is int else int | float)
        return is_number and not isinstance(value, bool) and math.isfinite(float(value))
    return hint is object or (value is None if hint is NoneType else type(value) is hint)


def _in_list(value: Any, meanings: list[str]) -> Any:
    one_of_many = meanings == ["file name, or list of them"] and isinstance(value, str)
    return [value] if one_of_many else value


def _is_configuration(cls: Any, value: Any) -> bool:
    if not isinstance(value, Mapping) or value.get("kind") not in (None, kind_of(cls)):
        return False
    hints = hints_of(cls)
    required = {
        entry.name
        for entry in fields(cls)
        if entry.default is MISSING and entry.default_factory is MISSING
    }
    return required <= set(value) <= set(hints) and all(
        allowed(hints[key], each) for key, each in value.items()
    )


def _obeys(note: Any, value: Any) -> bool:
    if isinstance(note, MinLen):
        return len(value) >= note.min_length
    if isinstance(note, MaxLen):
        return len(value) <= note.max_length
    limits = {
        "ge": lambda limit: value >= limit,
        "gt": lambda limit: value > limit,
        "le": lambda limit: value <= limit,
        "lt": lambda limit: value < limit,
    }
    for name, obeys in limits.items():
        if hasattr(note, name) and not obeys(getattr(note, name)):
            return False
    if not isinstance(note, Means):
        return True
    if note.text == "element symbol":
        return value in chemical_symbols[1:]
    if note.text.startswith("pair of"):
        return len(value.split("-")) == 2 and set(value.split("-")) <= set(chemical_symbols[1:])
    if note.text.startswith("engine"):
        return value in ENGINES or ":" in value
    if note.text == "file name":
        return value != "" and "\0" not in value
    if note.text in ("name", "text"):
        return all(unicodedata.category(x) != "Cc" or x in "\n\t" for x in value)
    return True


class Outcome(NamedTuple):
    """What became of a value: ``refused`` with the key, ``accepted``, or what is wrong."""

    configuration: str
    key: str
    value: Any
    is_allowed: bool
    told: str | None

    @property
    def fault(self) -> str | None:
        """What is wrong with it."""
        if not self.is_allowed and self.told is None:
            return "accepted"
        if self.told is not None and f"`{self.key}" not in self.told:
            return "refused without the name of the key"
        if self.told is not None and (len(self.told) > 2000 or "pydantic" in self.told):
            return "refused at length"
        return None


def outcomes(values: tuple[Any, ...] = VALUES) -> Iterator[Outcome]:
    """Yield what becomes of each value for each key of each configuration."""
    for cls in configurations():
        for key, hint in hints_of(cls).items():
            for value in values:
                told = None
                try:
                    from_mapping(cls, {**REQUIRED.get(cls.__name__, {}), key: value})
                except ValueError as error:
                    told = str(error)
                yield Outcome(cls.__name__, key, value, allowed(hint, value), told)


def random_value(source: random.Random, depth: int = 3) -> Any:
    """A value of nested lists and mappings of `VALUES`."""
    if depth == 0 or source.random() < 0.4:
        return source.choice(VALUES)
    size = source.randrange(4)
    if source.random() < 0.5:
        return [random_value(source, depth - 1) for _ in range(size)]
    names = ["kind", "Na", "cutoff", "structures", "a", 1, ""]
    return {source.choice(names): random_value(source, depth - 1) for _ in range(size)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--random", type=int, default=100, help="random values for each key")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    source = random.Random(asked.seed)
    values = (*VALUES, *(random_value(source) for _ in range(asked.random)))
    found = list(outcomes(values))
    counts = collections.Counter(
        (each.is_allowed, "refused" if each.told else "accepted") for each in found
    )
    keys = {(each.configuration, each.key) for each in found}
    print(f"{len(keys)} keys of {len(configurations())} configurations, {len(found)} values")
    for (is_allowed, became), count in sorted(counts.items()):
        print(f"  {'allowed' if is_allowed else 'not allowed'}, {became}: {count}")
    faults = [each for each in found if each.fault]
    for each in faults[:20]:
        print(f"{each.configuration}.{each.key} = {each.value!r:.60}: {each.fault}: {each.told}")
    raise SystemExit(f"{len(faults)} faults" if faults else 0)


if __name__ == "__main__":
    main()
