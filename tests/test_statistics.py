"""Means and their error bars."""

import numpy as np
import pytest

from ase_les.statistics import (
    BlockedMean,
    block_average,
    error_of_mean,
    fitting_blocks,
    in_blocks,
    standard_error,
)


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


def test_each_element_of_arrays_has_the_error_bar_of_its_series():
    series = np.column_stack([correlated_series(0.9, 4096, seed) for seed in (1, 2)])
    each = [float(standard_error(column)) for column in series.T]
    np.testing.assert_allclose(standard_error(series), each)


def test_error_of_independent_samples():
    samples = np.random.default_rng(1).normal(scale=2.0, size=(10_000, 3))
    np.testing.assert_allclose(error_of_mean(samples), 0.02, rtol=0.05)
    assert np.isnan(error_of_mean(samples[:1])).all()


def test_the_oldest_samples_that_fill_no_block_are_left_out():
    blocks = in_blocks(np.arange(7), 3)
    assert blocks.tolist() == [[1, 2], [3, 4], [5, 6]]


def test_no_block_is_shorter_than_the_lags():
    assert fitting_blocks(10, n_samples=100, n_lags=30) == 3
    assert fitting_blocks(2, n_samples=100, n_lags=30) == 2
    assert fitting_blocks(10, n_samples=20, n_lags=30) == 1
    with pytest.raises(ValueError, match="`blocks` must be at least 1"):
        fitting_blocks(0, 100, 10)


def test_a_blocked_mean_keeps_the_mean_in_few_long_blocks():
    samples = np.random.default_rng(2).normal(size=(1003, 2))
    blocked = BlockedMean((2,), max_blocks=8)
    for sample in samples:
        blocked.add(sample)
    np.testing.assert_allclose(blocked.mean, samples.mean(axis=0))
    length = 1003 // len(blocked.blocks)
    assert length >= 1003 / 8
    np.testing.assert_allclose(blocked.blocks[0], samples[:128].mean(axis=0))
