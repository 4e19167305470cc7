"""Where a relaxation stands: all that its next step depends on, in one file without pickle."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms

from ase_les.reporting import replace_file
from ase_les.simulation.checkpoint import FileMark
from ase_les.simulation.stored_atoms import atoms_as_arrays, atoms_from_arrays

FORMAT = "relaxation 1"


@dataclass(frozen=True)
class RelaxationCheckpoint:
    """A relaxation after some steps.

    Attributes
    ----------
    step : int
        Steps done.
    atoms : Atoms
        As they are now, with the constraints that were given; no calculator.
    forces : (N, 3) array
        In eV/Å, constraints not applied; by them another model is recognized.
    start_positions, start_cell : (N, 3) and (3, 3) arrays
        Å; what strains, displacements and symmetry refer to.
    start_energy_eV : float
    optimizer : mapping of str to array
        See :func:`~ase_les.simulation.optimizers.optimizer_state`.
    settings, provenance, structure : mapping
        What was asked for, where structure and model came from, what the structure was.
    notes : tuple of str
    model_hash : str or None
    wall_time_s : float
    files : mapping of str to FileMark
        Where trajectory and log ended.
    """

    step: int
    atoms: Atoms
    forces: np.ndarray
    start_positions: np.ndarray
    start_cell: np.ndarray
    start_energy_eV: float
    optimizer: Mapping[str, np.ndarray]
    settings: Mapping[str, object]
    provenance: Mapping[str, object]
    structure: Mapping[str, object]
    notes: tuple[str, ...]
    model_hash: str | None
    wall_time_s: float
    files: Mapping[str, FileMark]


PLAIN = (
    "step",
    "start_energy_eV",
    "settings",
    "provenance",
    "structure",
    "notes",
    "model_hash",
    "wall_time_s",
)
ARRAYS = ("forces", "start_positions", "start_cell")


def write_relaxation_checkpoint(path: Path, checkpoint: RelaxationCheckpoint) -> None:
    """Store a checkpoint; a crash while writing leaves the one before."""
    atoms_facts, arrays = atoms_as_arrays(checkpoint.atoms)
    facts = {name: getattr(checkpoint, name) for name in PLAIN}
    facts["format"] = FORMAT
    facts["atoms"] = atoms_facts
    facts["files"] = {
        name: {"length": mark.length, "head": base64.b64encode(mark.head).decode()}
        for name, mark in checkpoint.files.items()
    }
    arrays |= {name: getattr(checkpoint, name) for name in ARRAYS}
    arrays |= {f"optimizer/{name}": array for name, array in checkpoint.optimizer.items()}
    content = io.BytesIO()
    np.savez(content, facts=np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8), **arrays)
    replace_file(path, content.getvalue())


def read_relaxation_checkpoint(path: Path) -> RelaxationCheckpoint:
    """Read a checkpoint back, bit for bit and without executing anything in it.

    Raises
    ------
    FileNotFoundError
        If there is no checkpoint at `path`.
    ValueError
        If the file is not one this version can read.
    """
    if not path.exists():
        raise FileNotFoundError(f"no checkpoint at {path}; resume takes the stem of a run's files")
    try:
        with np.load(path, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
        facts = json.loads(arrays.pop("facts").tobytes())
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError) as error:
        raise ValueError(f"{path} is not a checkpoint of a relaxation: {error}") from error
    if facts.get("format") != FORMAT:
        raise ValueError(
            f"{path} is not a checkpoint of a relaxation that this version reads: its format is "
            f"{facts.get('format')}, needed {FORMAT}"
        )
    start = "optimizer/"
    optimizer = {
        name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)
    }
    files = {
        name: FileMark(mark["length"], base64.b64decode(mark["head"]))
        for name, mark in facts["files"].items()
    }
    facts["notes"] = tuple(facts["notes"])
    return RelaxationCheckpoint(
        atoms=atoms_from_arrays(facts["atoms"], arrays),
        optimizer=optimizer,
        files=files,
        **{name: facts[name] for name in PLAIN},
        **{name: arrays[name] for name in ARRAYS},
    )
