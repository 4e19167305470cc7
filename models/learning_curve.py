"""Errors against the number of structures: ``python learning_curve.py carbon-chain 20 40``.

Trains the architecture of a shipped model on evenly spaced parts of its training structures, with
the validation and test structures and the number of steps of the model; its card provides the last
point. Writes ``<work>/learning-curve.yml`` and a figure. An interrupted calculation is continued
when started again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from ase.io import write
from rich.table import Table

from ase_les.reports.figures import Panel, save_figure
from ase_les.reports.terminal import TerminalProgress, console
from ase_les.runs.output import write_summary
from ase_les.training import TrainingConfig, divided, read_training_config, train

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="name of the model")
    parser.add_argument("structures", type=int, nargs="+", help="numbers of training structures")
    parser.add_argument("--work", type=Path, help="folder of the trainings")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    folder = HERE / args.name
    work = args.work or folder / "work" / "learning-curve"
    work.mkdir(parents=True, exist_ok=True)
    config, _ = read_training_config(folder / "train.yml")
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    parts = divided(config.data, lambda name: config.data.frames(folder / name))
    n_all = len(parts["training"])
    points = {n: trained(n, config, parts, work) for n in sorted(set(args.structures)) if n < n_all}
    points[n_all] = on_test(card)
    report(args.name, points, work)


def trained(n: int, config: TrainingConfig, parts: dict[str, list], work: Path) -> dict:
    """Train on ``n`` structures and return the test errors, see `on_test`."""
    every = parts["training"]
    chosen = [every[int((i + 0.5) * len(every) / n)] for i in range(n)]
    paths = {name: work / f"{n}-{name}.extxyz" for name in ("training", "validation", "test")}
    for name, atoms in {**parts, "training": chosen}.items():
        write(paths[name], atoms)
    fit = config.fit
    longer = len(every) / n
    part = replace(
        config,
        data=replace(config.data, **{name: str(path) for name, path in paths.items()}),
        fit=replace(
            fit,
            epochs=round(fit.epochs * longer),
            warmup_epochs=fit.warmup_epochs * longer,
            validate_every=round(fit.validate_every * longer),
        ),
        output=str(work / f"{n}"),
    )
    resume = (work / f"{n}.checkpoint").exists()
    return on_test(train(part, resume=resume, progress=TerminalProgress()).card)


def on_test(card: Mapping) -> dict:
    """Return errors on the test structures, and agreement of responses with labels, if any."""
    return {"errors": card["test_errors"], "response": card.get("test_response", {})}


def report(name: str, points: dict[int, dict], work: Path) -> None:
    """Print a table, and write YAML and a figure."""
    energy, forces = "energy_rmse_meV_per_atom", "forces_rmse_meV_per_A"
    write_summary(
        work / "learning-curve.yml", {"model": name, "on_test_by_training_structures": points}
    )
    responses = list(next(iter(points.values()))["response"])
    titles = (f"{response} R², slope" for response in responses)
    table = Table("structures", "energy meV/atom", "forces meV/Å", *titles, title=name)
    for n, point in points.items():
        agreements = [point["response"][response] for response in responses]
        table.add_row(
            str(n),
            f"{point['errors'][energy]:.3g}",
            f"{point['errors'][forces]:.3g}",
            *(f"{a['R2']:.4f}, {a['slope']:.3f}" for a in agreements),
        )
    console().print(table)
    panels = []
    for label, key in (("energy RMSE / (meV/atom)", energy), ("force RMSE / (meV/Å)", forces)):
        errors = np.array([point["errors"][key] for point in points.values()])
        panels.append(Panel(label, {"": errors}, logarithmic=True))
    structures = np.array(list(points))
    save_figure(work / "learning-curve.png", structures, "training structures", panels)


if __name__ == "__main__":
    main()
