"""The sign of latent charges."""

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk

from ase_les.charges import ChargesConfig
from ase_les.derivatives import differentiate
from ase_les.electrostatics import EquilibrationConfig
from ase_les.model import LESModel, LongRangeConfig, ModelConfig
from ase_les.representation import CaceConfig
from ase_les.training.learning.dataset import LabelNames, labeled
from ase_les.training.learning.mean_charges import (
    describe_charges,
    fix_sign,
    mean_born_charges,
    mean_charges,
    sign_opposes_chemistry,
)


def test_oxygen_becomes_negative_and_the_forces_do_not_notice():
    atoms = Atoms("OHH", [[0, 0, 0], [0, 0.76, 0.59], [0, -0.76, 0.59]])
    atoms.info["REF_energy"], atoms.arrays["REF_forces"] = 0.0, np.zeros((3, 3))
    samples = labeled([atoms], 3.0, LabelNames())
    turned = []
    for seed in range(6):
        model = LESModel(ModelConfig({"H": 0.0, "O": 0.0}, CaceConfig(3.0)), seed=seed).double()
        if seed % 2:
            model.long_range.charges.flip_sign()
        before, was = differentiate(model, samples[0].graph), mean_charges(model, samples)
        turned.append(fix_sign(model, samples))
        after, now = differentiate(model, samples[0].graph), mean_charges(model, samples)
        assert now["O"] < 0 < now["H"]
        assert abs(now["O"]) == abs(was["O"])
        assert torch.allclose(before.forces, after.forces, rtol=0, atol=1e-12)
    assert set(turned) == {True, False}


def test_what_an_ion_carries_along_decides_and_not_what_sits_on_it():
    """Charges of a crystal may have any mean: an even field of sublattices is short range too."""
    crystal = bulk("MgO", "rocksalt", a=4.2, cubic=True)
    crystal.rattle(0.1, seed=1)
    crystal.info["REF_energy"] = 0.0
    samples = labeled([crystal], 4.0, LabelNames())
    long_range = LongRangeConfig(ChargesConfig(neutrality="mean"))
    config = ModelConfig({"Mg": 0.0, "O": 0.0}, CaceConfig(4.0), long_range=long_range)
    misleading = []
    for seed in range(6):
        model = LESModel(config, seed=seed).double()
        fix_sign(model, samples)
        carried, sitting = mean_born_charges(model, samples), mean_charges(model, samples)
        assert carried["O"] < carried["Mg"]
        misleading.append(sitting["O"] > sitting["Mg"])
    assert any(misleading)
    told = describe_charges(model, samples)
    assert told["mean_latent_born_charge_by_element_e"] == pytest.approx(carried, rel=1e-3)
    assert told["mean_by_element_e"] == pytest.approx(sitting, rel=1e-3)


def test_slabs_have_their_mean_charges_to_go_by():
    atoms = Atoms("OHH", [[0, 0, 0], [0, 0.76, 0.59], [0, -0.76, 0.59]])
    atoms.info["REF_energy"] = 0.0
    atoms.set_cell([8.0, 8.0, 8.0])
    atoms.pbc = True, True, False
    samples = labeled([atoms], 3.0, LabelNames())
    model = LESModel(ModelConfig({"H": 0.0, "O": 0.0}, CaceConfig(3.0)), seed=1).double()
    fix_sign(model, samples)
    assert mean_born_charges(model, samples) == {}
    told = describe_charges(model, samples, dielectric=1.44)
    assert [name for name in told if "by_element" in name] == ["mean_by_element_e"]
    assert told["physical_over_latent"] == 1.2
    assert mean_charges(model, samples)["O"] < 0


def test_electronegativities_of_shared_electrons_tell_the_sign():
    atoms = Atoms("OHH", [[0, 0, 0], [0, 0.76, 0.59], [0, -0.76, 0.59]])
    atoms.info["REF_energy"] = 0.0
    samples = labeled([atoms], 3.0, LabelNames())
    shared = EquilibrationConfig(("O", "H"), electronegativities={"O": 3.0})
    config = ModelConfig(
        {"H": 0.0, "O": 0.0}, CaceConfig(3.0), long_range=LongRangeConfig(equilibration=shared)
    )
    for seed in range(6):
        model = LESModel(config, seed=seed).double()
        model.long_range.charges.flip_sign()
        before = differentiate(model, samples[0].graph)
        assert not fix_sign(model, samples)
        after = differentiate(model, samples[0].graph)
        assert torch.equal(before.forces, after.forces)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_sign_against_the_formal_charges_is_noticed(sign):
    """Formal charges of rock salt are its Born charges when nothing is transferred."""
    crystal = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    crystal.info["REF_energy"] = 0.0
    samples = labeled([crystal], 4.0, LabelNames())
    charges = ChargesConfig(
        scale=0.0, neutrality="split", formal_charges={"Na": 0.7 * sign, "Cl": -0.7 * sign}
    )
    config = ModelConfig(
        {"Na": 0.0, "Cl": 0.0}, CaceConfig(4.0), long_range=LongRangeConfig(charges)
    )
    assert sign_opposes_chemistry(LESModel(config, seed=0).double(), samples) == (sign < 0)
