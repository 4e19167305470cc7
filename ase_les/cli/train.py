"""``ase-les train``: train a model on labeled structures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ase_les.cli._configuration import printed, training_example, training_keys
from ase_les.cli._options import Device, Json, Overwrite, Quiet, Threads


def train(
    config: Annotated[Path, typer.Argument(help="YAML file: data, model, fit, output, card.")],
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="Stem of the files; overrides the YAML.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an interrupted training.")
    ] = False,
    overwrite: Overwrite = False,
    device: Device = None,
    threads: Threads = 1,
    json: Json = False,
    quiet: Quiet = False,
    example: Annotated[
        bool,
        printed(
            "--example", training_example, "Print a commented YAML file with defaults and exit."
        ),
    ] = False,
    keys: Annotated[
        bool, printed("--keys", training_keys, "Print all keys of the YAML and exit.")
    ] = False,
) -> None:
    """Train a model; writes the model with its card, a learning curve and parity plots.

    `torchrun --nproc-per-node N -m ase_les train CONFIG` shares each batch among N processes.
    """
    from dataclasses import replace

    from ase_les.cli._calculator import set_threads
    from ase_les.ranks import ranks_of_torchrun
    from ase_les.reports import training as report
    from ase_les.reports.terminal import TerminalProgress
    from ase_les.runs.output import summary_as_json
    from ase_les.training.learning.train import read_training_config
    from ase_les.training.learning.train import train as train_model

    set_threads(threads)
    settings, folder = read_training_config(config)
    if output is not None:
        settings = replace(settings, output=output)
    with ranks_of_torchrun(device or "cpu") as ranks:
        result = train_model(
            settings,
            folder=folder,
            resume=resume,
            overwrite=overwrite,
            device=str(ranks.device) if ranks.device.type == "cuda" else device or "cpu",
            progress=TerminalProgress(quiet or not ranks.is_first),
            ranks=ranks,
        )
    if not ranks.is_first:
        return
    report.write(result, settings.output)
    report.show(result, quiet)
    if json:
        print(summary_as_json(result.summary()))
