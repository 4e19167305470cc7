"""``ase-les convert`` writes model files that give the same energies."""

from __future__ import annotations

import json

import numpy as np
import pytest
from ase import Atoms
from ase.io import read, write

from ase_les import LESCalculator, load_model, save_model
from ase_les.charges import ChargesConfig
from ase_les.charges.sign import judge_sign, mean_by_element
from ase_les.cli import main
from ase_les.graph import graph_from_atoms
from ase_les.interop import read_checkpoint
from ase_les.model import LESModel, LongRangeConfig, ModelConfig
from ase_les.neighbors import NeighborList
from ase_les.representation import CaceConfig


def run(*arguments) -> int:
    """The exit code of the command."""
    with pytest.raises(SystemExit) as ended:
        main(["convert", *map(str, arguments)])
    return ended.value.code or 0


def energy(model, atoms: Atoms) -> float:
    return model(graph_from_atoms(atoms, NeighborList(model.config.cutoff))).energy.item()


def molecules() -> list[Atoms]:
    rng = np.random.default_rng(5)
    return [
        Atoms(
            f"H{h}N{n}O{o}", rng.uniform(0, 1, (h + n + o, 3)) * 4 + np.arange(h + n + o)[:, None]
        )
        for h, n, o in ((2, 1, 1), (1, 2, 1), (3, 1, 2), (1, 1, 3), (2, 2, 1))
    ]


def test_converted_file_gives_the_energies_of_the_checkpoint(checkpoint, tmp_path):
    output = tmp_path / "model.safetensors"
    assert run(checkpoint, "-o", output) == 0
    converted, published = load_model(output), read_checkpoint(checkpoint)
    assert converted.card == published.card
    for atoms in molecules():
        assert energy(converted, atoms) == energy(published, atoms)


def test_atomic_energies_are_taken_from_the_command_line(checkpoint, tmp_path, capsys):
    output = tmp_path / "model.safetensors"
    assert run(checkpoint, "-o", output, "--atomic-energies", "H=-5.85,N=-7.1, O=-2.93") == 0
    assert dict(load_model(output).config.atomic_energies) == {"H": -5.85, "N": -7.1, "O": -2.93}
    capsys.readouterr()
    assert run(checkpoint, "-o", tmp_path / "m.safetensors", "--atomic-energies", "H:-5") == 2
    assert "H=-5.85,O=-2.93" in capsys.readouterr().err


def test_atomic_energies_are_recovered_from_labels(checkpoint, tmp_path, capsys):
    truth = {"H": -13.6, "N": -270.25, "O": -431.5}
    model = read_checkpoint(checkpoint, truth)
    frames = molecules()
    for atoms in frames:
        atoms.info["REF_energy"] = energy(model, atoms)
    write(tmp_path / "labeled.extxyz", frames)
    output = tmp_path / "model.safetensors"
    arguments = ("--fit-atomic-energies", tmp_path / "labeled.extxyz", "--json", "--quiet")
    assert run(checkpoint, "-o", output, *arguments) == 0
    found = load_model(output)
    assert dict(found.config.atomic_energies) == pytest.approx(truth, abs=1e-5)
    assert found.card["atomic_energies"] == "fitted to REF_energy of labeled.extxyz"
    assert json.loads(capsys.readouterr().out)["output"] == str(output)


def test_converged_sum_is_asked_for(checkpoint, tmp_path):
    output = tmp_path / "model.safetensors"
    assert run(checkpoint, "-o", output, "--converged-ewald") == 0
    electrostatics = load_model(output).config.long_range.electrostatics
    published = read_checkpoint(checkpoint).config.long_range.electrostatics
    assert electrostatics.kernel().k_cutoff > 1.5 * published.kernel().k_cutoff


def test_existing_file_is_replaced_only_when_told(checkpoint, tmp_path, capsys):
    output = tmp_path / "model.safetensors"
    output.write_text("precious")
    assert run(checkpoint, "-o", output) == 2
    assert "--force" in capsys.readouterr().err and output.read_text() == "precious"
    assert run(checkpoint, "-o", output, "--force") == 0
    load_model(output)


def test_checkpoint_that_cannot_be_read_leaves_no_file(tmp_path, capsys):
    (tmp_path / "bad.pth").write_text("hello")
    output = tmp_path / "model.safetensors"
    assert run(tmp_path / "bad.pth", "-o", output) == 2
    assert "not a zip archive" in capsys.readouterr().err and not output.exists()


# The sign of charges

PROPERTIES = ("energy", "forces", "charges", "born_effective_charges")
FLIPPED = ("au-mgo-lr", "les-water-r-4.5-nl-1-nu-3", "licl-gaf3-0", "nacl-cluster")
NOT_FLIPPED = (
    "les-dipeptides-r-4-nl-2-nu-3",
    "tio2-nacl-aq",
    "water-bec-v1",
    "water-bec-v4",
)


@pytest.fixture
def opposite(tmp_path):
    """A model file whose oxygen is positive in water, and the water."""
    charges = LongRangeConfig(ChargesConfig(neutrality="none", scale=2.0))
    config = ModelConfig({"H": -5.0, "O": -9.0}, CaceConfig(3.0), long_range=charges)
    water = Atoms("OHH", [[0, 0, 0], [0, 0.76, 0.59], [0, -0.76, 0.59]])
    write(tmp_path / "water.xyz", water)
    for seed in range(20):
        model = LESModel(config, seed=seed).double()
        gapt = LESCalculator(model, dtype="float64").get_gapt_charges(water)
        if judge_sign(mean_by_element(water.numbers, gapt)) == "opposes":
            save_model(tmp_path / "opposite.safetensors", model, {"dielectric": 4.0})
            return tmp_path / "opposite.safetensors", tmp_path / "water.xyz"
    raise AssertionError("no seed gave charges of the wrong sign")


def said_of(path, atoms: Atoms) -> dict[str, np.ndarray]:
    calculator = LESCalculator(path, dtype="float64")
    names = [*PROPERTIES, *(["stress"] if atoms.pbc.all() else [])]
    return {name: np.array(calculator.get_property(name, atoms)) for name in names}


def check_flipped(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> None:
    for name, value in before.items():
        sign = -1 if name in ("charges", "born_effective_charges") else 1
        np.testing.assert_allclose(after[name], sign * value, rtol=0, atol=1e-10)


def test_automatic_sign_makes_electronegative_elements_negative(opposite, tmp_path, capsys):
    model, structure = opposite
    water, output = read(structure), tmp_path / "right.safetensors"
    assert run(model, "-o", output, "--sign", "auto", "--structure", structure) == 0
    # rich breaks lines; what was found and what was done are both told.
    told = " ".join(capsys.readouterr().err.split())
    assert "opposite to electronegativity" in told and "flipped" in told
    check_flipped(said_of(model, water), said_of(output, water))
    card = load_model(output).card
    assert card["charges"]["sign"].startswith("flipped") and card["dielectric"] == 4.0
    again = tmp_path / "again.safetensors"
    assert run(output, "-o", again, "--sign", "auto", "--structure", structure) == 0
    assert "follows electronegativity" in " ".join(capsys.readouterr().err.split())
    np.testing.assert_array_equal(
        said_of(again, water)["charges"], said_of(output, water)["charges"]
    )


def test_the_sign_is_kept_unless_told_and_the_remedy_is_named(opposite, tmp_path, capsys):
    model, structure = opposite
    water, output = read(structure), tmp_path / "kept.safetensors"
    assert run(model, "-o", output) == 0
    assert "--structure FILE checks" in " ".join(capsys.readouterr().err.split())
    assert load_model(output).card == load_model(model).card
    assert run(model, "-o", output, "--force", "--structure", structure) == 0
    assert "--sign auto flips it" in " ".join(capsys.readouterr().err.split())
    np.testing.assert_array_equal(
        said_of(output, water)["charges"], said_of(model, water)["charges"]
    )
    assert run(model, "-o", output, "--force", "--sign", "flip") == 0
    check_flipped(said_of(model, water), said_of(output, water))


def test_means_in_a_card_are_flipped_with_the_charges(opposite, tmp_path):
    model, _ = opposite
    loaded = load_model(model)
    loaded.card["charges"] = {"meaning": "latent", "mean_by_element_e": {"O": 0.2, "H": -0.1}}
    save_model(tmp_path / "with.safetensors", loaded)
    output = tmp_path / "flipped.safetensors"
    assert run(tmp_path / "with.safetensors", "-o", output, "--sign", "flip") == 0
    assert load_model(output).card["charges"]["mean_by_element_e"] == {"O": -0.2, "H": 0.1}


def test_a_sign_that_cannot_be_judged_or_flipped_is_refused(opposite, tmp_path, capsys):
    model, _ = opposite
    output = tmp_path / "not.safetensors"
    assert run(model, "-o", output, "--sign", "auto") == 2
    assert "--structure FILE" in capsys.readouterr().err
    assert run(model, "-o", output, "--sign", "minus") == 2
    assert "keep, flip, auto" in capsys.readouterr().err
    formal = LongRangeConfig(ChargesConfig(formal_charges={"H": 0.4, "O": -0.8}))
    ions = LESModel(ModelConfig({"H": 0.0, "O": 0.0}, CaceConfig(3.0), long_range=formal), seed=1)
    save_model(tmp_path / "ions.safetensors", ions)
    assert run(tmp_path / "ions.safetensors", "-o", output, "--sign", "flip") == 2
    assert "formal or total charges" in " ".join(capsys.readouterr().err.split())
    wide = LongRangeConfig(ChargesConfig(n_channels=2))
    two = LESModel(ModelConfig({"H": 0.0, "O": 0.0}, CaceConfig(3.0), long_range=wide), seed=1)
    save_model(tmp_path / "two.safetensors", two)
    assert run(tmp_path / "two.safetensors", "-o", output, "--sign", "flip") == 2
    assert "one charge per atom" in " ".join(capsys.readouterr().err.split())
    assert run(model, "-o", output, "--atomic-energies", "H=1,O=2") == 2
    assert "for published checkpoints" in " ".join(capsys.readouterr().err.split())
    assert not output.exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", FLIPPED + NOT_FLIPPED)
def test_published_models_get_the_sign_of_chemistry(shared, name, tmp_path, capsys):
    folder = shared / "published" / name
    structure = folder / "reference.extxyz"
    if not structure.is_file():
        pytest.skip(f"the published checkpoint is not at {folder}")
    output = tmp_path / "model.safetensors"
    arguments = ("--sign", "auto", "--structure", structure)
    assert run(folder / "checkpoint.pth", "-o", output, *arguments) == 0
    told = " ".join(capsys.readouterr().err.split())
    atoms = read(structure)
    atoms.calc = None
    before, after = said_of(folder / "checkpoint.pth", atoms), said_of(output, atoms)
    if name in FLIPPED:
        assert "opposite to electronegativity" in told and "flipped" in told
        check_flipped(before, after)
    else:
        assert "follows electronegativity" in told
        np.testing.assert_array_equal(before["charges"], after["charges"])
    means = mean_by_element(atoms.numbers, after["born_effective_charges"].trace(0, 1, 2) / 3)
    assert judge_sign(means) == "follows"
