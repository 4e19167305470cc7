"""What README shows works as shown, and its numbers are those of the model cards."""

import re
from pathlib import Path

import pytest

from ase_les import list_models
from ase_les.model_cards import accuracy_table_rst, models_table_rst

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.rst").read_text(encoding="utf-8")


@pytest.mark.skipif("water-rpbe-d3" not in list_models(), reason="the model is not shipped")
def test_the_python_examples_give_water_with_negative_oxygen(monkeypatch):
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"\.\. code-block:: python\n\n((?:    .*\n|\n)+)", README)
    molecule, liquid = (re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in blocks)
    names: dict = {}
    exec(compile(molecule, "README.rst", "exec"), names)
    charges = names["atoms"].get_charges()
    assert charges[0] < 0 < charges[1]
    assert 0.9 < names["atoms"].get_distance(0, 1) < 1.05
    exec(compile(liquid, "README.rst", "exec"), names)
    assert names["born_charges"].shape == (192, 3, 3)
    # DFT of this liquid: -0.90 e (arXiv 2504.05169).
    oxygen = names["born_charges"][names["atoms"].numbers == 8]
    assert -1.05 < oxygen.trace(axis1=1, axis2=2).mean() / 3 < -0.75


def test_the_table_of_models_is_that_of_the_cards():
    assert models_table_rst(list_models()) in README, (
        "the table of models in README.rst is out of date: run `python models/table.py`"
    )


@pytest.mark.parametrize("page", ["models/README.rst", "docs/accuracy.rst"])
def test_the_table_of_accuracy_is_that_of_the_cards(page):
    assert accuracy_table_rst(list_models()) in (ROOT / page).read_text(encoding="utf-8"), (
        f"the table of accuracy in {page} is out of date: run `python models/table.py`"
    )
