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
import yaml
from ase.io import write
from shared_fit import small_fit, structures

from ase_les import load_model
from ase_les.ranks import ALONE, Ranks, ranks_of_torchrun
from ase_les.training.checkpoint import read_checkpoint

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


def curve(state):
    names = ("training_loss", "energy_rmse", "forces_rmse", "validation_loss")
    return np.array([[record[name] for name in names] for record in state["history"]])


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Curve and weights of one process."""
    path = tmp_path_factory.mktemp("alone") / "fit.checkpoint"
    small_fit(path)
    tensors, state = read_checkpoint(path)
    return curve(state), tensors


@pytest.mark.parametrize("processes", [2, 3])
def test_the_learning_curve_is_that_of_one_process(alone, processes, tmp_path):
    path = tmp_path / "fit.checkpoint"
    done = torchrun(processes, shared_fit.__file__, path)
    assert done.returncode == 0, done.stderr
    tensors, state = read_checkpoint(path)
    expected, weights = alone
    assert expected[0, 0] > 1.1 * expected[-1, 0]
    np.testing.assert_allclose(curve(state), expected, rtol=1e-9)
    for name, values in weights.items():
        if name.startswith("best."):
            np.testing.assert_allclose(tensors[name], values, rtol=1e-7, atol=1e-10, err_msg=name)


@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2)])
def test_a_fit_resumes_on_another_number_of_processes(alone, before, after, tmp_path):
    path = tmp_path / "fit.checkpoint"
    done = torchrun(before, shared_fit.__file__, path, 3)
    assert done.returncode == 0, done.stderr
    assert "stopped" in done.stdout
    assert len(read_checkpoint(path)[1]["history"]) in (2, 3)
    done = torchrun(after, shared_fit.__file__, path)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(curve(read_checkpoint(path)[1]), alone[0], rtol=1e-9)


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
    np.testing.assert_allclose(curve(read_checkpoint(path)[1]), alone[0], rtol=1e-9)


def test_the_command_line_under_torchrun(tmp_path):
    write(tmp_path / "data.extxyz", structures())
    representation = {"cutoff": 4.0, "n_radial": 4, "n_mixed": 3, "n_embedding": 2, "nu_max": 2}
    config = {
        "data": {"training": "data.extxyz", "validation": 0.2},
        "model": {"representation": {**representation, "l_max": 1}},
        "fit": {"epochs": 3, "validate_every": 1, "dtype": "float64"},
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
    first, second = (load_model(tmp_path / f"{name}.safetensors") for name in ("one", "two"))
    other = second.state_dict()
    for name, values in first.state_dict().items():
        np.testing.assert_allclose(other[name], values, rtol=1e-6, atol=1e-9, err_msg=name)


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
