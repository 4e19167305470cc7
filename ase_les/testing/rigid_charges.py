"""Models of rigid ions and metals of a given hardness, whose energies are known in closed form."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from ase.data import atomic_numbers

from ase_les.charges import ChargesConfig
from ase_les.electrostatics import ElectrostaticsConfig, EquilibrationConfig
from ase_les.model import LESModel, LongRangeConfig, ModelConfig, ShortRangeConfig
from ase_les.representation import CaceConfig


def rigid_charge_model(
    charges: Mapping[str, float],
    metals: Sequence[str] = ("Pt",),
    hardness: float = 1.0,
    smearing: float = 1.0,
    cutoff: float = 4.0,
) -> LESModel:
    """Return a model with constant charges of elements, metals, and no other energy; float64.

    Parameters
    ----------
    charges : mapping of str to float
        Charges in e; 0 for elements not listed.
    metals : sequence of str
        Elements whose atoms share electrons.
    hardness : float
        Hardness η of the metals in eV/e², besides the self-energy of the Gaussian charges.
    smearing, cutoff : float
        Width of the charges and cutoff of the edges in Å.
    """
    elements = sorted({*charges, *metals}, key=lambda symbol: atomic_numbers[symbol])
    config = ModelConfig(
        atomic_energies=dict.fromkeys(elements, 0.0),
        representation=CaceConfig(cutoff=cutoff, n_radial=1, n_mixed=1, n_embedding=1, l_max=1),
        short_range=ShortRangeConfig(scale=0.0),
        long_range=LongRangeConfig(
            charges=ChargesConfig(scale=0.0, formal_charges=dict(charges)),
            electrostatics=ElectrostaticsConfig(smearing=smearing, remove_self_energy=True),
            equilibration=EquilibrationConfig(tuple(metals)),
        ),
    )
    model = LESModel(config, seed=0).double()
    rule = model.latent_electrostatics.charges.neutrality
    equilibration = model.latent_electrostatics.equilibration
    assert equilibration is not None
    with torch.no_grad():
        for parameter in rule.parameters():
            parameter.zero_()
        equilibration.log_hardness.fill_(math.log(hardness))
    return model
