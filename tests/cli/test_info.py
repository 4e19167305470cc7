"""What ``ase-les models`` and ``ase-les info`` tell is what the model and the calculator say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ase.build import molecule

from ase_les import (
    LESCalculator,
    LESModel,
    ModelConfig,
    cli,
    load_model,
    model_hash,
    model_io,
    save_model,
)
from ase_les.representation import CaceConfig

CARD = {
    "summary": "a [test]",
    "limits": "no [ice]",
    "data": {"license": "CC BY 4.0", "citation": "A. Author"},
    "test_errors": {"energy_rmse_meV_per_atom": 1.5},
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with one shipped model, 'tiny'."""
    representation = CaceConfig(cutoff=3.5, n_radial=3, n_mixed=2, n_embedding=2, l_max=2)
    model = LESModel(ModelConfig({"H": -13.6, "O": -432.1}, representation), seed=1)
    (tmp_path / "shipped_models" / "tiny").mkdir(parents=True)
    save_model(tmp_path / "shipped_models" / "tiny" / "model.safetensors", model, CARD)
    (tmp_path / "shipped_models" / "tiny" / "card.json").write_text(json.dumps(CARD))
    monkeypatch.setattr(model_io, "_PACKAGE", tmp_path)
    return tmp_path


def told(capsys, *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    output = capsys.readouterr()
    assert ended.value.code == 0, output.err
    return output.out


def test_models_lists_what_is_shipped(package, capsys):
    entry = json.loads(told(capsys, "models", "--json"))["models"]["tiny"]
    assert entry == {
        "summary": "a [test]",
        "limits": "no [ice]",
        "elements": ["H", "O"],
        "cutoff_A": 3.5,
        "long_range": True,
        "test_errors": {"energy_rmse_meV_per_atom": 1.5},
        "short_range_test_errors": {},
        "published": {},
        "data_license": "CC BY 4.0",
    }
    table = told(capsys, "models")
    for text in ("tiny", "H O", "3.5", "yes", "CC BY 4.0"):
        assert text in table


def test_models_says_when_there_are_none(package, monkeypatch, capsys):
    monkeypatch.setattr(model_io, "_PACKAGE", package / "elsewhere" / "ase_les")
    assert "No models are shipped" in told(capsys, "models")


def test_info_tells_config_card_and_hash(package, capsys):
    model = load_model("tiny")
    facts = json.loads(told(capsys, "info", "tiny", "--json"))
    assert facts["hash"] == model_hash(model)
    assert facts["card"] == CARD
    assert ModelConfig.from_dict(facts["config"]) == model.config
    assert facts["parameters"] == sum(weight.numel() for weight in model.parameters())
    assert facts["electrostatics"]["smearing_A"] == 1.0
    short, table = told(capsys, "info", "tiny"), told(capsys, "info", "tiny", "--all")
    for text in (facts["hash"], "a [test]", "A. Author", "CC BY 4.0", "H, O"):
        assert text in table
    assert facts["hash"] in short and len(short.splitlines()) < len(table.splitlines())
    assert "representation" in table and "representation" not in short


@pytest.mark.parametrize(("name", "elements"), [("pt-kf-aq", ["Pt"]), ("mgo", [])])
def test_info_tells_which_atoms_share_electrons(name, elements, capsys):
    facts = json.loads(told(capsys, "info", name, "--json"))
    assert facts["electrostatics"]["elements_that_share_electrons"] == elements


def test_what_a_model_must_not_be_used_for_comes_first(package, capsys):
    assert told(capsys, "info", "tiny").startswith("Limits of tiny: no [ice]\n")
    assert "ase-les info MODEL" in told(capsys, "models")


def test_info_takes_a_total_charge_that_the_file_does_not_tell(package, tmp_path, capsys):
    molecule("OH").write(tmp_path / "hydroxide.xyz")
    arguments = ("info", "tiny", str(tmp_path / "hydroxide.xyz"), "--json")
    assert json.loads(told(capsys, *arguments))["structure"]["charge_e"] == 0
    charged = json.loads(told(capsys, *arguments, "--charge", "-1"))["structure"]
    assert charged["charge_e"] == -1


def test_info_tells_what_the_calculator_says_about_a_structure(package, tmp_path, capsys):
    atoms = molecule("H2O")
    atoms.write(tmp_path / "water.xyz")
    path = str(tmp_path / "water.xyz")
    facts = json.loads(told(capsys, "info", "tiny", path, "--json", "--dtype", "float64"))
    atoms.calc = LESCalculator("tiny", dtype="float64")
    said = facts["structure"]
    assert said["energy_eV_per_atom"] == pytest.approx(atoms.get_potential_energy() / 3)
    largest = np.linalg.norm(atoms.get_forces(), axis=1).max()
    assert said["max_force_eV_per_A"] == pytest.approx(largest, rel=1e-6)
    charges = atoms.get_charges()
    assert said["charges_e"]["O"]["mean"] == pytest.approx(charges[0], rel=1e-6)
    assert said["charges_e"]["H"]["mean"] == pytest.approx(charges[1:].mean(), rel=1e-6)


def test_info_names_the_models_when_the_given_one_does_not_exist(package, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["info", "tyni"])
    assert ended.value.code == 2
    assert "shipped models are ['tiny']" in capsys.readouterr().err.replace("\n", " ")


def test_info_tells_what_the_ewald_cutoff_of_a_model_leaves_out(tmp_path, capsys, random_model):
    """σ = 1 Å and k_c = π leave out weights of up to 7e-3; a converged model nothing."""
    from ase.io import write

    cell = molecule("H2O", cell=[5, 6, 7], pbc=True)
    write(tmp_path / "cell.xyz", cell)
    truncated = random_model(electrostatics={"k_cutoff": np.pi})
    save_model(tmp_path / "truncated.safetensors", truncated)
    save_model(tmp_path / "converged.safetensors", truncated.with_converged_ewald())
    said = {
        name: json.loads(
            told(
                capsys,
                *("info", str(tmp_path / f"{name}.safetensors"), str(tmp_path / "cell.xyz")),
                *("--json", "--dtype", "float64"),
            )
        )["structure"]
        for name in ("truncated", "converged")
    }
    assert "converged_ewald_changes" not in said["converged"]
    change = said["truncated"]["converged_ewald_changes"]
    energies = [3 * said[name]["energy_eV_per_atom"] for name in ("truncated", "converged")]
    assert change["energy_eV"] == pytest.approx(energies[1] - energies[0], abs=1e-9)
    assert abs(change["energy_eV"]) > 1e-6
    assert change["largest_force_change_eV_per_A"] > 1e-6


def test_info_shows_charges_beside_those_that_move_with_the_atoms(tmp_path, capsys):
    cell = molecule("H2O", cell=[6, 6, 6], pbc=True)
    cell.write(tmp_path / "cell.extxyz")
    path, structure = str(tmp_path / "m.safetensors"), str(tmp_path / "cell.extxyz")
    representation = CaceConfig(cutoff=3.5, n_radial=3, n_mixed=2, n_embedding=2, l_max=2)
    model = LESModel(ModelConfig({"H": -13.6, "O": -432.1}, representation), seed=1)
    save_model(path, model)
    arguments = ("info", path, structure, "--dtype", "float64", "--dielectric", "4")
    said = json.loads(told(capsys, *arguments, "--json"))["structure"]
    calculator = LESCalculator(path, dtype="float64")
    born = calculator.get_property("born_effective_charges", cell)
    # √4 times the latent ones.
    assert said["charges_e"]["O"]["gapt_mean"] == pytest.approx(2 * born[0].trace() / 3, abs=1e-9)
    latent = calculator.get_latent_charges(cell)
    assert said["charges_e"]["H"]["mean"] == pytest.approx(2 * latent[1:].mean(), abs=1e-9)
    assert said["charges_are"]["physical_over_latent"] == pytest.approx(2.0)
    assert said["charges_are"]["sign"] == "follows"
    table = told(capsys, *arguments)
    assert "follows electronegativity" in table
    model.long_range.charges.flip_sign()
    save_model(path, model)
    table = " ".join(told(capsys, *arguments).split())
    assert "opposite to electronegativity" in table
    assert f"ase-les convert {path} --output model.safetensors --sign auto" in table


def test_info_shows_charges_where_there_are_no_born_charges(capsys):
    structure = str(Path(cli.__file__).parents[2] / "models/pt-kf-aq/interface.extxyz")
    said = json.loads(told(capsys, "info", "pt-kf-aq", structure, "--json"))["structure"]
    assert "gapt_mean" not in said["charges_e"]["Pt"]
    assert said["charges_are"]["sign_judged_by"] == "mean charges"
