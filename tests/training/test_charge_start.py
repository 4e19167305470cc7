"""Where the fit of charges starts: at what bonds make of electronegativities."""

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule

from ase_les.charges.bond_polarity import bond_charges
from ase_les.training.learning.charge_start import start_from_bonds
from ase_les.training.learning.dataset import LabelNames, labeled

PAULING = {"H": 2.20, "O": 3.44}


def shaken_water(rng, copies: int):
    frames = []
    for _ in range(copies):
        atoms = molecule("H2O")
        atoms.positions += 0.05 * rng.normal(size=(3, 3))
        atoms.info["REF_energy"] = 0.0
        frames.append(atoms)
    return labeled(frames, 3.5, LabelNames())


def test_a_bond_polarizes_by_the_difference_of_electronegativities(rng):
    (sample,) = shaken_water(rng, 1)
    drawn = 0.4 * (PAULING["O"] - PAULING["H"])
    expected = torch.tensor([-2 * drawn, drawn, drawn], dtype=torch.float64)
    torch.testing.assert_close(bond_charges(sample.graph, 0.4), expected, rtol=1e-6, atol=0)


def test_atoms_far_apart_are_not_bonded_and_nothing_jumps_in_between():
    lengths = np.linspace(0.8, 2.0, 25)
    frames = [Atoms("OH", [[0, 0, 0], [0, 0, r]], info={"REF_energy": 0.0}) for r in lengths]
    charges = np.array([bond_charges(s.graph, 1.0) for s in labeled(frames, 3.5, LabelNames())])
    assert np.abs(charges.sum(1)).max() < 1e-15
    assert charges[0, 1] == pytest.approx(1.24, rel=1e-6) and charges[-1, 1] == 0
    # The steepest slope of the switch is 1.875 over its width of 0.6 × 0.97 Å.
    assert 0 < -np.diff(charges[:, 1]).min() < 1.24 * 1.9 * 0.05 / 0.58


@pytest.mark.parametrize("neutrality", ["mean", "none"])
def test_a_model_starts_with_the_charges_of_bonds(random_model, rng, neutrality):
    model = random_model(charges={"neutrality": neutrality, "scale": 0.1})
    samples = shaken_water(rng, 12)
    model.standardize_features([sample.graph for sample in samples])
    start_from_bonds(model, samples[:8], 0.4)
    for sample in samples[8:]:
        found = model(sample.graph).charges[:, 0].detach()
        assert (found - bond_charges(sample.graph, 0.4)).abs().max() < 0.02


def test_charges_that_cannot_start_from_bonds_are_refused(random_model, rng):
    samples = shaken_water(rng, 2)
    for model in (random_model(charges={"neutrality": "split"}), random_model(long_range=False)):
        with pytest.raises(ValueError, match="remove it"):
            start_from_bonds(model, samples, 0.4)
    with pytest.raises(ValueError, match="linear: true"):
        start_from_bonds(random_model(charges={"linear": False}), samples, 0.4)
