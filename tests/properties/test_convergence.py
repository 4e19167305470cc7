"""Averages of runs that are too short say so, and numbers have the digits of their errors."""

import numpy as np
import pytest
from rich.console import Console

from ase_les.properties.dielectric_fluctuations import static_dielectric
from ase_les.properties.diffusion import diffusion
from ase_les.properties.green_kubo import green_kubo
from ase_les.reports import dielectric as dielectric_report
from ase_les.reports import transport as transport_report
from ase_les.statistics import (
    Estimate,
    block_average,
    correlation_time,
    independent_samples,
    with_error,
)


def correlated(n: int, time: float, seed: int = 1, d: int = 1) -> np.ndarray:
    """AR(1) series of unit variance whose correlation decays with `time` samples."""
    rng = np.random.default_rng(seed)
    memory = np.exp(-1 / time)
    series = np.empty((n, d))
    series[0] = rng.normal(size=d)
    noise = np.sqrt(1 - memory**2) * rng.normal(size=(n, d))
    for k in range(1, n):
        series[k] = memory * series[k - 1] + noise[k]
    return series


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [
        (78.1234, 2.345, "78.1 ± 2.3"),
        (78.1234, 23.45, "78 ± 23"),
        (1234.5, 120.0, "1230 ± 120"),
        (0.123456, 0.000996, "0.1235 ± 0.0010"),
        (2.3123e-5, 1.2e-6, "(2.31 ± 0.12)e-05"),
        (1.0e-6, 3.0e-5, "(0.1 ± 3.0)e-05"),
        (5.0, float("nan"), "5 (error unknown)"),
        (-2081.16112, 0.0, "-2081.16"),
        (0.3047068061642, 4.6e-12, "0.304707"),
        (float("nan"), 1.0, "nan"),
    ],
)
def test_values_have_the_digits_that_their_errors_allow(value, error, shown):
    assert with_error(value, error) == str(Estimate(value, error)) == shown


@pytest.mark.parametrize("time", [5.0, 20.0])
def test_the_correlation_time_is_that_of_the_process(time):
    series = correlated(100_000, time)[:, 0]
    expected = 0.5 / np.tanh(0.5 / time)
    assert correlation_time(series) == pytest.approx(expected, rel=0.15)
    assert independent_samples(series) == pytest.approx(100_000 / (2 * expected), rel=0.15)


def test_white_noise_has_independent_samples():
    assert independent_samples(np.random.default_rng(2).normal(size=4000)) > 3000


def test_the_error_of_a_short_correlated_series_covers_the_mean():
    """Two hundred runs of 25 independent samples: about two thirds within one error."""
    runs = [block_average(correlated(1000, 20.0, seed)[:, 0]) for seed in range(200)]
    within = np.mean([abs(each.mean) < each.standard_error for each in runs])
    assert within > 0.5
    doubled = np.mean([abs(each.mean) < 2 * each.standard_error for each in runs])
    assert doubled > 0.8


def dielectric(n: int, time: float):
    moments = 3.0 * correlated(n, time, seed=4, d=3)
    return static_dielectric(moments, 1.0, 2000.0, 300.0)


def test_a_short_run_does_not_give_a_dielectric_constant():
    short, long = dielectric(3_000, 10_000), dielectric(400_000, 1_000)
    assert not short.converged and long.converged
    assert short.independent_samples < 10 < long.independent_samples
    assert any("independent samples" in note for note in short.notes)
    assert not any("independent samples" in note for note in long.notes)
    exact = 1 + 180.9513 / 0.025852 * 9.0 / 2000
    assert long.epsilon.mean == pytest.approx(exact, abs=4 * long.epsilon.standard_error)
    assert "NOT CONVERGED" in dielectric_report._static(short)
    assert dielectric_report._static(long) == str(long.epsilon)


def test_vibrations_in_a_cage_are_no_diffusion():
    rng = np.random.default_rng(3)
    walk = rng.normal(scale=0.05, size=(4000, 30, 3)).cumsum(axis=0)
    moving = diffusion(walk, 10.0)
    assert moving.doubts == ()
    # 0.5 ps of the same walk, and atoms that oscillate.
    short = diffusion(walk[:50], 10.0)
    assert any("needed is 2 ps" in doubt for doubt in short.doubts)
    phase = rng.uniform(0, 2 * np.pi, size=(1, 30, 3))
    caged = diffusion(0.2 * np.sin(0.1 * np.arange(4000)[:, None, None] + phase), 10.0)
    assert any("not diffusive" in doubt for doubt in caged.doubts)
    assert any("Å²" in doubt for doubt in caged.doubts)


def test_a_drifting_plateau_stands_in_the_table():
    flux = correlated(4000, 2000.0, d=3)
    drifting = green_kubo(flux, 1.0, 1.0, "S/m", (0.2, 0.9), 4)
    assert not drifting.has_plateau
    assert transport_report._with_plateau(drifting).startswith("NO PLATEAU")
    flat = green_kubo(correlated(200_000, 3.0, d=3), 1.0, 1.0, "S/m", (0.05, 0.1), 10)
    assert flat.has_plateau
    assert transport_report._with_plateau(flat) == str(flat.value)


def test_tables_show_what_is_not_converged(tmp_path):
    from ase import Atoms
    from ase.io import write

    from ase_les.properties.recorded_run import FinishedTrajectory
    from ase_les.properties.transport import transport_from_run

    rng = np.random.default_rng(5)
    walk = rng.normal(scale=0.05, size=(60, 8, 3)).cumsum(axis=0)
    write(tmp_path / "a.xyz", [Atoms("Na8", each + 5, cell=[10] * 3, pbc=True) for each in walk])
    result = transport_from_run(FinishedTrajectory(tmp_path / "a.xyz", 5.0))
    console = Console(width=120)
    with console.capture() as shown:
        console.print(transport_report.table(result))
    assert "NOT CONVERGED" in shown.get()
    assert any("not a diffusion coefficient yet" in note for note in result.notes)
