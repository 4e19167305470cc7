"""The table of charges: sums, scales and molecules are right, and what is missing is named."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import molecule

from ase_les import save_model
from ase_les.reading.extended_xyz import write_labeled
from ase_les.training.learning.dataset import LabelNames

COMMAND = Path(__file__).parents[1] / "models" / "charges.py"
CHARGES = runpy.run_path(str(COMMAND))
# e Å, in the symmetric molecule: one hydrogen of 0.4 e counts with its height above oxygen.
WATER = molecule("H2O")


def dipole_by_hand(charge: float) -> float:
    return abs(charge * (WATER.positions[1:, 2] - WATER.positions[0, 2]).sum())


def box(*, sodium: bool = False) -> Atoms:
    """Two molecules of water, one cut by a face of the cell; sodium touches the other."""
    first, second = WATER.copy(), WATER.copy()
    first.rotate(50, "x")
    second.translate((3.1, 3.2, 3.4))
    atoms = first + second
    if sodium:
        atoms = Atoms("Na", [second.positions[0] + [0, 0, 2.1]]) + atoms
    atoms.set_cell([7.0, 7.5, 8.0])
    atoms.pbc = True
    atoms.wrap()
    return atoms


@pytest.mark.parametrize("sodium", [False, True])
def test_dipoles_are_those_of_whole_molecules_also_next_to_ions(sodium):
    atoms = box(sodium=sodium)
    charges = np.select([atoms.numbers == 8, atoms.numbers == 1], [-0.8, 0.4], 1.0)
    dipoles = CHARGES["water_dipoles"](atoms, charges)
    assert len(dipoles) == 2
    assert np.allclose(dipoles, dipole_by_hand(0.4), rtol=1e-6)


def test_no_molecules_of_water_have_no_dipoles():
    ammonia = molecule("NH3")
    assert len(CHARGES["water_dipoles"](ammonia, np.zeros(4))) == 0


def test_reference_born_charges_are_screened_in_periodic_structures_only():
    atoms = box()
    tensors = np.arange(54.0).reshape(6, 9)
    atoms.arrays["REF_born_effective_charges"] = tensors
    born = CHARGES["reference_born_charges"](atoms, LabelNames(), 4.0)
    assert np.allclose(born, tensors.reshape(6, 3, 3) / 2)
    atoms.pbc = False
    rows = LabelNames(born_rows="displacement")
    free = CHARGES["reference_born_charges"](atoms, rows, 4.0)
    assert np.allclose(free, tensors.reshape(6, 3, 3).transpose(0, 2, 1))
    del atoms.arrays["REF_born_effective_charges"]
    assert np.isnan(CHARGES["reference_born_charges"](atoms, LabelNames(), 4.0)).all()


def test_means_of_elements_hold_the_sums_that_nature_asks_for(random_model, tmp_path, monkeypatch):
    """Split charges: neither charges nor Born charges have a sum."""
    save_model(tmp_path / "one.safetensors", random_model(charges={"neutrality": "split"}))
    labeled = box(sodium=True)
    labeled.arrays["REF_charges"] = np.linspace(-1, 1, len(labeled))
    labeled.arrays["REF_born_effective_charges"] = np.tile(2.0 * np.eye(3).ravel(), (7, 1))
    moved = labeled.copy()
    moved.rattle(0.05, seed=1)
    write_labeled(tmp_path / "data.extxyz", [labeled, moved])
    options = ["--model", "one.safetensors", "--data", "data.extxyz", "--dielectric", "4"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(COMMAND), *options, "--output", "found/charges"])
    runpy.run_path(str(COMMAND), run_name="__main__")
    told = yaml.safe_load((tmp_path / "found" / "charges-summary.yml").read_text("utf-8"))
    elements = told["models"]["one"]["elements"]
    assert {name: row["atoms"] for name, row in elements.items()} == {"H": 8, "O": 4, "Na": 2}
    for of_atoms in ("q_e", "born_e"):
        values = [row["atoms"] * row[of_atoms] for row in elements.values()]
        assert np.abs(values).max() > 0.1
        assert abs(sum(values)) < 2e-3 * np.abs(values).max()
    # √ε∞ is 2.
    assert all(np.isclose(row["DFT_born_e"], 1.0) for row in elements.values())
    assert "latent_charges_vs_population_analysis" in told["models"]["one"]
    assert told["models"]["one"]["water_dipole_eA"]["molecules"] == 4
    assert (tmp_path / "found" / "charges.png").is_file()


def test_a_data_set_that_is_not_there_is_named(tmp_path, monkeypatch, capsys):
    options = ["water-rpbe-d3", "--data-sets", str(tmp_path / "nowhere")]
    monkeypatch.setattr(sys, "argv", [str(COMMAND), *options])
    with pytest.raises(SystemExit, match="no structures of any model"):
        runpy.run_path(str(COMMAND), run_name="__main__")
    said = capsys.readouterr().err.replace("\n", "")
    assert "water-rpbe-d3 skipped" in said
    assert "nowhere/water-rpbe-d3/test.extxyz" in said
