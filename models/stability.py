"""Test the stability of dynamics: ``python stability.py licl-gaf3 --temperature-K 400``.

Runs Langevin dynamics from every held-back structure of a model: small errors on given structures
do not guarantee stable dynamics. A run ends early if an alarm is raised (temperature, contacts,
forces: ``ase-les md``). Writes ``<work>/stability.yml`` and the files of every run. An interrupted
calculation is continued when started again.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from ase import Atoms
from ase.io import read
from ase.io.formats import string2index
from rich.table import Table

from ase_les import LESCalculator
from ase_les.reports import dynamics
from ase_les.reports.terminal import console
from ase_les.runs.output import write_summary
from ase_les.simulation import DynamicsError, resume_dynamics, run_dynamics
from ase_les.training import bare, divided, read_training_config, repeated

HERE = Path(__file__).parent


def test_structures(folder: Path) -> list[Atoms]:
    """Return the test structures of a model: a file, or the part of its data that was held back."""
    own = folder / "test.extxyz"
    if own.exists():
        return read(own, ":")
    data = read_training_config(folder / "train.yml")[0].data
    if isinstance(data.test, str):
        return read(folder / data.test, ":")
    return divided(data, lambda file: data.frames(folder / file))["test"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="model whose test structures are the initial structures")
    parser.add_argument("--model", help="another model to run, by name or file")
    parser.add_argument("--temperature-K", type=float, default=300.0)
    parser.add_argument("--picoseconds", type=float, default=1.0)
    parser.add_argument("--timestep-fs", type=float, default=0.5)
    parser.add_argument("--index", default=":", help="test structures, such as 3, 3: or ::5")
    parser.add_argument(
        "--repeat",
        type=int,
        nargs=3,
        default=(1, 1, 1),
        metavar="N",
        help="repetitions of the structures",
    )
    parser.add_argument("--work", type=Path, help="folder of the runs")
    args = parser.parse_args()
    torch.set_num_threads(1)
    folder = HERE / args.name
    work = args.work or folder / "work" / "stability"
    work.mkdir(parents=True, exist_ok=True)
    frames = test_structures(folder)
    chosen = np.atleast_1d(np.arange(len(frames))[string2index(args.index)]).tolist()
    steps = round(1000 * args.picoseconds / args.timestep_fs)
    settings = {
        "ensemble": "nvt-langevin",
        "temperature_K": args.temperature_K,
        "beyond_limits": True,
        "timestep_fs": args.timestep_fs,
        "steps": steps,
    }
    calculator = LESCalculator(args.model or args.name)
    runs = {}
    for index in chosen:
        start = repeated(bare(frames[index]), args.repeat)
        runs[index] = run(start, calculator, work / f"{index}", {**settings, "seed": index})
        console().print(f"{index}: {runs[index]}", markup=False, highlight=False, soft_wrap=True)
    report(args.model or args.name, runs, {**settings, "repeat": list(args.repeat)}, work)


class Run(NamedTuple):
    """Outcome of a run; ``stopped`` is the reason for an early end, or None."""

    time_ps: float
    temperature_K: float
    stopped: str | None

    def __str__(self) -> str:
        return f"{self.time_ps:.2f} ps at {self.temperature_K:.0f} K, {self.stopped or 'held'}"


def run(atoms: Atoms, calculator: LESCalculator, output: Path, settings: dict) -> Run:
    """Run to the end or an alarm; an interrupted run is resumed."""
    try:
        if output.with_name(f"{output.name}.checkpoint").exists():
            result = resume_dynamics(output, calculator)
        else:
            atoms.calc = calculator
            result = run_dynamics(atoms, output=output, **settings)
    except DynamicsError as failure:
        result = failure.result
    if result.interrupted:
        raise SystemExit("interrupted; start again to continue")
    dynamics.write(result)
    return Run(result.time_ps, result.temperature_K.mean, result.stopped)


def report(name: str, runs: dict[int, Run], settings: dict, work: Path) -> None:
    """Print a table and write YAML."""
    held = sum(each.stopped is None for each in runs.values())
    title = f"{name}: {held} of {len(runs)} runs held"
    table = Table("structure", "ps", "temperature K", "ended by", title=title)
    for index, each in runs.items():
        table.add_row(
            str(index), f"{each.time_ps:.2f}", f"{each.temperature_K:.0f}", each.stopped or "–"
        )
    console().print(table)
    outcomes = {index: each._asdict() for index, each in runs.items()}
    write_summary(
        work / "stability.yml",
        {"model": name, "settings": settings, "held": held, "runs": outcomes},
    )


if __name__ == "__main__":
    main()
