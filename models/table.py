"""Update the tables of shipped models in the documentation from their cards."""

from pathlib import Path

from ase_les import list_models
from ase_les.model_cards import accuracy_table_rst, charges_table_rst, models_table_rst

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
        "charges": charges_table_rst(cards),
    }
    for path, names in SHOWN.items():
        text = path.read_text(encoding="utf-8")
        for name in names:
            begin, end = f".. table-of-{name}-begin\n\n", f"\n.. table-of-{name}-end"
            before, rest = text.split(begin)
            text = before + begin + tables[name] + end + rest.split(end)[1]
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
