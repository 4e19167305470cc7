"""A checkpoint is read without running anything of it, and refused when it asks for more."""

from __future__ import annotations

import builtins
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from ase_les.interop.torch_archive import Record, read_archive


class Call:
    """Asks whoever unpickles it to call a function."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


def archive_with(pickled: bytes, path: Path, **storages: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/byteorder", "little")
        for key, data in storages.items():
            archive.writestr(f"archive/data/{key.removeprefix('storage')}", data)
    return path


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "model.pth"


def test_tensors_and_plain_containers_come_back(path):
    values = torch.arange(12.0, dtype=torch.float64).reshape(3, 4)
    given = {
        "tensor": values,
        "view": values.T[1:, ::2],
        "integers": torch.tensor([1, -2]),
        "flag": torch.tensor(True),
        "empty": torch.zeros(0, 3),
        "ordered": OrderedDict(a=1, b=[2.5, None]),
        "set": {1, 2},
        "numpy": [np.int64(17), np.float64(0.25)],
        "device": torch.device("cpu"),
        "shape": values.shape,
    }
    torch.save(given, path)
    found = read_archive(path)
    for name in ("tensor", "view", "integers", "flag", "empty"):
        tensor = found[name].content()
        assert tensor.dtype == given[name].dtype
        assert torch.equal(tensor, given[name])
    for name in ("ordered", "set", "numpy", "shape"):
        assert found[name] == given[name]


def test_objects_become_records_of_their_class_and_attributes(path):
    torch.save(torch.nn.Linear(3, 2), path)
    record = read_archive(path)
    assert isinstance(record, Record) and not isinstance(record, torch.nn.Module)
    assert record.name == "torch.nn.modules.linear.Linear"
    assert record["in_features"] == 3
    assert record["weight"].shape == (2, 3)
    assert record.owns("weight") and not record.owns("in_features")
    with pytest.raises(ValueError, match=r"Linear without the attribute 'depth'"):
        record["depth"]


def test_name_of_a_recorded_family_is_never_looked_up(path):
    marker = path.with_name("ran")
    # A class of our family that is really os.system: only its name may matter.
    pickled = b"\x80\x02ccace.modules\nsystem\n" + b"X\x05\x00\x00\x00touch\x85R."
    found = read_archive(archive_with(pickled, path))
    assert isinstance(found, Record) and found.name == "cace.modules.system"
    assert "cace" not in sys.modules and not marker.exists()


HOSTILE = {
    f"{os.system.__module__}.system": lambda marker: Call(os.system, f"touch {marker}"),
    "check_call": lambda marker: Call(subprocess.check_call, ["touch", str(marker)]),
    "eval": lambda marker: Call(eval, f"open({str(marker)!r}, 'w')"),
    "exec": lambda marker: Call(exec, f"open({str(marker)!r}, 'w')"),
    "__import__": lambda marker: Call(builtins.__import__, "antigravity"),
    "torch.hub.load": lambda marker: Call(torch.hub.load, "nobody/nothing", "model"),
    "torch.serialization.load": lambda marker: Call(torch.load, str(marker)),
    "numpy.load": lambda marker: Call(np.load, str(marker), None, True),
    "pickle.loads": lambda marker: Call(pickle.loads, pickle.dumps(Call(os.getcwd))),
    "io.open": lambda marker: Call(open, str(marker), "w"),
}


@pytest.mark.parametrize("asked", HOSTILE)
@pytest.mark.parametrize("nested", [False, True])
def test_file_that_asks_for_anything_else_is_refused_by_name(path, asked, nested):
    marker = path.with_name("ran")
    hostile = HOSTILE[asked](marker)
    if nested:
        network = torch.nn.Linear(1, 1)
        network.extra = [OrderedDict(deep=(hostile,))]
        hostile = network
    torch.save(hostile, path)
    with pytest.raises(ValueError, match=f"it uses .*{asked}"):
        read_archive(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    "owner", [b"cos\n_Environ\n", b"cbuiltins\ngetattr\n", b"X\x01\x00\x00\x00a"]
)
def test_getattr_of_anything_but_a_recorded_object_is_refused(path, owner):
    pickled = b"\x80\x02c__builtin__\ngetattr\n" + owner + b"X\x04\x00\x00\x00join\x86R."
    with pytest.raises(ValueError, match=r"getattr|os\._Environ"):
        read_archive(archive_with(pickled, path))


def test_bound_method_of_a_recorded_object_is_only_a_name(path):
    pickled = (
        b"\x80\x02c__builtin__\ngetattr\nccace.models\nModel\n)\x81"
        b"X\x0b\x00\x00\x00__globals__\x86R."
    )
    found = read_archive(archive_with(pickled, path))
    assert repr(found) == "<inert cace.models.Model.__globals__>"


@pytest.mark.parametrize(
    "target",
    [
        b"ccace.models\nModel\n",
        b"ctorch._utils\n_rebuild_parameter\n",
        b"ccollections\nOrderedDict\n",
        b"ctorch\nFloatStorage\n",
    ],
)
def test_names_cannot_be_given_attributes(path, target):
    # BUILD would set attributes of a class or function for the rest of the process.
    pickled = b"\x80\x02" + target + b"}X\x0c\x00\x00\x00__setstate__Nsb."
    with pytest.raises(ValueError, match="not a readable checkpoint"):
        read_archive(archive_with(pickled, path))
    assert Record.__setstate__ is not None
    torch.save(torch.nn.Linear(1, 1), path)
    assert read_archive(path)["in_features"] == 1


def test_tensor_cannot_be_given_attributes(path):
    reduced = torch.zeros(2).__reduce_ex__(2)
    torch.save(Call(*reduced[:1], *reduced[1]), path)
    assert torch.equal(read_archive(path), torch.zeros(2))
    torch.save(WithState(reduced, {"anything": 1}), path)
    with pytest.raises(ValueError, match="tries to change"):
        read_archive(path)


class WithState(Call):
    def __init__(self, reduced, state):
        self.reduced = (*reduced[:2], state)


def tensor_pickle(offset: int, shape: tuple, stride: tuple, numel: int = 4, key="0") -> bytes:
    """A pickle of one float32 tensor, protocol 2, with whatever is asked for."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, given):
            return given.pid if isinstance(given, Storage) else None

    class Storage:
        pid = ("storage", torch.FloatStorage, key, "cpu", numel)

    import io

    buffer = io.BytesIO()
    call = Call(torch._utils._rebuild_tensor_v2, Storage(), offset, shape, stride, False, None)
    Pickler(buffer, protocol=2).dump(call)
    return buffer.getvalue()


def test_tensor_inside_its_storage_is_rebuilt(path):
    data = struct.pack("<4f", 0, 1, 2, 3)
    found = read_archive(archive_with(tensor_pickle(1, (3,), (1,)), path, storage0=data))
    assert found.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("offset", "shape", "stride"),
    [
        (2, (3,), (1,)),
        (0, (2, 2), (3, 1)),
        (-1, (2,), (1,)),
        (3, (2,), (-1,)),
        (0, (2,), (1, 1)),
        (0, (2**40,), (0,)),
        (0, (2**40, 2**40), (0, 0)),
        (0, (1.5,), (1,)),
    ],
)
def test_tensor_outside_its_storage_is_refused(path, offset, shape, stride):
    data = struct.pack("<4f", 0, 1, 2, 3)
    with pytest.raises(ValueError, match="a tensor"):
        read_archive(archive_with(tensor_pickle(offset, shape, stride), path, storage0=data))


def test_storage_that_is_shorter_than_it_says_is_refused(path):
    data = struct.pack("<4f", 0, 1, 2, 3)
    pickled = tensor_pickle(0, (8,), (1,), numel=8)
    with pytest.raises(ValueError, match="storage 0 should hold 8"):
        read_archive(archive_with(pickled, path, storage0=data))


@pytest.mark.parametrize("key", ["../../../etc/passwd", "1", "data.pkl"])
def test_storage_elsewhere_is_refused(path, key):
    pickled = tensor_pickle(0, (4,), (1,), key=key)
    with pytest.raises(ValueError, match=r"name of a storage|no item named"):
        read_archive(archive_with(pickled, path, storage0=bytes(16)))


@pytest.mark.parametrize(
    "reference",
    [
        b"X\x01\x00\x00\x000",
        b"(X\x06\x00\x00\x00moduleX\x02\x00\x00\x00osX\x01\x00\x00\x000NK\x04t",
        b"(X\x07\x00\x00\x00storageccace.x\nFloatStorage\nX\x01\x00\x00\x000NK\x04t",
        b"(X\x07\x00\x00\x00storagecnumpy\nndarray\nX\x01\x00\x00\x000NK\x04t",
    ],
)
def test_reference_to_anything_but_a_storage_is_refused(path, reference):
    with pytest.raises(ValueError, match="not a readable checkpoint"):
        read_archive(archive_with(b"\x80\x02" + reference + b"Q.", path, storage0=bytes(16)))


def test_huge_index_of_remembered_objects_takes_no_memory(path):
    pickled = b"\x80\x02Nr\xff\xff\xff\x7f0j\xff\xff\xff\x7f."
    assert read_archive(archive_with(pickled, path)) is None


def test_archive_that_claims_more_than_it_has_is_refused(path):
    torch.save(torch.zeros(3), path)
    data = bytearray(path.read_bytes())
    directory = data.index(b"PK\x01\x02")
    data[directory + 20 : directory + 28] = struct.pack("<II", 0x7FFFFFFF, 0x7FFFFFFF)
    path.write_bytes(data)
    with pytest.raises(ValueError, match="claim more data"):
        read_archive(path)


def test_compressed_archive_is_refused(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02N.")
        archive.writestr("archive/data/0", bytes(10**6))
    with pytest.raises(ValueError, match="compressed"):
        read_archive(path)


def test_truncated_file_is_refused(path):
    torch.save(torch.zeros(1000), path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ValueError, match="truncated"):
        read_archive(path)


def test_truncated_pickle_is_refused(path):
    with pytest.raises(ValueError, match="not a readable checkpoint"):
        read_archive(archive_with(b"\x80\x02ccace.models\nMo", path))


def test_file_that_is_no_archive_is_refused(path):
    path.write_text("hello")
    with pytest.raises(ValueError, match="not a zip archive"):
        read_archive(path)


def test_format_before_zip_is_refused_with_the_remedy(path):
    torch.save(torch.zeros(1), path, _use_new_zipfile_serialization=False)
    with pytest.raises(ValueError, match=r"before version 1\.6; save it again"):
        read_archive(path)


def test_zip_without_a_pickle_is_refused(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "nothing here")
    with pytest.raises(ValueError, match=r"one 'data\.pkl' is needed"):
        read_archive(path)


def test_missing_file_is_said_to_be_missing(path):
    with pytest.raises(FileNotFoundError, match="no checkpoint at"):
        read_archive(path)
