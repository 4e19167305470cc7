"""MACE models are trained as others are, and short-range ones get charges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.io import write
from interop.mace_records import network

from ase_les import load_model, save_model
from ase_les.configuration import from_mapping
from ase_les.interop.mace import mace_model
from ase_les.model import LESModel, ModelConfig
from ase_les.training.learning.train import TrainingConfig, train

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
    result = train(config, overwrite=True)
    assert load_model("result.safetensors").config == result.model.config
    return result.model, result.errors


@pytest.mark.slow
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


def stored_short_range_model(**settings) -> LESModel:
    """A random MACE model without charges, with its polynomials in its file."""
    path = Path("random.model")
    path.write_bytes(b"of which the card keeps a checksum")
    model = mace_model(network(charges=False, **settings), path)
    save_model("short.safetensors", model)
    return model


@pytest.mark.parametrize(
    ("frozen", "moving"),
    [
        (("representation", "short_range"), {"long_range"}),
        (("representation",), {"short_range", "long_range"}),
        ((), {"representation", "short_range", "long_range"}),
    ],
)
def test_frozen_parts_of_a_start_keep_their_weights_and_charges_are_learned(frozen, moving):
    known = stored_short_range_model(n_layers=2, l_hidden=1)
    model, _ = trained(
        {"long_range": CHARGES},
        start="short.safetensors",
        fit={"epochs": 2, "freeze": list(frozen), "dtype": "float64"},
    )
    changed = {
        name.split(".")[0]
        for name, weight in model.state_dict().items()
        if name in known.state_dict() and not torch.equal(weight, known.state_dict()[name])
    }
    assert changed == moving - {"long_range"}
    assert model.long_range is not None


def test_charges_added_to_a_frozen_model_lower_its_errors():
    stored_short_range_model(n_layers=1)
    errors = [
        trained(
            {"long_range": CHARGES},
            start="short.safetensors",
            fit={"epochs": n, "freeze": ["representation"], "dtype": "float64"},
        )[1]["validation"].forces_rmse_meV_per_A
        for n in (1, 20)
    ]
    assert errors[1] < 0.8 * errors[0]


def test_freezing_what_is_not_there_is_refused():
    stored_short_range_model(n_layers=1)
    with pytest.raises(ValueError, match=r"freeze.*'charges'"):
        trained({"long_range": None}, start="short.safetensors", fit={"freeze": ["charges"]})
    with pytest.raises(ValueError, match="`freeze` names 'long_range', which this model does not"):
        trained({"long_range": None}, start="short.safetensors", fit={"freeze": ["long_range"]})
    with pytest.raises(ValueError, match="`freeze` leaves nothing to train"):
        trained(
            {"long_range": None},
            start="short.safetensors",
            fit={"freeze": ["representation", "short_range"]},
        )
