"""Dipoles and Born charges as labels: optional, physical, and enough to teach charges."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms

from ase_les.charges import ChargesConfig
from ase_les.derivatives import differentiate
from ase_les.model import LESModel, LongRangeConfig, ModelConfig
from ase_les.representation import CaceConfig
from ase_les.training.learning.dataset import LabelNames, joined, labeled
from ase_les.training.learning.fit import fit
from ase_les.training.learning.fit_settings import FitSettings
from ase_les.training.learning.loss import LossWeights, response_loss


def diatomic(seed: int, periodic: bool = False, **labels) -> Atoms:
    """HO with a dipole and Born charges of charges ±0.3 that do not change."""
    rng = np.random.default_rng(seed)
    atoms = Atoms("HO", [[0, 0, 0], [1.0, 0, 0]])
    atoms.positions += rng.normal(0, 0.1, (2, 3))
    charges = np.array([0.3, -0.3])
    atoms.info["REF_energy"] = 0.0
    atoms.info["REF_dipole"] = charges @ atoms.positions
    atoms.arrays["REF_born_effective_charges"] = (charges[:, None, None] * np.eye(3)).reshape(2, 9)
    if periodic:
        atoms.set_cell(9.0 * np.eye(3))
        atoms.pbc = True
    return atoms


def small_model(neutrality="split") -> LESModel:
    config = CaceConfig(3.0, n_radial=4, n_mixed=4, n_embedding=2, l_max=1, nu_max=2)
    part = LongRangeConfig(ChargesConfig(neutrality=neutrality))
    return LESModel(ModelConfig({"H": 0.0, "O": 0.0}, config, long_range=part), seed=0)


def loss_of(model, sample, **weights) -> float:
    model = model.double()
    derived = differentiate(model, sample.graph, create_graph=True)
    return response_loss(model, derived, sample, LossWeights(**weights)).item()


def test_labels_are_read_under_their_names_and_made_latent():
    atoms = diatomic(0, periodic=True)
    atoms.arrays["Z"] = atoms.arrays.pop("REF_born_effective_charges")
    (sample,) = labeled([atoms], 3.0, LabelNames(born_effective_charges="Z"), dielectric=4.0)
    assert torch.allclose(sample.born_charges[0], 0.15 * torch.eye(3).double())
    assert sample.dipole.isnan().all()
    (molecule,) = labeled([diatomic(0)], 3.0, LabelNames(), dielectric=4.0)
    assert torch.allclose(molecule.born_charges[0], 0.3 * torch.eye(3).double())
    assert not molecule.dipole.isnan().any()


def test_rows_of_a_label_are_polarizations():
    atoms = diatomic(0)
    atoms.arrays["REF_born_effective_charges"] = np.arange(18.0).reshape(2, 9)
    (sample,) = labeled([atoms], 3.0, LabelNames())
    assert sample.born_charges[1, 0].tolist() == [9.0, 10.0, 11.0]


def test_without_weights_the_labels_do_not_pull():
    sample = joined(labeled([diatomic(0), diatomic(1)], 3.0, LabelNames()))
    assert loss_of(small_model(), sample) == 0.0
    assert loss_of(small_model(), sample, dipole=1.0) > 1e-4
    assert loss_of(small_model(), sample, born_charges=1.0) > 1e-4


def test_structures_without_labels_do_not_pull():
    bare = diatomic(1)
    del bare.info["REF_dipole"], bare.arrays["REF_born_effective_charges"]
    samples = labeled([diatomic(0), bare], 3.0, LabelNames())
    for weights in ({"dipole": 1.0}, {"born_charges": 1.0}):
        alone = loss_of(small_model(), samples[0], **weights)
        assert loss_of(small_model(), joined(samples), **weights) == pytest.approx(alone)
        assert loss_of(small_model(), samples[1], **weights) == 0.0


@pytest.mark.slow
@pytest.mark.parametrize("neutrality", ["split", "mean"])
@pytest.mark.parametrize(("label", "periodic"), [("dipole", False), ("born_charges", True)])
def test_labels_teach_charges(tmp_path, label, periodic, neutrality):
    frames = [diatomic(seed, periodic) for seed in range(12)]
    samples = labeled(frames, 3.0, LabelNames())
    weights = LossWeights(energy=0.0, forces=0.0, **{label: 1.0})
    settings = FitSettings(
        epochs=35, batch_size=4, learning_rate=0.02, loss=weights, final_loss=weights
    )
    model = small_model(neutrality)
    before = loss_of(model, joined(samples), **{label: 1.0})
    trained = fit(model.float(), samples, [], settings, tmp_path / "c").model
    assert loss_of(trained, joined(samples), **{label: 1.0}) < 0.02 * before
    with torch.no_grad():
        charges = trained.double()(joined(samples).graph).charges[:, 0]
    assert charges[::2].mean().item() == pytest.approx(0.3, abs=0.05)
