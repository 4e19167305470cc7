"""Models of configurations from files, checked and sized before anything is allocated."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch

from ase_les.electrostatics.wave_vectors import converged_k_cutoff
from ase_les.model import LESModel
from ase_les.model_config import ModelConfig
from ase_les.weight_names import load_weights, name_in_files, weights_of

# Beyond any model: sizes of layers, numbers of entries, lengths of texts.
_LARGEST_INTEGER, _LARGEST_NUMBER, _MOST_ENTRIES, _LONGEST_TEXT = 10**6, 1e15, 200, 200
#: Ranges of lengths in Å by the name of the setting.
_LENGTHS_A = {"cutoff": (0.5, 50.0), "smearing": (0.1, 50.0)}
#: Largest wave number, relative to that of a converged sum: the rest of the sum is rounding.
_MOST_CONVERGED = 4.0


def check_config(config: object, section: str = "") -> None:
    """Check kinds and magnitudes of all entries of a configuration.

    Parameters
    ----------
    config : dataclass instance
        Such as `ModelConfig`.
    section : str
        Its name for messages.

    Raises
    ------
    ValueError
        Naming the entry, its value and what is needed.
    """
    hints = typing.get_type_hints(type(config))
    for entry in fields(typing.cast(Any, config)):
        value, name = getattr(config, entry.name), f"{section}{entry.name}"
        _check(value, hints[entry.name], name)
        if entry.name in _LENGTHS_A and value is not None:
            low, high = _LENGTHS_A[entry.name]
            if not low <= value <= high:
                raise ValueError(f"`{name}` must be {low} to {high} Å, got {value}")
        if entry.name.endswith("hidden") and min(value, default=1) < 1:
            raise ValueError(f"`{name}` needs positive widths, got {value}")
    smearing, k_cutoff = (getattr(config, name, None) for name in ("smearing", "k_cutoff"))
    if smearing is not None and k_cutoff is not None:
        largest = _MOST_CONVERGED * converged_k_cutoff(smearing)
        if k_cutoff > largest:
            raise ValueError(
                f"`{section}k_cutoff` must be at most {largest:.3g} 1/Å for a smearing of "
                f"{smearing} Å, got {k_cutoff}"
            )


def _check(value: Any, hint: Any, name: str) -> None:
    if isinstance(hint, types.UnionType):
        options = typing.get_args(hint)
        if value is None and types.NoneType in options:
            return
        options = tuple(option for option in options if option is not types.NoneType)
        hint = next(
            (each for each in options if is_dataclass(each) and type(value) is each), options[0]
        )
    kind = typing.get_origin(hint) or hint
    if is_dataclass(kind) and type(value) is kind:
        check_config(value, f"{name}.")
    elif kind is tuple and isinstance(value, tuple) and len(value) <= _MOST_ENTRIES:
        for number, entry in enumerate(value):
            _check(entry, typing.get_args(hint)[0], f"{name}[{number}]")
    elif isinstance(kind, type) and issubclass(kind, Mapping) and isinstance(value, Mapping):
        if len(value) > _MOST_ENTRIES:
            raise ValueError(f"`{name}` has {len(value)} entries")
        for key, entry in value.items():
            _check(key, typing.get_args(hint)[0], f"name in {name}")
            _check(entry, typing.get_args(hint)[1], f"{name}.{key}")
    elif not _fits(value, kind):
        raise ValueError(f"`{name}` needs {_NEEDED.get(kind, kind)}, got {value!r}")


def _fits(value: Any, kind: Any) -> bool:
    if kind is bool:
        return isinstance(value, bool)
    if kind is int:
        return type(value) is int and abs(value) <= _LARGEST_INTEGER
    if kind is float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and abs(value) <= _LARGEST_NUMBER
    if kind is str:
        return isinstance(value, str) and len(value) <= _LONGEST_TEXT
    return False


_NEEDED: dict[Any, str] = {
    bool: "true or false",
    int: f"an integer of at most {_LARGEST_INTEGER}",
    float: "a finite number",
    str: f"text of at most {_LONGEST_TEXT} characters",
    tuple: f"a list of at most {_MOST_ENTRIES} entries",
}


def model_of_shapes(
    config: ModelConfig, shapes: Mapping[str, Sequence[int]], *, only_parameters: bool = False
) -> LESModel:
    """Return the model of a configuration, with any weights, if it has weights of these shapes.

    The shapes are compared before anything of their size is allocated.

    Parameters
    ----------
    config : ModelConfig
    shapes : mapping of str to sequence of int
        By the name of the weight in files.
    only_parameters : bool
        Whether weights that are not trained, such as scales of features, may be absent.

    Raises
    ------
    ValueError
        If the configuration is invalid, or a weight is missing, unknown or has another shape.
    """
    check_config(config)
    # Repulsion has no weights and reads numbers while it is built.
    with torch.device("meta"):
        empty = LESModel(replace(config, core_repulsion=None))
    needed = {name: tuple(weight.shape) for name, weight in weights_of(empty).items()}
    required = set(needed)
    if only_parameters:
        required = {name_in_files(name) for name, _ in empty.named_parameters()}
    missing, extra = sorted(required - set(shapes)), sorted(set(shapes) - set(needed))
    if missing or extra:
        raise ValueError(
            f"weights do not belong to the config: missing {missing[:3]}, extra {extra[:3]} "
            f"({len(missing)} and {len(extra)})"
        )
    for name, shape in shapes.items():
        if tuple(shape) != needed[name]:
            raise ValueError(f"weight {name!r} must have shape {needed[name]}, got {tuple(shape)}")
    size = sum(map(math.prod, needed.values()))
    known = sum(map(math.prod, shapes.values()))
    if size > 2 * known + 10**6:
        raise ValueError(f"the config describes {size} numbers, {known} are given")
    return LESModel(config, seed=0)


def with_weights(config: ModelConfig, weights: Mapping[str, torch.Tensor]) -> LESModel:
    """Return the model of a configuration in float64 with trained weights by name in files.

    Raises
    ------
    ValueError
        If the configuration is invalid, a weight is missing, unknown, has another shape, or is
        not finite.
    """
    shapes = {name: weight.shape for name, weight in weights.items()}
    model = model_of_shapes(config, shapes, only_parameters=True).double()
    broken = [name for name, weight in weights.items() if not weight.isfinite().all()]
    if broken:
        raise ValueError(f"weights must be finite; these are not: {broken[:3]}")
    load_weights(model, weights_of(model) | dict(weights))
    return model
