"""Training by several processes, started by a real torchrun."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shared_fit
import torch
import yaml
from ase.io import write
from shared_fit import small_fit, structures

from ase_les.ranks import ALONE, Ranks, ranks_of_torchrun
from ase_les.training.learning.charge_gauge import GaugeSettings
from ase_les.training.learning.checkpoint import read_checkpoint
from ase_les.training.learning.dataset import LabelNames, joined, labeled
from ase_les.training.learning.fit import _Run
from ase_les.training.learning.fit_settings import FitSettings
from ase_les.training.learning.loss import LossWeights

pytestmark = pytest.mark.slow
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]


def torchrun(processes, *command, **options):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*TORCHRUN, str(processes), *map(str, command)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        **options,
    )


# The optimizer turns gradients into the basis of their covariance. Directions without a gradient
# have an arbitrary basis, so that rounding shows: the reverse order of the structures in each
# batch changes the curve of one process by 5e-4. Gradients are compared exactly below.
TOLERANCE = 2e-3


def curve(state):
    names = ("training_loss", "energy_rmse", "forces_rmse", "validation_loss")
    return np.array([[record[name] for name in names] for record in state["history"]])


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Learning curve of one process."""
    path = tmp_path_factory.mktemp("alone") / "fit.checkpoint"
    small_fit(path)
    return curve(read_checkpoint(path)[1])


@pytest.mark.parametrize("processes", [2, 3])
def test_the_learning_curve_is_that_of_one_process(alone, processes, tmp_path):
    path = tmp_path / "fit.checkpoint"
    done = torchrun(processes, shared_fit.__file__, path)
    assert done.returncode == 0, done.stderr
    found = curve(read_checkpoint(path)[1])
    assert alone[0, 0] > 1.1 * alone[-1, 0]
    np.testing.assert_allclose(found, alone, rtol=TOLERANCE)
    # The first step is taken with the gradient of equal weights.
    assert found[0, 0] == pytest.approx(alone[0, 0], rel=3e-5)


@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2)])
def test_a_fit_resumes_on_another_number_of_processes(alone, before, after, tmp_path):
    path = tmp_path / "fit.checkpoint"
    done = torchrun(before, shared_fit.__file__, path, 3)
    assert done.returncode == 0, done.stderr
    assert "stopped" in done.stdout
    assert len(read_checkpoint(path)[1]["history"]) in (2, 3)
    done = torchrun(after, shared_fit.__file__, path)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(curve(read_checkpoint(path)[1]), alone, rtol=TOLERANCE)


def test_a_killed_rank_ends_the_others_and_the_fit_resumes(alone, tmp_path):
    path = tmp_path / "fit.checkpoint"
    command = [*TORCHRUN, "2", shared_fit.__file__, str(path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not path.exists():
            assert process.poll() is None
            time.sleep(0.05)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[-1]), signal.SIGKILL)
        assert process.wait(timeout=120) != 0
        assert "Signal 9" in process.stderr.read()
    small_fit(path)
    np.testing.assert_allclose(curve(read_checkpoint(path)[1]), alone, rtol=TOLERANCE)


def test_the_command_line_under_torchrun(tmp_path):
    write(tmp_path / "data.extxyz", structures())
    representation = {"cutoff": 4.0, "n_radial": 4, "n_mixed": 3, "n_embedding": 2, "nu_max": 2}
    config = {
        "data": {"training": "data.extxyz", "validation": 0.2},
        "model": {"representation": {**representation, "l_max": 1}},
        "fit": {
            **{"epochs": 3, "validate_every": 1, "dtype": "float64"},
            # Rounding changes the curve in proportion to it.
            "learning_rate": 0.001,
        },
    }
    (tmp_path / "train.yml").write_text(yaml.safe_dump(config))
    arguments = ["-m", "ase_les", "train", "train.yml", "--output"]
    done = torchrun(2, *arguments, "two", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    # Only one process tells of the training.
    assert (done.stdout + done.stderr).count("parameters: ") == 1
    one = subprocess.run(
        [sys.executable, *arguments, "one"], cwd=tmp_path, capture_output=True, check=True
    )
    assert one.returncode == 0
    first, second = (
        np.loadtxt(tmp_path / f"{name}-learning.csv", delimiter=",", skiprows=1)
        for name in ("one", "two")
    )
    # All columns but the time; later epochs amplify rounding.
    np.testing.assert_allclose(first[0, 2:], second[0, 2:], rtol=TOLERANCE)
    np.testing.assert_allclose(first[:, 2:], second[:, 2:], rtol=0.05)
    assert (tmp_path / "two.safetensors").exists()


def test_gradients_of_parts_add_up_to_that_of_the_batch():
    samples = labeled(structures(), shared_fit.CUTOFF, LabelNames())[:5]
    run = small_run(samples)
    run.gauge.difference[[11, 17]] = torch.tensor([0.3, -0.2], dtype=torch.float64)
    batch = joined(samples)

    def gradient(parts):
        run.optimizer.zero_grad()
        values = [run._backward(joined(part), batch, 0.5) for part in parts]
        return sum(values), [p.grad.clone() for p in run.model.parameters()]

    whole, expected = gradient([samples])
    value, found = gradient([samples[:1], samples[1:4], samples[4:]])
    assert value == pytest.approx(whole, rel=1e-12)
    assert any(each.abs().max() > 0.1 for each in expected)
    for part, total in zip(found, expected, strict=True):
        torch.testing.assert_close(part, total, rtol=1e-9, atol=1e-11)


def small_run(samples):
    """A run whose next step does not measure Born charges."""
    weights = LossWeights(1.0, 1.0, 0.5, 0.2, 0.1)
    gauge = GaugeSettings(0.5, 0.5, interval=1000)
    settings = FitSettings(loss=weights, final_loss=weights, gauge=gauge, dtype="float64")
    run = _Run(shared_fit.small_model().double(), settings, samples, [], None)
    run.steps = 1
    return run


def test_shares_are_complete_and_of_similar_cost():
    items = list(range(9))
    costs = [8, 1, 1, 1, 1, 1, 1, 1, 1]
    parts = [replace(ALONE, rank=rank, size=2).share(items, costs) for rank in range(2)]
    assert sorted(parts[0] + parts[1]) == items
    assert [sum(costs[i] for i in part) for part in parts] == [8, 8]
    assert ALONE.share(items, costs) == items


def test_a_group_needs_torchrun():
    with pytest.raises(ValueError, match="start the script with torchrun"):
        Ranks.of(None)
    with ranks_of_torchrun() as ranks:
        assert ranks is ALONE
