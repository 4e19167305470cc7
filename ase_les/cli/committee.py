"""``ase-les committee``: several models as one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ase_les.cli._options import Json, Overwrite, Quiet, Threads

if TYPE_CHECKING:
    from ase_les import Committee


def committee(
    models: Annotated[
        list[str],
        typer.Argument(help="Names of shipped models, files or committees; one model with --data."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Committee file, .safetensors.")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Training structures of one model: its last layers are varied in directions that "
            "these do not determine. Some tens are enough; FILE@::5 selects every fifth."
        ),
    ] = None,
    members: Annotated[int, typer.Option(min=2, help="With --data: number of members.")] = 16,
    seed: Annotated[int, typer.Option(help="With --data: random seed.")] = 0,
    threads: Threads = 1,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Combine models into a committee, or make a committee from one model and its data.

    Results are means over the members; their spread estimates the error. Calibrate the spread with
    `ase-les evaluate DATA --model COMMITTEE --calibrate`.
    """
    from ase_les import save_committee
    from ase_les.calculator.settings import load_committee
    from ase_les.cli._calculator import set_threads
    from ase_les.committee import committee_hash
    from ase_les.reports.terminal import console
    from ase_les.runs.output import summary_as_json

    if output.exists() and not overwrite:
        raise FileExistsError(
            f"'{output}' exists; give another --output, or --overwrite to replace it"
        )
    set_threads(threads)
    if data is None:
        made = load_committee(models)
    elif len(models) == 1:
        made = _around(models[0], data, members, seed, quiet)
    else:
        raise ValueError(f"--data varies the last layers of one model, got {len(models)} models")
    save_committee(output, made)
    kind = "last layers" if made.central is not None else "models"
    facts = {
        "output": str(output),
        "members": made.card["members"],
        "differ in": kind,
        "hash": committee_hash(made),
    }
    console(quiet).print(
        f"wrote {output}: {len(made)} members ({kind} differ)", markup=False, highlight=False
    )
    if json:
        print(summary_as_json(facts))


def _around(name: str, data: Path, members: int, seed: int, quiet: bool) -> Committee:
    from ase_les.cli._reading import print_lines, read
    from ase_les.model_io import load_single_model
    from ase_les.reading.labels import LabelNames
    from ase_les.reports.terminal import TerminalProgress
    from ase_les.runs.progress import task
    from ase_les.training.learning.labeled_files import labeled_file
    from ase_les.training.learning.last_layers import last_layer_committee

    model = load_single_model(name)
    file = labeled_file(read(data, silent=True), model.config.cutoff, LabelNames())
    print_lines([] if quiet else file.notes)
    print_lines([f"Warning: {warning}" for warning in file.warnings])
    samples = file.samples
    progress = TerminalProgress(quiet)
    with task(progress, len(samples), "structures"):
        return last_layer_committee(
            model, samples, members, seed=seed, on_structure=progress.advance
        )
