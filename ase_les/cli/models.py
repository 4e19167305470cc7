"""``ase-les models``: list the shipped models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from ase_les.cli._options import Json

if TYPE_CHECKING:
    from ase_les.model_io import ModelHeader


def models(
    accuracy: Annotated[
        bool,
        typer.Option("--accuracy", help="Compare with short-range twins and published errors."),
    ] = False,
    json: Json = False,
) -> None:
    """List the shipped models: elements, cutoff, test errors, license of their data."""
    from ase_les.model_io import list_models, read_header, shipped_models

    if accuracy and not json:
        from ase_les.model_cards import accuracy_table_rst

        print(accuracy_table_rst(list_models()), end="")
        return
    entries = {name: _entry(read_header(path)) for name, path in shipped_models().items()}
    if json:
        from ase_les.runs.output import summary_as_json

        print(summary_as_json({"models": entries}))
    else:
        _show(entries)


def _entry(header: ModelHeader) -> dict[str, object]:
    config, card = header
    cutoffs = [config["representation"]["cutoff"]]
    if config["long_range"] and config["long_range"]["representation"]:
        cutoffs.append(config["long_range"]["representation"]["cutoff"])
    return {
        "summary": card.get("summary"),
        "limits": card.get("limits"),
        "elements": list(config["atomic_energies"]),
        "cutoff_A": max(cutoffs),
        "long_range": config["long_range"] is not None,
        "test_errors": card.get("test_errors", {}),
        "short_range_test_errors": card.get("short_range", {}).get("test_errors", {}),
        "published": card.get("published", {}),
        "data_license": _data(card).get("license"),
    }


def _data(card: Mapping) -> Mapping:
    data = card.get("data")
    return data if isinstance(data, Mapping) else {}


def _root_mean_square_errors(errors: Mapping[str, object]) -> str:
    """Return the root-mean-square errors of energies, forces and stresses for the table."""
    shown = (
        ("energy_rmse_meV_per_atom", "meV/atom"),
        ("forces_rmse_meV_per_A", "meV/Å"),
        ("stress_rmse_meV_per_A3", "meV/Å³"),
    )
    known = [f"{errors[name]:.3g} {unit}" for name, unit in shown if name in errors]
    return ", ".join(known) or "not stated"


def _show(entries: Mapping[str, Mapping]) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    if not entries:
        print("No models are shipped with this installation; give --model a model file.")
        return
    # Names are not truncated, so that they can be copied.
    names = Column("model", min_width=max(map(len, entries)))
    table = Table(names, "elements", "cutoff / Å", "long range", "test RMSE", "license of data")
    for name, entry in entries.items():
        table.add_row(
            name,
            " ".join(entry["elements"]),
            f"{entry['cutoff_A']:g}",
            "yes" if entry["long_range"] else "no",
            _root_mean_square_errors(entry["test_errors"]),
            entry["data_license"] or "not stated",
        )
    console = Console(markup=False)
    console.print(table)
    console.print("Limits of a model: ase-les info MODEL", highlight=False)
