"""Structures and calculators from what stands on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ase import Atoms

    from ase_les.properties.parallel import Jobs

FOR_DERIVATIVES: dict[str, Any] = {"accuracy": 1e-7}
"""Settings of calculators whose forces are differentiated: rounding and meshes would show."""


def make_calculator(model: str, device: str, dtype: str | None, **settings: Any) -> Any:
    """A shipped model by name, or a model file, as an ASE calculator.

    `dtype` None leaves the choice to the calculator.
    """
    from ase_les import LESCalculator

    chosen = {} if dtype is None else {"dtype": dtype}
    return LESCalculator(model, device=device, **chosen, **settings)


def read_structure(path: Path) -> Atoms:
    """The last frame of any file ASE reads."""
    from ase.io import read
    from ase.io.formats import UnknownFileTypeError

    try:
        return read(path)
    except UnknownFileTypeError as error:
        raise ValueError(f"cannot tell the format of the structure file {path}: {error}") from error


def trajectory_frames(path: Path | None, start: int = 0, stride: int = 1) -> Sequence[Atoms]:
    """All frames of any file ASE reads; those of an ASE trajectory one at a time, when used.

    Raises
    ------
    ValueError
        If no file is given, its format is unknown, or no frame is left.
    """
    from ase.io import read
    from ase.io.formats import UnknownFileTypeError
    from ase.io.trajectory import Trajectory

    if path is None:
        raise ValueError("no trajectory given: name a file that ASE can read")
    try:
        frames = Trajectory(path) if path.suffix == ".traj" else read(path, index=":")
    except UnknownFileTypeError as error:
        raise ValueError(f"cannot tell the format of the trajectory {path}: {error}") from error
    chosen = frames[start::stride]
    if len(chosen) == 0:
        raise ValueError(f"{path} has {len(frames)} frames, none from --start {start} on")
    return chosen


def read_frames(path: Path, every_frame: bool) -> list[tuple[str, Atoms]]:
    """Every frame of a file, or its last one, each with a name for tables."""
    from ase.io import iread

    last = read_structure(path)
    if not every_frame:
        return [(str(path), last)]
    return [(f"{path}@{number}", atoms) for number, atoms in enumerate(iread(path, index=":"))]


def calculated_structure(
    structure: Path | None,
    model: str | None,
    device: str | None,
    dtype: str | None,
    **settings: Any,
) -> tuple[Atoms, dict[str, str | None]]:
    """A structure with its calculator, and where both came from.

    Further `settings` are the calculator's.

    Raises
    ------
    ValueError
        If structure or model is missing.
    """
    if structure is None:
        raise ValueError("no structure given: name a file that ASE can read")
    if model is None:
        raise ValueError("no model given: use --model with a shipped model's name or a model file")
    atoms = read_structure(structure)
    # A trajectory brings recorded results along, which are no calculator to go on with.
    atoms.calc = make_calculator(model, device or "cpu", dtype, **settings)
    provenance = {
        "structure": str(structure),
        # A model file must be found again from any folder; a shipped model's name stays a name.
        "model": str(Path(model).resolve()) if Path(model).is_file() else model,
        "device": device or "cpu",
        "dtype": dtype,
    }
    return atoms, provenance


def set_threads(threads: int) -> None:
    """Limit torch to a number of threads; its own choice is all cores, busy or not."""
    import torch

    torch.set_num_threads(threads)


def differentiable_structure(
    structure: Path | None,
    model: str | None,
    device: str | None,
    dtype: str | None,
    *,
    processes: int,
    threads: int,
    dielectric: float | None = None,
) -> tuple[Atoms, Jobs]:
    """A structure whose calculator is precise enough for differences, and who shares the work.

    `dtype` None is float64. Sets the threads of this process.
    """
    from ase_les.properties.parallel import SERIAL, Jobs

    set_threads(threads)
    dtype = dtype or "float64"
    settings = dict(FOR_DERIVATIVES)
    if dielectric is not None:
        settings["dielectric"] = dielectric
    atoms, _ = calculated_structure(structure, model, device, dtype, **settings)
    if processes == 1:
        return atoms, SERIAL
    make = partial(make_calculator, model, device or "cpu", dtype, **settings)
    return atoms, Jobs(processes, make, threads)
