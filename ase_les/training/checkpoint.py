"""State of a training on disk: tensors and JSON, written in one piece or not at all."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ase_les.runs.provenance import changed

# 2: another optimizer, whose state the first format does not have.
# 3: says to which data and which model it belongs.
FORMAT = "ase_les training 3"


class OtherTraining(ValueError):
    """A checkpoint is of other data, another model or other settings.

    Parameters
    ----------
    path : Path
        Of the checkpoint.
    changes : sequence of str
        What was, and what is now.
    finished : bool
        Whether that training came to its end, so that nothing is lost by starting anew.
    """

    def __init__(self, path: Path, changes: Sequence[str], finished: bool):
        self.changes = tuple(changes)
        self.finished = finished
        super().__init__(
            f"the checkpoint '{path}' is of another training: {'; '.join(changes)}. Put that back, "
            "or start anew: --overwrite, or remove the file"
        )


def differences(then: Mapping, now: Mapping) -> list[str]:
    """What is not the same in nested mappings, in words; numbers may differ by rounding."""
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
    """Replace the checkpoint at `path`; a kill at any instant leaves the old one or the new one.

    No two of the tensors may share their memory.
    """
    temporary = path.with_name(path.name + ".partial")
    metadata = {"format": FORMAT, "state": json.dumps(state)}
    save_file({k: v.cpu().contiguous() for k, v in tensors.items()}, temporary, metadata)
    with open(temporary, "rb") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict]:
    """Tensors and state of a checkpoint.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If the file is not a training checkpoint of this version of the program.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at '{path}'; start without --resume")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"'{path}' is not a training checkpoint ({error})") from None
    if metadata.get("format") != FORMAT:
        raise ValueError(
            f"'{path}' is a file of format '{metadata.get('format')}'; checkpoints of this version "
            f"have '{FORMAT}'. Finish it with the version it is of, or start anew: --overwrite, or "
            "remove the file"
        )
    return tensors, json.loads(metadata["state"])


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Moments of the optimizer by parameter index and name."""
    return {
        f"optimizer.{index}.{name}": torch.as_tensor(value)
        for index, moments in optimizer.state_dict()["state"].items()
        for name, value in moments.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put saved moments back."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".")
            # In memory of its own: where a file happens to put a tensor decides how products of
            # it are rounded.
            state.setdefault(int(index), {})[name] = value.clone()
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
