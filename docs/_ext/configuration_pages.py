"""Reference of the keys of configuration files, from the typed configuration."""

from __future__ import annotations

from pathlib import Path

try:
    from ase_les.reports.configuration import configuration_reference
except ImportError:
    configuration_reference = None

TITLE = "Configuration files"
WITHOUT_REFERENCE = (
    "Keys of ``ase-les train`` are the fields of "
    "``ase_les.training.configuration.TrainingConfig``, those of ``ase-les label --sample`` of "
    "``ase_les.training.sampling.SamplingRecipe``.\n"
)


def pages(_source: Path) -> dict[str, str]:
    text = WITHOUT_REFERENCE if configuration_reference is None else configuration_reference()
    line = "*" * len(TITLE)
    return {"configuration": f"{line}\n{TITLE}\n{line}\n\n{text}"}
