"""Random MACE models give the numbers of mace-torch, which runs in a process of its own.

It is looked for in this environment, or in the interpreter that the variable MACE_PYTHON names:
mace-torch pins an old e3nn, and is best installed apart (``pip install ase_les[mace]``).
"""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from interop.by_mace_torch import CASES, REFUSED, structures

from ase_les import LESCalculator, load_model
from ase_les.derivatives import differentiate
from ase_les.graph import graph_from_atoms
from ase_les.neighbors import NeighborList


def interpreter() -> str:
    given = os.environ.get("MACE_PYTHON")
    if given is not None:
        return given
    try:
        importlib.metadata.version("mace-torch")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("mace-torch is not installed, and MACE_PYTHON names no interpreter that has it")
    return sys.executable


@pytest.fixture(scope="module", params=["float64", "float32"])
def folder(request, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp(request.param)
    program = Path(__file__).with_name("by_mace_torch.py")
    command = [interpreter(), str(program), str(path), request.param]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return path


@pytest.mark.parametrize("name", CASES)
def test_energies_forces_stress_and_features_are_those_of_mace_torch(name, folder):
    heads = CASES[name].get("heads") or ["Default"]
    reference = np.load(folder / f"{name}.npz")
    for head in heads:
        model = load_model(folder / f"{name}.model", head=head if len(heads) > 1 else None)
        config = model.config.representation
        width = config.channels * (config.l_hidden + 1) ** 2
        scalars = np.concatenate(
            [width * layer + np.arange(config.channels) for layer in range(config.n_layers)]
        )
        for number, atoms in enumerate(structures()):
            expected = {
                key: reference[f"{number} {head} {key}"]
                for key in ("energy", "forces", "node_feats")
            }
            graph = graph_from_atoms(atoms, NeighborList(model.config.cutoff))
            periodic = bool(atoms.pbc.any())
            found = differentiate(model, graph, stress=periodic)
            features = model.representation(graph).detach().numpy()
            energy = found.prediction.energy.detach().numpy()
            assert np.abs(expected["node_feats"]).max() > 0.01
            np.testing.assert_allclose(energy, expected["energy"], atol=1e-10, rtol=1e-12)
            np.testing.assert_allclose(
                found.forces.detach().numpy(), expected["forces"], atol=1e-10
            )
            np.testing.assert_allclose(features, expected["node_feats"][:, scalars], atol=1e-10)
            if periodic:
                np.testing.assert_allclose(
                    found.stress.detach().numpy(), reference[f"{number} {head} stress"], atol=1e-10
                )


@pytest.mark.parametrize("name", CASES)
def test_fast_paths_have_the_forces_of_mace_torch(name, folder):
    heads = CASES[name].get("heads") or ["Default"]
    reference = np.load(folder / f"{name}.npz")
    model = load_model(folder / f"{name}.model", head=heads[-1] if len(heads) > 1 else None)
    for number, atoms in enumerate(structures()):
        expected = reference[f"{number} {heads[-1]} forces"]
        for dtype, allowed in (("float64", 1e-9), ("float32", 1e-4)):
            atoms.calc = LESCalculator(model, dtype=dtype)
            error = np.abs(atoms.get_forces() - expected).max() / np.abs(expected).max()
            assert error < allowed


@pytest.mark.parametrize(("name", "message"), [(n, m) for n, (_, m) in REFUSED.items()])
def test_what_has_no_counterpart_is_refused_with_the_remedy(name, message, folder):
    with pytest.raises(ValueError, match=message):
        load_model(folder / f"refused-{name}.model")
