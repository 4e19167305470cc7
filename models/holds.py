"""Test whether shipped models hold in long dynamics and larger cells: ``python holds.py [NAME …]``.

For each model: Langevin dynamics of 10 ps from three held-back structures, and of 5 ps in a cell
that is doubled in two directions (periodic models). A run ends early if an alarm is raised
(``stability.py``). Results are kept in ``holds.yml``; an interrupted calculation is continued when
started again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import yaml
from ase import Atoms
from rich.table import Table
from stability import Run, run, test_structures

from ase_les import LESCalculator, list_models
from ase_les.reports.terminal import console
from ase_les.runs.output import write_summary
from ase_les.training import bare, repeated

HERE = Path(__file__).parent
RESULTS = HERE / "holds.yml"
# Temperatures other than 300 K, of the conditions that a model was made for.
TEMPERATURES_K = {"licl-gaf3": 400.0, "tio2-nacl-aq": 350.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="models; by default all that are shipped")
    parser.add_argument("--picoseconds", type=float, default=10.0, help="length of each run")
    parser.add_argument("--runs", type=int, default=3, help="held-back structures to start from")
    parser.add_argument(
        "--doubled-picoseconds", type=float, default=5.0, help="length in the larger cell"
    )
    parser.add_argument("--work", type=Path, default=HERE / "work-holds", help="folder of the runs")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name in args.names or list_models():
        keep(name, outcome(name, args))
        show({name: read()[name]})
    show(read())


def outcome(name: str, args: argparse.Namespace) -> dict:
    """Run all dynamics of a model."""
    frames = test_structures(HERE / name)
    work = args.work / name
    work.mkdir(parents=True, exist_ok=True)
    calculator = LESCalculator(name)
    temperature = TEMPERATURES_K.get(name, 300.0)
    chosen = np.unique(np.linspace(0, len(frames) - 1, args.runs).round().astype(int)).tolist()
    starts = {f"{index}": (bare(frames[index]), args.picoseconds) for index in chosen}
    middle = frames[chosen[len(chosen) // 2]]
    if middle.pbc.any():
        large = repeated(bare(middle), doubled(middle))
        starts[f"{chosen[len(chosen) // 2]}-doubled"] = (large, args.doubled_picoseconds)
    runs = {}
    for seed, (label, (atoms, picoseconds)) in enumerate(starts.items()):
        timestep = 0.5 if "H" in atoms.symbols else 1.0
        settings = {
            "ensemble": "nvt-langevin",
            "temperature_K": temperature,
            "beyond_limits": True,
            "timestep_fs": timestep,
            "steps": round(1000 * picoseconds / timestep),
            "seed": seed,
        }
        found = run(atoms, calculator, work / label, settings)
        console().print(f"{name} {label}, {len(atoms)} atoms: {found}", soft_wrap=True)
        runs[label] = {"atoms": len(atoms), **described(found)}
    return {"temperature_K": temperature, "runs": runs}


def doubled(atoms: Atoms) -> tuple[int, int, int]:
    """Return the repetitions that double a cell along its two shortest periodic directions."""
    lengths = np.where(atoms.pbc, atoms.cell.lengths(), np.inf)
    shortest = np.argsort(lengths, kind="stable")[: min(2, int(atoms.pbc.sum()))]
    times = [2 if axis in shortest else 1 for axis in range(3)]
    return times[0], times[1], times[2]


def described(found: Run) -> dict:
    """Return the outcome of a run as a mapping."""
    return {
        "time_ps": round(found.time_ps, 3),
        "temperature_K": round(found.temperature_K, 1),
        "stopped": found.stopped,
    }


def read() -> dict:
    """Return all outcomes kept so far."""
    if not RESULTS.exists():
        return {}
    return yaml.safe_load(RESULTS.read_text(encoding="utf-8"))["models"]


def keep(name: str, found: dict) -> None:
    """Add the outcome of a model to the file."""
    write_summary(RESULTS, {"models": dict(sorted({**read(), name: found}.items()))})


def show(outcomes: dict) -> None:
    """Print a table of outcomes."""
    table = Table("model", "K", "start", "atoms", "ps", "mean K", "ended by")
    for name, outcome in outcomes.items():
        for label, each in outcome["runs"].items():
            table.add_row(
                *(name, f"{outcome['temperature_K']:.0f}", label, str(each["atoms"])),
                *(f"{each['time_ps']:.1f}", f"{each['temperature_K']:.0f}"),
                each["stopped"] or "–",
            )
    console().print(table)


if __name__ == "__main__":
    main()
