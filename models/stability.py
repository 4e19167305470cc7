"""Does a model hold in dynamics? ``python stability.py licl-gaf3 --temperature-K 400``.

Langevin dynamics from every held-back structure of a model, as many picoseconds as asked for: small
errors on structures as they are do not tell where a model leads them. A run ends early when one of
its alarms goes off (temperature, contacts, forces: ``ase-les md``). Writes ``<work>/stability.yml``
and every run beside it. Interrupted, it goes on when started again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from ase import Atoms
from ase.io import read
from rich.table import Table

from ase_les import LESCalculator
from ase_les.reporting import console, write_summary
from ase_les.simulation import DynamicsResult, resume_dynamics, run_dynamics

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="of the model whose test.extxyz is started from")
    parser.add_argument("--model", help="another model, by name or file")
    parser.add_argument("--temperature-K", type=float, default=300.0)
    parser.add_argument("--picoseconds", type=float, default=1.0)
    parser.add_argument("--timestep-fs", type=float, default=0.5)
    parser.add_argument("--index", default=":", help="of test structures, as 3: or ::5")
    parser.add_argument("--work", type=Path, help="where runs are kept")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    folder = HERE / asked.name
    work = asked.work or folder / "work" / "stability"
    work.mkdir(parents=True, exist_ok=True)
    frames = read(folder / "test.extxyz", ":")
    chosen = range(len(frames))[slice(*(int(n) if n else None for n in asked.index.split(":")))]
    steps = round(1000 * asked.picoseconds / asked.timestep_fs)
    settings = {
        "ensemble": "nvt-langevin",
        "temperature_K": asked.temperature_K,
        "timestep_fs": asked.timestep_fs,
        "steps": steps,
    }
    calculator = LESCalculator(asked.model or asked.name)
    runs = {}
    for index in chosen:
        runs[index] = run(frames[index], calculator, work / f"{index}", {**settings, "seed": index})
        console().print(f"{index}: {told(runs[index])}", markup=False, highlight=False)
    report(asked.model or asked.name, runs, settings, work)


def run(atoms: Atoms, calculator: LESCalculator, output: Path, settings: dict) -> DynamicsResult:
    """To its end or to an alarm; one that was interrupted goes on."""
    if output.with_name(f"{output.name}.checkpoint").exists():
        return resume_dynamics(output, calculator, quiet=True)
    start = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    start.info["charge"] = atoms.info.get("charge", 0)
    start.calc = calculator
    return run_dynamics(start, output=output, quiet=True, **settings)


def told(result: DynamicsResult) -> str:
    return f"{result.time_ps:.2f} ps at {result.temperature_K} K; {result.stopped or 'held'}"


def report(name: str, runs: dict[int, DynamicsResult], settings: dict, work: Path) -> None:
    """A table and YAML."""
    held = sum(result.stopped is None for result in runs.values())
    title = f"{name}: {held} of {len(runs)} runs held"
    table = Table("structure", "ps", "temperature K", "ended by", title=title)
    for index, result in runs.items():
        table.add_row(
            str(index), f"{result.time_ps:.2f}", str(result.temperature_K), result.stopped or "–"
        )
    console().print(table)
    each = {
        index: {
            "time_ps": result.time_ps,
            "temperature_K": result.temperature_K,
            "stopped": result.stopped,
        }
        for index, result in runs.items()
    }
    said = {"model": name, "settings": settings, "held": held, "runs": each}
    write_summary(work / "stability.yml", said)


if __name__ == "__main__":
    main()
