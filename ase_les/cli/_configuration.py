"""Options that print examples or keys of configuration files."""

from __future__ import annotations

from collections.abc import Callable

import typer


def training_example() -> str:
    """Return a commented ``train.yml``."""
    from ase_les.reports.configuration import TRAINING_EXAMPLE, example
    from ase_les.training.learning.configuration import TrainingConfig

    return example(TrainingConfig, TRAINING_EXAMPLE)


def training_keys() -> str:
    """Return the keys of a ``train.yml``."""
    from ase_les.reports.configuration import reference_text
    from ase_les.training.learning.configuration import TrainingConfig

    return reference_text(TrainingConfig)


def sampling_example() -> str:
    """Return a commented recipe for ``ase-les label --sample``."""
    from ase_les.reports.configuration import SAMPLING_EXAMPLE, example
    from ase_les.training.structures.sampling import SamplingRecipe

    return example(SamplingRecipe, SAMPLING_EXAMPLE)


def sampling_keys() -> str:
    """Return the keys of a recipe, and of the settings of all engines."""
    from ase_les.reports.configuration import reference_text
    from ase_les.training.engines.programs import ENGINES
    from ase_les.training.structures.sampling import SamplingRecipe

    parts = [f"Recipe (--sample)\n\n{reference_text(SamplingRecipe)}"]
    parts += [
        f"Settings of the engine {name} (--settings)\n\n{reference_text(engine.settings)}"
        for name, engine in ENGINES.items()
    ]
    return "\n".join(parts)


def printed(name: str, text: Callable[[], str], what: str) -> typer.models.OptionInfo:
    """Return a flag that prints a text and exits.

    Parameters
    ----------
    name : str
        Name of the option.
    what : str
        Help text.
    """

    def show(asked: bool) -> None:
        if asked:
            print(text(), end="")
            raise typer.Exit

    return typer.Option(name, callback=show, is_eager=True, help=what)
