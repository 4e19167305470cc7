"""Does a model hold in dynamics? ``python stability.py licl-gaf3 --temperature-K 400``.

Langevin dynamics from every held-back structure of a model, as many picoseconds as asked for: small
errors on structures as they are do not tell where a model leads them. A run ends early when one of
its alarms goes off (temperature, contacts, forces: ``ase-les md``). Writes ``<work>/stability.yml``
and every run beside it. Interrupted, it goes on when started again.
"""

from __future__ import annotations

import argparse
from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from ase import Atoms
from ase.io import read
from ase.io.formats import string2index
from rich.table import Table

from ase_les import LESCalculator
from ase_les.configuration import read_yaml
from ase_les.reports.terminal import console
from ase_les.runs.output import write_summary
from ase_les.simulation import resume_dynamics, run_dynamics
from ase_les.training.moves import bare

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="of the model whose test.extxyz is started from")
    parser.add_argument("--model", help="another model, by name or file")
    parser.add_argument("--temperature-K", type=float, default=300.0)
    parser.add_argument("--picoseconds", type=float, default=1.0)
    parser.add_argument("--timestep-fs", type=float, default=0.5)
    parser.add_argument("--index", default=":", help="of test structures, as 3, 3: or ::5")
    parser.add_argument(
        "--repeat", type=int, nargs=3, default=(1, 1, 1), metavar="N", help="of the structures"
    )
    parser.add_argument("--work", type=Path, help="where runs are kept")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    folder = HERE / asked.name
    work = asked.work or folder / "work" / "stability"
    work.mkdir(parents=True, exist_ok=True)
    frames = read(folder / "test.extxyz", ":")
    chosen = np.atleast_1d(np.arange(len(frames))[string2index(asked.index)]).tolist()
    steps = round(1000 * asked.picoseconds / asked.timestep_fs)
    settings = {
        "ensemble": "nvt-langevin",
        "temperature_K": asked.temperature_K,
        "beyond_limits": True,
        "timestep_fs": asked.timestep_fs,
        "steps": steps,
    }
    calculator = LESCalculator(asked.model or asked.name)
    runs = {}
    for index in chosen:
        start = bare(frames[index]).repeat(asked.repeat)
        start.info["charge"] = frames[index].info.get("charge", 0) * prod(asked.repeat)
        runs[index] = run(start, calculator, work / f"{index}", {**settings, "seed": index})
        console().print(f"{index}: {runs[index]}", markup=False, highlight=False, soft_wrap=True)
    report(asked.model or asked.name, runs, {**settings, "repeat": list(asked.repeat)}, work)


class Run(NamedTuple):
    """How far one came. ``stopped`` says why it ended early, if it did."""

    time_ps: float
    temperature_K: float
    stopped: str | None

    def __str__(self) -> str:
        return f"{self.time_ps:.2f} ps at {self.temperature_K:.0f} K, {self.stopped or 'held'}"


def run(atoms: Atoms, calculator: LESCalculator, output: Path, settings: dict) -> Run:
    """To its end or to an alarm; one that was interrupted goes on."""
    summary = output.with_name(f"{output.name}-summary.yml")
    try:
        if output.with_name(f"{output.name}.checkpoint").exists():
            result = resume_dynamics(output, calculator)
        else:
            atoms.calc = calculator
            result = run_dynamics(atoms, output=output, **settings)
        if result.interrupted:
            raise SystemExit("interrupted; start again to go on")
    except ValueError:
        # Between two looks of the alarms the model itself refused: the summary says so.
        if not summary.exists():
            raise
    said = read_yaml(summary)["results"]
    return Run(said["time_ps"], said["temperature_K"]["mean"], said["stopped"])


def report(name: str, runs: dict[int, Run], settings: dict, work: Path) -> None:
    """A table and YAML."""
    held = sum(each.stopped is None for each in runs.values())
    title = f"{name}: {held} of {len(runs)} runs held"
    table = Table("structure", "ps", "temperature K", "ended by", title=title)
    for index, each in runs.items():
        table.add_row(
            str(index), f"{each.time_ps:.2f}", f"{each.temperature_K:.0f}", each.stopped or "–"
        )
    console().print(table)
    told = {index: each._asdict() for index, each in runs.items()}
    write_summary(
        work / "stability.yml", {"model": name, "settings": settings, "held": held, "runs": told}
    )


if __name__ == "__main__":
    main()
