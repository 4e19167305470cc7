"""Published MACE-LES models give the numbers of their authors' programs.

References: computed with mace-torch 0.3.16 and the LES library in float64; kept beside the
repository, see `shared/MACE.md`.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_vacuum
from ase.units import GPa
from typer.testing import CliRunner

from ase_les import LESCalculator, LESModel, load_model
from ase_les.cli import app
from ase_les.graph import graph_from_atoms
from ase_les.interop.mace import PREFACTOR
from ase_les.model_io import read_model, save_model
from ase_les.neighbors import NeighborList

NAMES = ("dipep-maceles-r-4-l-0", "water-maceles-r-4.5-nl-0")
WATER = NAMES[1]


class Frame(NamedTuple):
    atoms: Atoms
    reference: dict[str, np.ndarray]


@pytest.fixture(scope="module")
def folder(shared) -> Path:
    path = shared / "published" / "mace-les"
    if not path.is_dir():
        pytest.skip(f"the published models are not at {path}")
    return path


@pytest.fixture(scope="module")
def models(folder) -> dict[str, LESModel]:
    return {name: load_model(folder / f"{name}.model") for name in NAMES}


def frames(folder: Path, name: str) -> list[Frame]:
    with np.load(folder / f"{name}.npz") as stored:
        found = []
        for number in "01":
            if f"{number}_positions" not in stored:
                continue
            own = {
                key.removeprefix(f"{number}_"): stored[key]
                for key in stored
                if key.startswith(f"{number}_")
            }
            atoms = Atoms(own["numbers"], own["positions"], cell=own["cell"], pbc=own["pbc"])
            found.append(Frame(atoms, own))
        assert found and float(stored["norm_factor"]) == 90.0474
        return found


def exact(model: LESModel) -> LESCalculator:
    return LESCalculator(model, dtype="float64", accuracy=None)


@pytest.mark.parametrize("name", NAMES)
def test_energies_forces_and_charges_are_those_of_the_authors(name, folder, models):
    for atoms, reference in frames(folder, name):
        atoms.calc = exact(models[name])
        assert atoms.get_potential_energy() == pytest.approx(float(reference["energy"]), abs=1e-9)
        np.testing.assert_allclose(atoms.get_forces(), reference["forces"], atol=1e-9, rtol=0)
        in_e = math.sqrt(90.0474 / PREFACTOR) * reference["latent_charges"]
        np.testing.assert_allclose(atoms.get_charges(), in_e, atol=1e-12, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_features_are_those_of_the_authors(name, folder, models):
    for atoms, reference in frames(folder, name):
        model = models[name]
        graph = graph_from_atoms(atoms, NeighborList(model.config.cutoff))
        found = model.representation(graph).detach().numpy()
        np.testing.assert_allclose(found, reference["node_feats"], atol=1e-12, rtol=0)


def test_stress_is_the_slope_of_the_energy_long_range_included(folder, models):
    (frame,) = frames(folder, WATER)
    atoms = frame.atoms
    atoms.calc = exact(models[WATER])
    stress = atoms.get_stress(voigt=False)
    step = 1e-5
    for a, b in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)):
        energies = {}
        for factor in (-2, -1, 1, 2):
            strain = np.zeros((3, 3))
            strain[a, b] += 0.5 * factor * step
            strain[b, a] += 0.5 * factor * step
            bent = atoms.copy()
            bent.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
            bent.calc = atoms.calc
            energies[factor] = bent.get_potential_energy()
        slope = (8 * (energies[1] - energies[-1]) - (energies[2] - energies[-2])) / (12 * step)
        assert stress[a, b] == pytest.approx(slope / atoms.get_volume(), abs=1e-7)
    # The published program leaves the long-range part out.
    short = frame.reference["stress_as_returned_WRONG"][0]
    assert np.abs(stress - short).max() > 0.1 * GPa


def test_rotations_matter_no_more_than_the_rounding_of_the_file(folder, models):
    # U matrices are stored in single precision, which leaves them invariant to 1e-8 only.
    for name in NAMES:
        atoms = frames(folder, name)[0].atoms
        energies = []
        for turn in (0.0, 77.0):
            turned = atoms.copy()
            turned.rotate(turn, (1, 2, 3), rotate_cell=True)
            turned.calc = exact(models[name])
            energies.append(turned.get_potential_energy())
        assert energies[0] == pytest.approx(energies[1], abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_file_keeps_every_digit(name, folder, models, tmp_path):
    save_model(tmp_path / "model.safetensors", models[name])
    again = read_model(tmp_path / "model.safetensors")
    atoms = frames(folder, name)[0].atoms
    energies = []
    for model in (models[name], again):
        atoms.calc = exact(model)
        energies.append(atoms.get_potential_energy())
    assert energies[0] == energies[1]


def test_born_charges_do_not_depend_on_the_cell(folder, models):
    (frame,) = frames(folder, WATER)
    atoms = frame.atoms
    atoms.calc = exact(models[WATER])
    exact_tensor = atoms.calc.get_property("born_effective_charges", atoms)
    larger = atoms.repeat((2, 1, 1))
    larger.calc = exact(models[WATER])
    again = larger.calc.get_property("born_effective_charges", larger)
    np.testing.assert_allclose(again[: len(atoms)], exact_tensor, atol=1e-8)


def test_a_slab_has_an_energy_that_does_not_depend_on_its_vacuum(folder, models):
    (frame,) = frames(folder, WATER)
    energies = []
    for vacuum in (10.0, 25.0):
        slab = frame.atoms.copy()
        add_vacuum(slab, vacuum)
        slab.pbc = (True, True, False)
        slab.calc = exact(models[WATER])
        energies.append(slab.get_potential_energy())
    assert energies[0] == pytest.approx(energies[1], abs=1e-6)


def test_the_mesh_sum_agrees_with_the_direct_sum(folder, models):
    (frame,) = frames(folder, WATER)
    large = frame.atoms.repeat((2, 2, 2))
    forces = []
    for accuracy in (None, 1e-6):
        large.calc = LESCalculator(models[WATER], dtype="float64", accuracy=accuracy)
        forces.append(large.get_forces())
    assert np.abs(forces[0] - forces[1]).max() < 1e-4


def test_a_published_file_is_read_by_every_command(folder, tmp_path):
    file = str(folder / f"{NAMES[0]}.model")
    frame = frames(folder, NAMES[0])[0]
    structure, output = tmp_path / "molecule.xyz", tmp_path / "model.safetensors"
    frame.atoms.write(structure)
    runner = CliRunner()
    converted = runner.invoke(app, ["convert", file, "--output", str(output), "--quiet"])
    assert converted.exit_code == 0, converted.output
    for model in (file, str(output)):
        shown = runner.invoke(app, ["info", model, str(structure), "--json"])
        assert shown.exit_code == 0, shown.output
        facts = json.loads(shown.stdout)
        assert facts["config"]["representation"]["kind"] == "mace"
        assert facts["card"]["source"]["network"] == "mace.modules.models.MACELES"
        # Written positions have eight digits.
        expected = float(frame.reference["energy"]) / len(frame.atoms)
        assert facts["structure"]["energy_eV_per_atom"] == pytest.approx(expected, abs=1e-4)
