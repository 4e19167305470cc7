"""Functions and modules of the package between a training configuration in a file and its model.

    python -m benchmarks.configuration_walk [TRAIN_YML] [--list]

A stay is a function or method of the package that is entered while ``train.yml`` is read, while the
architecture is completed, until ``LESModel`` is entered, and while its parts (networks, sums) are
built; each counts once, with the module it is in. Comprehensions and lambdas count with the
function around them, and what reads structures and labels is no part of it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import ase_les
from ase_les.runs.progress import NO_PROGRESS
from ase_les.training.learning import train
from ase_les.training.learning.initial_model import completed, random_model
from ase_les.training.learning.training_data import checked_data

PACKAGE = str(Path(ase_les.__file__).parent)
TRAIN_YML = Path(__file__).parents[1] / "models" / "nacl" / "train.yml"


class Stay(NamedTuple):
    """A function that was entered."""

    module: str
    function: str


def entered(call: Callable[[], Any]) -> tuple[Any, list[Stay]]:
    """Return the result of a call and the functions of the package it enters, in that order."""
    found: dict[Any, Stay] = {}

    def note(frame: Any, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(PACKAGE) and "<" not in code.co_name:
            module = code.co_filename.removeprefix(PACKAGE).strip("/")
            owner = type(frame.f_locals["self"]).__name__ if "self" in frame.f_locals else ""
            found.setdefault(code, Stay(module, f"{owner}.{code.co_name}".strip(".")))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        return call(), list(found.values())
    finally:
        sys.setprofile(before)


def walk(path: Path) -> dict[str, list[Stay]]:
    """Return the stays by part of the way; a function counts in the first part."""
    (config, folder), reading = entered(lambda: train.read_training_config(path))
    architecture, completing = entered(lambda: completed(config.model, None))
    _, parts = checked_data(config, folder, NO_PROGRESS)
    _, building = entered(lambda: random_model(architecture, parts["training"], config.fit.seed))
    first = next(n for n, stay in enumerate(building) if stay.function == "LESModel.__init__")
    found = {
        "file to configuration": [*reading, *completing],
        "configuration to LESModel": building[: first + 1],
        "parts of the model": building[first + 1 :],
    }
    known: set[Stay] = set()
    for name, stays in found.items():
        found[name] = [stay for stay in dict.fromkeys(stays) if stay not in known]
        known |= set(stays)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("train_yml", nargs="?", type=Path, default=TRAIN_YML)
    parser.add_argument("--list", action="store_true", help="name the functions")
    asked = parser.parse_args()
    parts = walk(asked.train_yml)
    to_model, of_parts = list(parts.values())[:2], list(parts.values())[2]
    parts["file to LESModel"] = [stay for part in to_model for stay in part]
    parts["all"] = [*parts["file to LESModel"], *of_parts]
    for name, stays in parts.items():
        modules = {stay.module for stay in stays}
        print(f"{name}: {len(stays)} functions in {len(modules)} modules")
        for stay in stays if asked.list and name == "all" else ():
            print(f"  {stay.module}  {stay.function}")


if __name__ == "__main__":
    main()
