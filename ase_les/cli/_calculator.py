"""Structures and calculators from options of the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ase_les.cli._reading import ReadingOptions, options, read

if TYPE_CHECKING:
    from ase import Atoms

    from ase_les import Committee, LESModel
    from ase_les.properties.recorded_run import RecordedRun
    from ase_les.runs.processes import Jobs

FOR_DERIVATIVES: dict[str, Any] = {"accuracy": 1e-7}
"""Settings for calculators whose forces are differentiated: no mesh, double precision."""


#: Value of the option for ε∞ that takes it from the polarizability of the model.
LEARNED = "model"


def dielectric_number(text: str) -> float:
    """Return a dielectric constant given as an option."""
    try:
        return float(text)
    except ValueError:
        raise ValueError(
            f"--dielectric is a number, or `{LEARNED}` for ε∞ of a model with a polarizability; "
            f"got {text!r}"
        ) from None


def make_calculator(
    model: str | LESModel | Committee, device: str, dtype: str | None, **settings: Any
) -> Any:
    """Return an ASE calculator of a shipped model, a model file or a model.

    With `dtype` None, the calculator chooses the precision.
    """
    from ase_les import LESCalculator

    chosen: dict[str, Any] = {} if dtype is None else {"dtype": dtype}
    return LESCalculator(model, device=device, **chosen, **settings)


def read_structure(path: Path, charge: int | None = None) -> Atoms:
    """Return the last structure of a file, or the one selected in its name (``run.traj@3``).

    Parameters
    ----------
    charge : int or None
        Total charge (e) instead of that in the file.
    """
    return read(path, last_only=True, charge=charge).last


def check_charge(stem: str, structures: Iterable[Atoms], charge: int | None) -> None:
    """Raise an error if a run would be continued with a different total charge."""
    if charge is None:
        return
    known = {atoms.info.get("charge", 0) for atoms in structures}
    if known != {charge}:
        raise ValueError(
            f"run {stem} does not match: its total charge is "
            f"{', '.join(map(str, sorted(known)))} e, given --charge {charge}. Omit it, or "
            "start a new run with another output"
        )


def trajectory_frames(path: Path | None, start: int = 0, stride: int = 1) -> Sequence[Atoms]:
    """Yield all frames of a file that ASE reads; ASE trajectories are read frame by frame."""
    from ase.io.trajectory import Trajectory

    from ase_les.reading import readable

    if path is None:
        raise ValueError("no trajectory given: name a file that ASE can read")
    frames: Sequence[Atoms]
    if path.suffix == ".traj" and options() == ReadingOptions(quiet=options().quiet):
        with readable(path):
            frames = Trajectory(path)
    else:
        frames = read(path).frames
    chosen = frames[start::stride]
    if len(chosen) == 0:
        raise ValueError(f"{path} has {len(frames)} frames, none from --start {start} on")
    return chosen


def read_frames(
    path: Path, every_frame: bool, charge: int | None = None
) -> list[tuple[str, Atoms]]:
    """Return every structure of a file, or its last one, each with a name for tables."""
    if not every_frame:
        return [(str(path), read_structure(path, charge))]
    frames = read(path, charge=charge).frames
    return [(f"{path}@{number}", each) for number, each in enumerate(frames)]


def calculated_structure(
    structure: Path | None,
    model: str | None,
    device: str | None,
    dtype: str | None,
    charge: int | None = None,
    electrodes: Mapping[str, Any] | None = None,
    **settings: Any,
) -> tuple[Atoms, dict[str, Any]]:
    """Structure with its calculator, and the origin of both.

    Further `settings` are passed to the calculator.
    """
    if structure is None:
        raise ValueError("no structure given: name a file that ASE can read")
    if model is None:
        raise ValueError("no model given: use --model with a shipped model's name or a model file")
    atoms = read_structure(structure, charge)
    if electrodes is not None:
        from ase_les.properties.electrodes import select_electrodes

        electrodes = select_electrodes(atoms, **electrodes)
        settings |= {"electrodes": electrodes}
    # Structures from trajectories have recorded results instead of a calculator.
    atoms.calc = make_calculator(model, device or "cpu", dtype, **settings)
    provenance: dict[str, Any] = {
        "structure": str(structure),
        # The path of a model file must be valid in any folder; names of shipped models are kept.
        "model": str(Path(model).resolve()) if Path(model).is_file() else model,
        "device": device or "cpu",
        "dtype": dtype,
        "charge": charge,
    }
    if electrodes is not None:
        provenance["electrodes"] = electrodes
    return atoms, provenance


def note_screening(runs: Sequence[RecordedRun], given: float | None, quiet: bool) -> None:
    """Print a note if charges of bulk runs were taken as latent by default."""
    latent = [run.volume_A3 is not None and run.screening.epsilon_infinity == 1 for run in runs]
    if given is None and any(latent):
        note_latent_charges(quiet)


def note_latent_charges(quiet: bool) -> None:
    """Print that charges of a bulk are latent without ε∞, and how to give it."""
    from ase_les.reports.terminal import console

    console(quiet).print(
        "Note: charges are latent (ε∞ = 1); give ε∞ of the bulk with --dielectric to scale them by "
        "√ε∞",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def set_threads(threads: int) -> None:
    """Set the number of threads of this process."""
    from ase_les import process_settings

    process_settings.set_threads(threads)


def differentiable_structure(
    structure: Path | None,
    model: str | None,
    device: str | None,
    dtype: str | None,
    *,
    processes: int,
    threads: int,
    scheduler: str | None = None,
    charge: int | None = None,
    dielectric: str | None = None,
) -> tuple[Atoms, Jobs]:
    """Return a structure with a float64 calculator, and the job settings.

    `dtype` None is float64. `dielectric` is a number, or "model" for the tensor that the model
    predicts for this structure. Sets the threads of this process.
    """
    from ase_les.runs.processes import SERIAL, Jobs

    set_threads(threads)
    dtype = dtype or "float64"
    settings = dict(FOR_DERIVATIVES)
    learned = dielectric == LEARNED
    if dielectric is not None and not learned:
        settings["dielectric"] = dielectric_number(dielectric)
    atoms, _ = calculated_structure(structure, model, device, dtype, charge, **settings)
    if learned:
        settings["dielectric"] = atoms.calc.get_learned_dielectric_tensor(atoms).tolist()
        atoms.calc.dielectric = settings["dielectric"]
    if processes == 1 and scheduler is None:
        return atoms, SERIAL
    assert model is not None  # checked by calculated_structure
    make = partial(make_calculator, model, device or "cpu", dtype, **settings)
    return atoms, Jobs(processes, make, threads, scheduler)
