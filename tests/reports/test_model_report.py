"""Report on a model: one page with numbers, figures, charges and the worst structure."""

import io
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from ase.build import molecule
from ase.io import write

from ase_les import save_model
from ase_les.cli import main
from ase_les.reading.labels import LabelNames
from ase_les.reports import model_report
from ase_les.reports.figures import save_structure_figure
from ase_les.reports.model_report import ModelReport
from ase_les.training.learning.atomic_charges import AtomicCharges, atomic_charges
from ase_les.training.learning.dataset import Sample, labeled
from ase_les.training.learning.evaluation import compare, errors, worst_structure
from ase_les.training.learning.response_evaluation import compare_response


def samples_of(frames, cutoff=3.5) -> list[Sample]:
    return labeled(frames, cutoff, LabelNames())


@pytest.fixture
def frames(rng):
    found = []
    for _ in range(3):
        water = molecule("H2O", vacuum=4.0)
        water.rattle(0.05, rng=rng)
        water.info["REF_energy"] = -450.0
        water.arrays["REF_forces"] = np.zeros((3, 3))
        found.append(water)
    return found


def test_the_worst_structure_is_that_of_the_largest_planted_error(frames, random_model):
    model = random_model()
    samples = samples_of(frames, model.config.cutoff)
    predicted = compare(model, samples).forces[1].reshape(3, 3, 3)
    for atoms, forces in zip(frames, predicted, strict=True):
        atoms.arrays["REF_forces"] = forces.copy()
    frames[1].arrays["REF_forces"][2, 0] += 0.3
    frames[0].arrays["REF_forces"][1] += 0.1
    frames[2].arrays["REF_forces"] += 5.0
    samples = samples_of(frames, model.config.cutoff)
    # With an incomplete label the largest error does not count.
    samples[2].forces[0, 0] = np.nan
    # More than one batch: indices count through all of them.
    worst = worst_structure(compare(model, samples, batch_size=1), samples)
    assert worst.index == 1
    assert worst.error_eV_per_A == pytest.approx([0, 0, 0.3], abs=1e-6)
    assert worst.rmse_eV_per_A == pytest.approx(0.1, abs=1e-6)
    assert worst.atoms.get_chemical_formula() == "H2O"


def test_charges_of_periodic_structures_are_physical(frames, random_model):
    model = random_model()
    finite = atomic_charges(model, samples_of(frames), dielectric=4.0)
    for atoms in frames:
        atoms.pbc = True
    periodic = atomic_charges(model, samples_of(frames), dielectric=4.0)
    assert finite.physical_over_latent == 1
    assert periodic.physical_over_latent == 2
    assert periodic.by_element["H"] == pytest.approx(2 * finite.by_element["H"], rel=1e-6)
    assert len(finite.by_element["H"]) == 6
    sums = [finite.by_element[symbol].sum() for symbol in "HO"]
    assert math.fsum(sums) == pytest.approx(0.0, abs=1e-9)


def report_of(frames, model, **parts) -> ModelReport:
    samples = samples_of(frames, model.config.cutoff)
    comparison = compare(model, samples)
    return ModelReport(
        title="water & co",
        facts={"data": "a < b"},
        errors={"test": errors(comparison, len(frames), 9)},
        part="test",
        comparison=comparison,
        card={"limits": "one molecule"},
        worst=worst_structure(comparison, samples),
        **parts,
    )


def test_the_page_stands_alone_and_has_what_is_known(frames, random_model):
    model = random_model()
    charges = AtomicCharges({"H": np.full(6, 0.4), "O": np.full(3, -0.8)}, {"H": 0.41}, 1.0)
    text = model_report.page(report_of(frames, model, charges=charges)).decode()
    assert "water &amp; co" in text
    assert "a &lt; b" in text
    assert "one molecule" in text
    assert "+0.400" in text and "-0.800" in text and "+0.410" in text
    assert not re.search(r"https?:", text)
    assert text.count("<img") == text.count("data:image/png;base64,iVBOR") == 3
    without = model_report.page(report_of(frames, model)).decode()
    assert "tr Z" not in without
    assert without.count("<img") == 2


def test_errors_by_element_stand_beside_the_forces(frames, random_model):
    model = random_model()
    for atoms in frames:
        atoms.arrays["REF_forces"] = np.where(atoms.numbers[:, None] == 8, 2.0, 0.0) * np.ones(3)
    text = model_report.page(report_of(frames, model)).decode()
    # All components of the force on oxygen are 2 eV/Å, those on hydrogen vanish.
    assert re.search(r"<td>O</td><td>[^<]+</td><td>2e\+03</td>", text)
    assert re.search(r"<td>H</td><td>[^<]+</td><td>0</td><td>–</td>", text)


def test_polarizabilities_have_names_and_units(frames, random_model, rng):
    model = random_model(polarizability={"channels": 2})
    for atoms in frames:
        alpha = rng.normal(size=(3, 3))
        atoms.info["REF_polarizability"] = (alpha + alpha.T).ravel()
    response = compare_response(model, samples_of(frames, model.config.cutoff))
    text = model_report.page(report_of(frames, model, response=response)).decode()
    assert "<h2>Response to fields and displacements</h2>" in text
    for name in ("polarizability / Å³", "isotropic part / Å³", "anisotropic part / Å³"):
        assert f"<td>{name}</td>" in text
    assert "polarizability_A3" not in text


def test_a_structure_is_drawn_into_a_stream(frames):
    stream = io.BytesIO()
    save_structure_figure(stream, frames[0], np.zeros(3), "error / (meV/Å)")
    assert stream.getvalue().startswith(b"\x89PNG")


def test_evaluate_and_train_write_a_report(frames, random_model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("water.extxyz", frames)
    save_model("model.safetensors", random_model())
    torch.manual_seed(0)
    config = {
        "data": {"training": "water.extxyz", "validation": "water.extxyz"},
        "model": {"representation": {"cutoff": 3.0, "n_radial": 2, "n_mixed": 2, "l_max": 1}},
        "fit": {"epochs": 2, "loss": {"stress": 0.0}, "final_loss": {"stress": 0.0}},
        "output": "trained",
    }
    Path("train.yml").write_text(yaml.safe_dump(config))
    for command, page in (
        (("evaluate", "water.extxyz", "--model", "model.safetensors", "-o", "judged"), "judged"),
        (("train", "train.yml"), "trained"),
    ):
        with pytest.raises(SystemExit) as ended:
            main((*command, "--quiet"))
        assert not ended.value.code
        text = Path(f"{page}.html").read_text(encoding="utf-8")
        assert "<h2>Charges</h2>" in text
        assert ("<h2>Learning curve</h2>" in text) == (page == "trained")
