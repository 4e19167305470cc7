"""Latent charges: from features of environments to charges, and the sign of charges.

Names are imported on first use, because `ase_les.charges.sign` is used without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ase_les.charges.config import ChargesConfig
    from ase_les.charges.latent_charges import LatentCharges
    from ase_les.charges.neutrality import MeanShift, NeutralityRule, Unconstrained
    from ase_les.charges.readout import Readout
    from ase_les.charges.split_charges import SplitCharges
else:
    from ase_les.lazy_names import lazy_names

    __all__, __getattr__ = lazy_names(
        __name__,
        {
            "config": ["ChargesConfig"],
            "latent_charges": ["LatentCharges"],
            "neutrality": ["MeanShift", "NeutralityRule", "Unconstrained"],
            "readout": ["Readout"],
            "split_charges": ["SplitCharges"],
        },
    )
