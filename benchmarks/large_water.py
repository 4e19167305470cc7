"""One force call on large boxes of water: time and memory per atom.

    python benchmarks/large_water.py                                       the shipped water model
    python benchmarks/large_water.py --model checkpoint.pth --sizes 4 8    12,288 and 98,304 atoms

Every size runs in a process of its own with one thread. The first call finds neighbors; the second
is what a step of molecular dynamics costs. Memory is the largest resident size above that of the
process before the calculator is made.
"""

import argparse
import json
import time
from pathlib import Path

from own_process import ask, peak_memory

STRUCTURE = Path(__file__).parents[1] / "workflows" / "water64.extxyz"


def measure(model: str, repeat: int, dtype: str) -> dict:
    """Time and memory of force calls on a repeated water box, in this process."""
    import torch
    from ase.io import read

    from ase_les import LESCalculator

    torch.set_num_threads(1)
    atoms = read(STRUCTURE) * (repeat, repeat, repeat)
    atoms.rattle(0.01, seed=1)
    before = peak_memory()
    atoms.calc = LESCalculator(model, dtype=dtype)
    times = []
    for _ in range(2):
        atoms.positions[0, 0] += 1e-3
        start = time.perf_counter()
        atoms.get_forces()
        times.append(time.perf_counter() - start)
    return {
        "atoms": len(atoms),
        "first": times[0],
        "next": times[1],
        "MB": peak_memory() - before,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="water-rpbe-d3")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--sizes", type=int, nargs="+", default=[2, 4], help="boxes per axis")
    parser.add_argument("--in-process", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.in_process:
        print(json.dumps(measure(arguments.model, arguments.in_process, arguments.dtype)))
        return

    print(f"model {arguments.model}, {arguments.dtype}, one thread")
    print("  atoms   first call   next call   per atom   memory   per atom")
    for repeat in arguments.sizes:
        row = ask("--in-process", str(repeat))
        print(
            f"{row['atoms']:7,d} {row['first']:10.1f} s {row['next']:9.1f} s "
            f"{1e3 * row['next'] / row['atoms']:7.3f} ms {row['MB']:6.0f} MB "
            f"{1e3 * row['MB'] / row['atoms']:7.1f} kB"
        )


if __name__ == "__main__":
    main()
