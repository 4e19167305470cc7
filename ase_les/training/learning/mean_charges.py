"""Mean charges over training structures, for the sign of the charges and the model card.

See `ase_les.charges.sign` for the reason that energies and forces do not determine the sign.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from ase_les.charges import sign as charge_sign
from ase_les.charges.sign import covariance_with_electronegativity, mean_by_element
from ase_les.model import LESModel
from ase_les.response import born_charges, has_local_polarization
from ase_les.training.learning.dataset import Sample, batches
from ase_les.training.learning.response_evaluation import center_of_mass

SIGN_SAMPLE_SIZE = 8
"""Structures used to determine the sign."""


def mean_charges(model: LESModel, samples: Sequence[Sample]) -> dict[str, float]:
    """Return the mean latent charge of every element in e, over all atoms of the samples."""
    return mean_by_element(*charges_of_atoms(model, samples))


def charges_of_atoms(
    model: LESModel, samples: Sequence[Sample], batch_size: int = 4
) -> tuple[np.ndarray, np.ndarray]:
    """Return atomic numbers and latent charges in e of all atoms of the samples, both (N,)."""
    numbers, charges = [], []
    with torch.no_grad():
        for sample in batches(samples, batch_size):
            numbers.append(sample.graph.numbers.cpu())
            charges.append(model(sample.graph.to(model.device)).charges[:, 0].cpu())
    return torch.cat(numbers).numpy(), torch.cat(charges).numpy()


def sign_is_free(model: LESModel, samples: Sequence[Sample]) -> bool:
    """Return whether energies of the samples are invariant under a change of sign of the charges.

    Parameters
    ----------
    model : LESModel
        With charges.
    """
    is_charged = any(bool(sample.graph.total_charge.any()) for sample in samples)
    return charge_sign.sign_is_free(model.config, is_charged)


def mean_born_charges(model: LESModel, samples: Sequence[Sample]) -> dict[str, float]:
    """Return the mean latent Born charge tr Z*/3 (e) of every element over a subset of samples.

    Empty if Born charges are not defined for any sample: slabs have none along their normal, and
    periodic structures need formal charges that sum to the total charge.

    Parameters
    ----------
    model : LESModel
        With one charge per atom.
    """
    able = [
        s
        for s in samples
        if (bool(s.graph.pbc.all()) or not bool(s.graph.pbc.any()))
        and has_local_polarization(model, s.graph)
    ]
    numbers, found = [], []
    for sample in able[:: max(1, math.ceil(len(able) / SIGN_SAMPLE_SIZE))]:
        graph = sample.graph.to(model.device)
        tensors = born_charges(model, graph, center_of_mass(graph))[1].detach().cpu()
        numbers.append(sample.graph.numbers)
        found.append(torch.einsum("iaa->i", tensors) / 3)
    return mean_by_element(torch.cat(numbers).numpy(), torch.cat(found).numpy()) if numbers else {}


def describe_charges(
    model: LESModel, samples: Sequence[Sample], dielectric: float = 1.0
) -> dict[str, object]:
    """Return mean latent charges and mean latent Born charges per element, for a card.

    Physical charges are ``physical_over_latent`` times these.

    The mean Born charges are more meaningful: mean latent charges of an ionic crystal may nearly
    vanish although its Born charges are correct. They are omitted if they are not defined (see
    `mean_born_charges`), and for charges with several channels.

    Parameters
    ----------
    model : LESModel
        With charges.
    dielectric : float
        Electronic dielectric constant of periodic structures.
    """
    means = {"mean_by_element_e": mean_charges(model, samples)}
    if model.has_charges and (born := mean_born_charges(model, samples)):
        means["mean_latent_born_charge_by_element_e"] = born
    rounded = {
        name: {element: float(f"{charge:.4g}") for element, charge in of_elements.items()}
        for name, of_elements in means.items()
    }
    return {
        "meaning": "latent; the calculator gives physical ones, which are physical_over_latent "
        "times these in periodic structures and the same in finite ones",
        "physical_over_latent": round(math.sqrt(dielectric), 6),
        **rounded,
    }


def fix_sign(model: LESModel, samples: Sequence[Sample]) -> bool:
    r"""Make electronegative elements negative; return whether the charges were flipped.

    Energies depend on products of charges only: :math:`q \to -q` changes only the sign of charges,
    dipoles and Born charges. The sign is chosen so that mean Born charges decrease with
    electronegativity (covariance over the elements): energies and forces determine them, while
    mean charges may nearly vanish in a crystal. Charges with several channels are not changed.
    """
    if not model.has_charges or not sign_is_free(model, samples):
        return False
    charges = mean_born_charges(model, samples) or mean_charges(model, samples)
    if covariance_with_electronegativity(charges) <= 0:
        return False
    model.latent_electrostatics.charges.flip_sign()
    return True


def sign_opposes_chemistry(model: LESModel, samples: Sequence[Sample]) -> bool:
    """Return whether charges increase with electronegativity.

    Models with a free sign are flipped after training (`fix_sign`). With formal charges the wrong
    sign remains possible, as split charges can exceed the formal charges.
    """
    if not model.has_charges:
        return False
    charges = mean_born_charges(model, samples) or mean_charges(model, samples)
    return covariance_with_electronegativity(charges) > 0
