"""Reader of torch checkpoints that runs nothing of what they contain.

A checkpoint saved as a whole model is a pickle: a small program that names classes and functions
and calls them. Here every name stands for something inert. Tensors and plain containers are
rebuilt, objects of the name families below become a `Record` of their class name and attributes,
and any other name is refused before it means anything.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

#: Modules whose classes and functions may appear in a checkpoint, as records only. Those of
#: torch.fx would execute source text of the file: here the text is an argument of a record.
RECORDED_FAMILIES = ("cace", "les", "mace", "e3nn", "torch.nn", "torch.fx")
_RECORDED_NAMES = {"torch.float32", "torch.float64"}
_STORAGE_TYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_NUMPY_TYPES = {"f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"}


class Record:
    """An object of a checkpoint: the name of its class, its arguments and its attributes.

    Registered parameters, buffers and submodules of a torch module are read like
    plain attributes. ``arguments`` are those of the constructor, or the entries of a
    named tuple.
    """

    name = ""
    arguments: tuple
    state: dict

    def __new__(cls, *arguments):
        record = super().__new__(cls)
        record.arguments = arguments
        record.state = {}
        return record

    def __setstate__(self, state):
        if not isinstance(state, dict):
            raise ValueError(f"the attributes of a {self.name} must be a dict, got {type(state)}")
        self.state = dict(state)

    def __repr__(self) -> str:
        return f"<record of {self.name}>"

    @property
    def class_name(self) -> str:
        """Name of the class without its module."""
        return self.name.rpartition(".")[2]

    def get(self, attribute: str, default=None):
        """Return an attribute, or `default` if the object has none of that name."""
        for group in (self.state, *map(self._registered, ("_parameters", "_buffers", "_modules"))):
            if attribute in group:
                return _plain(group[attribute])
        return default

    def owns(self, attribute: str) -> bool:
        """Return whether the attribute is a parameter rather than a buffer or a plain value."""
        return self._registered("_parameters").get(attribute) is not None

    def __getitem__(self, attribute: str):
        found = self.get(attribute, _MISSING)
        if found is _MISSING:
            raise ValueError(f"a {self.name} without the attribute {attribute!r} cannot be read")
        return found

    def __iter__(self) -> Iterator:
        """Entries of a torch container, in order."""
        for group in ("_modules", "_parameters"):
            yield from map(_plain, self._registered(group).values())

    def _registered(self, group: str) -> dict:
        entries = self.state.get(group)
        return entries if isinstance(entries, dict) else {}


_MISSING = object()


def _plain(value):
    return value.content() if isinstance(value, _Array) else value


class _Inert:
    """Base of everything a name can stand for: attributes cannot be set from the file."""

    __slots__ = ("name",)

    def __init__(self, name: str):
        self.name = name

    def __setstate__(self, state):
        raise ValueError(f"the file tries to change {self.name}")

    def __repr__(self) -> str:
        return f"<inert {self.name}>"


class _Function(_Inert):
    """A name that is called while reading: one of the few rebuilders of this module."""

    __slots__ = ("_rebuild",)

    def __init__(self, name: str, rebuild: Callable):
        super().__init__(name)
        self._rebuild = rebuild

    def __call__(self, *arguments):
        return self._rebuild(*arguments)


class _Array(_Inert):
    """A tensor or numpy array while the file is being read, out of the file's reach."""

    __slots__ = ("_content",)

    def __init__(self, name: str, content=None):
        super().__init__(name)
        self._content = content

    def content(self):
        return self._content


class _NumpyType(_Inert):
    """A numpy type; the state that follows its name says the byte order."""

    __slots__ = ("code",)

    def __init__(self, code: str):
        super().__init__("numpy.dtype")
        if code not in _NUMPY_TYPES:
            raise ValueError(f"numpy type {code!r} is not a plain number")
        self.code = code

    def __setstate__(self, state):
        if state[1] not in ("<", "|"):
            raise ValueError(f"numpy numbers must be little-endian, got byte order {state[1]!r}")

    def read(self, data: bytes) -> np.ndarray:
        return np.frombuffer(data, dtype="<" + self.code)


class _NumpyArray(_Array):
    """A numpy array, filled by the state that follows."""

    __slots__ = ()

    def __setstate__(self, state):
        _, shape, kind, fortran_order, data = state
        values = kind.read(data)
        self._content = values.reshape(shape, order="F" if fortran_order else "C").copy()


class _Dict(dict):
    """An ordered dict; attributes set on it carry nothing that is needed."""

    def __setstate__(self, state):
        pass


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, read_storage: Callable[[str], bytes]):
        super().__init__(io.BytesIO(data))
        self._read_storage = read_storage
        self._records: dict[str, type] = {}
        self._storages: dict[str, Tensor] = {}
        self._rebuilders: dict[tuple[str, str], Callable[..., Any]] = {
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
            ("torch._utils", "_rebuild_parameter"): lambda data, *_: data,
            ("torch", "device"): lambda *where: ":".join(map(str, where)),
            ("torch", "Size"): tuple,
            ("collections", "OrderedDict"): _Dict,
            ("__builtin__", "set"): set,
            ("builtins", "set"): set,
            ("__builtin__", "getattr"): self._attribute_name,
            ("builtins", "getattr"): self._attribute_name,
            ("_codecs", "encode"): _encode,
            ("numpy", "dtype"): lambda code, *_: _NumpyType(code),
        }
        for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            self._rebuilders[module, "scalar"] = lambda kind, data: kind.read(data)[0].item()
            self._rebuilders[module, "_reconstruct"] = lambda *_: _NumpyArray("numpy.ndarray")

    def find_class(self, module: str, name: str):
        full = f"{module}.{name}"
        if (module, name) in self._rebuilders:
            return _Function(full, self._rebuilders[module, name])
        if module == "torch" and name in _STORAGE_TYPES:
            return _Inert(name)
        if (module, name) == ("numpy", "ndarray"):
            return _Inert(full)
        families = tuple(family + "." for family in RECORDED_FAMILIES)
        if (module + ".").startswith(families) or full in _RECORDED_NAMES:
            if full not in self._records:
                self._records[full] = type("Record", (Record,), {"name": full})
            return self._records[full]
        raise ValueError(
            f"it asks for {full!r}. Only tensors, plain containers and classes of "
            f"{', '.join(RECORDED_FAMILIES)} are read, and nothing is ever run"
        )

    def persistent_load(self, reference) -> _Array:
        kind, storage, key, _, size = reference
        if kind != "storage" or not isinstance(storage, _Inert):
            raise ValueError(f"it refers to something other than a storage: {reference!r}")
        if not isinstance(key, str) or not key.isdecimal():
            raise ValueError(f"the name of a storage must be a number, got {key!r}")
        if storage.name not in _STORAGE_TYPES:
            raise ValueError(f"{storage.name!r} is not a storage of numbers")
        if key not in self._storages:
            data = bytearray(self._read_storage(key))
            dtype = _STORAGE_TYPES[storage.name]
            if len(data) != size * dtype.itemsize:
                raise ValueError(f"storage {key} should hold {size} {dtype}, it has {len(data)} B")
            empty = torch.empty(0, dtype=dtype)
            self._storages[key] = torch.frombuffer(data, dtype=dtype) if data else empty
        return _Array("torch.storage", self._storages[key])

    def _attribute_name(self, owner, attribute):
        # A bound method is stored as getattr(object, name): kept as a name, never looked up.
        if not isinstance(owner, Record | type) or not isinstance(attribute, str):
            raise ValueError(f"it asks for 'getattr' of {owner!r}, {attribute!r}")
        return _Inert(f"{owner.name}.{attribute}")


def _rebuild_tensor(storage, offset, shape, stride, *_) -> _Array:
    values = storage.content()
    numbers = (offset, *shape, *stride)
    if len(shape) != len(stride) or any(type(n) is not int or n < 0 for n in numbers):
        raise ValueError(f"a tensor cannot have shape {shape}, stride {stride}, offset {offset}")
    size = math.prod(shape)
    last = offset + sum((n - 1) * step for n, step in zip(shape, stride, strict=True))
    # Overlapping strides could blow a few bytes up to any size.
    if size and (last >= len(values) or size > len(values)):
        raise ValueError(
            f"a tensor of shape {shape}, stride {stride}, offset {offset} does not fit into its "
            f"storage of {len(values)} numbers"
        )
    if not size:
        return _Array("torch.Tensor", values.new_zeros(shape))
    return _Array("torch.Tensor", torch.as_strided(values, shape, stride, offset).clone())


def _encode(text: str, encoding: str) -> bytes:
    # Python 2 protocols store bytes as text; latin1 maps one to one.
    if encoding != "latin1":
        raise ValueError(f"bytes must be stored as latin1 text, got {encoding!r}")
    return text.encode("latin1")


def read_archive(path: str | Path):
    """Read the contents of a checkpoint written by ``torch.save`` without executing any of it.

    Parameters
    ----------
    path : str or Path
        Zip archive, as torch writes since version 1.6.

    Returns
    -------
    object
        Numbers, strings, lists, dicts and tensors as they are; objects as `Record`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a torch archive, is damaged, or asks for anything else than
        tensors, plain containers and classes of the recorded families.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at '{path}'")
    try:
        if not zipfile.is_zipfile(path):
            raise ValueError(_why_not_zip(path))
        with zipfile.ZipFile(path) as archive:
            return _load(archive, path.stat().st_size)
    except OSError:
        raise
    except Exception as error:
        # A damaged or hostile file can make the unpickler fail in any way.
        what = str(error) or type(error).__name__
        raise ValueError(f"'{path}' is not a readable checkpoint: {what}") from None


def _why_not_zip(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(4)
    if start[:1] == b"\x80":
        return (
            "it is a bare pickle, the format torch wrote before version 1.6; save it again with a "
            "newer torch in the program that made it"
        )
    if start == b"PK\x03\x04":
        return "its end is missing; the file is truncated"
    return "it is not a zip archive as torch.save writes"


def _load(archive: zipfile.ZipFile, file_size: int):
    entries = {entry.filename: entry for entry in archive.infolist()}
    if any(name.split("/")[1:2] == ["code"] for name in entries):
        raise ValueError(
            "it is a compiled model (TorchScript), a program that would have to be run; give the "
            "file it was compiled from (for MACE the .model file without '_compiled')"
        )
    if sum(entry.file_size for entry in archive.infolist()) > file_size or any(
        entry.compress_type != zipfile.ZIP_STORED for entry in entries.values()
    ):
        # torch stores numbers as they are, so that no small file can unpack to a huge one.
        raise ValueError("its entries claim more data than the file has, or are compressed")
    pickles = [name for name in entries if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise ValueError(f"one 'data.pkl' is needed, the archive has {sorted(entries)[:5]}")
    prefix = pickles[0].removesuffix("data.pkl")
    if prefix + "byteorder" in entries and archive.read(prefix + "byteorder") != b"little":
        raise ValueError("it was written on a big-endian machine")
    data = archive.read(pickles[0])
    for operation, argument, _ in pickletools.genops(data):
        # The table of remembered objects grows to the largest index a file names.
        if operation.name in ("PUT", "BINPUT", "LONG_BINPUT") and (
            argument is None or argument > len(data)
        ):
            raise ValueError("its pickle is malformed")
    return _plain(_Unpickler(data, lambda key: archive.read(f"{prefix}data/{key}")).load())
