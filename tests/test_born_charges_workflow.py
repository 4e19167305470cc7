"""The study of Born charges runs from structures to table, summary and figures."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import yaml
from ase import Atoms
from ase.build import molecule
from ase.io import write

from ase_les import save_model

WORKFLOW = Path(__file__).parents[1] / "workflows" / "03_born_charges.py"


def water_box() -> Atoms:
    first, second = molecule("H2O"), molecule("H2O")
    second.rotate(70, "x")
    second.translate((0.4, 0.3, 2.9))
    atoms = first + second
    atoms.set_cell([7.0, 7.0, 7.0])
    atoms.pbc = True
    atoms.arrays["REF_born_effective_charges"] = np.tile(np.eye(3).ravel(), (len(atoms), 1))
    atoms.arrays["REF_born_effective_charges"][atoms.numbers == 8] *= -2
    return atoms


def test_the_study_of_born_charges_runs(random_model, tmp_path, monkeypatch, capsys):
    save_model(tmp_path / "model.safetensors", random_model())
    write(tmp_path / "water.extxyz", [water_box()])
    options = {
        "--model": tmp_path / "model.safetensors",
        "--structures": tmp_path / "water.extxyz",
        "--repeats": 2,
        "--output": tmp_path / "study",
    }
    arguments = [str(word) for option in options.items() for word in option]
    monkeypatch.setattr(sys, "argv", [str(WORKFLOW), *arguments])
    runpy.run_path(str(WORKFLOW), run_name="__main__")
    assert "Published formula against the length" in capsys.readouterr().out
    summary = yaml.safe_load((tmp_path / "study" / "born-charges-summary.yml").read_text())
    one, two = summary["published_formula_by_cell"]
    # The exact tensors are those of the small cell; the published ones come nearer to them.
    assert np.isclose(one["exact_O_xx_e"], two["exact_O_xx_e"], atol=1e-8)
    deviations = [abs(row["published_O_xx_e"] - row["exact_O_xx_e"]) for row in (one, two)]
    assert deviations[1] < deviations[0]
    assert (tmp_path / "study" / "born-charges-edges.png").is_file()
