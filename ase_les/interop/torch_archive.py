"""Reader of torch checkpoints that does not execute their code.

A checkpoint saved as a whole model is a pickle: a small program that names classes and functions
and calls them. `ase_les.interop.pickle_machine` interprets it, and this module maps every name to
an inert object. Tensors and plain containers are rebuilt, objects of the module families below
become a `Record` of their class name and attributes, and all other names are rejected. The amount
of data read from the records is limited, too (`Budget`), because a file may share its parts any
number of times.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ase_les.interop.pickle_machine import checked_key, interpret
from ase_les.messages import one_line, short_text

#: Modules whose classes and functions may appear in a checkpoint, as records only. Those of
#: torch.fx would execute source text of the file: here the text is an argument of a record.
RECORDED_FAMILIES = ("cace", "les", "mace", "e3nn", "torch.nn", "torch.fx")
#: Maximum number of different names, and maximum length of a name.
MAX_NAMES, MAX_NAME_LENGTH = 1000, 200
#: Maximum number of attributes read, and bytes of tensors beyond six times the file size: published
#: models need 300 and four times the file size.
MAX_READS, MAX_TENSOR_BYTES = 10_000, 16 * 2**20
#: Maximum size of the table of contents of an archive in bytes; published models have 12,000.
MAX_DIRECTORY_BYTES = 2**20
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


class Budget:
    """Remaining limits on the data read from the records of a file.

    Parameters
    ----------
    reads : int
        Attributes and entries.
    tensor_bytes : int
        Tensors in float64, counted every time they are read.
    """

    def __init__(self, reads: float = math.inf, tensor_bytes: float = math.inf) -> None:
        self._reads, self._bytes = reads, tensor_bytes

    def spend(self, value: object) -> None:
        """Account for a value that is read.

        Raises
        ------
        ValueError
            If the limit is exceeded.
        """
        self._reads -= 1
        if isinstance(value, Tensor):
            self._bytes -= 8 * value.numel()
        if self._reads < 0 or self._bytes < 0:
            raise ValueError("its parts refer to each other without end, or share their tensors")

    def allow(self, numbers: int) -> None:
        """Check that this number of float64 values may be derived from those of the file.

        Raises
        ------
        ValueError
            If the file is too small for them.
        """
        if 8 * numbers > self._bytes:
            raise ValueError(f"its settings describe {numbers:.3g} numbers, many more than it has")


class Record:
    """Object of a checkpoint: class name, arguments and attributes.

    Registered parameters, buffers and submodules of a torch module are read like
    plain attributes. ``arguments`` are those of the constructor, or the entries of a
    named tuple.
    """

    name = ""
    budget = Budget()
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
        self.state = state

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
                return self._taken(group[attribute])
        return default

    def owns(self, attribute: str) -> bool:
        """Return whether the attribute is a parameter rather than a buffer or a plain value."""
        return self._registered("_parameters").get(attribute) is not None

    def __getitem__(self, attribute: str):
        found = self.get(attribute, _MISSING)
        if found is _MISSING:
            raise ValueError(
                f"a {self.name} without the attribute {short_text(attribute)} cannot be read"
            )
        return found

    def __iter__(self) -> Iterator:
        """Entries of a torch container, in order."""
        for group in ("_modules", "_parameters"):
            yield from map(self._taken, self._registered(group).values())

    def _taken(self, value):
        value = _plain(value)
        self.budget.spend(value)
        return value

    def _registered(self, group: str) -> dict:
        entries = self.state.get(group)
        return entries if isinstance(entries, dict) else {}


_MISSING = object()


def _plain(value):
    return value.content() if isinstance(value, _Array) else value


class _Inert:
    """Base class of objects for names: attributes cannot be set from the file."""

    __slots__ = ("name",)

    def __init__(self, name: str):
        self.name = name

    def __setstate__(self, state):
        raise ValueError(f"the file tries to change {self.name}")

    def __repr__(self) -> str:
        return f"<inert {self.name}>"


class _Function(_Inert):
    """Name that is called while reading: one of the few rebuilders of this module."""

    __slots__ = ("_rebuild",)

    def __init__(self, name: str, rebuild: Callable):
        super().__init__(name)
        self._rebuild = rebuild

    def __call__(self, *arguments):
        return self._rebuild(*arguments)


class _Array(_Inert):
    """Tensor or numpy array during reading, inaccessible to the pickle."""

    __slots__ = ("_content",)

    def __init__(self, name: str, content=None):
        super().__init__(name)
        self._content = content

    def content(self):
        return self._content


class _NumpyType(_Inert):
    """Numpy type; the state that follows its name contains the byte order."""

    __slots__ = ("code",)

    def __init__(self, code: str):
        super().__init__("numpy.dtype")
        if not isinstance(code, str) or code not in _NUMPY_TYPES:
            raise ValueError(f"numpy type {short_text(code)} is not a plain number")
        self.code = code

    def __setstate__(self, state):
        if state[1] not in ("<", "|"):
            raise ValueError(f"numpy numbers must be little-endian, got {short_text(state[1])}")

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
    """Ordered dict; attributes set on it are not needed."""

    def __setstate__(self, state):
        pass


class _Names:
    """Resolver of the names in a checkpoint: rebuilders, records, or an error."""

    def __init__(self, read_storage: Callable[[str], bytes], file_size: int):
        self._read_storage = read_storage
        self._budget = Budget(MAX_READS, 6 * file_size + MAX_TENSOR_BYTES)
        self._records: dict[str, type] = {}
        self._storages: dict[str, Tensor] = {}
        self._rebuilders: dict[tuple[str, str], Callable[..., Any]] = {
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
            ("torch._utils", "_rebuild_parameter"): lambda data, *_: data,
            ("torch", "device"): _device,
            ("torch", "Size"): tuple,
            ("collections", "OrderedDict"): _Dict,
            ("__builtin__", "set"): _set,
            ("builtins", "set"): _set,
            ("__builtin__", "getattr"): self._attribute_name,
            ("builtins", "getattr"): self._attribute_name,
            ("_codecs", "encode"): _encode,
            ("numpy", "dtype"): lambda code, *_: _NumpyType(code),
        }
        for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            self._rebuilders[module, "scalar"] = lambda kind, data: kind.read(data)[0].item()
            self._rebuilders[module, "_reconstruct"] = lambda *_: _NumpyArray("numpy.ndarray")

    def find(self, module: str, name: str):
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
                is_long = len(full) > MAX_NAME_LENGTH or not full.isprintable()
                if len(self._records) >= MAX_NAMES or is_long:
                    raise ValueError(f"it has too many or too long names, such as {full!r}")
                body = {"name": full, "budget": self._budget}
                self._records[full] = type("Record", (Record,), body)
            return self._records[full]
        raise ValueError(
            f"it uses {one_line(repr(full), 80)}. Only tensors, plain containers and classes "
            f"of {', '.join(RECORDED_FAMILIES)} are read, and no code is executed"
        )

    def call(self, function, arguments: tuple):
        if isinstance(function, _Function) or (
            isinstance(function, type) and issubclass(function, Record)
        ):
            return function(*arguments)
        raise ValueError(f"it calls {short_text(function)}, which is not a function")

    def set_state(self, target, state) -> None:
        if not isinstance(target, Record | _Inert | _Dict):
            raise ValueError(f"the file tries to change a {type(target).__name__}")
        target.__setstate__(state)

    def persistent(self, reference) -> _Array:
        if not isinstance(reference, tuple) or len(reference) != 5:
            raise ValueError("it refers to something other than a storage")
        kind, storage, key, _, size = reference
        if kind != "storage" or not isinstance(storage, _Inert):
            raise ValueError("it refers to something other than a storage")
        if not isinstance(key, str) or not key.isdecimal():
            raise ValueError(f"the name of a storage must be a number, got {short_text(key)}")
        if storage.name not in _STORAGE_TYPES:
            raise ValueError(f"{storage.name!r} is not a storage of numbers")
        if key not in self._storages:
            data = self._read_storage(key)
            dtype = _STORAGE_TYPES[storage.name]
            if type(size) is not int or len(data) != size * dtype.itemsize:
                raise ValueError(f"storage {key} should hold {size} {dtype}, it has {len(data)} B")
            empty = torch.empty(0, dtype=dtype)
            # Writable because torch requires it; it is never written.
            self._storages[key] = torch.frombuffer(bytearray(data), dtype=dtype) if data else empty
        return _Array("torch.storage", self._storages[key])

    def _attribute_name(self, owner, attribute):
        # A bound method is stored as getattr(object, name): keep the name without resolving it.
        if not isinstance(owner, Record | type) or not isinstance(attribute, str):
            raise ValueError(f"it uses 'getattr' of {short_text(owner)}, {short_text(attribute)}")
        return _Inert(f"{owner.name}.{attribute}")


def _rebuild_tensor(storage, offset, shape, stride, *_) -> _Array:
    if not isinstance(storage, _Array):
        raise ValueError("a tensor has no storage")
    values = storage.content()
    if not (isinstance(shape, tuple) and isinstance(stride, tuple) and len(shape) <= 10):
        raise ValueError("a tensor has no shape")
    numbers = (offset, *shape, *stride)
    if len(shape) != len(stride) or any(type(n) is not int or n < 0 for n in numbers):
        raise ValueError(f"a tensor cannot have shape {shape}, stride {stride}, offset {offset}")
    size = math.prod(shape)
    last = offset + sum((n - 1) * step for n, step in zip(shape, stride, strict=True))
    # Overlapping strides could expand a few bytes to any size.
    if size and (last >= len(values) or size > len(values)):
        raise ValueError(
            f"a tensor of shape {shape}, stride {stride}, offset {offset} does not fit into its "
            f"storage of {len(values)} numbers"
        )
    if not size:
        return _Array("torch.Tensor", values.new_zeros(shape))
    # A view: tensors that share a storage in the file share it here.
    return _Array("torch.Tensor", torch.as_strided(values, shape, stride, offset))


def _set(entries=()) -> set:
    return set(map(checked_key, entries))


def _device(*where) -> str:
    return one_line(":".join(map(str, where[:2])), 40)


def _encode(text: str, encoding: str) -> bytes:
    # Python 2 protocols store bytes as text; latin1 maps one to one.
    if not isinstance(text, str) or encoding != "latin1":
        raise ValueError(f"bytes must be stored as latin1 text, got {short_text(encoding)}")
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
        Numbers, strings, lists, dicts and tensors unchanged; objects as `Record`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a torch archive, is damaged, or uses names other than
        tensors, plain containers and classes of the recorded families.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at '{path}'")
    with _BoundedFile(path) as file:
        try:
            if not zipfile.is_zipfile(path):
                raise ValueError(_why_not_zip(path))
            with zipfile.ZipFile(file) as archive:
                file.largest_read = None
                return _load(archive, path.stat().st_size)
        except Exception as error:
            # A damaged or hostile file can make the reader fail in any way.
            what = one_line(error) or type(error).__name__
            raise ValueError(f"'{path}' is not a readable checkpoint: {what}") from error


class _BoundedFile(io.FileIO):
    """File with a limit on the size of a read: the table of contents of an archive."""

    largest_read: int | None = MAX_DIRECTORY_BYTES

    def read(self, size: int | None = -1) -> bytes:
        if self.largest_read is not None and size is not None and size > self.largest_read:
            raise ValueError(f"its table of contents would have {size} bytes")
        return super().read(size)


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
        # torch stores numbers uncompressed, so that no small file can unpack to a huge one.
        raise ValueError("its entries claim more data than the file has, or are compressed")
    pickles = [name for name in entries if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise ValueError(f"one 'data.pkl' is needed, the archive has {sorted(entries)[:3]}")
    prefix = pickles[0].removesuffix("data.pkl")
    if prefix + "byteorder" in entries and archive.read(prefix + "byteorder") != b"little":
        raise ValueError("it was written on a big-endian machine")
    names = _Names(lambda key: archive.read(f"{prefix}data/{key}"), file_size)
    return _plain(interpret(archive.read(pickles[0]), names))
