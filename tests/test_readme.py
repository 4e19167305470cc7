"""What README and the start page show is right, and numbers are those of the model cards."""

import re
import shlex
import textwrap
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ase_les import list_models
from ase_les.cli import app
from ase_les.model_cards import accuracy_table_rst, models_table_rst

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.rst").read_text(encoding="utf-8")
START = (ROOT / "docs" / "start.rst").read_text(encoding="utf-8")


def python_of(text):
    blocks = re.findall(r"\.\. code-block:: python\n\n((?:   .*\n|\n)+)", text)
    return [textwrap.dedent(block) for block in blocks]


def test_the_python_examples_are_right_about_salt_a_molecule_and_water(monkeypatch):
    monkeypatch.chdir(ROOT)
    crystal = python_of(README)[0]
    others = python_of(START)[1]
    names: dict = {}
    exec(compile(crystal, "README.rst", "exec"), names)
    # PBE: 5.69 Å; perturbation theory: 1.09 e (models/README.rst).
    assert names["atoms"].cell.lengths() == pytest.approx(5.69, abs=0.02)
    sodium = names["atoms"].calc.get_property("born_effective_charges", names["atoms"])[0]
    assert sodium == pytest.approx(1.09 * np.eye(3), abs=0.06)
    exec(compile(others, "start.rst", "exec"), names)
    # ωB97M-D3(BJ).
    reference = np.array(names["molecule"].info["REF_dipole"], dtype=float)
    error = names["molecule"].get_dipole_moment() - reference
    assert np.linalg.norm(error) < 0.25 * np.linalg.norm(reference)
    assert names["born_charges"].shape == (192, 3, 3)
    # DFT of this liquid: -0.90 e (arXiv 2504.05169).
    oxygen = names["born_charges"][names["liquid"].numbers == 8]
    assert -1.05 < oxygen.trace(axis1=1, axis2=2).mean() / 3 < -0.75


@pytest.mark.slow
def test_the_runs_of_the_command_line_start_and_go_on(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "workflows").symlink_to(ROOT / "workflows")
    commands = README.replace("\\\n", " ").splitlines()
    runs = [shlex.split(c, comments=True) for c in commands if "ase-les md " in c]
    assert len(runs) == 2
    for run in runs:
        shorter = ["4" if before == "--steps" else each for before, each in pairwise(run)]
        result = CliRunner().invoke(app, shorter)
        assert result.exit_code == 0, result.output
    assert (tmp_path / "water.traj").exists()


def test_readme_is_short():
    assert README.count("\n") <= 130


def test_the_table_of_models_is_that_of_the_cards():
    assert models_table_rst(list_models()) in README, (
        "the table of models in README.rst is out of date: run `python models/table.py`"
    )


@pytest.mark.parametrize("page", ["models/README.rst", "docs/accuracy.rst"])
def test_the_table_of_accuracy_is_that_of_the_cards(page):
    assert accuracy_table_rst(list_models()) in (ROOT / page).read_text(encoding="utf-8"), (
        f"the table of accuracy in {page} is out of date: run `python models/table.py`"
    )
