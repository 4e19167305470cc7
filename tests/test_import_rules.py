"""Which parts of the package may import which others."""

import ast
import subprocess
import sys
from importlib import import_module
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


# From the ground up; all other modules are the core, which stands on the configuration.
PLANES = (
    *("lazy_names", "configuration", "core", "reading", "runs", "interop", "simulation"),
    *("properties", "training.engines", "training.structures", "training.labeling"),
    *("training.learning", "training.active_learning", "testing", "reports", "installation"),
    *("cli", "__main__"),
)
# Files of other programs are read by the function that reads model files.
UPWARD = {("model_io.py", "ase_les.interop.read_checkpoint")}


def plane(module: str) -> int:
    """Place in `PLANES` of a module, or of a name in it, without the name of the package."""
    beginnings = [each for each in PLANES if f"{module}.".startswith(f"{each}.")]
    return PLANES.index(max(beginnings, key=len) if beginnings else "core")


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


def test_every_part_imports_only_what_it_stands_on():
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        place = file.relative_to(PACKAGE)
        if place in (Path("__init__.py"), Path("training/__init__.py")):
            continue  # only names, imported on first use
        above = plane(".".join(place.with_suffix("").parts))
        for name in imported(file):
            is_ours = name.startswith("ase_les.") and name.split(".")[1] not in ase_les.__all__
            if is_ours and plane(name.removeprefix("ase_les.")) > above:
                found.append((str(place), name))
    assert set(found) == UPWARD


@pytest.mark.parametrize("package", ["", ".charges", ".training"])
def test_names_imported_on_first_use_are_those_of_type_checkers(package):
    module = import_module(f"ase_les{package}")
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    (checked,) = (node for node in tree.body if isinstance(node, ast.If))
    homes = {name.name: node.module for node in checked.body for name in node.names}
    assert set(module.__all__) == set(homes)
    for name, home in homes.items():
        assert getattr(module, name) is getattr(import_module(home), name)
    with pytest.raises(AttributeError, match="no attribute 'color'"):
        module.color  # noqa: B018


def test_packages_are_imported_without_torch():
    code = (
        "import sys, ase_les, ase_les.charges, ase_les.training; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
