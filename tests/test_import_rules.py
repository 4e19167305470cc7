"""Which parts of the package may import which others."""

import ast
from pathlib import Path

import pytest

import ase_les

PACKAGE = Path(ase_les.__file__).parent
FORBIDDEN = {
    "runs": (
        *("torch", "rich", "matplotlib", "ase_les.simulation", "ase_les.properties"),
        *("ase_les.training", "ase_les.reports", "ase_les.cli"),
    ),
    "statistics.py": ("torch", "rich", "matplotlib", "ase_les"),
    "simulation": (
        *("torch", "rich", "matplotlib", "typer", "ase_les.reports", "ase_les.cli"),
        *("ase_les.properties", "ase_les.training"),
    ),
    "properties": ("torch", "rich", "matplotlib", "typer", "ase_les.reports", "ase_les.cli"),
    "reports": ("torch", "typer", "ase_les.cli"),
}


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{each.name}" for each in node.names}
    return names


@pytest.mark.parametrize("part", FORBIDDEN)
def test_lower_parts_do_not_import_higher_ones(part):
    place = PACKAGE / part
    files = [place] if place.is_file() else sorted(place.rglob("*.py"))
    assert files
    found = [
        f"{file.relative_to(PACKAGE)}: {name}"
        for file in files
        for name in imported(file)
        if any(f"{name}.".startswith(f"{each}.") for each in FORBIDDEN[part])
    ]
    assert not found
