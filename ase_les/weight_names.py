"""Names of weights in model files, independent of the names of modules.

Files, model hashes and converted checkpoints use these names; `torch.nn.Module.state_dict` uses
the current module names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from ase_les.model import LESModel

# Prefix in the model, prefix in files; the first match is used.
_BEGINNINGS = (
    ("short_range.readout.", "short_range."),
    ("long_range.representation.", "charge_representation."),
    ("long_range.charges.neutrality.pair_charges", "charges.neutrality.pair_transfers"),
    ("long_range.charges.", "charges."),
    ("long_range.equilibration.", "equilibration."),
)


def name_in_files(name: str) -> str:
    """Return the name in files of a weight of a model."""
    name = name.replace("neighbor_sum.", "neighbour_sum.")
    for in_model, in_files in _BEGINNINGS:
        if name.startswith(in_model):
            return in_files + name.removeprefix(in_model)
    return name


def weights_of(model: LESModel) -> dict[str, Tensor]:
    """Return the weights of a model by their names in files."""
    return {name_in_files(name): value for name, value in model.state_dict().items()}


def load_weights(model: LESModel, weights: Mapping[str, Tensor]) -> None:
    """Set all weights of a model, given by their names in files."""
    model.load_state_dict({name: weights[name_in_files(name)] for name in model.state_dict()})
