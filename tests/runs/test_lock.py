"""Locks of outputs: one process at a time, and none after it has ended."""

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import textwrap

import pytest

from ase_les.runs import lock as lock_module
from ase_les.runs.lock import OutputInUseError, OutputLock

HOLDER = """
    import sys, time
    from pathlib import Path
    from ase_les.runs.lock import OutputLock

    with OutputLock(Path(sys.argv[1])):
        print("locked", flush=True)
        time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that uses the output "run"."""
    command = [sys.executable, "-c", textwrap.dedent(HOLDER), str(tmp_path / "run")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"locked\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_process_is_refused_with_pid_and_host(holder, tmp_path):
    expected = rf"process {holder.pid} on {socket.gethostname()}, since 20"
    with pytest.raises(OutputInUseError, match=expected), OutputLock(tmp_path / "run"):
        pass
    with OutputLock(tmp_path / "other"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [".run.lock"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_lock_of_a_process_that_was_killed_is_replaced(holder, tmp_path, number):
    holder.send_signal(number)
    # Not waited for: a zombie has ended, too.
    os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
    with OutputLock(tmp_path / "run") as lock:
        assert json.loads(lock.path.read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_unfinished_is_removed(holder, tmp_path):
    ours = [
        f".run.checkpoint.{holder.pid}.unfinished",
        f".run-labels.jsonl.{holder.pid}.unfinished",
    ]
    others = [".run-2.checkpoint.1.unfinished", f".runs.log.{holder.pid}.unfinished"]
    for name in (*ours, *others):
        (tmp_path / name).touch()
    with pytest.raises(OutputInUseError), OutputLock(tmp_path / "run"):
        pass
    assert all((tmp_path / name).exists() for name in ours)
    holder.kill()
    os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
    with OutputLock(tmp_path / "run"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)


def test_one_process_cannot_use_an_output_twice(tmp_path):
    with OutputLock(tmp_path / "run"):
        with pytest.raises(OutputInUseError), OutputLock(tmp_path / "run"):
            pass
        with pytest.raises(OutputInUseError), OutputLock(tmp_path / "run"):
            pass
    with OutputLock(tmp_path / "run"):
        pass


def test_a_lock_of_a_different_host_counts_while_it_is_refreshed(tmp_path):
    path = tmp_path / ".run.lock"
    path.write_text(json.dumps({"pid": 1, "host": "elsewhere", "since": "today"}))
    with (
        pytest.raises(OutputInUseError, match="process 1 on elsewhere"),
        OutputLock(tmp_path / "run"),
    ):
        pass
    old = path.stat().st_mtime - lock_module.ABANDONED_AFTER_S - 1
    os.utime(path, (old, old))
    with OutputLock(tmp_path / "run"):
        pass


def test_refreshing_updates_the_time_once_in_a_while(tmp_path, monkeypatch):
    with OutputLock(tmp_path / "run") as lock:
        os.utime(lock.path, (0, 0))
        lock.refresh()
        assert lock.path.stat().st_mtime == 0
        monkeypatch.setattr(lock_module, "REFRESH_INTERVAL_S", 0.0)
        lock.refresh()
        assert lock.path.stat().st_mtime > 0


@pytest.mark.parametrize("alive", [True, False])
def test_without_locks_of_the_file_system_the_process_decides(tmp_path, monkeypatch, alive):
    monkeypatch.setattr(lock_module, "fcntl", None)
    finished = multiprocessing.get_context("spawn").Process()
    pid = os.getppid()
    if not alive:
        finished.start()
        finished.join()
        pid = finished.pid
    record = {"pid": pid, "host": socket.gethostname()}
    (tmp_path / ".run.lock").write_text(json.dumps(record))
    if alive:
        with pytest.raises(OutputInUseError), OutputLock(tmp_path / "run"):
            pass
    else:
        with OutputLock(tmp_path / "run"):
            pass


def test_a_folder_that_does_not_exist_is_not_created(tmp_path):
    with OutputLock(tmp_path / "missing" / "run"):
        pass
    assert list(tmp_path.iterdir()) == []
