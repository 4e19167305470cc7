"""An accumulator that was stored and continued ends with the bits of one that never stopped."""

import io

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.singlepoint import SinglePointCalculator

from ase_les.reports import averages
from ase_les.simulation.accumulators import (
    AxisProfile,
    MeanSquareDisplacement,
    RadialDistribution,
)
from ase_les.statistics import BlockedMean, standard_error

MAKERS = {
    "radial distribution": lambda: RadialDistribution(("O", "O"), r_max_A=5.0, bins=50),
    "profile": lambda: AxisProfile(
        quantities=("number", "mass", "charge", "orientation"), bin_A=0.5, center_on=[0, 3]
    ),
    "displacement": lambda: MeanSquareDisplacement(1.0, 20.0, origin_interval_fs=3.0),
}


def liquid(frames: int) -> list[Atoms]:
    rng = np.random.default_rng(11)
    atoms = Atoms(cell=[[7, 0, 0], [1, 7, 0], [0, 0, 9]], pbc=True)
    for corner in np.ndindex(2, 2, 2):
        water = molecule("H2O")
        water.rotate(360 * rng.random(), rng.normal(size=3))
        water.translate(np.array(corner) * 3.4)
        atoms += water
    run = []
    for _ in range(frames):
        atoms.positions += 0.05 * rng.normal(size=atoms.positions.shape)
        frame = atoms.copy()
        frame.calc = SinglePointCalculator(frame, charges=rng.normal(size=len(frame)))
        run.append(frame)
    return run


def through_a_file(state):
    file = io.BytesIO()
    np.savez(file, **state)
    file.seek(0)
    with np.load(file, allow_pickle=False) as content:
        return {name: content[name] for name in content.files}


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("stop", [0, 1, 37, 63, 64, 65, 149])
def test_restored_is_uninterrupted_bit_for_bit(kind, stop):
    run = liquid(150)
    whole, first, second = (MAKERS[kind]() for _ in range(3))
    for frame in run:
        whole.add(frame)
    for frame in run[:stop]:
        first.add(frame)
    second.restore(through_a_file(first.state()))
    for frame in run[stop:]:
        second.add(frame)
    end, expected = second.state(), whole.state()
    assert end.keys() == expected.keys()
    for name, array in expected.items():
        assert array.tobytes() == end[name].tobytes(), name


@pytest.mark.parametrize("kind", MAKERS)
def test_results_are_saved_summarized_and_drawn(kind, tmp_path):
    accumulator = MAKERS[kind]()
    for frame in liquid(30):
        before = frame.copy()
        accumulator.add(frame)
        assert frame == before
    result = accumulator.result()
    averages.write(result, tmp_path / "saved")
    with np.load(tmp_path / "saved.npz", allow_pickle=False) as saved:
        assert any(name.endswith(("_A", "_fs")) for name in saved.files)
    assert result.summary()
    assert (tmp_path / "saved.png").read_bytes().startswith(b"\x89PNG")


def test_a_state_of_other_arguments_is_refused():
    with pytest.raises(ValueError, match="the stored state belongs to"):
        RadialDistribution(bins=10).restore(RadialDistribution(bins=20).state())


@pytest.mark.parametrize("n", [1, 15, 63, 64, 65, 1000])
def test_the_mean_of_blocks_is_the_mean_of_all(n, rng):
    samples = rng.normal(size=(n, 2))
    blocked = BlockedMean((2,))
    for sample in samples:
        blocked.add(sample)
    assert blocked.mean == pytest.approx(samples.mean(axis=0), abs=1e-12)
    assert len(blocked.blocks) < 64


def test_errors_of_a_correlated_series_know_of_its_correlation():
    # A first-order process with memory c: the variance of the mean is larger by (1 + c) / (1 - c).
    rng, memory, n, runs = np.random.default_rng(0), 0.9, 640, 200
    noise = rng.normal(size=(n, runs)) * np.sqrt(1 - memory**2)
    series = np.zeros((n, runs))
    for step in range(1, n):
        series[step] = memory * series[step - 1] + noise[step]
    blocked = BlockedMean((runs,))
    for sample in series:
        blocked.add(sample)
    exact = np.sqrt((1 + memory) / (1 - memory) / n)
    assert np.mean(standard_error(blocked.blocks)) == pytest.approx(exact, rel=0.25)
