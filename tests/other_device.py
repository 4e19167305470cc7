"""A device to test with where there is no GPU.

Its tensors lie in the memory of the CPU, under the name of a device that has none, and like those
of a GPU they do not mix: an operation between them and tensors of the CPU is an error, and numbers
leave the device only by an explicit move. What runs here has its tensors in the right places; speed
and rounding of a GPU are another matter, and forward derivatives (currents) cannot be had here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

NAME = "lazy"

# Indices may be on the CPU, as those of a GPU's tensors may.
_INDEXING = ("index", "index_put", "index_put_", "_index_put_impl_")

# Tensors that only stand for a conjugate, a negative or zeros are resolved above the level that
# operations are caught at.
_aten = torch.ops.aten
_AT_ONCE = {
    _aten._conj.default: _aten.conj_physical.default,
    _aten._neg_view.default: _aten.neg.default,
    _aten._efficientzerotensor.default: _aten.zeros.default,
}


@contextmanager
def other_device() -> Iterator[str]:
    """While it is there; its name."""
    with _Device(), _OutsideOfOperations():
        yield NAME


class _ThereTensor(torch.Tensor):
    """A tensor on the device; ``held`` is what it would be on the CPU."""

    @staticmethod
    def __new__(cls, held: Tensor):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=NAME,
        )

    def __init__(self, held: Tensor):
        self.held = held

    def tolist(self):
        return self.held.tolist()

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        return _run(operation, args, kwargs or {})


class _Device(TorchDispatchMode):
    """Catches operations that name the device without having a tensor on it."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        return _run(operation, args, kwargs or {})


class _OutsideOfOperations(TorchFunctionMode):
    """What a real device does without an operation that could be caught."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if function in (torch.tensor, torch.as_tensor):
            device = kwargs.pop("device", None)
            made = function(*args, **kwargs)
            return made if device is None else made.to(device)
        return function(*args, **kwargs)


def _run(operation, args, kwargs):
    flat, structure = tree_flatten((args, kwargs))
    tensors = [each for each in flat if isinstance(each, Tensor)]
    asked = next((each.type for each in flat if isinstance(each, torch.device)), None)
    if not any(isinstance(each, _ThereTensor) for each in tensors) and asked != NAME:
        return operation(*args, **kwargs)
    name = operation.overloadpacket.__name__
    moves = name in ("to", "_to_copy", "copy_")
    if name == "copy_" and not isinstance(args[0], _ThereTensor):
        return args[0].copy_(args[1].held)
    if not (moves or name in _INDEXING):
        _check_together(name, tensors)
    on_cpu, options = tree_unflatten([_held(each) for each in flat], structure)
    result = _AT_ONCE.get(operation, operation)(*on_cpu, **options)
    if name.endswith("_"):
        return None if name.startswith("_foreach") else args[0]
    if moves and asked not in (None, NAME):
        return result
    return tree_map(lambda each: _ThereTensor(each) if isinstance(each, Tensor) else each, result)


def _held(argument: object) -> object:
    if isinstance(argument, _ThereTensor):
        return argument.held
    return torch.device("cpu") if isinstance(argument, torch.device) else argument


def _check_together(name: str, tensors: list[Tensor]) -> None:
    # A number may come along as a tensor without axes.
    elsewhere = [
        tuple(each.shape) for each in tensors if not isinstance(each, _ThereTensor) and each.dim()
    ]
    if elsewhere:
        raise RuntimeError(
            f"{name}: all tensors must be on one device, those of shapes {elsewhere} are on the CPU"
        )
