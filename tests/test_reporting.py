"""Reporting: honest error bars, files that are whole, figures that leave no trace."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase.calculators.lj import LennardJones

from ase_les import reporting
from ase_les.reporting import Estimate, Panel, block_average


def correlated_series(correlation: float, length: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=length)
    series = np.empty(length)
    series[0] = noise[0]
    for i in range(1, length):
        series[i] = correlation * series[i - 1] + np.sqrt(1 - correlation**2) * noise[i]
    return series


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_error_bar_allows_for_correlation(correlation):
    length = 20_000
    exact = np.sqrt((1 + correlation) / (1 - correlation) / length)
    errors = [
        block_average(correlated_series(correlation, length, seed)).standard_error
        for seed in range(5)
    ]
    assert np.mean(errors) == pytest.approx(exact, rel=0.35)
    assert np.mean(errors) > 0.95 * exact


def test_too_few_samples_have_no_error_bar():
    estimate = block_average(np.array([1.0, 2.0, 3.0]))
    assert estimate.mean == 2.0
    assert np.isnan(estimate.standard_error)


@dataclass(frozen=True)
class Finding:
    energy_eV: float
    temperature_K: Estimate
    charges_e: np.ndarray
    folder: Path


FINDING = Finding(np.float64(1.5), Estimate(300.0, np.nan), np.array([[0.5, -0.5]]), Path("here"))


def test_summary_keeps_values_units_and_versions(tmp_path):
    path = tmp_path / "a-summary.yml"
    reporting.write_summary(path, {"task": "test", "results": FINDING})
    read = yaml.safe_load(path.read_text())
    assert read["results"] == {
        "energy_eV": 1.5,
        "temperature_K": {"mean": 300.0, "standard_error": None},
        "charges_e": [[0.5, -0.5]],
        "folder": "here",
    }
    assert list(read)[-2:] == ["task", "results"]
    assert read["versions"]["numpy"] == np.__version__


def test_json_summary_can_be_read_by_strict_readers():
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    text = reporting.summary_as_json({"results": FINDING, "drift": float("inf")})
    read = json.loads(text, parse_constant=refuse)
    assert read["drift"] is None
    assert read["results"]["temperature_K"]["mean"] == 300.0


def test_a_crash_while_writing_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "state"
    reporting.replace_file(path, b"old")

    def crash(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(OSError, match="disk full"):
        reporting.replace_file(path, b"new and longer")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_calculator_is_described_by_the_settings_that_decide_its_results():
    def described(**settings):
        return reporting.describe_calculator(LennardJones(sigma=3.4, **settings))

    assert described()["settings"]["sigma"] == 3.4
    told = reporting.differences(described(epsilon=1.0), described(epsilon=4.0))
    assert told == ["epsilon is 1.0, given 4.0"]
    # Not where it works and what it prints, nor what has no plain form but an address.
    assert described(device="cpu", txt="a.log") == described(device="cuda", txt=None)
    assert described(observer=object()) == described(observer=object())


def test_figure_is_drawn_without_a_display_and_without_pyplot(tmp_path):
    script = """
import sys
import numpy as np
from ase_les.reporting import Panel, save_figure
x = np.arange(5.0)
save_figure("a.png", x, "time (ps)", [Panel("T (K)", {"T": x}), Panel("none", {"n": x * np.nan})])
assert "matplotlib.pyplot" not in sys.modules
assert "torch" not in sys.modules
"""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("DISPLAY", "MPLBACKEND")
    }
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_axes_carry_their_units_and_empty_panels_are_left_out(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    seen = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: seen.append(figure))
    x = np.arange(4.0)
    panels = [
        Panel("energy (eV)", {"potential": x, "total": 2 * x}),
        Panel("stress (eV/Å³)", {"stress": np.full(4, np.nan)}),
        Panel("force (eV/Å)", {"force": x + 1}, logarithmic=True),
    ]
    reporting.save_figure(tmp_path / "a.png", x, "step", panels)
    (figure,) = seen
    assert [axis.get_ylabel() for axis in figure.axes] == ["energy (eV)", "force (eV/Å)"]
    assert figure.axes[-1].get_xlabel() == "step"
    assert np.array_equal(figure.axes[0].lines[1].get_ydata(), 2 * x)
    assert figure.axes[1].get_yscale() == "log"
