"""Efficiency of two workers of Dask, two clients of i-PI and two ranks of torchrun.

    python -m benchmarks.engines dask|ipi|train [--pairs 3]

Runs with one and with two workers alternate, each worker with one thread. The ratio of wall times
is that of the machine as it is; on one that others use too, the CPU time says what sharing costs:
that of two workers and of what drives them, against that of one.
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

import numpy as np
from ase.io import read, write

from benchmarks.own_process import cpu_time_of

ROOT = Path(__file__).parents[1]
WATER = ROOT / "workflows" / "water64.extxyz"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def cpu_time() -> float:
    """Return the CPU time in s of this process and of its finished children."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def dask_run(workers: int, _: Path) -> tuple[float, float]:
    """Return wall and CPU time of 200 displacements in 192 atoms of water, start-up left out."""
    from distributed import Client, LocalCluster

    from ase_les import LESCalculator
    from ase_les.runs.evaluations import evaluate_structures
    from ase_les.runs.processes import Jobs
    from ase_les.runs.record import Record

    atoms = read(WATER)
    structures = {}
    for number in range(200 + 2 * workers):
        structures[str(number)] = copy = atoms.copy()
        copy.positions[number % len(atoms), number % 3] += 0.01
    make = partial(LESCalculator, "water-rpbe-d3", dtype="float64", accuracy=None)
    calculator = make()
    names = list(structures)
    settings = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**settings) as cluster, Client(cluster) as client:
        jobs = Jobs(make_calculator=make, scheduler=client)
        # Every worker loads the model.
        first = {name: structures[name] for name in names[: 2 * workers]}
        evaluate_structures(first, ["forces"], calculator, Record(None, {}), jobs=jobs)
        rest = {name: structures[name] for name in names[2 * workers :]}
        before = sum(client.run(time.process_time).values()) + time.process_time()
        began = time.perf_counter()
        evaluate_structures(rest, ["forces"], calculator, Record(None, {}), jobs=jobs)
        wall = time.perf_counter() - began
        after = sum(client.run(time.process_time).values()) + time.process_time()
    return wall, after - before


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
STEPS = 30


def ipi_run(clients: int, folder: Path) -> tuple[float, float]:
    """Return wall and CPU time of steps of 8 beads of 192 atoms of water, start-up left out."""
    name = f"les-benchmark-{os.getpid()}"
    write(folder / "start.extxyz", read(WATER))
    (folder / "input.xml").write_text(INPUT.format(steps=STEPS, name=name))
    program = Path(sys.executable).with_name("i-pi")
    quiet = {"cwd": folder, "env": ENVIRONMENT, "stdout": subprocess.DEVNULL}
    command = [sys.executable, "-m", "ase_les", "client", "start.extxyz", "--unix", name, "--quiet"]
    output = folder / "run.out"
    processes = [subprocess.Popen([program, "input.xml"], **quiet)]
    options = ["--model", "water-rpbe-d3", "--dtype", "float64"]
    processes += [subprocess.Popen([*command, *options], **quiet) for _ in range(clients)]
    first, started = None, [0.0]
    while processes[0].poll() is None:
        # All clients have joined after the first steps.
        if first is None and output.exists() and len(output.read_text().splitlines()) > 5:
            first, started = time.perf_counter(), [cpu_time_of(each.pid) for each in processes]
        if first is not None:
            ended = time.perf_counter(), [cpu_time_of(each.pid) for each in processes]
        time.sleep(0.02)
    for process in processes:
        process.wait()
    output.unlink()
    return ended[0] - first, sum(ended[1]) - sum(started)


CONFIG = """data:
  training: {data}
  validation: 0.1
model:
  representation: {{cutoff: 4.5, n_radial: 6, n_mixed: 8, n_embedding: 2, l_max: 2, nu_max: 3}}
fit: {{epochs: {epochs}, batch_size: 4, validate_every: 100}}
output: model
"""


def train_run(ranks: int, folder: Path) -> tuple[float, float]:
    """Return wall and CPU time of 40 epochs on 8 boxes of water, start-up left out."""
    frames = []
    for seed in range(9):
        atoms = read(WATER)
        atoms.rattle(0.05, seed=seed)
        atoms.info["REF_energy"] = -14.0 * len(atoms)
        atoms.arrays["REF_forces"] = np.random.default_rng(seed).normal(size=(len(atoms), 3))
        frames.append(atoms)
    write(folder / "data.extxyz", frames)
    found = []
    for epochs in (1, 41):
        (folder / "train.yml").write_text(CONFIG.format(data="data.extxyz", epochs=epochs))
        command = ["-m", "ase_les", "train", "train.yml", "--overwrite", "--quiet"]
        if ranks > 1:
            launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
            command = [*launcher, str(ranks), *command]
        cpu, wall = cpu_time(), time.perf_counter()
        subprocess.run(
            [sys.executable, *command],
            cwd=folder,
            env=ENVIRONMENT,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        found.append((time.perf_counter() - wall, cpu_time() - cpu))
    return found[1][0] - found[0][0], found[1][1] - found[0][1]


RUNS: dict[str, Callable[[int, Path], tuple[float, float]]] = {
    "dask": dask_run,
    "ipi": ipi_run,
    "train": train_run,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine", choices=sorted(RUNS))
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()
    pairs = []
    for _ in range(options.pairs):
        pair = []
        for workers in (1, 2):
            with tempfile.TemporaryDirectory() as folder:
                pair.append(RUNS[options.engine](workers, Path(folder)))
        pairs.append(pair)
        (wall_one, cpu_one), (wall_two, cpu_two) = pair
        print(
            f"one {wall_one:.2f} s, CPU {cpu_one:.2f} s; two {wall_two:.2f} s, CPU {cpu_two:.2f} s",
            flush=True,
        )
    times = np.array(pairs)
    wall = np.median(times[:, 0, 0] / times[:, 1, 0]) / 2
    cpu = np.median(times[:, 0, 1] / times[:, 1, 1])
    print(f"efficiency of two: {100 * wall:.0f} % by wall time, {100 * cpu:.0f} % by CPU time")


if __name__ == "__main__":
    main()
