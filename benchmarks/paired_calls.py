"""Force calls of one or several builds of the package in turn, each in a process of its own.

What else the machine does hits all builds alike. Run as a program, this file is the process of one
build: it needs nothing of the package but `LESCalculator`, so that earlier builds can run it.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

# First calls find neighbors, choose a mesh and warm up.
_WARM_UP = 2


class Case(NamedTuple):
    """Force calls of one model on one structure.

    ``repeat``: copies along the lattice vectors; ``pbc``: three characters as in TTF, with 20 Å of
    vacuum along the directions that do not repeat.
    """

    name: str
    model: str
    structure: str
    repeat: tuple[int, int, int] = (1, 1, 1)
    pbc: str = "TTT"


class Calls(NamedTuple):
    """Force calls of one build: seconds of each call and of a matrix product after it, memory."""

    atoms: int
    seconds: list[float]
    product_seconds: list[float]
    memory_MB: float


def paired_calls(
    case: Case,
    builds: Sequence[Path],
    calls: int,
    threads: int,
    peers: Sequence[tuple[str, str]] = (),
) -> list[Calls]:
    """Return the calls of all builds and peers, which take turns.

    Parameters
    ----------
    case : Case
    builds : sequence of Path
        Folders that contain the package ``ase_les``.
    calls : int
        Of each build, after two that do not count.
    threads : int
    peers : sequence of (str, str)
        Other programs, one of `PEERS`, each with the Python that has it.
    """
    programs = [(sys.executable, build.resolve(), "") for build in builds]
    programs += [(python, Path(__file__).parents[1], peer) for peer, python in peers]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    processes = [
        subprocess.Popen(
            [python, __file__, json.dumps(case), peer],
            env={**environment, "PYTHONPATH": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for python, folder, peer in programs
    ]
    found: list[list[dict[str, float]]] = [[] for _ in programs]
    try:
        for _ in range(calls + _WARM_UP):
            for process, answers in zip(processes, found, strict=True):
                answers.append(_ask(process))
    finally:
        for process in processes:
            process.communicate()
    return [
        Calls(
            int(answers[-1]["atoms"]),
            [answer["seconds"] for answer in answers[_WARM_UP:]],
            [answer["product_seconds"] for answer in answers[_WARM_UP:]],
            answers[-1]["memory_MB"],
        )
        for answers in found
    ]


def ratio(calls: Calls, base: Calls) -> float:
    """Return the median of the ratios of paired calls."""
    return median(own / other for own, other in zip(calls.seconds, base.seconds, strict=True))


def _ask(process: subprocess.Popen[str]) -> dict[str, float]:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("call\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        sys.exit(f"a process ended early: {' '.join(map(str, process.args))}")
    return json.loads(line)


def _nep(symbols: list[str]) -> Any:
    from benchmarks.nep import calculator

    return calculator(symbols)


# Programs to compare with: functions of the elements that return a calculator.
PEERS = {"nep": _nep}


def _answer_calls(case: Case, peer: str = "") -> None:
    """Answer every line of the standard input with one force call."""
    import numpy as np
    import torch

    if not peer:
        from ase_les import LESCalculator

    warnings.simplefilter("ignore")
    matrix = torch.randn(1024, 1024)
    (matrix @ matrix).sum()
    atoms = _structure(case)
    before = _peak_memory_MB()
    if peer:
        atoms.calc = PEERS[peer](sorted(set(atoms.get_chemical_symbols())))
    else:
        atoms.calc = LESCalculator(case.model)
    start = atoms.positions.copy()
    # Other work on the machine stretches the time on the clock, not that of this thread.
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    for number, _ in enumerate(sys.stdin):
        atoms.positions = start + np.random.default_rng(number).normal(0, 0.01, start.shape)
        begin = clock()
        atoms.get_forces()
        middle = clock()
        matrix @ matrix
        answer = {
            "atoms": len(atoms),
            "seconds": middle - begin,
            "product_seconds": clock() - middle,
            "memory_MB": _peak_memory_MB() - before,
        }
        print(json.dumps(answer), flush=True)


def _structure(case: Case) -> Any:
    from ase.build import fcc111
    from ase.io import read

    if case.structure == "platinum":
        atoms = fcc111("Pt", (*case.repeat[:2], 4), a=3.97, vacuum=8.0)
        atoms.pbc = [letter == "T" for letter in case.pbc]
        return atoms
    atoms = read(case.structure).repeat(case.repeat)
    for axis, letter in enumerate(case.pbc):
        if letter == "F":
            atoms.center(vacuum=10.0, axis=axis)
    atoms.pbc = [letter == "T" for letter in case.pbc]
    return atoms


def _peak_memory_MB() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    _answer_calls(Case(*json.loads(sys.argv[1])), sys.argv[2])
