"""Models of configurations from files, checked and sized before anything is allocated."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from ase_les.configuration import field_types
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
#: Numbers that tables of any model may take, and what creates tensors of a size.
_ALWAYS_ALLOWED = 4_000_000
_FACTORIES = frozenset(
    {torch.empty, torch.zeros, torch.ones, torch.full, torch.randn, torch.rand, torch.arange}
)


def _compile_annotations(kind: Any) -> None:
    """Evaluate the annotations of a dataclass and of all in it, which are text in our code."""
    for hint in field_types(kind).values():
        for option in typing.get_args(hint) or (hint,):
            if is_dataclass(option):
                _compile_annotations(option)


# Here, so that nothing is compiled while a file is read.
_compile_annotations(ModelConfig)


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
    hints = field_types(typing.cast(Any, type(config)))
    for entry in fields(typing.cast(Any, config)):
        value, name = getattr(config, entry.name), f"{section}{entry.name}"
        _check(value, hints[entry.name], name)
        if entry.name in _LENGTHS_A and value is not None:
            low, high = _LENGTHS_A[entry.name]
            if not low <= value <= high:
                raise ValueError(f"`{name}` must be {low} to {high} Å, got {value}")
        if entry.name.endswith("hidden") and isinstance(value, tuple) and min(value, default=1) < 1:
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

    No more is allocated than weights of these shapes need.

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
    given = sum(map(math.prod, shapes.values()))
    with _Allocation(4 * given + _ALWAYS_ALLOWED):
        model = LESModel(config, seed=0)
    needed = {name: tuple(weight.shape) for name, weight in weights_of(model).items()}
    required = set(needed)
    if only_parameters:
        required = {name_in_files(name) for name, _ in model.named_parameters()}
    missing, extra = sorted(required - set(shapes)), sorted(set(shapes) - set(needed))
    if missing or extra:
        raise ValueError(
            f"weights do not belong to the config: missing {missing[:3]}, extra {extra[:3]} "
            f"({len(missing)} and {len(extra)})"
        )
    for name, shape in shapes.items():
        if tuple(shape) != needed[name]:
            raise ValueError(f"weight {name!r} must have shape {needed[name]}, got {tuple(shape)}")
    return model


class _Allocation(TorchFunctionMode):
    """Context in which no more than so many numbers can be allocated.

    Parameters
    ----------
    most : int
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._left = most

    def __torch_function__(
        self, func: Any, types: Any, args: tuple = (), kwargs: Mapping | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _FACTORIES:
            sizes = args[0] if args and isinstance(args[0], tuple | list) else args
            sizes = kwargs.get("size", sizes)
            self._left -= math.prod(size for size in sizes if type(size) is int and size > 0)
            if self._left < 0:
                raise ValueError("the config describes a model larger than its weights")
        return func(*args, **kwargs)


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
