"""What one force call costs: time as multiples of a matrix product, memory, and where it goes.

    python benchmarks/force_call.py                              the shipped water model
    python benchmarks/force_call.py --model checkpoint.pth       any other model of water

Every size runs in a process of its own with one thread. Atoms move a little between calls, as in
molecular dynamics, so that the neighbor list is reused and nothing else is. Times are the median
over calls, divided by the median time of a 1024³ float32 matrix product of the same process,
measured in turn with them.
"""

import argparse
import json
import time
from pathlib import Path

from own_process import ask, peak_memory

STRUCTURE = Path(__file__).parents[1] / "workflows" / "water64.extxyz"


def measure(model: str, repeat: int, calls: int, dtype: str) -> dict:
    """Time and memory of `calls` force calls on a repeated water box, in this process."""
    import numpy as np
    import torch
    from ase.io import read

    from ase_les import LESCalculator

    torch.set_num_threads(1)
    matrix = torch.randn(1024, 1024)
    (matrix @ matrix).sum()
    baseline = peak_memory()

    atoms = read(STRUCTURE) * (repeat, repeat, repeat)
    atoms.calc = LESCalculator(model, dtype=dtype)
    rng = np.random.default_rng(0)
    start = atoms.positions.copy()
    force_times, product_times = [], []
    for call in range(calls + 2):
        atoms.positions = start + rng.normal(0, 0.01, start.shape)
        force_times.append(_timed(atoms.get_forces))
        product_times.append(_timed(lambda: matrix @ matrix))
        if call == 1:
            # The first calls find neighbors and warm caches up.
            force_times.clear(), product_times.clear()
    memory = peak_memory() - baseline
    born_times = []
    for _ in range(5):
        atoms.positions = start + rng.normal(0, 0.01, start.shape)
        born_times.append(_timed(lambda: atoms.calc.get_property("born_effective_charges", atoms)))
    force, product = np.median(force_times), np.median(product_times)
    return {
        "atoms": len(atoms),
        "force_ms": 1e3 * force,
        "product_ms": 1e3 * product,
        "ratio": force / product,
        "ratio_of_fastest": min(force_times) / min(product_times),
        "memory_MB": memory,
        "born_charges_in_force_calls": np.median(born_times) / force,
        "parts": _parts(atoms, product),
    }


def _parts(atoms, product: float) -> dict[str, float]:
    """Time of the parts of one call, each as a multiple of the matrix product."""
    import torch

    from ase_les.graph import graph_from_atoms
    from ase_les.neighbors import NeighborList
    from ase_les.representation.neighbor_sum import neighborhoods

    calculator = atoms.calc
    engine, cutoff = calculator._engine, calculator.model.config.cutoff
    neighbors = NeighborList(cutoff, calculator.parameters["skin"])
    graph = graph_from_atoms(atoms, neighbors)
    found = {
        "neighbor search (not every step)": lambda: graph_from_atoms(
            atoms, NeighborList(cutoff, calculator.parameters["skin"])
        ),
        "neighbor slots": lambda: neighborhoods(graph, cutoff, engine.precision),
    }
    with torch.no_grad():
        features = engine.representation(graph)
        charges = engine.long_range.charges(features, graph)
    found["representation"] = lambda: engine.representation(graph)
    found["networks"] = lambda: (
        engine.short_range.readout(features),
        engine.long_range.charges(features, graph),
    )
    found["Ewald"] = lambda: engine.long_range.electrostatics(graph, charges)
    parts = {}
    with torch.no_grad():
        for name, part in found.items():
            parts[name] = sorted(_timed(part) for _ in range(7))[3] / product
    forward = sorted(_timed(lambda: _forward(engine, graph)) for _ in range(7))[3]
    whole = sorted(_timed(lambda: _both(engine, graph)) for _ in range(7))[3]
    parts["backward"] = (whole - forward) / product
    return parts


def _forward(engine, graph):
    return engine(graph._replace(positions=graph.positions.clone().requires_grad_(True)))


def _both(engine, graph):
    from ase_les.derivatives import differentiate

    return differentiate(engine, graph)


def _timed(call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="water-rpbe-d3")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 2], help="boxes per axis")
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--in-process", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.in_process:
        found = measure(arguments.model, arguments.in_process, arguments.calls, arguments.dtype)
        print(json.dumps(found))
        return

    print(f"model {arguments.model}, {arguments.dtype}, one thread")
    print("atoms   force call   product   ratio (of fastest)   memory above import")
    for repeat in arguments.sizes:
        row = ask("--in-process", str(repeat))
        print(
            f"{row['atoms']:5d} {row['force_ms']:9.1f} ms {row['product_ms']:6.1f} ms "
            f"{row['ratio']:6.2f} ({row['ratio_of_fastest']:.2f}) {row['memory_MB']:15.0f} MB"
        )
        print(f"        all Born charges cost {row['born_charges_in_force_calls']:.2f} force calls")
        for name, ratio in row["parts"].items():
            print(f"        {name:34s} {ratio:6.3f}")


if __name__ == "__main__":
    main()
