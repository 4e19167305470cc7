"""Structures with labels as extended XYZ; see :mod:`ase_les.reading.extended_xyz`."""

from ase_les.reading.extended_xyz import LABEL_PREFIX, without_labels, write_labelled

__all__ = ["LABEL_PREFIX", "without_labels", "write_labelled"]
