"""Pages of the shipped models, from their cards."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from rst import escaped, fields, heading

from ase_les import list_models
from ase_les.model_cards import models_table_rst

ERRORS = {
    "energy_rmse_meV_per_atom": "energy / (meV/atom)",
    "forces_rmse_meV_per_A": "forces / (meV/Å)",
    "stress_rmse_meV_per_A3": "stress / (meV/Å³)",
}
RESPONSES = {
    "dipole_eA": "dipole",
    "quadrupole_eA2": "quadrupole",
    "born_effective_charges_e": "Born charges",
}


def pages(_source: Path) -> dict[str, str]:
    cards = list_models()
    text = heading("Shipped models") + (
        "Root-mean-square errors of held-back structures, written from the cards of the models at "
        "build time. ``ase-les models`` and ``ase-les info MODEL`` show the same. Errors beside "
        "short-range twins and published ones: :doc:`/accuracy`.\n\n"
    )
    text += models_table_rst(cards) + "\n"
    for name, card in cards.items():
        text += f".. _model-{name}:\n\n" + heading(name, "-") + _card(card)
    return {"models": text}


def _card(card: Mapping) -> str:
    data, structures = card["data"], card["structures"]
    rows = [("for", escaped(card["summary"]))]
    if card.get("limits"):
        limits = card["limits"]
        limits = limits if isinstance(limits, str) else " ".join(limits)
        rows.append(("limits", escaped(limits)))
    rows += [
        ("elements", ", ".join(card["elements"])),
        ("cutoff", f"{card['cutoff_A']:g} Å"),
        ("data", escaped(f"{data['name']}; {data.get('level', '')}")),
        ("source of the data", escaped(str(data.get("citation", "–")))),
        ("license of the data", escaped(str(data.get("license", "–")))),
        ("structures", ", ".join(f"{count} {part}" for part, count in structures.items())),
    ]
    if "dielectric" in card:
        rows.append(("ε∞", f"{card['dielectric']:g}"))
    errors = card.get("test_errors", {})
    for key, label in ERRORS.items():
        if isinstance(errors.get(key), int | float) and math.isfinite(errors[key]):
            rows.append((f"error of {label}", f"{errors[key]:.3g}"))
    for key, label in RESPONSES.items():
        if key in card.get("test_response", {}):
            found = card["test_response"][key]
            rows.append((f"{label}, R² and slope", f"{found['R2']:.3f}, {found['slope']:.2f}"))
    return fields(rows)
