"""Mean charges over training structures: they fix the sign after training, and stand in the card.

See `ase_les.charges.sign` for why the sign is open.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ase_les.charges import sign as charge_sign
from ase_les.charges.sign import covariance_with_electronegativity, mean_by_element
from ase_les.model import LESModel
from ase_les.response import born_charges, has_polarization
from ase_les.training.dataset import Sample, batches
from ase_les.training.response_evaluation import centre_of_mass, has_charges

SIGN_SAMPLE_SIZE = 8
"""Structures used to determine the sign."""


def mean_charges(model: LESModel, samples: Sequence[Sample]) -> dict[str, float]:
    """Mean latent charge of every element in e, over all atoms of the samples."""
    numbers, charges = [], []
    with torch.no_grad():
        for sample in batches(samples, 4):
            numbers.append(sample.graph.numbers)
            charges.append(model(sample.graph.to(model.device)).charges[:, 0].cpu())
    return mean_by_element(torch.cat(numbers).numpy(), torch.cat(charges).numpy())


def sign_is_free(model: LESModel, samples: Sequence[Sample]) -> bool:
    """Return whether energies of the samples are the same for charges of the other sign.

    Parameters
    ----------
    model : LESModel
        With charges.
    samples : sequence of Sample
    """
    is_charged = any(bool(sample.graph.total_charge.any()) for sample in samples)
    return charge_sign.sign_is_free(model.config, is_charged)


def mean_born_charges(model: LESModel, samples: Sequence[Sample]) -> dict[str, float]:
    """Mean latent Born charge, tr Z*/3, of every element in e, over a few of the samples.

    Empty if no sample has Born charges: slabs have none along their normal, and periodic structures
    whose charge is not made up by formal charges have no polarization.

    Parameters
    ----------
    model : LESModel
        With one charge per atom.
    samples : sequence of Sample
    """
    able = [
        s
        for s in samples
        if (bool(s.graph.pbc.all()) or not bool(s.graph.pbc.any()))
        and has_polarization(model, s.graph)
    ]
    numbers, found = [], []
    for sample in able[:: max(1, math.ceil(len(able) / SIGN_SAMPLE_SIZE))]:
        graph = sample.graph.to(model.device)
        tensors = born_charges(model, graph, centre_of_mass(graph))[1].detach().cpu()
        numbers.append(sample.graph.numbers)
        found.append(torch.einsum("iaa->i", tensors) / 3)
    return mean_by_element(torch.cat(numbers).numpy(), torch.cat(found).numpy()) if numbers else {}


def describe_charges(
    model: LESModel, samples: Sequence[Sample], dielectric: float = 1.0
) -> dict[str, object]:
    """Return mean latent charges and mean latent Born charges per element, for a card.

    With them goes what they mean: physical ones are ``physical_over_latent`` times these.

    Judge by the second: the mean of latent charges of an ionic crystal may be next to nothing where
    its Born charges are right. It is left out where no structure has any (see
    `mean_born_charges`), and of charges in several channels.

    Parameters
    ----------
    model : LESModel
        With charges.
    samples : sequence of Sample
    dielectric : float
        Electronic dielectric constant of periodic structures.
    """
    told = {"mean_by_element_e": mean_charges(model, samples)}
    if model.has_charges and (carried := mean_born_charges(model, samples)):
        told["mean_latent_born_charge_by_element_e"] = carried
    rounded = {
        name: {element: float(f"{charge:.4g}") for element, charge in of_elements.items()}
        for name, of_elements in told.items()
    }
    return {
        "meaning": "latent; the calculator gives physical ones, which are physical_over_latent "
        "times these in periodic structures and the same in finite ones",
        "physical_over_latent": round(math.sqrt(dielectric), 6),
        **rounded,
    }


def fix_sign(model: LESModel, samples: Sequence[Sample]) -> bool:
    """Make electronegative elements negative; return whether the charges had to be flipped.

    Energies depend on products of charges only: :math:`q \\to -q` changes nothing
    but the sign of charges, dipoles and Born charges. The sign is chosen so that
    mean Born charges fall with electronegativity (covariance over the elements): they are what
    energies and forces determine, while the mean of the charges themselves may be next to nothing
    in a crystal. Charges of several channels are left as they are.
    """
    if not has_charges(model) or not sign_is_free(model, samples):
        return False
    charges = mean_born_charges(model, samples) or mean_charges(model, samples)
    if covariance_with_electronegativity(charges) <= 0:
        return False
    model.latent_electrostatics.charges.flip_sign()
    return True


def sign_opposes_chemistry(model: LESModel, samples: Sequence[Sample]) -> bool:
    """Return whether charges rise with electronegativity.

    Models whose sign is free are flipped after training (`fix_sign`). With formal charges a
    training may still end there, as transfers can carry more charge than the formal charges.

    Parameters
    ----------
    model : LESModel
    samples : sequence of Sample
    """
    if not has_charges(model):
        return False
    charges = mean_born_charges(model, samples) or mean_charges(model, samples)
    return covariance_with_electronegativity(charges) > 0
