"""Check the size of models from files before memory is allocated."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from ase_les.model import LESModel
from ase_les.model_config import ModelConfig
from ase_les.weight_names import load_weights, name_in_files, weights_of

#: Maximum size of the tables of any model, and functions that create tensors.
_ALWAYS_ALLOWED = 4_000_000
_FACTORIES = frozenset(
    {torch.empty, torch.zeros, torch.ones, torch.full, torch.randn, torch.rand, torch.arange}
)


def model_of_shapes(
    config: ModelConfig, shapes: Mapping[str, Sequence[int]], *, only_parameters: bool = False
) -> LESModel:
    """Return an uninitialized model of a configuration, if its weights have these shapes.

    No more memory is allocated than these weights need.

    Parameters
    ----------
    shapes : mapping of str to sequence of int
        Shapes by the name of the weight in files.
    only_parameters : bool
        Whether weights that are not trained, such as feature scales, may be absent.
    """
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
    """Limit the number of tensor elements that can be allocated within the context."""

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
    """Return the model of a configuration in float64 with trained weights by name in files."""
    shapes = {name: weight.shape for name, weight in weights.items()}
    model = model_of_shapes(config, shapes, only_parameters=True).double()
    broken = [name for name, weight in weights.items() if not weight.isfinite().all()]
    if broken:
        raise ValueError(f"weights must be finite; these are not: {broken[:3]}")
    load_weights(model, weights_of(model) | dict(weights))
    return model
