"""Reference of the keys of configuration files, from the typed configuration."""

from __future__ import annotations

from pathlib import Path

from ase_les.reports.configuration import configuration_reference
from ase_les.training.active_learning.plan import EXAMPLE

TITLE = "Configuration files"


def pages(_source: Path) -> dict[str, str]:
    line = "*" * len(TITLE)
    text = f"{line}\n{TITLE}\n{line}\n\n{configuration_reference()}"
    return {"configuration": text, "plan.yml": EXAMPLE}
