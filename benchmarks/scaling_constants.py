"""Constants of ``docs/scaling.rst``: CPU time and bytes per atom of the parts of a force call.

python -m benchmarks.scaling_constants [--atoms 12288]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch

from ase_les import LESCalculator
from ase_les.neighbors import NeighborList
from benchmarks.shared_calls import box_of_water


def cpu(work: Callable[[], object], repeats: int = 5) -> float:
    """Return the median CPU time in s."""
    times = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--atoms", type=int, default=12288)
    torch.set_num_threads(1)
    atoms = box_of_water(parser.parse_args().atoms)
    atoms.calc = calculator = LESCalculator("water-rpbe-d3")
    atoms.get_forces()

    def call() -> None:
        atoms.positions[0, 0] += 1e-4
        atoms.get_forces()

    cutoff = calculator.model.config.cutoff
    edges = NeighborList(cutoff, 0.5).edges(atoms.positions, atoms.cell.array, atoms.pbc)
    size = calculator._graphs.plan(calculator._graphs.at(atoms)).groups[0].sum.waves.mesh
    mesh = torch.zeros(size, dtype=torch.float64)
    n_points = mesh.numel()
    transforms = cpu(lambda: torch.fft.irfftn(torch.fft.rfftn(mesh), s=size))
    search = cpu(
        lambda: NeighborList(cutoff, 0.5).edges(atoms.positions, atoms.cell.array, atoms.pbc)
    )
    count = len(atoms)
    print(f"{count} atoms of water, float32, one thread; per atom:")
    print(f"force call                {1e6 * cpu(call) / count:8.1f} µs")
    print(f"search of neighbors       {1e6 * search / count:8.1f} µs, not in every step")
    print(f"transform of the mesh     {1e6 * transforms / count:8.1f} µs there and back")
    print(f"points of the mesh        {n_points / count:8.1f}")
    stored = sum(tensor.numel() * tensor.element_size() for tensor in edges)
    print(f"edges with the skin       {len(edges[0]) / count:8.1f}, {stored / count:.0f} bytes")


if __name__ == "__main__":
    main()
