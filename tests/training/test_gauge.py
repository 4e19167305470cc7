"""The sign of latent charges."""

import numpy as np
import torch
from ase import Atoms

from ase_les.derivatives import differentiate
from ase_les.model import LESModel, ModelConfig
from ase_les.representation import CaceConfig
from ase_les.training.dataset import LabelNames, labelled
from ase_les.training.gauge import fix_sign, mean_charges


def test_oxygen_becomes_negative_and_the_forces_do_not_notice():
    atoms = Atoms("OHH", [[0, 0, 0], [0, 0.76, 0.59], [0, -0.76, 0.59]])
    atoms.info["REF_energy"], atoms.arrays["REF_forces"] = 0.0, np.zeros((3, 3))
    samples = labelled([atoms], 3.0, LabelNames())
    turned = []
    for seed in range(6):
        model = LESModel(ModelConfig({"H": 0.0, "O": 0.0}, CaceConfig(3.0)), seed=seed).double()
        if seed % 2:
            model.charges.turn_sign()
        before, was = differentiate(model, samples[0].graph), mean_charges(model, samples)
        turned.append(fix_sign(model, samples))
        after, now = differentiate(model, samples[0].graph), mean_charges(model, samples)
        assert now["O"] < 0 < now["H"]
        assert abs(now["O"]) == abs(was["O"])
        assert torch.allclose(before.forces, after.forces, rtol=0, atol=1e-12)
    assert set(turned) == {True, False}
