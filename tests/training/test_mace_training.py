"""MACE models are trained as others are, and short-range ones get charges."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.io import write

from ase_les import load_model, save_model
from ase_les.configuration import from_mapping
from ase_les.model import LESModel, ModelConfig
from ase_les.training.train import TrainingConfig, train

REPRESENTATION = {
    "kind": "mace",
    "cutoff": 3.5,
    "channels": 4,
    "radial_hidden": [8],
    "l_max": 2,
    "l_hidden": 1,
    "correlation": 2,
    "mean_neighbors": 2.0,
}
CHARGES = {"charges": {"neutrality": "mean", "hidden": [4], "scale": 1.0}}


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def triples(n: int) -> list[Atoms]:
    """Three atoms on springs."""
    rng = np.random.default_rng(0)
    frames = []
    for _ in range(n):
        atoms = Atoms("OHH", [[0, 0, 0], [1, 0, 0], [-0.3, 0.9, 0]])
        atoms.positions += rng.normal(0, 0.08, (3, 3))
        vectors = atoms.positions[1:] - atoms.positions[0]
        lengths = np.linalg.norm(vectors, axis=1)
        pull = 6 * ((lengths - 1) / lengths)[:, None] * vectors
        atoms.info["REF_energy"] = 3 * ((lengths - 1) ** 2).sum()
        atoms.arrays["REF_forces"] = np.array([pull.sum(0), *-pull])
        frames.append(atoms)
    return frames


def trained(model: dict, epochs: int = 30, **settings) -> LESModel:
    write("data.extxyz", triples(20))
    config = from_mapping(
        TrainingConfig,
        {
            "data": {"training": "data.extxyz", "validation": 0.2},
            "model": model,
            "fit": {"epochs": epochs, "validate_every": 10, "dtype": "float64"},
            "output": "result",
            **settings,
        },
    )
    result = train(config)
    assert load_model("result.safetensors").config == result.model.config
    return result.model, result.errors


def test_a_training_learns_forces_and_writes_a_model():
    model, errors = trained({"representation": REPRESENTATION, "long_range": CHARGES}, epochs=30)
    spread = np.std([atoms.arrays["REF_forces"] for atoms in triples(20)])
    assert errors["validation"].forces_rmse_meV_per_A < 0.3 * 1e3 * spread
    assert model.config.representation.kind == "mace"


def test_a_short_range_model_keeps_its_short_range_and_gets_charges():
    config = {
        "atomic_energies": {"O": -1.0, "H": 0.5},
        "representation": REPRESENTATION,
        "long_range": None,
    }
    known = LESModel(ModelConfig.from_dict(config), seed=3).double()
    save_model("short.safetensors", known)
    # So slow that weights stay where they begin.
    model, _ = trained(
        {"long_range": CHARGES},
        start="short.safetensors",
        fit={"epochs": 1, "learning_rate": 1e-12, "dtype": "float64"},
    )
    assert model.long_range is not None
    for name, weight in known.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], weight, atol=1e-9, rtol=0)
    spread = model.long_range.charges.readout.spread
    assert not torch.equal(spread, torch.ones_like(spread))


def test_a_training_without_representation_and_start_is_refused():
    with pytest.raises(ValueError, match="`model` lacks `representation`; add it, or set"):
        trained({"long_range": CHARGES})
