"""Checkpoints from which dynamics runs and relaxations continue exactly.

A checkpoint contains everything the next step depends on: the atoms, the state of random number
generator, integrator or optimizer, and observers, and the length of each output file.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from ase_les.messages import one_line
from ase_les.runs.growing_files import FileMark
from ase_les.runs.output import replace_file
from ase_les.runs.stored_atoms import atoms_as_arrays, atoms_from_arrays
from ase_les.simulation.states import unpacked

FORMAT = 2
RELAXATION_FORMAT = "relaxation 1"


@dataclass(frozen=True)
class Checkpoint:
    """State of a dynamics run between two steps.

    Attributes
    ----------
    step : int
        Number of completed steps.
    atoms : Atoms
        Positions (Å), momenta (ASE units), cell, masses, info and constraints, without calculator.
    forces : array, shape (N, 3)
        Forces in eV/Å at this step, used to detect a different model.
    field_V_per_A : sequence of float or None
        External field at this step, if the calculator has one.
    settings : mapping
        Fields of the settings the run was started with.
    provenance : mapping
        Origin of structure and calculator, as given by the caller.
    notes : tuple of str
        Changes made to the structure before the first step.
    model_hash : str or None
        Hash of the model, if the calculator has one.
    degrees_of_freedom : int
        Number of degrees of freedom in the definition of the temperature.
    stage : int
        Index of the stage of the integrator state, starting from 0.
    integrator : mapping of str to array
        State of thermostat and barostat.
    observers : mapping of str to mapping of str to array
        State of each observer, by name.
    rng_state : mapping
        State of the numpy bit generator.
    wall_time_s : float
        Wall-clock time so far.
    files : mapping of str to FileMark
        State of each growing file, by the ending of its name; only files that exist.
    """

    step: int
    atoms: Atoms
    forces: np.ndarray
    field_V_per_A: Sequence[float] | None
    settings: Mapping[str, Any]
    provenance: Mapping[str, object]
    notes: tuple[str, ...]
    model_hash: str | None
    degrees_of_freedom: int
    stage: int
    integrator: Mapping[str, np.ndarray]
    observers: Mapping[str, Mapping[str, np.ndarray]]
    rng_state: Mapping[str, Any]
    wall_time_s: float
    files: Mapping[str, FileMark]


@dataclass(frozen=True)
class RelaxationCheckpoint:
    """State of a relaxation between two steps.

    Attributes
    ----------
    step : int
        Number of completed steps.
    atoms : Atoms
        Current structure with the given constraints, without calculator.
    forces : array, shape (N, 3)
        Forces in eV/Å without constraints, used to detect a different model.
    start_positions, start_cell : array, shape (N, 3) and (3, 3)
        Reference in Å for strains, displacements and symmetry.
    start_energy_eV : float
    optimizer : mapping of str to array
        See :func:`~ase_les.simulation.optimizers.optimizer_state`.
    settings, provenance, structure : mapping
        Settings, origin of structure and model, and description of the initial structure.
    notes : tuple of str
    model_hash : str or None
    wall_time_s : float
    files : mapping of str to FileMark
        State of trajectory and log.
    """

    step: int
    atoms: Atoms
    forces: np.ndarray
    start_positions: np.ndarray
    start_cell: np.ndarray
    start_energy_eV: float
    optimizer: Mapping[str, np.ndarray]
    settings: Mapping[str, Any]
    provenance: Mapping[str, object]
    structure: Mapping[str, object]
    notes: tuple[str, ...]
    model_hash: str | None
    wall_time_s: float
    files: Mapping[str, FileMark]


# Fields that are not stored as JSON.
_ENCODED = frozenset(
    (
        "atoms",
        "forces",
        "integrator",
        "observers",
        "optimizer",
        "files",
        "start_positions",
        "start_cell",
    ),
)
#: Types of entries in JSON.
_TYPES: dict[str, type | tuple[type, ...]] = {
    "step": int,
    "stage": int,
    "degrees_of_freedom": int,
    "settings": dict,
    "provenance": dict,
    "structure": dict,
    "rng_state": dict,
    "model_hash": (str, type(None)),
    "wall_time_s": (int, float),
    "start_energy_eV": (int, float),
}
_RELAXATION_ARRAYS = ("forces", "start_positions", "start_cell")


def _in_json(cls: type[Checkpoint | RelaxationCheckpoint]) -> list[str]:
    """Return the fields of a checkpoint that are stored as JSON."""
    return [field.name for field in fields(cls) if field.name not in _ENCODED]


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Store a checkpoint of a run; a crash while writing leaves the previous one."""
    replace_file(path, packed(checkpoint))


def packed(checkpoint: Checkpoint) -> bytes:
    """Return the content of the checkpoint file of a run."""
    atoms_facts, arrays = atoms_as_arrays(checkpoint.atoms)
    facts: dict[str, object] = {name: getattr(checkpoint, name) for name in _in_json(Checkpoint)}
    facts |= {"format": FORMAT, "files": _encode_marks(checkpoint.files), **atoms_facts}
    arrays |= {f"integrator/{name}": value for name, value in checkpoint.integrator.items()}
    for observer, state in checkpoint.observers.items():
        # Record that the observer exists, even if its state is empty.
        arrays[f"observer/{observer}/"] = np.array(len(state))
        arrays |= {f"observer/{observer}/{name}": value for name, value in state.items()}
    arrays["forces"] = checkpoint.forces
    return _encode(facts, arrays)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint of a run, without executing any code from the file.

    Raises
    ------
    FileNotFoundError
        If there is no checkpoint at `path`.
    ValueError
        If the file is not a checkpoint this version can read.
    """
    facts, arrays = _decode(path, "a run", FORMAT)
    try:
        _check_types(facts, arrays, _in_json(Checkpoint))
        facts["notes"] = tuple(facts["notes"])
        return Checkpoint(
            atoms=atoms_from_arrays(facts, arrays),
            forces=arrays["forces"],
            integrator=unpacked(arrays, "integrator", "/"),
            observers=_observers(arrays),
            files=_decode_marks(facts["files"]),
            **{name: facts[name] for name in _in_json(Checkpoint)},
        )
    except Exception as error:
        raise _not_a_checkpoint(path, "a run", error) from error


def write_relaxation_checkpoint(path: Path, checkpoint: RelaxationCheckpoint) -> None:
    """Store a checkpoint of a relaxation; a crash while writing leaves the previous one."""
    atoms_facts, arrays = atoms_as_arrays(checkpoint.atoms)
    facts: dict[str, object] = {
        name: getattr(checkpoint, name) for name in _in_json(RelaxationCheckpoint)
    }
    facts |= {
        "format": RELAXATION_FORMAT,
        "atoms": atoms_facts,
        "files": _encode_marks(checkpoint.files),
    }
    arrays |= {name: getattr(checkpoint, name) for name in _RELAXATION_ARRAYS}
    arrays |= {f"optimizer/{name}": array for name, array in checkpoint.optimizer.items()}
    replace_file(path, _encode(facts, arrays))


def read_relaxation_checkpoint(path: Path) -> RelaxationCheckpoint:
    """Read a checkpoint of a relaxation, without executing any code from the file."""
    facts, arrays = _decode(path, "a relaxation", RELAXATION_FORMAT)
    try:
        _check_types(facts, arrays, _in_json(RelaxationCheckpoint))
        facts["notes"] = tuple(facts["notes"])
        return RelaxationCheckpoint(
            atoms=atoms_from_arrays(facts["atoms"], arrays),
            optimizer=unpacked(arrays, "optimizer", "/"),
            files=_decode_marks(facts["files"]),
            forces=arrays["forces"],
            start_positions=arrays["start_positions"],
            start_cell=arrays["start_cell"],
            **{name: facts[name] for name in _in_json(RelaxationCheckpoint)},
        )
    except Exception as error:
        raise _not_a_checkpoint(path, "a relaxation", error) from error


def _check_types(
    facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray], names: Sequence[str]
) -> None:
    """Check types of entries and shapes of arrays."""
    for name in names:
        value, kind = facts[name], _TYPES.get(name, object)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not object):
            raise TypeError(f"{name} is {one_line(repr(value), 40)}")
    if facts["step"] < 0 or not all(isinstance(note, str) for note in facts["notes"]):
        raise ValueError("step or notes are invalid")
    for name in ("atoms/positions", "forces"):
        if (
            arrays[name].shape != (len(arrays["atoms/numbers"]), 3)
            or not np.isfinite(arrays[name]).all()
        ):
            raise ValueError(f"{name} are not three finite numbers for each atom")


def _not_a_checkpoint(path: Path, task: str, error: Exception) -> ValueError:
    # Damaged files cause errors of many types.
    return ValueError(
        f"{path} is not a checkpoint of {task}, or is damaged "
        f"({one_line(f'{type(error).__name__}: {error}')}). Restore the file, or start a new run"
    )


def _encode(facts: Mapping[str, object], arrays: Mapping[str, np.ndarray]) -> bytes:
    content = io.BytesIO()
    packed_facts = np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8)
    named: dict[str, Any] = {"facts": packed_facts, **arrays}
    np.savez(content, **named)
    return content.getvalue()


def _decode(
    path: Path, task: str, known_format: int | str
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    if not path.exists():
        raise FileNotFoundError(f"no checkpoint at {path}; resume needs the file stem of {task}")
    try:
        with np.load(path, allow_pickle=False) as content:
            # Stored uncompressed, so that a small file cannot expand to a huge one.
            if sum(each.file_size for each in content.zip.infolist()) > path.stat().st_size:
                raise ValueError("its arrays are larger than the file")
            arrays = {name: content[name] for name in content.files}
        facts = json.loads(arrays.pop("facts").tobytes().decode())
        if not isinstance(facts, dict):
            raise ValueError("its description is not a mapping")
    except Exception as error:
        raise _not_a_checkpoint(path, task, error) from error
    found = facts.get("format")
    if found != known_format:
        raise ValueError(
            f"{path} is not a checkpoint of {task} that this version can read: its checkpoint "
            f"format is {one_line(found, 40)}, expected {known_format}. Resume with the version "
            "named in the summary"
        )
    return facts, arrays


def _encode_marks(files: Mapping[str, FileMark]) -> dict[str, dict[str, object]]:
    return {
        name: {
            "length": mark.length,
            "head": base64.b64encode(mark.head).decode(),
            "digest": mark.digest,
            "left_out": [list(each) for each in mark.left_out],
        }
        for name, mark in files.items()
    }


def _decode_marks(stored: Mapping[str, Mapping[str, Any]]) -> dict[str, FileMark]:
    return {
        name: FileMark(
            mark["length"],
            base64.b64decode(mark["head"]),
            mark.get("digest"),
            tuple((first, last) for first, last in mark.get("left_out", ())),
        )
        for name, mark in stored.items()
    }


def _observers(arrays: Mapping[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    observers: dict[str, dict[str, np.ndarray]] = {}
    for name, array in unpacked(arrays, "observer", "/").items():
        observer, _, entry = name.partition("/")
        state = observers.setdefault(observer, {})
        if entry:
            state[entry] = array
    return observers
