"""Latent charges: from features of environments to charges, and the sign of charges.

Names are imported on first use, because `ase_les.charges.sign` is used without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ase_les.charges.config import ChargesConfig
    from ase_les.charges.latent_charges import LatentCharges
    from ase_les.charges.neutrality import MeanShift, NeutralityRule, Unconstrained
    from ase_les.charges.readout import Readout
    from ase_les.charges.split_charges import SplitCharges

__all__ = [
    "ChargesConfig",
    "LatentCharges",
    "MeanShift",
    "NeutralityRule",
    "Readout",
    "SplitCharges",
    "Unconstrained",
]

_HOMES = {
    "ChargesConfig": "config",
    "LatentCharges": "latent_charges",
    "MeanShift": "neutrality",
    "NeutralityRule": "neutrality",
    "Readout": "readout",
    "SplitCharges": "split_charges",
    "Unconstrained": "neutrality",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
