"""Reports on Born charges contain the numbers of the results."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator
from rich.console import Console

from ase_les.properties.born_charges import born_charges
from ase_les.reports import born_charges as report


class NineColumns(Calculator):
    """Gives Born charges as nine numbers per atom, as files and some calculators do."""

    implemented_properties = ("born_effective_charges",)

    def __init__(self, tensors):
        super().__init__()
        self.tensors = tensors

    def calculate(self, atoms, properties, system_changes):
        super().calculate(atoms, properties, system_changes)
        self.results = {"born_effective_charges": self.tensors.reshape(-1, 9)}


def printed(table) -> str:
    console = Console(width=160)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


@pytest.fixture
def film():
    tensors = np.array([np.diag([1.5, 1.5, 0.75]), np.diag([-1.5, -1.5, -0.5])])
    atoms = Atoms("MgO", positions=[(0, 0, 0), (0, 0, 2)], cell=[3, 3, 12], pbc=(1, 1, 0))
    atoms.calc = NineColumns(tensors)
    return born_charges(atoms, symmetrize=False, bulk={"Mg": 1.9})


def test_nine_columns_are_tensors(film):
    np.testing.assert_array_equal(film.tensors[1], np.diag([-1.5, -1.5, -0.5]))


def test_table_has_eigenvalues_means_and_the_sum(film):
    text = printed(report.table(film))
    assert "+0.7500  +1.5000  +1.5000" in text
    assert "+1.2500" in text
    assert "2.50e-01 e, not subtracted" in text


def test_layers_are_compared_with_the_bulk(film):
    rows = printed(report.layers_table(film.layers)).splitlines()
    (top,) = (row for row in rows if " O " in row)
    (bottom,) = (row for row in rows if " Mg " in row)
    assert rows.index(top) < rows.index(bottom)
    assert "-1.5000" in top and "-0.5000" in top
    assert "+1.9000" in bottom and "+0.7500" in bottom


def test_figure_of_layers_is_written_beside_the_other_files(film, tmp_path):
    report.write(film, tmp_path / "film-0.5")
    assert (tmp_path / "film-0.5-layers.png").stat().st_size > 1000


def test_notes_follow_the_tables(film, capsys):
    report.show(film)
    shown = " ".join(capsys.readouterr().err.split())
    assert "Note: the sum over all atoms deviates by 0.25 e" in shown
    report.show(film, quiet=True)
    assert capsys.readouterr().err == ""
