"""Efficiency of two workers of Dask, two clients of i-PI and two ranks of torchrun.

    python -m benchmarks.engines dask|dask-large|ipi|train|train-small [--pairs 3]

Runs with one and with two workers alternate, each worker with one thread. Pairs during which other
programs took more than 3 % of the machine are measured again. The efficiency by CPU time is that of
one worker and of what drives it, against that of two.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.io import read, write

from ase_les import LESCalculator
from ase_les.runs.evaluations import evaluate_structures
from ase_les.runs.processes import Jobs
from ase_les.runs.record import Record
from benchmarks.own_process import busy_time, cpu_time_of

ROOT = Path(__file__).parents[1]
WATER = ROOT / "workflows" / "water64.extxyz"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


LIMITS = {"dask": 0.90, "dask-large": 0.90, "ipi": 0.90, "train": 0.85, "train-small": 0.85}
LARGEST_SHARE_OF_OTHERS = 0.03


class Times(NamedTuple):
    """Wall time, CPU time of the run, and CPU time of all programs of the machine, in s."""

    wall: float
    cpu: float
    busy: float


def cpu_time() -> float:
    """Return the CPU time in s of this process and of its finished children."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


make_calculator = partial(LESCalculator, "water-rpbe-d3", dtype="float64", accuracy=None)


def displacements(number: int, repeat: int) -> dict[str, Atoms]:
    """Return displacements in water, 192 atoms or a multiple."""
    atoms = read(WATER).repeat((1, 1, repeat))
    structures = {}
    for index in range(number):
        structures[str(index)] = copy = atoms.copy()
        copy.positions[index % len(atoms), index % 3] += 0.01
    return structures


def shared_displacements(jobs: Jobs, cpu: Callable[[], float], workers: int, repeat: int) -> Times:
    """Return the times of 200 displacements, after some for which the workers load the model."""
    structures = displacements(200, repeat)
    calculator = make_calculator()
    first = dict(list(structures.items())[: 4 * workers])
    evaluate_structures(first, ["forces"], calculator, Record(None, {}), jobs=jobs)
    before, busy, began = cpu(), busy_time(), time.perf_counter()
    evaluate_structures(structures, ["forces"], calculator, Record(None, {}), jobs=jobs)
    return Times(time.perf_counter() - began, cpu() - before, busy_time() - busy)


def dask_run(workers: int, _: Path, repeat: int = 1) -> Times:
    """Return the times of 200 displacements by workers of Dask, start-up left out."""
    from distributed import Client, LocalCluster

    settings = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**settings) as cluster, Client(cluster) as client:
        jobs = Jobs(make_calculator=make_calculator, scheduler=client)
        return shared_displacements(
            jobs,
            lambda: sum(client.run(time.process_time).values()) + time.process_time(),
            workers,
            repeat,
        )


INPUT = """<simulation verbosity="quiet"> <total_steps>{steps}</total_steps>
  <output prefix="run"><properties stride="1" filename="out"> [ step, conserved ] </properties>
  </output> <prng><seed>7</seed></prng>
  <ffsocket name="les" mode="unix"><address>{name}</address></ffsocket>
  <system> <initialize nbeads="8"> <file mode="ase"> start.extxyz </file>
    <velocities mode="thermal" units="kelvin"> 300 </velocities> </initialize>
    <forces><force forcefield="les"/></forces>
    <motion mode="dynamics"> <dynamics mode="nvt">
      <timestep units="femtosecond"> 0.25 </timestep>
      <thermostat mode="pile_g"> <tau units="femtosecond"> 100 </tau> </thermostat>
    </dynamics> </motion>
    <ensemble><temperature units="kelvin"> 300 </temperature></ensemble>
  </system> </simulation>
"""
STEPS, START_STEPS = 150, 10


def ipi_run(clients: int, folder: Path) -> Times:
    """Return the times of steps of 8 beads of 192 atoms of water, start-up and end left out."""
    name = f"les-benchmark-{os.getpid()}"
    write(folder / "start.extxyz", read(WATER))
    (folder / "input.xml").write_text(INPUT.format(steps=STEPS, name=name))
    program = Path(sys.executable).with_name("i-pi")
    quiet = {"cwd": folder, "env": ENVIRONMENT, "stdout": subprocess.DEVNULL}
    command = [sys.executable, "-m", "ase_les", "client", "start.extxyz", "--unix", name, "--quiet"]
    options = ["--model", "water-rpbe-d3", "--dtype", "float64"]
    processes = [subprocess.Popen([program, "input.xml"], **quiet)]
    processes += [subprocess.Popen([*command, *options], **quiet) for _ in range(clients)]

    def clock() -> np.ndarray:
        cpu = sum(cpu_time_of(each.pid) for each in processes)
        return np.array([time.perf_counter(), cpu, busy_time()])

    # i-PI flushes a line after each step.
    output, size, seen = folder / "run.out", 0, []
    while processes[0].poll() is None:
        if output.exists() and output.stat().st_size > size:
            size = output.stat().st_size
            seen.append(clock())
        time.sleep(0.05)
    for process in processes:
        process.wait()
    return Times(*(seen[-1] - seen[START_STEPS]))


CONFIG = """data:
  training: {data}
  validation: 0.05
model:
  representation: {{cutoff: 4.5, n_radial: 6, n_mixed: 8, n_embedding: 2, l_max: 2, nu_max: 3}}
fit: {{epochs: {epochs}, batch_size: {batch}, validate_every: 100}}
output: model
"""


def train_run(ranks: int, folder: Path, batch: int = 8) -> Times:
    """Return the times of 40 epochs on 16 boxes of water, start-up left out."""
    frames = []
    for seed in range(17):
        atoms = read(WATER)
        atoms.rattle(0.05, seed=seed)
        atoms.info["REF_energy"] = -14.0 * len(atoms)
        atoms.arrays["REF_forces"] = np.random.default_rng(seed).normal(size=(len(atoms), 3))
        frames.append(atoms)
    write(folder / "data.extxyz", frames)
    command = ["-m", "ase_les", "train", "train.yml", "--overwrite", "--quiet"]
    if ranks > 1:
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
        command = [*launcher, str(ranks), *command]
    clocks = []
    for epochs in (1, 41):
        settings = {"data": "data.extxyz", "epochs": epochs, "batch": batch}
        (folder / "train.yml").write_text(CONFIG.format(**settings))
        clocks.append((time.perf_counter(), cpu_time(), busy_time()))
        subprocess.run(
            [sys.executable, *command],
            cwd=folder,
            env=ENVIRONMENT,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    clocks.append((time.perf_counter(), cpu_time(), busy_time()))
    start, middle, end = np.array(clocks)
    return Times(*((end - middle) - (middle - start)))


RUNS: dict[str, Callable[[int, Path], Times]] = {
    "dask": dask_run,
    "dask-large": partial(dask_run, repeat=4),
    "ipi": ipi_run,
    "train": train_run,
    "train-small": partial(train_run, batch=4),
}


def measured_pair(engine: str) -> tuple[np.ndarray, float]:
    """Return wall and CPU times of one and two workers, (2, 2), and the share of other programs."""
    pair, others = [], 0.0
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            times = RUNS[engine](workers, Path(folder))
        pair.append((times.wall, times.cpu))
        others = max(others, (times.busy - times.cpu) / (times.wall * (os.cpu_count() or 1)))
    return np.array(pair), others


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=sorted(RUNS))
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--attempts", type=int, default=9, help="pairs at most, with repetitions")
    options = parser.parse_args()
    quiet, all_pairs = [], []
    for _ in range(options.attempts):
        pair, others = measured_pair(options.engine)
        (wall_one, cpu_one), (wall_two, cpu_two) = pair
        print(
            f"one {wall_one:.2f} s, CPU {cpu_one:.2f} s; "
            f"two {wall_two:.2f} s, CPU {cpu_two:.2f} s; other programs {100 * others:.0f} %",
            flush=True,
        )
        all_pairs.append(pair)
        quiet += [pair] if others < LARGEST_SHARE_OF_OTHERS else []
        if len(quiet) == options.pairs:
            break
    if not quiet:
        print("other programs disturbed all pairs: wall times say little")
    times = np.array(quiet or all_pairs)
    wall = np.median(times[:, 0, 0] / times[:, 1, 0]) / 2
    cpu = np.median(times[:, 0, 1] / times[:, 1, 1])
    limit = LIMITS[options.engine]
    print(
        f"efficiency of two: {100 * wall:.0f} % by wall time (at least {100 * limit:.0f} %), "
        f"{100 * cpu:.0f} % by CPU time; {len(quiet)} undisturbed pairs"
    )


if __name__ == "__main__":
    main()
