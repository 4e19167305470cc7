"""Update the tables of shipped models in the documentation from their cards.

Reference charges come from ``charges-summary.yml`` (``python models/charges.py --output
models/charges``).
"""

import math
from pathlib import Path

import yaml

from ase_les import list_models
from ase_les.model_cards import (
    accuracy_table_rst,
    charges_by_element,
    charges_table_rst,
    models_table_rst,
)

HERE = Path(__file__).parent
SHOWN = {
    HERE.parent / "README.rst": ("models",),
    HERE / "README.rst": ("models", "accuracy", "charges"),
    HERE.parent / "docs" / "accuracy.rst": ("accuracy",),
}


def main() -> None:
    cards = list_models()
    tables = {
        "models": models_table_rst(cards),
        "accuracy": accuracy_table_rst(cards),
        "charges": charges_table_rst(cards, reference_charges()),
    }
    for path, names in SHOWN.items():
        text = path.read_text(encoding="utf-8")
        for name in names:
            begin, end = f".. table-of-{name}-begin\n\n", f"\n.. table-of-{name}-end"
            before, rest = text.split(begin)
            text = before + begin + tables[name] + end + rest.split(end)[1]
        path.write_text(text, encoding="utf-8")


def reference_charges() -> dict[str, str]:
    """Return mean charges of references by model, physical: of DFT Born charges or populations."""
    summary = HERE / "charges-summary.yml"
    if not summary.exists():
        return {}
    shown = {}
    for name, entries in yaml.safe_load(summary.read_text(encoding="utf-8"))["models"].items():
        rows, analysis = entries["elements"], entries.get("latent_charges_vs_population_analysis")
        born = {element: row["DFT_born_e"] for element, row in rows.items() if "DFT_born_e" in row}
        counted = {e: row["population_e"] for e, row in rows.items() if "population_e" in row}
        texts = []
        if born:
            scaling = math.sqrt(entries["dielectric"])
            texts.append(f"DFT tr Z*/3: {charges_by_element(born, scaling)}")
        if counted and analysis:
            texts.append(f"{analysis['analysis']}: {charges_by_element(counted, 1.0)}")
        if texts:
            shown[name] = "; ".join(texts)
    return shown


if __name__ == "__main__":
    main()
