"""``ase-les committee``: several models as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ase_les.cli._options import Json, Overwrite, Quiet


def committee(
    models: Annotated[
        list[str], typer.Argument(help="Two or more models: shipped by name, files, committees.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Committee file, .safetensors.")],
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Combine models of the same structures into a committee.

    Results are means over the members; their spread estimates the error. Calibrate the spread with
    `ase-les evaluate DATA --model COMMITTEE --calibrate`.
    """
    from ase_les import save_committee
    from ase_les.calculator.settings import load_committee
    from ase_les.committee import committee_hash
    from ase_les.reports.terminal import console
    from ase_les.runs.output import summary_as_json

    if output.exists() and not overwrite:
        raise FileExistsError(
            f"'{output}' exists; give another --output, or --overwrite to replace it"
        )
    made = load_committee(models)
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
