"""Efficiency of one force call shared by processes, each with one thread.

    torchrun --nproc-per-node 2 -m benchmarks.shared_calls [--atoms 12288] [--repeats 5]

Calls of one process and calls of all alternate. On a machine that others use too, wall times say
little; the time on the CPU, added up over the processes, tells what sharing costs besides.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from ase.io import read

from ase_les import LESCalculator
from ase_les.ranks import Ranks, ranks_of_torchrun

WATER = Path(__file__).parents[1] / "workflows" / "water64.extxyz"


def box_of_water(n_atoms: int):
    """Shipped box, repeated to at least this many atoms."""
    atoms = read(WATER)
    repeats = [1, 1, 1]
    while len(atoms) * np.prod(repeats) < n_atoms:
        repeats[int(np.argmin(repeats))] += 1
    atoms = atoms.repeat(repeats)
    atoms.rattle(0.02, seed=1)
    return atoms


def timed(atoms, ranks: Ranks, alone: bool) -> tuple[float, float]:
    """Return wall time and CPU time of all processes for one call."""
    ranks.wait()
    wall, cpu = time.perf_counter(), time.process_time()
    if ranks.is_first or not alone:
        atoms.get_forces()
    used = torch.tensor([time.process_time() - cpu], dtype=torch.float64)
    wall = time.perf_counter() - wall
    ranks.sum_(used)
    return wall, float(used)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--atoms", type=int, default=12288)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with ranks_of_torchrun(options.device) as ranks:
        one, shared = box_of_water(options.atoms), box_of_water(options.atoms)
        device = str(ranks.device) if ranks.device.type == "cuda" else options.device
        settings = {"dtype": options.dtype, "device": device}
        one.calc = LESCalculator("water-rpbe-d3", **settings)
        shared.calc = LESCalculator("water-rpbe-d3", group=True, **settings)
        times = []
        for repeat in range(options.repeats + 1):
            for atoms in (one, shared):
                atoms.rattle(0.01, seed=repeat)
            times.append((timed(one, ranks, True), timed(shared, ranks, False)))
        if not ranks.is_first:
            return
        difference = np.abs(one.get_forces() - shared.calc.results["forces"]).max()
        (wall_one, cpu_one), (wall, cpu) = np.median(times[1:], axis=0)
        print(f"{len(one)} atoms, {ranks.size} processes, {options.dtype}; medians of pairs")
        print(f"one process:   {wall_one:.3f} s, CPU {cpu_one:.3f} s")
        print(f"all processes: {wall:.3f} s, CPU {cpu:.3f} s added up")
        ratios = np.array([[a[0] / b[0], a[1] / b[1]] for a, b in times[1:]])
        wall_ratio, cpu_ratio = np.median(ratios, axis=0)
        print(f"efficiency by wall time {100 * wall_ratio / ranks.size:.0f} %")
        print(f"efficiency by CPU time {100 * cpu_ratio:.0f} %")
        print(f"largest difference of forces {difference:.1e} eV/Å")


if __name__ == "__main__":
    main()
