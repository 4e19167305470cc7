"""Growing files: verified and rewound to a checkpoint, whatever was appended since."""

import errno
import os

import numpy as np
import pytest
from ase import Atoms
from ase.io import read
from ase.io.trajectory import TrajectoryWriter

from ase_les.runs.growing_files import GrowingFile, append_completely, writing


def frames(path, numbers):
    writer = TrajectoryWriter(path, mode="a")
    for number in numbers:
        writer.write(Atoms("H", [[number, 0, 0]]))
    writer.close()


def test_a_trajectory_is_rewound_although_its_index_changes_in_place(tmp_path):
    path = tmp_path / "run.traj"
    growing = GrowingFile(path)
    marks = {}
    # The index of ASE's format grows at 1, 42 and 1764 frames.
    for count in (1, 3, 42, 43, 60, 1770):
        present = len(read(path, ":")) if path.exists() else 0
        frames(path, range(present, count))
        marks[count] = growing.mark()
    for count in (1770, 60, 43, 42, 3, 1):
        again = GrowingFile(path)
        again.rewind(marks[count])
        found = [atoms.positions[0, 0] for atoms in read(path, ":")]
        assert found == list(range(count))
    # The hash goes on where the rewound file ends.
    frames(path, range(1, 3))
    assert again.mark().digest == marks[3].digest


@pytest.mark.parametrize("place", [0.1, 0.5, 0.99])
def test_a_changed_byte_before_the_mark_is_noticed(tmp_path, place):
    path = tmp_path / "run.traj"
    frames(path, range(50))
    mark = GrowingFile(path).mark()
    frames(path, range(50, 60))
    content = bytearray(path.read_bytes())
    at = int(place * mark.length)
    if any(first <= at < last for first, last in mark.left_out):
        at = mark.left_out[0][1]
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"run\.traj has changed since the checkpoint"):
        GrowingFile(path).rewind(mark)
    assert path.read_bytes() == content


def test_the_hash_is_updated_with_new_bytes_only(tmp_path, monkeypatch):
    path = tmp_path / "run.log"
    path.write_bytes(b"x" * 1000)
    growing = GrowingFile(path)
    growing.mark()
    added = []
    real = growing._hash
    monkeypatch.setattr(
        growing, "_hash", type("Hash", (), {
            "update": lambda _, chunk: (added.append(len(chunk)), real.update(chunk)),
            "hexdigest": lambda _: real.hexdigest(),
        })()
    )  # fmt: skip
    with open(path, "ab") as file:
        file.write(b"y" * 10)
    mark = growing.mark()
    assert sum(added) == 10
    GrowingFile(path).rewind(mark)


class Full:
    """Unbuffered file on a disk with space for some more bytes."""

    def __init__(self, space: int) -> None:
        self.content, self.space = bytearray(), space

    def seek(self, offset, whence):
        return len(self.content)

    def write(self, data):
        if self.space == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = data[: min(self.space, 7)]
        self.space -= len(written)
        self.content += written
        return len(written)

    def truncate(self, length):
        del self.content[length:]


def test_a_short_write_is_completed_or_taken_back():
    file = Full(40)
    append_completely(file, b"a" * 30)
    assert file.content == b"a" * 30
    with pytest.raises(OSError, match="No space"):
        append_completely(file, b"b" * 30)
    assert file.content == b"a" * 30


def test_errors_of_the_disk_name_file_and_remedy(tmp_path):
    with (
        pytest.raises(OSError, match=r"No space.*--resume.*run\.log"),
        writing(tmp_path / "run.log"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(PermissionError, match=r"^denied$"), writing(tmp_path / "run.log"):
        raise PermissionError("denied")


def test_a_file_shorter_than_its_head(tmp_path):
    path = tmp_path / "short.log"
    path.write_bytes(b"# step\n")
    mark = GrowingFile(path).mark()
    with open(path, "ab") as file:
        file.write(np.arange(100).tobytes())
    GrowingFile(path).rewind(mark)
    assert path.read_bytes() == b"# step\n"
