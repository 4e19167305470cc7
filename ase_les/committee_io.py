"""Committees as files: weights of all members in one safetensors file.

=============  ==================================================================
Header entry   Meaning
=============  ==================================================================
``format``     `FORMAT`
``config``     configurations of the members as JSON: ``{"members": [...]}``
``card``       metadata as JSON, see `ase_les.model_io`, and besides

               ``members``
                   hashes of the members
               ``calibration``
                   ``energy_scale``, ``forces_scale``: factors of the spread
=============  ==================================================================

Weights of member k are named ``k/name``. Those that equal the weights of member 0 are stored once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ase_les.model_io import (
    basis_of,
    card_text,
    check_finite,
    check_hash,
    check_tensors,
    digest,
    opened,
    read_entries,
    untrained,
    write_tensors,
)
from ase_les.weight_names import load_weights, weights_of

if TYPE_CHECKING:
    from torch import Tensor

    from ase_les.committee import Committee
    from ase_les.model import LESModel

FORMAT = "ase_les committee/1"


def save_committee(
    path: str | Path,
    committee: Committee | Sequence[LESModel],
    card: Mapping[str, Any] | None = None,
) -> None:
    """Write a committee to one file, atomically.

    Parameters
    ----------
    path : str or Path
        Path ending in ``.safetensors``.
    committee : Committee or sequence of LESModel
    card : Mapping or None
        Plain values ready for JSON; None writes the card of the committee.

    Raises
    ------
    ValueError
        If the suffix is different, a weight is not finite, or the card cannot be stored as JSON.
    """
    import torch

    from ase_les.committee import Committee

    if not isinstance(committee, Committee):
        committee = Committee(committee)
    tensors: dict[str, Tensor] = {}
    for number, member in enumerate(committee.members):
        for name, tensor in weights_of(member).items():
            first = tensors.get(f"0/{name}")
            if first is None or first.dtype != tensor.dtype or not torch.equal(first, tensor):
                tensors[f"{number}/{name}"] = tensor.contiguous()
    check_finite(tensors, f"the committee for '{path}'")
    config = json.dumps({"members": [each.config.to_dict() for each in committee.members]})
    header = {
        "format": FORMAT,
        "config": config,
        "card": card_text(committee.card if card is None else card),
        "sha256": digest(config, tensors),
        **basis_of([each.config.to_dict() for each in committee.members]),
    }
    write_tensors(Path(path), tensors, header)


def read_committee(path: str | Path) -> Committee:
    """Read a committee, in the precision it was trained in."""
    from ase_les.committee import Committee

    path = Path(path)
    header = read_entries(path, FORMAT)
    configs = header.config.get("members")
    if not isinstance(configs, list) or len(configs) == 0:
        raise ValueError(f"'{path}' lists no members; make it again with `ase-les committee`")
    with opened(path, "pt") as file:
        entries = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    check_hash(entries.get("sha256"), digest(entries["config"], tensors), path)
    shared = {
        name.removeprefix("0/"): each for name, each in tensors.items() if name.startswith("0/")
    }
    members = []
    for number, config in enumerate(configs):
        beginning = f"{number}/"
        own = {
            name.removeprefix(beginning): tensor
            for name, tensor in tensors.items()
            if name.startswith(beginning)
        }
        weights = shared | own
        model = untrained(config, {name: each.shape for name, each in weights.items()}, path)
        check_tensors(weights, path)
        model.to(next(iter(weights.values())).dtype)
        load_weights(model, weights)
        model.card = dict(header.card)
        members.append(model.eval())
    return Committee(members, header.card)


def is_committee(path: str | Path) -> bool:
    """Return whether a file is a committee; False for other or missing files."""
    path = Path(path)
    if path.suffix != ".safetensors" or not path.is_file():
        return False
    with opened(path, "np") as file:
        return (file.metadata() or {}).get("format", "") == FORMAT
