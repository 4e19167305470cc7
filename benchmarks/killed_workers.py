"""Kill workers of Dask, clients of i-PI and ranks of torchrun at random, and compare the results.

    python -m benchmarks.killed_workers [worker client rank] [--kills 20] [--seed 0]

``worker``: two workers of a Dask cluster compute 200 displacements in 192 atoms of water, and one
of them is killed. ``client``: two clients of an i-PI compute a crystal, one of them is killed, and
every second time another one is started. ``rank``: one of two ranks of a training is killed, and
the training is resumed until it ends. A kill is SIGKILL at a random moment. Results must be those
of a run without kills: of displacements to 1e-10 eV/Å, each recorded once; of i-PI to all digits
that it prints; of the training bit by bit.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from ase.build import bulk
from ase.io import write

from ase_les.cli import main as ase_les
from ase_les.runs.evaluations import evaluate_structures
from ase_les.runs.processes import Jobs
from ase_les.runs.record import Record, read_lines
from ase_les.training.learning.fit import fit
from benchmarks.engines import ENVIRONMENT, displacements, make_calculator
from benchmarks.killed_commands import TRAINING, prepare

IPI_INPUT = """<simulation verbosity="quiet"> <total_steps>{steps}</total_steps>
  <output prefix="run"><properties stride="1" filename="out">
    [ step, potential{{electronvolt}}, conserved{{electronvolt}}, atom_x{{angstrom}}(0) ]
  </properties></output> <prng><seed>7</seed></prng>
  <ffsocket name="les" mode="unix"><address>{name}</address>
    <consolidate_messages> False </consolidate_messages></ffsocket>
  <system> <initialize nbeads="4"> <file mode="ase"> salt.extxyz </file>
    <velocities mode="thermal" units="kelvin"> 300 </velocities> </initialize>
    <forces><force forcefield="les"/></forces>
    <motion mode="dynamics"> <dynamics mode="nve">
      <timestep units="femtosecond"> 0.5 </timestep> </dynamics> </motion>
    <ensemble><temperature units="kelvin"> 300 </temperature></ensemble>
  </system> </simulation>
"""
IPI_STEPS = 60


@dataclass
class Count:
    """Kills, and what became of the results of the killed runs."""

    kills: int = 0
    runs: int = 0
    lost: int = 0
    different: int = 0
    failed: list[str] = field(default_factory=list)
    messages: int = 0


def _show_progress(count: Count) -> None:
    print(f"  {count}", file=sys.stderr, flush=True)


def worker_kills(wanted: int, chance: random.Random, folder: Path) -> Count:
    """Kill workers of Dask while displacements are computed."""
    from distributed import Client, LocalCluster

    structures, count = displacements(200, 1), Count()
    calculator = make_calculator()
    expected = evaluate_structures(structures, ["forces"], calculator, Record(None, {}))
    settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**settings, silence_logs=50) as cluster, Client(cluster) as client:
        jobs = Jobs(make_calculator=make_calculator, scheduler=client)

        def pids_of_workers() -> list[int]:
            """Return the processes of both workers, once those that replace others have joined."""
            while True:
                client.wait_for_workers(2)
                found = client.run(os.getpid, on_error="ignore")
                if len(found) == 2:
                    return list(found.values())

        def compute(path: Path) -> tuple[dict, float]:
            path.unlink(missing_ok=True)
            began = time.perf_counter()
            record = Record.open(path, {})
            found = evaluate_structures(structures, ["forces"], calculator, record, jobs=jobs)
            return found, time.perf_counter() - began

        compute(folder / "first.jsonl")
        duration = compute(folder / "first.jsonl")[1]
        while count.kills < wanted:
            killed = _kill_later(
                chance.choice(pids_of_workers()), chance.uniform(0, 0.9 * duration)
            )
            count.runs += 1
            try:
                found, _ = compute(folder / "record.jsonl")
            except (RuntimeError, OSError) as error:
                count.failed.append(repr(error))
            else:
                entries = [entry["name"] for entry in read_lines(folder / "record.jsonl")[1]]
                count.lost += len(structures) - len(set(entries))
                count.different += len(entries) - len(set(entries))
                count.different += not all(
                    np.allclose(found[name]["forces"], results["forces"], rtol=0, atol=1e-10)
                    for name, results in expected.items()
                )
            count.kills += killed()
            _show_progress(count)
    count.messages = count.kills  # The run goes on.
    return count


def _kill_later(pid: int, seconds: float) -> Callable[[], bool]:
    """Kill a process after some time; the returned function cancels this, and says if it did."""
    killed = threading.Event()

    def kill() -> None:
        os.kill(pid, signal.SIGKILL)
        killed.set()

    timer = threading.Timer(seconds, kill)
    timer.start()

    def end() -> bool:
        timer.cancel()
        return killed.is_set()

    return end


def client_kills(wanted: int, chance: random.Random, folder: Path) -> Count:
    """Kill clients of i-PI while it moves a crystal."""
    salt = bulk("NaCl", "rocksalt", a=5.7, cubic=True)
    write(folder / "salt.extxyz", salt)
    count = Count()
    expected, duration, _ = _ipi_run(folder, None, restart=False)
    while count.kills < wanted:
        moment = chance.uniform(0, 0.9 * duration)
        rows, _, killed = _ipi_run(folder, moment, restart=count.runs % 2 == 0)
        count.runs += 1
        count.kills += killed
        count.messages += killed
        count.lost += len(expected) - len(rows)
        count.different += not np.array_equal(rows, expected)
        _show_progress(count)
    return count


def _ipi_run(folder: Path, moment: float | None, restart: bool) -> tuple[np.ndarray, float, bool]:
    """Return what i-PI has printed, the duration, and whether a client was killed."""
    name = f"les-kills-{os.getpid()}"
    (folder / "input.xml").write_text(IPI_INPUT.format(steps=IPI_STEPS, name=name))
    output = folder / "run.out"
    output.unlink(missing_ok=True)
    quiet = {"cwd": folder, "env": ENVIRONMENT, "stdout": subprocess.DEVNULL}
    ipi = subprocess.Popen([Path(sys.executable).with_name("i-pi"), "input.xml"], **quiet)
    command = [sys.executable, "-m", "ase_les", "client", "salt.extxyz", "--unix", name]
    command += ["--model", "nacl", "--dtype", "float64", "--beyond-limits", "--quiet"]
    clients = [subprocess.Popen(command, **quiet) for _ in range(2)]
    while not (output.exists() and len(output.read_text().splitlines()) > 5):
        if ipi.poll() is not None:
            raise SystemExit("i-PI ended at its start")
        time.sleep(0.01)
    began, killed = time.perf_counter(), False
    if moment is not None:
        time.sleep(moment)
        killed = ipi.poll() is None
        clients.pop(0).kill()
        if restart:
            clients.append(subprocess.Popen(command, **quiet))
    if ipi.wait(timeout=600):
        raise SystemExit(f"i-PI ended with {ipi.returncode} after a client was killed")
    duration = time.perf_counter() - began
    for each in clients:
        # One that starts after the end of i-PI waits for another.
        each.kill() if restart and each is clients[-1] else each.wait(timeout=60)
    if not restart and any(each.returncode for each in clients):
        raise SystemExit("a client that was not killed ended with an error")
    return np.loadtxt(output), duration, killed


def rank_kills(wanted: int, chance: random.Random, folder: Path) -> Count:
    """Kill ranks of a training, and resume it until it ends."""
    count = Count()
    sound = folder / "sound"
    _prepare_training(sound)
    began = time.perf_counter()
    if _train(sound, None, chance)[0]:
        raise SystemExit("the training without kills ended with an error")
    duration = time.perf_counter() - began
    while count.kills < wanted:
        place = folder / f"killed-{count.runs}"
        _prepare_training(place)
        code: int | None = None
        while code != 0:
            moment = chance.uniform(0.1, 0.9) * duration if count.kills < wanted else None
            code, killed, error = _train(place, moment, chance)
            count.kills += killed
            if killed:
                count.messages += "Signal 9 (SIGKILL)" in error
            elif code:
                raise SystemExit(f"a resumed training ended with an error: {error[-2000:]}")
        count.runs += 1
        count.different += _trained(place) != _trained(sound)
        _show_progress(count)
    return count


def _prepare_training(folder: Path) -> None:
    folder.mkdir()
    prepare(folder)
    # Start-up and epochs take about equally long.
    settings = {**TRAINING, "fit": {"epochs": 40, "batch_size": 2}}
    (folder / "training.yml").write_text(json.dumps(settings))


def _train(folder: Path, moment: float | None, chance: random.Random) -> tuple[int, bool, str]:
    """Run two ranks; return the exit code, whether one was killed, and what was printed."""
    resume = ["--resume"] if any(folder.glob("*.checkpoint")) else ["--overwrite"]
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [sys.executable, *launcher, "-m", "benchmarks.killed_workers", "--train", *resume]
    with open(folder / "errors", "w+") as errors:
        process = subprocess.Popen(
            command, cwd=folder, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=errors
        )
        killed = False
        if moment is not None:
            try:
                process.wait(timeout=moment)
            except subprocess.TimeoutExpired:
                killed = _kill_a_rank(process, chance)
        process.wait(timeout=600)
        errors.seek(0)
        return process.returncode, killed, errors.read()


def _kill_a_rank(launcher: subprocess.Popen, chance: random.Random) -> bool:
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    ranks = [
        int(pid)
        for pid in children
        if b"--train" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    ]
    if not ranks:
        return False
    os.kill(chance.choice(ranks), signal.SIGKILL)
    return True


def _trained(folder: Path) -> tuple[bytes, list[list[str]]]:
    """Return the weights behind the header of the model, and the learning curve without times."""
    content = (folder / "train.safetensors").read_bytes()
    rows = (folder / "train-learning.csv").read_text().splitlines()
    columns = [row.split(",") for row in rows]
    return content[8 + int.from_bytes(content[:8], "little") :], [
        [row[0], *row[2:]] for row in columns
    ]


KILLS = {"worker": worker_kills, "client": client_kills, "rank": rank_kills}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", default=[], choices=[*KILLS, []])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--train", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--resume", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--overwrite", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.train:
        # Checkpoints after every epoch instead of every 30 s.
        fit.__kwdefaults__["seconds_between_checkpoints"] = 0.0
        start = "--resume" if options.resume else "--overwrite"
        ase_les(["train", "training.yml", start, "--quiet"])
        return
    sound = True
    print(f"{'killed':8s} {'kills':>5s} {'runs':>5s} {'lost':>5s} {'different':>10s} {'told':>5s}")
    for kind in options.kinds or KILLS:
        with tempfile.TemporaryDirectory() as folder:
            count = KILLS[kind](options.kills, random.Random(options.seed), Path(folder))
        told = f"{count.kills:5d} {count.runs:5d} {count.lost:5d} {count.different:10d}"
        print(f"{kind:8s} {told} {count.messages:5d} {' '.join(count.failed)}", flush=True)
        sound = sound and not (count.lost or count.different or count.failed)
        sound = sound and count.messages == count.kills
    sys.exit(not sound)


if __name__ == "__main__":
    main()
