"""Reading and writing frames with Born charges as extended XYZ."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import iread, write

BORN_CHARGES = "born_effective_charges"
WRITTEN = ("energy", "free_energy", "forces", "stress", "dipole", "charges", "dielectric_tensor")


def write_extended_xyz(path: str | Path, frames: Iterable[Atoms]) -> None:
    """Write frames with velocities and results; an existing file is replaced.

    ASE's writer does not support arrays of shape (N, 3, 3): Born charges are written as nine
    columns, in the order xx xy xz yx … of [polarization, displacement].

    Parameters
    ----------
    path : str or Path
    frames : iterable of Atoms
        For example ``ase.io.iread("run.traj")``; not modified.
    """
    Path(path).unlink(missing_ok=True)
    for frame in frames:
        flat = frame.copy()
        results = dict(getattr(frame.calc, "results", {}))
        if BORN_CHARGES in results:
            flat.arrays[BORN_CHARGES] = results[BORN_CHARGES].reshape(len(frame), 9)
        kept = {name: results[name] for name in WRITTEN if name in results}
        flat.calc = SinglePointCalculator(flat, **kept)
        write(path, flat, format="extxyz", append=True)


def read_extended_xyz(path: str | Path) -> list[Atoms]:
    """Read frames written by :func:`write_extended_xyz`, with Born charges of shape (N, 3, 3)."""
    frames = []
    for frame in iread(path, format="extxyz", index=":"):
        # ASE's reader recognizes the name and stores the nine columns as a result.
        if frame.calc is not None and BORN_CHARGES in frame.calc.results:
            born = frame.calc.results[BORN_CHARGES]
            frame.calc.results[BORN_CHARGES] = born.reshape(len(frame), 3, 3)
        frames.append(frame)
    return frames
