"""Checkpoint of a training: tensors and JSON, written atomically."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from ase_les.messages import one_line
from ase_les.runs.growing_files import writing
from ase_les.runs.output import replace_file
from ase_les.runs.provenance import changed

# History: 2, new optimizer state; 3, data and model are recorded; 5, weights are named after the
# current modules, and there is a checksum; 6, the basis of polynomials of MACE is canonical.
FORMAT = "ase_les training 6"


_REMEDY = "Restore the file, or pass --overwrite or remove it to start a new training"


class OtherTraining(ValueError):
    """A checkpoint belongs to other data, another model or other settings.

    Parameters
    ----------
    path : Path
        Path of the checkpoint.
    changes : sequence of str
        Differing settings with previous and current values.
    finished : bool
        Whether that training is complete, so that nothing is lost by starting a new one.
    """

    def __init__(self, path: Path, changes: Sequence[str], finished: bool):
        self.changes = tuple(changes)
        self.finished = finished
        super().__init__(
            f"the checkpoint '{path}' belongs to a different run ({'; '.join(changes)}); restore "
            "those settings, or pass --overwrite or remove the file to start a new one"
        )


def differences(then: Mapping, now: Mapping) -> list[str]:
    """Describe the differences between nested mappings; ignore rounding of numbers."""
    return [
        f"{'.'.join(path)} was {old}, is now {new}"
        for path, old, new in changed(then, now)
        if not _differ_by_rounding(old, new)
    ]


def _differ_by_rounding(old: object, new: object) -> bool:
    if not (isinstance(old, float) and isinstance(new, float)):
        return False
    return math.isclose(old, new, rel_tol=1e-9, abs_tol=1e-12)


def write_checkpoint(path: Path, tensors: dict[str, Tensor], state: dict) -> None:
    """Replace the checkpoint at `path` atomically.

    Tensors must not share memory.
    """
    tensors = {name: value.cpu().contiguous() for name, value in tensors.items()}
    text = json.dumps(state)
    metadata = {"format": FORMAT, "state": text, "sha256": _checksum(text, tensors)}
    with writing(path, "then continue with --resume"):
        replace_file(path, save(tensors, metadata))


def _checksum(state: str, tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(state.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        # Hash the bytes, since numpy lacks some types.
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict]:
    """Return tensors and state of a checkpoint.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file is not a training checkpoint of this version of the program.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at '{path}'; start without --resume")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:
        # Damaged files cause errors of many types.
        raise ValueError(
            f"'{path}' is not a training checkpoint, or is damaged ({one_line(error)}). {_REMEDY}"
        ) from None
    if metadata.get("format") != FORMAT:
        raise ValueError(
            f"'{path}' has format '{one_line(metadata.get('format'), 40)}'; checkpoints of this "
            f"version have '{FORMAT}'. Complete the training with the version that wrote it, or "
            "pass --overwrite or remove the file to start a new one"
        )
    text = metadata.get("state", "")
    if metadata.get("sha256") != _checksum(text, tensors):
        raise ValueError(f"'{path}' is damaged: its content differs from its checksum. {_REMEDY}")
    return tensors, json.loads(text)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the state of the optimizer by parameter index and name."""
    return {
        f"optimizer.{index}.{name}": torch.as_tensor(value)
        for index, moments in optimizer.state_dict()["state"].items()
        for name, value in moments.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Restore the state of the optimizer."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".")
            # Copied to aligned memory: rounding of products depends on the alignment, which in a
            # file is arbitrary.
            state.setdefault(int(index), {})[name] = value.clone()
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
