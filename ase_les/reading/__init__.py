"""Structures and labels from files: what is read under which names, and what is said of the rest.

Names are those of extended XYZ (``atoms.info`` for a structure, ``atoms.arrays`` for its atoms);
other formats come through ASE, whose calculator results count as labels under ASE's names.
"""

from ase_les.reading.files import (
    StructureFile,
    all_frames,
    last_frame,
    read_file,
    readable,
    split_name,
    without_slice,
)
from ase_les.reading.notes import Notes

__all__ = [
    "Notes",
    "StructureFile",
    "all_frames",
    "last_frame",
    "read_file",
    "readable",
    "split_name",
    "without_slice",
]
