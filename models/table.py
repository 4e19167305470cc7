"""Write the table of shipped models, from their cards, into README.rst and models/README.rst."""

from pathlib import Path

from ase_les import list_models
from ase_les.reporting import models_table_rst

HERE = Path(__file__).parent
BEGIN, END = ".. table-of-models-begin\n\n", "\n.. table-of-models-end"


def main() -> None:
    table = models_table_rst(list_models())
    for path in (HERE.parent / "README.rst", HERE / "README.rst"):
        text = path.read_text(encoding="utf-8")
        before, rest = text.split(BEGIN)
        after = rest.split(END)[1]
        path.write_text(before + BEGIN + table + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()
