"""The sign of latent charges, which energies and forces leave open, fixed after training."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from ase.data import chemical_symbols

from ase_les.model import LESModel
from ase_les.training.dataset import Sample, batches

# Pauling electronegativities: L. Pauling, The Nature of the Chemical Bond (1960), with the
# revised values of A. L. Allred, J. Inorg. Nucl. Chem. 17, 215 (1961).
_ELECTRONEGATIVITY = {
    "H": 2.20, "Li": 0.98, "Be": 1.57, "B": 2.04, "C": 2.55, "N": 3.04, "O": 3.44, "F": 3.98,
    "Na": 0.93, "Mg": 1.31, "Al": 1.61, "Si": 1.90, "P": 2.19, "S": 2.58, "Cl": 3.16, "K": 0.82,
    "Ca": 1.00, "Sc": 1.36, "Ti": 1.54, "V": 1.63, "Cr": 1.66, "Mn": 1.55, "Fe": 1.83, "Co": 1.88,
    "Ni": 1.91, "Cu": 1.90, "Zn": 1.65, "Ga": 1.81, "Ge": 2.01, "As": 2.18, "Se": 2.55, "Br": 2.96,
    "Rb": 0.82, "Sr": 0.95, "Y": 1.22, "Zr": 1.33, "Nb": 1.6, "Mo": 2.16, "Ru": 2.2, "Rh": 2.28,
    "Pd": 2.20, "Ag": 1.93, "Cd": 1.69, "In": 1.78, "Sn": 1.96, "Sb": 2.05, "Te": 2.1, "I": 2.66,
    "Cs": 0.79, "Ba": 0.89, "La": 1.10, "Hf": 1.3, "Ta": 1.5, "W": 2.36, "Re": 1.9, "Os": 2.2,
    "Ir": 2.20, "Pt": 2.28, "Au": 2.54, "Hg": 2.00, "Tl": 1.62, "Pb": 2.33, "Bi": 2.02,
}  # fmt: skip


def mean_charges(model: LESModel, samples: Sequence[Sample]) -> dict[str, float]:
    """Mean latent charge of every element in e, over all atoms of the samples."""
    numbers, charges = [], []
    with torch.no_grad():
        for sample in batches(samples, 4):
            numbers.append(sample.graph.numbers)
            charges.append(model(sample.graph).charges[:, 0])
    number, charge = torch.cat(numbers), torch.cat(charges)
    return {chemical_symbols[z]: float(charge[number == z].mean()) for z in number.unique()}


@torch.no_grad()
def fix_sign(model: LESModel, samples: Sequence[Sample]) -> bool:
    """Make electronegative elements negative; whether the charges had to be turned.

    Energies depend on products of charges only: :math:`q \\to -q` changes nothing
    but the sign of charges, dipoles and Born charges. The sign is chosen so that
    mean charges fall with electronegativity (covariance over the elements).
    Charge states and charges of several channels are left as they are.
    """
    config = model.config.long_range
    if config is None or config.charges.n_channels > 1 or model.config.total_charges:
        return False
    charges = mean_charges(model, samples)
    known = {s: _ELECTRONEGATIVITY[s] for s in charges if s in _ELECTRONEGATIVITY}
    if len(known) < 2:
        return False
    average = sum(known.values()) / len(known)
    if sum(charges[s] * (chi - average) for s, chi in known.items()) <= 0:
        return False
    readout = model.charges.readout
    last_layers = [readout.network[-1]] + ([readout.linear] if readout.linear is not None else [])
    for layer in last_layers:
        for parameter in layer.parameters():
            parameter.neg_()
    return True
