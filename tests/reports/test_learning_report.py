"""Report on active learning."""

import math
from types import SimpleNamespace

import numpy as np
from matplotlib.figure import Figure

from ase_les.reports import learning as report
from ase_les.training.active_learning.exploration import RunRecord
from ase_les.training.active_learning.loop import Round


def round_of(number: int, *disagreements: float) -> Round:
    runs = [RunRecord("a", "300 K", 8, 1.0, 1.0, None, each, 2 * each) for each in disagreements]
    return Round(number, 10, {}, {}, runs, runs, {}, 0, ())


def test_only_finite_disagreements_are_drawn():
    rounds = (round_of(1, 0.1, 0.3), round_of(2, math.inf, 0.2), round_of(3, math.nan, math.inf))
    axis = Figure().subplots()
    report._draw_disagreement(axis, SimpleNamespace(rounds=rounds))
    largest, mean = (line.get_ydata() for line in axis.lines)
    np.testing.assert_allclose(largest, [0.6, 0.4, np.nan])
    np.testing.assert_allclose(mean, [0.2, 0.2, np.nan])
