"""What README shows works as shown, and its numbers are those of the model cards."""

import re
from pathlib import Path

import pytest

from ase_les import list_models
from ase_les.reporting import models_table_rst

README = (Path(__file__).parents[1] / "README.rst").read_text(encoding="utf-8")


@pytest.mark.skipif("water-rpbe-d3" not in list_models(), reason="the model is not shipped")
def test_the_python_example_gives_a_water_molecule_with_negative_oxygen():
    block = re.search(r"\.\. code-block:: python\n\n((?:    .*\n|\n)+)", README).group(1)
    code = re.sub(r"^    ", "", block, flags=re.MULTILINE)
    names: dict = {}
    exec(compile(code, "README.rst", "exec"), names)
    charges = names["atoms"].get_charges()
    assert charges[0] < 0 < charges[1]
    assert 0.9 < names["atoms"].get_distance(0, 1) < 1.05


def test_the_table_of_models_is_that_of_the_cards():
    assert models_table_rst(list_models()) in README, (
        "the table of models in README.rst is out of date: run `python models/table.py`"
    )
