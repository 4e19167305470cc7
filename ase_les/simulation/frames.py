"""Frames of a run as extended XYZ; see :mod:`ase_les.reading.extended_xyz`."""

from ase_les.reading.extended_xyz import read_extended_xyz, write_extended_xyz

__all__ = ["read_extended_xyz", "write_extended_xyz"]
