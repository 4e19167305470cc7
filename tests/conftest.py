"""Fixtures that any test may ask for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ase_les.charges import ChargesConfig
from ase_les.core_repulsion import CoreRepulsionConfig
from ase_les.electrostatics import ElectrostaticsConfig, EquilibrationConfig
from ase_les.model import LESModel, LongRangeConfig, ModelConfig, ShortRangeConfig
from ase_les.polarizability import PolarizabilityConfig
from ase_les.reports import figures
from ase_les.representation import CaceConfig

FOLDERS_OF_DRAWN_FIGURES = {"accumulators", "reports", "workflows"}


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def figures_are_empty_files(request, monkeypatch):
    """Render no figure where figures are not what is tested: each takes 0.3 s."""
    is_tested = request.path.parent.name in FOLDERS_OF_DRAWN_FIGURES
    if not is_tested and "drawn" not in request.node.name:
        monkeypatch.setattr(figures, "_render", lambda figure, path: path.touch())


@pytest.fixture(autouse=True)
def same_seed(request, monkeypatch):
    """Runs without a seed are repeatable, except in tests of the random seed."""
    if "random_seed" not in request.keywords:
        monkeypatch.setattr("ase_les.simulation.ensembles.random_seed", lambda: 0)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Public data sets kept beside the repository."""
    path = Path(__file__).resolve().parents[2] / "shared"
    if not path.is_dir():
        pytest.skip(f"the data sets are not at {path}")
    return path


@pytest.fixture(scope="session")
def random_model():
    """Models with random weights, charges of about 1 e and forces of about 1 eV/Å."""

    def build(
        *,
        charges: dict | None = None,
        electrostatics: dict | None = None,
        charge_representation: CaceConfig | None = None,
        equilibration: dict | None = None,
        long_range: bool = True,
        total_charges: tuple[int, ...] = (),
        core_repulsion: dict | None = None,
        polarizability: dict | None = None,
        seed: int = 0,
        **representation,
    ) -> LESModel:
        settings = {"cutoff": 3.5, "n_radial": 4, "n_mixed": 3, "n_embedding": 2}
        part = LongRangeConfig(
            charges=ChargesConfig(**{"scale": 4.0, "neutrality": "mean", **(charges or {})}),
            electrostatics=ElectrostaticsConfig(
                **{"smearing": 1.0, "remove_self_energy": True, **(electrostatics or {})}
            ),
            representation=charge_representation,
            equilibration=EquilibrationConfig(**equilibration) if equilibration else None,
        )
        config = ModelConfig(
            atomic_energies={"H": -13.6, "O": -431.25, "Na": -1202.5},
            representation=CaceConfig(**{**settings, **representation}),
            short_range=ShortRangeConfig(scale=3.0),
            long_range=part if long_range else None,
            total_charges=total_charges,
            core_repulsion=CoreRepulsionConfig(**core_repulsion) if core_repulsion else None,
            polarizability=PolarizabilityConfig(**polarizability) if polarizability else None,
        )
        return LESModel(config, seed=seed)

    return build
