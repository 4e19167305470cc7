"""Force calls shared by processes that a real torchrun has started."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ase_les import LESCalculator
from ase_les.ranks import Ranks
from ase_les.shared_model import SharedModel
from tests.shared_calls import CASES, dynamics, random_model, results, water


@pytest.fixture(scope="module", params=[2, 3])
def shared(request, tmp_path_factory):
    """What each process has found, and what they print."""
    folder = tmp_path_factory.mktemp("ranks")
    root = Path(__file__).parents[1]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    path = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [*command, str(request.param), "-m", "tests.shared_calls", str(folder)],
        cwd=root,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [np.load(folder / f"rank-{rank}.npz") for rank in range(request.param)], done.stdout


@pytest.fixture(scope="module")
def alone():
    """Results of this process, by case."""
    return {name: results(name) for name in CASES}


@pytest.mark.slow
def test_results_are_those_of_one_process(shared, alone):
    (first, *_), _ = shared
    for name in CASES:
        tolerance = 2e-5 if name == "float32" else 1e-10
        for what, expected in alone[name].items():
            found = first[f"{name}: {what}"]
            message = f"{name}: {what}"
            np.testing.assert_allclose(found, expected, rtol=1e-11, atol=tolerance, err_msg=message)


@pytest.mark.slow
def test_all_processes_have_the_same_digits(shared):
    (first, *others), _ = shared
    for other in others:
        for what in first:
            np.testing.assert_array_equal(other[what], first[what], err_msg=what)


@pytest.mark.slow
def test_dynamics_are_those_of_one_process(shared):
    (first, *_), _ = shared
    np.testing.assert_allclose(first["positions"], dynamics(), atol=1e-10)


@pytest.mark.slow
def test_errors_reach_all_processes(shared):
    found, told = shared
    assert told.count("have different structures") == len(found)
    assert told.count("Å apart") + told.count("another process of the group") == len(found)
    assert told.count("Å apart") >= 1


@pytest.mark.slow
def test_no_threads_are_left_when_the_group_ends(shared):
    # They abort the process if they free a tensor while the interpreter ends.
    found, told = shared
    assert told.count("after the group: []") == len(found)


def test_a_group_needs_torchrun():
    with pytest.raises(ValueError, match="start the script with torchrun"):
        LESCalculator(random_model(), group=True)


def test_models_that_cannot_be_shared_are_refused(random_model):
    ranks = Ranks(0, 2)
    with pytest.raises(ValueError, match="metal cannot be computed by several"):
        SharedModel(random_model(equilibration={"elements": ["Na"]}), ranks)
    with pytest.raises(ValueError, match="without radial messages"):
        SharedModel(random_model(layers=(("memory", "radial"),)), ranks)


def test_atoms_are_shared_by_edges():
    model = SharedModel(random_model(), Ranks(0, 2))
    from ase_les.graph import graph_from_atoms
    from ase_les.neighbors import NeighborList

    graph = graph_from_atoms(water((3, 3, 3)), NeighborList(3.5))
    ranges = [SharedModel(model.model, Ranks(rank, 3)).atoms_of(graph) for rank in range(3)]
    assert [part.start for part in ranges] == [0, ranges[0].stop, ranges[1].stop]
    assert ranges[-1].stop == graph.n_atoms
    sizes = [np.isin(graph.receivers, list(part)).sum() for part in ranges]
    assert max(sizes) < 1.1 * min(sizes)
    with pytest.raises(ValueError, match="24 atoms cannot be shared by 30"):
        few = graph_from_atoms(water((2, 2, 2)), NeighborList(3.5))
        SharedModel(model.model, Ranks(0, 30)).atoms_of(few)
