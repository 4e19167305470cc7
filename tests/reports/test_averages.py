"""Figures and files of averages over configurations."""

import numpy as np
import pytest
from ase import Atoms

from ase_les.reports import averages, figures
from ase_les.simulation.accumulators import AxisProfile, MeanSquareDisplacement, RadialDistribution


def water() -> Atoms:
    positions = np.random.default_rng(3).uniform(0, 8, (24, 3))
    return Atoms("OH2" * 8, positions, cell=[8, 8, 8], pbc=True)


ACCUMULATORS = {
    "rdf": (RadialDistribution, ["distance / Å", "g(r) O–O", "O around O"]),
    "profile": (AxisProfile, ["position along the normal, axis c / Å", "number density\n/ (1/Å³)"]),
    "msd": (lambda: MeanSquareDisplacement(1.0, 3.0), ["time / ps", "mean square\ndisplacement"]),
}


@pytest.mark.parametrize("kind", ACCUMULATORS)
def test_each_average_has_its_own_axes(kind, tmp_path, monkeypatch):
    make, labels = ACCUMULATORS[kind]
    accumulator = make()
    for _ in range(4):
        accumulator.add(water())
    drawn = []

    def record(path, x, label, panels):
        drawn.append((path, [label, *(panel.label for panel in panels)]))
        assert all(len(curve) == len(x) for panel in panels for curve in panel.curves.values())

    monkeypatch.setattr(figures, "save_figure", record)
    averages.write(accumulator.result(), tmp_path / "mean")
    ((path, found),) = drawn
    assert path == tmp_path / "mean.png"
    for expected, label in zip(labels, found, strict=False):
        assert label.startswith(expected)
    with np.load(tmp_path / "mean.npz") as stored:
        for name, array in accumulator.result().arrays().items():
            np.testing.assert_array_equal(stored[name], array)


def test_an_average_without_a_figure_is_skipped(tmp_path):
    class Mean:
        def summary(self):
            return {}

        def arrays(self):
            return {"mean": np.zeros(3)}

    averages.figure(Mean(), tmp_path / "mean.png")
    assert list(tmp_path.iterdir()) == []
