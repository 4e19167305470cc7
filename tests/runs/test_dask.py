"""Tasks on the workers of a real Dask scheduler."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import dask_tasks
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import read, write
from typer.testing import CliRunner

from ase_les.cli import app
from ase_les.properties.phonons import phonons
from ase_les.runs.dask import run_on_scheduler
from ase_les.runs.evaluations import evaluate_structures
from ase_les.runs.processes import Jobs
from ase_les.runs.record import Record
from ase_les.training.labeling.reference import label_structures

dask = pytest.importorskip("dask", reason="needs the extra [dask]")
distributed = pytest.importorskip("distributed", reason="needs the extra [dask]")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def client():
    with pytest.MonkeyPatch.context() as patch:
        # Workers import the tasks by name.
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        settings = {"threads_per_worker": 1, "dashboard_address": ":0"}
        with (
            distributed.LocalCluster(n_workers=2, **settings) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client


def tasks(numbers, *more):
    return {f"task {number}": (number, *more) for number in numbers}


def test_every_task_has_its_result(client):
    found = dict(run_on_scheduler(dask_tasks.double, tasks(range(10)), client))
    assert found == {f"task {number}": 2 * number for number in range(10)}


def test_an_address_and_a_scheduler_file_are_enough(client, tmp_path):
    address = client.scheduler.address
    assert dict(run_on_scheduler(dask_tasks.double, tasks([4]), address)) == {"task 4": 8}
    file = tmp_path / "scheduler.json"
    file.write_text(json.dumps({"address": address}))
    assert dict(run_on_scheduler(dask_tasks.double, tasks([4]), file)) == {"task 4": 8}


def test_an_exception_is_raised_here(client):
    with pytest.raises(ArithmeticError, match="no result for 1"):
        dict(run_on_scheduler(dask_tasks.failing, tasks([1]), client))


def test_short_tasks_are_sent_in_chunks(client, monkeypatch):
    sent = []
    submit = client.submit
    monkeypatch.setattr(client, "submit", lambda *args, **kw: sent.append(1) or submit(*args, **kw))
    found = dict(run_on_scheduler(dask_tasks.double, tasks(range(300)), client))
    assert found == {f"task {number}": 2 * number for number in range(300)}
    assert len(sent) < 60


def test_an_exception_within_a_chunk_loses_no_earlier_result(client):
    found = {}
    with pytest.raises(ArithmeticError, match="no result for 250"):
        for key, result in run_on_scheduler(dask_tasks.failing_at_250, tasks(range(300)), client):
            found[key] = result
    assert found == {key: int(key.split()[1]) for key in found}
    assert len(found) >= 200


def test_long_tasks_are_sent_one_by_one(client):
    given = {f"task {number}": (0.3 + number / 1000,) for number in range(6)}
    arrived = []
    for _ in run_on_scheduler(dask_tasks.sleepy, given, client):
        arrived.append(time.monotonic())
    # Two workers: three pairs of results.
    assert arrived[2] - arrived[0] > 0.2
    assert arrived[4] - arrived[2] > 0.2


def test_a_lost_scheduler_is_a_clear_error(tmp_path):
    file = tmp_path / "scheduler.json"
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    options = {"env": {**os.environ, "PYTHONPATH": path}, "stderr": subprocess.DEVNULL}
    module = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0"]
    command = [*module, "--no-dashboard", "--scheduler-file", str(file)]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file)]
    worker += ["--nthreads", "1", "--no-nanny", "--no-dashboard"]
    settings = {"distributed.comm.timeouts.connect": "5s"}
    with subprocess.Popen(command, **options) as scheduler, dask.config.set(settings):
        while not file.is_file():
            assert scheduler.poll() is None
            time.sleep(0.05)
        with subprocess.Popen(worker, **options) as process:
            found = {}
            try:
                given = {f"task {number}": (0.3 + number / 1000,) for number in range(20)}
                with pytest.raises(OSError, match="scheduler"):
                    for key, result in run_on_scheduler(dask_tasks.sleepy, given, file):
                        found[key] = result
                        scheduler.kill()
            finally:
                scheduler.kill()
                process.kill()
    assert 1 <= len(found) < 20


def test_a_lost_worker_costs_its_task_only(client, tmp_path):
    found = dict(run_on_scheduler(dask_tasks.dying_once, tasks(range(6), tmp_path), client))
    assert found == {f"task {number}": number for number in range(6)}


def test_a_task_that_kills_its_workers_leaves_the_others_their_results(client):
    found = dict(run_on_scheduler(dask_tasks.deadly, tasks(range(8)), client))
    assert found == {f"task {number}": None if number == 3 else number for number in range(8)}


def test_after_ctrl_c_running_tasks_are_finished_and_no_other_begins(client):
    # Those lost in other tests are replaced.
    client.wait_for_workers(2)
    dict(run_on_scheduler(dask_tasks.double, tasks(range(4)), client))
    given = {f"task {number}": (1.0 + number / 1000,) for number in range(12)}
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    found = {}
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        for key, result in run_on_scheduler(dask_tasks.sleepy, given, client):
            found[key] = result
    assert 1 <= len(found) <= 2
    assert time.monotonic() - began < 4
    # The workers are free again.
    assert dict(run_on_scheduler(dask_tasks.double, tasks([1]), client)) == {"task 1": 2}


def test_workers_with_several_threads_are_refused():
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
        pytest.raises(ValueError, match="--nthreads 1"),
    ):
        next(run_on_scheduler(dask_tasks.double, tasks([1]), client))


def test_no_scheduler_is_a_clear_error():
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "0.5s"}),
        pytest.raises(ValueError, match=r"no Dask scheduler at .tcp://127\.0\.0\.1:9"),
    ):
        next(run_on_scheduler(dask_tasks.double, tasks([1]), "tcp://127.0.0.1:9"))


def displaced(count):
    atoms = bulk("Cu", cubic=True)
    structures = {}
    for number in range(count):
        structures[str(number)] = copy = atoms.copy()
        copy.rattle(0.05, seed=number)
    return structures


def test_properties_are_those_of_one_process_and_are_resumed(client, tmp_path):
    structures = displaced(6)
    serial = evaluate_structures(structures, ["forces"], EMT(), Record(None, {}))
    path = tmp_path / "record.jsonl"
    jobs = Jobs(make_calculator=EMT, scheduler=client)
    some = dict(list(structures.items())[:3])
    evaluate_structures(some, ["forces"], EMT(), Record.open(path, {}), jobs=jobs)
    record = Record.open(path, {}, resume=True)
    assert sorted(record.results) == ["0", "1", "2"]
    shared = evaluate_structures(structures, ["forces"], EMT(), record, jobs=jobs)
    for name, results in serial.items():
        np.testing.assert_allclose(shared[name]["forces"], results["forces"], atol=1e-12)


def test_a_worker_serves_runs_with_different_calculators(client):
    structures = displaced(4)
    for kind in (EMT, dask_tasks.Soft, EMT):
        jobs = Jobs(make_calculator=kind, scheduler=client)
        found = evaluate_structures(structures, ["energy"], kind(), Record(None, {}), jobs=jobs)
        expected = evaluate_structures(structures, ["energy"], kind(), Record(None, {}))
        for name, results in expected.items():
            assert found[name]["energy"] == pytest.approx(results["energy"], abs=1e-12)


def test_phonons_by_dask(client):
    atoms = bulk("Cu", a=3.6, cubic=True)
    atoms.calc = EMT()
    # One displacement of each supercell is not shared: two kinds of atoms give two.
    atoms.symbols[0] = "Au"
    settings = {"supercell": (1, 1, 1)}
    one = phonons(atoms, **settings)
    jobs = Jobs(make_calculator=EMT, scheduler=client)
    two = phonons(atoms, jobs=jobs, **settings)
    assert one.displacements > 1
    found, expected = two.phonopy.force_constants, one.phonopy.force_constants
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_labels_by_dask(client, tmp_path):
    frames = list(displaced(5).values())
    shared = label_structures(frames, "emt", output=tmp_path / "b", scheduler=client)
    one = label_structures(frames, "emt", output=tmp_path / "a")
    energies = [[each.energy_eV for each in run.labels.values()] for run in (one, shared)]
    np.testing.assert_allclose(*energies, atol=1e-12)
    with pytest.raises(ValueError, match="its own workers"):
        label_structures(frames, "emt", output=tmp_path / "c", jobs=2, scheduler=client)


def test_the_command_line_takes_an_address(client, tmp_path):
    write(tmp_path / "frames.extxyz", list(displaced(3).values()))
    command = ["label", str(tmp_path / "frames.extxyz"), "--engine", "emt", "--quiet"]
    options = ["--output", str(tmp_path / "out"), "--scheduler", client.scheduler.address]
    result = CliRunner().invoke(app, [*command, *options])
    assert result.exit_code == 0, result.output
    assert len(read(tmp_path / "out.extxyz", ":")) == 3


def test_jobs_need_a_calculator_and_one_kind_of_workers():
    with pytest.raises(ValueError, match="Dask workers need `make_calculator`"):
        Jobs(scheduler="tcp://host:1")
    with pytest.raises(ValueError, match="omit `processes`"):
        Jobs(2, partial(EMT), scheduler="tcp://host:1")
